"""Where a placement lies on one mesh: displacement along and about the bone, remembered for each mesh."""

from __future__ import annotations

import math
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from sim.body.skinning import BodyModel
from sim.conventions import JOINT_INDEX
from sim.placements.raycast import (
    Bone,
    BonePoint,
    SkinPoint,
    carrying_joint,
    cast_to_skin,
    check_skin_point,
    describe_point,
    find_bone,
    find_skin,
)

CLAMP_STEP_M = 0.01
"""A shift past the end of the skin is taken back in steps of this length [m]."""


_LONGEST_M = 3.0


class Shift(NamedTuple):
    """A displacement on the skin.

    Attributes:
        along_m: along the bone towards distal [m].
        around_rad: about the bone, right-handed about its distal axis [rad].
        around_m: the same as an arc [m], at the undisplaced point's distance from the bone's axis.
    """

    along_m: float = 0.0
    around_rad: float = 0.0
    around_m: float = 0.0


class Found(NamedTuple):
    """A point on the skin, the joint that carries it and the unit axis of that joint's bone."""

    point: SkinPoint
    joint: int
    axis: tuple[float, ...]


_FOUND: WeakKeyDictionary[BodyModel, dict[tuple[BonePoint | SkinPoint, Shift], Found]] = WeakKeyDictionary()


def find_site(point: BonePoint | SkinPoint, shift: Shift, name: str, model: BodyModel) -> Found:
    """Return where a placement lies.

    The joint and its axis are the undisplaced point's, also where a shift ends on the skin of the next bone: a wrist
    strapped on too far down keeps the forearm's axis as its x.

    Args:
        point: the undisplaced point.
        shift: displacement; where it leads past the last skin (over the crown, beyond the toes) it ends short of it.
        name: of the placement, for errors.
        model: the mesh.

    Raises:
        ValueError: no skin of the bone lies in that direction, or the mesh lacks the triangle.
    """
    known = _FOUND.setdefault(model, {})
    key = (point, shift)
    if key not in known:
        if isinstance(point, SkinPoint):
            found = check_skin_point(model, point, name)
            joint = carrying_joint(model, found)
            start = describe_point(model, found) if any(shift) else None
        else:
            joint, start = JOINT_INDEX[point.bone], point
        bone = find_bone(model, joint)
        if start is not None:
            angle = shift.around_rad
            if shift.around_m != 0.0:
                undisplaced = find_site(point, Shift(), name, model).point
                angle += shift.around_m / _distance_from_axis(model, undisplaced, bone)
            found = _cast_short(model, bone, start, shift.along_m, angle)
        known[key] = Found(found, joint, tuple(bone.axis.tolist()))
    return known[key]


def rest_frame(model: BodyModel, found: Found) -> Tensor:
    """Return the site frame of :mod:`sim.placements.sites`, mean body at rest, ``R_world_site (3, 3)`` in float64."""
    a, b, c = model.template[list(found.point.triangle)].double().cpu()
    normal = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a, dim=-1), dim=-1)
    axis = torch.tensor(found.axis, dtype=torch.float64)
    across = torch.nn.functional.normalize(torch.linalg.cross(normal, axis, dim=-1), dim=-1)
    return torch.stack([torch.linalg.cross(across, normal, dim=-1), across, normal], dim=-1)


def _cast_short(model: BodyModel, bone: Bone, start: BonePoint, along_m: float, angle_rad: float) -> SkinPoint:
    """Cast a ray from a point shifted along and about a bone, shifting less where there is no skin."""
    # No body is longer: a shift by kilometres must not be taken back centimetre by centimetre.
    remaining = math.copysign(min(abs(along_m), _LONGEST_M), along_m)
    while remaining != 0.0:
        target = BonePoint(start.bone, start.fraction + remaining / bone.length, start.angle_rad + angle_rad)
        found = find_skin(model, target)
        if found is not None:
            return found
        remaining = math.copysign(max(abs(remaining) - CLAMP_STEP_M, 0.0), remaining)
    return cast_to_skin(model, BonePoint(start.bone, start.fraction, start.angle_rad + angle_rad))


def _distance_from_axis(model: BodyModel, point: SkinPoint, bone: Bone) -> float:
    """Return the distance of a point on the skin from the line of a bone [m]."""
    corners = model.template[list(point.triangle)].double().cpu()
    offset = torch.tensor(point.barycentric, dtype=torch.float64) @ corners - bone.start
    return float((offset - (offset @ bone.axis) * bone.axis).norm())
