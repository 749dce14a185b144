"""How near generated sensor output comes to recorded: one number an arm, with intervals, and differences of arms.

The number is the mean of |ln(generated / recorded)| over activities, placements and the quantities of
:data:`lightning_modules.metrics.sensor_quantities.DECIDING`, then over seeds: 0 is best, 0.1 is ten percent off.
Intervals resample seeds and recordings crosswise (:mod:`experiments.pipeline.intervals`), a recording's generated and
recorded windows together, with the same draws for both arms of a difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.acceleration.measure import Measured
from experiments.acceleration.plan import CONTINUED, ORIGINAL, Arm
from experiments.pipeline.intervals import Interval, Resampling, draw_resampling, percentile_interval
from lightning_modules.metrics.distribution_table import DistributionTable, tabulate
from lightning_modules.metrics.sensor_quantities import (
    BANDS_HZ,
    DECIDING,
    FLOORS,
    SensorMagnitudes,
    clip_spectra,
    integrate_band,
)

ACTIVITIES: Final = ("walking", "running", "jumping", "standing")
"""What accelerations are judged by: activities that differ by them, and the one that must stay still."""

_BINS = 1024
_PERCENTILE = 0.99

Array = NDArray[np.float64]


class Closeness(NamedTuple):
    """The number of an arm, or what it is above another arm's.

    Attributes:
        arm: which.
        against: name of the reference that it is a difference from, or None.
        interval: of the number or of the difference, below 0 is nearer to recorded motion than the reference.
    """

    arm: Arm
    against: str | None
    interval: Interval


def compare_run(measured: Measured, activities: Sequence[str] = ACTIVITIES) -> DistributionTable:
    """Return generated beside recorded sensor output of one run, of those activities that it has windows of."""
    found = [name for name in activities if (measured.activity == name).any()]
    sides = {name: measured.sensed.sides(measured.activity == name) for name in found}
    generated, recorded = ({name: side[number] for name, side in sides.items()} for number in (0, 1))
    return tabulate(generated, recorded, measured.sensed.placements)


def judge_arms(runs: Mapping[Arm, Sequence[Measured]], *, resamples: int) -> list[Closeness]:
    """Return how near each arm comes, and how much nearer than the original and the control.

    Args:
        runs: measurements of each arm, one a seed; one alone stands for every seed.
        resamples: bootstrap resamples behind each interval.
    """
    recordings = len(np.unique(next(iter(runs.values()))[0].recording))
    resampling = draw_resampling(
        max(map(len, runs.values())), recordings, resamples=resamples, generator=np.random.default_rng(20245)
    )
    estimates = {arm: float(np.mean([compare_run(run).summary() for run in items])) for arm, items in runs.items()}
    samples = {arm: _resample_arm(items, resampling) for arm, items in runs.items()}
    references = [arm for arm in runs if arm.name in (ORIGINAL, CONTINUED)]
    found = []
    for arm in runs:
        found.append(Closeness(arm, None, _interval(estimates[arm], samples[arm])))
        for reference in references:
            if arm.name not in (reference.name, ORIGINAL):
                difference = _interval(estimates[arm] - estimates[reference], samples[arm] - samples[reference])
                found.append(Closeness(arm, reference.name, difference))
    return found


def _interval(estimate: float, samples: Array) -> Interval:
    drawn = samples[np.isfinite(samples)]  # a resample may hold no recording of any of the activities
    return percentile_interval(estimate, drawn) if len(drawn) else Interval(estimate, np.nan, np.nan)


def _resample_arm(runs: Sequence[Measured], resampling: Resampling) -> Array:
    """Return the arm's number in every resample ``(B,)``, mean over the seeds that were drawn."""
    by_seed = np.stack([resample_summary(run, resampling.subjects) for run in runs], axis=1)
    if len(runs) == 1:
        return np.asarray(by_seed[:, 0])
    return np.asarray((resampling.seeds * by_seed).sum(axis=1) / resampling.seeds.sum(axis=1))


def resample_summary(measured: Measured, draws: Array) -> Array:
    """Return the number of one run in every resample of the recordings ``(B,)``.

    Args:
        measured: the run.
        draws: how often each recording counts ``(B, R)``, recordings sorted by name.
    """
    _, recording = np.unique(measured.recording, return_inverse=True)
    cells = []
    for activity in ACTIVITIES:
        windows = np.flatnonzero(measured.activity == activity)
        if not len(windows):
            continue
        sides = measured.sensed.sides(windows)
        numbers, owners = np.unique(recording[windows], return_inverse=True)
        weights, copies = draws[:, numbers], len(sides.generated.force) // len(windows)
        ours, theirs = (
            _resample_quantities(side, clips, weights)
            for side, clips in ((sides.generated, np.repeat(owners, copies)), (sides.recorded, owners))
        )
        for name in DECIDING:
            ratio = np.maximum(ours[name], FLOORS[name]) / np.maximum(theirs[name], FLOORS[name])
            cells.append(np.abs(np.log(ratio)))
    if not cells:
        return np.full(len(draws), np.nan)
    values = np.concatenate(cells, axis=1)
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1))


def _resample_quantities(side: SensorMagnitudes, owners: NDArray[np.int64], draws: Array) -> dict[str, Array]:
    """Return the deciding quantities ``(B, S)`` in every resample; nan where nothing of the activity was drawn.

    Args:
        side: magnitudes of N clips.
        owners: which recording each clip belongs to ``(N,)``.
        draws: how often each recording counts ``(B, R)``.
    """
    membership = (owners == np.arange(draws.shape[1])[:, None]).astype(np.float64)  # (R, N)
    deviation, spectra = side.deviations(), clip_spectra(side)
    band = integrate_band(spectra.frequency, spectra.density, BANDS_HZ["power_3_8_hz"])
    squares = np.nansum(deviation**2, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "std": np.sqrt(draws @ membership @ squares / (draws @ membership @ side.lengths)[:, None]),
            "power_3_8_hz": (draws @ membership @ (spectra.windows[:, None] * band))
            / (draws @ membership @ spectra.windows)[:, None],
            "p99": np.stack([_resample_peak(values, membership, draws) for values in np.moveaxis(deviation, 2, 0)], 1),
        }


def _resample_peak(deviation: Array, membership: Array, draws: Array) -> Array:
    """Return the 99th percentile in every resample ``(B,)``, to about a thousandth of the distribution.

    Args:
        deviation: of clips ``(N, T)``, nan beyond each.
        membership: one where a clip belongs to a recording ``(R, N)``.
        draws: how often each recording counts ``(B, R)``.
    """
    inside = ~np.isnan(deviation)
    # Edges lie where the samples do, so that each bin holds as few as any other.
    edges = np.unique(np.quantile(deviation[inside], np.linspace(0, 1, _BINS + 1)))
    if len(edges) < 2:
        return np.full(len(draws), edges[0] if len(edges) else np.nan)
    bins = np.clip(np.searchsorted(edges, np.nan_to_num(deviation), side="right") - 1, 0, len(edges) - 2)
    counts = np.stack(
        [np.bincount(row[mask], minlength=len(edges) - 1) for row, mask in zip(bins, inside, strict=True)]
    )
    below = np.cumsum(draws @ (membership @ counts), axis=1)
    total = below[:, -1]
    place = np.argmax(below >= _PERCENTILE * total[:, None], axis=1)
    each = np.arange(len(draws))
    before = np.where(place > 0, below[each, place - 1], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (_PERCENTILE * total - before) / (below[each, place] - before)
        peaks = edges[place] + share * (edges[place + 1] - edges[place])
    return np.where(total > 0, peaks, np.nan)
