"""The example's data set at its smallest: four people, one recording of each activity, motions of a few steps."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from experiments.dataset.command import make_dataset

SPEC = Path(__file__).resolve().parents[3] / "experiments" / "dataset.yaml"
SMALL = ("people.count=4", "recordings_each=1", "motion.steps=4", "keep_motions=true")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder."""
    folder = tmp_path_factory.mktemp("dataset") / "three_activities"
    make_dataset(SPEC, folder, overrides=SMALL, processes=1, device="cpu", console=Console(quiet=True))
    return folder
