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

from datamodules.formats.skeleton import (
    FloatArray,
    SkeletonMotion,
    parse_table,
    read_text,
    run_forward_kinematics,
)

_CHANNELS: Final = frozenset(f"{axis}{kind}" for axis in "xyz" for kind in ("position", "rotation"))


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
        The motion in metres, axes as in the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a whole BVH file; the message names what was found.
    """
    numbered = [(number, line.strip()) for number, line in enumerate(read_text(path).splitlines(), start=1)]
    numbered = [(number, line) for number, line in numbered if line]
    lines = [line for _, line in numbered]
    split = next((index for index, line in enumerate(lines) if line.upper() == "MOTION"), None)
    if split is None:
        raise ValueError(f"{path} has no line MOTION, expected a BVH file with HIERARCHY and MOTION")
    # Some programs set braces on the line of the joint.
    header = re.sub(r"([{}])", r"\n\1\n", "\n".join(lines[:split]))
    hierarchy = _parse_hierarchy([line.strip() for line in header.splitlines() if line.strip()], path)
    frames, rate = _parse_motion_header(lines[split + 1 : split + 3], path, fps)
    width = sum(len(channels) for channels in hierarchy.channels)
    rows = slice(split + 3, split + 3 + frames)
    table = parse_table(lines[rows], width, path, numbers=[number for number, _ in numbered[rows]])
    if len(table) != frames:
        raise ValueError(f"{path} holds {len(table)} frames, its header says {frames}; fetch it again")
    local, offsets = _read_channels(hierarchy, table[drop_first:])
    if len(local) == 0:
        raise ValueError(f"{path} has no frame left after the first {drop_first} were dropped")
    parents = tuple(hierarchy.parents)
    rotations, positions = run_forward_kinematics(parents, offsets * unit_m, local, offsets[:, 0] * unit_m)
    rest = np.array(hierarchy.offsets) * unit_m
    return SkeletonMotion(tuple(hierarchy.names), parents, rest, rotations, positions, rate)


def _parse_hierarchy(lines: list[str], path: str | Path) -> _Hierarchy:
    hierarchy = _Hierarchy()
    open_joints: list[int] = []
    for line in lines:
        word, *rest = line.split()
        word = word.upper()
        if word in ("ROOT", "JOINT", "END", "ENDSITE"):
            parent = open_joints[-1] if open_joints else -1
            if (parent < 0) != (word == "ROOT"):
                raise ValueError(f"{path}: {line!r} at depth {len(open_joints)}, expected one ROOT that holds the rest")
            hierarchy.names.append(f"{hierarchy.names[parent]}_end" if word.startswith("END") else " ".join(rest))
            hierarchy.parents.append(parent)
            hierarchy.offsets.append([0.0, 0.0, 0.0])
            hierarchy.channels.append([])
        elif word == "{":
            open_joints.append(len(hierarchy.names) - 1)
        elif word == "}" and open_joints:
            open_joints.pop()
        elif word == "OFFSET" and open_joints and len(rest) == 3:
            hierarchy.offsets[open_joints[-1]] = _parse_offset(rest, line, path)
        elif (
            word == "CHANNELS"
            and open_joints
            and rest[:1] == [str(len(rest) - 1)]
            and _CHANNELS.issuperset(channel.lower() for channel in rest[1:])
        ):
            hierarchy.channels[open_joints[-1]] = [channel.lower() for channel in rest[1:]]
        elif word != "HIERARCHY":
            raise ValueError(f"{path}: {line!r} in the hierarchy, expected OFFSET or CHANNELS with their numbers")
    if open_joints or not hierarchy.names:
        raise ValueError(f"{path}: the hierarchy ends with {len(open_joints)} joints open, expected none")
    return hierarchy


def _parse_offset(values: list[str], line: str, path: str | Path) -> list[float]:
    try:
        offset = [float(value) for value in values]
    except ValueError:
        offset = [np.nan]
    if not np.isfinite(offset).all():
        raise ValueError(f"{path}: {line!r} in the hierarchy, expected three numbers after OFFSET")
    return offset


def _parse_motion_header(lines: list[str], path: str | Path, fps: float | None) -> tuple[int, float]:
    values = {line.partition(":")[0].strip().lower(): line.partition(":")[2].strip() for line in lines}
    try:
        frames, period_s = int(values["frames"]), float(values["frame time"])
    except (KeyError, ValueError):
        raise ValueError(f"{path}: {lines} after MOTION, expected 'Frames: N' and 'Frame Time: s'") from None
    if frames < 1:
        raise ValueError(f"{path}: Frames is {frames}, expected at least 1; fetch it again")
    if fps is not None:
        return frames, fps
    if not 0 < period_s < np.inf:
        raise ValueError(f"{path}: frame time is {period_s} s, expected > 0; pass fps=...")
    rate = 1.0 / period_s
    # Headers round the period to few digits: 0.0083333 means 120 Hz, 0.041667 means 24 Hz.
    nearest = round(rate)
    return frames, float(nearest) if abs(rate - nearest) < 2e-3 * rate else rate


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
