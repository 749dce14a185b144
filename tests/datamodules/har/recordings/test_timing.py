"""Clocks against signals known in closed form: a sine wherever the samples lie, gaps and repeats put in by hand."""

from __future__ import annotations

import numpy as np
import pytest

from datamodules.har import load_recordings
from datamodules.har.recordings.building import RecordingFacts, SensorTrack, record_even, record_tracks
from datamodules.har.recordings.missing import fill_missing, find_dead
from datamodules.har.recordings.reading import Reading
from datamodules.har.recordings.stamps import ClockRule, Track
from datamodules.har.recordings.timing import align_tracks

RATE = 50.0


def _signal(time_s, hz=2.0):
    phase = 2 * np.pi * hz * np.asarray(time_s)
    return np.stack([np.sin(phase), np.cos(phase), 9.81 + 0 * phase], axis=1)


def _align(time_s, values, labels="walking", *, max_gap_s=0.25, **rule):
    return align_tracks([Track(time_s, values)], labels, ClockRule(RATE, **rule), max_gap_s=max_gap_s, where="a.csv")


def test_even_samples_stay_as_they_are():
    time_s = 1000.0 + np.arange(500) / RATE
    values = np.random.default_rng(0).normal(size=(500, 3))
    (stretch,), report = _align(time_s, values)
    np.testing.assert_array_equal(stretch.values[0], values)
    assert not report.resampled
    assert report.native_rate_hz == pytest.approx(RATE)


def test_jittered_samples_give_the_signal_on_the_grid():
    generator = np.random.default_rng(1)
    time_s = np.arange(1000) / RATE + generator.uniform(-0.4, 0.4, 1000) / RATE
    (stretch,), report = _align(time_s, _signal(time_s))
    grid = time_s[0] + np.arange(len(stretch.values[0])) / RATE
    np.testing.assert_allclose(stretch.values[0], _signal(grid), atol=0.002)
    assert len(grid) == pytest.approx(1000, abs=1)
    assert report.resampled
    # Steps are differences of two uniform deviates of half width 0.4 steps.
    assert report.jitter_s == pytest.approx(0.4 / RATE * np.sqrt(2 / 3), rel=0.1)


def test_a_long_gap_splits_and_a_short_one_is_bridged():
    time_s = np.arange(1000) / RATE
    keep = np.ones(1000, dtype=bool)
    keep[300:305] = False  # step of 0.12 s
    keep[600:700] = False  # step of 2.02 s
    labels = np.where(time_s < 6.0, "walking", "running")[keep]
    (first, second), report = _align(time_s[keep], _signal(time_s[keep]), labels)
    assert (len(first.labels), len(second.labels)) == (600, 300)
    np.testing.assert_allclose(first.values[0], _signal(time_s[:600]), atol=0.08)
    np.testing.assert_array_equal(second.values[0], _signal(time_s[700:]))
    assert (report.gaps, report.bridged) == (1, 1)
    assert report.gap_s == pytest.approx(2.02)
    # Samples 300 to 304 are gone; the grid points there take the label of the nearer end.
    assert (first.labels == "running").sum() == 298
    assert set(second.labels) == {"running"}


def test_long_runs_of_nan_stay_and_short_ones_are_filled():
    time_s = np.arange(400) / RATE + 1e-9 * np.arange(400)
    values = np.concatenate([_signal(time_s), _signal(time_s)], axis=1)
    values[100:104, 0] = np.nan  # 80 ms of one axis
    values[200:250, 3:] = np.nan  # 1 s of the second sensor
    (stretch,), report = _align(time_s, values)
    found = stretch.values[0]
    assert (report.filled, report.missing) == (4, 50)
    assert np.isfinite(found[:, :3]).all()
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(found[:, 4])), np.arange(200, 250))


