"""Folders that are written once: under another name, moved into place when whole, and by one process at a time.

A run that is killed leaves no half folder, and what it left of its own is cleared away by the next. A lock keeps
several processes from writing the same thing; where a network file system does not honour it, the first to finish wins
and the others take what it wrote.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from sim.files import mark_cache

INDEX: Final = "index.npz"
"""The file that is written last; a folder that holds it is whole."""

_PART: Final = ".part"
_CANNOT_WRITE: Final = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST),
)
_FORGOTTEN_S: Final = 24 * 3600.0
"""An unfinished folder of another machine is a killed run's when nothing in it changed for so long [s]."""


def write_once(folder: Path, name: str, write: Callable[[Path], None]) -> Path:
    """Write ``folder/name`` unless it is there; safe to be called by several processes and machines at once.

    Args:
        folder: where such folders are kept; made if need be.
        name: a name that says what is in it, such as a hash of what it is made from.
        write: writes all files, :data:`INDEX` among them, into the empty folder that it is given.

    Returns:
        ``folder/name``, whole.

    Raises:
        ValueError: the folder cannot be made or written to, or the disk is full; nothing is left behind.
    """
    target = folder / name
    if (target / INDEX).is_file():
        return target
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, expected a folder to keep packs in; give another cache_dir")
    with _say_if_not_writable(folder):
        return _write_alone(folder, target, write)


@contextmanager
def _say_if_not_writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # Errors of what is read name a file elsewhere; a full disk names none.
        elsewhere = error.filename is not None and not Path(os.fsdecode(error.filename)).is_relative_to(folder)
        if elsewhere or error.errno not in _CANNOT_WRITE:
            raise
        raise ValueError(
            f"packs cannot be written in {folder} ({error.strerror}); make room there or give another cache_dir"
        ) from None


def _write_alone(folder: Path, target: Path, write: Callable[[Path], None]) -> Path:
    mark_cache(folder)
    with FileLock(folder / "pack.lock"):
        if (target / INDEX).is_file():
            return target
        _clear_left_overs(folder)
        unfinished = folder / f"{target.name}.{_machine()}.{os.getpid()}{_PART}"
        unfinished.mkdir()
        try:
            write(unfinished)
            _move(unfinished, target)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    return target


def _move(unfinished: Path, target: Path) -> None:
    try:
        unfinished.rename(target)
    except OSError:
        if not (target / INDEX).is_file():
            raise
        shutil.rmtree(unfinished)  # another machine was faster


def _clear_left_overs(folder: Path) -> None:
    """Remove what killed runs left: of this machine at once, since the lock is ours, of others when it is old."""
    for left_over in folder.glob(f"*{_PART}"):
        machine = left_over.name.removesuffix(_PART).rsplit(".", 2)[1:2]
        try:
            changed = max(path.stat().st_mtime for path in (left_over, *left_over.iterdir()))
        except FileNotFoundError:  # another machine moved it into place meanwhile
            continue
        if machine == [_machine()] or time.time() - changed > _FORGOTTEN_S:
            shutil.rmtree(left_over)


def _machine() -> str:
    """This machine's name without dots, which part the names of unfinished folders."""
    return socket.gethostname().replace(".", "-")


def stamp_of(path: Path) -> str:
    """Return size and time of a file, by which a change of it is noticed."""
    status = path.stat()
    return f"{status.st_size}|{status.st_mtime_ns}"


class ShardWriter:
    """Puts arrays of rows one after the other into files of limited size.

    Args:
        folder: where the files are written.
        width: numbers in a row.
        max_rows: a file is closed at the first array that ends beyond this many rows.
    """

    def __init__(self, folder: Path, *, width: int, max_rows: int) -> None:
        self._folder, self._width, self._max_rows = folder, width, max_rows
        self._file: BinaryIO | None = None
        self.rows: list[int] = []

    def add(self, values: NDArray[np.float32]) -> tuple[int, int]:
        """Write ``(T, width)``; returns the file's number and the array's first row in it.

        Raises:
            ValueError: the rows have another width.
        """
        if values.ndim != 2 or values.shape[1] != self._width:
            raise ValueError(f"rows of shape {values.shape}, expected (T, {self._width})")
        if self._file is None or self.rows[-1] >= self._max_rows:
            self.close()
            self._file = shard_path(self._folder, len(self.rows)).open("wb")
            self.rows.append(0)
        self._file.write(np.ascontiguousarray(values, dtype=np.float32).data)
        self.rows[-1] += len(values)
        return len(self.rows) - 1, self.rows[-1] - len(values)

    def close(self) -> None:
        """Close the file, its bytes on the disk: the rename that makes the folder valid must not overtake them."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()


def write_index(folder: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    """Write the index, its bytes on the disk."""
    with (folder / INDEX).open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())


def read_index(folder: Path, names: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    """Read the arrays of the index by their names.

    Raises:
        ValueError: it is damaged or lacks one; names the folder.
    """
    path = folder / INDEX
    try:
        with np.load(path, allow_pickle=False) as data:
            return {name: data[name] for name in names}
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        size = path.stat().st_size
        raise ValueError(f"{path} is damaged ({size} bytes); delete {folder} to pack anew") from None


def check_shards(folder: Path, rows: list[int], *, width: int) -> None:
    """Make sure that each file of a folder is there and whole.

    Raises:
        ValueError: one is not; names it.
    """
    for number, count in enumerate(rows):
        path = shard_path(folder, number)
        found = path.stat().st_size if path.is_file() else 0
        if found != 4 * width * count:
            raise ValueError(f"{path} has {found} bytes, expected {4 * width * count}; delete {folder} to pack anew")


def map_shard(folder: Path, number: int, rows: int, *, width: int) -> NDArray[np.float32]:
    """Map a file ``(rows, width)``; what is mapped cannot be written to."""
    return np.memmap(shard_path(folder, number), np.float32, mode="r", shape=(rows, width))


def shard_path(folder: Path, number: int) -> Path:
    """Return the path of a folder's file of that number."""
    return folder / f"shard-{number:05d}.f32"
