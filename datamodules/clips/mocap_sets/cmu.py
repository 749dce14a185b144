"""Sets of CMU's own .amc files and of their BVH conversion, with subjects and trials in the files' names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from datamodules.clips.mocap_sets.rules import CMU, CMU_UNIT_M, MocapFile, MocapSet, name_file
from datamodules.formats.acclaim import read_acclaim
from datamodules.formats.bvh import read_bvh
from datamodules.formats.skeleton import SkeletonMotion
from datamodules.retargeting.skeleton_maps import ACCLAIM, CGSPEED


def _list_trials(folder: Path) -> Iterator[MocapFile]:
    for path in sorted([*folder.rglob("*.amc*"), *folder.rglob("*.bvh*")]):
        trial = path.name.split(".")[0]
        is_amc = ".amc" in path.suffixes

        def read(path: Path = path, is_amc: bool = is_amc) -> SkeletonMotion:
            if not is_amc:
                # What one author cut to 2 s has lost its T-pose; one trial had lost a frame and has two.
                posed = 0 if path.parent.name == "jump_bvh_2s" else 2 if path.name.startswith("07_12") else 1
                return read_bvh(path, unit_m=CMU_UNIT_M, drop_first=posed)
            # Each subject has legs of its own.
            subject = path.name.partition("_")[0]
            asf = next(iter(sorted(path.parent.glob(f"{subject}.asf*"))), path.parent / f"{subject}.asf")
            # 09_10 begins with four frames of zeros.
            zeros = 4 if path.name.startswith("09_10") else 0
            return read_acclaim(path, asf, fps=120.0, unit_m=CMU_UNIT_M, drop_first=zeros)

        name = name_file(path, folder)
        yield MocapFile(
            name,
            path,
            trial,
            ACCLAIM if is_amc else CGSPEED,
            read,
            group=f"cmu/{trial}",
        )


CMU_SETS: Final[tuple[MocapSet, ...]] = (
    MocapSet("cmu_amc", CMU, True, _list_trials, "120 fps, CMU's unit, each subject's own skeleton"),
    MocapSet(
        "cmu_misc",
        CMU,
        True,
        _list_trials,
        "120 fps, CMU's unit, each subject's own skeleton; T-pose of frame 0 dropped where a BVH has one",
    ),
    MocapSet("cmu_cgspeed_bvh_01_06_07_08", CMU, True, _list_trials, "CMU's unit, T-pose of frame 0 dropped"),
)
