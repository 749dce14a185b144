"""Rest poses of any kind, brought to one that stands upright and faces +Z, so that retargeting can take them over.

Most BVH files rest in a T- or A-pose along the world's axes: at most the whole skeleton is turned. Some (Character
Creator, LAFAN1, Bandai-Namco) rest in no pose at all: every bone lies along an axis of its own frame. There the frame
of each joint is found from the motion: :func:`sim.pose_fit.fit_pose` says how SMPL's bones are turned in each frame,
the mean over frames of what lies between the two is constant, and it is moved to the joint's nearest axes, so that it
does not depend on the clip.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from datamodules.formats.skeleton import Z_UP_TO_Y_UP, FloatArray, SkeletonMotion, Up
from datamodules.retargeting.retarget import ALIGNED_BONES, SIDES, SkeletonMap
from sim.body import Body
from sim.conventions import JOINT_INDEX, JOINT_NAMES, NUM_JOINTS
from sim.pose_fit import fit_pose

STANDING_COSINE: Final[float] = 0.5
"""Legs within 60 degrees of straight down from the trunk: the rest pose stands."""

FACING_COSINE: Final[float] = float(np.cos(np.deg2rad(20.0)))
"""A standing rest pose this near to facing +Z is taken as it is: hips are not measured better."""

SNAP_COSINE: Final[float] = float(np.cos(np.deg2rad(35.0)))
"""A joint's frame this near to its bone's own axes is moved onto them."""

HAND_PRIOR: Final[float] = 0.3
"""Weight of the forearm's frame against the hand's own measured one."""

MAX_FRAMES: Final[int] = 400
"""Frames that the mean is taken over, evenly spread."""

_AXES: Final[FloatArray] = np.concatenate([np.eye(3), -np.eye(3)])


def turn_up(source: SkeletonMotion, skeleton: SkeletonMap, *, up: Up | None = None) -> tuple[SkeletonMotion, Up]:
    """Turn a world whose Z axis points up to Y up.

    Args:
        source: motion as it was read.
        skeleton: names of its joints.
        up: the axis that points up; None takes Z if the rest pose stands along Z and the trunk keeps to Z in the
            motion too, else Y, which is what BVH is written with.

    Returns:
        The motion with Y up, and which axis was up.
    """
    if up is None:
        trunk = source.positions[:, source.index(_first(skeleton, "neck"))] - _middle_of_hips(source, skeleton)
        mean = trunk.mean(axis=0) / np.linalg.norm(trunk.mean(axis=0))
        rest = _trunk_frame(source, skeleton)[:, 1]
        up = "z" if mean[2] > 0.8 and rest[2] > 0.8 and is_standing(source, skeleton) else "y"
    if up == "y":
        return source, up
    return replace(source, rotations=Z_UP_TO_Y_UP @ source.rotations, positions=source.positions @ Z_UP_TO_Y_UP.T), up


def align_rest(source: SkeletonMotion, skeleton: SkeletonMap, *, body: Body | None = None) -> SkeletonMotion:
    """Describe the same motion with a rest pose that stands upright and faces +Z.

    World positions stay as they are; rotations and offsets count from the new rest pose. A rest pose that stands
    upright and faces +Z already is returned unchanged.

    Args:
        source: motion in metres, Y up.
        skeleton: names of its joints.
        body: whose rest pose is aligned to; None takes ``Body.default()``.

    Raises:
        ValueError: the map names joints that the source lacks.
    """
    if is_standing(source, skeleton):
        frame = _trunk_frame(source, skeleton)
        if frame[1, 1] > FACING_COSINE and frame[0, 0] > FACING_COSINE:
            return source
        # Near an axis it is one: hips and neck do not lie exactly above one another.
        turn = _nearest_axes(frame)
        return _retell(source, np.broadcast_to(turn, (len(source.names), 3, 3)))
    return _retell(source, _find_frames(source, skeleton, body if body is not None else Body.default()))


def is_standing(source: SkeletonMotion, skeleton: SkeletonMap) -> bool:
    """Say whether the rest pose is one of a person: legs point away from the trunk."""
    down = -_trunk_frame(source, skeleton)[:, 1]
    rest = rest_positions(source)
    for side in SIDES:
        hip, ankle = (rest[source.index(skeleton.joints[f"{side}_{name}"])] for name in ("hip", "ankle"))
        leg = ankle - hip
        if leg @ down < STANDING_COSINE * np.linalg.norm(leg):
            return False
    return True


def rest_positions(source: SkeletonMotion) -> FloatArray:
    """Return the joints in the rest pose ``(J, 3)`` [m], the root at its offset."""
    positions = np.zeros_like(source.offsets)
    for joint, parent in enumerate(source.parents):
        positions[joint] = source.offsets[joint] + (positions[parent] if parent >= 0 else 0.0)
    return positions


def map_joints(source: SkeletonMotion, skeleton: SkeletonMap) -> FloatArray:
    """Return where the source has SMPL's joints ``(T, 22, 3)`` [m]: limbs at their places, the trunk at its drivers."""
    places = []
    for name in JOINT_NAMES:
        driver = skeleton.joints.get(name, skeleton.drivers[name])
        names = (driver,) if isinstance(driver, str) else driver
        places.append(np.mean([source.positions[:, source.index(one)] for one in names], axis=0))
    return np.stack(places, axis=1)


def _retell(source: SkeletonMotion, frames: FloatArray) -> SkeletonMotion:
    """Tell a motion from another rest pose: joint j is turned in it by the inverse of ``frames[j]`` ``(J, 3, 3)``."""
    offsets = source.offsets.copy()
    for joint, parent in enumerate(source.parents):
        if parent >= 0:
            offsets[joint] = frames[parent].T @ source.offsets[joint]
    return replace(source, offsets=offsets, rotations=source.rotations @ frames)


