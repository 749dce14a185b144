"""Bring tracks with time stamps of their own onto one even grid, and split them where samples are missing for long.

Between samples the tracks are interpolated by cubic splines (de Boor 1978, A practical guide to splines), or, where
some stamps nearly coincide and cubic splines would overshoot, by modified Akima splines (Akima 1970,
doi 10.1145/321607.321609; the variant of MATLAB's makima). A source faster than the grid is low-passed first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import Akima1DInterpolator, CubicSpline
from scipy.signal import resample_poly

from datamodules.har.recordings.missing import fill_missing, runs_of
from datamodules.har.recordings.recording import TimingReport
from datamodules.har.recordings.stamps import ClockRule, Track, order_track, step_statistics

_ON_GRID = 0.1
"""Largest distance of a time stamp from the grid for its sample to be taken as it is, in sample steps."""

_ENOUGH = 10
"""Samples from which on a track of nothing but gaps is a mistake and no leftover."""

_EVEN = 0.2
"""Shortest step for which cubic splines are used, in median steps: shorter ones make them overshoot."""


@dataclass(frozen=True)
class Stretch:
    """One stretch without gaps on the even grid.

    Attributes:
        values: samples of each track ``(T, C)``.
        labels: label of each sample ``(T,)``.
        begin_s: time of the first sample, counted from the first stamp of the first track [s].
    """

    values: tuple[NDArray[np.float64], ...]
    labels: NDArray[np.str_]
    begin_s: float


def align_tracks(
    tracks: Sequence[Track], labels: NDArray[np.str_] | str, rule: ClockRule, *, max_gap_s: float, where: str
) -> tuple[list[Stretch], TimingReport]:
    """Interpolate tracks onto one grid over the time that all of them cover.

    Args:
        tracks: at least one.
        labels: one for all samples, or one for each sample of the first track.
        rule: rate of the grid, and what the set's time stamps are like.
        max_gap_s: longest step to interpolate over [s], at least two and a half steps of the grid.
        where: what to call the source in messages.

    Returns:
        Stretches in order of time, and what was found.

    Raises:
        ValueError: time stamps are not finite, run backwards or repeat where the set's rule does not allow it, or the
            tracks have no time in common.
    """
    step = 1.0 / rule.rate_hz
    max_gap_s = max(max_gap_s, 2.5 * step)
    names = np.full(len(tracks[0].time_s), labels) if isinstance(labels, str) else labels
    ordered = [order_track(track, rule, max_gap_s=max_gap_s, where=where) for track in tracks]
    _refuse_gaps_only([each.time_s for each in ordered], max_gap_s, where)
    names = names[ordered[0].order]
    # Times since 1970 leave a double no room for the last digits; from here on they count from the first stamp.
    origin = ordered[0].time_s[0]
    mended, filled, missing = [], 0, 0
    for each in ordered:
        max_run = int(max_gap_s / float(np.median(np.diff(each.time_s))) + 1e-9)
        values, few, many = fill_missing(each.values, max_run=max_run)
        mended.append(values)
        filled, missing = filled + few, missing + many
    times = [each.time_s - origin for each in ordered]
    stretches, resampled, cuts = [], False, set[tuple[float, float]]()
    for begin, end in _common_runs(times, max_gap_s, step, cuts, where):
        stretch, exact = _onto_one_grid(times, mended, names, (begin, end), rule.rate_hz, max_gap_s)
        stretches.append(stretch)
        resampled |= not exact
    rate_hz, jitter_s = step_statistics(
        [track.time_s[each.order] for track, each in zip(tracks, ordered, strict=True)], max_gap_s, rule.stamps
    )
    if rule.stamps == "arrival":
        # Pauses in which nothing was lost count.
        rate_hz = 1.0 / float(np.median(np.diff(ordered[0].time_s)))
    report = TimingReport(
        native_rate_hz=rate_hz,
        jitter_s=jitter_s,
        gaps=len(cuts),
        gap_s=float(sum(b - a for a, b in cuts)),
        bridged=sum(_bridged(time_s, max_gap_s) for time_s in times),
        duplicates=sum(each.duplicates for each in ordered),
        disordered=sum(each.disordered for each in ordered),
        filled=filled,
        missing=missing,
        resampled=resampled,
    )
    return stretches, report


def _refuse_gaps_only(times: Sequence[NDArray[np.float64]], max_gap_s: float, where: str) -> None:
    """Make sure that most steps are no gaps, as they are where the unit of the stamps is wrong."""
    for time_s in times:
        usual = float(np.median(np.diff(time_s)))
        if usual > max_gap_s and len(time_s) >= _ENOUGH:
            raise ValueError(
                f"time stamps in {where} are {usual:.3g} s apart, expected at most max_gap_s = {max_gap_s:g}; check "
                "their unit or allow longer gaps"
            )


def _common_runs(
    times: Sequence[NDArray[np.float64]], max_gap_s: float, step: float, cuts: set[tuple[float, float]], where: str
) -> list[tuple[float, float]]:
    """Spans of time that every track covers without a gap; the gaps go into ``cuts``."""
    start, stop = max(time[0] for time in times), min(time[-1] for time in times)
    if stop - start < step:
        spans = ", ".join(f"{time[0]:.3f}-{time[-1]:.3f} s" for time in times)
        raise ValueError(
            f"{where} has tracks over {spans} from its first time stamp, expected some time in common; check their "
            "clocks"
        )
    gaps: list[tuple[float, float]] = []
    for time in times:
        wide = np.flatnonzero(np.diff(time) > max_gap_s * (1 + 1e-9))
        gaps += [(float(time[i]), float(time[i + 1])) for i in wide if time[i + 1] > start and time[i] < stop]
    runs, begin = [], float(start)
    for a, b in sorted(gaps):
        if a - begin >= step:
            runs.append((begin, a))
        begin = max(begin, b)
        cuts.add((a, b))
    if stop - begin >= step:
        runs.append((begin, float(stop)))
    return runs


def _onto_one_grid(
    times: Sequence[NDArray[np.float64]],
    tracks: Sequence[NDArray[np.float64]],
    names: NDArray[np.str_],
    span: tuple[float, float],
    rate_hz: float,
    max_gap_s: float,
) -> tuple[Stretch, bool]:
    """All tracks over one span of time, and whether they are the very samples of their sources."""
    pieces, exact = [], True
    for time_s, values in zip(times, tracks, strict=True):
        piece, same = _onto_grid(time_s, values, *span, rate_hz, max_gap_s)
        pieces.append(piece)
        exact &= same
    grid: NDArray[np.float64] = np.asarray(span[0] + (1.0 / rate_hz) * np.arange(len(pieces[0])))
    return Stretch(tuple(pieces), names[_nearest(times[0], grid)], span[0]), exact


def _bridged(time_s: NDArray[np.float64], max_gap_s: float) -> int:
    steps = np.diff(time_s)
    return int(((steps > 1.5 * np.median(steps)) & (steps <= max_gap_s)).sum())


def _onto_grid(
    time_s: NDArray[np.float64],
    values: NDArray[np.float64],
    begin: float,
    end: float,
    rate_hz: float,
    max_gap_s: float,
) -> tuple[NDArray[np.float64], bool]:
    """Samples of one track on the grid from ``begin`` on, and whether they are the very samples of the source."""
    count = int((end - begin) * rate_hz + _ON_GRID) + 1
    first, last = np.searchsorted(time_s, [begin - 1e-9, end + 1e-9])
    # Samples just outside steady the interpolation at the ends, if no gap lies between.
    low = first - 1 if first > 0 and time_s[first] - time_s[first - 1] <= max_gap_s else first
    inner, grid = time_s[first:last], begin + np.arange(count) / rate_hz
    if len(inner) == count and np.abs(inner - grid).max() * rate_hz <= _ON_GRID:
        return values[first:last], True
    high = last + 1 if last < len(time_s) and time_s[last] - time_s[last - 1] <= max_gap_s else last
    used_time, used = time_s[low:high], values[low:high]
    factor = max(1, round(1.0 / float(np.median(np.diff(used_time))) / rate_hz))
    fine = begin + np.arange((count - 1) * factor + 1) / (rate_hz * factor)
    fine = np.clip(fine, used_time[0], used_time[-1])
    result = np.concatenate(
        [_interpolate_sensor(used_time, used[:, c : c + 3], fine) for c in range(0, used.shape[1], 3)], axis=1
    )
    return (result if factor == 1 else _thin_out(result, factor)), False


def _interpolate_sensor(
    time_s: NDArray[np.float64], values: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """One sensor at other times; NaN wherever a value would rest on a missing sample."""
    result = np.full((len(at), values.shape[1]), np.nan)
    for a, b in runs_of(np.asarray(np.isfinite(values).all(axis=1))):
        if b - a > 1:
            inside = (at >= time_s[a]) & (at <= time_s[b - 1])
            result[inside] = _interpolate(time_s[a:b], values[a:b], at[inside])
    return result


def _interpolate(
    time_s: NDArray[np.float64], values: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    steps = np.diff(time_s)
    if len(time_s) < 4:
        return np.stack([np.interp(at, time_s, column) for column in values.T], axis=1)
    if steps.min() >= _EVEN * np.median(steps):
        return np.asarray(CubicSpline(time_s, values, axis=0)(at))
    return np.asarray(Akima1DInterpolator(time_s, values, axis=0, method="makima")(at))


def _thin_out(values: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Every ``factor``-th sample of a low-passed signal; NaN stays where it was."""
    gone = ~np.isfinite(values)
    solid = values.copy()
    places = np.arange(len(values))
    for column in np.flatnonzero(gone.any(axis=0)):
        good = ~gone[:, column]
        solid[:, column] = np.interp(places, places[good], values[good, column]) if good.any() else 0.0
    thin = np.asarray(resample_poly(solid, 1, factor, axis=0, padtype="line"))
    thin[gone[::factor]] = np.nan
    return thin


def _nearest(time_s: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index of the sample nearest in time to each point of the grid."""
    right = np.clip(np.searchsorted(time_s, grid), 1, len(time_s) - 1)
    return right - (grid - time_s[right - 1] < time_s[right] - grid)
