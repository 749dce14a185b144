"""Placement: where a sensor sits on the skin and how its box is mounted there; named presets, free of any mesh.

Which way the site frame of each preset points (see :mod:`sim.sites`; a person who stands in the rest pose, arms
stretched out sideways, palms down; "left" is the person's own):

- head, sternum, chest, waist: x up the spine, y to the right, z forwards;
- back, lower_back: x up, y to the left, z backwards;
- left_hip (the belt, at the side): x up, y forwards, z to the left; right_hip: x up, y backwards, z to the right;
- left and right thigh, shank: x down, y to the left, z forwards;
- left_pocket: x down, y back and leftwards, z forwards and to the left (a trouser's front pocket);
  right_pocket: x down, y forwards and leftwards, z forwards and to the right;
- left_ankle: x down, y backwards, z to the left; right_ankle: x down, y forwards, z to the right (both outside);
- left and right foot: x to the toes, y to the left, z up from the instep;
- left_wrist, left_forearm, left_upper_arm: x to the hand, y backwards, z up (back of the hand, deltoid);
  on the right arm: x to the hand, y forwards, z up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from sim.body import Body
from sim.conventions import JOINT_INDEX
from sim.raycast import (
    BonePoint,
    SkinPoint,
    carrying_joint,
    cast_to_skin,
    check_skin_point,
    describe_point,
    find_bone,
)
from sim.rotations import axis_angle_to_matrix
from sim.sites import ResolvedPlacement, Sites, site_poses, stack_sites
from sim.skinning import BodyModel

__all__ = ["PLACEMENT_NAMES", "Placement", "ResolvedPlacement", "Sites", "resolve_all", "site_poses", "stack_sites"]

DEFAULT_STAND_OFF_M = 0.005
"""Distance from the skin to the chip: half the thickness of a watch or small sensor box."""

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
}


def _preset_table() -> dict[str, BonePoint]:
    table = {name: BonePoint(bone, fraction, math.radians(angle)) for name, (bone, fraction, angle) in _TRUNK.items()}
    for name, (bone, fraction, angle) in _LIMBS.items():
        for side, sign in (("left", 1.0), ("right", -1.0)):
            table[f"{side}_{name}"] = BonePoint(f"{side}_{bone}", fraction, sign * math.radians(angle))
    return table


_PRESETS = _preset_table()
PLACEMENT_NAMES: tuple[str, ...] = tuple(sorted(_PRESETS))
"""Names that :meth:`Placement.preset` knows."""


@dataclass(frozen=True, eq=False)
class Placement:
    """A point on the skin, given by bone coordinates (any mesh) or by a triangle (one mesh), and a mounting.

    Attributes:
        name: what the recording calls this sensor.
        point: where it is.
        stand_off_m: distance of the chip from the skin along the outward normal [m].
        mounting: ``R_site_sensor (3, 3)``, from sensor to site frame; None is the identity.
        along_m: displacement along the bone towards distal [m].
        around_rad: displacement about the bone, right-handed about its distal axis [rad].
    """

    name: str
    point: BonePoint | SkinPoint
    stand_off_m: float = 0.0
    mounting: Tensor | None = None
    along_m: float = 0.0
    around_rad: float = 0.0

    @classmethod
    def preset(cls, name: str) -> Placement:
        """Return a named placement.

        Raises:
            ValueError: the name is none of :data:`PLACEMENT_NAMES`.
        """
        if name not in _PRESETS:
            near = get_close_matches(name, PLACEMENT_NAMES, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"unknown placement {name!r}; {hint}valid names: {', '.join(PLACEMENT_NAMES)}")
        return cls(name, _PRESETS[name], DEFAULT_STAND_OFF_M)

    @classmethod
    def at(
        cls,
        name: str,
        triangle: int | Sequence[int] | Tensor,
        barycentric: Sequence[float] | Tensor,
        *,
        stand_off_m: float = 0.0,
        mounting: Tensor | None = None,
    ) -> Placement:
        """Return a placement at a point of one given mesh.

        Args:
            name: what the recording calls this sensor.
            triangle: index of a face, or its three vertex ids, counter-clockwise seen from outside.
            barycentric: weights of the three corners, summing to one.
            stand_off_m: distance from the skin along the outward normal [m].
            mounting: ``R_site_sensor (3, 3)``.

        Raises:
            ValueError: not one or three ids, not three weights, or weights that do not sum to one.
        """
        ids = torch.as_tensor(triangle).reshape(-1).tolist()
        weights = torch.as_tensor(barycentric, dtype=torch.float64).reshape(-1).tolist()
        if len(ids) not in (1, 3):
            raise ValueError(f"triangle of {name} is {ids}, expected the index of a face or three vertex ids")
        if len(weights) != 3 or abs(sum(weights) - 1.0) > 1e-4:
            raise ValueError(f"barycentric of {name} is {weights}, expected three weights that sum to 1")
        point = SkinPoint(tuple(int(i) for i in ids), (weights[0], weights[1], weights[2]))
        return cls(name, point, stand_off_m, mounting)

    def mounted(self, mounting: Tensor) -> Placement:
        """Return this placement with its box turned: ``mounting = R_site_sensor (3, 3)``, replacing the present one."""
        if tuple(mounting.shape) != (3, 3):
            raise ValueError(f"mounting has shape {tuple(mounting.shape)}, expected (3, 3): R_site_sensor")
        return replace(self, mounting=mounting)

    def jittered(
        self,
        *,
        along_mm: float = 0.0,
        around_deg: float = 0.0,
        rotation_deg: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Placement:
        """Return a randomly displaced copy, as when the same sensor is strapped on anew.

        Args:
            along_mm: standard deviation of a shift along the bone [mm].
            around_deg: standard deviation of a shift about the bone [deg].
            rotation_deg: standard deviation of each component of a rotation vector by which the box is turned [deg].
            generator: source of randomness; the global one if None.
        """
        draw = torch.randn(5, generator=generator, dtype=torch.float64)
        turn = axis_angle_to_matrix(draw[2:] * math.radians(rotation_deg))
        mounting = turn if self.mounting is None else self.mounting @ turn.to(self.mounting)
        return replace(
            self,
            along_m=self.along_m + 1e-3 * along_mm * float(draw[0]),
            around_rad=self.around_rad + math.radians(around_deg) * float(draw[1]),
            mounting=mounting if rotation_deg else self.mounting,
        )

    def on(self, body: Body) -> ResolvedPlacement:
        """Find the point on a body's skin, always on its mean shape: the same triangle serves every shape.

        Raises:
            ValueError: no skin of the bone lies in that direction, or the mesh lacks the triangle.
        """
        point, joint, axis = _find_on_skin(self, body.model)
        mounting = torch.eye(3, dtype=torch.float64) if self.mounting is None else self.mounting
        return ResolvedPlacement(
            name=self.name,
            triangle=torch.tensor(point.triangle),
            barycentric=torch.tensor(point.barycentric, dtype=torch.float64),
            stand_off_m=self.stand_off_m,
            mounting=mounting,
            joint=joint,
            bone_axis=torch.tensor(axis, dtype=torch.float64),
        )


def resolve_all(placements: Sequence[Placement], body: Body) -> Sites:
    """Resolve several placements on one body.

    Raises:
        ValueError: none given, or one cannot be resolved.
    """
    if not placements:
        raise ValueError("no placements given, expected at least one; see sim.placements.PLACEMENT_NAMES")
    return stack_sites([placement.on(body) for placement in placements])


_Found = tuple[SkinPoint, int, tuple[float, ...]]
_FOUND: WeakKeyDictionary[BodyModel, dict[tuple[object, float, float], _Found]] = WeakKeyDictionary()


def _find_on_skin(placement: Placement, model: BodyModel) -> _Found:
    """Return the point on the skin, the joint that carries it and that bone's axis; remembered for each mesh."""
    known = _FOUND.setdefault(model, {})
    key = (placement.point, placement.along_m, placement.around_rad)
    if key not in known:
        point = placement.point
        displaced = placement.along_m != 0.0 or placement.around_rad != 0.0
        if isinstance(point, SkinPoint):
            found = check_skin_point(model, point, placement.name)
            joint = carrying_joint(model, found)
            target = describe_point(model, found) if displaced else None
        else:
            joint, target = JOINT_INDEX[point.bone], point
        bone = find_bone(model, joint)
        if target is not None:
            fraction = target.fraction + placement.along_m / bone.length
            found = cast_to_skin(model, BonePoint(target.bone, fraction, target.angle_rad + placement.around_rad))
        known[key] = found, joint, tuple(bone.axis.tolist())
    return known[key]
