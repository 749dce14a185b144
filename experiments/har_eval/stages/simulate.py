"""Simulate the sensor of a real set on moving bodies, over body shapes, mountings and noise, and cut windows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import torch

from datamodules.har import WindowSet, windows_from_imu
from datamodules.har.windows.views import concatenate
from experiments.har_eval.config import MOUNTINGS, SetConfig, SimulationConfig
from experiments.har_eval.stages.generate import Motions, load_motions, number_of
from experiments.pipeline.files import save_windows, write_json
from experiments.pipeline.tasks import Inputs, Task
from lightning_modules.training.randomness import derive_seed
from sim.body import Body
from sim.imu import simulate
from sim.motion import Motion
from sim.placements import Placement

WINDOWS = "windows.npz"


@dataclass(frozen=True)
class Simulate(Task):
    """Virtual windows of one arm, set and seed: ``windows.npz``.

    Bodies, mountings and noise depend on the seed, not on the arm; and each mounting is used for every activity, so
    that no activity can be told by how its sensor happened to sit.

    Attributes:
        motions: what moves.
        set_name: of the real set, for the reader.
        real: what its sensor is like.
        config: spread of bodies and mountings, errors of the device.
        seed: of the experiment.
    """

    stage: ClassVar[str] = "simulate"
    stage_title: ClassVar[str] = "simulating sensors"
    motions: Motions
    set_name: str = field(metadata={"key": False})
    real: SetConfig
    config: SimulationConfig
    seed: int

    @property
    def title(self) -> str:
        """The arm, the set and the seed."""
        return f"{self.set_name}, {self.motions.title}"

    def run(self, inputs: Inputs, output: Path) -> None:
        """Simulate every activity that there are motions of."""
        body = Body.default()
        parts: list[WindowSet] = []
        absent: list[str] = []
        for activity in self.real.classes:
            motion = load_motions(inputs[self.motions], activity)
            if motion is None:
                absent.append(activity)
                continue
            parts.extend(self._windows(motion, body, activity))
        if not parts:
            raise ValueError(f"no motion of any of {list(self.real.classes)} for {self.title}; check the clips")
        save_windows(concatenate(parts), output / WINDOWS)
        write_json({"activities_without_motion": absent}, output / "report.json")

    def _windows(self, motion: Motion, body: Body, activity: str) -> Iterator[WindowSet]:
        count = motion.rotations.shape[0]
        errors = self.config.errors.make()
        for repeat in range(self.config.repeats):
            # One stream for bodies and mountings, shared by all activities; one for each activity's noise.
            draws = torch.Generator().manual_seed(derive_seed(self.seed, repeat, 0))
            noise = torch.Generator().manual_seed(derive_seed(self.seed, repeat, 1, number_of(activity)))
            shapes = body.sample_shapes(count, draws) * float(self.config.body_shapes)
            for number, placement in enumerate(self._placements(draws)):
                mine = slice(number, count, self.config.mountings)
                part = Motion(motion.rotations[mine], motion.translation[mine], motion.fps)
                if part.rotations.shape[0] == 0:
                    continue
                recording = simulate(
                    part,
                    body.with_shape(shapes[mine]),
                    [placement],
                    rate_hz=self.real.rate_hz,
                    errors=errors,
                    generator=noise,
                )
                windows, _ = windows_from_imu(
                    recording,
                    activity,
                    classes=self.real.classes,
                    # Of whoever moves so, on whatever body: who is held out is held out in all repeats.
                    subjects=[f"virtual{number}.{index}" for index in range(part.rotations.shape[0])],
                    window_s=self.real.window_s,
                    overlap=self.real.overlap,
                    rate_hz=self.real.rate_hz,
                    channels=self.real.channels,
                )
                yield windows

    def _placements(self, generator: torch.Generator) -> Iterator[Placement]:
        around = self.config.around_deg if self.real.around_deg is None else self.real.around_deg
        for number in range(self.config.mountings):
            placement = replace(
                Placement.preset(self.real.placements[number % len(self.real.placements)]),
                mounting=None if self.real.mounting in MOUNTINGS else self.real.mounting,
                along_m=self.real.move_along_mm / 1000,
                around_rad=math.radians(self.real.turn_about_deg),
            )
            yield placement.jitter(
                along_mm=self.config.along_mm,
                around_deg=around,
                rotation_deg=self.config.rotation_deg,
                generator=generator,
            )
