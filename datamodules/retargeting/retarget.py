"""SkeletonMotion -> Motion: source bones drive SMPL-22 through a declared map and an alignment of the rest poses.

Rotations are carried over, not refitted to joint positions, so that forearm pronation and head yaw stay what the
source measured. Sizes are not: the root path is scaled by the ratio of leg lengths, so that feet stay where they step.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from datamodules.formats.skeleton import FloatArray, SkeletonMotion
from sim.body import Body
from sim.conventions import JOINT_INDEX, JOINT_NAMES, NUM_JOINTS, PARENTS
from sim.motion import Motion

ALIGNED_BONES = MappingProxyType(
    {
        "left_hip": "left_knee",
        "right_hip": "right_knee",
        "left_knee": "left_ankle",
        "right_knee": "right_ankle",
        "left_ankle": "left_foot",
        "right_ankle": "right_foot",
        "left_shoulder": "left_elbow",
        "right_shoulder": "right_elbow",
        "left_elbow": "left_wrist",
        "right_elbow": "right_wrist",
    }
)
"""SMPL bones (head joint, tail joint) whose direction in the source's rest pose may differ from SMPL's."""

LIMB_RADIUS_M: Final[float] = 0.05
TRUNK_RADIUS_M: Final[float] = 0.09
"""Half the thickness of limbs, and of trunk and head, for lying and rolling [m]; feet use the body's own sole."""

STANDING_SHARE: Final[float] = 0.8
"""A pelvis this far above the soles, as a share of where it is at rest, is that of a person who stands."""

STANDING_S: Final[float] = 0.25
"""Less of it tells no floor [s]."""

SIDES = ("left", "right")
LEGS = (("hip", "knee"), ("knee", "ankle"))

_FEET: Final = [JOINT_INDEX[f"{side}_{name}"] for side in SIDES for name in ("ankle", "foot")]


@dataclass(frozen=True)
class SkeletonMap:
    """How a source skeleton drives SMPL-22.

    Trunk, neck, head, collars and feet take the source's rotation as it is: both rest poses stand upright and face +Z.
    Arms and legs are first turned from SMPL's rest direction to the source's.

    Attributes:
        joints: source joint at the place of each SMPL joint that ends or starts an aligned bone.
        drivers: source joint(s) whose global rotation an SMPL joint takes: one name, or two that are averaged where the
            source has fewer joints than SMPL or more.
        twists: source joint whose turn about the bone an SMPL joint takes over, where the source's hand pronates
            instead of its forearm.
        aligned_feet: also turn feet from SMPL's rest direction to the source's (rest poses with pointed feet).
        twist_deg: extra turn about a bone, for sources whose rest pose has the arm's own axis turned [deg].
        frames_deg: axes that a joint's rotation is given in, where they are not the world's at rest: turns about the
            fixed x, y and z [deg]. They take the place of the alignment.
        sole_pitch_deg: how far below level the source's bone from ankle to toes points while the sole lies flat [deg],
            for aligned feet; None takes SMPL's.
        feet_with_legs: the feet of the rest pose do not stand: where its legs are splayed, they lean as far.
    """

    joints: dict[str, str]
    drivers: dict[str, str | tuple[str, str]]
    twists: dict[str, str] = field(default_factory=dict)
    aligned_feet: bool = False
    twist_deg: dict[str, float] = field(default_factory=dict)
    frames_deg: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    sole_pitch_deg: float | None = None
    feet_with_legs: bool = False

    @property
    def declares_frames(self) -> bool:
        """Whether every joint's frame is declared, so that the rest pose need not be one of a person."""
        return set(JOINT_NAMES) <= set(self.frames_deg)


def retarget(source: SkeletonMotion, skeleton: SkeletonMap, *, body: Body | None = None) -> Motion:
    """Move SMPL-22 as a source skeleton moves.

    Args:
        source: motion in metres; Y up, facing +Z in its rest pose.
        skeleton: names of the source's joints for SMPL's.
        body: whose proportions to use; None takes ``Body.default()``.

    Returns:
        A Motion at the source's frame rate, float32; standing on y = 0 (see :func:`put_on_floor`).

    Raises:
        ValueError: the map names joints that the source lacks.
    """
    body = body if body is not None else Body.default()
    rest = body.rest_joints.detach().cpu().numpy().astype(np.float64).reshape(NUM_JOINTS, 3)
    rotations = np.stack(
        [_drive(source, skeleton, name) @ _align(source, skeleton, name, rest) for name in JOINT_NAMES], 1
    )
    translation = _carry_root(source, skeleton, rest, rotations[:, 0])
    local = rotations.copy()
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            local[:, joint] = rotations[:, parent].transpose(0, 2, 1) @ rotations[:, joint]
    motion = Motion(torch.from_numpy(local).float(), torch.from_numpy(translation).float(), source.fps)
    return put_on_floor(motion, body=body)


