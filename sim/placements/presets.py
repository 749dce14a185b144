"""The named placements: bone coordinates of the sites that people wear sensors on, and what else they are called."""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

from sim.names import suggest
from sim.placements.raycast import BonePoint


class _Row(NamedTuple):
    """Joint where the bone starts, fraction along it, angle from the front about the bone [deg], where that is."""

    bone: str
    fraction: float
    angle_deg: float
    where: str


# A row here is all that a new place needs; the table and the count in docs/placements.md are made from it.
_TRUNK: Final[dict[str, _Row]] = {
    "head": _Row("head", 0.55, 0.0, "middle of the forehead"),
    # The mastoid, where the ear hook of a hearing aid rests: a ray to the pinna itself would end in its folds.
    "left_ear": _Row("head", 0.20, 106.0, "behind the left ear, on the mastoid, where a hearing aid's hook ends"),
    "right_ear": _Row("head", 0.20, -106.0, "behind the right ear"),
    "sternum": _Row("spine3", 0.70, 0.0, "upper breastbone"),
    "chest": _Row("spine3", 0.25, 0.0, "breastbone, at the height of a chest strap"),
    "back": _Row("spine3", 0.40, 180.0, "between the shoulder blades"),
    "lower_back": _Row("spine1", 0.10, 180.0, "over the lumbar spine (about L4/L5)"),
    "waist": _Row("pelvis", 0.35, 0.0, "belt, at the front"),
    "left_hip": _Row("pelvis", 0.35, 65.0, "belt, at the left side"),
    "right_hip": _Row("pelvis", 0.35, -65.0, "belt, at the right side"),
}
_LIMBS: Final[dict[str, _Row]] = {
    # Each gives a left and a right place; angles are those of the LEFT side.
    "upper_arm": _Row("shoulder", 0.50, -90.0, "outside of the upper arm, halfway"),
    "forearm": _Row("elbow", 0.40, -90.0, "back of the forearm, below the elbow"),
    "wrist": _Row("elbow", 0.90, -90.0, "back of the wrist, where a watch is worn"),
    "pocket": _Row("hip", 0.20, -40.0, "front pocket of trousers"),
    "thigh": _Row("hip", 0.50, 0.0, "front of the thigh, halfway"),
    "shank": _Row("knee", 0.40, 0.0, "front of the shin, below the knee"),
    "ankle": _Row("knee", 0.92, -90.0, "outside, above the ankle"),
    "foot": _Row("ankle", 0.60, 0.0, "instep"),
}


def _both_sides() -> dict[str, _Row]:
    return {
        f"{side}_{name}": row._replace(bone=f"{side}_{row.bone}", angle_deg=sign * row.angle_deg)
        for name, row in _LIMBS.items()
        for side, sign in (("left", 1.0), ("right", -1.0))
    }


_ROWS: Final[dict[str, _Row]] = _TRUNK | _both_sides()

PRESETS: Final[dict[str, BonePoint]] = {
    name: BonePoint(row.bone, row.fraction, math.radians(row.angle_deg)) for name, row in _ROWS.items()
}
PLACES: Final[dict[str, str]] = {name: row.where for name, row in _ROWS.items()}
"""Where on the body each preset is, in words; from the head down."""

PLACEMENT_NAMES: Final[tuple[str, ...]] = tuple(sorted(PRESETS))
"""Names that :meth:`Placement.preset` knows."""

_SYNONYMS: dict[str, str] = {
    "belt": "waist",
    "navel": "waist",
    "lumbar": "lower_back",
    "l5": "lower_back",
    "upper_back": "back",
    "breastbone": "sternum",
    "forehead": "head",
    "belt_hip": "hip",
    "lower_arm": "forearm",
    "upperarm": "upper_arm",
    "arm": "upper_arm",
    "front_pocket": "pocket",
    "trouser_pocket": "pocket",
    "upper_leg": "thigh",
    "lower_leg": "shank",
    "shin": "shank",
    "tibia": "shank",
    "instep": "foot",
    "shoe": "foot",
}


def find_preset(name: str) -> str:
    """Return the preset's own name for what a user typed: ``belt``, ``Wrist-Left`` or ``l_shin`` are understood.

    Raises:
        ValueError: no preset is called that, or the side is missing.
    """
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    sides = [word for word in words if word in ("left", "right", "l", "r")]
    site = "_".join(word for word in words if word not in sides)
    site = _SYNONYMS.get(site, site)
    side = {"l": "left", "r": "right"}.get(sides[0], sides[0]) if len(sides) == 1 else ""
    canonical = f"{side}_{site}" if side else site
    if canonical in PRESETS and len(sides) < 2:
        return canonical
    if not sides and f"left_{site}" in PRESETS:
        hint = f"; give the side: 'left_{site}' or 'right_{site}';"
    else:
        hint = suggest(canonical, PLACEMENT_NAMES) or ";"
    raise ValueError(f"unknown placement {name!r}{hint} valid names: {', '.join(PLACEMENT_NAMES)}")
