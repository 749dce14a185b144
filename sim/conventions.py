"""Frames, gravity, units, joint names and parents: the only place that states them.

World: right-handed, Y up, a person faces +Z at rest, so the person's left is +X (HumanML3D's frame).
SI units everywhere: metres, seconds, radians, m/s^2, rad/s. Rotations are matrices at public doors.
"""

from __future__ import annotations

from typing import Final

GRAVITY: Final[tuple[float, float, float]] = (0.0, -9.80665, 0.0)
"""Standard gravity in the world frame [m/s^2] (CGPM 1901)."""

STANDARD_GRAVITY: Final[float] = 9.80665
"""Magnitude of :data:`GRAVITY` [m/s^2]; readers multiply by it to turn g into SI."""

FEATURE_FPS: Final[float] = 20.0
"""Frame rate of HumanML3D features [Hz]."""

NUM_FEATURES: Final[int] = 263
"""Width of a HumanML3D feature vector for 22 joints."""

JOINT_NAMES: Final[tuple[str, ...]] = (
    "pelvis",
    "left_hip",
    "right_hip",
    "spine1",
    "left_knee",
    "right_knee",
    "spine2",
    "left_ankle",
    "right_ankle",
    "spine3",
    "left_foot",
    "right_foot",
    "neck",
    "left_collar",
    "right_collar",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
)
"""SMPL's first 22 joints, in SMPL's order."""

JOINT_INDEX: Final[dict[str, int]] = {name: index for index, name in enumerate(JOINT_NAMES)}

NUM_JOINTS: Final[int] = len(JOINT_NAMES)

PARENTS: Final[tuple[int, ...]] = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
"""Parent joint of each of :data:`JOINT_NAMES`; -1 at the root."""

MIRROR: Final[tuple[int, ...]] = (0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20)
"""Index of the joint on the other side of the body, for reflections through the sagittal (YZ) plane."""
