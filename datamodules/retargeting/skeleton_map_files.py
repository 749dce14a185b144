"""Skeleton maps of one's own: a YAML file that names a skeleton's joints by SMPL's."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from datamodules.retargeting.retarget import SkeletonMap
from sim.conventions import JOINT_NAMES
from sim.files import parse_yaml, read_text_file
from sim.names import suggest

_KEYS: Final[frozenset[str]] = frozenset({"joints", "forearm_twist", "aligned_feet"})
_TRUNK: Final[frozenset[str]] = frozenset({"pelvis", "spine1", "spine2", "spine3", "neck", "head"})


def read_skeleton_map(path: str | Path, names: Collection[str]) -> SkeletonMap:
    """Read a map and check it against a skeleton; ``datamodules/assets/skeleton_map.yaml`` shows one.

    Args:
        path: YAML with ``joints``: for each of SMPL's 22 joints one of the skeleton's, or two that are averaged (in the
            trunk only); maybe ``forearm_twist`` and ``aligned_feet``.
        names: joints of the skeleton.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a joint is missing, not SMPL's, or not the skeleton's.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"skeleton map {path} not found; datamodules/assets/skeleton_map.yaml shows one")
    table = parse_yaml(read_text_file(path), path)
    if not isinstance(table, dict) or not isinstance(table.get("joints"), dict) or set(table) - _KEYS:
        raise ValueError(f"{path} is no skeleton map, expected {', '.join(sorted(_KEYS))} with a table 'joints'")
    joints = table["joints"]
    missing, odd = [one for one in JOINT_NAMES if one not in joints], sorted(set(joints) - set(JOINT_NAMES))
    if missing or odd:
        raise ValueError(f"{path} lacks {missing or 'nothing'} and has {odd or 'nothing'} too much of SMPL's joints")
    drivers = {name: _read_driver(path, name, joints[name], names) for name in JOINT_NAMES}
    twists = {}
    for side in ("left", "right"):
        word = (table.get("forearm_twist") or {}).get(side)
        if word is not None:
            twists[f"{side}_elbow"] = _check(path, f"forearm_twist of {side}", str(word), names)
    places = {name: driver for name, driver in drivers.items() if isinstance(driver, str) and name not in _TRUNK}
    return SkeletonMap(places, drivers, twists, aligned_feet=bool(table.get("aligned_feet", False)))


def _read_driver(path: str | Path, joint: str, value: object, names: Collection[str]) -> str | tuple[str, str]:
    if isinstance(value, list) and len(value) == 2 and joint in _TRUNK:
        first, second = (_check(path, joint, str(one), names) for one in value)
        return first, second
    if not isinstance(value, str):
        raise ValueError(f"{path}: {joint} is {value!r}, expected a joint's name, or two in the trunk")
    return _check(path, joint, value, names)


def _check(path: str | Path, joint: str, name: str, names: Collection[str]) -> str:
    if name not in names:
        hint = suggest(name, names) or ";"
        raise ValueError(f"{path}: {joint} is {name!r}, which the skeleton lacks{hint} it has {sorted(names)[:12]} ...")
    return name
