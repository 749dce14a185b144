"""HumanML3D's 263-number motion features: joint positions in, features out.

Guo et al., "Generating Diverse and Natural 3D Human Motions from Text", CVPR 2022. A frame holds, seen from
the person's heading: root turn, root velocity, root height, joint positions, joint rotations, joint velocities, foot
contacts (:data:`FEATURE_SLICES`), all per frame at 20 fps, not per second. The joint rotations are swing only: they
turn the bone that *ends* at the joint and carry no twist, so a gyroscope cannot be derived from them; use sim.pose_fit.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from sim.conventions import FEATURE_FPS, JOINT_INDEX
from sim.features.layout import check_joints, heading_matrix
from sim.pose_fit.smoothing import gaussian_smooth
from sim.skeleton_t2m import FEET, retarget, swing_columns

CONTACT_THRESHOLD_M2: Final[float] = 0.002
"""A foot joint is in contact when its squared step to the next frame is below this [m^2] (``feet_thre``)."""

HEADING_SIGMA_FRAMES: Final[float] = 20.0
"""Standard deviation of the Gaussian that smooths the heading over time [frames]; cut off at four of them."""

_TINY: Final[float] = 1e-8
_TOLD, _CHANCE = 0.7, 0.4  # length from above, or rise of the trunk, that tells a direction, and one that does not
_LOW_M = 0.45  # above it nobody's pelvis lies on the floor


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
    check_joints(joints, frames=1)
    joints = retarget(joints)
    floor = joints[..., 1].amin(dim=(-2, -1), keepdim=True)
    origin = torch.stack([joints[..., :1, 0, 0], floor[..., 0], joints[..., :1, 0, 2]], dim=-1)
    joints = joints - origin[..., None, :]
    return joints @ heading_matrix(_told_forward(joints[..., :1, :, :], hip_weight=1.0)).mT


def foot_contacts(joints: Tensor) -> Tensor:
    """Tell which feet stand still between frames.

    Args:
        joints: joint positions ``(..., T, 22, 3)`` [m] at 20 fps.

    Returns:
        1 where the joint moves by less than the square root of :data:`CONTACT_THRESHOLD_M2` to the next frame, else 0:
        ``(..., T-1, 4)`` for left ankle, left foot, right ankle, right foot. It has no gradient.
    """
    check_joints(joints, frames=2)
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
        >>> from sim import Body, Motion
        >>> from sim.features import FEATURE_SLICES
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
    check_joints(joints, frames=2)
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


def _told_forward(joints: Tensor, *, hip_weight: float) -> Tensor:
    """Return :func:`_forward`, and where that is a matter of chance the chest's direction (docs/decisions/044)."""
    forward = _forward(joints, hip_weight=hip_weight)
    return forward + _sideways_share(joints, forward) * _chest_direction(joints)


def _chest_direction(joints: Tensor) -> Tensor:
    """Return where the chest points to, seen from above ``(..., T, 2)``, shorter than one where it is not level."""
    left_hip, right_hip, left_shoulder, right_shoulder, neck, pelvis = (
        joints[..., JOINT_INDEX[name], :]
        for name in ("left_hip", "right_hip", "left_shoulder", "right_shoulder", "neck", "pelvis")
    )
    across = left_shoulder - right_shoulder + left_hip - right_hip
    return functional.normalize(torch.linalg.cross(across, neck - pelvis), dim=-1, eps=_TINY)[..., [0, 2]]


def _sideways_share(joints: Tensor, forward: Tensor) -> Tensor:
    """Return how far a person lies on a side ``(..., T, 1)``: 0 wherever the reference's heading can be told, up to 1.

    There the pelvis is low, the trunk level and its left-right axis upright, whose direction from above is then a
    matter of chance. (The pelvis of a person who turns a cartwheel is not low.)
    """
    height = joints[..., JOINT_INDEX["pelvis"], 1] - joints[..., 1].amin(dim=(-2, -1))[..., None]
    trunk = joints[..., JOINT_INDEX["neck"], :] - joints[..., JOINT_INDEX["pelvis"], :]
    rise = functional.normalize(trunk, dim=-1, eps=_TINY)[..., 1].abs()
    shares = [((_TOLD - size) / (_TOLD - _CHANCE)).clamp(0, 1) for size in (forward.norm(dim=-1), rise)]
    return (shares[0] * shares[1] * (height < _LOW_M))[..., None]


def _smoothed_heading(joints: Tensor) -> Tensor:
    """Return the smoothed heading as matrices world -> person ``(..., T, 3, 3)``; the first one is the identity."""
    # The reference exchanges left and right hip here (not when it turns the clip to +Z), so that the hips count
    # against the shoulders. All published features carry this, and so must ours.
    forward = _told_forward(joints, hip_weight=-1.0)
    heading = heading_matrix(gaussian_smooth(forward, sigma_frames=HEADING_SIGMA_FRAMES, ends="hold"))
    first = torch.eye(3, dtype=heading.dtype, device=heading.device).expand(*heading.shape[:-3], 1, 3, 3)
    return torch.cat([first, heading[..., 1:, :, :]], dim=-3)
