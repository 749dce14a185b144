"""Time stamps as sets bring them: put them in order, merge equal ones, and smooth those that tell arrival."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from datamodules.har.recordings.arrival import spread_arrivals

FASTEST_HZ: Final = 1e5
"""No recording of a person is faster [Hz]."""


@dataclass(frozen=True)
class ClockRule:
    """What is known of the time stamps of a set.

    Attributes:
        rate_hz: rate of the grid that samples are brought onto, the set's nominal one [Hz].
        stamps: ``sampled`` where a stamp tells when its sample was taken; ``arrival`` where it tells when the sample
            reached a program, late and in bursts: then samples are taken as even, on one line fitted through the
            stamps that breaks only where samples were lost (:mod:`datamodules.har.recordings.arrival`).
        duplicates: what to do with equal stamps: ``error``, or ``average`` the samples.
        backwards: what to do with stamps that run backwards: ``error``, or ``sort`` them.

    Raises:
        ValueError: the rate is not above zero.
    """

    rate_hz: float
    stamps: Literal["sampled", "arrival"] = "sampled"
    duplicates: Literal["error", "average"] = "error"
    backwards: Literal["error", "sort"] = "error"

    def __post_init__(self) -> None:
        if not 0 < self.rate_hz <= FASTEST_HZ:
            raise ValueError(f"rate_hz is {self.rate_hz:g}, expected > 0 and at most {FASTEST_HZ:g} samples per second")


@dataclass(frozen=True)
class Track:
    """What one sensor, or several on one clock, wrote.

    Attributes:
        time_s: when ``(T,)`` [s].
        values: what ``(T, C)``, three columns a sensor.
        numbers: the number that each sample carries ``(T,)``, where there is one.
    """

    time_s: NDArray[np.float64]
    values: NDArray[np.float64]
    numbers: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class OrderedTrack:
    """A track with strictly rising time stamps.

    Attributes:
        time_s: when ``(T',)`` [s].
        values: what ``(T', C)``.
        order: sample of the source that each is, the first one where several were averaged ``(T',)``.
        duplicates: samples that went into an average, beyond the first of each.
        disordered: samples that came after a later one.
    """

    time_s: NDArray[np.float64]
    values: NDArray[np.float64]
    order: NDArray[np.int64]
    duplicates: int
    disordered: int


def order_track(track: Track, rule: ClockRule, *, max_gap_s: float, where: str) -> OrderedTrack:
    """Make time stamps rise, as the set's rule allows.

    Args:
        track: as read.
        rule: what is known of the time stamps.
        max_gap_s: a longer step is a gap [s].
        where: what to call the source in messages.

    Raises:
        ValueError: there are fewer than two samples, or stamps that the rule does not allow; names the first.
    """
    time_s, values = track.time_s, track.values
    if len(time_s) < 2:
        raise ValueError(f"{where} has {len(time_s)} samples, expected at least 2; download it anew")
    if not np.isfinite(time_s).all():
        row = int(np.argmin(np.isfinite(time_s)))
        raise ValueError(f"time stamp of sample {row + 1} in {where} is {time_s[row]}, expected a number of seconds")
    steps = np.diff(time_s)
    if (steps < 0).any() and rule.backwards == "error":
        row = int((steps < 0).argmax())
        raise ValueError(
            f"time stamps in {where} run backwards at sample {row + 2} ({time_s[row]:.3f} s, then "
            f"{time_s[row + 1]:.3f} s), expected rising ones; sort the file or leave it out with on_bad_file: skip"
        )
    disordered = int((time_s < np.maximum.accumulate(time_s)).sum())
    order = np.arange(len(time_s))
    if disordered:
        order = np.argsort(time_s, kind="stable")
        time_s, values = time_s[order], values[order]
    if rule.stamps == "arrival":
        numbers = None if track.numbers is None else track.numbers[order]
        even = spread_arrivals(time_s, max_gap_s=max_gap_s, rate_hz=rule.rate_hz, where=where, numbers=numbers)
        return OrderedTrack(even, values, order, 0, disordered)
    same = np.diff(time_s) == 0
    if not same.any():
        return OrderedTrack(time_s, values, order, 0, disordered)
    if rule.duplicates == "error":
        row = int(same.argmax())
        raise ValueError(
            f"samples {row + 1} and {row + 2} in {where} have the same time stamp {time_s[row]:.3f} s, expected rising "
            "ones; remove one of them or leave the file out with on_bad_file: skip"
        )
    begins = np.concatenate([[0], np.flatnonzero(~same) + 1])
    counts = np.diff(np.append(begins, len(time_s)))
    averaged = np.add.reduceat(values, begins, axis=0) / counts[:, None]
    if len(begins) < 2:
        raise ValueError(f"all {len(time_s)} samples in {where} have the same time stamp, expected rising ones")
    return OrderedTrack(time_s[begins], averaged, order[begins], int(same.sum()), disordered)


def step_statistics(
    times: Sequence[NDArray[np.float64]], max_gap_s: float, stamps: Literal["sampled", "arrival"] = "sampled"
) -> tuple[float, float]:
    """Rate [Hz] of the first track, and the largest jitter [s] of any: deviation of its steps, gaps left out.

    The rate is that of the median step, or of the mean one where stamps tell arrival: of those only the count holds.
    """
    rates, jitters = [], []
    for time_s in times:
        steps = np.diff(time_s)
        steps = steps[(steps >= 0) & (steps <= max_gap_s)]
        usual = steps if stamps == "arrival" else steps[steps > 0]
        typical = float(usual.mean() if stamps == "arrival" else np.median(usual)) if len(usual) else 0.0
        if typical > 0:
            rates.append(1.0 / typical)
            jitters.append(float(usual.std()))
    return (rates[0], max(jitters)) if rates else (float("nan"), float("nan"))
