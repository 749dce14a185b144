"""Choose the weight of each loss on validation clips: the lowest paired error that leaves generated peaks alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from experiments.acceleration.measure import Measured
from experiments.acceleration.plan import Arm
from experiments.acceleration.summarise import ALL, GROUPS, Groups, balance_peaks, compute_rmse, measure_distance
from experiments.arms.paired_errors import SPACES


@dataclass(frozen=True)
class SweepRow:
    """What the validation clips say of an arm at a weight, mean over the sweep's seeds.

    Attributes:
        arm: the loss and its weight.
        rmse: paired root-mean-square error in each space, all windows.
        peaks: peak ratio (95th percentile) of each group that has windows.
        balance: geometric mean of the moving groups' peak ratios.
    """

    arm: Arm
    rmse: Mapping[str, float]
    peaks: Mapping[str, float]
    balance: float


def summarise_run(arm: Arm, runs: Sequence[Measured], groups: Groups) -> SweepRow:
    """Return the row of an arm from its measurements, one a seed."""
    windows = {group: groups.select(runs[0], group) for group in (ALL, *GROUPS)}
    distances = [{group: measure_distance(run, windows[group]) for group in GROUPS} for run in runs]
    peaks = {
        group: fmean(item.peak_ratio_p95 for entry in distances if (item := entry[group]) is not None)
        for group in GROUPS
        if distances[0][group] is not None
    }
    return SweepRow(
        arm,
        {space: fmean(compute_rmse(run, space, windows[ALL]) for run in runs) for space in SPACES},
        peaks,
        math.exp(fmean(math.log(balance_peaks(entry)) for entry in distances)),
    )


def choose_weight(rows: Sequence[SweepRow], *, original: SweepRow, tolerance: float) -> SweepRow:
    """Return the row of the lowest paired joint error among those whose peaks are no worse than the original's.

    No worse: their ratio to recorded peaks is no further from 1 than the original's, but for a factor of 1 + tolerance.
    If no row is, the one whose peaks are nearest to 1.
    """
    allowed = abs(math.log(original.balance)) + math.log1p(tolerance)
    within = [row for row in rows if abs(math.log(row.balance)) <= allowed]
    if within:
        return min(within, key=lambda row: row.rmse["acc_joints"])
    return min(rows, key=lambda row: abs(math.log(row.balance)))
