"""MotionStreamer's 272 numbers a frame (.npy) -> SkeletonMotion.

Xiao et al., "MotionStreamer" (ICCV 2025, arXiv 2503.15451); the layout is that of
https://github.com/Li-xingXiao/272-dim-Motion-Representation: 30 fps, Y up, metres, SMPL's 22 joints, and all of a frame
but its steps told without the heading. From joint 0's rotation R the heading is atan2(R[x, z], R[z, z]).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch

from datamodules.formats.arrays import Arrays, finite_frames
from datamodules.formats.joints import SIX_OFF, length_error
from datamodules.formats.skeleton import FloatArray, SkeletonMotion, measure_offsets
from sim.conventions import JOINT_NAMES, NUM_JOINTS, PARENTS
from sim.rotations import matrix_from_6d

WIDTH: Final[int] = 272
FPS: Final[float] = 30.0

STEP: Final = slice(0, 2)
TURN: Final = slice(2, 8)
PLACES: Final = slice(8, 74)
ROTATIONS: Final = slice(140, 272)
"""Step of the root in x and z since the frame before [m] (2), turn that takes the heading off, since the frame before
(6), joints over the root's place on the floor [m] (22*3), their steps (22*3; 74 to 139), rotations of joints relative
to their parents, the root's without the heading (22*6). Six numbers are a matrix's first two *rows*."""


def read_features272(path: str | Path, arrays: Arrays, *, fps: float | None = None) -> SkeletonMotion:
    """Turn 272-d features into a motion of their own skeleton; the heading of the first frame is +Z.

    Poses are the file's rotations; its positions tell the lengths of bones and the height of the root.

    Args:
        path: the file, for messages.
        arrays: one array ``(T, 272)``, not normalised.
        fps: frame rate [Hz]; None takes 30, as published.

    Raises:
        ValueError: a number is not finite, or the features are normalised.
    """
    values = finite_frames(path, arrays, WIDTH)
    frames = len(values)
    six = values[:, ROTATIONS].reshape(frames, NUM_JOINTS, 6)
    if length_error(six) > SIX_OFF:
        raise ValueError(
            f"{path} holds {WIDTH} numbers a frame whose rotations are none: normalised ones, expected metres; "
            "multiply by Std.npy and add Mean.npy (mean_std/ of the set or model) first"
        )
    headless = _without_heading(values[:, TURN])
    local = _from_rows(six)
    local[:, 0] = headless.transpose(0, 2, 1) @ local[:, 0]
    step = np.zeros((frames, 3))
    step[:, [0, 2]] = values[:, STEP]
    step[1:] = (headless[:-1].transpose(0, 2, 1) @ step[1:, :, None])[..., 0]
    over_root = values[:, PLACES].reshape(frames, NUM_JOINTS, 3)
    positions = over_root @ headless + (step.cumsum(axis=0) * [1.0, 0.0, 1.0])[:, None]
    rotations = local.copy()
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            rotations[:, joint] = rotations[:, parent] @ local[:, joint]
    offsets = measure_offsets(tuple(PARENTS), rotations, positions)
    return SkeletonMotion(
        tuple(JOINT_NAMES), tuple(PARENTS), offsets, rotations, positions, FPS if fps is None else fps
    )


def _without_heading(turns: FloatArray) -> FloatArray:
    """Turns that take the heading off in each frame ``(T, 3, 3)``, from those between frames ``(T, 6)``."""
    headless = _from_rows(turns)
    for frame in range(1, len(headless)):
        headless[frame] = headless[frame] @ headless[frame - 1]
    return headless


def _from_rows(six: FloatArray) -> FloatArray:
    return np.asarray(matrix_from_6d(torch.from_numpy(np.ascontiguousarray(six))).mT.numpy()).copy()