def _find_frames(source: SkeletonMotion, skeleton: SkeletonMap, body: Body) -> FloatArray:
    """Return the constant rotation from SMPL's frame to each source joint's ``(J, 3, 3)``."""
    chosen = np.unique(np.linspace(0, len(source.positions) - 1, MAX_FRAMES).astype(int))
    joints = torch.from_numpy(map_joints(source, skeleton)[chosen])
    fitted = body.forward_kinematics(fit_pose(joints, fps=source.fps, body=body))[1].numpy()
    rest = body.rest_joints.double().numpy().reshape(NUM_JOINTS, 3)
    frames: dict[int, FloatArray] = {}
    # A joint that drives alone is measured by what it drives; of an averaged pair each is measured by the pair's.
    for single in (True, False):
        for name in JOINT_NAMES:
            driver = skeleton.drivers[name]
            if isinstance(driver, str) == single:
                for index in (source.index(one) for one in ((driver,) if isinstance(driver, str) else driver)):
                    if index not in frames:
                        between = source.rotations[chosen, index].transpose(0, 2, 1) @ fitted[:, JOINT_INDEX[name]]
                        mean = Rotation.from_matrix(between).mean().as_matrix()
                        if name.endswith("wrist"):
                            # A hand may be bent through a whole clip; its frame is seldom laid unlike the forearm's.
                            mean = (
                                mean
                                + HAND_PRIOR * frames[source.index(_first(skeleton, name.replace("wrist", "elbow")))]
                            )
                        frames[index] = _settle(mean, source, skeleton, name, rest)
    found = np.empty((len(source.names), 3, 3))
    for joint, parent in enumerate(source.parents):
        # Fingers and twist bones go along with the joint that they hang on; above the pelvis nothing is driven.
        found[joint] = frames[joint] if joint in frames else found[parent] if parent >= 0 else np.eye(3)
    return found


def _settle(mean: FloatArray, source: SkeletonMotion, skeleton: SkeletonMap, name: str, rest: FloatArray) -> FloatArray:
    """Turn a measured frame so that the bone lies exactly on the source's, and its twist on the nearest axis."""
    bone = _own_bone(source, skeleton, name)
    if bone is None:
        return _nearest_axes(mean, limit=-1.0)
    tip = ALIGNED_BONES[name]
    start = rest[JOINT_INDEX[tip]] - rest[JOINT_INDEX[name]]
    carried = mean @ start / np.linalg.norm(start)
    swing = _shortest(carried, bone)
    swung = swing @ mean
    # SMPL's axis most nearly across the bone, and the source's axis that it comes nearest to.
    across = np.eye(3)[np.abs(start).argmin()]
    sideways = _reject(swung @ across, bone)
    candidates = np.array([_reject(axis, bone) for axis in _AXES if abs(axis @ bone) < 0.5])
    best = candidates[(candidates @ sideways).argmax()]
    return _shortest(sideways, best) @ swung if best @ sideways > SNAP_COSINE else swung


def _own_bone(source: SkeletonMotion, skeleton: SkeletonMap, name: str) -> FloatArray | None:
    """Unit vector from a joint to the next one of its limb, in the joint's own frame, or None."""
    driver = skeleton.drivers[name]
    if name not in ALIGNED_BONES or not isinstance(driver, str) or driver != skeleton.joints[name]:
        return None
    rest = rest_positions(source)
    bone = rest[source.index(skeleton.joints[ALIGNED_BONES[name]])] - rest[source.index(driver)]
    length = float(np.linalg.norm(bone))
    return bone / length if length > 0 else None


def _trunk_frame(source: SkeletonMotion, skeleton: SkeletonMap) -> FloatArray:
    """Columns left, up and forward of the trunk in the rest pose."""
    rest = rest_positions(source)
    left, right = (rest[source.index(skeleton.joints[f"{side}_hip"])] for side in SIDES)
    up = rest[source.index(_first(skeleton, "neck"))] - (left + right) / 2
    up = up / np.linalg.norm(up)
    sideways = _reject(left - right, up)
    return np.stack([sideways, up, np.cross(sideways, up)], axis=1)


def _middle_of_hips(source: SkeletonMotion, skeleton: SkeletonMap) -> FloatArray:
    return np.mean([source.positions[:, source.index(skeleton.joints[f"{side}_hip"])] for side in SIDES], axis=0)


def _first(skeleton: SkeletonMap, name: str) -> str:
    driver = skeleton.drivers[name]
    return driver if isinstance(driver, str) else driver[0]


def _nearest_axes(frame: FloatArray, *, limit: float = SNAP_COSINE) -> FloatArray:
    """Return the rotation nearest to ``frame`` that only exchanges and flips axes; ``frame`` where none is near."""
    turns = Rotation.create_group("O").as_matrix()
    traces = np.einsum("nij,ij->n", turns, frame)
    return turns[traces.argmax()] if traces.max() > 1 + 2 * limit else frame


def _reject(vector: FloatArray, axis: FloatArray) -> FloatArray:
    """Unit vector along the part of a vector that is across an axis."""
    across = vector - (vector @ axis) * axis
    return across / max(float(np.linalg.norm(across)), 1e-12)


def _shortest(start: FloatArray, goal: FloatArray) -> FloatArray:
    axis = np.cross(start, goal)
    sine = float(np.linalg.norm(axis))
    angle = np.arctan2(sine, float(start @ goal))
    if sine < 1e-9:
        # Opposite directions: any axis across will do; equal ones need none.
        axis, sine = _reject(np.eye(3)[np.abs(start).argmin()], start), 1.0
    return Rotation.from_rotvec(axis / sine * angle).as_matrix()
