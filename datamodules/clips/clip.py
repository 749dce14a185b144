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
    "lying_on_back",
    "lying_on_left_side",
    "lying_on_right_side",
    "lying_face_down",
    "sitting_down",
    "standing_up",
    "lying_down",
    "getting_up",
    "jumping",
    "hopping",
    "stairs_up",
    "stairs_down",
    "slope_walking",
    "walking_backwards",
    "sidestepping",
    "turning",
    "styled_walking",
    "crouching",
    "crawling",
    "kicking",
    "punching",
    "martial_arts",
    "dancing",
    "basketball",
    "basketball_signals",
    "tennis",
    "table_tennis",
    "soccer",
    "everyday",
    "picking_up",
    "throwing",
    "reaching",
    "gesturing",
    "directing_traffic",
    "washing",
    "pushed",
    "falling",
    "climbing",
    "rolling",
    "acrobatics",
)
"""The canonical vocabulary of activities; sources map their own words to it."""

LYING: tuple[str, ...] = ("lying_on_back", "lying_on_left_side", "lying_on_right_side", "lying_face_down")
"""The four ways of lying, all of which the word ``lying`` stands for."""


def includes(wanted: str, activity: str) -> bool:
    """Say whether a word that a user gives stands for an activity: ``lying`` does for all four ways of lying."""
    return activity == wanted or (wanted == "lying" and activity in LYING)


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
        recorded_s: length of the whole recording that it is a part of [s]; 0 where it is not known.
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
    recorded_s: float = 0.0
