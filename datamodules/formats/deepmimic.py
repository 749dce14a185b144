"""DeepMimic motion text -> SkeletonMotion.

Peng et al., "DeepMimic" (ACM Trans. Graph. 37(4), 2018, doi 10.1145/3197517.3201311): per frame a duration, the root's
position and orientation, and joint rotations of a humanoid whose arms hang at rest; x forward, y up, z right.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from datamodules.formats.skeleton import FloatArray, SkeletonMotion, read_text, run_forward_kinematics

TO_WORLD: Final[FloatArray] = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
"""DeepMimic's axes (forward, up, right) to ours (left, up, forward)."""


@dataclass(frozen=True)
class _Joint:
    """A joint: parent, offset in DeepMimic's axes [m], numbers per frame (4: quaternion wxyz, 1: hinge about z)."""

    name: str
    parent: int
    offset: tuple[float, float, float]
    width: int


# Measures of the humanoid that the method publishes; the order is that of the numbers in a frame.
_JOINTS: Final = (
    _Joint("root", -1, (0.0, 0.0, 0.0), 4),
    _Joint("chest", 0, (0.0, 0.236151, 0.0), 4),
    _Joint("neck", 1, (0.0, 0.223894, 0.0), 4),
    _Joint("right_hip", 0, (0.0, 0.0, 0.084887), 4),
    _Joint("right_knee", 3, (0.0, -0.421546, 0.0), 1),
    _Joint("right_ankle", 4, (0.0, -0.409870, 0.0), 4),
    _Joint("right_shoulder", 1, (-0.024050, 0.243500, 0.183110), 4),
    _Joint("right_elbow", 6, (0.0, -0.274788, 0.0), 1),
    _Joint("left_hip", 0, (0.0, 0.0, -0.084887), 4),
    _Joint("left_knee", 8, (0.0, -0.421546, 0.0), 1),
    _Joint("left_ankle", 9, (0.0, -0.409870, 0.0), 4),
    _Joint("left_shoulder", 1, (-0.024050, 0.243500, -0.183110), 4),
    _Joint("left_elbow", 11, (0.0, -0.274788, 0.0), 1),
)
_ENDS: Final = (
    _Joint("right_wrist", 7, (0.0, -0.258947, 0.0), 0),
    _Joint("left_wrist", 12, (0.0, -0.258947, 0.0), 0),
    _Joint("right_foot", 5, (0.12, -0.04, 0.0), 0),
    _Joint("left_foot", 10, (0.12, -0.04, 0.0), 0),
)
_WIDTH: Final[int] = 1 + 3 + sum(joint.width for joint in _JOINTS)


def read_deepmimic(path: str | Path) -> SkeletonMotion:
    """Read a motion in DeepMimic's text format.

    Args:
        path: JSON with ``Frames``, rows of 44 numbers.

    Returns:
        The motion at the constant rate of its frames; wrists and feet carry their parents' rotation, as the format has
        none of their own.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not of this format.
    """
    frames = _parse_frames(path)
    # The last duration is unused. Where one frame of a clip lasts longer by rounding, the median still tells the rate.
    period_s = float(np.median(frames[:-1, 0]))
    if not period_s > 0:
        raise ValueError(
            f"{path}: a frame lasts {period_s:g} s (the first number of each), expected > 0; fetch it again"
        )
    joints = (*_JOINTS, *_ENDS)
    local = np.broadcast_to(np.eye(3), (len(frames), len(joints), 3, 3)).copy()
    column = 4
    for index, joint in enumerate(_JOINTS):
        values = frames[:, column : column + joint.width]
        column += joint.width
        # Hinges turn about z; four numbers are a quaternion, w first.
        turn = Rotation.from_quat(values[:, [1, 2, 3, 0]]) if joint.width == 4 else _hinge(values[:, 0])
        local[:, index] = TO_WORLD @ turn.as_matrix() @ TO_WORLD.T
    parents = tuple(joint.parent for joint in joints)
    offsets = np.array([joint.offset for joint in joints]) @ TO_WORLD.T
    rotations, positions = run_forward_kinematics(parents, offsets, local, frames[:, 1:4] @ TO_WORLD.T)
    # Rates are written with few digits: 0.016666 s means 60 Hz.
    rate = round(1.0 / period_s, 1)
    return SkeletonMotion(tuple(joint.name for joint in joints), parents, offsets, rotations, positions, rate)


def _parse_frames(path: str | Path) -> FloatArray:
    try:
        rows = json.loads(read_text(path))["Frames"]
        widths = [len(row) for row in rows]
        odd = next((number for number, width in enumerate(widths) if width != _WIDTH), None)
        if odd is not None or len(rows) < 2:
            found = f"{len(rows)} frames" if odd is None else f"frame {odd} with {widths[odd]} numbers"
            raise ValueError(f"{found} found, at least two of {_WIDTH} numbers needed")
        frames = np.array(rows, dtype=np.float64)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path}: {error}, expected DeepMimic JSON with rows of numbers under 'Frames'") from error
    starts = 4 + np.cumsum([0, *(joint.width for joint in _JOINTS[:-1])])
    turns = [start for start, joint in zip(starts, _JOINTS, strict=True) if joint.width == 4]
    lengths = np.stack([np.linalg.norm(frames[:, start : start + 4], axis=1) for start in turns], axis=1)
    bad = np.flatnonzero(~np.isfinite(frames).all(axis=1) | ~(np.abs(lengths - 1) < 0.1).all(axis=1))
    if len(bad):
        raise ValueError(f"{path}: frame {bad[0]} holds NaN or a quaternion of another length than 1; fetch it again")
    return frames


def _hinge(angles: FloatArray) -> Rotation:
    return Rotation.from_rotvec(angles[:, None] * np.array([0.0, 0.0, 1.0]))


def is_deepmimic(path: Path) -> bool:
    """Say whether a text is one of DeepMimic's, JSON with frames."""
    if not path.name.lower().removesuffix(".xz").endswith(".txt"):
        return False
    text = read_text(path).lstrip()
    return text[:1] == "{" and '"Frames"' in text
