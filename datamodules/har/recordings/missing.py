"""Missing samples: short runs are interpolated, long ones stay NaN, both are counted."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

FEWEST_DEAD: Final = 3
"""Samples of exact zeros on all three axes from which on a run of them is a sensor that was silent."""


def fill_missing(
    values: NDArray[np.float64], *, max_run: int, triples: int = 3
) -> tuple[NDArray[np.float64], int, int]:
    """Interpolate linearly over short runs of NaN, sensor by sensor.

    A sample of a sensor (x, y, z) is missing where any of its axes is; what is left of it would be half a vector.
    Runs at the start or the end have nothing on one side and stay NaN.

    Args:
        values: samples ``(T, C)``, C a multiple of ``triples``; infinities count as missing.
        max_run: longest run to fill, in samples.
        triples: columns of one sensor.

    Returns:
        The samples (the same array where nothing is missing, else a copy), how many samples of a sensor were filled,
        and how many stay NaN.
    """
    # One pass decides the common case: a sum is finite only if all its terms are.
    if np.isfinite(values.sum(axis=0)).all():
        return values, 0, 0
    mended = values.copy()
    filled = left = 0
    for start in range(0, values.shape[1], triples):
        columns = slice(start, start + triples)
        bad: NDArray[np.bool_] = np.logical_not(np.isfinite(values[:, columns]).all(axis=1))
        if not bad.any():
            continue
        runs = runs_of(bad)
        short = [(a, b) for a, b in runs if b - a <= max_run and a > 0 and b < len(values)]
        for a, b in short:
            share = (np.arange(a, b) - (a - 1))[:, None] / (b - a + 1)
            mended[a:b, columns] = (1 - share) * values[a - 1, columns] + share * values[b, columns]
            bad[a:b] = False
            filled += b - a
        mended[bad, columns] = np.nan
        left += int(bad.sum())
    return mended, filled, left


def find_dead(accel: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Say where an accelerometer that carries gravity was silent: runs of exact zeros on all three axes.

    A sensor at rest reads gravity, one in free fall the noise of its axes; programs that pad a file or lose a packet
    write zeros. Single ones are left to who looks at the set, since a coarse sensor may pass through zero.

    Args:
        accel: acceleration with gravity ``(T, ..., 3)``, in any unit.

    Returns:
        Whether each sample is of such a run ``(T, ...)``.
    """
    zero = (accel == 0).all(axis=-1)
    flat = zero.reshape(len(zero), -1)
    for column in range(flat.shape[1]):
        if flat[:, column].any():
            for a, b in runs_of(flat[:, column]):
                flat[a:b, column] = b - a >= FEWEST_DEAD
    return flat.reshape(zero.shape)


def runs_of(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end (exclusive) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
