"""DistributionMetrics in `trainer.test` of a (tiny) MotionDiffusion: which motions, which numbers, which files."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.data import DataLoader

from datamodules.batches import MotionBatch
from lightning_modules import MotionDiffusion
from lightning_modules.callbacks.distribution_metrics import TABLE, DistributionMetrics
from lightning_modules.metrics import compare_distributions
from lightning_modules.metrics.sensor_quantities import QUANTITIES
from lightning_modules.sampling.normalised import SamplingOptions
from lightning_modules.training.randomness import derive_seed
from sim.conventions import NUM_JOINTS
from sim.features import joints_to_features
from sim.skeleton_t2m import retarget

ACTIVITIES = ["bobbing", "hopping", "resting"]
CAPTIONS = ["a person bobs.", "a person hops.", "a person bobs on.", "a person hops on."]
LENGTHS = [60, 50, 60, 48]
PLACES = ["waist", "left_wrist"]
SAMPLING = SamplingOptions(guidance=1.0, sampler="ddim", steps=2)


def clips() -> torch.Tensor:
    """Features ``(4, 60, 263)`` of a body that bobs, each clip further than the last."""
    rest = retarget(torch.randn(1, NUM_JOINTS, 3, generator=torch.Generator().manual_seed(0)))[0]
    joints = rest + torch.zeros(4, 61, 1, 3)
    size = torch.tensor([0.05, 0.1, 0.07, 0.14])[:, None, None]
    joints[..., 1] += size * torch.sin(2 * math.pi * 2 * torch.arange(61) / 20)[:, None]
    return joints_to_features(joints)


class Clips(LightningDataModule):
    """Four clips in two batches, the first of them once more at the end, as a distributed sampler would give it."""

    def __init__(self) -> None:
        super().__init__()
        self.activities = ACTIVITIES

    def feature_statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(263), torch.full((263,), 0.02)

    def captions(self) -> list[str]:
        return CAPTIONS

    def train_dataloader(self) -> DataLoader[MotionBatch]:
        def batch(rows: list[int]) -> MotionBatch:
            lengths = torch.tensor([LENGTHS[row] for row in rows])
            numbers = torch.tensor(rows)
            return MotionBatch(clips()[rows], lengths, [CAPTIONS[row] for row in rows], numbers % 2, 10 + numbers)

        return DataLoader([batch([3, 2]), batch([1, 0]), batch([0])], batch_size=None)

    test_dataloader = val_dataloader = train_dataloader


def tiny_model(cache_dir: Path) -> MotionDiffusion:
    torch.manual_seed(0)
    small = {"width": 16, "num_layers": 1, "num_heads": 2, "feedforward": 16, "num_steps": 4}
    model = MotionDiffusion(**small, cache_dir=str(cache_dir / "text"))
    spread = torch.full((263,), 0.02)
    spread[67:193] = 0.1  # rotations, of which nothing is decoded
    spread[193:259] = 0.001
    model.statistics.set(torch.zeros(263), spread)
    return model


def make_trainer(folder: Path, callback: DistributionMetrics) -> Trainer:
    return Trainer(
        accelerator="cpu",
        max_epochs=2,
        logger=TensorBoardLogger(folder, name="", version=""),
        callbacks=[callback],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def test_numbers_follow_from_generate(tmp_path: Path, cache_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny_model(cache_dir)
    callback = DistributionMetrics(motions_per_activity=3, placements=PLACES, sampling=SAMPLING, seed=5)
    trainer = make_trainer(tmp_path, callback)
    (scores,) = trainer.test(model, Clips(), verbose=False)

    recorded, generated = {}, {}
    for number, activity in enumerate(ACTIVITIES[:2]):
        rows = [number, number + 2, number]  # three motions of two clips: the first lends its caption twice
        made = model.generate(
            [CAPTIONS[row] for row in rows],
            num_frames=[LENGTHS[row] for row in rows],
            guidance=1.0,
            sampler="ddim",
            steps=2,
            seeds=[derive_seed(5, 2, slot, 10 + row) for slot, row in zip((0, 0, 1), rows, strict=True)],
        )
        generated[activity] = [motion[: LENGTHS[row]] for motion, row in zip(made, rows, strict=True)]
        recorded[activity] = [clips()[row, : LENGTHS[row]] for row in rows[:2]]
    expected = compare_distributions(generated, recorded, placements=PLACES, std=model.statistics.std)
    for name, value in expected.flatten().items():
        assert scores[f"test/distribution/{name}"] == pytest.approx(value, rel=1e-3, abs=1e-4), name
    assert not [name for name in scores if "distribution/resting" in name]

    with (tmp_path / TABLE).open(encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert len(written) == 2 * 2 * len(QUANTITIES)
    assert {(row["motions_generated"], row["motions_recorded"]) for row in written} == {("3", "2")}
    assert float(written[0]["value"]) == pytest.approx(expected.rows[0].value, rel=1e-3)
    assert "hopping" in capsys.readouterr().out
    for logger in trainer.loggers:
        logger.finalize("success")
    tags = EventAccumulator(str(tmp_path)).Reload().Tags()
    assert "test/distribution/hopping/left_wrist/power_3_8_hz" in tags["scalars"]
    assert "distribution/text_summary" in tags["tensors"]


def test_the_decoder_and_the_activities_are_chosen(tmp_path: Path, cache_dir: Path) -> None:
    """An untrained network's positions jitter, and only the steps say otherwise."""
    model = tiny_model(cache_dir)
    std = {}
    for decoder in ("positions", "consistent"):
        callback = DistributionMetrics(
            motions_per_activity=1, activities=["hopping"], placements=["chest"], sampling=SAMPLING, decoder=decoder
        )
        (scores,) = make_trainer(tmp_path / decoder, callback).test(model, Clips(), verbose=False)
        assert not [name for name in scores if "distribution/bobbing" in name]
        std[decoder] = scores["test/distribution/hopping/chest/std"]
    assert std["consistent"] < 0.5 * std["positions"]


def test_validation_is_compared_where_asked_for(tmp_path: Path, cache_dir: Path) -> None:
    callback = DistributionMetrics(motions_per_activity=1, placements=["waist"], sampling=SAMPLING, validate_every=2)
    trainer = make_trainer(tmp_path, callback)
    trainer.fit(tiny_model(cache_dir), Clips())
    for logger in trainer.loggers:
        logger.finalize("success")
    events = EventAccumulator(str(tmp_path)).Reload()
    assert len(events.Scalars("val/distribution/bobbing/waist/std")) == 1
    assert not (tmp_path / TABLE).exists()


class Sleeper(LightningModule):
    """A module that generates nothing."""

    def test_step(self, batch: MotionBatch, batch_idx: int) -> None:
        """Do nothing."""


def test_bad_input_is_named(tmp_path: Path, cache_dir: Path) -> None:
    with pytest.raises(ValueError, match="Sleeper does not; use MotionDiffusion"):
        make_trainer(tmp_path, DistributionMetrics()).test(Sleeper(), Clips(), verbose=False)
    with pytest.raises(ValueError, match=r"unknown activity 'hoping'.*did you mean hopping"):
        make_trainer(tmp_path, DistributionMetrics(activities=["hoping"])).test(
            tiny_model(cache_dir), Clips(), verbose=False
        )
    with pytest.raises(ValueError, match="motions_per_activity is 0"):
        DistributionMetrics(motions_per_activity=0)
    with pytest.raises(ValueError, match="unknown decoder 'consistant'"):
        DistributionMetrics(decoder="consistant")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'left_paw'"):
        DistributionMetrics(placements=["left_paw"])
