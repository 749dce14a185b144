"""A real set of four people and virtual windows, both numbers out of a generator: no prior, no simulation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from datamodules.har.windows.window_set import WindowSet
from experiments.har_eval.config import ClassifierConfig, SimulationConfig
from experiments.har_eval.stages.classify import Classify
from experiments.har_eval.stages.generate import Recorded
from experiments.har_eval.stages.real import TEST, TRAIN, RealWindows
from experiments.har_eval.stages.simulate import WINDOWS, Sensor, Simulate
from experiments.pipeline.files import save_windows
from experiments.pipeline.tasks import Inputs

PEOPLE = ("p1", "p2", "p3", "p4")
CLASSES = ("walking", "standing")
CHANNELS = tuple(f"{group}_{axis}" for group in ("accel", "gyro") for axis in "xyz")


def draw_windows(people: tuple[str, ...], *, seed: int, each: int = 6) -> WindowSet:
    """Who walks shakes, who stands does not, and everybody wears the sensor a little otherwise."""
    generator = np.random.default_rng(seed)
    labels = np.tile(np.repeat(np.arange(2), each), len(people))
    signals = generator.standard_normal((len(labels), 32, 6)) * np.where(labels == 0, 3.0, 0.3)[:, None, None]
    signals[..., 0] += 9.8
    signals[..., 1] += np.repeat(np.arange(len(people)), 2 * each)[:, None]
    return WindowSet(
        signals.astype(np.float32),
        labels,
        np.repeat(people, 2 * each),
        np.arange(len(labels)) // each,
        CLASSES,
        CHANNELS,
        25.0,
    )


class Stage(NamedTuple):
    """A task that trains on virtual windows, and the folders of what it reads."""

    task: Classify
    real: Path
    virtual: Path

    def inputs(self) -> Inputs:
        """Of this task and of those made of it by ``replace``."""
        assert self.task.virtual is not None
        return Inputs([(self.task.real, self.real), (self.task.virtual, self.virtual)])

    def with_split(self, split: str, **more: object) -> Stage:
        return self._replace(task=replace(self.task, real=replace(self.task.real, split=split, **more)))


@pytest.fixture(name="draw_windows")
def hand_out_draw_windows() -> Callable[..., WindowSet]:
    """The function, for tests that need people of their own."""
    return draw_windows


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    folders = [tmp_path / name for name in ("real", "virtual")]
    for folder in folders:
        folder.mkdir()
    people = draw_windows(PEOPLE, seed=0)
    save_windows(people, folders[0] / TRAIN)
    save_windows(people, folders[0] / TEST)
    save_windows(draw_windows(("virtual0.0", "virtual0.1"), seed=1), folders[1] / WINDOWS)
    real = RealWindows(
        entry="people",
        name="dsads",
        classes=CLASSES,
        channels=("accel", "gyro"),
        rate_hz=25.0,
        window_s=1.28,
        overlap=0.5,
        purity=0.9,
        recorded_at=("chest",),
        split="loso",
        label_map=(),
        root=None,
        packages=(),
    )
    sensor = Sensor(("chest",), "declared", 0.0, 0.0, None, ("accel", "gyro"), 25.0, 1.28, 0.5, None)
    motions = Recorded("clips", 0, 4.0, 2, CLASSES, None)
    virtual = Simulate(motions, "people", sensor, CLASSES, SimulationConfig(), 0)
    task = Classify("forest", ClassifierConfig(), real, virtual, None, 0, seed=0)
    return Stage(task, *folders)
