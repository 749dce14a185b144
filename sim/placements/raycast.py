"""Points on the skin by bone coordinates: from the bone's axis outwards to a triangle, in the rest pose.

Ray and triangle: Moeller and Trumbore 1997, doi:10.1080/10867651.1997.10487468.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from sim.body.skinning import BodyModel
from sim.conventions import JOINT_INDEX, JOINT_NAMES, PARENTS
from sim.rotations import axis_angle_to_matrix

_END_JOINT: dict[int, int] = {
    parent: joint for joint, parent in enumerate(PARENTS) if parent >= 0 and PARENTS.count(parent) == 1
} | {JOINT_INDEX["pelvis"]: JOINT_INDEX["spine2"], JOINT_INDEX["spine3"]: JOINT_INDEX["neck"]}
"""Joint where the bone that starts at a joint ends; bones without one run to the end of their skin.

The pelvis's runs on to spine2: spine1 lies close to it and so far back that a belt would lean by 25 degrees."""

_OPEN_AXES: dict[str, tuple[float, float, float]] = {
    "head": (0.0, 1.0, 0.0),
    "left_foot": (0.0, 0.0, 1.0),
    "right_foot": (0.0, 0.0, 1.0),
    "left_wrist": (1.0, 0.0, 0.0),
    "right_wrist": (-1.0, 0.0, 0.0),
}
"""Direction in the rest pose of the bones that end in no joint: the skull, the toes, the hands."""

_UPWARD_FRONT = ("left_ankle", "right_ankle", "left_foot", "right_foot")
"""Bones that run forwards: angles about them count from above (the instep) instead of from the front."""


@dataclass(frozen=True)
class BonePoint:
    """Bone coordinates of a point on the skin, the same on any mesh.

    Attributes:
        bone: joint where the bone starts; ``left_elbow`` is the left forearm.
        fraction: how far along the bone, 0 at that joint, 1 at its end.
        angle_rad: direction from the bone's axis, right-handed about the axis towards distal, zero at the front of
            the rest pose (+Z; for the foot and toes above, +Y).
    """

    bone: str
    fraction: float
    angle_rad: float


@dataclass(frozen=True)
class SkinPoint:
    """A point of one mesh: a face index or three vertex ids, and the weights of the corners."""

    triangle: tuple[int, ...]
    barycentric: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Bone:
    """A bone of the mean body in the rest pose, float64 on the CPU: start [m], unit axis, front, length [m], joint."""

    joint: int
    start: Tensor
    axis: Tensor
    front: Tensor
    length: float

    def outward(self, angle_rad: float) -> Tensor:
        """Return the unit direction ``(3,)`` at an angle about the axis."""
        return axis_angle_to_matrix(self.axis * angle_rad) @ self.front


def find_bone(model: BodyModel, joint: int) -> Bone:
    """Return the bone that starts at a joint."""
    joints = model.joint_template.double().cpu()
    name, start = JOINT_NAMES[joint], joints[joint]
    if joint in _END_JOINT:
        span = joints[_END_JOINT[joint]] - start
        length = float(span.norm())
        axis = span / length
    else:
        axis = torch.tensor(_OPEN_AXES[name], dtype=torch.float64)
        skin = model.template[model.weights.argmax(dim=1) == joint].double().cpu()
        length = float(((skin - start) @ axis).max())
    forward = torch.tensor([0.0, 1.0, 0.0] if name in _UPWARD_FRONT else [0.0, 0.0, 1.0], dtype=torch.float64)
    front = torch.nn.functional.normalize(forward - (forward @ axis) * axis, dim=0)
    return Bone(joint, start, axis, front, length)


def cast_to_skin(model: BodyModel, point: BonePoint) -> SkinPoint:
    """Return the outermost skin of a bone in the direction given.

    Only triangles that the bone's joint and its neighbours carry (at least half of their skinning weight) count, so
    that a ray from one thigh does not end on the other; the outermost, since a head has a mouth and eyes inside.

    Raises:
        ValueError: there is no such skin.
    """
    found = find_skin(model, point)
    if found is None:
        raise ValueError(
            f"no skin at fraction {point.fraction:.2f} of the bone at {point.bone}, "
            f"{math.degrees(point.angle_rad):.0f} deg about it; expected a point that this bone carries, "
            "so move the fraction towards 0.5"
        )
    return found


def find_skin(model: BodyModel, point: BonePoint) -> SkinPoint | None:
    """Return what :func:`cast_to_skin` returns, or None where there is no such skin."""
    target = _target_of(model, JOINT_INDEX[point.bone])
    bone, edge1, edge2 = target.bone, target.edge1, target.edge2
    origin = bone.start + point.fraction * bone.length * bone.axis
    direction = bone.outward(point.angle_rad)
    sideways = torch.linalg.cross(direction.expand_as(edge2), edge2, dim=-1)
    determinant = (edge1 * sideways).sum(dim=-1)
    scale = 1.0 / torch.where(determinant.abs() < 1e-14, torch.full_like(determinant, torch.inf), determinant)
    to_origin = origin - target.corner
    u = (to_origin * sideways).sum(dim=-1) * scale
    normal_offset = torch.linalg.cross(to_origin, edge1, dim=-1)
    v = (normal_offset @ direction) * scale
    distance = (edge2 * normal_offset).sum(dim=-1) * scale
    tolerance = 1e-9  # a ray through an edge must not slip between the two triangles
    hit = (determinant.abs() > 1e-14) & (u >= -tolerance) & (v >= -tolerance) & (u + v <= 1 + tolerance)
    hit &= distance > 0
    if not bool(hit.any()):
        return None
    best = int(torch.where(hit, distance, torch.full_like(distance, -torch.inf)).argmax())
    first, second = float(u[best]), float(v[best])
    triangle = target.faces[best].tolist()
    return SkinPoint((triangle[0], triangle[1], triangle[2]), (1.0 - first - second, first, second))


