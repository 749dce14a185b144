"""Sites: where sensors sit on one mesh, and how they move with it.

Site frame: z is the outward normal of the skin, x the bone's axis away from the trunk (distal) projected onto the
skin, y = z cross x. A sensor's orientation is ``R_ws = R_site @ mounting`` with ``mounting = R_site_sensor``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sim.body import Body
from sim.motion import Motion


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
        mounting=torch.stack([p.mounting.to("cpu", torch.float64) for p in placements]),
        joints=torch.tensor([p.joint for p in placements]),
        bone_axes=torch.stack([p.bone_axis for p in placements]),
    )


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
    corners, joint_rotations = body.skin_frames(motion, sites.triangles.flatten())
    corners = corners.unflatten(-2, (-1, 3))
    a, b, c = corners.unbind(dim=-2)
    normal = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a, dim=-1), dim=-1)
    bone = joint_rotations[..., sites.joints.to(like.device), :, :] @ sites.bone_axes.to(like)[..., None]
    across = torch.nn.functional.normalize(
        torch.linalg.cross(normal, bone.squeeze(-1).expand_as(normal), dim=-1), dim=-1
    )
    along = torch.linalg.cross(across, normal, dim=-1)
    site_rotation = torch.stack([along, across, normal], dim=-1)
    position = (corners * sites.barycentric.to(like)[..., None]).sum(dim=-2)
    position = position + sites.stand_off_m.to(like)[..., None] * normal + motion.translation.unsqueeze(-2)
    return position, site_rotation @ sites.mounting.to(like)
