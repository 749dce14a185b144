"""What pictures.json holds, as the report reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypeAlias, TypedDict

Points: TypeAlias = Sequence[Sequence[float]]


class Side(TypedDict):
    """Windows of real training people, or of one arm.

    Projected ones: ``points (N, 2)`` (or 1), the class and the wearer of each, and by title further ``maps`` of them;
    ``signals`` is a typical window ``(T, C)`` of each activity that there is one of.
    """

    labels: list[int]
    points: list[list[float]]
    signals: dict[str, list[list[float]]]
    subjects: NotRequired[list[str]]
    maps: NotRequired[dict[str, list[list[float]]]]


class SetPictures(TypedDict):
    """What :class:`experiments.har_eval.stages.pictures.Pictures` wrote."""

    classes: list[str]
    channels: list[str]
    rate_hz: float
    people: Side
    arms: dict[str, Side]


class Spectrum(TypedDict):
    """Power spectral density of acceleration magnitude [(m/s^2)^2/Hz]."""

    frequency_hz: list[float]
    virtual_density: list[float]
    real_density: list[float]


class BodyEntry(TypedDict):
    """One motion with its sensors: what differs from the shared part of the player's data, gzipped, in base64."""

    arm: str
    activity: str
    produced: bool | None
    data: str


class BodiesEntry(TypedDict):
    """What :class:`experiments.har_eval.stages.bodies.Bodies` wrote of all arms; ``shared`` is the skin, gzipped."""

    shared: str
    examples: list[BodyEntry]


class Drawings(TypedDict):
    """The whole of pictures.json."""

    sets: dict[str, SetPictures]
    spectra: dict[str, dict[str, dict[str, Spectrum | None]]]
    bodies: NotRequired[BodiesEntry]
