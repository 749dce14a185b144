"""A classifier of three postures by where gravity points, whose answers are known, and recordings of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from lightning import Trainer

from datamodules.har.window_module import WindowDataModule
from datamodules.har.windows.window_set import WindowSet
from lightning_modules import HARClassifier

CLASSES = ("upright", "on_back", "on_side")
CHANNELS = ("accel_x", "accel_y", "accel_z", "gyro_x", "gyro_y", "gyro_z")
GRAVITY = 9.80665


def make_signals(axis: int, count: int, *, seed: int) -> np.ndarray:
    """Samples ``(count, 6)`` of somebody at rest with gravity along an axis."""
    noise = np.random.default_rng(seed).normal(size=(count, 6)) * [0.2, 0.2, 0.2, 0.05, 0.05, 0.05]
    noise[:, axis] += GRAVITY
    return noise


@pytest.fixture(scope="session")
def train_classifier(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Train a network on windows of 1 s at 50 Hz; returns its checkpoint."""
    made: dict[str, Path] = {}

    def train(network: str) -> Path:
        if network not in made:
            windows = np.concatenate([make_signals(axis, 60 * 50, seed=axis).reshape(60, 50, 6) for axis in range(3)])
            labels, people = np.repeat(np.arange(3), 60), np.full(180, "s1")
            data = WindowDataModule(
                WindowSet(windows.astype(np.float32), labels, people, labels, CLASSES, CHANNELS, 50.0), val_fraction=0.0
            )
            folder = tmp_path_factory.mktemp(network)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                model = HARClassifier(list(CLASSES), network=network, filters=8, units=8)
                trainer = Trainer(
                    max_steps=40, accelerator="cpu", logger=False, enable_progress_bar=False,
                    enable_model_summary=False, enable_checkpointing=False,
                )  # fmt: skip
                trainer.fit(model, data)
            trainer.save_checkpoint(folder / "last.ckpt")
            made[network] = folder / "last.ckpt"
        return made[network]

    return train


@pytest.fixture(scope="session")
def checkpoint(train_classifier: Callable[[str], Path]) -> Path:
    return train_classifier("cnn")


@pytest.fixture
def write_table(tmp_path: Path) -> Callable[..., Path]:
    """Write 4 s upright, then 4 s on the back, at a rate; ``change`` gets the table before it is written."""

    def write(
        name: str = "new.csv", *, rate_hz: float = 50.0, change: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    ) -> Path:
        count = round(4 * rate_hz)
        values = np.concatenate([make_signals(axis, count, seed=7 + axis) for axis in (0, 1)])
        table = pd.DataFrame(values, columns=list(CHANNELS))
        table.insert(0, "time_s", np.arange(len(table)) / rate_hz)
        table = table if change is None else change(table)
        path = tmp_path / name
        table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)
        return path

    return write
