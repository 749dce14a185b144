"""Where each of a frame's 263 numbers lies, and the turn about the vertical that they are told in."""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor

from sim.conventions import NUM_FEATURES, NUM_JOINTS

_TINY: Final[float] = 1e-8


class FeatureSlices(NamedTuple):
    """Where each quantity lies in the last axis of a feature tensor."""

    root_rotation_velocity: slice
    root_linear_velocity: slice
    root_height: slice
    positions: slice
    rotations: slice
    velocities: slice
    foot_contacts: slice


FEATURE_SLICES: Final = FeatureSlices(
    root_rotation_velocity=slice(0, 1),
    root_linear_velocity=slice(1, 3),
    root_height=slice(3, 4),
    positions=slice(4, 67),
    rotations=slice(67, 193),
    velocities=slice(193, 259),
    foot_contacts=slice(259, 263),
)
"""Half the root's turn to the next frame [rad] (1), its step in x and z [m] (2), height [m] (1), positions of joints 1
to 21 [m] (21*3), their rotations in 6-D form (21*6), steps of all joints to the next frame [m] (22*3),
contacts of left ankle, left foot, right ankle, right foot (4)."""


def heading_matrix(forward: Tensor) -> Tensor:
    """Return the turn about +Y that brings a horizontal direction (x, z) ``(..., 2)`` to +Z: ``(..., 3, 3)``.

    A direction of length zero (lying on the side) counts as +Z.
    """
    length = torch.linalg.vector_norm(forward, dim=-1, keepdim=True)
    x, z = torch.where(length > _TINY, forward / length.clamp_min(_TINY), forward.new_tensor([0.0, 1.0])).unbind(-1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return torch.stack([z, zero, -x, zero, one, zero, x, zero, z], dim=-1).unflatten(-1, (3, 3))


def check_joints(joints: Tensor, *, frames: int) -> None:
    """Raise a ValueError unless joints are ``(..., T, 22, 3)`` of at least so many frames."""
    if joints.ndim < 3 or tuple(joints.shape[-2:]) != (NUM_JOINTS, 3) or joints.shape[-3] < frames:
        raise ValueError(
            f"joints have shape {tuple(joints.shape)}, expected (..., T, {NUM_JOINTS}, 3) with T >= {frames}; "
            "give world positions of SMPL's first 22 joints [m]"
        )


def check_features(features: Tensor) -> None:
    """Raise a ValueError unless features are ``(..., T, 263)`` of at least one frame."""
    if features.ndim < 2 or features.shape[-1] != NUM_FEATURES or features.shape[-2] < 1:
        raise ValueError(
            f"features have shape {tuple(features.shape)}, expected (..., T, {NUM_FEATURES}) with T >= 1; "
            "transpose MDM's (B, 263, 1, T) first"
        )
