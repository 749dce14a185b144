"""Stamps of arrival: times that were hidden under delays, bursts and losses come back."""

from __future__ import annotations

import numpy as np
import pytest

from datamodules.har.recordings.arrival import spread_arrivals

RATE = 20.0


def arrive(taken: np.ndarray, pauses: tuple[tuple[float, float], ...], seed: int = 0) -> np.ndarray:
    """When samples arrive: a little late, and those taken within a pause at its end, in order, whole ms."""
    rng = np.random.default_rng(seed)
    stamps = taken + rng.exponential(0.01, len(taken))
    for begin, length in pauses:
        held = (stamps > begin) & (stamps < begin + length)
        stamps[held] = begin + length + 0.004 * np.arange(held.sum())
    return np.round(np.maximum.accumulate(stamps), 3)


def spread(stamps: np.ndarray, numbers: np.ndarray | None = None, max_gap_s: float = 0.25) -> np.ndarray:
    return spread_arrivals(stamps, max_gap_s=max_gap_s, rate_hz=RATE, where="a.csv", numbers=numbers)


@pytest.mark.parametrize("rate", [20.0, 19.6, 20.4])
@pytest.mark.parametrize("pauses", [((3.0, 1.2),), ((2.0, 0.6), (5.0, 0.4), (5.8, 1.0), (11.0, 2.0))])
def test_a_delay_is_no_loss(rate: float, pauses: tuple[tuple[float, float], ...]) -> None:
    taken = np.arange(300) / rate
    even = spread(arrive(taken, pauses))
    steps = np.diff(even)
    assert np.ptp(steps) < 1e-9
    assert steps[0] == pytest.approx(1 / rate, rel=0.03)
    assert np.abs(even - taken).max() < 0.25


@pytest.mark.parametrize("lost", [12, 40, 400])
def test_a_loss_is_a_gap(lost: int) -> None:
    number = np.concatenate([np.arange(150), np.arange(150 + lost, 300 + lost)])
    taken = number / RATE
    even = spread(arrive(taken, ()))
    steps = np.diff(even)
    assert np.flatnonzero(steps > 0.25).tolist() == [149]
    assert steps[149] == pytest.approx((lost + 1) / RATE, abs=0.02)
    np.testing.assert_allclose(np.delete(steps, 149), 1 / RATE, rtol=0.01)


def test_a_loss_among_delays_is_the_only_gap() -> None:
    number = np.concatenate([np.arange(160), np.arange(200, 400)])
    even = spread(arrive(number / RATE, ((2.0, 0.7), (5.0, 0.8), (14.0, 0.9))))
    assert np.flatnonzero(np.diff(even) > 0.25).tolist() == [159]


def test_numbers_count_what_is_missing() -> None:
    number = np.concatenate([np.arange(100.0), np.arange(109.0, 300.0)])
    stamps = arrive(number / RATE, ((4.9, 1.5),))
    even = spread(stamps, number)
    np.testing.assert_allclose(np.diff(even), np.diff(number) * np.diff(even)[0], rtol=1e-6)
    assert np.diff(even)[0] == pytest.approx(1 / RATE, rel=0.01)
    # Numbers that begin anew say nothing.
    assert len(spread(stamps, number % 50)) == len(number)


def test_times_always_rise() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        number = np.flatnonzero(rng.random(400) > 0.05)
        pauses = tuple((float(start), float(rng.uniform(0.3, 2.0))) for start in np.sort(rng.uniform(0, 18, 6)))
        assert (np.diff(spread(arrive(number / RATE, pauses, seed))) > 0).all(), seed


def test_stamps_of_whole_seconds_are_named() -> None:
    stamps = np.floor(np.arange(500) / 50.0)
    with pytest.raises(ValueError, match=r"a\.csv: all 50 samples between gaps .*max_gap_s: 1\.5"):
        spread(stamps)
    assert np.diff(spread(stamps, max_gap_s=1.5)).mean() == pytest.approx(0.02, rel=0.01)
