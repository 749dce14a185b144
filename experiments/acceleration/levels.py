"""One-step errors of arms by noise level: what a mean over levels hides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from experiments.acceleration.measure import Measured
from experiments.acceleration.plan import Arm
from experiments.arms.paired_errors import SPACES
from experiments.pipeline.tables import BenchTable
from lightning_modules.metrics.denoising_scores import PAIRED_FRACTIONS

_SHOWN: Final = ("reconstruction", "acc_joints", "acc_joints_positions", "sensors_accel")


class PairedSquares(Protocol):
    """Squared errors of N windows at L noise levels in each of :data:`SPACES`."""

    @property
    def squares(self) -> Mapping[str, NDArray[np.float64]]:
        """Sums of each window and level ``(N, L)``."""
        ...

    @property
    def counts(self) -> Mapping[str, NDArray[np.float64]]:
        """What each window's sums are over ``(N,)``."""
        ...


def level_rmse(
    measured: PairedSquares, space: str, windows: NDArray[np.bool_] | slice = slice(None)
) -> NDArray[np.float64]:
    """Return the root-mean-square error ``(L,)`` at each noise level, over some windows or all."""
    sums, counts = measured.squares[space][windows], measured.counts[space][windows]
    return np.asarray((sums.sum(axis=0) / counts.sum()) ** 0.5)


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
