"""Joint positions to a Motion: analytic inverse kinematics with constant bone lengths, smooth in time, differentiable.

Pelvis and chest are seen whole (hips and spine; neck and collars). Every other bone is seen as a direction only. Its
twist comes from the plane in which the elbow or knee bends (sim.pose_fit.limbs), from the trunk (spine, collars, neck),
or, where 22 joints do not tell at all (forearm pronation, head turn), from a stated :class:`TwistPrior`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from sim.body import Body
from sim.conventions import JOINT_INDEX, NUM_JOINTS, PARENTS
from sim.motion import Motion
from sim.pose_fit.limbs import LEFT_ARM, LEFT_LEG, RIGHT_ARM, RIGHT_LEG, fit_limb, frame_from, swing_onto
from sim.pose_fit.noise import believe, relative_stretch
from sim.precision import full_precision
from sim.rotations import axis_angle_to_matrix, matrix_from_6d, matrix_to_6d

SHOULDER_SHARE: Final[float] = 0.5
"""Weight of the shoulders against the collars for the chest's turn.

Collars are fixed to the chest but only 4 cm apart: 3 mm of noise at 20 Hz then is 2.8 rad/s in the chest's rate; this
weight makes it 1.1 rad/s. The price is that a shoulder drawn forward by 10 degrees turns the chest by about 3.
"""


@dataclass(frozen=True)
class TwistPrior:
    """Turns that 22 joint positions do not show, and the values they take instead.

    Each is a number or a tensor that broadcasts with the motion's ``(..., T)``, so that experiments can jitter them.

    Attributes:
        forearm_pronation_rad: turn of forearm and hand about the forearm; positive turns the palms of hanging arms to
            the back [rad]. 0 is the T-pose's: the thumb is on the side to which the elbow bends.
        head_yaw_rad: turn of the head on the neck, positive to the person's left [rad]; 0 faces where the chest does.
    """

    forearm_pronation_rad: float | Tensor = 0.0
    head_yaw_rad: float | Tensor = 0.0

    def __post_init__(self) -> None:
        for name in ("forearm_pronation_rad", "head_yaw_rad"):
            if not bool(torch.as_tensor(getattr(self, name)).isfinite().all()):
                raise ValueError(f"{name} is NaN or infinite, expected angles in radians")


@full_precision()
def fit_pose(
    joints: Tensor,
    *,
    fps: float,
    body: Body | None = None,
    twist_prior: TwistPrior | None = None,
    joint_noise_m: float = 1e-3,
) -> Motion:
    """Fit a body's joint rotations to joint positions.

    Bone directions are taken over and bone lengths are the body's. The root's path is scaled by the ratio of the leg
    lengths, body to joints, so that feet neither slide nor leave the floor at y = 0; the ratio is 1 for joints that
    came from the same body. Frames whose joints all coincide (the zero padding of batches) count as resting, and a clip
    followed by them is fitted as it is alone.

    Args:
        joints: world positions ``(..., T, 22, 3)`` [m], Y up.
        fps: frame rate [Hz].
        body: whose bones the Motion is for; :meth:`sim.body.Body.default` if None. Its rest pose must be a T facing +Z.
        twist_prior: values of the turns that joints do not show; all zero if None.
        joint_noise_m: standard deviation of the noise in each coordinate [m]. Elbows and knees bent by no more than it
            could feign do not count for the twist of their limbs.

    Returns:
        A Motion with the dtype and leading dims of ``joints`` (broadcast with the body's shapes).

    Raises:
        ValueError: the shape is another one, a coordinate is not finite, or the rate or the noise is out of range.
    """
    _check(joints, fps)
    if not 0 <= joint_noise_m < math.inf:
        raise ValueError(f"joint_noise_m is {joint_noise_m}, expected zero or a positive number of metres")
    body = Body.default() if body is None else body
    rest = body.rest_joints.to(joints).unsqueeze(-3)
    rotations = fit_rotations(joints, rest, fps=fps, twist_prior=twist_prior, joint_noise_m=joint_noise_m)
    translation = joints[..., 0, :] * _scale(joints, rest)[..., None]
    translation = translation.expand(*rotations.shape[:-3], 3)
    return Motion(rotations, translation, fps)


@full_precision()
def fit_rotations(
    joints: Tensor,
    rest: Tensor,
    *,
    fps: float,
    twist_prior: TwistPrior | None = None,
    joint_noise_m: float = 1e-3,
) -> Tensor:
    """Return local rotations ``(..., T, 22, 3, 3)`` that turn a rest skeleton's bones into the directions of joints.

    Args:
        joints: world positions ``(..., T, 22, 3)`` [m].
        rest: the T-pose ``(..., 1, 22, 3)`` [m], Y up, facing +Z.
        fps: frame rate [Hz].
        twist_prior: see :func:`fit_pose`.
        joint_noise_m: see :func:`fit_pose`.
    """
    prior = TwistPrior() if twist_prior is None else twist_prior
    resting = _is_collapsed(joints)
    joints = torch.where(resting[..., None, None], rest, joints)
    seen = ~resting
    to_world = _fit_trunk(joints, rest, seen=seen, fps=fps)
    pelvis, chest = to_world[0], to_world[JOINT_INDEX["spine3"]]
    for limb, parent in ((LEFT_ARM, chest), (RIGHT_ARM, chest), (LEFT_LEG, pelvis), (RIGHT_LEG, pelvis)):
        upper, lower = fit_limb(
            limb, parent=parent, joints=joints, rest=rest, fps=fps, joint_noise_m=joint_noise_m, seen=seen
        )
        to_world[limb.root], to_world[limb.hinge] = upper, lower
        if limb.tip is None:
            # Pronation is right-handed about the left forearm and left-handed about the right one.
            side = 1.0 if limb is LEFT_ARM else -1.0
            bone = rest[..., limb.end, :] - rest[..., limb.hinge, :]
            to_world[limb.hinge] = lower @ _turn_about(side * bone, prior.forearm_pronation_rad)
            to_world[limb.end] = to_world[limb.hinge]
        else:
            to_world[limb.end] = to_world[limb.tip] = _swing(lower, limb.end, limb.tip, joints, rest)
    head = to_world[JOINT_INDEX["neck"]] @ _turn_about(rest.new_tensor([0.0, 1.0, 0.0]), prior.head_yaw_rad)
    to_world[JOINT_INDEX["head"]] = head
    stacked = torch.stack(torch.broadcast_tensors(*(to_world[joint] for joint in range(NUM_JOINTS))), dim=-3)
    local = stacked[..., list(PARENTS[1:]), :, :].mT @ stacked[..., 1:, :, :]
    return torch.cat([stacked[..., :1, :, :], local], dim=-3)


def _fit_trunk(joints: Tensor, rest: Tensor, *, seen: Tensor, fps: float) -> dict[int, Tensor]:
    """Return rotations to world of pelvis, spine, collars and neck, each ``(..., T, 3, 3)``, by joint."""
    index = JOINT_INDEX
    pelvis_noise, chest_noise = _trunk_noise(joints, seen=seen, fps=fps)
    pelvis, chest = (
        frame_from(
            *(
                believe(normalize(vector, dim=-1), noise, seen=seen, fps=fps)
                for vector, noise in zip(vectors(joints), noises, strict=True)
            )
        )
        @ frame_from(*vectors(rest)).mT
        for vectors, noises in ((_pelvis_vectors, pelvis_noise), (_chest_vectors, chest_noise))
    )
    to_world = {0: pelvis, index["spine3"]: chest}
    for share, joint, child in ((1 / 3, "spine1", "spine2"), (2 / 3, "spine2", "spine3")):
        # Between the two the spine's twist is taken to be spread evenly.
        between = matrix_from_6d(torch.lerp(matrix_to_6d(pelvis), matrix_to_6d(chest), share))
        to_world[index[joint]] = _believed_swing(between, index[joint], index[child], joints, rest, seen=seen, fps=fps)
    for joint, child in (("left_collar", "left_shoulder"), ("right_collar", "right_shoulder"), ("neck", "head")):
        to_world[index[joint]] = _believed_swing(chest, index[joint], index[child], joints, rest, seen=seen, fps=fps)
    return to_world


def _pelvis_vectors(joints: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pelvis's left and up directions."""
    left, right = joints[..., JOINT_INDEX["left_hip"], :], joints[..., JOINT_INDEX["right_hip"], :]
    return left - right, joints[..., JOINT_INDEX["spine1"], :] - 0.5 * (left + right)


def _chest_vectors(joints: Tensor) -> tuple[Tensor, Tensor]:
    """Return the chest's up and left directions."""
    left, right = (
        joints[..., JOINT_INDEX[f"{side}_collar"], :] + SHOULDER_SHARE * joints[..., JOINT_INDEX[f"{side}_shoulder"], :]
        for side in ("left", "right")
    )
    return joints[..., JOINT_INDEX["neck"], :] - joints[..., JOINT_INDEX["spine3"], :], left - right


def _trunk_noise(joints: Tensor, *, seen: Tensor, fps: float) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return the variance that noise gives the directions of pelvis and chest, each ``(..., 1)`` [rad^2]."""
    left, up = (relative_stretch(vector, seen=seen, fps=fps) for vector in _pelvis_vectors(joints))
    rise, across = _chest_vectors(joints)
    # Shoulders move on the chest: what noise does to them is told by the collars, which do not.
    collars = joints[..., JOINT_INDEX["left_collar"], :] - joints[..., JOINT_INDEX["right_collar"], :]
    wide = relative_stretch(across, of=collars, seen=seen, fps=fps) * (1 + SHOULDER_SHARE**2)
    return (left, up), (relative_stretch(rise, seen=seen, fps=fps), wide)


def _swing(reference: Tensor, joint: int, child: int, joints: Tensor, rest: Tensor) -> Tensor:
    return swing_onto(
        reference, rest[..., child, :] - rest[..., joint, :], joints[..., child, :] - joints[..., joint, :]
    )


def _believed_swing(
    reference: Tensor, joint: int, child: int, joints: Tensor, rest: Tensor, *, seen: Tensor, fps: float
) -> Tensor:
    """Swing a short bone, whose noise would turn it more than the body does (:mod:`sim.pose_fit.noise`)."""
    bone = joints[..., child, :] - joints[..., joint, :]
    noise = relative_stretch(bone, seen=seen, fps=fps)
    carried = (reference.mT @ normalize(bone, dim=-1)[..., None])[..., 0]
    believed = believe(carried, noise, seen=seen, fps=fps)
    return swing_onto(reference, rest[..., child, :] - rest[..., joint, :], (reference @ believed[..., None])[..., 0])


def _turn_about(axis: Tensor, angle_rad: float | Tensor) -> Tensor:
    angle = torch.as_tensor(angle_rad, dtype=axis.dtype, device=axis.device)
    return axis_angle_to_matrix(normalize(axis, dim=-1) * angle[..., None])


def _scale(joints: Tensor, rest: Tensor) -> Tensor:
    """Return the leg length of the rest pose over that of the joints, frames without legs left out: ``(..., 1)``."""
    length, expected = _leg_length(joints), _leg_length(rest)
    weight = (~_is_collapsed(joints)).to(length)
    mean = (length * weight).sum(dim=-1, keepdim=True) / weight.sum(dim=-1, keepdim=True).clamp_min(1.0)
    return torch.where(mean > 0, expected / torch.where(mean > 0, mean, 1.0), 1.0)


def _is_collapsed(joints: Tensor) -> Tensor:
    return _leg_length(joints) < 1e-3


def _leg_length(joints: Tensor) -> Tensor:
    """Return the mean length of both legs, hip to ankle along the bones ``(..., T)`` [m]."""
    bones = [joints[..., b, :] - joints[..., a, :] for limb in (LEFT_LEG, RIGHT_LEG) for a, b in limb.bones]
    return 0.5 * torch.linalg.vector_norm(torch.stack(bones), dim=-1).sum(dim=0)


def _check(joints: Tensor, fps: float) -> None:
    if joints.ndim < 3 or tuple(joints.shape[-2:]) != (NUM_JOINTS, 3) or joints.shape[-3] < 1:
        raise ValueError(
            f"joints have shape {tuple(joints.shape)}, expected (..., T, {NUM_JOINTS}, 3) with T >= 1; "
            "give world positions of SMPL's first 22 joints [m]"
        )
    if joints.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"joints are {joints.dtype}, expected float32 or float64; convert with .to(torch.float32)")
    if not fps > 0:
        raise ValueError(f"fps is {fps}, expected a positive number of frames per second")
    finite = torch.isfinite(joints).flatten(-2).all(dim=-1)
    if not bool(finite.all()):
        frame = int(torch.nonzero(~finite)[0, -1])
        raise ValueError(
            f"joints hold NaN or infinite coordinates (first at frame {frame}), expected finite metres; "
            "fill or cut those frames first"
        )
