"""Biovision hierarchy (.bvh, .bvh.xz) -> SkeletonMotion; any channel order, position channels on any joint.

Meredith & Maddock, "Motion Capture File Formats Explained" (University of Sheffield CS-01-11, 2001). Written here
because ``pybvh`` does not read position channels on joints other than the root, which ReActIdle and Bandai-Namco
have; the tests compare with ``pybvh`` on the files that it reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from datamodules.formats.frame_clock import SUSPICIOUS, rate_of_period
from datamodules.formats.skeleton import (
    FloatArray,
    SkeletonMotion,
    check_extent,
    parse_numbers,
    parse_table,
    read_text,
    run_forward_kinematics,
)

_CHANNELS: Final = frozenset(f"{axis}{kind}" for axis in "xyz" for kind in ("position", "rotation"))

_LIMBS: Final = ("leg", "foot", "toe", "arm", "hand", "hip", "head", "neck", "spine", "thigh", "knee", "shoulder")


@dataclass
class _Hierarchy:
    """The joints of a BVH header, in file order."""

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[list[float]] = field(default_factory=list)
    channels: list[list[str]] = field(default_factory=list)


def read_bvh(path: str | Path, *, unit_m: float, fps: float | None = None, drop_first: int = 0) -> SkeletonMotion:
    """Read a BVH file.

    Position channels of a joint replace its OFFSET, as most programs take them; a root without them stays at its
    OFFSET.

    Args:
        path: a ``.bvh`` file, or one compressed as ``.bvh.xz``.
        unit_m: metres per unit of the file, which the format does not state (0.01 for centimetres).
        fps: frame rate [Hz] where the header's is known to be wrong.
        drop_first: frames to leave out at the beginning (conversions of CMU put a T-pose there).

    Returns:
        The motion in metres, axes as in the file; of several roots the person's.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a whole BVH file; the message names what was found.
    """
    text = read_text(path)
    lines = text.splitlines()
    split = next((index for index, line in enumerate(lines) if line.strip().upper() == "MOTION"), None)
    if split is None:
        raise ValueError(f"{path} has no line MOTION, expected a BVH file with HIERARCHY and MOTION")
    hierarchy = _parse_hierarchy(lines[:split], path)
    numbered = [(number, line.strip()) for number, line in enumerate(lines[split + 1 :], start=split + 2)]
    numbered = [(number, line) for number, line in numbered if line]
    frames, rate = _parse_motion_header([line for _, line in numbered[:2]], path, fps)
    width = sum(len(channels) for channels in hierarchy.channels)
    table = _parse_rows(numbered[2:], frames, width, path)
    notes = []
    if len(table) > frames:
        notes.append(
            f"{SUSPICIOUS}the header says Frames: {frames}, the file has {len(table)} rows; the first {frames} are "
            "taken"
        )
    check_extent(frames, len(hierarchy.names), len(text), path)
    local, offsets = _read_channels(hierarchy, table[:frames][drop_first:])
    if len(local) == 0:
        raise ValueError(f"{path} has no frame left after the first {drop_first} were dropped")
    chosen, said = _choose_tree(hierarchy)
    parents = tuple(-1 if (parent := hierarchy.parents[one]) < 0 else chosen.index(parent) for one in chosen)
    local, offsets = local[:, chosen], offsets[:, chosen]
    rotations, positions = run_forward_kinematics(parents, offsets * unit_m, local, offsets[:, 0] * unit_m)
    rest = np.array(hierarchy.offsets)[chosen] * unit_m
    names = tuple(hierarchy.names[one] for one in chosen)
    return SkeletonMotion(names, parents, rest, rotations, positions, rate, (*said, *notes))


def _choose_tree(hierarchy: _Hierarchy) -> tuple[list[int], tuple[str, ...]]:
    """Return the joints of the root that has most of a person's, and what is left out: props, other people."""
    roots: list[int] = []
    for joint, parent in enumerate(hierarchy.parents):
        roots.append(joint if parent < 0 else roots[parent])
    trees = {root: [joint for joint, top in enumerate(roots) if top == root] for root in dict.fromkeys(roots)}
    best = max(trees, key=lambda root: (_count_limbs(hierarchy, trees[root]), len(trees[root])))
    if len(trees) == 1:
        return trees[best], ()
    others = ", ".join(hierarchy.names[root] for root in trees if root != best)
    return trees[best], (f"{len(trees)} roots; {hierarchy.names[best]}, the person's, taken, {others} left out",)


def _count_limbs(hierarchy: _Hierarchy, joints: list[int]) -> int:
    return sum(any(word in hierarchy.names[joint].lower() for word in _LIMBS) for joint in joints)


def _parse_rows(numbered: list[tuple[int, str]], frames: int, width: int, path: str | Path) -> FloatArray:
    """Return the table of channels, of as many rows as there are: one frame a line, or wrapped over several."""
    lines = [line for _, line in numbered]
    if len(lines) > frames and lines and len(lines[0].split()) < width:
        words = " ".join(lines).split()
        if len(words) == frames * width:
            return parse_numbers(words, str(path)).reshape(frames, width)
    table = parse_table(lines, width, path, numbers=[number for number, _ in numbered])
    if len(table) < frames:
        raise ValueError(f"{path} holds {len(table)} frames, its header says {frames}; fetch it again")
    return table


