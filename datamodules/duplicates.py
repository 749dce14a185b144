"""Find clips that show the same recording, by the motion itself: shifted in time, mirrored, or converted differently.

A clip is cut into windows of one second at 10 Hz: joint positions relative to the root, seen from the person's heading.
Two clips are duplicates if most windows of the shorter one have a near twin in the other at one and the same time
shift. The limits were set on pairs known to be the same (CMU 02_01 as .amc and as exponential maps) and on different
walks of one person; see ``tests/datamodules/test_duplicates.py``.
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

RATE_HZ: Final[float] = 10.0
"""Frame rate of the joints that are compared [Hz]."""

WINDOW: Final[int] = 10
LIMIT_M: Final[float] = 0.01
"""Root mean square distance of joints over a window, below which two windows are twins [m]."""

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


def find_duplicates(joints: Sequence[NDArray[np.float32]], *, skip: Sequence[bool] | None = None) -> list[Duplicate]:
    """Compare all clips with one another and with their mirror images.

    Args:
        joints: world joint positions of each clip ``(T, 22, 3)`` [m] at :data:`RATE_HZ`, Y up.
        skip: clips to leave out (constructed postures); None compares all.

    Returns:
        The pairs found. A clip without movement has no time shift, so standing still is compared only where it moves:
        windows whose joints stay within 2 cm are left out.
    """
    used = [i for i, clip in enumerate(joints) if len(clip) >= WINDOW and not (skip is not None and skip[i])]
    windows, owners, starts, mirrored = [], [], [], []
    for index in used:
        for mirror in (False, True):
            views = _canonical_windows(joints[index], mirror=mirror)
            moving = np.flatnonzero(views.std(axis=1).max(axis=-1) > _SPREAD_M)
            windows.append(views[moving].reshape(len(moving), views[0].size))
            owners.append(np.full(len(moving), index))
            starts.append(moving)
            mirrored.append(np.full(len(moving), mirror))
    if not windows:
        return []
    vectors = np.concatenate(windows)
    owner, start, mirror_flag = np.concatenate(owners), np.concatenate(starts), np.concatenate(mirrored)
    plain = np.flatnonzero(~mirror_flag)
    limit = LIMIT_M * np.sqrt(vectors.shape[1] / 3)
    pairs = _pair_windows(vectors, plain, limit)
    # Tied to the plain view of the second clip; the first may be mirrored.
    first, second = pairs[:, 0], pairs[:, 1]
    keep = owner[first] != owner[second]
    first, second = first[keep], second[keep]
    distance = np.linalg.norm(vectors[first] - vectors[second], axis=1) / np.sqrt(vectors.shape[1] / 3)
    counts = {index: int(np.sum((owner == index) & ~mirror_flag)) for index in used}
    return _collect(owner, start, mirror_flag, first, second, distance, counts)


def group_duplicates(count: int, duplicates: Sequence[Duplicate]) -> list[int]:
    """Return a group number for each of ``count`` clips; duplicates, also by way of a third clip, share one."""
    first = [pair.first for pair in duplicates]
    second = [pair.second for pair in duplicates]
    links = coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    return [int(group) for group in connected_components(links, directed=False)[1]]


def _canonical_windows(joints: NDArray[np.float32], *, mirror: bool) -> NDArray[np.float32]:
    """All windows of a clip ``(N, WINDOW, 66)``: relative to the root, turned so that their first frame faces +Z."""
    if mirror:
        joints = joints[:, list(MIRROR)] * np.array([-1.0, 1.0, 1.0], dtype=np.float32)
    local = joints - joints[:, :1]
    # The root's own path counts as one more joint's: where it goes within the window, halved to weigh like a limb.
    hips = joints[:, JOINT_INDEX["left_hip"]] - joints[:, JOINT_INDEX["right_hip"]]
    angle = np.arctan2(-hips[:, 2], hips[:, 0])
    windows = np.lib.stride_tricks.sliding_window_view(local, WINDOW, axis=0).transpose(0, 3, 1, 2).copy()
    roots = np.lib.stride_tricks.sliding_window_view(joints[:, 0], WINDOW, axis=0).transpose(0, 2, 1)
    windows[:, :, 0] = 0.5 * (roots - roots[:, :1])
    cosine, sine = np.cos(angle[: len(windows)]), np.sin(angle[: len(windows)])
    zero, one = np.zeros_like(cosine), np.ones_like(cosine)
    turn = np.stack([cosine, zero, -sine, zero, one, zero, sine, zero, cosine], axis=-1).reshape(-1, 3, 3)
    turned = np.einsum("nij,ntkj->ntki", turn, windows)
    return turned.reshape(len(windows), WINDOW, -1).astype(np.float32)


def _pair_windows(vectors: NDArray[np.float32], plain: NDArray[np.int64], limit: float) -> NDArray[np.int64]:
    """Pairs (any window, plain window) closer than the limit, found in the main directions and checked in full."""
    centre = vectors.mean(axis=0)
    step = max(1, len(vectors) // 4000)
    _, _, directions = np.linalg.svd(vectors[::step] - centre, full_matrices=False)
    reduced = (vectors - centre) @ directions[:_COMPONENTS].T
    # Projection only shortens, so no pair within the limit is lost.
    sparse = cKDTree(reduced).sparse_distance_matrix(cKDTree(reduced[plain]), limit, output_type="ndarray")
    pairs = np.stack([sparse["i"], plain[sparse["j"]]], axis=1)
    kept = []
    for part in np.array_split(pairs, max(1, len(pairs) // 20000)):
        close = np.linalg.norm(vectors[part[:, 0]] - vectors[part[:, 1]], axis=1) <= limit
        kept.append(part[close])
    return np.concatenate(kept)


def _collect(
    owner: NDArray[np.int64],
    start: NDArray[np.int64],
    mirror: NDArray[np.bool_],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    distance: NDArray[np.float32],
    counts: dict[int, int],
) -> list[Duplicate]:
    """Count twins of each pair of clips by time shift and keep pairs with enough of them."""
    table: dict[tuple[int, int, bool], list[tuple[int, int, float]]] = {}
    for a, b, length in zip(first, second, distance, strict=True):
        one, other = int(owner[a]), int(owner[b])
        if (counts[one], one) <= (counts[other], other):  # the shorter clip comes first; each pair once
            key = (one, other, bool(mirror[a]))
            table.setdefault(key, []).append((int(start[b] - start[a]), int(start[a]), float(length)))
    found = []
    for (one, other, mirrored), twins in sorted(table.items()):
        shifts = np.array([twin[0] for twin in twins])
        values, numbers = np.unique(shifts, return_counts=True)
        best = int(values[numbers.argmax()])
        near = np.abs(shifts - best) <= 1
        matched = len({twin[1] for twin, same in zip(twins, near, strict=True) if same})
        if matched >= max(3, SHARE * counts[one]):
            lengths = [twin[2] for twin, same in zip(twins, near, strict=True) if same]
            found.append(Duplicate(one, other, best / RATE_HZ, float(np.median(lengths)), mirrored))
    return found
