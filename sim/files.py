"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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


def _flush(path: Path) -> None:
    """Have a file's bytes on the disk before its name: a rename may outlive a power cut that the bytes do not."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
