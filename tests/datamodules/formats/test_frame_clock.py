"""Rates out of rounded periods against the rates that were rounded; gaps against frames that were taken out."""

from __future__ import annotations

import numpy as np
import pytest

from datamodules.formats.frame_clock import judge_numbers, judge_times, rate_of_period


@pytest.mark.parametrize("rate", [24.0, 25.0, 30.0, 50.0, 60.0, 72.0, 90.0, 100.0, 120.0, 144.0, 200.0, 240.0])
@pytest.mark.parametrize("digits", [5, 6, 7, 8, 12])
def test_a_rounded_period_means_its_rate(rate: float, digits: int) -> None:
    assert rate_of_period(f"{1 / rate:.{digits}f}") == rate
    # Some programs cut off in place of rounding.
    assert rate_of_period(f"{1 / rate:.15f}"[: digits + 2]) == rate


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        ("0.033", 30.0),
        ("0.0333667", 30000 / 1001),
        ("0.01668335", 60000 / 1001),
        ("0.041708", 24000 / 1001),
        (".0083333", 120.0),
        ("8.3333e-03", 120.0),
        ("0.016666699200868607", 60.0),
        ("0.0227", 44.0),
        ("0.013947", 71.7),
    ],
)
def test_what_is_written_in_files(written: str, rate: float) -> None:
    assert rate_of_period(written) == pytest.approx(rate, rel=2e-4)


@pytest.mark.parametrize("written", ["0", "-0.1", "nan", "inf", "fast"])
def test_no_period_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="seconds"):
        rate_of_period(written)


def test_numbers_that_skip_or_come_twice_are_told() -> None:
    numbers = np.arange(1.0, 60.0)
    assert judge_numbers(numbers, "frame numbers") == ()
    assert judge_numbers(numbers * 4, "frame numbers") == ()
    (gap,) = judge_numbers(np.delete(numbers, slice(19, 31)), "frame numbers")
    assert gap.startswith("suspicious: frame numbers skip from 19 to 32")
    (twice,) = judge_numbers(np.concatenate([numbers[:14], numbers[9:]]), "frame numbers")
    assert "do not rise from 14 to 10" in twice


@pytest.mark.parametrize("rate", [24.0, 30.0, 120.0, 250.0])
def test_times_rounded_to_milliseconds_have_no_gap_and_missing_frames_are_one(rate: float) -> None:
    times = np.round(np.arange(200) / rate, 3)
    assert judge_times(times, "times") == ()
    (gap,) = judge_times(np.delete(times, slice(50, 56)), "times")
    assert gap.startswith(f"suspicious: times skip from {times[49]:g} to {times[56]:g} s")
