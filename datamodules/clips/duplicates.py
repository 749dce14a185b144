"""Find clips that show the same recording, by the motion itself: shifted in time, mirrored, or converted differently.

A clip is cut into windows of one second, ten frames each: joint positions relative to the root, seen from the person's
heading. Two clips are duplicates if most windows of the shorter one have a twin in the other at one and the same time
shift. Shifts are tried in steps of 25 ms. On CMU, conversions of one recording differ by 3 to 8 mm, different walks of
one person by 13 mm and more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from sim.conventions import JOINT_INDEX, MIRROR

RATE_HZ: Final[float] = 40.0
"""Frame rate of the joints that are compared [Hz]; its period is the step of time shifts."""

FRAMES: Final[int] = 10
STRIDE: Final[int] = 4
"""A window takes every fourth sample, ten in all."""

LIMIT_M: Final[float] = 0.006
LIMIT_S: Final[float] = 0.006
"""Two windows are twins if their joints are apart by less than 6 mm and 6 ms of their movement (root mean square): half
a step of the time shift is 12.5 ms, of which the mean is half."""

SHARE: Final[float] = 0.6
"""Share of the shorter clip's windows that must have a twin at the same shift."""

_SPREAD_M: Final[float] = 0.02
_COMPONENTS: Final[int] = 16
_BLOCK: Final[int] = 2048
_FAR: Final[int] = 1 << 30

Joints = NDArray[np.float32]


@dataclass(frozen=True)
class Duplicate:
    """Two clips that show the same recording.

    Attributes:
        first: index of the shorter clip.
        second: index of the other.
        shift_s: where the first begins within the second [s].
        distance_m: median distance of joints at that shift [m].
        mirrored: one is the mirror image of the other.
    """

    first: int
    second: int
    shift_s: float
    distance_m: float
    mirrored: bool


@dataclass(frozen=True)
class _Windows:
    """Windows of all clips in one table: main directions ``(N, K)``, owning clip, first sample and limit of each."""

    projected: NDArray[np.float32]
    owner: NDArray[np.int32]
    start: NDArray[np.int32]
    limit: NDArray[np.float32]


def find_duplicates(joints: Sequence[Joints], *, skip: Sequence[bool] | None = None) -> list[Duplicate]:
    """Compare all clips with one another and with their mirror images.

    Windows are kept by a few main directions only and cut anew where these agree, so that hours of motion fit into
    memory (64 bytes a window of 25 ms).

    Args:
        joints: world joint positions of each clip ``(T, 22, 3)`` [m] at :data:`RATE_HZ`, Y up.
        skip: clips to leave out (constructed postures); None compares all.

    Returns:
        The pairs found. Standing still has no time shift, so windows whose joints stay within 2 cm are left out.
    """
    used = [index for index in range(len(joints)) if not (skip is not None and skip[index])]
    used = [index for index in used if len(joints[index]) > (FRAMES - 1) * STRIDE]
    if not used:
        return []
    axes = _find_axes(joints, used)
    # Every clip's windows start at all samples; what is looked for, at every fourth one.
    everywhere = _cut_windows(joints, used, axes, mirror=False, step=1)
    tree = cKDTree(everywhere.projected)
    found = []
    for mirror in (False, True):
        sought = _cut_windows(joints, used, axes, mirror=mirror, step=STRIDE)
        counts = np.bincount(sought.owner, minlength=len(joints))
        for one in used:
            if counts[one]:
                found += _compare_clip(joints, one, sought, counts, everywhere, tree, mirrored=mirror)
    return sorted(found, key=lambda pair: (pair.mirrored, pair.first, pair.second))


def group_duplicates(count: int, duplicates: Sequence[Duplicate]) -> list[int]:
    """Return a group number for each of ``count`` clips; duplicates, also by way of a third clip, share one."""
    first = [pair.first for pair in duplicates]
    second = [pair.second for pair in duplicates]
    links = coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    return [int(group) for group in connected_components(links, directed=False)[1]]


