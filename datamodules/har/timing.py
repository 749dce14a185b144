"""Even samples from time-stamped ones: gaps part a recording, what is missing for long stays missing, all is counted.

Values between samples follow a monotone cubic (Fritsch and Carlson 1980, doi:10.1137/0717021): it keeps sharp peaks
that a straight line would cut, and does not overshoot where stamps come in bursts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from datamodules.har.reading import ReadingAccount, ReadOptions

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    """Even samples of one stretch without a long gap.

    Attributes:
        start_s: time of the first sample [s].
        values: ``(T, C)``.
        source: index of the stamped sample nearest to each ``(T,)``, to take labels from.
    """

    start_s: float
    values: Floats
    source: NDArray[np.int64]


@dataclass(frozen=True)
class Stretch:
    """Stamped samples without a long gap: stamps rise, nothing is missing.

    Attributes:
        time_s: ``(N,)``, two at least [s].
        values: ``(N, C)``.
        rows: index of each sample in what was given ``(N,)``.
    """

    time_s: Floats
    values: Floats
    rows: NDArray[np.int64]


def split_stamped(
    time_s: Floats, values: Floats, *, options: ReadOptions, account: ReadingAccount, where: str, sort: bool = False
) -> Iterator[Stretch]:
    """Part time-stamped values at long gaps, and leave out what repeats a stamp or misses a value.

    Args:
        time_s: stamps ``(N,)`` [s].
        values: ``(N, C)``.
        options: from which gap on.
        account: where all of that is counted.
        where: what to call the file in messages.
        sort: whether stamps out of order are put in order and counted, as a set needs whose app wrote them so; else
            they are an error.

    Raises:
        ValueError: stamps are not finite, or go back in time and are not to be sorted; names the row.
    """
    if not np.isfinite(time_s).all():
        row = int((~np.isfinite(time_s)).argmax())
        raise ValueError(f"{where}: the time stamp of row {row + 1} is {time_s[row]}, expected a number")
    keep = np.arange(len(time_s))
    back = np.diff(time_s) < 0
    if back.any():
        row = int(back.argmax())
        if not sort:
            raise ValueError(
                f"{where}: time goes back from {time_s[row]:.3f} s to {time_s[row + 1]:.3f} s at row {row + 2}, "
                "expected rising stamps; sort the file, or part it where the recording was started anew"
            )
        account.add("stamps out of order", int(back.sum()))
        keep = np.argsort(time_s, kind="stable")
    whole = np.isfinite(values[keep]).all(axis=1)
    account.add("rows with missing values", int((~whole).sum()))
    keep = keep[whole]
    first = np.concatenate([[True], np.diff(time_s[keep]) > 0]) if len(keep) else np.zeros(0, dtype=bool)
    account.add("repeated stamps", int((~first).sum()))
    keep = keep[first]
    ends = np.flatnonzero(np.diff(time_s[keep]) > options.max_gap_s) + 1
    account.add("gaps that part a recording", len(ends))
    for part in np.split(keep, ends):
        if len(part) < 2:
            account.add("stretches of a single sample left out", len(part))
            continue
        yield Stretch(time_s[part], values[part], part)


def resample_stamped(
    time_s: Floats,
    values: Floats,
    *,
    rate_hz: float,
    options: ReadOptions,
    account: ReadingAccount,
    where: str,
    sort: bool = False,
) -> Iterator[Piece]:
    """Resample time-stamped values to an even rate [Hz], piece by piece; arguments and errors as split_stamped."""
    for stretch in split_stamped(time_s, values, options=options, account=account, where=where, sort=sort):
        stamps = stretch.time_s
        count = int(np.floor((stamps[-1] - stamps[0]) * rate_hz + 1e-9)) + 1
        at = stamps[0] + np.arange(count) / rate_hz
        right = np.clip(np.searchsorted(stamps, at), 1, len(stamps) - 1)
        nearer_left = at - stamps[right - 1] <= stamps[right] - at
        nearest = stretch.rows[np.where(nearer_left, right - 1, right)]
        yield Piece(float(stamps[0]), PchipInterpolator(stamps, stretch.values)(at), nearest)


def bridge_missing(values: Floats, *, rate_hz: float, options: ReadOptions, account: ReadingAccount) -> Floats:
    """Interpolate short runs of missing values in even samples; longer ones, and those at the ends, stay missing.

    Args:
        values: ``(T, C)``, NaN where missing.
        rate_hz: samples per second [Hz].
        options: how long a run is bridged.
        account: where bridged and remaining values are counted.

    Returns:
        A copy ``(T, C)``.
    """
    mended = values.copy()
    longest = int(np.floor(options.max_missing_s * rate_hz + 1e-9))
    for column in mended.T:
        missing = np.isnan(column)
        if not missing.any() or missing.all():
            account.add("values missing for longer, left missing", int(missing.sum()))
            continue
        edges = np.flatnonzero(np.diff(np.concatenate([[False], missing, [False]]).astype(np.int8)))
        for start, end in edges.reshape(-1, 2):
            if start == 0 or end == len(column) or end - start > longest:
                account.add("values missing for longer, left missing", int(end - start))
                continue
            column[start:end] = np.interp(np.arange(start, end), [start - 1, end], [column[start - 1], column[end]])
            account.add("missing values bridged", int(end - start))
    return mended


def align_streams(
    streams: Sequence[tuple[Floats, Floats]],
    *,
    rate_hz: float,
    options: ReadOptions,
    account: ReadingAccount,
    where: str,
) -> tuple[Floats, Floats]:
    """Bring streams with stamps of their own to one even time, the stretch that all of them cover.

    Args:
        streams: stamps ``(N_i,)`` [s] and values ``(N_i, C_i)`` of each; stamps out of order are put in order.
        rate_hz: of the result [Hz].
        options: gaps that are longer leave their samples missing.
        account: where what was mended is counted.
        where: what to call the streams in messages.

    Returns:
        Times ``(T,)`` [s] and values ``(T, sum of C_i)``, NaN inside gaps.

    Raises:
        ValueError: there is no stretch that all cover.
    """
    first = max((float(time_s.min()) for time_s, _ in streams), default=0.0)
    last = min((float(time_s.max()) for time_s, _ in streams), default=0.0)
    if not last > first:
        raise ValueError(
            f"{where}: its streams have no time in common (the last begins at {first:.3f} s, the first ends at "
            f"{last:.3f} s), expected sensors that ran together; check the stamps"
        )
    at = first + np.arange(int(np.floor((last - first) * rate_hz + 1e-9)) + 1) / rate_hz
    columns = []
    for time_s, values in streams:
        even = np.full((len(at), values.shape[1]), np.nan)
        for piece in split_stamped(time_s, values, options=options, account=account, where=where, sort=True):
            inside = (at >= piece.time_s[0]) & (at <= piece.time_s[-1])
            even[inside] = PchipInterpolator(piece.time_s, piece.values)(at[inside])
        columns.append(even)
    return at, np.concatenate(columns, axis=1)


def estimate_rate(time_s: Floats) -> float:
    """Return the rate that most stamps follow, one over the median step [Hz]; nan where there are too few."""
    steps = np.diff(time_s)
    steps = steps[steps > 0]
    return float(1 / np.median(steps)) if len(steps) else float("nan")
