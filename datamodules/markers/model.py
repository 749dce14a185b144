"""Where a body's markers are in each pose and shape, and how they move with every turn: position and Jacobian.

A marker is carried rigidly by the bone that it was put on. Its place at rest is a point of the skin, ``STAND_OFF_M``
outside of it, which moves with the shape parameters, plus an offset of its own that is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from datamodules.markers.degrees import Freedom
from datamodules.markers.marker_sets import STAND_OFF_M, Site
from sim.body import Body
from sim.body.skinning import forward_kinematics
from sim.conventions import JOINT_INDEX, NUM_JOINTS, PARENTS
from sim.placements import Placement, resolve_all
from sim.rotations import axis_angle_to_matrix, hat


@dataclass(frozen=True, eq=False)
class MarkerModel:
    """M markers on a body; all float64.

    Attributes:
        body: the body in its mean shape.
        joints: the joint that carries each marker ``(M,)``.
        points: places at rest on the mean shape ``(M, 3)`` [m], stand-off included.
        directions: how they move with the shape ``(M, 3, N)`` [m].
        loose_m: standard deviation of the offsets ``(M,)`` [m].
        betas: shape ``(N,)``.
        offsets: what a marker is off its place, in the rest pose ``(M, 3)`` [m].
        home_betas: shape that is likely before markers are seen: the mean's, or that of a calibration recording.
        home_offsets: likewise the offsets.
        shape_loose: factor on how far the shape may be from home.
    """

    body: Body
    joints: Tensor
    points: Tensor
    directions: Tensor
    loose_m: Tensor
    betas: Tensor
    offsets: Tensor
    home_betas: Tensor
    home_offsets: Tensor
    shape_loose: float = 1.0

    def shaped(self, *, betas: Tensor, offsets: Tensor) -> MarkerModel:
        """Return the model in another shape."""
        return replace(self, betas=betas, offsets=offsets)

    def rest_joints(self) -> Tensor:
        """Return the joints at rest ``(22, 3)`` [m]."""
        return self.body.with_shape(self.betas).rest_joints

    def arms(self) -> Tensor:
        """Return each marker relative to the joint that carries it, at rest ``(M, 3)`` [m]."""
        return self.points + self.directions @ self.betas + self.offsets - self.rest_joints()[self.joints]

    def place(self, rotations: Tensor, translation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return markers ``(T, M, 3)``, joints ``(T, 22, 3)`` [m] and rotations to world ``(T, 22, 3, 3)``."""
        joints, turns = forward_kinematics(self.rest_joints(), rotations, translation)
        arms = torch.einsum("tmij,mj->tmi", turns[:, self.joints], self.arms())
        return joints[:, self.joints] + arms, joints, turns

    def jacobian(self, markers: Tensor, joints: Tensor, turns: Tensor, freedom: Freedom) -> Tensor:
        """Return how markers move with the freedoms ``(T, 3 M, P)``.

        The first three freedoms displace the body [m]; each further three turn a group of joints, every joint in its
        own frame by the rotation vector ``share * delta`` [rad].
        """
        frames, count = markers.shape[:2]
        result = markers.new_zeros(frames, count, 3, freedom.count)
        result[..., :3] = torch.eye(3, dtype=markers.dtype)
        below = _ancestors()[self.joints]  # (M, 22): does a joint carry the marker
        for number, group in enumerate(freedom.groups):
            columns = slice(3 + 3 * number, 6 + 3 * number)
            for joint in group.joints:
                carried = below[:, joint].nonzero().flatten()
                if len(carried):
                    arms = markers[:, carried] - joints[:, joint, None]
                    result[:, carried, :, columns] -= group.share * hat(arms) @ turns[:, joint, None]
        return result.flatten(1, 2)

    def shape_jacobian(self, rotations: Tensor) -> Tensor:
        """Return how markers move with the shape parameters ``(T, M, 3, N)``; they do so linearly."""
        frames = len(rotations)
        columns = []
        still = torch.zeros(frames, 3, dtype=rotations.dtype)
        base = self.shaped(betas=torch.zeros_like(self.betas), offsets=self.offsets)
        origin = base.place(rotations, still)[0]
        for number in range(len(self.betas)):
            unit = torch.zeros_like(self.betas)
            unit[number] = 1.0
            columns.append(base.shaped(betas=unit, offsets=self.offsets).place(rotations, still)[0] - origin)
        return torch.stack(columns, dim=-1)


def build_model(sites: Sequence[Site], body: Body) -> MarkerModel:
    """Put markers on a body.

    Args:
        sites: where each marker sits.
        body: whose skin.

    Raises:
        ValueError: no skin of a bone lies in the direction of a site.
    """
    body = body.with_shape(torch.zeros_like(body.betas)).to(dtype=torch.float64)
    placements = [Placement(f"marker {site.name}", site.point, STAND_OFF_M) for site in sites]
    resolved = resolve_all(placements, body)
    weights = resolved.barycentric[..., None]
    corners = body.model.template[resolved.triangles]
    a, b, c = corners.unbind(dim=1)
    normal = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)
    directions = (weights[..., None] * body.model.shape_directions[resolved.triangles]).sum(dim=1)
    return MarkerModel(
        body=body,
        joints=torch.tensor([JOINT_INDEX[site.point.bone] for site in sites]),
        points=(weights * corners).sum(dim=1) + STAND_OFF_M * normal,
        directions=directions,
        loose_m=torch.tensor([site.loose_m for site in sites], dtype=torch.float64),
        betas=torch.zeros_like(body.betas),
        offsets=torch.zeros(len(sites), 3, dtype=torch.float64),
        home_betas=torch.zeros_like(body.betas),
        home_offsets=torch.zeros(len(sites), 3, dtype=torch.float64),
    )


def turn_joints(rotations: Tensor, delta: Tensor, freedom: Freedom) -> Tensor:
    """Return local rotations ``(T, 22, 3, 3)`` turned by steps ``(T, P)`` of the freedoms."""
    result = rotations.clone()
    for number, group in enumerate(freedom.groups):
        turn = axis_angle_to_matrix(group.share * delta[:, 3 + 3 * number : 6 + 3 * number])
        for joint in group.joints:
            result[:, joint] = rotations[:, joint] @ turn
    return result


def _ancestors() -> Tensor:
    """Return for each joint which joints move it, itself included ``(22, 22)`` bool."""
    table = torch.zeros(NUM_JOINTS, NUM_JOINTS, dtype=torch.bool)
    for joint in range(NUM_JOINTS):
        above = joint
        while above >= 0:
            table[joint, above] = True
            above = PARENTS[above]
    return table