def test_missing_values_stay_missing_through_interpolation():
    time_s = np.arange(400) / RATE
    time_s[1::2] += 0.006
    values = _signal(time_s)
    values[200:300] = np.nan
    (stretch,), _ = _align(time_s, values)
    gone = np.flatnonzero(np.isnan(stretch.values[0][:, 0]))
    grid = np.arange(len(stretch.values[0])) / RATE
    assert len(gone) == pytest.approx(100, abs=2)
    assert grid[gone[0]] > time_s[199]
    assert grid[gone[-1]] < time_s[300]
    kept = np.isfinite(stretch.values[0][:, 0])
    np.testing.assert_allclose(stretch.values[0][kept], _signal(grid[kept]), atol=0.02)


def test_two_clocks_meet_on_one_grid():
    slow = 5.003 + np.arange(300) / 47.0
    fast = 4.0 + np.arange(1500) / 200.0
    high = _signal(fast, 0.7) + 0.5 * np.sin(2 * np.pi * 90 * fast)[:, None]  # above what 50 Hz can carry
    (stretch,), report = align_tracks(
        [Track(slow, _signal(slow, 0.7)), Track(fast, high)], "x", ClockRule(RATE), max_gap_s=0.25, where="a"
    )
    grid = slow[0] + np.arange(len(stretch.labels)) / RATE
    assert grid[-1] == pytest.approx(min(slow[-1], fast[-1]), abs=1 / RATE)
    np.testing.assert_allclose(stretch.values[0], _signal(grid, 0.7), atol=0.01)
    np.testing.assert_allclose(stretch.values[1][10:-10], _signal(grid, 0.7)[10:-10], atol=0.03)
    assert report.native_rate_hz == pytest.approx(47.0)


