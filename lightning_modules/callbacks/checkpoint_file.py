"""How a checkpoint lies on the disk: whole or not at all, and the one before it kept.

Lightning writes to the system's temporary folder and moves the file; between two file systems a move is a copy, which a
kill cuts off.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Final

from lightning.fabric.plugins import TorchCheckpointIO

from lightning_modules.weights.torch_files import write_torch
from sim.files import whole_file

LAST: Final = "last"
PREVIOUS: Final = "previous.ckpt"
"""What ``last.ckpt`` was before it was written anew; Lightning's own search for the last one passes over it."""


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints beside their place and renames them.

    A ``last.ckpt`` that is replaced stays as ``previous.ckpt``. What a killed writer of the same checkpoint left is
    removed. Addresses (``s3://...``) are written as Lightning does.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, object], path: str | Path, storage_options: object | None = None
    ) -> None:
        """Write one checkpoint.

        Args:
            checkpoint: what ``torch.save`` takes.
            path: the file.
            storage_options: none are known.

        Raises:
            OSError: the place cannot be written to.
        """
        if "://" in str(path) or storage_options is not None:
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        target = Path(path)
        for left_over in target.parent.glob(f".{target.name}.*.part"):
            left_over.unlink(missing_ok=True)
        with whole_file(target) as part:
            write_torch(checkpoint, part)
            _keep_previous(target)

    def load_checkpoint(
        self, path: str | Path, map_location: object = "cpu", weights_only: bool | None = None
    ) -> dict[str, object]:
        """Read one checkpoint; of tensors and plain values only, unless ``weights_only=False`` is asked for.

        Raises:
            FileNotFoundError: there is no such file.
        """
        only = True if weights_only is None else weights_only
        return super().load_checkpoint(path, map_location, weights_only=only)  # type: ignore[arg-type]


def is_whole(path: Path) -> bool:
    """Say whether a file ends as ``torch.save`` ends one: a list of contents, which a file cut off lacks."""
    return zipfile.is_zipfile(path)


def _keep_previous(target: Path) -> None:
    """Give the last checkpoint, if it is whole, its second name; it keeps its own until it is replaced."""
    if not target.stem.startswith(LAST) or not target.is_file() or not is_whole(target):
        return
    previous = target.with_name(PREVIOUS)
    link = target.with_name(f".{PREVIOUS}.{os.getpid()}.part")
    link.unlink(missing_ok=True)
    try:
        os.link(target, link)
    except OSError:  # a file system without hard links: for a moment only the second name is there
        target.replace(previous)
        return
    link.replace(previous)
