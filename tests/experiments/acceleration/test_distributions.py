"""How near sensor output comes to recorded: resampled as if window by window, and intervals of arms that differ."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.acceleration.distribution_page import state_closeness, tabulate_arm, tabulate_closeness
from experiments.acceleration.distributions import compare_run, judge_arms, resample_summary
from experiments.acceleration.measure import Measured
from experiments.acceleration.plan import CONTINUED, ORIGINAL, Arm
from experiments.acceleration.sensors import Sensed
from experiments.arms.paired_errors import SPACES

ACTIVITIES = np.array(["walking"] * 20 + ["running"] * 12 + ["lying"] * 4)
RECORDINGS = np.array([f"r{number // 2}" for number in range(36)])


def make_run(strength: float, *, seed: int = 0, windows: np.ndarray | None = None) -> Measured:
    """Windows of noise around gravity, and two motions generated for each, so many times as strong."""
    truth, generator = np.random.default_rng(7), np.random.default_rng(100 + seed)
    power = np.where(ACTIVITIES == "running", 4.0, 1.0) * truth.uniform(0.7, 1.4, size=18)[np.arange(36) // 2]
    recorded = 9.8 + power[:, None, None] * truth.normal(size=(36, 80, 2))
    generated = 9.8 + strength * power[:, None, None, None] * generator.normal(size=(36, 2, 80, 2))
    recorded[:, 74:], generated[:, :, 74:] = np.nan, np.nan
    recorded[3, 50:], generated[3, :, 50:] = np.nan, np.nan
    kept = np.arange(36) if windows is None else windows
    numbers = np.ones(len(kept))
    return Measured(
        dict.fromkeys(SPACES, np.ones((len(kept), 5))), dict.fromkeys(SPACES, numbers), numbers, numbers.astype(int),
        ACTIVITIES[kept], RECORDINGS[kept], np.ones((len(kept), 1, 78, 22)), np.ones((len(kept), 78, 22)),
        Sensed(generated[kept], np.abs(generated[kept]), recorded[kept], np.abs(recorded[kept]), ("waist", "chest")),
    )  # fmt: skip


def test_a_resample_is_what_its_windows_alone_give() -> None:
    """The weighted sums against the metric itself over windows that were drawn as often."""
    run = make_run(0.6)
    draws = np.random.default_rng(3).multinomial(18, np.full(18, 1 / 18), size=4).astype(float)
    draws[0] = 1.0
    found = resample_summary(run, draws)
    names = np.unique(RECORDINGS)
    for row, drawn in zip(draws, found, strict=True):
        counts = row[np.searchsorted(names, RECORDINGS)].astype(int)
        windows = np.arange(36).repeat(counts)
        assert drawn == pytest.approx(compare_run(make_run(0.6, windows=windows)).summary(), rel=0.01)


def test_a_resample_without_an_activity_leaves_it_out() -> None:
    run = make_run(0.6)
    names = np.unique(RECORDINGS)
    draws = np.isin(names, RECORDINGS[ACTIVITIES == "walking"])[None].astype(float)
    walking = compare_run(run, ("walking",)).summary()
    assert resample_summary(run, draws) == pytest.approx(walking, rel=0.01)
    assert np.isnan(resample_summary(run, 0 * draws)).all()


def test_arms_that_differ_are_told_apart() -> None:
    better, control = Arm("acc_joints", 1.0), Arm(CONTINUED)
    runs = {
        Arm(ORIGINAL): [make_run(0.5)],
        control: [make_run(0.5, seed=1), make_run(0.5, seed=2)],
        better: [make_run(0.9, seed=3), make_run(0.9, seed=4)],
    }
    judged = {(entry.arm.name, entry.against): entry.interval for entry in judge_arms(runs, resamples=200)}
    # Half as strong is ln 2 off in strength and peaks and ln 4 in power.
    assert judged[ORIGINAL, None].mean == pytest.approx(4 / 3 * np.log(2), rel=0.1)
    assert judged[CONTINUED, ORIGINAL].low < 0 < judged[CONTINUED, ORIGINAL].high
    assert judged["acc_joints", CONTINUED].high < -0.5
    assert judged["acc_joints", ORIGINAL].mean == pytest.approx(
        judged["acc_joints", None].mean - judged[ORIGINAL, None].mean
    )
    entries = judge_arms(runs, resamples=50)
    (sentence,) = state_closeness(entries)
    assert "(nearer than the control)" in sentence
    assert "| acc_joints 1 |" in tabulate_closeness(entries).to_markdown()


def test_the_table_of_an_arm_is_a_mean_over_seeds() -> None:
    runs = [make_run(0.5, seed=1), make_run(2.0, seed=2)]
    ratios = [compare_run(run).value("walking", "waist", "std") for run in runs]
    row = next(line for line in tabulate_arm(Arm("a"), runs).rows if line[:2] == ["walking", "waist"])
    assert float(row[2]) == pytest.approx(np.sqrt(ratios[0] * ratios[1]), abs=0.006)
    assert row[-2] == "40 / 20"
    assert not [line for line in tabulate_arm(Arm("a"), runs).rows if line[0] == "lying"]
