"""The named placements: bone coordinates of the sites that people wear sensors on, and what else they are called."""

from __future__ import annotations

import math
import re

from sim.names import suggest
from sim.placements.raycast import BonePoint

_LIMBS: dict[str, tuple[str, float, float]] = {
    # name: joint where the bone starts, fraction along it, angle from the front about the bone [deg] on the LEFT side
    "wrist": ("elbow", 0.90, -90.0),
    "forearm": ("elbow", 0.40, -90.0),
    "upper_arm": ("shoulder", 0.50, -90.0),
    "thigh": ("hip", 0.50, 0.0),
    "pocket": ("hip", 0.20, -40.0),
    "shank": ("knee", 0.40, 0.0),
    "ankle": ("knee", 0.92, -90.0),
    "foot": ("ankle", 0.60, 0.0),
}
_TRUNK: dict[str, tuple[str, float, float]] = {
    "chest": ("spine3", 0.25, 0.0),
    "sternum": ("spine3", 0.70, 0.0),
    "back": ("spine3", 0.40, 180.0),
    "lower_back": ("spine1", 0.10, 180.0),
    "waist": ("pelvis", 0.35, 0.0),
    "left_hip": ("pelvis", 0.35, 65.0),
    "right_hip": ("pelvis", 0.35, -65.0),
    "head": ("head", 0.55, 0.0),
    # The mastoid, where the ear hook of a hearing aid rests: a ray to the pinna itself would end in its folds.
    "left_ear": ("head", 0.20, 106.0),
    "right_ear": ("head", 0.20, -106.0),
}


def _preset_table() -> dict[str, BonePoint]:
    table = {name: BonePoint(bone, fraction, math.radians(angle)) for name, (bone, fraction, angle) in _TRUNK.items()}
    for name, (bone, fraction, angle) in _LIMBS.items():
        for side, sign in (("left", 1.0), ("right", -1.0)):
            table[f"{side}_{name}"] = BonePoint(f"{side}_{bone}", fraction, sign * math.radians(angle))
    return table


PRESETS: dict[str, BonePoint] = _preset_table()
PLACEMENT_NAMES: tuple[str, ...] = tuple(sorted(PRESETS))
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