def _parse_hierarchy(lines: list[str], path: str | Path) -> _Hierarchy:
    """Parse the words of a hierarchy, however they stand on lines."""
    words = [
        (word, number)
        for number, line in enumerate(lines, start=1)
        for word in re.sub(r"([{}])", r" \1 ", line).split()
    ]
    hierarchy, open_joints, place = _Hierarchy(), list[int](), 0
    while place < len(words):
        word, number = words[place]
        where, kind, place = f"{path}, line {number}", word.upper(), place + 1
        if kind in ("ROOT", "JOINT", "END", "ENDSITE"):
            name, place = _take_name(words, place)
            parent = open_joints[-1] if open_joints else -1
            if (parent < 0) != (kind == "ROOT"):
                raise ValueError(f"{where}: {kind} {name} at depth {len(open_joints)}, expected a ROOT that holds it")
            hierarchy.names.append(f"{hierarchy.names[parent]}_end" if kind.startswith("END") else name)
            hierarchy.parents.append(parent)
            hierarchy.offsets.append([0.0, 0.0, 0.0])
            hierarchy.channels.append([])
        elif kind == "{" and hierarchy.names:
            open_joints.append(len(hierarchy.names) - 1)
        elif kind == "}" and open_joints:
            open_joints.pop()
        elif kind == "OFFSET" and open_joints:
            hierarchy.offsets[open_joints[-1]] = _take_offset([one for one, _ in words[place : place + 3]], where)
            place += 3
        elif kind == "CHANNELS" and open_joints:
            channels = _take_channels([one for one, _ in words[place:]], where)
            hierarchy.channels[open_joints[-1]] = channels
            place += 1 + len(channels)
        elif kind != "HIERARCHY":
            raise ValueError(f"{where}: {word!r} in the hierarchy, expected OFFSET or CHANNELS with their numbers")
    if open_joints or not hierarchy.names:
        raise ValueError(f"{path}: the hierarchy ends with {len(open_joints)} joints open, expected none")
    return hierarchy


def _take_name(words: list[tuple[str, int]], place: int) -> tuple[str, int]:
    """Return a joint's name, of one or more words up to the brace or the end of its line, and what comes after it."""
    start = place
    while place < len(words) and words[place][0] not in "{}" and words[place][1] == words[start - 1][1]:
        place += 1
    return " ".join(word for word, _ in words[start:place]), place


def _take_offset(values: list[str], where: str) -> list[float]:
    try:
        offset = [float(value) for value in values]
    except ValueError:
        offset = [np.nan]
    if len(offset) != 3 or not np.isfinite(offset).all():
        raise ValueError(f"{where}: OFFSET {' '.join(values)!r} in the hierarchy, expected three numbers after OFFSET")
    return offset


def _take_channels(words: list[str], where: str) -> list[str]:
    count = int(words[0]) if words and words[0].isdigit() else -1
    channels = [channel.lower() for channel in words[1 : 1 + count]] if count >= 0 else []
    if len(channels) != count or not _CHANNELS.issuperset(channels) or len(set(channels)) != count:
        raise ValueError(
            f"{where}: CHANNELS {' '.join(words[:7])!r} in the hierarchy, expected a count and so many of "
            f"{', '.join(sorted(_CHANNELS))}"
        )
    return channels


def _parse_motion_header(lines: list[str], path: str | Path, fps: float | None) -> tuple[int, float]:
    text = "\n".join(lines)
    counted = re.search(r"^frames\s*:?\s*(\d{1,12})\s*$", text, re.IGNORECASE | re.MULTILINE)
    period = re.search(r"^frame\s*time\s*:?\s*(\S+)\s*$", text, re.IGNORECASE | re.MULTILINE)
    if counted is None or period is None:
        raise ValueError(f"{path}: {lines} after MOTION, expected 'Frames: N' and 'Frame Time: s'")
    frames = int(counted[1])
    if frames < 1:
        raise ValueError(f"{path}: Frames is {frames}, expected at least 1; fetch it again")
    if fps is not None:
        return frames, fps
    try:
        return frames, rate_of_period(period[1])
    except ValueError:
        raise ValueError(f"{path}: frame time is {period[1]} s, expected a number > 0; pass fps=...") from None


def _read_channels(hierarchy: _Hierarchy, table: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Split the table into local rotations ``(T, J, 3, 3)`` and offsets of each frame ``(T, J, 3)``."""
    frames, joints = len(table), len(hierarchy.names)
    local = np.broadcast_to(np.eye(3), (frames, joints, 3, 3)).copy()
    offsets = np.broadcast_to(np.array(hierarchy.offsets), (frames, joints, 3)).copy()
    column = 0
    for joint, channels in enumerate(hierarchy.channels):
        values = table[:, column : column + len(channels)]
        column += len(channels)
        turns = [index for index, channel in enumerate(channels) if channel.endswith("rotation")]
        if turns:
            # Upper case: intrinsic, so the matrix is the product in the order of the channels.
            order = "".join(channels[index][0].upper() for index in turns)
            local[:, joint] = Rotation.from_euler(order, values[:, turns], degrees=True).as_matrix()
        for index, channel in enumerate(channels):
            if channel.endswith("position"):
                offsets[:, joint, "xyz".index(channel[0])] = values[:, index]
    return local, offsets
