"""Frames, signs, orders, units, shapes and joints: the only place that states them. Others repeat what they need.

Units: SI everywhere inside: metres, seconds, radians, m/s^2, rad/s. Readers convert; nothing behind them sees g, deg/s,
millimetres or inches.

World: right-handed, Y up; a person at rest faces +Z, so the person's left is +X (HumanML3D's frame). Gravity is
``g = (0, -9.80665, 0)``. Where a source has Z up (AMASS, ENU), its reader turns it.

Orientation: ``R_ws`` maps sensor to world, ``v_world = R_ws v_sensor``; its columns are the sensor's axes in the world.

Accelerometer: specific force in the sensor frame, ``f = R_ws^T (a_world - g)``. A sensor at rest reads +9.80665 m/s^2
along its axis that points up, a falling one nothing. Linear acceleration is ``R_ws^T a_world``.

Gyroscope: angular rate of the sensor relative to the world, in the sensor frame, ``[omega]x = R_ws^T dR_ws/dt``;
positive by the right hand (Titterton and Weston 2004, Strapdown Inertial Navigation Technology, chapters 3 and 4).

Rotations: matrices at public doors. The 6-D form is the first two columns, column 0 then column 1 (Zhou et al. 2019,
doi:10.1109/CVPR.2019.00589); HumanML3D's is so too, where the rotation stored at joint j turns the bone that ends at j
and has no twist. A quaternion says its order, ``wxyz`` or ``xyzw``, where it is named; inside it is ``wxyz``.

Shapes: ``(..., T, J, 3)``. T frames, J joints, S sensors, B clips of a batch; what stands further left is free. Time is
the axis left of the spatial ones: readings are ``(..., T, S, 3)``, orientations ``(..., T, S, 3, 3)``.

Time: a rate is ``rate_hz`` or ``fps`` [Hz]; a time step is derived from it and never a constant in code. T frames last
``(T - 1) / fps`` seconds.

Randomness comes in as a ``torch.Generator`` or a seed; nothing draws from the global state silently.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

GRAVITY: Final[tuple[float, float, float]] = (0.0, -9.80665, 0.0)
"""Standard gravity in the world frame [m/s^2] (CGPM 1901)."""

STANDARD_GRAVITY: Final[float] = 9.80665
"""Magnitude of :data:`GRAVITY` [m/s^2]; readers multiply by it to turn g into SI."""

FEATURE_FPS: Final[float] = 20.0
"""Frame rate of HumanML3D features [Hz]."""

NUM_FEATURES: Final[int] = 263
"""Width of a HumanML3D feature vector for 22 joints."""

Decoder = Literal["positions", "consistent"]
DECODERS: Final[tuple[Decoder, ...]] = get_args(Decoder)
"""How HumanML3D's features become joints: by their positions alone, or by positions and steps together."""

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
