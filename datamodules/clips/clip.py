"""Clip: one motion with what is known about it, as the sources of motion hand it to the data modules."""

from __future__ import annotations

from dataclasses import dataclass

from sim.motion import Motion

ACTIVITIES: tuple[str, ...] = (
    "walking",
    "running",
    "standing",
    "sitting",
    "lying",
    "jumping",
    "hopping",
    "turning",
    "kicking",
    "punching",
    "dancing",
    "martial_arts",
    "basketball",
    "basketball_signals",
    "soccer",
    "directing_traffic",
    "washing",
    "crawling",
    "rolling",
    "getting_up",
    "acrobatics",
    "styled_walking",
)
"""The canonical vocabulary of activities; sources map their own words to it."""


@dataclass(frozen=True)
class Clip:
    """One motion and its description.

    Attributes:
        name: unique within its source, the same in every run.
        motion: SMPL-22 at its native rate, Y up, metres, standing on y = 0.
        activity: one of :data:`ACTIVITIES`, or a folder's own word for a user's motions.
        captions: sentences that describe it, at least one.
        source: ``"embedded"``, or the set the clip comes from.
        constructed: made by a formula, not recorded.
        licence: terms of the recording, in short.
        ships: whether weights trained on it may be shipped with the project.
        looped: a copy of a recorded clip made longer by repeating a gait cycle; for training only.
    """

    name: str
    motion: Motion
    activity: str
    captions: tuple[str, ...]
    source: str
    constructed: bool = False
    licence: str = ""
    ships: bool = True
    looped: bool = False