def describe_skeleton(motion: Motion, body: Body) -> SkeletonMotion:
    """Return a motion of a body of its own shape as a source to be retargeted ``(T, 22)``, joints named as SMPL's."""
    positions, rotations = body.forward_kinematics(motion)
    rest = body.rest_joints.detach().cpu().double().numpy().reshape(NUM_JOINTS, 3)
    offsets = np.array([rest[joint] - (rest[parent] if parent >= 0 else 0.0) for joint, parent in enumerate(PARENTS)])
    return SkeletonMotion(
        tuple(JOINT_NAMES),
        tuple(PARENTS),
        offsets,
        rotations.double().numpy(),
        positions.double().numpy(),
        motion.fps,
    )


def scale_of_legs(rest: FloatArray) -> float:
    """Return the length of both legs along their bones of rest joints ``(22, 3)`` [m]."""
    return float(
        sum(
            np.linalg.norm(rest[JOINT_INDEX[f"{side}_{lower}"]] - rest[JOINT_INDEX[f"{side}_{upper}"]])
            for side in SIDES
            for upper, lower in LEGS
        )
    )


def put_on_floor(motion: Motion, *, body: Body | None = None, by: Motion | None = None) -> Motion:
    """Shift a motion so that its feet stand on y = 0, or where it never stands, what lies lowest.

    Where a body lies or crawls, its joints in a recording may be below the floor that its feet stand on; so feet count
    where they stand. The 2nd percentile over frames is used, so that a single bad frame or a toe that dips does not
    lift the whole clip.

    Args:
        motion: one motion ``(T, 22, 3, 3)``.
        body: whose joints to use; None takes ``Body.default()``.
        by: frames of the motion that tell where the floor is; None takes all of it.

    Returns:
        The motion, moved along y.
    """
    body = body if body is not None else Body.default()
    joints, _ = body.forward_kinematics(by if by is not None else motion)
    heights = joints[..., 1] - _clearance(body).to(joints)
    feet = heights[..., _FEET].amin(dim=-1)
    hip = body.rest_joints[JOINT_INDEX["pelvis"], 1] - body.rest_vertices[..., 1].min()
    standing = joints[..., 0, 1] - feet > STANDING_SHARE * hip.to(joints)
    lowest = feet[standing] if int(standing.sum()) >= STANDING_S * motion.fps else heights.amin(dim=-1)
    shift = torch.tensor([0.0, 1.0, 0.0], dtype=motion.translation.dtype) * torch.quantile(lowest, 0.02)
    return replace(motion, translation=motion.translation - shift)


def _clearance(body: Body) -> Tensor:
    """How far each joint is above what it touches the floor with ``(22,)`` [m]."""
    rest, sole = body.rest_joints, body.rest_vertices[..., 1].min()
    clearance = torch.full((NUM_JOINTS,), LIMB_RADIUS_M, dtype=rest.dtype)
    for name in ("pelvis", "spine1", "spine2", "spine3", "head"):
        clearance[JOINT_INDEX[name]] = TRUNK_RADIUS_M
    for side in SIDES:
        for name in ("ankle", "foot"):
            clearance[JOINT_INDEX[f"{side}_{name}"]] = rest[JOINT_INDEX[f"{side}_{name}"], 1] - sole
    return clearance


def _drive(source: SkeletonMotion, skeleton: SkeletonMap, joint: str) -> FloatArray:
    """Global rotation ``(T, 3, 3)`` that the source gives an SMPL joint."""
    driver = skeleton.drivers[joint]
    if isinstance(driver, str):
        rotations = source.rotations[:, source.index(driver)]
        if joint in skeleton.twists:
            axis = _rest_bone(source, skeleton, joint)
            return rotations @ _take_twist(rotations, source.rotations[:, source.index(skeleton.twists[joint])], axis)
        return rotations
    first, second = (source.rotations[:, source.index(name)] for name in driver)
    half = Rotation.from_matrix(first.transpose(0, 2, 1) @ second).as_rotvec() / 2
    return first @ Rotation.from_rotvec(half).as_matrix()


