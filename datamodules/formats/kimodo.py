"""Kimodo's archives (.npz) of the SOMA and SMPL-X skeletons -> SkeletonMotion.

NVIDIA's Kimodo (github.com/nv-tlabs/kimodo, "Output formats"): world positions and rotations of all joints, Y up, a
person faces +Z, metres; 30 frames a second, which the archive does not say. At rest, a T-pose, every rotation is the
identity, so that bones follow from positions and rotations.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from datamodules.formats.arrays import Arrays, read_number
from datamodules.formats.skeleton import FloatArray, SkeletonMotion, measure_offsets
from sim.conventions import JOINT_NAMES, PARENTS

KEYS: Final[frozenset[str]] = frozenset({"posed_joints", "global_rot_mats", "local_rot_mats", "root_positions"})
FPS: Final[float] = 30.0

_FINGERS: Final = (("Thumb", 3), ("Index", 4), ("Middle", 4), ("Ring", 4), ("Pinky", 4))
"""Fingers and their joints, the end left out."""

ROBOT: Final[int] = 34
TRUNK: Final = (
    *(("Hips", ""), ("Spine1", "Hips"), ("Spine2", "Spine1"), ("Chest", "Spine2"), ("Neck1", "Chest")),
    *(("Neck2", "Neck1"), ("Head", "Neck2")),
)
FACE: Final = tuple((name, "Head") for name in ("Jaw", "LeftEye", "RightEye"))
"""Joints and what they hang on."""


def _arm(side: str) -> tuple[tuple[str, str], ...]:
    names = [f"{side}{part}" for part in ("Shoulder", "Arm", "ForeArm", "Hand")]
    return tuple(zip(names, ("Chest", *names), strict=False))


def _fingers(side: str) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for finger, count in _FINGERS:
        names = [f"{side}Hand{finger}{part}" for part in (*range(1, count + 1), "End")]
        found += zip(names, (f"{side}Hand", *names), strict=False)
    return tuple(found)


def _leg(side: str, *, end: bool) -> tuple[tuple[str, str], ...]:
    names = [f"{side}{part}" for part in ("Leg", "Shin", "Foot", "ToeBase", *(["ToeEnd"] if end else []))]
    return tuple(zip(names, ("Hips", *names), strict=False))


def _tips(side: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"{side}Hand{finger}End", f"{side}Hand") for finger in ("Thumb", "Middle"))


SIDES: Final = ("Left", "Right")
SOMA77: Final = (
    *TRUNK,
    ("HeadEnd", "Head"),
    *FACE,
    *(pair for side in SIDES for pair in (*_arm(side), *_fingers(side))),
    *(pair for side in SIDES for pair in _leg(side, end=True)),
)
SOMA30: Final = (
    *TRUNK,
    *FACE,
    *(pair for side in SIDES for pair in (*_arm(side), *_tips(side))),
    *(pair for side in SIDES for pair in _leg(side, end=False)),
)
SMPLX22: Final = tuple(
    (name, JOINT_NAMES[parent] if parent >= 0 else "") for name, parent in zip(JOINT_NAMES, PARENTS, strict=True)
)

SKELETONS: Final = {77: SOMA77, 30: SOMA30, 22: SMPLX22}
"""Joints in their order and what each hangs on, by their number."""


def read_kimodo(path: str | Path, arrays: Arrays, *, fps: float | None = None) -> SkeletonMotion:
    """Turn the arrays of a Kimodo file into a motion of its skeleton.

    Args:
        path: the file, for messages.
        arrays: ``posed_joints (T, J, 3)`` [m], ``global_rot_mats (T, J, 3, 3)``, and what else there is.
        fps: frame rate [Hz]; None takes what the archive says under ``fps``, else 30.

    Raises:
        ValueError: a shape is another one, a number is not finite, a matrix no rotation, or the skeleton is a robot's.
    """
    positions, rotations = (_as_numbers(path, arrays, name) for name in ("posed_joints", "global_rot_mats"))
    frames, joints = positions.shape[:2] if positions.ndim == 3 else (0, 0)
    if frames < 1 or positions.shape != (frames, joints, 3) or rotations.shape != (frames, joints, 3, 3):
        raise ValueError(
            f"{path} holds posed_joints {positions.shape} and global_rot_mats {rotations.shape}, expected (T, J, 3) "
            "and (T, J, 3, 3) of one motion; write each motion to a file of its own"
        )
    if joints not in SKELETONS:
        whose = "Kimodo's robot (Unitree G1), which is no person" if joints == ROBOT else f"{joints} joints"
        raise ValueError(f"{path} is of {whose}, expected SOMA's 77 or 30 joints or SMPL-X's 22; generate with those")
    if np.abs(rotations @ rotations.swapaxes(-1, -2) - np.eye(3)).max() > 0.01:
        raise ValueError(f"{path}: global_rot_mats are no rotations, expected orthogonal matrices; export it again")
    names = tuple(name for name, _ in SKELETONS[joints])
    parents = tuple(names.index(parent) if parent else -1 for _, parent in SKELETONS[joints])
    rate = fps if fps is not None else read_number(path, arrays, "fps", "frames a second") if "fps" in arrays else FPS
    return SkeletonMotion(names, parents, measure_offsets(parents, rotations, positions), rotations, positions, rate)


def _as_numbers(path: str | Path, arrays: Arrays, name: str) -> FloatArray:
    values = arrays[name]
    if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise ValueError(f"{path}: {name} holds {values.dtype}, expected finite numbers; generate it again")
    return values.astype(np.float64)
