"""The first sets: CMU's as exponential maps, .amc and BVH of several conversions, and ReActIdle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from datamodules.clips.mocap_sets.rules import (
    CMU,
    CMU_UNIT_M,
    REACTIDLE_LICENCE,
    MocapFile,
    MocapSet,
    name_file,
)
from datamodules.formats.acclaim import read_acclaim
from datamodules.formats.bvh import read_bvh
from datamodules.formats.expmap import read_expmap
from datamodules.formats.skeleton import SkeletonMotion
from datamodules.retargeting.skeleton_maps import (
    ACCLAIM,
    CGSPEED,
    CGSPEED_POSER,
    DAZ,
    REACTIDLE,
)

_EXPMAP_TRIALS: Final = {
    "test/basketball": "1=06_07",
    "test/jumping": "1=49_02",
    "test/running": "1=16_35",
    "test/soccer": "1=11_01",
    "test/walking": "1=35_01",
    "test/walking_extra": (
        "10=35_10 11=35_11 12=35_12 13=35_13 14=35_14 15=35_15 16=35_16 17=35_28 18=35_29 19=35_30 20=35_31 "
        "21=35_32 22=35_33 23=35_34 6=35_06 7=35_07 8=35_08 9=35_09"
    ),
    "test/washwindow": "1=14_12",
    "train/basketball": "1=06_02 2=06_03 3=06_04 4=06_05 5=06_06",
    "train/directing_traffic": "4=14_24",
    "train/jumping": "2=49_03",
    "train/running": "1=35_17 2=16_36 3=35_23 4=35_25 5=35_24",
    "train/walking": "1=02_01 3=06_01 4=07_01 5=07_02",
    "train/walking_extra": (
        "13=08_02 14=08_03 15=08_08 16=08_09 17=08_10 27=16_15 28=16_16 29=16_21 30=16_22 31=16_31 32=16_32 "
        "33=16_47 34=16_58 51=49_01"
    ),
}
"""CMU's trials of the files, as number=trial, found by motion (``python -m experiments.tools.motion_duplicates``)."""


def _find_expmap_trial(path: Path) -> str | None:
    known = _EXPMAP_TRIALS.get(f"{path.parent.parent.name}/{path.parent.name}", "")
    number = path.name.split(".")[0].rpartition("_")[2]
    return dict(one.split("=") for one in known.split()).get(number)


def _list_expmap8(folder: Path) -> Iterator[MocapFile]:
    for path in sorted(folder.glob("*/*/*.txt*")):

        def read(path: Path = path) -> SkeletonMotion:
            # Row 0 is the T-pose that the BVH conversion put in. The root's angles x, y, z were multiplied in the order
            # y, x, z: soccer_1 is CMU 11_01, and only so do the two agree (to 0.01 degrees; else up to 25 are missing).
            skeleton = folder / "skeleton.json"
            return read_expmap(path, skeleton, fps=120.0, drop_first=1, root_axes=("yxz", "xyz"))

        name = name_file(path, folder)
        trial = _find_expmap_trial(path)
        group = f"cmu/{trial}" if trial is not None else name
        yield MocapFile(name, path, None, CGSPEED, read, group=group)


def _list_acclaim(folder: Path) -> Iterator[MocapFile]:
    for path in sorted(folder.glob("*.amc*")):
        parts = path.name.split(".")[0].split("_")
        trial = "_".join(parts[:2])
        skeleton = next(iter(sorted(folder.glob(f"{parts[0]}.asf*"))), folder / f"{parts[0]}.asf")

        def read(path: Path = path, skeleton: Path = skeleton, thinned: bool = "30fps" in parts) -> SkeletonMotion:
            # 16_15 has its left arm at zero in the first frames.
            drop = 4 if path.name.startswith("16_15") else 0
            return read_acclaim(path, skeleton, fps=30.0 if thinned else 120.0, unit_m=CMU_UNIT_M, drop_first=drop)

        yield MocapFile(
            name_file(path, folder),
            path,
            trial,
            ACCLAIM,
            read,
            group=f"cmu/{trial}",
        )


def _list_cgspeed(folder: Path) -> Iterator[MocapFile]:
    for path in sorted(folder.glob("*.bvh*")):
        trial = path.name.split(".")[0]

        def read(path: Path = path) -> SkeletonMotion:
            return read_bvh(path, unit_m=CMU_UNIT_M, drop_first=1)

        skeleton = CGSPEED_POSER if trial.startswith("131") else CGSPEED
        yield MocapFile(
            name_file(path, folder),
            path,
            trial,
            skeleton,
            read,
            group=f"cmu/{trial}",
        )


def _list_daz(folder: Path) -> Iterator[MocapFile]:
    for path in sorted(folder.glob("*/*.bvh*")):
        style = path.parent.name

        def read(path: Path = path, style: str = style) -> SkeletonMotion:
            # The header's 120 Hz is wrong for salsa. The conversion blends from the T-pose over five frames.
            return read_bvh(path, unit_m=0.01, fps=60.0 if style == "salsa" else 120.0, drop_first=8)

        name = name_file(path, folder)
        group = name
        if style == "salsa":
            # Files 1 to 15 and 16 to 30 are the two partners of the same dances.
            group = f"{folder.name}/salsa/{(int(path.name.split('.')[0]) - 1) % 15 + 1:02d}"
        yield MocapFile(name, path, None, DAZ, read, group=group)


def _list_reactidle(folder: Path) -> Iterator[MocapFile]:
    for path in sorted(folder.glob("*/*.bvh*")):

        def read(path: Path = path) -> SkeletonMotion:
            # No metric scale: retargeting by leg length supplies it.
            return read_bvh(path, unit_m=1.0, fps=24.0)

        name = name_file(path, folder)
        # One number is one person, who stood once at ease and once acting so.
        group = f"{folder.name}/{path.name.split('_')[0]}"
        yield MocapFile(name, path, None, REACTIDLE, read, group=group, licence=REACTIDLE_LICENCE)


EARLIER_SETS: Final[tuple[MocapSet, ...]] = (
    MocapSet("cmu_expmap8", CMU, True, _list_expmap8, "row 0 dropped, thorax put back, root's angles reordered"),
    MocapSet("cmu35_asfamc", CMU, True, _list_acclaim, "30 fps, CMU's unit"),
    MocapSet("cmu_asfamc", CMU, True, _list_acclaim, "120 fps, CMU's unit"),
    MocapSet("cmu_16_15", CMU, True, _list_acclaim, "120 fps, CMU's unit, four first frames dropped"),
    MocapSet("cmu_cgspeed_bvh", CMU, True, _list_cgspeed, "CMU's unit, T-pose of frame 0 dropped"),
    MocapSet(
        "cmu_daz_bvh_dance_martial", CMU, True, _list_daz, "T-pose and blend of eight frames dropped, salsa is 60 fps"
    ),
    MocapSet("reactidle_bvh", REACTIDLE_LICENCE, True, _list_reactidle, "24 fps, no metric scale"),
)