def test_arrival_stamps_are_spread_evenly():
    even = np.arange(2000) / 104.0
    # Bursts: packets of seven samples arrive together with the last of them, rounded to ms.
    stamps = np.round(even[np.minimum((np.arange(2000) // 7) * 7 + 6, 1999)], 3)
    (stretch,), report = _align(stamps, _signal(even), stamps="arrival")
    # The mean delay cannot be known; all samples share it.
    delay = (stamps - even).mean()
    grid = np.arange(len(stretch.labels)) / RATE
    start = even[0] + delay
    np.testing.assert_allclose(stretch.values[0][20:-20], _signal(grid + start - delay)[20:-20], atol=0.03)
    assert report.duplicates == 0


def test_equal_and_backward_stamps_are_refused_or_mended():
    time_s = np.arange(100) / RATE
    values = _signal(time_s)
    twice, double = np.insert(time_s, 50, time_s[50]), np.insert(values, 50, values[50] + 2.0, axis=0)
    with pytest.raises(ValueError, match=r"samples 51 and 52 in a\.csv have the same time stamp 1\.000 s"):
        _align(twice, double)
    (stretch,), report = _align(twice, double, duplicates="average")
    np.testing.assert_allclose(stretch.values[0][50], values[50] + 1.0)
    assert report.duplicates == 1
    order = np.arange(100)
    order[[30, 31]] = [31, 30]
    with pytest.raises(ValueError, match=r"a\.csv run backwards at sample 32"):
        _align(time_s[order], values[order])
    (stretch,), report = _align(time_s[order], values[order], backwards="sort")
    np.testing.assert_array_equal(stretch.values[0], values)
    assert report.disordered == 1


def test_clocks_without_common_time_and_stamps_that_are_none():
    a, b = np.arange(10) / RATE, 100 + np.arange(10) / RATE
    with pytest.raises(ValueError, match="expected some time in common"):
        align_tracks([Track(t, _signal(t)) for t in (a, b)], "x", ClockRule(RATE), max_gap_s=0.25, where="a")
    with pytest.raises(ValueError, match=r"time stamp of sample 4 in a\.csv is nan"):
        _align(np.array([0, 1, 2, np.nan]), np.zeros((4, 3)))


def test_ends_are_never_extrapolated():
    values = np.ones((10, 3))
    values[0] = values[9, 1] = np.nan
    mended, filled, left = fill_missing(values, max_run=5)
    assert (filled, left) == (0, 2)
    assert np.isnan(mended[[0, 9]]).all()


def test_reports_of_one_source_are_counted_each(tmp_path):
    """Recordings of one file each have their report; all of them count in the summary."""
    rows = [f"33,Jogging,{10**12 + 50_000_000 * i},0.0,9.8,0.0;" for i in range(100) if i not in (20, 21)]
    rows += [f"34,Walking,{10**12 + 50_000_000 * i},0.0,9.8,0.0;" for i in range(100) if i not in (30, 31)]
    (tmp_path / "WISDM_ar_v1.1_raw.txt").write_text("\n".join(rows) + "\n")
    recordings = load_recordings("wisdm", tmp_path)
    assert len(list(recordings)) == 2
    assert len(recordings.reports()) == 2
    assert "2 longer steps interpolated over" in recordings.summary()


def test_runs_of_zeros_are_missing_and_single_ones_are_not():
    accel = np.random.default_rng(0).normal(size=(100, 2, 3)) + 9.81
    accel[10] = accel[20:22] = accel[90:] = 0.0
    accel[40:43, 1] = 0.0
    found = find_dead(accel)
    assert np.flatnonzero(found[:, 0]).tolist() == list(range(90, 100))
    assert np.flatnonzero(found[:, 1]).tolist() == [40, 41, 42, *range(90, 100)]


@pytest.mark.parametrize("even", [True, False], ids=["even", "stamped"])
def test_a_silent_second_is_cut_in_every_way_to_a_recording(even):
    time_s = np.arange(500) / RATE
    accel, gyro = _signal(time_s) + 0.01, _signal(time_s)
    gyro[50:53] = 0.0  # a gyroscope at rest may read zero
    accel[100:105] = gyro[100:105] = 0.0  # short: bridged
    accel[450:] = gyro[450:] = 0.0
    facts, reading = RecordingFacts("s1", "s1/1", "", "a.csv"), Reading()
    if even:
        made = record_even(
            accel[:, None], gyro[:, None], "walking", facts, placements=["chest"], rate_hz=RATE, reading=reading
        )
    else:
        tracks = [SensorTrack("chest", "accel", time_s, accel), SensorTrack("chest", "gyro", time_s, gyro)]
        (made,) = record_tracks(tracks, "walking", facts, ClockRule(RATE), reading)
    for values in (made.accel, made.gyro):
        assert np.isnan(values[450:]).all()
        assert np.isfinite(values[:450]).all()
    np.testing.assert_array_equal(made.gyro[50:53], 0.0)
    # Between samples 99 and 105: what is bridged has zeros nowhere.
    np.testing.assert_allclose(made.accel[100:105, 0, 2], 9.82, atol=1e-5)
    assert (made.timing.dead, made.timing.filled, made.timing.missing) == (55, 10, 100)


def test_zeros_of_a_sensor_without_gravity_are_values():
    accel = np.zeros((100, 1, 3))
    facts = RecordingFacts("s1", "s1/1", "", "a.csv", gravity_included=False)
    made = record_even(accel, None, "standing", facts, placements=["chest"], rate_hz=RATE, reading=Reading())
    np.testing.assert_array_equal(made.accel, 0.0)


@pytest.mark.parametrize("rate_hz", [0.0, float("inf"), float("nan"), 1e9])
def test_no_grid_is_made_for_a_rate_that_none_has(rate_hz):
    with pytest.raises(ValueError, match=r"rate_hz is .*expected > 0 and at most 100000"):
        ClockRule(rate_hz)


@pytest.mark.parametrize("max_gap_s", [-1.0, float("inf"), float("nan")])
def test_gaps_to_bridge_are_finite(max_gap_s):
    with pytest.raises(ValueError, match=r"max_gap_s is .*expected seconds from 0 on"):
        Reading(max_gap_s=max_gap_s)
