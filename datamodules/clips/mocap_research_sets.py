"""Declared rules of sets that are read and inspected only: their terms allow no shipped weights.

Beside :mod:`datamodules.clips.mocap_sets`, whose sets are trained on; no collection gives these for training.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from datamodules.clips.mocap_sets import MOCAP_SETS, MocapFile, MocapSet, name_file
from datamodules.formats.bvh import read_bvh
from datamodules.formats.skeleton import SkeletonMotion
from datamodules.retargeting.skeleton_maps import BANDAI_NAMCO, CHARACTER_CREATOR

FLATTENED: Final[frozenset[str]] = frozenset({"002_01", "002_02", "002_03", "007_01"})
"""Character Creator conversions whose pelvis was put at one height."""

_T_POSED: Final[frozenset[str]] = frozenset(f"007_{number:02d}" for number in range(3, 13))
"""Conversions that do begin with a T-pose; those of the other subjects begin with the recording."""


def _list_iclone(folder: Path) -> Iterator[MocapFile]:
    for path in sorted(folder.glob("*.bvh*")):
        name = path.name.split(".")[0]
        subject, _, trial = name.partition("_")

        def read(path: Path = path, drop: int = int(name in _T_POSED)) -> SkeletonMotion:
            return read_bvh(path, unit_m=0.01, fps=60.0, drop_first=drop)

        cmu = f"{int(subject):02d}_{trial}" if subject.isdigit() else None
        yield MocapFile(name_file(path, folder), path, cmu, CHARACTER_CREATOR, read, group=f"cmu/{cmu}")


def _list_bandai(folder: Path) -> Iterator[MocapFile]:
    for path in sorted(folder.rglob("*.bvh")):

        def read(path: Path = path) -> SkeletonMotion:
            return read_bvh(path, unit_m=0.01, fps=30.0)

        name = name_file(path, folder)
        yield MocapFile(name, path, None, BANDAI_NAMCO, read, group=name)


RESEARCH_SETS: Final[tuple[MocapSet, ...]] = (
    MocapSet(
        "cmu_iclone_bvh",
        "CMU motion, conversion without a licence",
        False,
        _list_iclone,
        "centimetres, 60 fps, T-pose of frame 0 dropped where there is one; the avatar is 1.13 times the subject; "
        f"{', '.join(sorted(FLATTENED))} have no vertical motion of the pelvis",
    ),
    MocapSet("bandai_namco_bvh", "CC BY-NC 4.0", False, _list_bandai, "centimetres, 30 fps"),
)
"""Sets that are read and inspected, but that no collection gives for training."""


def find_declared(path: Path) -> tuple[MocapFile, MocapSet] | None:
    """Return a file's entry in a known set, by the name of the folder that it lies in, or None."""
    for rules in (*MOCAP_SETS, *RESEARCH_SETS):
        for folder in path.resolve().parents:
            if folder.name == rules.folder:
                for file in rules.list_files(folder):
                    if file.path == path.resolve():
                        return file, rules
    return None
