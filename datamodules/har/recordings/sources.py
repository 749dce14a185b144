"""The files that a set is read from, so that a change of any of them is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Final

from datamodules.har.parsing.packages import locate_in_package
from datamodules.packs import stamp_of
from sim.files import list_files

_READER_FOLDERS: Final = ("readers", "parsing", "recordings", "streams")
_READER_MODULES: Final = ("registry", "activities")

Sources = Callable[[Path | None], list[Path]]
"""Root of a set, or None -> its files."""


def files_below(root: Path | None) -> list[Path]:
    """All files of a folder, but hidden ones and caches; a file alone where the root is one; none without a root."""
    if root is None or not root.exists():
        return []
    return list_files(root) if root.is_dir() else [root]


def packaged_files(distribution: str, *names: str) -> Sources:
    """Files of a folder, or, where none is given, those that an installed distribution brings."""

    def find(root: Path | None) -> list[Path]:
        return files_below(root) if root is not None else [locate_in_package(distribution, name) for name in names]

    return find


def embedded_file(path: Path) -> Sources:
    """Files of a folder, or, where none is given, the one that comes with this package."""

    def list_files(root: Path | None) -> list[Path]:
        return files_below(root) if root is not None else [path]

    return list_files


def digest_of(parts: Iterable[str]) -> str:
    """Return twenty hexadecimal digits that stand for these texts."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() + b"\n")
    return digest.hexdigest()[:20]


def stamps_of(files: Iterable[Path]) -> list[str]:
    """Path, size and time of each file."""
    return [f"{path.as_posix()}|{stamp_of(path)}" for path in files]


@cache
def reader_version() -> str:
    """A digest of the code that reads recordings: a pack that other code wrote is written anew.

    A number raised by hand would be forgotten once, and that pack would be trusted for ever (docs/decisions/025).
    """
    return digest_of(path.read_text(encoding="utf-8") for path in reader_sources())


def reader_sources() -> list[Path]:
    """Return the modules that decide what a pack holds; how windows are cut, turned or augmented is none of them."""
    har = Path(__file__).parents[1]
    folders = [path for name in _READER_FOLDERS for path in (har / name).glob("*.py")]
    return sorted(
        [
            *folders,
            *(har / f"{name}.py" for name in _READER_MODULES),
            *(har.parent / f"{name}.py" for name in ("byte_planes", "packs")),
        ]
    )
