"""The arrays of a skinned body and the maths on them: forward kinematics and linear blend skinning.

SMPL (Loper et al. 2015, doi:10.1145/2816795.2818013): a vertex is ``template + shape + pose`` offsets at rest, and is
carried by a weighted mean of the joints' rigid transforms. Any vertices are skinned here; the whole mesh of a licensed
file goes through smplx's own layer, which nothing else imports (docs/decisions/073).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from sim.conventions import NUM_JOINTS, PARENTS

FRAMES_PER_CHUNK = 64
"""Frames of the whole mesh skinned at once: smplx holds a 4x4 matrix for each vertex and frame."""


def _joints_by_depth() -> tuple[tuple[int, ...], ...]:
    depth = [0] * NUM_JOINTS
    for joint in range(1, NUM_JOINTS):
        depth[joint] = depth[PARENTS[joint]] + 1
    return tuple(tuple(j for j in range(NUM_JOINTS) if depth[j] == level) for level in range(1, max(depth) + 1))


_LEVELS = _joints_by_depth()


@dataclass(frozen=True, eq=False)
class BodyModel:
    """A body of 22 joints that shape and pose parameters deform, in the rest pose (T, Y up, facing +Z).

    Joints beyond the 22 (hands, jaw, eyes) are at rest in a :class:`~sim.motion.Motion`, so a body part of theirs
    moves rigidly with their nearest ancestor among the 22; the reader adds their weights to that ancestor's.

    Attributes:
        template: ``(V, 3)`` [m].
        faces: ``(F, 3)`` int64 vertex ids, counter-clockwise seen from outside.
        weights: ``(V, 22)`` skinning weights, rows summing to one.
        shape_directions: ``(V, 3, N)`` vertex displacement for each unit of a shape parameter [m].
        pose_directions: ``(V, 3, 189)`` vertex displacement for each entry of ``R - 1`` of joints 1 to 21 [m], or None.
        joint_regressor: ``(22, V)``, from rest vertices to rest joints.
        joint_template: ``(22, 3)`` [m], the regressor applied to ``template``.
        joint_directions: ``(22, 3, N)`` [m], the regressor applied to ``shape_directions``.
        shape_names: a name for each of the N shape parameters.
        shape_spread: standard deviation of each shape parameter in a plausible population ``(N,)``.
    """

    template: Tensor
    faces: Tensor
    weights: Tensor
    shape_directions: Tensor
    pose_directions: Tensor | None
    joint_regressor: Tensor
    joint_template: Tensor
    joint_directions: Tensor
    shape_names: tuple[str, ...]
    shape_spread: Tensor

    def to(self, *, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> BodyModel:
        """Return the model on another device or with another floating-point type; itself when nothing changes."""
        if (dtype or self.template.dtype) == self.template.dtype and (
            device is None or torch.device(device) == self.template.device
        ):
            return self
        changed: dict[str, Tensor] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                changed[field.name] = value.to(device=device, dtype=dtype if value.is_floating_point() else None)
        return replace(self, **changed)  # type: ignore[arg-type]


def shape_points(template: Tensor, directions: Tensor, betas: Tensor) -> Tensor:
    """Return rest points for each body shape.

    Args:
        template: ``(K, 3)`` [m].
        directions: ``(K, 3, N)`` [m].
        betas: shape parameters ``(..., N)``.

    Returns:
        Points ``(..., K, 3)`` [m].
    """
    return template + (directions @ betas[..., None, :, None]).squeeze(-1)


def forward_kinematics(rest_joints: Tensor, rotations: Tensor, translation: Tensor) -> tuple[Tensor, Tensor]:
    """Return where each joint is and how it is turned.

    Args:
        rest_joints: ``(..., 22, 3)`` [m], one skeleton for all frames; broadcasts with the leading dims of the motion.
        rotations: local rotations ``(..., T, 22, 3, 3)``, the root's global.
        translation: world position of joint 0 ``(..., T, 3)`` [m].

    Returns:
        World positions ``(..., T, 22, 3)`` [m] and rotations from joint to world ``(..., T, 22, 3, 3)``.
    """
    parents = list(PARENTS)
    offsets = rest_joints - rest_joints[..., [0, *parents[1:]], :]
    offsets = offsets.unsqueeze(-3).unsqueeze(-1)
    world_rotation: list[Tensor] = [rotations[..., 0, :, :]] * NUM_JOINTS
    position: list[Tensor] = [translation + torch.zeros_like(offsets[..., 0, :, 0])] * NUM_JOINTS
    # One batched product for each depth of the tree: 8 steps in place of 21, and none over time.
    for level in _LEVELS:
        parent_rotation = torch.stack([world_rotation[PARENTS[j]] for j in level], dim=-3)
        parent_position = torch.stack([position[PARENTS[j]] for j in level], dim=-2)
        turned = parent_rotation @ rotations[..., list(level), :, :]
        moved = parent_position + (parent_rotation @ offsets[..., list(level), :, :]).squeeze(-1)
        for index, joint in enumerate(level):
            world_rotation[joint] = turned[..., index, :, :]
            position[joint] = moved[..., index, :]
    return torch.stack(position, dim=-2), torch.stack(world_rotation, dim=-3)


def point_maps(rest_points: Tensor, weights: Tensor, rest_joints: Tensor) -> Tensor:
    """Return the linear maps by which linear blend skinning carries points along with the joints.

    A posed point is ``sum_j w_j (R_j (p - rest_j) + joint_j)``: linear in the 22 rotations and joint positions, so that
    sums and differences of points have sums and differences of maps.

    Args:
        rest_points: ``(..., K, 3)`` [m] in the rest pose.
        weights: ``(K, 22)``, or ``(..., K, 22)``.
        rest_joints: ``(..., 22, 3)`` [m].

    Returns:
        For each joint three numbers for its rotation and one for its position ``(..., K, 88)``.
    """
    arms = rest_points.unsqueeze(-2) - rest_joints.unsqueeze(-3)
    weighted = torch.cat([weights[..., None] * arms, weights[..., None].expand(*arms.shape[:-1], 1)], dim=-1)
    return weighted.flatten(-2)


def carry(maps: Tensor, joints: Tensor, joint_rotations: Tensor) -> Tensor:
    """Return where the joints carry points or, by differences of maps, vectors: one matrix product for all of them.

    Args:
        maps: of :func:`point_maps` ``(..., M, 88)``; leading dims broadcast.
        joints: posed joints ``(..., T, 22, 3)`` [m].
        joint_rotations: from joint to world ``(..., T, 22, 3, 3)``.

    Returns:
        World coordinates ``(..., M, 3, T)`` [m], time last.
    """
    # A batch of shapes has joints of its own, though its bones may all be turned alike.
    turns = joint_rotations.expand(*joints.shape, 3)
    poses = torch.cat([turns, joints.unsqueeze(-1)], dim=-1)  # (..., T, 22, 3, 4)
    poses = poses.movedim(-4, -1).transpose(-3, -2).flatten(-2).flatten(-3, -2)  # (..., 88, 3 T)
    lead = torch.broadcast_shapes(maps.shape[:-2], poses.shape[:-2])
    left = maps.expand(*lead, *maps.shape[-2:]).reshape(math.prod(lead), *maps.shape[-2:])
    right = poses.expand(*lead, *poses.shape[-2:]).reshape(math.prod(lead), *poses.shape[-2:])
    carried = torch.bmm(left, right)
    return carried.reshape(*lead, maps.shape[-2], 3, joints.shape[-3])


def pose_offsets(directions: Tensor, rotations: Tensor) -> Tensor:
    """Return how the pose displaces rest vertices (SMPL's pose blend shapes).

    Args:
        directions: ``(K, 3, 189)`` [m].
        rotations: local rotations ``(..., T, 22, 3, 3)``.

    Returns:
        Displacements ``(..., T, K, 3)`` [m].
    """
    identity = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    feature = (rotations[..., 1:, :, :] - identity).flatten(-3)
    return (feature @ directions.flatten(0, 1).T).unflatten(-1, (-1, 3))


def skin_mesh(model: BodyModel, betas: Tensor, rotations: Tensor) -> Tensor:
    """Return the whole mesh through ``smplx.lbs.lbs``, joint 0 at its rest position.

    Args:
        model: body in the dtype of ``rotations``.
        betas: ``(B, N)``.
        rotations: local rotations ``(B, 22, 3, 3)``.

    Returns:
        Vertices ``(B, V, 3)`` [m].

    Raises:
        ModuleNotFoundError: smplx is not installed.
    """
    try:
        from smplx.lbs import lbs
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the whole mesh of a licensed SMPL file is skinned by smplx, which is not installed; "
            "pip install smplx (its code is for non-commercial use)"
        ) from error
    num_vertices = len(model.template)
    if model.pose_directions is None:
        pose_basis = model.template.new_zeros(1).expand(9 * (NUM_JOINTS - 1), 3 * num_vertices)
    else:
        pose_basis = model.pose_directions.flatten(0, 1).T
    parents = torch.tensor(PARENTS, device=rotations.device)
    chunks = [
        lbs(
            betas[start : start + FRAMES_PER_CHUNK],
            rotations[start : start + FRAMES_PER_CHUNK],
            model.template,
            model.shape_directions,
            pose_basis,
            model.joint_regressor,
            parents,
            model.weights,
            pose2rot=False,
        )[0]
        for start in range(0, len(rotations), FRAMES_PER_CHUNK)
    ]
    return torch.cat(chunks) if chunks else rotations.new_zeros(0, num_vertices, 3)
