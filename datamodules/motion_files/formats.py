"""Any motion file -> Motion: one door, and the registry of formats behind it.

A new format is one reader in ``datamodules/formats``, opened in :mod:`datamodules.motion_files.openers`, and one line
in :data:`FORMATS`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from datamodules.formats.amass import KEYS as AMASS_KEYS
from datamodules.formats.c3d import read_c3d
from datamodules.formats.trc import read_trc
from datamodules.motion_files.motion_file import MotionFile, MotionFormat, ReadOptions, suffix_of
from datamodules.motion_files.openers import (
    MOTION_KEYS,
    holds,
    is_deepmimic,
    open_acclaim,
    open_amass,
    open_arrays,
    open_bvh,
    open_deepmimic,
    open_expmap,
    open_markers,
    open_mvnx,
    open_saved,
)

FORMATS: Final[tuple[MotionFormat, ...]] = (
    MotionFormat("BVH", (".bvh",), open_bvh),
    MotionFormat("Acclaim AMC", (".amc",), open_acclaim),
    MotionFormat("Motion.save", (".npz",), open_saved, holds(MOTION_KEYS)),
    MotionFormat("AMASS", (".npz",), open_amass, holds(*AMASS_KEYS)),
    MotionFormat("joints or features", (".npz", ".npy"), open_arrays),
    MotionFormat("Xsens MVNX", (".mvnx",), open_mvnx),
    MotionFormat("TRC markers", (".trc",), open_markers(read_trc, "TRC markers")),
    MotionFormat("C3D markers", (".c3d",), open_markers(read_c3d, "C3D markers")),
    MotionFormat("DeepMimic", (".txt",), open_deepmimic, is_deepmimic),
    MotionFormat("exponential-map CSV", (".txt", ".csv"), open_expmap),
)
"""The formats that are read; of several with one suffix the first that claims a file, else the last."""


def read_motion(path: str | Path, options: ReadOptions | None = None) -> MotionFile:
    """Read a motion file of any known format.

    Args:
        path: the file.
        options: what it does not say of itself.

    Raises:
        FileNotFoundError: there is no such file, or one that belongs to it is missing.
        ModuleNotFoundError: a .c3d file, and ezc3d is not installed.
        ValueError: no format is known by that suffix, or the file is damaged; one line says what and where.
    """
    path, options = Path(path), options if options is not None else ReadOptions()
    if path.is_dir():
        raise ValueError(f"{path} is a folder, expected one motion file; name one in it, or give folders as sources")
    if not path.is_file():
        raise FileNotFoundError(f"motion file {path} not found; check the path")
    suffix = suffix_of(path)
    candidates = [one for one in FORMATS if suffix in one.suffixes]
    if not candidates:
        raise ValueError(f"{path} ends in {suffix!r}, expected one of {', '.join(known_suffixes())}")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty, expected a file of {candidates[0].name}; fetch it again")
    chosen = next((one for one in candidates if one.claims is None or one.claims(path)), candidates[-1])
    return chosen.read(path, options)


def known_suffixes() -> list[str]:
    """Return every suffix that is known, sorted."""
    return sorted({suffix for one in FORMATS for suffix in one.suffixes})
