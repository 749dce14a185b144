"""Where runs and caches of a test go, and a tiny prior that they start from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datamodules import MotionDataModule
from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import save_prior

SMALL = {"width": 16, "num_layers": 1, "num_heads": 2, "feedforward": 16, "num_steps": 5}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where runs go: IMUFORGE_RUNS is the one knob that moves all of them."""
    monkeypatch.setenv("IMUFORGE_RUNS", str(tmp_path))
    monkeypatch.delenv("IMUFORGE_MOCAP", raising=False)
    return tmp_path


@pytest.fixture
def caches(cache_dir: Path) -> list[str]:
    return [f"--data.cache_dir={cache_dir / 'motion'}", f"--model.cache_dir={cache_dir / 'text'}"]


@pytest.fixture(scope="session")
def tiny_prior(cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained prior of the real class, with the statistics of the embedded clips."""
    data = MotionDataModule(cache_dir=str(cache_dir / "motion"), samples_per_epoch=16)
    data.prepare_data()
    data.setup()
    torch.manual_seed(0)
    model = MotionDiffusion(**SMALL)
    model.statistics.set(*data.feature_statistics())
    path = tmp_path_factory.mktemp("prior") / "tiny.safetensors"
    save_prior(model, path, {"data": "none, untrained"})
    return path
