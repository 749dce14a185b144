"""Find clips that show the same recording, by the motion itself: shifted in time, mirrored, or converted differently.

A clip is cut into windows of one second, ten frames each: joint positions relative to the root, seen from the person's
heading. Two clips are duplicates if most windows of the shorter one have a twin in the other at one and the same time
shift. Shifts are tried in steps of 25 ms. On CMU, conversions of one recording differ by 3 to 8 mm, different walks of
one person by 13 mm and more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    """Windows of all clips in one table: vectors ``(N, D)``, owning clip, first sample and limit of each."""

    vectors: NDArray[np.float32]
    owner: NDArray[np.int64]
    start: NDArray[np.int64]
    limit: NDArray[np.float64]


def find_duplicates(joints: Sequence[NDArray[np.float32]], *, skip: Sequence[bool] | None = None) -> list[Duplicate]:
    """Compare all clips with one another and with their mirror images.

    Args:
        joints: world joint positions of each clip ``(T, 22, 3)`` [m] at :data:`RATE_HZ`, Y up.
        skip: clips to leave out (constructed postures); None compares all.

    Returns:
        The pairs found. Standing still has no time shift, so windows whose joints stay within 2 cm are left out.
    """
    used = [index for index in range(len(joints)) if not (skip is not None and skip[index])]
    # Every clip's windows start at all samples; what is looked for, at every fourth one.
    everywhere = _cut_windows(joints, used, mirror=False, step=1)
    found = []
    for mirror in (False, True):
        sought = _cut_windows(joints, used, mirror=mirror, step=STRIDE)
        found += _collect(sought, everywhere, _pair_windows(sought, everywhere), mirrored=mirror)
    return found


def group_duplicates(count: int, duplicates: Sequence[Duplicate]) -> list[int]:
    """Return a group number for each of ``count`` clips; duplicates, also by way of a third clip, share one."""
    first = [pair.first for pair in duplicates]
    second = [pair.second for pair in duplicates]
    links = coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    return [int(group) for group in connected_components(links, directed=False)[1]]


def _cut_windows(joints: Sequence[NDArray[np.float32]], used: Sequence[int], *, mirror: bool, step: int) -> _Windows:
    size = FRAMES * joints[0].shape[1] * 3 if joints else 0
    vectors, owners, starts, limits = [np.zeros((0, size), np.float32)], [np.zeros(0, int)], [np.zeros(0, int)], []
    for index in used:
        if len(joints[index]) > (FRAMES - 1) * STRIDE:
            windows = _canonical_windows(joints[index], mirror=mirror)[::step]
            moving = np.flatnonzero(windows.std(axis=1).max(axis=-1) > _SPREAD_M)
            windows = windows[moving]
            speed = np.sqrt((np.diff(windows, axis=1) ** 2).mean(axis=(1, 2)) * 3) * RATE_HZ / STRIDE
            vectors.append(windows.reshape(len(windows), size))
            owners.append(np.full(len(windows), index))
            starts.append(moving * step)
            limits.append(LIMIT_M + LIMIT_S * speed)
    limit = np.concatenate(limits) if limits else np.zeros(0)
    return _Windows(np.concatenate(vectors), np.concatenate(owners), np.concatenate(starts), limit)


def _canonical_windows(joints: NDArray[np.float32], *, mirror: bool) -> NDArray[np.float32]:
    """All windows of a clip ``(N, FRAMES, 66)``: relative to the root, turned so that their first frame faces +Z.

    The root's place holds half of its path within the window, so that walking on the spot is not walking.
    """
    if mirror:
        joints = joints[:, list(MIRROR)] * np.array([-1.0, 1.0, 1.0], dtype=np.float32)
    span = (FRAMES - 1) * STRIDE + 1
    view = np.lib.stride_tricks.sliding_window_view(joints, span, axis=0)[..., ::STRIDE].transpose(0, 3, 1, 2)
    windows = view - view[:, :, :1]
    windows[:, :, 0] = 0.5 * (view[:, :, 0] - view[:, :1, 0])
    hips = view[:, 0, JOINT_INDEX["left_hip"]] - view[:, 0, JOINT_INDEX["right_hip"]]
    angle = np.arctan2(-hips[:, 2], hips[:, 0])
    cosine, sine, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    turn = np.stack([cosine, zero, -sine, zero, one, zero, sine, zero, cosine], axis=-1).reshape(-1, 1, 3, 3)
    turned = windows @ turn.transpose(0, 1, 3, 2)
    return turned.reshape(len(windows), FRAMES, -1).astype(np.float32)


def _pair_windows(sought: _Windows, everywhere: _Windows) -> NDArray[np.int64]:
    """Pairs of rows ``(N, 2)`` of different clips that are twins: found in the main directions, checked in full."""
    if len(sought.vectors) == 0:
        return np.zeros((0, 2), dtype=np.int64)
    centre = everywhere.vectors.mean(axis=0)
    every = max(1, len(everywhere.vectors) // 4000)
    _, _, directions = np.linalg.svd(everywhere.vectors[::every] - centre, full_matrices=False)
    axes = directions[:_COMPONENTS].T
    scale = np.sqrt(sought.vectors.shape[1] / 3)
    tree = cKDTree((everywhere.vectors - centre) @ axes)
    # Projection only shortens, so no pair within the limit is lost.
    near = tree.query_ball_point((sought.vectors - centre) @ axes, sought.limit * scale)
    kept = [np.zeros((0, 2), dtype=np.int64)]
    for row, candidates in enumerate(near):
        others = np.array(
            [other for other in candidates if everywhere.owner[other] != sought.owner[row]], dtype=np.int64
        )
        if len(others):
            distance = np.linalg.norm(everywhere.vectors[others] - sought.vectors[row], axis=1) / scale
            close = others[distance <= sought.limit[row]]
            kept.append(np.stack([np.full(len(close), row), close], axis=1))
    return np.concatenate(kept)


def _collect(sought: _Windows, everywhere: _Windows, pairs: NDArray[np.int64], *, mirrored: bool) -> list[Duplicate]:
    """Count twins of each pair of clips by time shift and keep pairs with enough of them."""
    first, second = sought.owner[pairs[:, 0]], everywhere.owner[pairs[:, 1]]
    counts = np.bincount(sought.owner, minlength=int(everywhere.owner.max(initial=0)) + 1)
    shifts = everywhere.start[pairs[:, 1]] - sought.start[pairs[:, 0]]
    scale = np.sqrt(sought.vectors.shape[1] / 3)
    found = []
    for one, other in sorted(set(zip(first.tolist(), second.tolist(), strict=True))):
        if (counts[one], one) > (counts[other], other):
            continue  # the shorter clip comes first, and each pair once
        rows = np.flatnonzero((first == one) & (second == other))
        values, numbers = np.unique(shifts[rows], return_counts=True)
        best = int(values[numbers.argmax()])
        rows = rows[np.abs(shifts[rows] - best) <= 1]
        if len(np.unique(pairs[rows, 0])) >= max(2, SHARE * counts[one]):
            distance = sought.vectors[pairs[rows, 0]] - everywhere.vectors[pairs[rows, 1]]
            median = float(np.median(np.linalg.norm(distance, axis=1)) / scale)
            found.append(Duplicate(one, other, best / RATE_HZ, median, mirrored))
    return found
