"""Patches: many placements spread evenly over a limb, to ask where on it a sensor should sit.

Farthest-point sampling (Gonzalez 1985, doi:10.1016/0304-3975(85)90224-5) of points spread evenly by area, then Lloyd's
relaxation (1982, doi:10.1109/TIT.1982.1056489), which draws the patches back from the limb's edges to the middle of
what lies nearest to each. Distances are straight lines: patches on the two sides of a hand know of each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sim.body import Body
from sim.body.skinning import BodyModel
from sim.conventions import JOINT_INDEX, JOINT_NAMES
from sim.names import suggest
from sim.placements.mountings import Mounting
from sim.placements.placement import DEFAULT_STAND_OFF_M, Placement
from sim.placements.raycast import find_bone
from sim.placements.surface import outer_faces, spread_points

_SIDED: dict[str, tuple[str, ...]] = {
    "hand": ("wrist",),
    "forearm": ("elbow",),
    "upper_arm": ("shoulder",),
    "arm": ("shoulder", "elbow", "wrist"),
    "thigh": ("hip",),
    "shank": ("knee",),
    "foot": ("ankle", "foot"),
    "leg": ("hip", "knee", "ankle", "foot"),
}
LIMBS: dict[str, tuple[str, ...]] = {
    "head": ("head",),
    "neck": ("neck",),
    "trunk": ("spine1", "spine2", "spine3", "left_collar", "right_collar"),
    "pelvis": ("pelvis",),
    "body": JOINT_NAMES,
} | {
    f"{side}_{limb}": tuple(f"{side}_{joint}" for joint in joints)
    for limb, joints in _SIDED.items()
    for side in ("left", "right")
}
"""Parts of the body that :func:`sample_patches` knows, and the joints whose skin they are, from proximal to distal."""

_CLOSEST_M = 0.005
_POINTS_A_PATCH = 40
_FEWEST_POINTS = 4000
_RELAXATIONS = 20


def sample_patches(
    body: Body,
    limb: str | Sequence[str],
    count: int,
    *,
    stand_off_m: float = DEFAULT_STAND_OFF_M,
    mounting: Mounting = None,
) -> list[Placement]:
    """Return placements spread evenly over the outer skin of a limb, the same ones every time.

    Skin belongs to the joint that carries most of it. Patches are numbered along the limb, from proximal to distal.

    Args:
        body: whose mesh, in its mean shape; the placements are points of this mesh.
        limb: one of :data:`LIMBS`, or the names of joints whose skin to cover.
        count: how many, N.
        stand_off_m: distance from the skin along the outward normal [m].
        mounting: of every sensor: ``R_site_sensor (3, 3)``, named directions or a device.

    Returns:
        N placements named ``left_forearm_007`` after the limb (``patch_007`` for a sequence of joints).

    Raises:
        ValueError: an unknown limb or joint, a limb without skin, a count below one, or so many that they would lie
            closer than 5 mm, or as :class:`~sim.placements.Placement`.
    """
    joints, label = _joints_of(limb), limb if isinstance(limb, str) else "patch"
    if count < 1:
        raise ValueError(f"count is {count}, expected at least 1 patch")
    corners, faces, area = _skin_of(body.model, joints, label)
    most = int(area / _CLOSEST_M**2)
    if count > most:
        raise ValueError(
            f"count is {count} patches, but {label} has {1e4 * area:.0f} cm^2 of skin, expected at most {most}: "
            f"patches closer than {1e3 * _CLOSEST_M:g} mm are one place to a sensor; ask for fewer or a larger limb"
        )
    triangle, weights = spread_points(corners, max(_FEWEST_POINTS, _POINTS_A_PATCH * count))
    points = (weights[..., None] * corners[triangle]).sum(dim=1)
    carried = (weights[..., None] * body.model.weights.double().cpu()[faces[triangle]]).sum(dim=1).argmax(dim=1)
    mine = torch.isin(carried, torch.tensor(joints)).nonzero().flatten()
    chosen = mine[_spread(points[mine], count)]
    axis = find_bone(body.model, joints[0]).axis
    chosen = chosen[(points[chosen] @ axis).argsort(stable=True)]
    digits = max(3, len(str(count - 1)))
    return [
        Placement.at(
            f"{label}_{number:0{digits}d}",
            faces[triangle[index]],
            weights[index],
            stand_off_m=stand_off_m,
            mounting=mounting,
        )
        for number, index in enumerate(chosen.tolist())
    ]


def _joints_of(limb: str | Sequence[str]) -> list[int]:
    if isinstance(limb, str):
        if limb not in LIMBS:
            hint = suggest(limb, LIMBS) or ";"
            raise ValueError(
                f"unknown limb {limb!r}{hint} valid ones: {', '.join(sorted(LIMBS))}; or give a list of joint names"
            )
        limb = LIMBS[limb]
    unknown = [joint for joint in limb if joint not in JOINT_INDEX]
    if unknown or not limb:
        raise ValueError(f"limb has joints {unknown or 'none'}, expected one or more of {', '.join(JOINT_NAMES)}")
    return [JOINT_INDEX[joint] for joint in limb]


def _skin_of(model: BodyModel, joints: Sequence[int], label: str) -> tuple[Tensor, Tensor, float]:
    """Return the outer faces that the joints carry or share: corners ``(F, 3, 3)`` [m], ids ``(F, 3)``, area [m^2]."""
    owner = model.weights.cpu().argmax(dim=1)
    faces = model.faces.cpu()
    touched = torch.isin(owner, torch.tensor(joints))[faces]
    faces = faces[touched.any(dim=1) & outer_faces(model)]
    if len(faces) == 0:
        raise ValueError(f"{label} has no skin on this body, expected joints that carry some; choose another limb")
    corners = model.template.double().cpu()[faces]
    a, b, c = corners.unbind(dim=1)
    share = torch.isin(owner, torch.tensor(joints))[faces].double().mean(dim=1)
    return corners, faces, float((share * torch.linalg.cross(b - a, c - a, dim=-1).norm(dim=-1)).sum()) / 2


def _spread(points: Tensor, count: int) -> Tensor:
    """Return the indices ``(count,)`` of points ``(P, 3)`` that cover all of them evenly."""
    chosen = torch.empty(count, dtype=torch.int64)
    chosen[0] = (points - points.mean(dim=0)).norm(dim=1).argmax()
    distance = torch.full((len(points),), math.inf, dtype=points.dtype)
    for number in range(1, count):
        distance = torch.minimum(distance, (points - points[chosen[number - 1]]).norm(dim=1))
        chosen[number] = distance.argmax()
    for _ in range(_RELAXATIONS):
        nearest = _nearest_of(points, points[chosen])
        size = torch.bincount(nearest, minlength=count).double()
        centre = torch.zeros(count, 3, dtype=points.dtype).index_add_(0, nearest, points) / size[:, None]
        # The point nearest to the middle of a cell; the middle itself lies under the skin.
        off = (points - centre[nearest]).norm(dim=1)
        least = torch.full((count,), math.inf, dtype=points.dtype).scatter_reduce(0, nearest, off, "amin")
        is_least = (off <= least[nearest]).nonzero().flatten().flip(0)
        moved = chosen.clone()
        moved[nearest[is_least]] = is_least
        if torch.equal(moved, chosen):
            break
        chosen = moved
    return chosen


def _nearest_of(points: Tensor, centres: Tensor) -> Tensor:
    """Return the index of the nearest centre of each point, in parts: all distances at once may not fit in memory."""
    return torch.cat([torch.cdist(part, centres).argmin(dim=1) for part in points.split(8192)])
