"""The uniform skeleton that HumanML3D retargets every motion onto: bone directions, lengths and chains.

The figures are those of the HumanML3D reference code (Guo et al., "Generating Diverse and Natural 3D Human Motions from
Text", CVPR 2022): raw offsets of the 22-joint skeleton and the bone lengths of its target subject, AMASS clip 000021.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from sim.conventions import NUM_JOINTS, PARENTS
from sim.rotations import align_vectors, matrix_to_6d

_TINY: Final[float] = 1e-8

BONE_DIRECTIONS: Final[tuple[tuple[int, int, int], ...]] = (
    (0, 0, 0),
    (1, 0, 0),
    (-1, 0, 0),
    (0, 1, 0),
    (0, -1, 0),
    (0, -1, 0),
    (0, 1, 0),
    (0, -1, 0),
    (0, -1, 0),
    (0, 1, 0),
    (0, 0, 1),
    (0, 0, 1),
    (0, 1, 0),
    (1, 0, 0),
    (-1, 0, 0),
    (0, 0, 1),
    (0, -1, 0),
    (0, -1, 0),
    (0, -1, 0),
    (0, -1, 0),
    (0, -1, 0),
    (0, -1, 0),
)
"""Unit direction of the bone that ends at each joint in the zero pose: arms hang, toes and nose point to +Z."""

BONE_LENGTHS_M: Final[tuple[float, ...]] = (
    0.0,
    0.10307395,
    0.10988335,
    0.13156825,
    0.39362314,
    0.39018813,
    0.14319026,
    0.43243298,
    0.42564332,
    0.05736471,
    0.14338174,
    0.14941867,
    0.21936,
    0.13748683,
    0.14338283,
    0.10303927,
    0.13161398,
    0.12298431,
    0.25683984,
    0.26309186,
    0.26601186,
    0.2698763,
)
"""Length of the bone that ends at each joint [m]; 0 at the root."""

CHAINS: Final[tuple[tuple[int, ...], ...]] = (
    (0, 2, 5, 8, 11),
    (0, 1, 4, 7, 10),
    (0, 3, 6, 9, 12, 15),
    (9, 14, 17, 19, 21),
    (9, 13, 16, 18, 20),
)
"""Joints from the root outwards: right leg, left leg, spine, right arm, left arm. Every chain starts in the root's
frame, also the arms, which hang on spine3: HumanML3D's rotations at the collars are relative to the root."""

LEG_BONES: Final[tuple[int, int]] = (5, 8)
"""The bones whose lengths give the scale between two skeletons: right thigh and right shank."""

FEET: Final[tuple[int, int, int, int]] = (7, 10, 8, 11)
"""Left ankle, left foot, right ankle, right foot: the order of the four foot contacts."""


def bone_directions(like: Tensor) -> Tensor:
    """Return the zero pose's bone directions ``(22, 3)``, unit vectors, with dtype and device of ``like``."""
    return torch.tensor(BONE_DIRECTIONS, dtype=like.dtype, device=like.device)


def bone_lengths(like: Tensor) -> Tensor:
    """Return the bone lengths ``(22,)`` [m] with dtype and device of ``like``."""
    return torch.tensor(BONE_LENGTHS_M, dtype=like.dtype, device=like.device)


def retarget(joints: Tensor) -> Tensor:
    """Give every bone the uniform skeleton's length.

    Args:
        joints: world joint positions ``(..., T, 22, 3)`` [m].

    Returns:
        Joint positions ``(..., T, 22, 3)`` [m]: bones keep their directions; the root's path is scaled with the length
        of the legs at the first frame.
    """
    bones = joints[..., 1:, :] - joints[..., list(PARENTS[1:]), :]
    lengths = bone_lengths(joints)
    legs = [joint - 1 for joint in LEG_BONES]
    leg_length = torch.linalg.vector_norm(bones[..., :1, legs, :], dim=-1).sum(dim=-1, keepdim=True)
    root = joints[..., 0, :] * (lengths[list(LEG_BONES)].sum() / leg_length.clamp_min(_TINY))
    bones = functional.normalize(bones, dim=-1, eps=_TINY) * lengths[1:, None]
    placed = [root]
    for joint in range(1, NUM_JOINTS):
        placed.append(placed[PARENTS[joint]] + bones[..., joint - 1, :])
    return torch.stack(placed, dim=-2)


def swing_columns(joints: Tensor, heading: Tensor) -> Tensor:
    """Compute HumanML3D's joint rotations: shortest rotations of the bones, without twist.

    Args:
        joints: joint positions ``(..., T, 22, 3)`` [m].
        heading: world-to-person rotations ``(..., T, 3, 3)``; HumanML3D starts every chain with them.

    Returns:
        For joints 1 to 21 the rotation that turns the bone ending there, relative to the bone before it in its chain:
        its 6-D form ``(..., T, 21, 6)``; see :mod:`sim.conventions`.
    """
    bones = joints[..., 1:, :] - joints[..., list(PARENTS[1:]), :]
    swing = align_vectors(bone_directions(joints)[1:], bones)
    columns: dict[int, Tensor] = {}
    for chain in CHAINS:
        parent = heading
        for joint in chain[1:]:
            columns[joint] = matrix_to_6d(parent.mT @ swing[..., joint - 1, :, :])
            parent = swing[..., joint - 1, :, :]
    return torch.stack([columns[joint] for joint in range(1, NUM_JOINTS)], dim=-2)
