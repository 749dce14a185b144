"""Placement: where a sensor sits on the skin and how its box is mounted there; named presets, free of any mesh.

Site frame: z is the outward normal of the skin, x the bone's axis away from the trunk (distal) projected onto the
skin, y = z cross x. A sensor's orientation is ``R_ws = R_site @ mounting`` with ``mounting = R_site_sensor``.
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
from sim.motion import Motion
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
from sim.skinning import BodyModel

DEFAULT_STAND_OFF_M = 0.005
"""Distance from the skin to the chip: half the thickness of a watch or small sensor box."""

_LIMBS: dict[str, tuple[str, float, float]] = {
    # name: joint where the bone starts, fraction along it, angle from the front about the bone [deg] on the LEFT side
    "wrist": ("elbow", 0.87, -90.0),
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
    "sternum": ("spine3", 0.55, 0.0),
    "back": ("spine3", 0.40, 180.0),
    "lower_back": ("spine1", 0.10, 180.0),
    "waist": ("pelvis", 0.30, 0.0),
    "left_hip": ("pelvis", 0.90, 65.0),
    "right_hip": ("pelvis", 0.90, -65.0),
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


@dataclass(frozen=True, eq=False)
class ResolvedPlacement:
    """A placement on one mesh.

    Attributes:
        name: what the recording calls this sensor.
        triangle: vertex ids ``(3,)`` int64, counter-clockwise seen from outside.
        barycentric: weights of the corners ``(3,)``.
        stand_off_m: distance from the skin along the outward normal [m].
        mounting: ``R_site_sensor (3, 3)``.
        joint: index of the joint whose bone carries the site.
        bone_axis: unit vector towards distal ``(3,)``, in the frame of that joint (the world's, in the rest pose).
    """

    name: str
    triangle: Tensor
    barycentric: Tensor
    stand_off_m: float
    mounting: Tensor
    joint: int
    bone_axis: Tensor

    def site_pose(self, body: Body, motion: Motion) -> tuple[Tensor, Tensor]:
        """Return position ``(..., T, 3)`` [m] and ``R_ws`` ``(..., T, 3, 3)`` of the sensor in the world."""
        position, rotation = site_poses(body, motion, stack_sites([self]))
        return position[..., 0, :], rotation[..., 0, :, :]


@dataclass(frozen=True, eq=False)
class Sites:
    """Several resolved placements stacked, in the order given.

    Attributes:
        names: ``S`` names.
        triangles: vertex ids ``(S, 3)`` int64.
        barycentric: ``(S, 3)``.
        stand_off_m: ``(S,)`` [m].
        mounting: ``R_site_sensor (S, 3, 3)``.
        joints: joint indices ``(S,)`` int64.
        bone_axes: unit vectors ``(S, 3)`` in the frames of those joints.
    """

    names: tuple[str, ...]
    triangles: Tensor
    barycentric: Tensor
    stand_off_m: Tensor
    mounting: Tensor
    joints: Tensor
    bone_axes: Tensor


def stack_sites(placements: Sequence[ResolvedPlacement]) -> Sites:
    """Stack resolved placements for :func:`site_poses`."""
    return Sites(
        names=tuple(p.name for p in placements),
        triangles=torch.stack([p.triangle for p in placements]),
        barycentric=torch.stack([p.barycentric for p in placements]),
        stand_off_m=torch.tensor([p.stand_off_m for p in placements], dtype=torch.float64),
        mounting=torch.stack([p.mounting.to(torch.float64) for p in placements]),
        joints=torch.tensor([p.joint for p in placements]),
        bone_axes=torch.stack([p.bone_axis for p in placements]),
    )


def resolve_all(placements: Sequence[Placement], body: Body) -> Sites:
    """Resolve several placements on one body.

    Raises:
        ValueError: none given, or one cannot be resolved.
    """
    if not placements:
        raise ValueError("no placements given, expected at least one; see sim.placements.PLACEMENT_NAMES")
    return stack_sites([placement.on(body) for placement in placements])


def site_poses(body: Body, motion: Motion, sites: Sites) -> tuple[Tensor, Tensor]:
    """Return where each sensor is and how it is turned, skinning only the corners of their triangles.

    Args:
        body: one shape or a batch of shapes, broadcasting with the motion's leading dims.
        motion: the movement.
        sites: S sensors from :func:`resolve_all`.

    Returns:
        Position ``(..., T, S, 3)`` [m] and ``R_ws`` ``(..., T, S, 3, 3)``, world frame.
    """
    like = motion.rotations
    corners, _, joint_rotations = body.skin_with_joints(motion, sites.triangles.flatten())
    corners = corners.unflatten(-2, (-1, 3))
    a, b, c = corners.unbind(dim=-2)
    normal = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a, dim=-1), dim=-1)
    bone = joint_rotations[..., sites.joints.to(like.device), :, :] @ sites.bone_axes.to(like)[..., None]
    across = torch.nn.functional.normalize(torch.linalg.cross(normal, bone.squeeze(-1), dim=-1), dim=-1)
    along = torch.linalg.cross(across, normal, dim=-1)
    site_rotation = torch.stack([along, across, normal], dim=-1)
    position = (corners * sites.barycentric.to(like)[..., None]).sum(dim=-2)
    position = position + sites.stand_off_m.to(like)[..., None] * normal
    return position, site_rotation @ sites.mounting.to(like)


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
