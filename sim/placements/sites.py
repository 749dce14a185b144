"""Sites: where sensors sit on one mesh, and how they move with it.

Site frame: z is the outward normal of the skin, x the bone's axis away from the trunk (distal) projected onto the
skin, y = z cross x. A sensor's orientation is ``R_ws = R_site @ mounting`` with ``mounting = R_site_sensor``
(:mod:`sim.conventions` says what R_ws maps).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sim.body import Body
from sim.body.skinning import carry
from sim.conventions import NUM_JOINTS
from sim.motion import Motion
from sim.precision import full_precision


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

    def only(self, indices: Sequence[int]) -> Sites:
        """Return some of the sites, in the order of their indices."""
        chosen = list(indices)
        return Sites(
            names=tuple(self.names[k] for k in chosen),
            triangles=self.triangles[chosen],
            barycentric=self.barycentric[chosen],
            stand_off_m=self.stand_off_m[chosen],
            mounting=self.mounting[chosen],
            joints=self.joints[chosen],
            bone_axes=self.bone_axes[chosen],
        )


def stack_sites(placements: Sequence[ResolvedPlacement]) -> Sites:
    """Stack resolved placements for :func:`site_poses`."""
    return Sites(
        names=tuple(p.name for p in placements),
        triangles=torch.stack([p.triangle for p in placements]),
        barycentric=torch.stack([p.barycentric for p in placements]),
        stand_off_m=torch.tensor([p.stand_off_m for p in placements], dtype=torch.float64),
        mounting=torch.stack([p.mounting.to("cpu", torch.float64) for p in placements]),
        joints=torch.tensor([p.joint for p in placements]),
        bone_axes=torch.stack([p.bone_axis for p in placements]),
    )


@full_precision()
def site_poses(body: Body, motion: Motion, sites: Sites) -> tuple[Tensor, Tensor]:
    """Return where each sensor is and how it is turned, skinning only the corners of their triangles.

    Args:
        body: one shape or a batch of shapes, broadcasting with the motion's leading dims.
        motion: the movement.
        sites: S sensors from :func:`sim.placements.resolve_all`.

    Returns:
        Position ``(..., T, S, 3)`` [m] and ``R_ws`` ``(..., T, S, 3, 3)``, world frame.
    """
    lead = torch.broadcast_shapes(body.betas.shape[:-1], motion.rotations.shape[:-4])
    position, rotation = (planes.permute(1, 3, 2, 0) for planes in site_planes(body, motion, sites))
    shape = (*lead, motion.num_frames, len(sites.names))
    return position.reshape(*shape, 3), rotation.reshape(*shape, 3, 3)


@full_precision()
def site_planes(body: Body, motion: Motion, sites: Sites) -> tuple[Tensor, Tensor]:
    """Return where each sensor is and how it is turned as :func:`site_poses` does, in planes: several times faster.

    Returns:
        Position ``(3, L, S, T)`` [m] and R_ws, row by row, ``(9, L, S, T)``, the leading dims flattened to L.
    """
    ids = sites.triangles.flatten()
    joints, rotations = body.relative_kinematics(motion)
    corner_maps = body.skin_maps(ids, like=motion.rotations).unflatten(-2, (-1, 3))
    bone_maps = _bone_maps(sites, like=corner_maps).expand(*corner_maps.shape[:-3], -1, -1)
    maps = torch.cat([_point_and_edges(corner_maps, sites), bone_maps.unsqueeze(-3)], dim=-3)
    carried = carry(maps.flatten(-3, -2).to(motion.rotations.dtype), joints, rotations).unflatten(-3, (4, -1))
    count = math.prod(carried.shape[:-4])
    point, edge1, edge2, bone = carried.reshape(count, *carried.shape[-4:]).unbind(dim=1)
    shift = body.pose_shift(motion, ids, rotations)
    if shift is not None:
        # (..., 3 S, 3, T) to (..., S, 3, 3 T), so that corners are where the maps have them.
        shift = _point_and_edges(shift.unflatten(-3, (-1, 3)).flatten(-2), sites).unflatten(-1, (3, -1))
        more = shift.expand(*carried.shape[:-4], *shift.shape[-4:]).reshape(count, *shift.shape[-4:]).unbind(dim=1)
        point, edge1, edge2 = point + more[0], edge1 + more[1], edge2 + more[2]
    path = motion.translation.expand(*carried.shape[:-4], -1, -1).reshape(count, *motion.translation.shape[-2:])
    return frames_on_triangles(point + path.mT.unsqueeze(1), edge1, edge2, bone, sites)


def _point_and_edges(corners: Tensor, sites: Sites) -> Tensor:
    """Return the sensors' points and two edges of their triangles ``(..., 3, S, N)`` from ``(..., S, 3, N)``."""
    a, b, c = corners.unbind(dim=-2)
    point = (sites.barycentric.to(corners)[..., None] * corners).sum(dim=-2)
    return torch.stack([point, b - a, c - a], dim=-3)


def _bone_maps(sites: Sites, *, like: Tensor) -> Tensor:
    """Return the maps ``(S, 88)`` by which :func:`sim.body.skinning.carry` turns the bones' axes."""
    maps = like.new_zeros(len(sites.joints), NUM_JOINTS, 4)
    maps[torch.arange(len(sites.joints)), sites.joints, :3] = sites.bone_axes.to(like)
    return maps.flatten(-2)


def frames_on_triangles(
    point: Tensor, edge1: Tensor, edge2: Tensor, bone: Tensor, sites: Sites
) -> tuple[Tensor, Tensor]:
    """Return the poses of sensors on triangles, in planes like :func:`site_planes`.

    Args:
        point: where each sensor touches the skin ``(L, S, 3, T)`` [m].
        edge1: from the first corner of its triangle to the second ``(L, S, 3, T)`` [m].
        edge2: from the first to the third.
        bone: the bone's axis towards distal, any length.
        sites: the S sensors.
    """
    normal = _unit(_cross(edge1.unbind(dim=2), edge2.unbind(dim=2)))
    across = _unit(_cross(normal, bone.unbind(dim=2)))
    along = _cross(across, normal)
    stand_off = sites.stand_off_m.to(point)[:, None]
    position = [p + stand_off * n for p, n in zip(point.unbind(dim=2), normal, strict=True)]
    site = [[along[row], across[row], normal[row]] for row in range(3)]
    mounting = sites.mounting.to(point)
    identity = torch.eye(3, dtype=point.dtype, device=point.device)
    if not mounting.requires_grad and bool((mounting == identity).all()):
        return torch.stack(position), torch.stack([entry for row in site for entry in row])
    columns = mounting[..., None].unbind(dim=1)
    rotation = [
        sum((site[row][k] * columns[k][:, column] for k in range(1, 3)), site[row][0] * columns[0][:, column])
        for row in range(3)
        for column in range(3)
    ]
    return torch.stack(position), torch.stack(rotation)


def _cross(a: Sequence[Tensor], b: Sequence[Tensor]) -> list[Tensor]:
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


def _unit(v: Sequence[Tensor]) -> list[Tensor]:
    # Below this squared length [m^4] a triangle has no normal; it gets a finite one and a finite gradient.
    scale = (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).clamp_min(1e-30).rsqrt()
    return [component * scale for component in v]
