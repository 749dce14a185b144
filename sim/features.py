"""HumanML3D's 263-number motion features: joint positions in, features out, and back.

Guo et al., "Generating Diverse and Natural 3D Human Motions from Text", CVPR 2022. A frame holds, seen from
the person's heading: root turn, root velocity, root height, joint positions, joint rotations, joint velocities, foot
contacts (:data:`FEATURE_SLICES`), all per frame at 20 fps, not per second. The joint rotations are swing only: they
turn the bone that *ends* at the joint and carry no twist, so a gyroscope cannot be derived from them; use sim.pose_fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from sim.conventions import FEATURE_FPS, JOINT_INDEX, NUM_FEATURES, NUM_JOINTS
from sim.motion import Motion
from sim.pose_fit import fit_pose
from sim.pose_fit.smoothing import gaussian_smooth
from sim.skeleton_t2m import FEET, retarget, swing_columns

CONTACT_THRESHOLD_M2: Final[float] = 0.002
"""A foot joint is in contact when its squared step to the next frame is below this [m^2] (``feet_thre``)."""

HEADING_SIGMA_FRAMES: Final[float] = 20.0
"""Standard deviation of the Gaussian that smooths the heading over time [frames]; cut off at four of them."""

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


def canonicalise(joints: Tensor) -> Tensor:
    """Put joints on the uniform skeleton, on the floor, at the origin and facing +Z at the first frame.

    Args:
        joints: world joint positions ``(..., T, 22, 3)`` [m], Y up.

    Returns:
        Joint positions ``(..., T, 22, 3)`` [m]: bone lengths of :mod:`sim.skeleton_t2m`, the clip's lowest joint at
        y = 0, the root of the first frame above the origin.

    Raises:
        ValueError: the shape is another one.
    """
    _check_joints(joints, frames=1)
    joints = retarget(joints)
    floor = joints[..., 1].amin(dim=(-2, -1), keepdim=True)
    origin = torch.stack([joints[..., :1, 0, 0], floor[..., 0], joints[..., :1, 0, 2]], dim=-1)
    joints = joints - origin[..., None, :]
    return joints @ _heading_matrix(_forward(joints[..., :1, :, :], hip_weight=1.0)).mT


def foot_contacts(joints: Tensor) -> Tensor:
    """Tell which feet stand still between frames.

    Args:
        joints: joint positions ``(..., T, 22, 3)`` [m] at 20 fps.

    Returns:
        1 where the joint moves by less than the square root of :data:`CONTACT_THRESHOLD_M2` to the next frame, else 0:
        ``(..., T-1, 4)`` for left ankle, left foot, right ankle, right foot. It has no gradient.
    """
    _check_joints(joints, frames=2)
    step = joints[..., list(FEET), :].diff(dim=-3)
    return (step.square().sum(dim=-1) < CONTACT_THRESHOLD_M2).to(joints.dtype)


def joints_to_features(joints: Tensor, *, fps: float = FEATURE_FPS) -> Tensor:
    """Turn joint positions into HumanML3D features.

    Args:
        joints: world joint positions ``(..., T, 22, 3)`` [m], Y up, T >= 2.
        fps: their frame rate [Hz]; must be 20, the features' own.

    Returns:
        Features ``(..., T-1, 263)``, laid out as in :data:`FEATURE_SLICES`; equal to the reference's to its float32
        rounding, but for one step: where the smoothed heading crosses -Z the reference flips the sign of the turn.

    Raises:
        ValueError: the shape or the rate is another one, or there are fewer than two frames.

    Examples:
        >>> from sim import Body
        >>> still = Motion(torch.eye(3).expand(41, 22, 3, 3), torch.zeros(41, 3), fps=20.0)
        >>> features = joints_to_features(Body.default().joints(still))
        >>> features.shape
        torch.Size([40, 263])
        >>> features[:, FEATURE_SLICES.foot_contacts].min()  # nobody moves: both feet stand
        tensor(1.)
    """
    if fps != FEATURE_FPS:
        raise ValueError(
            f"joints come at {fps} fps, expected {FEATURE_FPS:g}, HumanML3D's rate; "
            "resample the motion first, for instance with sim.trajectory.resample_motion"
        )
    _check_joints(joints, frames=2)
    joints = canonicalise(joints)
    heading = _smoothed_heading(joints)
    turn = heading[..., 1:, :, :] @ heading[..., :-1, :, :].mT
    half_turn = 0.5 * torch.atan2(turn[..., 0, 2], turn[..., 0, 0])
    step = joints.diff(dim=-3)
    root_step = torch.einsum("...ij,...j->...i", heading[..., 1:, :, :], step[..., 0, :])
    local = joints - joints[..., :1, :] * joints.new_tensor([1.0, 0.0, 1.0])
    local = local @ heading.mT
    parts = [
        half_turn[..., None],
        root_step[..., [0, 2]],
        joints[..., :-1, 0, 1:2],
        local[..., :-1, 1:, :].flatten(-2),
        swing_columns(joints, heading)[..., :-1, :, :].flatten(-2),
        (step @ heading[..., :-1, :, :].mT).flatten(-2),
        foot_contacts(joints),
    ]
    return torch.cat(parts, dim=-1)


def features_to_root(features: Tensor) -> tuple[Tensor, Tensor]:
    """Integrate the root's turn and velocity.

    Args:
        features: ``(..., T, 263)``, de-normalised.

    Returns:
        ``(heading (..., T, 3, 3), position (..., T, 3) [m])``: the heading maps world to the person's frame, a turn
        about +Y only; at the first frame it is the identity and the position is above the origin.

    Raises:
        ValueError: the last axis is not 263 wide or there is no frame.
    """
    _check_features(features)
    steps = features[..., :-1, :]
    angle = 2.0 * _integrate(steps[..., FEATURE_SLICES.root_rotation_velocity])[..., 0]
    heading = _heading_matrix(torch.stack([-torch.sin(angle), torch.cos(angle)], dim=-1))
    step_x, step_z = steps[..., FEATURE_SLICES.root_linear_velocity].unbind(-1)
    local_step = torch.stack([step_x, torch.zeros_like(step_x), step_z], dim=-1)
    world_step = torch.einsum("...ji,...j->...i", heading[..., 1:, :, :], local_step)
    position = _integrate(world_step)
    height = features[..., FEATURE_SLICES.root_height]
    return heading, torch.cat([position[..., :1], height, position[..., 2:]], dim=-1)


def features_to_joints(features: Tensor) -> Tensor:
    """Recover joint positions from the root's motion and the local positions (HumanML3D's recover_from_ric).

    Args:
        features: ``(..., T, 263)``, de-normalised; rotations, velocities and contacts in them are not used.

    Returns:
        Joint positions ``(..., T, 22, 3)`` [m], Y up, starting above the origin and facing +Z; differentiable.

    Raises:
        ValueError: the last axis is not 263 wide or there is no frame.

    Examples:
        >>> features = torch.zeros(40, 263)
        >>> features[:, FEATURE_SLICES.root_linear_velocity] = torch.tensor([0.0, 0.05])  # 5 cm a frame, forwards
        >>> joints = features_to_joints(features)
        >>> joints.shape, joints[-1, 0].round(decimals=2)
        (torch.Size([40, 22, 3]), tensor([0.0000, 0.0000, 1.9500]))
    """
    heading, root = features_to_root(features)
    local = features[..., FEATURE_SLICES.positions].unflatten(-1, (NUM_JOINTS - 1, 3))
    ground = root * root.new_tensor([1.0, 0.0, 1.0])
    return torch.cat([root[..., None, :], local @ heading + ground[..., None, :]], dim=-2)


def features_to_motion(
    features: Tensor, *, fps: float = FEATURE_FPS, text: str | Sequence[str] | None = None
) -> Motion:
    """Turn features into a Motion of the default body: positions by :func:`features_to_joints`, rotations by fit_pose.

    Args:
        features: ``(..., T, 263)``, de-normalised.
        fps: frame rate that the features stand for [Hz]; 20 for HumanML3D's.
        text: the caption that the motion carries on.

    Raises:
        ValueError: the last axis is not 263 wide, there is no frame, a number is not finite or ``fps`` is not positive.
    """
    return replace(fit_pose(features_to_joints(features), fps=fps), text=text)


def _forward(joints: Tensor, *, hip_weight: float) -> Tensor:
    """Return the horizontal direction (x, z) in front of shoulders and hips ``(..., T, 2)``.

    It is shorter than one where the person's left-right axis is not level.
    """
    left_hip, right_hip, left_shoulder, right_shoulder = (
        joints[..., JOINT_INDEX[f"{side}_{part}"], :] for part in ("hip", "shoulder") for side in ("left", "right")
    )
    across = left_shoulder - right_shoulder + hip_weight * (left_hip - right_hip)
    across = functional.normalize(across, dim=-1, eps=_TINY)
    return torch.stack([-across[..., 2], across[..., 0]], dim=-1)


def _smoothed_heading(joints: Tensor) -> Tensor:
    """Return the smoothed heading as matrices world -> person ``(..., T, 3, 3)``; the first one is the identity."""
    # The reference exchanges left and right hip here (not when it turns the clip to +Z), so that the hips count
    # against the shoulders. All published features carry this, and so must ours.
    forward = _forward(joints, hip_weight=-1.0)
    heading = _heading_matrix(gaussian_smooth(forward, sigma_frames=HEADING_SIGMA_FRAMES, ends="hold"))
    first = torch.eye(3, dtype=heading.dtype, device=heading.device).expand(*heading.shape[:-3], 1, 3, 3)
    return torch.cat([first, heading[..., 1:, :, :]], dim=-3)


def _heading_matrix(forward: Tensor) -> Tensor:
    """Return the turn about +Y that brings a horizontal direction (x, z) ``(..., 2)`` to +Z: ``(..., 3, 3)``.

    A direction of length zero (lying on the side) counts as +Z.
    """
    length = torch.linalg.vector_norm(forward, dim=-1, keepdim=True)
    x, z = torch.where(length > _TINY, forward / length.clamp_min(_TINY), forward.new_tensor([0.0, 1.0])).unbind(-1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return torch.stack([z, zero, -x, zero, one, zero, x, zero, z], dim=-1).unflatten(-1, (3, 3))


def _integrate(steps: Tensor) -> Tensor:
    """Sum steps ``(..., T-1, K)`` up from zero: ``(..., T, K)``."""
    return functional.pad(torch.cumsum(steps, dim=-2), (0, 0, 1, 0))


def _check_joints(joints: Tensor, *, frames: int) -> None:
    if joints.ndim < 3 or tuple(joints.shape[-2:]) != (NUM_JOINTS, 3) or joints.shape[-3] < frames:
        raise ValueError(
            f"joints have shape {tuple(joints.shape)}, expected (..., T, {NUM_JOINTS}, 3) with T >= {frames}; "
            "give world positions of SMPL's first 22 joints [m]"
        )


def _check_features(features: Tensor) -> None:
    if features.ndim < 2 or features.shape[-1] != NUM_FEATURES or features.shape[-2] < 1:
        raise ValueError(
            f"features have shape {tuple(features.shape)}, expected (..., T, {NUM_FEATURES}) with T >= 1; "
            "transpose MDM's (B, 263, 1, T) first"
        )