def _find_axes(joints: Sequence[Joints], used: Sequence[int]) -> NDArray[np.float32]:
    """Main directions of windows ``(660, K)``, from some thousand of them."""
    total = sum(len(joints[index]) for index in used)
    every = max(1, total // 4000)
    sample = np.concatenate(
        [_canonical_windows(joints[one], np.arange(0, _count(joints[one]), every), mirror=False) for one in used]
    )
    _, _, directions = np.linalg.svd(sample - sample.mean(axis=0), full_matrices=False)
    return np.ascontiguousarray(directions[:_COMPONENTS].T)


def _count(joints: Joints) -> int:
    """Windows that fit into a clip."""
    return len(joints) - (FRAMES - 1) * STRIDE


def _cut_windows(
    joints: Sequence[Joints], used: Sequence[int], axes: NDArray[np.float32], *, mirror: bool, step: int
) -> _Windows:
    projected, owners, starts, limits = [], [], [], []
    for index in used:
        count = _count(joints[index])
        for first in range(0, count, _BLOCK):
            at = np.arange(first, min(count, first + _BLOCK))
            at = at[at % step == 0]
            windows = _canonical_windows(joints[index], at, mirror=mirror).reshape(len(at), FRAMES, len(axes) // FRAMES)
            moving = windows.std(axis=1).max(axis=-1) > _SPREAD_M
            windows, at = windows[moving], at[moving]
            speed = np.sqrt((np.diff(windows, axis=1) ** 2).mean(axis=(1, 2)) * 3) * RATE_HZ / STRIDE
            projected.append(windows.reshape(len(windows), len(axes)) @ axes)
            owners.append(np.full(len(at), index, dtype=np.int32))
            starts.append(at.astype(np.int32))
            limits.append((LIMIT_M + LIMIT_S * speed).astype(np.float32))
    return _Windows(np.concatenate(projected), np.concatenate(owners), np.concatenate(starts), np.concatenate(limits))


def _canonical_windows(joints: Joints, starts: NDArray[np.integer], *, mirror: bool) -> NDArray[np.float32]:
    """Windows of a clip ``(N, 660)``: relative to the root, turned so that their first frame faces +Z.

    The root's place holds half of its path within the window, so that walking on the spot is not walking.
    """
    view = joints[starts[:, None] + STRIDE * np.arange(FRAMES)]
    if mirror:
        view = view[:, :, list(MIRROR)] * np.array([-1.0, 1.0, 1.0], dtype=np.float32)
    windows = view - view[:, :, :1]
    windows[:, :, 0] = 0.5 * (view[:, :, 0] - view[:, :1, 0])
    hips = view[:, 0, JOINT_INDEX["left_hip"]] - view[:, 0, JOINT_INDEX["right_hip"]]
    angle = np.arctan2(-hips[:, 2], hips[:, 0])
    cosine, sine, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    turn = np.stack([cosine, zero, -sine, zero, one, zero, sine, zero, cosine], axis=-1).reshape(-1, 1, 3, 3)
    turned = windows @ turn.transpose(0, 1, 3, 2)
    return turned.reshape(len(windows), FRAMES * view.shape[2] * 3).astype(np.float32)


def _compare_clip(
    joints: Sequence[Joints],
    one: int,
    sought: _Windows,
    counts: NDArray[np.intp],
    everywhere: _Windows,
    tree: cKDTree,
    *,
    mirrored: bool,
) -> list[Duplicate]:
    """Find the clips that a clip's windows lie in, at one time shift for enough of them."""
    rows = np.flatnonzero(sought.owner == one)
    scale = np.sqrt(FRAMES * joints[one].shape[1])
    # Projection only shortens, so no pair within the limit is lost.
    near = tree.query_ball_point(sought.projected[rows], sought.limit[rows] * scale, return_sorted=False)
    twins = np.fromiter(chain.from_iterable(near), dtype=np.int64)
    mine = np.repeat(rows, [len(candidates) for candidates in near])
    other_of = everywhere.owner[twins]
    needed = max(2.0, SHARE * len(rows))
    found = []
    for other, count in zip(*np.unique(other_of, return_counts=True), strict=True):
        # The shorter clip is sought in the longer, and each pair once.
        if other == one or count < needed or (counts[one], one) > (counts[other], other):
            continue
        chosen = other_of == other
        pair = _check_pair(joints, one, int(other), sought, everywhere, mine[chosen], twins[chosen], needed, mirrored)
        found += [pair] if pair is not None else []
    return found


def _check_pair(
    joints: Sequence[Joints],
    one: int,
    other: int,
    sought: _Windows,
    everywhere: _Windows,
    mine: NDArray[np.int64],
    twins: NDArray[np.int64],
    needed: float,
    mirrored: bool,
) -> Duplicate | None:
    """Check candidates of one pair of clips in full, and whether enough agree at one shift."""
    shifts = everywhere.start[twins] - sought.start[mine]
    likely = np.abs(shifts[:, None] - _busiest(shifts, needed)[None]).min(axis=1, initial=_FAR) <= 1
    mine, twins, shifts = mine[likely], twins[likely], shifts[likely]
    if len(np.unique(mine)) < needed:
        return None
    first = _canonical_windows(joints[one], sought.start[mine], mirror=mirrored)
    second = _canonical_windows(joints[other], everywhere.start[twins], mirror=False)
    distance = np.linalg.norm(first - second, axis=1) / np.sqrt(FRAMES * joints[one].shape[1])
    close = distance <= sought.limit[mine]
    mine, shifts, distance = mine[close], shifts[close], distance[close]
    if not len(mine):
        return None
    values, numbers = np.unique(shifts, return_counts=True)
    best = int(values[numbers.argmax()])
    at = np.abs(shifts - best) <= 1
    if len(np.unique(mine[at])) < needed:
        return None
    return Duplicate(one, other, best / RATE_HZ, float(np.median(distance[at])), mirrored)


def _busiest(shifts: NDArray[np.int32], needed: float) -> NDArray[np.int64]:
    """Shifts at which, one sample up or down, there are enough candidates."""
    low = int(shifts.min()) - 1
    counts = np.bincount(shifts - low, minlength=3)
    around = np.convolve(counts, np.ones(3, dtype=int), mode="same")
    return np.flatnonzero(around >= needed) + low
