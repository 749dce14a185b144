"""Sets of Seoul National University's Movement Research Lab: dialects of BVH, AMC in inches, optical markers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from datamodules.clips.mocap_sets.rules import CMU, MocapFile, MocapSet, name_file
from datamodules.formats.acclaim import INCH_M, read_acclaim
from datamodules.formats.bvh import read_bvh
from datamodules.formats.skeleton import SkeletonMotion
from datamodules.formats.trc import read_trc
from datamodules.markers.fit import fit_markers
from datamodules.retargeting.find_map import spell_joints
from datamodules.retargeting.retarget import SkeletonMap, describe_skeleton
from datamodules.retargeting.skeleton_maps import SMPL, SNU, SNU_AMC, SNU_MARTIAL, SNU_SPORTS

JEHEE_LEE_2019: Final[str] = "Apache-2.0, Copyright 2019 Jehee Lee"


def _licence(copyright_line: str, repository: str) -> str:
    return f"{copyright_line} ({repository})"


_YS2010: Final[str] = _licence(JEHEE_LEE_2019, "github.com/snumrl/ys2010")
_TILING: Final[str] = _licence(JEHEE_LEE_2019, "github.com/snumrl/TillingPatch")
_VSPORTS: Final[str] = _licence("Apache-2.0, Copyright 2020 Jehee Lee", "github.com/snumrl/VSports")
_INTERACTIVE: Final[str] = _licence("Apache-2.0, Copyright 2019 Kyungho Lee", "github.com/snumrl/InteractiveAnimation")
_MARTIAL: Final[str] = _licence(
    "BSD-3-Clause, Copyright (c) 2020 NCSOFT Corporation & SNU R&D Foundation", "github.com/snumrl/TimeCriticalResponse"
)
_HUMANFOOT: Final[str] = _licence(JEHEE_LEE_2019, "github.com/hpgit/HumanFoot")

_INCHES: Final[frozenset[str]] = frozenset(
    {"VideoMotion", "Samsung", "boxman", "round", "Walking", "motion_edit"},
)
"""Folders of the dialect with ``*Dummy`` joints, whose unit is the inch; the other's is the centimetre."""


@dataclass(frozen=True)
class _Known:
    """What a set says of one of its files: with which it was recorded, and under which terms."""

    group: str
    licence: str
    trial: str | None = None


def _make_lister(
    pattern: str, know: Callable[[Path, str], _Known | None], choose: Callable[[Path], tuple[SkeletonMap, _Reader]]
) -> Callable[[Path], Iterator[MocapFile]]:
    """Return a function that lists the files of a pattern of which something is known."""

    def list_files(folder: Path) -> Iterator[MocapFile]:
        for path in sorted(folder.rglob(pattern)):
            name = name_file(path, folder)
            known = know(path, name)
            if known is None:
                continue
            skeleton, reader = choose(path)

            def read(path: Path = path, reader: _Reader = reader) -> SkeletonMotion:
                return reader(path)

            yield MocapFile(
                name,
                path,
                known.trial,
                skeleton,
                read,
                group=known.group,
                licence=known.licence,
            )

    return list_files


_Reader = Callable[[Path], SkeletonMotion]


def _read_cm(path: Path) -> SkeletonMotion:
    return read_bvh(path, unit_m=0.01)


def _read_snu(path: Path) -> SkeletonMotion:
    # Some programs spell the head HEad.
    return spell_joints(_read_cm(path), SNU)


def _read_inches(path: Path) -> SkeletonMotion:
    return spell_joints(read_bvh(path, unit_m=INCH_M), SNU)


_SKELETONS: Final = {"1": "motion_edit_080827", "session2and3": "woody2", "2": "wd2", "3": "wd2"}
"""Skeleton of the files of each folder of snu_tiling."""


def _read_tiling(path: Path) -> SkeletonMotion:
    name = _SKELETONS[path.parent.name]
    folders = [path.parent, *list(path.parents)[1:3]]
    asf = next((found for folder in folders for found in sorted(folder.glob(f"{name}.asf*"))), folders[0] / name)
    return spell_joints(read_acclaim(path, asf, unit_m=INCH_M), SNU_AMC)


def _read_humanfoot(path: Path) -> SkeletonMotion:
    fit = fit_markers(replace(read_trc(path), up="z"), origin=path)
    return describe_skeleton(fit.motion, fit.body)


def _know_ys2010(path: Path, name: str) -> _Known:
    return _Known(name, _YS2010)


def _choose_ys2010(path: Path) -> tuple[SkeletonMap, _Reader]:
    if path.parent.name in _INCHES:
        return SNU, _read_inches
    return SNU, _read_snu


def _know_tiling(path: Path, name: str) -> _Known | None:
    # The root's height is wrong: its pelvis rises to 1.9 m.
    if name.endswith("itonic3_wd2_crawltowalk_1"):
        return None
    return _Known(name, _TILING)


def _know_vsports(path: Path, name: str) -> _Known:
    return _Known(_take_of(path, name), _VSPORTS)


def _know_martial(path: Path, name: str) -> _Known:
    return _Known(_take_of(path, name), _MARTIAL)


def _take_of(path: Path, name: str) -> str:
    """Return the group of ``s_006_4_1``: session and take; the people of one take moved at the same time."""
    _, session, take, _ = path.name.split(".")[0].split("_")
    return f"{name.partition('/')[0]}/s_{session}_{take}"


def _know_interactive(path: Path, name: str) -> _Known:
    if path.parent.name == "tennis":
        return _Known(name, _INTERACTIVE)
    trial = path.name[:5]
    return _Known(f"cmu/{trial}", f"{CMU}; retargeted under {_INTERACTIVE}", trial)


def _choose_interactive(path: Path) -> tuple[SkeletonMap, _Reader]:
    if path.parent.name == "tennis":
        return SNU, _read_snu
    return SNU_SPORTS, _read_cm


def _know_humanfoot(path: Path, name: str) -> _Known:
    return _Known(name, _HUMANFOOT)


SNU_SETS: Final[tuple[MocapSet, ...]] = (
    MocapSet(
        "snu_ys2010",
        _YS2010,
        True,
        _make_lister("*.bvh*", _know_ys2010, _choose_ys2010),
        "centimetres, or inches where joints called Dummy are; the root's position replaces its offset",
    ),
    MocapSet(
        "snu_tiling",
        _TILING,
        True,
        _make_lister("*.amc*", _know_tiling, lambda _: (SNU_AMC, _read_tiling)),
        "inches, rate of the header, skeleton of the folder; 2/itonic3_wd2_crawltowalk_1 left out for wrong heights",
    ),
    MocapSet(
        "snu_vsports_basketball",
        _VSPORTS,
        True,
        _make_lister("*.bvh*", _know_vsports, lambda _: (SNU_SPORTS, _read_cm)),
        "centimetres; cut where the root jumps",
    ),
    MocapSet(
        "snu_interactive_tennis_walk",
        _INTERACTIVE,
        True,
        _make_lister("*.bvh*", _know_interactive, _choose_interactive),
        "centimetres, 30 fps; walks are CMU's subject 69 on the authors' character",
    ),
    MocapSet(
        "snu_timecritical_martial",
        _MARTIAL,
        True,
        _make_lister("*.bvh*", _know_martial, lambda _: (SNU_MARTIAL, _read_cm)),
        "centimetres",
    ),
    MocapSet(
        "snu_humanfoot",
        _HUMANFOOT,
        True,
        _make_lister("*.trc*", _know_humanfoot, lambda _: (SMPL, _read_humanfoot)),
        "millimetres, z up; a body fitted to the markers",
    ),
)
