"""Simulate the sensor of a real set on moving bodies, over body shapes, mountings and noise, and cut windows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from datamodules.har import WindowSet, windows_from_imu
from datamodules.har.windows.views import concatenate
from experiments.har_eval.config import MOUNTINGS, ErrorsConfig, SetConfig, SimulationConfig, SiteConfig
from experiments.har_eval.stages.generate import Motions, load_motions, number_of
from experiments.pipeline.files import load_windows, save_windows, write_json
from experiments.pipeline.tasks import Inputs, Task
from lightning_modules.training.randomness import derive_seed
from sim.body import Body
from sim.imu import simulate
from sim.motion import Motion
from sim.placements import Placement

WINDOWS = "windows.npz"


@dataclass(frozen=True)
class Sensor:
    """What of an entry of ``sets`` decides what a virtual sensor reads: entries that agree in it share windows.

    Attributes are those of :class:`experiments.har_eval.config.SetConfig`.
    """

    placements: tuple[str, ...]
    mounting: str
    turn_about_deg: float
    move_along_mm: float
    around_deg: float | None
    channels: tuple[str, ...]
    rate_hz: float
    window_s: float
    overlap: float
    errors: ErrorsConfig | None
    worn: tuple[tuple[str, SiteConfig], ...] = ()

    @classmethod
    def of(cls, entry: SetConfig) -> Sensor:
        """Take it from an entry of ``sets``."""
        return cls(
            placements=tuple(entry.placements),
            mounting=entry.mounting,
            turn_about_deg=entry.turn_about_deg,
            move_along_mm=entry.move_along_mm,
            around_deg=entry.around_deg,
            channels=tuple(entry.channels),
            rate_hz=entry.rate_hz,
            window_s=entry.window_s,
            overlap=entry.overlap,
            errors=entry.errors,
            worn=tuple(entry.worn.items()),
        )


@dataclass(frozen=True)
class Simulate(Task):
    """Virtual windows of one arm, sensor and seed: ``windows.npz``; :func:`load_virtual` reads those of some classes.

    Bodies, mountings and noise depend on the seed, not on the arm; and each mounting is used for every activity, so
    that no activity can be told by how its sensor happened to sit.

    Attributes:
        motions: what moves.
        set_name: of the sets that it is for, for the reader.
        sensor: what it is like.
        activities: all that any of these sets asks for.
        config: spread of bodies and mountings, errors of the device.
        seed: of the experiment.
        smooth_hz: low-pass of the motions [Hz]; None for none.
        body: SMPL model that wears the sensor; None takes the built-in body.
    """

    stage: ClassVar[str] = "simulate"
    stage_title: ClassVar[str] = "simulating sensors"
    motions: Motions
    set_name: str = field(metadata={"key": False})
    sensor: Sensor
    activities: tuple[str, ...]
    config: SimulationConfig
    seed: int
    smooth_hz: float | None = None
    body: Path | None = None

    @property
    def title(self) -> str:
        """The arm, the sets and the seed."""
        return f"{self.set_name}, {self.motions.title}"

    def run(self, inputs: Inputs, output: Path) -> None:
        """Simulate every activity that there are motions of."""
        body = Body.default() if self.body is None else Body.from_smpl(self.body)
        parts: list[WindowSet] = []
        absent: list[str] = []
        for activity in self.activities:
            motion = load_motions(inputs[self.motions], activity)
            if motion is None:
                absent.append(activity)
                continue
            parts.extend(self._windows(motion, body, activity))
        if not parts:
            raise ValueError(f"no motion of any of {list(self.activities)} for {self.title}; check the clips")
        save_windows(concatenate(parts), output / WINDOWS)
        write_json({"activities_without_motion": absent}, output / "report.json")

    def _windows(self, motion: Motion, body: Body, activity: str) -> Iterator[WindowSet]:
        count = motion.rotations.shape[0]
        errors = (self.sensor.errors or self.config.errors).make()
        for repeat in range(self.config.repeats):
            # One stream for bodies and mountings, shared by all activities; one for each activity's noise.
            draws = torch.Generator().manual_seed(derive_seed(self.seed, repeat, 0))
            noise = torch.Generator().manual_seed(derive_seed(self.seed, repeat, 1, number_of(activity)))
            shapes = body.sample_shapes(count, draws) * float(self.config.body_shapes)
            for number, placements in enumerate(self._placements(draws)):
                mine = slice(number, count, self.config.mountings)
                part = Motion(motion.rotations[mine], motion.translation[mine], motion.fps)
                if part.rotations.shape[0] == 0:
                    continue
                recording = simulate(
                    part,
                    body.with_shape(shapes[mine]),
                    placements,
                    rate_hz=self.sensor.rate_hz,
                    errors=errors,
                    generator=noise,
                    cutoff_hz=self.smooth_hz,
                )
                windows, _ = windows_from_imu(
                    recording,
                    activity,
                    classes=self.activities,
                    # Of whoever moves so, on whatever body: who is held out is held out in all repeats.
                    subjects=[f"virtual{number}.{index}" for index in range(part.rotations.shape[0])],
                    window_s=self.sensor.window_s,
                    overlap=self.sensor.overlap,
                    rate_hz=self.sensor.rate_hz,
                    channels=self.sensor.channels,
                )
                yield windows

    def _placements(self, generator: torch.Generator) -> Iterator[list[Placement]]:
        """What is worn at once, mounting by mounting: all of ``worn``, or one of the placements in turn."""
        sensor = self.sensor
        for number in range(self.config.mountings):
            one = (sensor.placements[number % len(sensor.placements)], SiteConfig())
            yield [self._place(name, site, generator) for name, site in sensor.worn or (one,)]

    def _place(self, name: str, site: SiteConfig, generator: torch.Generator) -> Placement:
        mounting = site.mounting or self.sensor.mounting
        along = self.sensor.move_along_mm if site.move_along_mm is None else site.move_along_mm
        about = self.sensor.turn_about_deg if site.turn_about_deg is None else site.turn_about_deg
        spreads = (site.around_deg, self.sensor.around_deg, self.config.around_deg)
        placement = replace(
            Placement.preset(name),
            mounting=None if mounting in MOUNTINGS else mounting,
            along_m=along / 1000,
            around_rad=math.radians(about),
        )
        return placement.jitter(
            along_mm=self.config.along_mm,
            around_deg=next(spread for spread in spreads if spread is not None),
            rotation_deg=self.config.rotation_deg,
            generator=generator,
        )


def load_virtual(folder: Path, classes: Sequence[str]) -> WindowSet:
    """Return the windows of some classes that a :class:`Simulate` wrote, labelled in their order.

    Raises:
        ValueError: there is none.
    """
    windows = load_windows(folder / WINDOWS)
    number = np.array([classes.index(name) if name in classes else -1 for name in windows.classes])
    labels = number[windows.labels]
    kept = labels >= 0
    if not kept.any():
        raise ValueError(f"no motion of any of {list(classes)}; check what was generated, or the clips")
    return WindowSet(
        windows.signals[kept],
        labels[kept],
        windows.subjects[kept],
        windows.recording[kept],
        tuple(classes),
        windows.channels,
        windows.rate_hz,
    )
