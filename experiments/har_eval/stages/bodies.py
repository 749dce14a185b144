"""One motion of each activity of an arm with its sensors, as the report's player takes it."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.clips.shown import shows
from experiments.har_eval.stages.generate import Motions, load_motions
from experiments.har_eval.stages.simulate import Sensor
from experiments.pipeline.files import Json, write_json
from experiments.pipeline.tasks import Inputs, Task
from sim.body import Body
from sim.motion import Motion
from sim.placements import Placement
from sim.show.data import ShownClip, TimeSpan, gather
from sim.show.page import SKIN_ARRAYS, describe_clip

BODIES = "bodies.json"
DRAWN_FPS: Final = 20.0
"""Drawn frames a second: every example of a run shares one page."""
MOST_SECONDS: Final = 4.0
MOST_RATE_HZ: Final = 50.0
GRAIN: Final = 2.0**-10
"""Poses [m] and readings [SI] are rounded to this, below what is seen, so that they pack well."""


@dataclass(frozen=True)
class Bodies(Task):
    """A motion of each activity of one arm and seed: ``bodies.json``.

    It is the motion whose joints accelerate as much as the median one's, on the body of mean shape, with ideal sensors
    where the sets have theirs, none of it varied.

    Attributes:
        motions: what moves.
        sensors: of all sets.
        activities: of all sets.
        smooth_hz: low-pass of the motions [Hz]; None for none.
    """

    stage: ClassVar[str] = "bodies"
    stage_title: ClassVar[str] = "preparing the player"
    motions: Motions
    sensors: tuple[Sensor, ...]
    activities: tuple[str, ...]
    smooth_hz: float | None = None

    @property
    def title(self) -> str:
        """The arm and the seed."""
        return self.motions.title

    def run(self, inputs: Inputs, output: Path) -> None:
        """Simulate one motion of each activity that there is one of."""
        body = Body.default()
        placements = list({placement.name: placement for placement in self._placements()}.values())
        rate_hz = min(MOST_RATE_HZ, max(sensor.rate_hz for sensor in self.sensors))
        shared, examples = "", list[Json]()
        for activity in self.activities:
            motions = load_motions(inputs[self.motions], activity)
            if motions is None:
                continue
            index = typical_motion(motions, body)
            motion = Motion(motions.rotations[index], motions.translation[index], motions.fps, decoder=motions.decoder)
            clip = gather(
                motion,
                body,
                placements,
                rate_hz=rate_hz,
                stretch=TimeSpan(seconds=min(MOST_SECONDS, motion.duration_s)),
                cutoff_hz=self.smooth_hz,
                most_fps=DRAWN_FPS,
            )
            shared, data = _pack(clip, title=activity.replace("_", " "))
            examples.append({"activity": activity, "produced": shows(activity, motion), "data": data})
        write_json({"shared": shared, "examples": examples}, output / BODIES)

    def _placements(self) -> Iterator[Placement]:
        for sensor in self.sensors:
            for name, site in sensor.sites():
                yield sensor.place(name, site)


def typical_motion(motions: Motion, body: Body) -> int:
    """Return which motion ``(N, T, ...)`` has joints that accelerate as much (root mean square) as the median one's."""
    with torch.no_grad():
        joints = body.joints(motions)
    change = torch.diff(joints, n=2, dim=1) if joints.shape[1] > 2 else joints
    strength = change.square().sum(dim=-1).mean(dim=(1, 2))
    return int(strength.argsort()[len(strength) // 2])


def _pack(clip: ShownClip, *, title: str) -> tuple[str, str]:
    """Return what the player reads of a body, and of a clip, each as gzipped JSON in base64."""
    rounded = ShownClip(
        **{
            **vars(clip),
            "joint_poses": _round(clip.joint_poses),
            "sensor_poses": _round(clip.sensor_poses),
            "accel": _round(clip.accel),
            "gyro": _round(clip.gyro),
        }
    )
    values = json.loads(describe_clip(rounded, title=title))
    values["notes"] = list(clip.notes)
    skin = {name: values["arrays"].pop(name) for name in SKIN_ARRAYS}
    return _zip(skin), _zip(values)


def _round(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return (np.round(values / GRAIN) * GRAIN).astype(np.float32)


def _zip(value: object) -> str:
    return base64.b64encode(gzip.compress(json.dumps(value).encode(), compresslevel=9, mtime=0)).decode("ascii")
