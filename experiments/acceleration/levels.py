"""One-step errors of arms by noise level: what a mean over levels hides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.acceleration.measure import Measured
from experiments.acceleration.plan import Arm
from experiments.arms.paired_errors import SPACES
from experiments.pipeline.tables import BenchTable
from lightning_modules.metrics.denoising_scores import PAIRED_FRACTIONS

_SHOWN: Final = ("reconstruction", "acc_joints", "acc_joints_positions", "sensors_accel")


def level_rmse(measured: Measured, space: str) -> NDArray[np.float64]:
    """Return the root-mean-square error ``(L,)`` at each noise level, all windows."""
    return np.asarray((measured.squares[space].sum(axis=0) / measured.counts[space].sum()) ** 0.5)


def tabulate_levels(runs: Mapping[Arm, Sequence[Measured]]) -> BenchTable:
    """Return errors of each arm at each level, mean over seeds."""
    rows = [
        [arm.label, space, *(f"{value:.3g}" for value in np.mean([level_rmse(run, space) for run in items], axis=0))]
        for space in _SHOWN
        for arm, items in runs.items()
    ]
    return BenchTable(
        "One-step errors by noise level, all test windows",
        ["arm", "space", *(f"{100 * fraction:g}%" for fraction in PAIRED_FRACTIONS)],
        rows,
        "Root mean square at so much of the schedule, mean over seeds; "
        + "; ".join(f"{space} [{SPACES[space]}]" for space in _SHOWN)
        + ". What returning the scaled input gives stands in docs/results/denoisers.md.",
    )