def read_skin_point(
    name: str, triangle: int | Sequence[float] | Tensor, barycentric: Sequence[float] | Tensor
) -> SkinPoint:
    """Return the point that a user gave for a placement.

    Raises:
        ValueError: not one or three ids, or not three weights in [0, 1] that sum to one.
    """
    ids = torch.as_tensor(triangle).reshape(-1).tolist()
    weights = torch.as_tensor(barycentric, dtype=torch.float64).reshape(-1).tolist()
    if len(ids) not in (1, 3) or any(int(i) != i for i in ids):
        raise ValueError(f"triangle of {name} is {ids}, expected the index of a face or three vertex ids")
    if len(weights) != 3 or not abs(sum(weights) - 1.0) <= 1e-4:  # NaN compares false
        raise ValueError(f"barycentric of {name} is {weights}, expected three weights that sum to 1")
    if min(weights) < -1e-6 or max(weights) > 1.0 + 1e-6:
        raise ValueError(
            f"barycentric of {name} is {weights}, expected weights in [0, 1]: the point lies outside its triangle; "
            "give the triangle it lies in, or the point in space to Placement.nearest"
        )
    return SkinPoint(tuple(int(i) for i in ids), (weights[0], weights[1], weights[2]))


def check_skin_point(model: BodyModel, point: SkinPoint, name: str) -> SkinPoint:
    """Return the point with its three vertex ids.

    Raises:
        ValueError: the mesh has no such face or vertices, or the vertices are no face of it seen from outside.
    """
    is_face = len(point.triangle) == 1
    limit = len(model.faces) if is_face else len(model.template)
    if min(point.triangle) < 0 or max(point.triangle) >= limit:
        what = f"{limit} faces" if is_face else f"{limit} vertices"
        raise ValueError(f"triangle of {name} is {point.triangle}, but the body has {what}; was it another mesh's?")
    if is_face:
        triangle = model.faces[point.triangle[0]].tolist()
        return SkinPoint((triangle[0], triangle[1], triangle[2]), point.barycentric)
    ids = torch.tensor(point.triangle, device=model.faces.device)
    same = (model.faces.sort(dim=1).values == ids.sort().values).all(dim=1).nonzero().flatten().tolist()
    if not same:
        raise ValueError(
            f"triangle of {name} is {point.triangle}, which is no face of this body: a placement not on the mesh; "
            "give the three vertices of one of body.faces, or a point to Placement.nearest"
        )
    face = model.faces[same[0]].tolist()
    if point.triangle not in {(face[k], face[k - 2], face[k - 1]) for k in range(3)}:
        raise ValueError(
            f"triangle of {name} is {point.triangle}, face {same[0]} of the body seen from inside; expected the order "
            f"{tuple(face)}, counter-clockwise from outside: swap two ids and their weights"
        )
    return point


def carrying_joint(model: BodyModel, point: SkinPoint) -> int:
    """Return the joint with the largest skinning weight at a point."""
    weights = model.weights[list(point.triangle)].double().cpu()
    return int((torch.tensor(point.barycentric, dtype=torch.float64) @ weights).argmax())


def describe_point(model: BodyModel, point: SkinPoint) -> BonePoint:
    """Return the bone coordinates of a point on the skin, about the bone that carries it."""
    bone = find_bone(model, carrying_joint(model, point))
    corners = model.template[list(point.triangle)].double().cpu()
    offset = torch.tensor(point.barycentric, dtype=torch.float64) @ corners - bone.start
    along = float(offset @ bone.axis)
    sideways = float(offset @ torch.linalg.cross(bone.axis, bone.front, dim=-1))
    angle = math.atan2(sideways, float(offset @ bone.front))
    return BonePoint(JOINT_NAMES[bone.joint], along / bone.length, angle)


@dataclass(frozen=True, eq=False)
class _Target:
    """What the rays of one bone can hit: M faces, one corner ``(M, 3)`` of each and the two edges from it [m]."""

    bone: Bone
    faces: Tensor
    corner: Tensor
    edge1: Tensor
    edge2: Tensor


_TARGETS: WeakKeyDictionary[BodyModel, dict[int, _Target]] = WeakKeyDictionary()


def _target_of(model: BodyModel, joint: int) -> _Target:
    """Return the skin about a bone, remembered for each mesh: placement studies cast thousands of rays."""
    known = _TARGETS.setdefault(model, {})
    if joint not in known:
        owners = [joint, *(j for j, parent in enumerate(PARENTS) if parent == joint)]
        if PARENTS[joint] >= 0:
            owners.append(PARENTS[joint])
        carried = model.weights[:, owners].sum(dim=1)[model.faces].mean(dim=1) >= 0.5
        faces = model.faces[carried].cpu()
        corners = model.template.double().cpu()[faces]
        edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        known[joint] = _Target(find_bone(model, joint), faces, corners[:, 0].contiguous(), edge1, edge2)
    return known[joint]
