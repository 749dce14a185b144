"""HY-Motion's 201 numbers a frame (.npy, .npz) -> Motion.

Tencent Hunyuan, "HY-Motion 1.0" (arXiv 2512.23464); the layout is that which its published decoder reads
(github.com/Tencent-Hunyuan/HY-Motion-1.0, hymotion/pipeline): 30 fps, Y up, SMPL-H's first 22 joints.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch

from datamodules.formats.arrays import SINGLE, Arrays, finite_frames
from datamodules.formats.joints import SIX_OFF, length_error
from sim.conventions import NUM_JOINTS
from sim.motion import Motion
from sim.rotations import matrix_from_6d

WIDTH: Final[int] = 201
FPS: Final[float] = 30.0
LATENT: Final[str] = "latent_denorm"
"""What HY-Motion's decoder calls these numbers in its output."""

TRANSLATION: Final = slice(0, 3)
ROTATIONS: Final = slice(3, 135)
"""Displacement of the whole model [m] (3), rotations of the root and of joints relative to their parents (22*6): a
matrix's first two columns, row by row. The last 66 numbers are positions (22*3), which the decoder leaves alone."""


def read_features201(path: str | Path, arrays: Arrays, *, fps: float | None = None) -> Motion:
    """Turn 201-d features into a motion; joint 0 is at the displacement, as the model's own pelvis is not told.

    Args:
        path: the file, for messages.
        arrays: one array ``(T, 201)``, or that of :data:`LATENT`; not normalised.
        fps: frame rate [Hz]; None takes 30, as published.

    Returns:
        Motion, Y up, float32.

    Raises:
        ValueError: a number is not finite, or the features are normalised.
    """
    values = finite_frames(path, {SINGLE: arrays[LATENT]} if LATENT in arrays else arrays, WIDTH)
    frames = len(values)
    # Written (3, 2): both numbers of the first row, of the second, of the third.
    columns = values[:, ROTATIONS].reshape(frames, NUM_JOINTS, 3, 2).swapaxes(-1, -2)
    six = np.ascontiguousarray(columns.reshape(frames, NUM_JOINTS, 6))
    if length_error(six) > SIX_OFF:
        raise ValueError(
            f"{path} holds {WIDTH} numbers a frame whose rotations are none: normalised ones, expected metres; "
            "multiply by Std.npy and add Mean.npy (of the model's folder) first"
        )
    rotations = matrix_from_6d(torch.from_numpy(six))
    path_m = torch.from_numpy(values[:, TRANSLATION].copy())
    return Motion(rotations.float(), path_m.float(), FPS if fps is None else fps)
