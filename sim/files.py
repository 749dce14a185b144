"""Files: written whole or not at all, texts opened in one way, folders listed in one way."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

LFS_MARK: Final[bytes] = b"version https://git-lfs"
"""How a pointer of Git LFS begins, which stands in place of a file that was not fetched."""

CACHE_TAG: Final[str] = "CACHEDIR.TAG"
"""File that marks a folder as a cache (https://bford.info/cachedir): nothing in it is anybody's own."""

_UTF16: Final[tuple[bytes, ...]] = (b"\xff\xfe", b"\xfe\xff")
_LOOKED_AT: Final[int] = 4096
_FORGOTTEN_S: Final[float] = 3600.0


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a place to write to, and put it in place of ``path`` once all of it lies on the disk.

    A killed writer, a full disk or a power cut leaves ``path`` as it was. Processes of several machines may write to
    the same path at once: one of the whole files stays.

    Args:
        path: the file to come; folders above it are made.

    Yields:
        A path in the same folder, to be opened in whatever mode suits.

    Raises:
        OSError: the place cannot be written to (of the class that the system raised; one line with the reason). What
            is raised about another file goes on as it is.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            _flush(part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        about = None if error.filename is None else Path(os.fsdecode(error.filename))
        if about is not None and about not in (part, *part.parents):
            raise
        reason = error.strerror or " ".join(str(error).split())
        raise type(error)(
            f"{path} cannot be written ({reason}), expected a file in a folder that takes it; choose another"
        ) from error


def require_space(folder: Path, needed: int, what: str) -> None:
    """Refuse a long write that the disk has no room for; a place that cannot be asked is left to the write itself.

    Args:
        folder: where it is going to write; may not be there yet.
        needed: bytes, at least.
        what: what is written, for the message.

    Raises:
        ValueError: fewer are free.
    """
    place = next((path for path in (folder, *folder.absolute().parents) if path.is_dir()), None)
    try:
        free = needed if place is None else shutil.disk_usage(place).free
    except OSError:
        return
    if free < needed:
        raise ValueError(
            f"{folder} has {free / 1e6:.0f} MB free, expected {needed / 1e6:.0f} MB for {what}; make room there, or "
            "write elsewhere"
        )


def clear_left_overs(folder: Path) -> None:
    """Remove what killed writers of :func:`whole_file` left in a folder, once it is older than an hour."""
    for part in folder.glob(".*.part"):
        with suppress(OSError):  # another process was faster
            if time.time() - part.stat().st_mtime > _FORGOTTEN_S:
                part.unlink()


def _flush(path: Path) -> None:
    """Have a file's bytes on the disk before its name: a rename may outlive a power cut that the bytes do not."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def decode_text(data: bytes, where: object) -> str:
    """Turn the bytes of a text file into text: UTF-8, with or without a byte order mark.

    Args:
        data: the whole file.
        where: the file, for messages.

    Raises:
        ValueError: the bytes are a pointer of Git LFS, UTF-16, or no UTF-8; one line says which and what to do.
    """
    refuse_pointer(data, where)
    if data.startswith(_UTF16) or b"\0" in data[:_LOOKED_AT]:
        what = "UTF-16 (as Excel's 'Unicode text')" if data.startswith(_UTF16) else "no text, or UTF-16"
        raise ValueError(f"{where} is {what}, expected UTF-8; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{where}, line {line} holds the byte {data[error.start]:#04x}, which is no UTF-8 (Latin-1 or "
            "Windows-1252?), expected UTF-8; save it as UTF-8"
        ) from None


def read_text_file(path: str | Path) -> str:
    """Read a text file by :func:`decode_text`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: as :func:`decode_text`.
    """
    return decode_text(Path(path).read_bytes(), path)


def refuse_pointer(data: bytes, where: object) -> None:
    """Refuse a pointer of Git LFS by its first bytes.

    Raises:
        ValueError: they are a pointer's.
    """
    if data.startswith(LFS_MARK):
        raise ValueError(f"{where} is a pointer of Git LFS, expected the file itself; fetch it with git lfs pull")


def refuse_pointer_file(path: str | Path) -> None:
    """Refuse a file that is a pointer of Git LFS; a file that cannot be opened is left to who reads it.

    Raises:
        ValueError: it is a pointer.
    """
    try:
        with Path(path).open("rb") as file:
            first = file.read(len(LFS_MARK))
    except OSError:
        return
    refuse_pointer(first, path)


def mark_cache(folder: Path) -> None:
    """Mark a folder as a cache, so that :func:`list_files` and backup programs pass over it; it is made if need be.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / CACHE_TAG).is_file():
        with whole_file(folder / CACHE_TAG) as part:
            part.write_text(
                "Signature: 8a477f597d28d172789f06886806bc55\n# made by imuforge; may be deleted\n", encoding="utf-8"
            )


def is_hidden(inside: str) -> bool:
    """Whether a path within a folder has a hidden part, or one that the Mac's Finder adds."""
    return any(part == "__MACOSX" or part.startswith(".") for part in inside.split("/"))


def list_files(root: Path) -> list[Path]:
    """List the files below a folder, sorted, without hidden ones, what the Mac's Finder adds, and caches."""
    found = [path for path in root.rglob("*") if not is_hidden(path.relative_to(root).as_posix()) and path.is_file()]
    caches = {path.parent for path in found if path.name == CACHE_TAG}
    return sorted(path for path in found if caches.isdisjoint(path.parents))
