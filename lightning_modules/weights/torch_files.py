"""What ``torch.save`` writes: whole or not at all, and a full disk in one line that names the file."""

from __future__ import annotations

import errno
from pathlib import Path

import torch

from lightning_modules.config_errors import TORCH_DISK
from sim.files import whole_file


def save_torch(content: object, path: Path) -> None:
    """Write what ``torch.save`` takes.

    Args:
        content: tensors, numbers, texts, lists and dictionaries of them.
        path: the file; folders above it are made.

    Raises:
        OSError: the place cannot be written to.
    """
    with whole_file(path) as part:
        write_torch(content, part)


def write_torch(content: object, part: Path) -> None:
    """Write into a place that :func:`sim.files.whole_file` gave.

    torch's zip writer tells a full disk by what it noticed last, and names no file.

    Raises:
        OSError: not all of it could be written.
    """
    try:
        torch.save(content, part)
    except RuntimeError as error:
        if TORCH_DISK.search(str(error)) is None:
            raise
        raise OSError(errno.ENOSPC, "the disk is full, or the file larger than allowed", str(part)) from error
