"""What a set of motion capture declares: MocapSet and MocapFile, and the terms that several sets share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from datamodules.formats.acclaim import INCH_M
from datamodules.formats.skeleton import SkeletonMotion
from datamodules.retargeting.retarget import SkeletonMap

CMU: Final[str] = (
    "CMU Graphics Lab Motion Capture Database, mocap.cs.cmu.edu (NSF EIA-0196217): free to use, copy, modify and "
    "redistribute; the data themselves are not to be resold"
)
REACTIDLE_LICENCE: Final[str] = "MIT, Copyright (c) 2025 RSAIT (github.com/Enekoassets/ReActIdle)"
CMU_UNIT_M: Final[float] = INCH_M / 0.45
"""CMU's skeletons are in inches scaled by 0.45 [m]."""


@dataclass(frozen=True)
class MocapFile:
    """One file of a set and how to read it; what it shows and who moves: :mod:`datamodules.clips.labels`.

    Attributes:
        name: ``set/file`` without suffixes.
        path: the file.
        trial: CMU's ``subject_trial`` where the set keeps it, for the official description.
        skeleton: map to SMPL-22.
        read: reads the file.
        group: files of one group were recorded together and always lie on the same side of a split.
        licence: terms in short.
    """

    name: str
    path: Path
    trial: str | None
    skeleton: SkeletonMap
    read: Callable[[], SkeletonMotion]
    group: str
    licence: str = CMU


@dataclass(frozen=True)
class MocapSet:
    """One set: its folder, terms and files.

    Attributes:
        folder: name of the folder in the collection.
        licence: terms in short.
        ships: whether weights trained on the set may be shipped.
        list_files: finds the files under the set's folder.
        about: what its rules put right, in words.
    """

    folder: str
    licence: str
    ships: bool
    list_files: Callable[[Path], Iterator[MocapFile]]
    about: str = ""


def name_file(path: Path, folder: Path) -> str:
    """Return ``set/file`` without suffixes."""
    return f"{folder.name}/{path.relative_to(folder).as_posix().split('.')[0]}"
