"""The evaluation callback on real (tiny) models, against the same numbers worked out from `generate`."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning import LightningModule
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from scipy import stats
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.data import DataLoader

from datamodules.batches import MotionBatch
from lightning_modules import LatentMotionDiffusion, MotionDiffusion
from lightning_modules.contrastive_evaluator import ContrastiveEvaluator
from lightning_modules.evaluation.callback import MotionEvaluation
from lightning_modules.evaluation.report import EvaluationReport, Score, summarise
from lightning_modules.generated_motion_evaluator import GeneratedMotionEvaluator
from lightning_modules.metrics.acceleration_distance import magnitude_wasserstein
from lightning_modules.metrics.embedding_distances import frechet_distance
from lightning_modules.metrics.embedding_scores import EmbeddingOptions
from lightning_modules.metrics.motion_quality import SENSOR_JOINTS
from lightning_modules.sampling.normalised import SamplingOptions
from lightning_modules.training.randomness import derive_seed
from sim.conventions import JOINT_INDEX, NUM_JOINTS
from sim.features import features_to_joints, joints_to_features
from sim.skeleton_t2m import retarget

CAPTIONS = [f"a person bobs {word}." for word in ("once", "twice", "slowly", "fast", "high", "low")]
LENGTHS = [40, 60, 30, 60, 50, 25]
AMPLITUDES_M = [0.05, 0.4, 0.1, 0.5, 0.02, 0.6]  # those of 0.4 m and more reach 12 m/s^2 and above
HIGH = [1, 3, 5]


def bob(amplitude_m: float, *, frames: int = 61) -> torch.Tensor:
    rest = retarget(torch.randn(1, NUM_JOINTS, 3, generator=torch.Generator().manual_seed(0)))[0]
    joints = rest + torch.zeros(frames, 1, 3)
    joints[..., 1] += (amplitude_m * torch.sin(2 * math.pi * torch.arange(frames) / 20))[:, None]
    return joints_to_features(joints)


def batches() -> list[MotionBatch]:
    """Two batches of bobbing bodies, and one that repeats two clips as a distributed sampler does."""
    features = torch.stack([bob(amplitude) for amplitude in AMPLITUDES_M])
    for row, length in enumerate(LENGTHS):
        features[row, length:] = 0
    made = []
    for rows in ([0, 1, 2], [3, 4, 5], [0, 1]):
        ids = torch.tensor([100 + row for row in rows])
        made.append(
            MotionBatch(
                features[rows],
                torch.tensor([LENGTHS[row] for row in rows]),
                [CAPTIONS[row] for row in rows],
                torch.zeros(len(rows), dtype=torch.int64),
                ids,
            )
        )
    return made


class Clips(LightningDataModule):
    """The bobbing bodies as test data."""

    def __init__(self) -> None:
        super().__init__()
        self.activities = ["bobbing"]

    def feature_statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(263), torch.ones(263)

    def captions(self) -> list[str]:
        return CAPTIONS

    def test_dataloader(self) -> DataLoader[MotionBatch]:
        return DataLoader(batches(), batch_size=None)


class Folder(Clips):
    """Generated motions (bobbing half as far) and real ones beside them."""

    def test_dataloader(self) -> list[DataLoader[MotionBatch]]:
        made = [
            batch._replace(features=torch.stack([bob(0.5 * size) for size in sizes]), sample_id=batch.sample_id + 1000)
            for batch, sizes in zip(batches()[:2], (AMPLITUDES_M[:3], AMPLITUDES_M[3:]), strict=True)
        ]
        return [DataLoader(made, batch_size=None), DataLoader(batches()[:2], batch_size=None)]


def tiny_model(cache_dir: Path) -> MotionDiffusion:
    torch.manual_seed(0)
    model = MotionDiffusion(
        width=16, num_layers=1, num_heads=2, feedforward=16, num_steps=4, cache_dir=str(cache_dir / "text")
    )
    model.statistics.set(torch.zeros(263), torch.full((263,), 0.02))
    return model


@pytest.fixture
def evaluator(tmp_path: Path, cache_dir: Path) -> Path:
    """An untrained evaluator: embeddings need no meaning to be compared."""
    torch.manual_seed(1)
    made = ContrastiveEvaluator(width=16, num_layers=1, num_heads=2, dim=4, cache_dir=str(cache_dir / "text"))
    made.statistics.set(torch.zeros(263), torch.ones(263))
    path = tmp_path / "evaluator.ckpt"
    hyper_parameters = {**made.hparams_initial, "_instantiator": "x"}
    torch.save({"state_dict": made.state_dict(), "hyper_parameters": hyper_parameters}, path)
    return path


def run_test(
    module: LightningModule, data: LightningDataModule, callback: MotionEvaluation, folder: Path
) -> dict[str, float]:
    trainer = Trainer(
        accelerator="cpu",
        logger=TensorBoardLogger(folder, name="", version=""),
        callbacks=[callback],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    (scores,) = trainer.test(module, data, verbose=False)[:1]
    for logger in trainer.loggers:
        logger.finalize("success")
    return scores


def options(cache_dir: Path) -> dict[str, object]:
    return {
        "replications": 3,
        "seed": 5,
        "sampling": SamplingOptions(guidance=1.0, sampler="ddim", steps=2),
        "embedding": EmbeddingOptions(multimodality_texts=2, multimodality_samples=3, pool_size=4),
        "cache_dir": str(cache_dir / "text"),
    }


def test_numbers_follow_from_generate(tmp_path: Path, cache_dir: Path, evaluator: Path) -> None:
    model = tiny_model(cache_dir)
    scores = run_test(
        model, Clips(), MotionEvaluation(evaluator=str(evaluator), **options(cache_dir)), tmp_path / "run"
    )
    written = json.loads((tmp_path / "run" / "evaluation.json").read_text(encoding="utf-8"))

    judge = ContrastiveEvaluator.load(evaluator, cache_dir=str(cache_dir / "text"))
    real = torch.nn.utils.rnn.pad_sequence([bob(size)[:n] for size, n in zip(AMPLITUDES_M, LENGTHS, strict=True)], True)
    joints = [JOINT_INDEX[name] for name in SENSOR_JOINTS]

    def accelerations(features: torch.Tensor, rows: list[int]) -> np.ndarray:
        decoded = features_to_joints(
            features, "consistent", std=model.statistics.std, lengths=torch.tensor(LENGTHS, device=features.device)
        )
        positions = decoded[:, :, joints]
        values = (positions.diff(n=2, dim=1) * 400).norm(dim=-1)
        return np.concatenate([values[row, : LENGTHS[row] - 2].flatten().numpy() for row in rows])

    distances, high, frechet = [], [], []
    for slot in range(3):
        seeds = [derive_seed(5, 0, slot, 100 + row) for row in range(6)]
        made = model.generate(CAPTIONS, num_frames=LENGTHS, guidance=1.0, sampler="ddim", steps=2, seeds=seeds)
        distances.append(magnitude_wasserstein(accelerations(made, [*range(6)]), accelerations(real, [*range(6)])))
        high.append(magnitude_wasserstein(accelerations(made, HIGH), accelerations(real, HIGH)))
        pair = [judge.embed_motions(side, torch.tensor(LENGTHS)).double().numpy() for side in (made, real)]
        frechet.append(frechet_distance(*pair))
    entry = written["scores"]["generated/acceleration_wasserstein_m_s2"]
    assert entry["values"] == pytest.approx(distances, rel=1e-3)
    interval = stats.t.interval(0.95, 2, loc=np.mean(distances), scale=stats.sem(distances))
    assert entry["mean"] + entry["half_width"] == pytest.approx(interval[1], rel=1e-3)
    assert scores["test/generated/acceleration_wasserstein_m_s2"] == pytest.approx(np.mean(distances), rel=1e-3)
    assert written["scores"]["generated/acceleration_wasserstein_m_s2/high_dynamics"]["values"] == pytest.approx(
        high, rel=1e-3
    )
    assert written["scores"]["contrastive/frechet"]["values"] == pytest.approx(frechet, rel=1e-2, abs=1e-5)
    assert written["scores"]["generated/clips"]["real"] == 6  # the repeated ones count once
    assert written["scores"]["contrastive/multimodality"]["mean"] > 0
    assert {f"contrastive/r_precision_top{k}" for k in (1, 2, 3)} <= written["scores"].keys()
    assert written["facts"]["pool_size"] == 4
    assert written["facts"]["evaluator"] == "contrastive"
    assert "test/paired_acc/rmse/high_dynamics" in scores
    assert written["paired"]["paired_acc/rmse/high_dynamics"] == pytest.approx(
        scores["test/paired_acc/rmse/high_dynamics"]
    )

    events = EventAccumulator(str(tmp_path / "run")).Reload()
    assert events.Scalars("test/contrastive/frechet")[-1].value == pytest.approx(np.mean(frechet), rel=1e-2, abs=1e-5)
    assert "| generated/acceleration_wasserstein_m_s2 |" in (tmp_path / "run" / "evaluation.md").read_text("utf-8")
    assert "evaluation/text_summary" in events.Tags()["tensors"]


def test_paired_errors_by_measured_dynamics_follow_the_threshold(tmp_path: Path, cache_dir: Path) -> None:
    model = tiny_model(cache_dir)
    arguments = options(cache_dir) | {"replications": 1}
    scores = run_test(model, Clips(), MotionEvaluation(**arguments), tmp_path / "low")
    # Only the clips of 0.4 m and more are of high dynamics; with a threshold beyond all of them none is.
    none = run_test(model, Clips(), MotionEvaluation(**arguments, high_dynamics_m_s2=500.0), tmp_path / "high")
    for prefix in ("paired_features", "paired_acc", "paired_sensors_accel", "paired_sensors_gyro"):
        assert math.isfinite(scores[f"test/{prefix}/rmse/high_dynamics"])
        assert math.isnan(none[f"test/{prefix}/rmse/high_dynamics"])
        assert none[f"test/{prefix}/rmse/low_dynamics"] == pytest.approx(scores[f"test/{prefix}/rmse"], rel=1e-5)
    assert not [name for name in scores if "contrastive" in name]
    assert "generated/clips/high_dynamics" not in json.loads((tmp_path / "high/evaluation.json").read_text())["scores"]


def test_a_folder_is_evaluated_without_a_model(tmp_path: Path, cache_dir: Path, evaluator: Path) -> None:
    callback = MotionEvaluation(evaluator=str(evaluator), **options(cache_dir))
    run_test(GeneratedMotionEvaluator(), Folder(), callback, tmp_path / "run")
    written = json.loads((tmp_path / "run" / "evaluation.json").read_text(encoding="utf-8"))
    assert written["scores"]["generated/peak_ratio_p95"]["mean"] == pytest.approx(0.5, rel=0.02)
    assert written["scores"]["generated/peak_ratio_p95"]["half_width"] is None
    assert written["scores"]["contrastive/frechet"]["mean"] >= 0
    assert written["facts"]["module"] == "GeneratedMotionEvaluator"
    assert written["paired"] == {}
    assert not [name for name in written["scores"] if "dynamics" in name]


TINY_LATENT = {
    "width": 16, "latent_tokens": 2, "num_heads": 2, "vae_layers": 3, "vae_feedforward": 24, "num_layers": 3,
    "feedforward": 24, "num_steps": 4,
}  # fmt: skip


@pytest.mark.parametrize("kind", ["motiondiffuse", "latent"])
def test_every_kind_of_generator_is_evaluated(kind: str, tmp_path: Path, cache_dir: Path, evaluator: Path) -> None:
    torch.manual_seed(0)
    cache = {"cache_dir": str(cache_dir / "text")}
    if kind == "latent":
        model: LatentMotionDiffusion | MotionDiffusion = LatentMotionDiffusion(**TINY_LATENT, **cache)
        model.latent_std.fill_(1.0)  # an untrained autoencoder decodes to motion as well
    else:
        small = {"width": 16, "num_layers": 1, "num_heads": 2, "feedforward": 16, "num_steps": 4, "predicts": "noise"}
        model = MotionDiffusion(arch="motiondiffuse", **small, **cache)
    model.statistics.set(torch.zeros(263), torch.full((263,), 0.02))
    callback = MotionEvaluation(evaluator=str(evaluator), **(options(cache_dir) | {"replications": 1}))
    scores = run_test(model, Clips(), callback, tmp_path / "run")
    for name in ("generated/jerk_m_s3", "contrastive/frechet", "paired_acc/rmse/high_dynamics"):
        assert math.isfinite(scores[f"test/{name}"]), name


class Sleeper(LightningModule):
    """A module that generates nothing."""

    def test_step(self, batch: MotionBatch, batch_idx: int) -> None:
        """Do nothing."""


def test_a_module_that_does_not_generate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Sleeper does not; use MotionDiffusion"):
        run_test(Sleeper(), Clips(), MotionEvaluation(), tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"replications": 0}, "replications is 0"), ({"seed": -1}, "seed -1"), ({"high_dynamics_m_s2": 0.0}, "is 0.0")],
)
def test_bad_options_are_named(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MotionEvaluation(**change)


def test_report_of_replications() -> None:
    scores = summarise({-1: {"a": 2.0}, 0: {"a": 1.0, "b": math.nan}, 1: {"a": 3.0, "b": 1.0}}, real=-1, prefix="x")
    assert [score.name for score in scores] == ["x/a", "x/b"]
    assert scores[0].real == 2.0
    # Student's t of one degree of freedom is 12.706 at 97.5%; the standard error of 1 and 3 is 1.
    assert scores[0].half_width == pytest.approx(12.7062, rel=1e-4)
    assert Score("one", (4.0,)).half_width is None
    report = EvaluationReport(scores, {"paired_acc/rmse": 7.5}, {"clips": 2}, ["beware"])
    content = json.loads(report.to_json())
    assert content["scores"]["x/b"] == {"mean": None, "half_width": None, "real": None, "values": [None, 1.0]}
    markdown = report.to_markdown()
    for line in ("| x/a | 2 | 12.71 | 2 |", "| paired_acc/rmse | 7.5 |", "- clips: 2", "Note: beware."):
        assert line in markdown.splitlines()
