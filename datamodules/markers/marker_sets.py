"""Marker sets: which marker of a laboratory sits where on the skin, out of YAML tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

from sim.conventions import JOINT_NAMES
from sim.files import parse_yaml, read_text_file
from sim.placements.raycast import BonePoint

STAND_OFF_M: Final[float] = 0.01
"""From the skin to the middle of a marker: half of a 14 mm ball and its base [m]."""

MIN_SHARE: Final[float] = 0.6
"""Share of a file's markers that a set has to know to be chosen by itself."""

_SIDES: Final[dict[str, tuple[str, ...]]] = {"left": ("L", "l"), "right": ("R", "r")}
_FIELDS: Final[frozenset[str]] = frozenset({"bone", "fraction", "angle_deg", "loose"})


@dataclass(frozen=True)
class Site:
    """A place on the skin for a marker.

    Attributes:
        name: the landmark with its side.
        point: bone coordinates, of the bone that carries the marker.
        loose_m: standard deviation of where it is on a person [m].
    """

    name: str
    point: BonePoint
    loose_m: float


@dataclass(frozen=True)
class MarkerSet:
    """The markers of a laboratory.

    Attributes:
        name: what it is called.
        sites: place of each marker by its label.
        ignored: labels that are no markers on the skin (computed joint centres), and are left out.
    """

    name: str
    sites: Mapping[str, Site]
    ignored: frozenset[str]

    def split(self, labels: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return the labels that the set knows and those it does not; ignored ones are in neither."""
        known = [label for label in labels if label in self.sites]
        return known, [label for label in labels if label not in self.sites and label not in self.ignored]


@cache
def load_marker_sets() -> tuple[MarkerSet, ...]:
    """Return the built-in sets."""
    return _parse(_builtin(), "marker_sets.yaml", {})


def read_marker_set(path: str | Path) -> MarkerSet:
    """Read a set of one's own: a YAML file with ``sets`` of one entry and, where needed, ``landmarks``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not of this form; the message names the entry.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"marker set {path} not found; give a YAML file as datamodules/assets/marker_sets.yaml")
    text = read_text_file(path)
    found = _parse(text, str(path), _landmarks(_load(_builtin(), "marker_sets.yaml"), "marker_sets.yaml"))
    if len(found) != 1:
        raise ValueError(f"{path} holds {len(found)} sets, expected one under 'sets'")
    return found[0]


def choose_marker_set(labels: Sequence[str], origin: str | Path) -> MarkerSet:
    """Return the built-in set that knows most of a file's markers.

    Raises:
        ValueError: none knows enough; the message names the labels and how to give a set.
    """
    sets = load_marker_sets()
    best = max(sets, key=lambda one: len(one.split(labels)[0]))
    known, unknown = best.split(labels)
    if len(known) < MIN_SHARE * (len(known) + len(unknown)) or len(known) < 6:
        raise ValueError(
            f"{origin} fits no marker set (known: {', '.join(one.name for one in sets)}); the nearest, {best.name}, "
            f"does not know {', '.join(unknown[:10])}{' ...' if len(unknown) > 10 else ''}; name them in a YAML file "
            "as datamodules/assets/marker_sets.yaml shows, and give it as the marker set (--markers FILE)"
        )
    return best


def _builtin() -> str:
    return resources.files("datamodules").joinpath("assets/marker_sets.yaml").read_text(encoding="utf-8")


def _load(text: str, origin: str) -> dict[str, dict[str, object]]:
    table = parse_yaml(text, origin)
    if not isinstance(table, dict) or not isinstance(table.get("sets"), dict):
        raise ValueError(f"{origin} has no table 'sets', expected marker sets by name; see marker_sets.yaml")
    return table


def _parse(text: str, origin: str, landmarks: dict[str, Site]) -> tuple[MarkerSet, ...]:
    table = _load(text, origin)
    landmarks = landmarks | _landmarks(table, origin)
    return tuple(_marker_set(str(name), entry, landmarks, origin) for name, entry in table["sets"].items())


def _landmarks(table: Mapping[str, object], origin: str) -> dict[str, Site]:
    """Return sites by name; those of limbs, and those off the middle, once for each side."""
    sites: dict[str, Site] = {}
    given = table.get("landmarks") or {}
    if not isinstance(given, dict):
        raise ValueError(f"{origin}: landmarks is {type(given).__name__}, expected a table")
    for name, entry in given.items():
        if not isinstance(entry, dict) or set(entry) != _FIELDS:
            raise ValueError(f"{origin}: landmark {name} is {entry!r}, expected {', '.join(sorted(_FIELDS))}")
        try:
            fraction, angle, loose = (float(entry[field]) for field in ("fraction", "angle_deg", "loose"))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{origin}: landmark {name}: {error}, expected numbers") from error
        bone = str(entry["bone"])
        if bone not in JOINT_NAMES and f"left_{bone}" not in JOINT_NAMES:
            raise ValueError(f"{origin}: landmark {name} is on the bone {bone!r}, expected one of {JOINT_NAMES}")
        if bone in JOINT_NAMES:
            sites[str(name)] = Site(str(name), BonePoint(bone, fraction, math.radians(angle)), loose)
        for side, sign in (("left", 1.0), ("right", -1.0)):
            sided = bone if bone in JOINT_NAMES else f"{side}_{bone}"
            label = f"{side}_{name}"
            sites[label] = Site(label, BonePoint(sided, fraction, sign * math.radians(angle)), loose)
    return sites


def _marker_set(name: str, entry: object, landmarks: Mapping[str, Site], origin: str) -> MarkerSet:
    if not isinstance(entry, dict) or not isinstance(entry.get("markers"), dict):
        raise ValueError(f"{origin}: set {name} has no table 'markers', expected landmarks by label")
    sites: dict[str, Site] = {}
    for label, landmark in entry["markers"].items():
        sided = [(str(label), str(landmark))]
        if "{L}" in str(label) or "{l}" in str(label):
            sided = [
                (str(label).replace("{L}", capital).replace("{l}", small), f"{side}_{landmark}")
                for side, (capital, small) in _SIDES.items()
            ]
        for one, place in sided:
            if place not in landmarks:
                raise ValueError(f"{origin}: set {name} puts {one} on {place!r}, which is no landmark of this file")
            sites[one] = landmarks[place]
    return MarkerSet(name, sites, frozenset(str(label) for label in entry.get("ignore") or ()))
