"""Any motion file -> Motion: the one door to all formats.

A new format is one reader in ``datamodules/formats`` and, in :mod:`datamodules.motion_files.openers`, the function that
opens it and its line of :data:`~datamodules.motion_files.openers.FORMATS`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from datamodules.motion_files.folder_rules import read_folder_rules
from datamodules.motion_files.motion_file import MotionFile, MotionFormat, ReadOptions, suffix_of
from datamodules.motion_files.openers import FORMATS
from datamodules.motion_files.plausibility import check_rate
from sim.files import list_files

__all__ = ["FORMATS", "find_format", "known_suffixes", "read_motion", "terms_of", "terms_of_folder"]


def read_motion(path: str | Path, options: ReadOptions | None = None) -> MotionFile:
    """Read a motion file of any known format.

    Args:
        path: the file.
        options: what it does not say of itself.

    Raises:
        FileNotFoundError: there is no such file, or one that belongs to it is missing.
        ModuleNotFoundError: a .c3d file, and ezc3d is not installed.
        ValueError: no format is known by that suffix, the file is damaged, says a rate that none has, or an option does
            not apply to its format; one line says what and where.
    """
    path, options = Path(path), options if options is not None else ReadOptions()
    chosen = find_format(path)
    chosen.refuse_foreign(path, options)
    try:
        read = chosen.read(path, options)
    except ValueError as error:
        # What a body is fitted by knows no file.
        if path.name in str(error):
            raise
        raise ValueError(f"{path} cannot be read as {chosen.name}: {' '.join(str(error).split())}") from error
    if options.fps is None:
        check_rate(read.motion.fps, path)
    licence = read.motion.licence or chosen.terms(path)
    return replace(read, motion=replace(read.motion, licence=licence))


def terms_of(path: Path) -> str | None:
    """Return what is known of the terms that a motion file comes under, without reading its motion; or None."""
    try:
        return find_format(path).terms(path)
    except (OSError, ValueError):
        return None


def terms_of_folder(root: Path) -> list[str]:
    """Return what is known of the terms of all motion files in a folder, each once: its ``motions.yaml`` first.

    Raises:
        ValueError: ``motions.yaml`` is not of its form.
    """
    files = (path for path in list_files(root) if suffix_of(path) in (".npz", ".npy"))
    found = [read_folder_rules(root).licence, *map(terms_of, files)]
    return list(dict.fromkeys(words for words in found if words))


def find_format(path: Path) -> MotionFormat:
    """Return the format of a file, by its suffix and what it holds.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is a folder or empty, or no format is known by its suffix.
    """
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
    return next((one for one in candidates if one.claims is None or one.claims(path)), candidates[-1])


def known_suffixes() -> list[str]:
    """Return every suffix that is known, sorted."""
    return sorted({suffix for one in FORMATS for suffix in one.suffixes})