def _align(source: SkeletonMotion, skeleton: SkeletonMap, joint: str, rest: FloatArray) -> FloatArray:
    """Constant rotation ``(3, 3)`` from SMPL's rest bone to the source's rest bone."""
    # Hand and toes have no bone of their own in 22 joints: a hand lies along the forearm, toes along the foot.
    if joint not in skeleton.frames_deg:
        joint = joint.replace("wrist", "elbow").replace("foot", "ankle")
    if joint in skeleton.frames_deg:
        return frame_of(skeleton, joint)
    if joint.endswith("ankle") and skeleton.feet_with_legs:
        knee, shank = joint.replace("ankle", "knee"), rest[JOINT_INDEX[joint]]
        lean = _splay(_rest_bone(source, skeleton, knee)) - _splay(shank - rest[JOINT_INDEX[knee]])
        return Rotation.from_euler("z", lean).as_matrix()
    if joint not in ALIGNED_BONES or (joint.endswith("ankle") and not skeleton.aligned_feet):
        return np.eye(3)
    goal = _rest_bone(source, skeleton, joint)
    start = rest[JOINT_INDEX[ALIGNED_BONES[joint]]] - rest[JOINT_INDEX[joint]]
    start = start / np.linalg.norm(start)
    axis = np.cross(start, goal)
    sine, cosine = np.linalg.norm(axis), float(start @ goal)
    swing = Rotation.from_rotvec(axis / max(sine, 1e-12) * np.arctan2(sine, cosine))
    twist = Rotation.from_rotvec(goal * np.deg2rad(skeleton.twist_deg.get(joint, 0.0)))
    if joint.endswith("ankle") and skeleton.sole_pitch_deg is not None:
        # An ankle high above the toes makes a steep bone, not a foot on its toes.
        pitch = np.rad2deg(np.arcsin(-start[1])) - skeleton.sole_pitch_deg
        return (twist * swing * Rotation.from_euler("x", pitch, degrees=True)).as_matrix()
    return (twist * swing).as_matrix()


def frame_of(skeleton: SkeletonMap, joint: str) -> FloatArray:
    """Return the rotation ``(3, 3)`` from SMPL's frame of a joint at rest to the one that a map declares for it."""
    return Rotation.from_euler("xyz", skeleton.frames_deg[joint], degrees=True).as_matrix().T


def _splay(bone: FloatArray) -> float:
    """How far a bone that hangs leans to +x [rad]."""
    return float(np.arctan2(bone[0], -bone[1]))


def _take_twist(parent: FloatArray, child: FloatArray, axis: FloatArray) -> FloatArray:
    """The part of a child's rotation relative to its parent that turns about an axis ``(T, 3, 3)``."""
    quaternion = Rotation.from_matrix(parent.transpose(0, 2, 1) @ child).as_quat()
    angle = 2 * np.arctan2(quaternion[:, :3] @ axis, quaternion[:, 3])
    return Rotation.from_rotvec(angle[:, None] * axis).as_matrix()


def _rest_bone(source: SkeletonMotion, skeleton: SkeletonMap, joint: str) -> FloatArray:
    """Unit vector along the source's bone of an SMPL joint, in the rest pose."""
    bone = _rest_position(source, skeleton.joints[ALIGNED_BONES[joint]]) - _rest_position(
        source, skeleton.joints[joint]
    )
    return bone / np.linalg.norm(bone)


def _rest_position(source: SkeletonMotion, name: str) -> FloatArray:
    index = source.index(name)
    position: NDArray[np.float64] = np.zeros(3)
    while index >= 0:
        position = position + source.offsets[index]
        index = source.parents[index]
    return position


def _carry_root(source: SkeletonMotion, skeleton: SkeletonMap, rest: FloatArray, pelvis: FloatArray) -> FloatArray:
    """World position of SMPL's pelvis ``(T, 3)``: its hips stay over the source's, scaled by leg length."""
    hips = np.mean([source.positions[:, source.index(skeleton.joints[f"{side}_hip"])] for side in SIDES], axis=0)
    lengths = []
    for side in SIDES:
        for upper, lower in LEGS:
            ends = [f"{side}_{upper}", f"{side}_{lower}"]
            own = np.linalg.norm(rest[JOINT_INDEX[ends[1]]] - rest[JOINT_INDEX[ends[0]]])
            theirs = np.linalg.norm(
                _rest_position(source, skeleton.joints[ends[1]]) - _rest_position(source, skeleton.joints[ends[0]])
            )
            lengths.append((own, theirs))
    own_total, their_total = np.sum(lengths, axis=0)
    if their_total <= 0:
        raise ValueError("the source's legs have no length at rest; check that its offsets are in metres")
    middle = np.mean([rest[JOINT_INDEX[f"{side}_hip"]] for side in SIDES], axis=0) - rest[0]
    return hips * (own_total / their_total) - pelvis @ middle
