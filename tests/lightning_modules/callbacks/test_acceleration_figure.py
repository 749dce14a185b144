"""The acceleration figure on a real (tiny) MotionDiffusion."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.data import DataLoader

from datamodules.batches import MotionBatch
from lightning_modules import MotionDiffusion
from lightning_modules.callbacks.acceleration_figure import AccelerationFigure, joint_magnitudes
from lightning_modules.metrics.acceleration_distance import magnitude_wasserstein
from sim.conventions import DECODERS, JOINT_INDEX, NUM_JOINTS
from sim.features import features_to_joints, joints_to_features
from sim.skeleton_t2m import retarget

FPS = 20.0
CAPTIONS = ["a person waves.", "a person bounces."]


def wave(*, frequency_hz: float = 1.0, amplitude_m: float = 0.1, frames: int = 61, clips: int = 1) -> torch.Tensor:
    """Features ``(clips, frames - 1, 263)`` of a body that bobs up and down as one: |a| is known in closed form."""
    time = torch.arange(frames) / FPS
    rest = retarget(torch.randn(1, NUM_JOINTS, 3, generator=torch.Generator().manual_seed(0)))[0]
    joints = rest + torch.zeros(clips, frames, 1, 3)
    joints[..., 1] += (amplitude_m * torch.sin(2 * math.pi * frequency_hz * time))[:, None]
    return joints_to_features(joints)


class Clips(LightningDataModule):
    """Two bobbing clips as the data of a fit."""

    def __init__(self) -> None:
        super().__init__()
        self.activities = ["waving"]

    def feature_statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(263), torch.ones(263)

    def captions(self) -> list[str]:
        return CAPTIONS

    def train_dataloader(self) -> DataLoader[MotionBatch]:
        batch = MotionBatch(
            wave(clips=2), torch.tensor([60, 40]), CAPTIONS, torch.zeros(2, dtype=torch.long), torch.arange(2)
        )
        return DataLoader([batch], batch_size=None)

    val_dataloader = train_dataloader


def tiny_model(cache_dir: Path) -> MotionDiffusion:
    torch.manual_seed(0)
    model = MotionDiffusion(
        width=16, num_layers=1, num_heads=2, feedforward=16, num_steps=4, cache_dir=str(cache_dir), sampling_steps=None
    )
    model.statistics.set(torch.zeros(263), torch.ones(263))
    return model


def test_joint_magnitudes_of_a_known_motion() -> None:
    (values,) = joint_magnitudes(wave(frequency_hz=1.0, amplitude_m=0.1), [50], joint="head")
    assert values.shape == (48,)
    step = 2 * math.pi / FPS
    # The second difference of a sine is the sine times -(2 sin(step / 2))^2.
    expected = 0.1 * (2 * math.sin(step / 2)) ** 2 * FPS**2 * np.abs(np.sin(step * np.arange(1, 49)))
    np.testing.assert_allclose(values, expected, atol=2e-3)
    assert joint_magnitudes(wave(), [2], joint="head")[0].shape == (0,)


def test_joint_magnitudes_are_of_the_decoder() -> None:
    generator = torch.Generator().manual_seed(0)
    noisy = wave() + 0.01 * torch.randn(wave().shape, generator=generator)
    for decoder in DECODERS:
        (values,) = joint_magnitudes(noisy, [60], joint="head", decoder=decoder)
        joints = features_to_joints(noisy[0].double(), decoder)[:, JOINT_INDEX["head"]]
        np.testing.assert_allclose(values, joints.diff(n=2, dim=0).norm(dim=-1) * FPS**2)
    with pytest.raises(ValueError, match="unknown decoder 'position'"):
        AccelerationFigure(decoder="position")


def test_figure_and_distances_reach_tensorboard(tmp_path: Path, cache_dir: Path) -> None:
    model, logger = tiny_model(cache_dir), TensorBoardLogger(tmp_path, name="", version="")
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=4,
        logger=logger,
        callbacks=[AccelerationFigure(every_n_epochs=2, joint="head", guidance=1.0)],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=1,
    )
    trainer.fit(model, Clips())
    logger.finalize("success")
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Images("generated/acceleration")] == [1, 2, 4]
    logged = events.Scalars("generated/wasserstein_m_s2")[-1].value
    # Training has ended: the weights are those of the last figure.
    generated = model.generate(CAPTIONS, num_frames=[60, 40], guidance=1.0, seeds=[0, 1])
    ours = np.concatenate(joint_magnitudes(generated, [60, 40], joint="head", std=model.statistics.std))
    theirs = np.concatenate(joint_magnitudes(wave(clips=2), [60, 40], joint="head"))
    assert logged == pytest.approx(magnitude_wasserstein(ours, theirs), rel=1e-4)


def test_figure_takes_the_activities_in_turn(tmp_path: Path, cache_dir: Path) -> None:
    figure = AccelerationFigure(every_n_epochs=1, num_clips=2, guidance=1.0)
    trainer = Trainer(accelerator="cpu", logger=TensorBoardLogger(tmp_path), enable_checkpointing=False)
    model = tiny_model(cache_dir)
    asked: list[str] = []
    generate = model.generate
    model.generate = lambda texts, **options: asked.extend(texts) or generate(texts, **options)
    captions = ["a person stands.", "a person sits.", "a person is still.", "a person jumps."]
    batch = MotionBatch(
        wave(clips=4), torch.tensor([60, 10, 60, 60]), captions, torch.tensor([0, 0, 0, 1]), torch.arange(4)
    )
    figure.on_validation_batch_end(trainer, model, None, batch, 0)
    figure.on_validation_epoch_end(trainer, model)
    assert asked == ["a person stands.", "a person jumps."]


def test_figure_changes_nothing_of_the_training(tmp_path: Path, cache_dir: Path) -> None:
    weights = []
    for callbacks in ([], [AccelerationFigure(every_n_epochs=1, guidance=1.0)]):
        model = tiny_model(cache_dir)
        torch.manual_seed(5)
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=3,
            logger=TensorBoardLogger(tmp_path),
            callbacks=callbacks,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(model, Clips())
        weights.append([*(value.clone() for value in model.state_dict().values()), torch.rand(3)])
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"joint": "left_paw"}, "'left_paw' is unknown, must be one of"), ({"num_clips": 0}, "expected at least 1")],
)
def test_bad_settings_are_named(settings: dict[str, int | str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AccelerationFigure(**settings)
