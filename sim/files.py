"""Files: written whole or not at all, texts opened in one way, folders listed in one way."""

from __future__ import annotations

import math
import os
import secrets
import shutil
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

import numpy as np

LFS_MARK: Final[bytes] = b"version https://git-lfs"
"""How a pointer of Git LFS begins, which stands in place of a file that was not fetched."""

CACHE_TAG: Final[str] = "CACHEDIR.TAG"
"""File that marks a folder as a cache (https://bford.info/cachedir): nothing in it is anybody's own."""

_UTF16: Final[tuple[bytes, ...]] = (b"\xff\xfe", b"\xfe\xff")
_LOOKED_AT: Final[int] = 4096
_DEFLATE: Final[int] = 1032
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


def parse_yaml(text: str, where: object) -> object:
    """Return what a YAML says: plain values, lists and tables; no class of a program is made.

    Args:
        text: the whole file.
        where: the file, for messages.

    Raises:
        ValueError: it is no YAML, or holds what no value can be: a thirteenth month, a thousand brackets.
    """
    import yaml  # few files are YAML, and ``import sim`` is to be quick

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{where} is no YAML ({' '.join(str(error).split())}); mend it") from None


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


def refuse_declared(path: str | Path) -> None:
    """Refuse a file of numpy arrays that declares more than it holds, before room for it is made.

    Looked at are the header of each array, against the bytes that there are, and what an archive says of its members:
    deflate makes at most 1032 bytes of one. What is no array or archive is left to who reads it.

    Args:
        path: ``.npy`` or ``.npz``.

    Raises:
        ValueError: it declares too much, or is packed in a way that numpy never writes.
    """
    path = Path(path)
    try:
        found = _find_declared(path)
    except Exception:  # numpy and zipfile raise anything over a damaged file, and will again when it is read
        return
    if found:
        raise ValueError(f"{path}: {found}; it is damaged or made up, fetch it again")


@contextmanager
def named_damage(path: str | Path, advice: str = "fetch it again") -> Iterator[None]:
    """Turn whatever a damaged file makes its reader raise into one error that names the file.

    Numpy, zipfile and zlib raise anything, from a SyntaxError to a TokenError, over a few changed bytes.

    Args:
        path: the file.
        advice: what to do about it.

    Raises:
        FileNotFoundError: as it came.
        ValueError: anything else; as it came where it names the file.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:
        if isinstance(error, ValueError) and str(path) in str(error):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        if "allow_pickle" in reason:  # numpy's own words advise to load the file unsafely
            reason = "it holds objects, which could run code, or is no array"
        raise ValueError(f"{path} cannot be read ({reason}); {advice}") from None


def _find_declared(path: Path) -> str:
    size = path.stat().st_size
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            return _compare_declared(file, size, "the array")
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        odd = [one for one in members if one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]
        if odd:
            return f"{odd[0].filename} is packed neither plainly nor by deflate, as numpy does"
        total = sum(member.file_size for member in members)
        if total > _DEFLATE * size:
            return f"its members declare {total} bytes, expected at most {_DEFLATE} times the file's {size}"
        for member in members:
            if member.filename.endswith(".npy"):
                with archive.open(member) as stream:
                    found = _compare_declared(stream, member.file_size, member.filename)
                if found:
                    return found
    return ""


def _compare_declared(file: IO[bytes], size: int, name: str) -> str:
    """Return what is wrong with an array's header; empty where it promises no more than follows."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    declared, held = math.prod(shape) * dtype.itemsize, size - file.tell()
    if dtype.hasobject or declared <= held:
        return ""
    return f"{name} declares {dtype} of shape {shape}, {declared} bytes, expected at most the {held} that follow"


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
