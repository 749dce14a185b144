"""From measured windows to numbers: paired errors and their changes with intervals, and distances of distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.acceleration.measure import Measured
from experiments.pipeline.intervals import Interval, Resampling, crossed_ratio_interval
from lightning_modules.metrics.acceleration_distance import AccelerationDistance, acceleration_distance, mean_spectrum
from sim.conventions import FEATURE_FPS

GROUPS: Final = ("still", "low", "high")
MOVING: Final = ("low", "high")
ALL: Final = "all"
_SHORTEST: Final = 8  # samples; below this a window has no spectrum

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Groups:
    """Where the groups of dynamics begin; as in AccelerationConfig.

    Attributes:
        still_m_s2: windows below are ``still``.
        high_m_s2: windows from here on are ``high``, those between ``low``.
    """

    still_m_s2: float
    high_m_s2: float

    def select(self, measured: Measured, group: str) -> Bools:
        """Return which windows ``(N,)`` belong to a group, or to an activity, or to ``all``."""
        bounds = {
            ALL: (0.0, np.inf),
            "still": (0.0, self.still_m_s2),
            "low": (self.still_m_s2, self.high_m_s2),
            "high": (self.high_m_s2, np.inf),
        }
        if group not in bounds:
            return np.asarray(measured.activity == group)
        low, high = bounds[group]
        return np.asarray((measured.peak >= low) & (measured.peak < high))


def compute_rmse(measured: Measured, space: str, windows: Bools) -> float:
    """Return the paired root-mean-square error of some windows over all noise levels; nan if there are none."""
    sums, counts = measured.squares[space][windows], measured.counts[space][windows]
    total = counts.sum() * sums.shape[1]
    return float((sums.sum() / total) ** 0.5) if total else float("nan")


def compare_errors(
    arm: Sequence[Measured], reference: Sequence[Measured], *, space: str, windows: Bools, resampling: Resampling
) -> Interval:
    """Return the relative change of the paired RMSE between two arms, seeds and recordings resampled crosswise.

    Args:
        arm: one measurement a seed.
        reference: those of the other arm, same seeds in the same order; one alone stands for every seed.
        space: one of :data:`experiments.arms.paired_errors.SPACES`.
        windows: which count ``(N,)``.
        resampling: of the seeds, and of all recordings; those that have no such window add nothing.
    """
    mine = np.stack([_of_recordings(item, space, windows) for item in arm])
    theirs = np.stack([_of_recordings(item, space, windows) for item in reference])
    return crossed_ratio_interval(mine, np.broadcast_to(theirs, mine.shape), resampling)


def _of_recordings(measured: Measured, space: str, windows: Bools) -> NDArray[np.float64]:
    _, index = np.unique(measured.recording, return_inverse=True)
    return np.bincount(index, weights=measured.squares[space].sum(axis=1) * windows).astype(np.float64)


def collect_series(values: NDArray[np.float32], windows: Bools) -> list[NDArray[np.float64]]:
    """Return magnitudes over time [m/s^2], one array for each window, sample and joint, what is nan left out.

    Args:
        values: ``(N, T, J)`` or ``(N, K, T, J)`` [m/s^2], nan beyond each window's length.
        windows: which count ``(N,)``.
    """
    chosen = values[windows]
    flat = np.moveaxis(chosen, -2, -1).reshape(-1, chosen.shape[-2])
    series = [row[~np.isnan(row)].astype(np.float64) for row in flat]
    return [row for row in series if len(row) >= _SHORTEST]


def measure_distance(measured: Measured, windows: Bools) -> AccelerationDistance | None:
    """Compare generated with recorded magnitudes of joint acceleration; None where no window is long enough."""
    recorded = collect_series(measured.recorded, windows)
    if not recorded:
        return None
    return acceleration_distance(collect_series(measured.generated, windows), recorded, fps=FEATURE_FPS)


def mean_distance(runs: Sequence[Measured], windows: Bools) -> dict[str, tuple[float, float, float]] | None:
    """Return each measure of :class:`AccelerationDistance` as mean, least and greatest over seeds."""
    found = [distance.as_dict() for run in runs if (distance := measure_distance(run, windows)) is not None]
    if not found:
        return None
    return {name: _spread([entry[name] for entry in found]) for name in found[0]}


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return fmean(values), min(values), max(values)


def balance_peaks(distances: Mapping[str, AccelerationDistance | None]) -> float:
    """Return the geometric mean of the peak ratios (95th percentile) of the moving groups; 1 is best."""
    ratios = [distance.peak_ratio_p95 for group in MOVING if (distance := distances[group]) is not None]
    return float(np.exp(np.mean(np.log(ratios))))


def spectrum_of(values: NDArray[np.float32], windows: Bools) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return frequency [Hz] and mean spectral density [(m/s^2)^2/Hz] of magnitudes; arguments as collect_series."""
    return mean_spectrum(collect_series(values, windows), fps=FEATURE_FPS)
