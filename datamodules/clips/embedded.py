"""The clips that were embedded first: 20 recorded motions and constructed static postures.

The recorded ones hold 40 s in all. There is one run of 0.8 s and one jump; both are test clips, so that a prior that
was trained on everything has never seen them. More of every activity is in :mod:`datamodules.clips.motion_pack`; the
source ``"embedded"`` holds both.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from datamodules.clips.captions import caption_clip
from datamodules.clips.clip import Clip
from datamodules.clips.gait_loops import loop_cycle
from datamodules.clips.static_postures import build_postures
from datamodules.splits import Split
from sim.motion import Motion

_CLIPS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "walk": ("walking", ()),
    "walk_forward": ("walking", ()),
    "run": ("running", ()),
    "jump": ("jumping", ("a person crouches, jumps up with both feet and lands.",)),
    "turn_left0": ("turning", ("a person turns left while walking.",)),
    "turn_left1": ("turning", ("a person walks in a curve to the left.",)),
    "turn_right0": ("turning", ("a person turns right while walking.",)),
    "turn_right1": ("turning", ("a person walks in a curve to the right.",)),
    "kick": ("kicking", ("a person kicks forward with one leg.",)),
    "spinkick": ("kicking", ("a person spins round and kicks.",)),
    "punch": ("punching", ()),
    "roll": ("rolling", ()),
    "crawl": ("crawling", ()),
    "cartwheel": ("acrobatics", ("a person does a cartwheel.",)),
    "backflip": ("acrobatics", ("a person does a backflip.",)),
    "dance_a": ("dancing", ()),
    "dance_b": ("dancing", ()),
    "spin": ("dancing", ("a person spins round on one foot.",)),
    "getup_facedown": ("getting_up", ("a person who lies face down gets up.",)),
    "getup_faceup": ("getting_up", ("a person who lies on the back gets up.",)),
}
"""Activity and further captions of each recorded clip."""

_CYCLES: Final = ("walk", "walk_forward", "run")
_LOOPED_S: Final = 8.0

_TEST: Final = ("walk_forward", "run", "jump", "turn_right1", "spinkick", "dance_b", "getup_faceup", "backflip")
_VALIDATION: Final = ("turn_left1", "spin")


def embedded_split(name: str) -> Split:
    """Return the declared side of an embedded clip: ``"train"``, ``"val"`` or ``"test"``; the same in every run."""
    if "/" in name:  # constructed postures: POSTURE/NUMBER
        number = int(name.rsplit("/", 1)[1]) % 5
        return "val" if number == 3 else "test" if number == 4 else "train"
    return "test" if name in _TEST else "val" if name in _VALIDATION else "train"


@cache
def load_embedded() -> tuple[Clip, ...]:
    """Return the embedded clips: recorded ones first, then constructed postures."""
    clips = []
    archive = resources.files("datamodules").joinpath("assets/deepmimic.npz")
    with resources.as_file(archive) as path, np.load(path, allow_pickle=False) as data:
        for name, (activity, extra) in _CLIPS.items():
            vectors = data[f"{name}/rotation_vectors"]
            rotations = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(*vectors.shape[:2], 3, 3)
            motion = Motion(
                torch.from_numpy(rotations).float(),
                torch.from_numpy(data[f"{name}/translation"]).float(),
                float(data[f"{name}/fps"]),
            )
            if name in _CYCLES:
                motion = loop_cycle(motion, seconds=_LOOPED_S)
            captions = caption_clip(activity, extra=extra)
            clips.append(Clip(name, motion, activity, captions, "embedded", licence="zlib (pybullet, DeepMimic)"))
    for posture in build_postures():
        captions = caption_clip(posture.activity, extra=posture.captions)
        clips.append(
            Clip(
                posture.name,
                posture.motion,
                posture.activity,
                captions,
                "embedded",
                constructed=True,
                licence="MIT (made by formula)",
            )
        )
    return tuple(clips)
