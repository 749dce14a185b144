"""Read the entries of a zip archive, and of zip archives inside it, in memory and without trusting its names."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

MAX_ENTRY_BYTES = 4 * 2**30
"""An entry that claims to be larger is refused [bytes]."""

MOST_PACKED = 200
"""Bytes that one byte of an archive may unpack to, archives inside it included; published sets come to about ten."""
_SMALL = 1 << 28


class _Budget:
    """What may still be unpacked of an archive [bytes]."""

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, entry: zipfile.ZipInfo, where: str) -> None:
        self._left -= entry.file_size
        if self._left < 0:
            raise ValueError(
                f"{where} unpacks to more than {MOST_PACKED} times its size (at {entry.filename}), expected a data "
                "set's archive; download it from the set's own page"
            )


def read_zip(path: Path, *, suffixes: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Entries of an archive whose names end in one of the suffixes, archives inside archives opened as well.

    Nothing is written to disk. Folders of the Mac's Finder (``__MACOSX``) and hidden files are left out.

    Args:
        path: the archive.
        suffixes: such as ``(".csv",)``, in small letters.

    Yields:
        Name inside the archive (``outer.zip!inner.csv`` for nested ones) and content.

    Raises:
        ValueError: the archive is damaged or cut off, or an entry points outside the archive or is absurdly large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield from _entries(archive, str(path), suffixes, _Budget(max(_SMALL, MOST_PACKED * path.stat().st_size)))
    except FileNotFoundError:
        raise
    except (
        *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError),
        *(lzma.LZMAError, struct.error, LookupError, OverflowError),
    ) as error:
        raise ValueError(
            f"{path} is no whole zip archive ({error}), expected one that opens; download it anew"
        ) from None


def _entries(
    archive: zipfile.ZipFile, where: str, suffixes: tuple[str, ...], budget: _Budget, depth: int = 0
) -> Iterator[tuple[str, bytes]]:
    for entry in archive.infolist():
        parts = check_entry_name(entry.filename, where).parts
        if entry.is_dir() or any(part == "__MACOSX" or part.startswith(".") for part in parts):
            continue
        if entry.file_size > MAX_ENTRY_BYTES:
            raise ValueError(
                f"{where} holds {entry.filename} of {entry.file_size} bytes, expected at most {MAX_ENTRY_BYTES}; "
                "it is not the data set's archive"
            )
        lower = entry.filename.lower()
        if lower.endswith(".zip") and depth < 3:
            inner_name = f"{where}!{entry.filename}"
            budget.take(entry, where)
            with zipfile.ZipFile(io.BytesIO(archive.read(entry))) as inner:
                yield from (
                    (f"{entry.filename}!{name}", data)
                    for name, data in _entries(inner, inner_name, suffixes, budget, depth + 1)
                )
        elif lower.endswith(suffixes):
            budget.take(entry, where)
            yield entry.filename, archive.read(entry)


def check_entry_name(name: str, where: str) -> PurePosixPath:
    """Make sure that an entry's name stays inside its archive.

    Raises:
        ValueError: it is absolute, names a drive, or climbs out with ``..``.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]):
        raise ValueError(
            f"{where} holds the entry {name!r}, which would be written outside its folder; do not unpack this archive, "
            "download it from the set's own page"
        )
    return path
