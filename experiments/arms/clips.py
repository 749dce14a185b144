"""Clips that experiments take directly: the embedded ones and a user's."""

from __future__ import annotations

from pathlib import Path

from datamodules.clips import Clip
from datamodules.clips.sources import list_items


def load_clips(motion_root: Path | None = None) -> list[Clip]:
    """Return all embedded clips, and those of a folder of motion files where one is given.

    Raises:
        FileNotFoundError: there is no such folder, or it holds no motion.
    """
    sources = ["embedded", *([] if motion_root is None else [str(motion_root)])]
    return [clip for source in sources for item in list_items(source) for clip in item.load()]
