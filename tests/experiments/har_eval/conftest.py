"""Three tiny priors, and the shipped arms on two small real sets, cut down to what they can do in seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from lightning.pytorch import Trainer
from rich.console import Console

from datamodules.har.readers.dsads_pack import UNITS
from datamodules.motion import MotionDataModule
from experiments.har_eval.checks import DEFAULT_CONFIG, load_config
from experiments.har_eval.command import run_experiment
from experiments.har_eval.config import HarEvalConfig
from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import save_prior

PRIORS = ("original", "continued", "acc")
MakeConfig = Callable[..., HarEvalConfig]
LAYERS = [DEFAULT_CONFIG.parent / "har_eval" / "layers" / f"{name}.yaml" for name in ("hapt", "basic_motions")]
SHIPPED_SETS = [
    f"{task}_{site}" for task in ("dynamic", "six", "postures") for site in ("chest", "right_wrist", "right_thigh")
]


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Path:
    """Three tiny real priors: one trained for a few steps on the embedded clips, and two that were trained on."""
    folder = tmp_path_factory.mktemp("weights")
    data = MotionDataModule(["embedded"], batch_size=8, samples_per_epoch=48, cache_dir=str(cache_dir / "motion"))
    init_from = None
    for arm in PRIORS:
        model = MotionDiffusion(
            width=32,
            num_layers=1,
            num_heads=2,
            feedforward=32,
            num_steps=20,
            warmup_steps=1,
            ema_decay=0.5,
            lr=2e-3,
            init_from=init_from,
            train_seed=len(arm),
            cache_dir=str(cache_dir / "text"),
        )
        trainer = Trainer(
            max_steps=6,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            limit_val_batches=0,
        )
        trainer.fit(model, data)
        save_prior(model, folder / f"{arm}.safetensors", {"arm": arm})
        init_from = str(folder / "original.safetensors")
    return folder


@pytest.fixture(scope="session")
def write_pack(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write a pack like that of DSADS: two segments of every person and activity, each number that of its unit.

    With ``noise`` each activity shakes as much more than the one before, in steps of the file's counts.
    """

    def write(people: Sequence[str], folders: Sequence[str], noise: int = 0) -> Path:
        count = len(people) * len(folders) * 2
        values = np.zeros((count, 125, 5, 3), dtype=np.int16)
        values += np.array([1250, 250, 500, 750, 1000], dtype=np.int16)[:, None]
        activity = np.repeat(folders, len(people) * 2)
        shaking = noise * np.repeat(np.arange(len(folders)), len(people) * 2)[:, None, None, None]
        values += (np.random.default_rng(0).standard_normal(values.shape) * shaking).astype(np.int16)
        path = tmp_path_factory.mktemp("pack") / "dsads.npz"
        np.savez(
            path,
            accel=values,
            gyro=values,
            accel_scale=0.004,
            gyro_scale=0.001,
            activity=activity,
            subject=np.tile(np.repeat(people, 2), len(folders)),
            segment=np.arange(count),
            units=np.array(UNITS),
            rate_hz=25.0,
        )
        return path

    return write


@pytest.fixture(scope="session")
def sizes(cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides that make the experiment small; they name no arm."""
    return [
        *(f"sets.{name}=null" for name in SHIPPED_SETS),
        "seeds=[0,1]",
        "generation.motions_per_activity=2",
        "generation.seconds=5",
        "generation.steps=3",
        "simulation.repeats=1",
        "simulation.mountings=2",
        "sets.hapt.train_windows_per_class=30",
        "sets.basic_motions.train_windows_per_class=30",
        "classifiers.cnn.steps=8",
        "classifiers.cnn.networks=1",
        "classifiers.deepconvlstm=null",
        "resamples=100",
        "processes=1",
        f"cache={cache_dir}",
        f"output={tmp_path_factory.mktemp('runs')}",
    ]


@pytest.fixture(scope="session")
def overrides(weights: Path, sizes: list[str]) -> list[str]:
    """Overrides of the shipped configuration."""
    mine = [f"arms.{arm}.weights={weights / f'{arm}.safetensors'}" for arm in PRIORS]
    return ["arms.four_hours=null", *mine, *sizes]  # a large one


@pytest.fixture(scope="session")
def make_config(overrides: list[str]) -> MakeConfig:
    """Read the shipped configuration, or another YAML, with the layers of both sets, cut down."""

    def make(*more: str, path: Path = DEFAULT_CONFIG, instead_of: Sequence[str] | None = None) -> HarEvalConfig:
        return load_config([path, *LAYERS], [*(overrides if instead_of is None else instead_of), *more])

    return make


@pytest.fixture(scope="session")
def layered() -> list[str]:
    """The same layers for the command line."""
    return [word for path in (DEFAULT_CONFIG, *LAYERS) for word in ("-c", str(path))]


@pytest.fixture(scope="session")
def run(make_config: MakeConfig) -> Path:
    """The folder of a run of it."""
    return run_experiment(make_config(), console=Console(quiet=True))
