"""Which clips :mod:`sim.show` opens by itself, and which only a reader of motion files does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from datamodules.formats.amass import KEYS as AMASS_KEYS
from datamodules.formats.arrays import SINGLE, list_names
from datamodules.formats.features201 import LATENT
from datamodules.formats.joints import find_joints, refuse_normalised
from datamodules.formats.kimodo import KEYS as KIMODO_KEYS
from datamodules.motion_files.generator_files import is_201, is_272
from datamodules.motion_files.motion_file import ReadOptions
from datamodules.motion_files.openers import MOTION_KEYS
from sim.conventions import NUM_FEATURES


def is_saved_motion(path: Path) -> bool:
    """Say whether an archive, or a file that is no whole one, is for Motion.load to read."""
    names = list_names(path)
    return (
        not names
        or names >= MOTION_KEYS
        or not any(keys <= names for keys in (*AMASS_KEYS, {"joints"}, KIMODO_KEYS, {LATENT}))
    )


def is_joint_clip(path: Path, options: ReadOptions) -> bool:
    """Say whether an .npy holds the joints of one clip whose rate is given, or features of 201 or 272 numbers.

    Raises:
        ValueError: it holds normalised features.
    """
    if path.suffix != ".npy" or not path.is_file():
        return False
    if is_201(path) or is_272(path):
        return True
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError):
        return False
    if array.ndim > 1 and array.shape[-1] == NUM_FEATURES and array.dtype.kind in "fiu" and array.size:
        refuse_normalised(array.reshape(-1, NUM_FEATURES), path)
    return options.fps is not None and find_joints({SINGLE: array}) is not None
