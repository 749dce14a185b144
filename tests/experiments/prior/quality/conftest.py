"""Recorded windows and a configuration small enough for tests, over the embedded clips and the packaged prior."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamodules import MotionDataModule
from experiments.prior.quality.config import QualityConfig
from experiments.prior.quality.recorded import open_recorded


@pytest.fixture(scope="session")
def quality_config(cache_dir: Path) -> QualityConfig:
    return QualityConfig(cache_dir=str(cache_dir), motions_per_activity=1, window_s=2.0)


@pytest.fixture(scope="session")
def recorded(quality_config: QualityConfig) -> MotionDataModule:
    return open_recorded(quality_config)
