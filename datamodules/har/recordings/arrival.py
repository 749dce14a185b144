"""Times of samples whose stamps tell when they arrived: late, in bursts, and after pauses in which nothing was lost.

A sample is taken at ``offset + period * number`` and arrives some delay later, never earlier. One period is fitted to a
whole file; a pause is a loss only where the samples behind it stay late, and no loss where a burst catches up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_PROMPT: Final = 0.2
"""Quantile of the delays in a window that counts as the delay of samples that come at once."""

_LEAST: Final = 40
_WIDE: Final = 3.0
"""Samples looked at on either side of a pause: at least, and as a multiple of those that fit into it."""

_SURE: Final = 2.5
"""Samples that the clock has to be behind for good, for a loss."""

_ROUNDS: Final = 10
_NEAR: Final = 0.35


def spread_arrivals(
    time_s: NDArray[np.float64],
    *,
    max_gap_s: float,
    rate_hz: float,
    where: str,
    numbers: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return even times, on lines of one slope through the stamps, that break only where samples were lost.

    Args:
        time_s: stamps in order ``(T,)`` [s].
        max_gap_s: a longer pause may be a loss [s].
        rate_hz: the set's nominal rate, which the file's is sought near, if its stamps are of about that [Hz].
        where: what to call the source in messages.
        numbers: the number that each sample carries ``(T,)``, if it does; they count lost samples, too.

    Returns:
        Strictly rising times ``(T,)`` [s].

    Raises:
        ValueError: all samples between pauses have the same stamp, so that no period can be told.
    """
    count = len(time_s)
    place = np.arange(count, dtype=np.float64)
    if numbers is not None and len(numbers) == count and np.isfinite(numbers).all() and (np.diff(numbers) > 0).all():
        place = numbers.astype(np.float64)
    pauses = (np.flatnonzero(np.diff(time_s) > max_gap_s) + 1).tolist()
    slope = _fit_slope(time_s, place, pauses)
    if not slope > 0:
        steps = np.diff(time_s)
        wide = float(np.median(steps[steps > max_gap_s])) if len(pauses) else 1.0
        longest = int(np.diff([0, *pauses, count]).max())
        raise ValueError(
            f"{where}: all {longest} samples between gaps have the same time stamp, expected rising ones; where stamps "
            f"are rounded (to whole seconds?), allow longer gaps with max_gap_s: {1.5 * wide:.3g}"
        )
    if pauses:
        nominal = 1.0 / rate_hz
        slope = nominal if abs(slope / nominal - 1) < _NEAR else slope
        losses = _find_losses(time_s, place, pauses, slope, max_gap_s)
        for _ in range(_ROUNDS):
            slope = _fit_slope(time_s, place, losses)
            again = _find_losses(time_s, place, pauses, slope, max_gap_s)
            if again == losses:
                break
            losses = again
    else:
        losses = []
    while True:
        even = _on_lines(time_s, place, losses, slope, held=bool(pauses))
        # A loss leaves a gap as long as its pause.
        crossed = [start for start in losses if even[start] - even[start - 1] <= max_gap_s]
        if not crossed:
            return even
        losses = [start for start in losses if start not in crossed]


def _fit_slope(
    time_s: NDArray[np.float64],
    place: NDArray[np.float64],
    starts: Sequence[int],
    chosen: NDArray[np.bool_] | None = None,
) -> float:
    """The slope of lines through stretches that begin at these samples, one for all; by some of the samples."""
    over, under = 0.0, 0.0
    for a, b in zip([0, *starts], [*starts, len(time_s)], strict=True):
        use = slice(a, b) if chosen is None else a + np.flatnonzero(chosen[a:b])
        x, y = place[use], time_s[use]
        if len(x):
            over += float((x - x.mean()) @ (y - y.mean()))
            under += float((x - x.mean()) @ (x - x.mean()))
    return over / under if under > 0 else 0.0


def _on_lines(
    time_s: NDArray[np.float64], place: NDArray[np.float64], starts: Sequence[int], slope: float, *, held: bool
) -> NDArray[np.float64]:
    """Times on lines of one slope; where samples were held back, by those that came at once."""
    edges = list(zip([0, *starts], [*starts, len(time_s)], strict=True))
    chosen = np.ones(len(time_s), dtype=bool)
    for _ in range(_ROUNDS if held else 0):
        late = time_s - slope * place
        least = _SURE * slope * float(np.median(np.diff(place)))
        for a, b in edges:
            chosen[a:b] = late[a:b] <= np.quantile(late[a:b], _PROMPT) + least
        slope = _fit_slope(time_s, place, starts, chosen)
    if not held:
        slope = _fit_slope(time_s, place, starts)
    even = np.empty_like(time_s)
    for a, b in edges:
        use = a + np.flatnonzero(chosen[a:b])
        even[a:b] = time_s[use].mean() + slope * (place[a:b] - place[use].mean())
    return even


def _find_losses(
    time_s: NDArray[np.float64],
    place: NDArray[np.float64],
    pauses: Sequence[int],
    slope: float,
    max_gap_s: float,
) -> list[int]:
    """Return the pauses behind which samples stay late by more than jitter."""
    late = time_s - slope * place
    per_sample = slope * float(np.median(np.diff(place)))
    least = max(0.5 * max_gap_s, _SURE * per_sample)
    losses: list[int] = []
    for start in pauses:
        width = max(_LEAST, int(_WIDE * (time_s[start] - time_s[start - 1]) / per_sample))
        low = max(losses[-1] if losses else 0, start - width)
        before, after = (np.quantile(part, _PROMPT) for part in (late[low:start], late[start : start + width]))
        if after - before > least:
            losses.append(start)
    return losses
