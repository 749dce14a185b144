"""Fidelity of signals: right for people like these, wrong in the way in which signals were made wrong."""

import numpy as np
import pytest
from scipy import stats

from datamodules.har.windows.window_set import WindowSet
from lightning_modules.metrics import signal_fidelity
from lightning_modules.metrics.signal_fidelity import (
    MEASURES,
    autocorrelations,
    compare_signals,
    find_cadence_hz,
)

RATE_HZ = 25.0
CADENCE_HZ = 1.9


def walk(people, *, seed, strength=1.0, tempo=1.0, each=14):
    """Windows of walkers, each of a tempo and a strength of their own."""
    rng = np.random.default_rng(seed)
    time = np.arange(64) / RATE_HZ
    signals, of = [], []
    for person in people:
        pace, force = CADENCE_HZ * tempo * rng.normal(1, 0.04), 3 * strength * rng.normal(1, 0.15)
        for _ in range(each):
            step = force * np.sin(2 * np.pi * (pace * time + rng.uniform()))
            window = np.stack([9.8 + step, 0.4 * step, 0.2 * force * np.ones(64)], axis=1)
            signals.append(window + 0.4 * strength * rng.standard_normal((64, 3)))
            of.append(person)
    channels = ("accel_x", "accel_y", "accel_z")
    labels = np.zeros(len(of), np.int64)
    return WindowSet(
        np.array(signals, np.float32), labels, np.array(of), np.arange(len(of)), ("walking",), channels, RATE_HZ
    )


@pytest.fixture(scope="module")
def real():
    return walk([f"p{number}" for number in range(8)], seed=0)


def virtual(**how):
    return walk([f"virtual0.{number}" for number in range(8)], seed=1, **how)


def test_others_like_them_are_right_in_every_measure(real):
    found = compare_signals(virtual(), real)
    assert tuple(found) == MEASURES
    assert found["autocorrelation"].value < 0.1
    assert found["cadence_ratio"].value == pytest.approx(1, abs=0.06)
    assert found["mmd"].low < 0.02
    assert found["two_sample"].value < 0.72
    assert found["nearest_ratio"].value == pytest.approx(1, abs=0.35)
    for estimate in found.values():
        assert estimate.low < estimate.value < estimate.high


def test_too_tame_is_told_and_keeps_its_cadence(real):
    like, tame = compare_signals(virtual(), real), compare_signals(virtual(strength=0.4), real)
    assert tame["cadence_ratio"].value == pytest.approx(1, abs=0.06)
    for name in ("sliced_wasserstein", "mmd"):
        assert tame[name].low > like[name].value, name
    assert tame["two_sample"].value > 0.9
    assert tame["nearest_ratio"].value > 1.5 * like["nearest_ratio"].value


def test_too_fast_is_told_by_its_cadence(real):
    found = compare_signals(virtual(tempo=1.4), real)
    assert found["cadence_ratio"].value == pytest.approx(1.4, abs=0.08)
    assert found["cadence_ratio"].low > 1.2
    assert found["autocorrelation"].value > 0.2


def test_copies_of_people_are_as_near_as_can_be(real):
    copies = WindowSet.of(real.signals, real.index)
    found = compare_signals(copies, real)
    assert found["nearest_ratio"].value == 0
    assert found["sliced_wasserstein"].value == pytest.approx(0, abs=1e-9)
    assert found["autocorrelation"].value == pytest.approx(0, abs=1e-9)


def test_the_same_seed_gives_the_same(real):
    assert compare_signals(virtual(), real, seed=3) == compare_signals(virtual(), real, seed=3)


def test_one_person_has_no_interval_and_nobody_to_be_compared_with(real):
    one = real.select(real.subjects == "p3")
    found = compare_signals(virtual(), one)
    assert (found["mmd"], found["two_sample"], found["nearest_ratio"]) == (None, None, None)
    for name in ("autocorrelation", "sliced_wasserstein"):
        assert found[name] is not None
        assert (found[name].low, found[name].high) == (None, None)


def test_who_stands_still_has_no_cadence(real):
    noise = np.random.default_rng(5).standard_normal(real.signals.shape).astype(np.float32) * 0.01
    still = WindowSet.of(noise, real.index)
    assert compare_signals(virtual(), still)["cadence_ratio"] is None


def test_people_who_never_vary_have_no_features_to_compare(real):
    still = WindowSet.of(np.ones_like(real.signals), real.index)
    for ours in (virtual(), still):
        found = compare_signals(ours, still)
        assert found["autocorrelation"] is not None
        assert [name for name in MEASURES if found[name] is not None] == ["autocorrelation"]


def test_a_window_each_is_too_few_to_be_told_by(real):
    few = real.select(np.array([0, 14]))
    assert set(few.subjects) == {"p0", "p1"}
    found = compare_signals(virtual(), few)
    assert found["two_sample"] is None
    assert found["nearest_ratio"] is not None


def test_a_side_without_windows_is_an_error(real):
    with pytest.raises(ValueError, match="0 virtual and 112 real windows"):
        compare_signals(real.select(np.zeros(0, np.int64)), real)


def test_cadence_of_a_pure_tone_is_found_between_samples():
    time = np.arange(64) / RATE_HZ
    tone = np.sin(2 * np.pi * 1.7 * time)[None, :, None] * np.array([1.0, 0.0, 0.0]) + np.array([9.8, 0.0, 0.0])
    channels = ("accel_x", "accel_y", "accel_z")
    one = np.zeros(1, np.int64)
    windows = WindowSet(tone.astype(np.float32), one, np.array(["p"]), one, ("walking",), channels, RATE_HZ)
    correlation = autocorrelations(windows)[0]
    assert correlation[0] == pytest.approx(1)
    assert find_cadence_hz(correlation, RATE_HZ) == pytest.approx(1.7, abs=0.05)


@pytest.fixture
def sides():
    rng = np.random.default_rng(7)
    ours, theirs = rng.standard_normal((20, 5)), rng.standard_normal((24, 5)) + 0.7
    of = np.repeat([0, 1, 2, 3], [3, 9, 7, 5])
    drawn = np.array([[2, 0, 1, 1], [0, 3, 1, 0]])
    return ours, np.repeat(np.arange(5), 4), theirs, signal_fidelity._Wearers(of, 4, drawn)


def half_width(samples):
    return stats.t.ppf(0.975, 3) * np.std(samples, ddof=1)


def test_sliced_wasserstein_is_that_of_scipy(sides):
    ours, _, theirs, people = sides
    found = signal_fidelity._sliced_wasserstein(ours, theirs, people, np.random.default_rng(0))
    slices = np.random.default_rng(0).standard_normal((5, signal_fidelity._SLICES))
    slices /= np.linalg.norm(slices, axis=0)
    expected = [
        np.mean([stats.wasserstein_distance(ours @ one, theirs @ one, v_weights=times[people.of]) for one in slices.T])
        for times in (np.ones(4), *people.drawn)
    ]
    assert found.value == pytest.approx(expected[0])
    assert found.high - found.value == pytest.approx(half_width(expected[1:]))


def test_mmd_is_the_sum_over_pairs_of_different_wearers(sides):
    ours, movers, theirs, people = sides

    def squared(one, other):
        return float(((one - other) ** 2).sum())

    def pairs(points, wearers):
        number = range(len(points))
        return [(i, j) for i in number for j in number if wearers[i] != wearers[j]]

    width = np.median([squared(theirs[i], theirs[j]) for i, j in pairs(theirs, people.of)])

    def kernel(one, other):
        return np.exp(-squared(one, other) / width)

    def value(times):
        rows = np.repeat(np.arange(24), times[people.of])
        drawn, wearers = theirs[rows], people.of[rows]
        among = np.mean([kernel(drawn[i], drawn[j]) for i, j in pairs(drawn, wearers)])
        across = np.mean([kernel(one, other) for one in ours for other in drawn])
        own = np.mean([kernel(ours[i], ours[j]) for i, j in pairs(ours, movers)])
        return own + among - 2 * across

    found = signal_fidelity._mmd(ours, movers, theirs, people)
    assert found.value == pytest.approx(value(np.ones(4, dtype=int)))
    assert found.high - found.value == pytest.approx(half_width([value(times) for times in people.drawn]))


def test_nearest_ratio_is_that_of_brute_force(sides):
    ours, _, theirs, people = sides
    reference = [
        min(np.linalg.norm(one - other) for other, who in zip(theirs, people.of, strict=True) if who != of)
        for one, of in zip(theirs, people.of, strict=True)
    ]
    own = [min(np.linalg.norm(one - other) for other in theirs) for one in ours]
    found = signal_fidelity._nearest_ratio(ours, theirs, people)
    assert found.value == pytest.approx(np.median(own) / np.median(reference))
