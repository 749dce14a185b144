"""The metrics of sensor output, judged themselves: what they say of noise, smoothing, half strength and lost modes."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import signal
from scipy.ndimage import uniform_filter1d

from lightning_modules.metrics import DistributionTable, SensorDistributions, compare_distributions
from lightning_modules.metrics.distribution_table import SUMMARY, tabulate
from lightning_modules.metrics.motion_quality import REAL
from lightning_modules.metrics.sensor_quantities import (
    BANDS_HZ,
    FLOORS,
    QUANTITIES,
    SPECTRUM,
    SensorMagnitudes,
    compare,
    measure,
)
from sim import Body, Placement, simulate
from sim.conventions import NUM_JOINTS
from sim.features import features_to_joints, features_to_motion, joints_to_features
from sim.skeleton_t2m import retarget

RATE_HZ = 20.0
PLACES = ["waist", "left_wrist"]


def walkers(*, clips: int = 24, samples: int = 74, seed: int = 0) -> SensorMagnitudes:
    """Clips of coloured noise around gravity, the first half slow and weak, the second quick and strong."""
    generator = np.random.default_rng(seed)
    white = generator.normal(size=(2, clips, samples + 40, 2))
    quick = np.arange(clips)[:, None, None] >= clips // 2
    force = np.where(quick, 3 * white[0], 0.5 * uniform_filter1d(white[0], 5, axis=1))[:, 20:-20]
    rate = np.where(quick, 2.0, 0.4) * np.abs(white[1])[:, 20:-20]
    force = 9.8 + 0.1 * generator.normal(size=(clips, 1, 2)) + force
    force[0, 50:], rate[0, 50:] = np.nan, np.nan  # one is shorter, another too short for a spectrum
    force[1, 30:], rate[1, 30:] = np.nan, np.nan
    return SensorMagnitudes(force, rate, RATE_HZ)


def change(magnitudes: SensorMagnitudes, force: np.ndarray, rate: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """What is said of changed force and rate beside the unchanged."""
    ours = SensorMagnitudes(force, magnitudes.rate if rate is None else rate, RATE_HZ)
    return compare(measure(ours), measure(magnitudes))


def test_equal_sets_are_right() -> None:
    scores = change(walkers(), walkers().force)
    assert set(scores) == set(QUANTITIES)
    for name, values in scores.items():
        assert values.tolist() == [0.0, 0.0] if name == SPECTRUM else [1.0, 1.0]


def test_half_the_strength_halves_and_quarters() -> None:
    truth = walkers()
    mean = np.nanmean(truth.force, axis=1, keepdims=True)
    scores = change(truth, mean + 0.5 * (truth.force - mean), 0.5 * truth.rate)
    for name in ("std", "std_median", "p95", "p99", "rate_p95"):
        assert scores[name] == pytest.approx([0.5, 0.5])
    for name in BANDS_HZ:
        assert scores[name] == pytest.approx([0.25, 0.25])
    assert scores[SPECTRUM] == pytest.approx([20 * math.log10(2)] * 2)


def test_noise_adds_and_most_where_there_was_little() -> None:
    truth = walkers().take(range(12))  # the slow ones have little above 3 Hz
    noise = np.random.default_rng(1).normal(size=(2, *truth.force.shape))
    scores = change(truth, truth.force + noise[0], truth.rate + np.abs(noise[1]))
    for name in FLOORS:
        assert (scores[name] > 1.2).all(), name
    assert (scores["power_8_10_hz"] > scores["power_0.5_3_hz"]).all()
    assert (scores[SPECTRUM] > 3).all()


def test_a_moving_average_takes_the_high_bands_away() -> None:
    truth = walkers()
    filled = np.where(np.isnan(truth.force), 9.8, truth.force)
    smooth = np.where(np.isnan(truth.force), np.nan, uniform_filter1d(filled, 3, axis=1))
    scores = change(truth, smooth)
    for name in ("std", "std_median", "p95", "p99"):
        assert (scores[name] < 0.9).all(), name
    low, middle, high = (scores[name] for name in BANDS_HZ)
    assert (low > middle).all()
    assert (middle > high).all()
    assert (low > 0.6).all()
    assert (high < 0.2).all()


@pytest.mark.parametrize(("kept", "tamer"), [(range(12), True), (range(12, 24), False)])
def test_a_lost_mode_shows(kept: range, tamer: bool) -> None:
    truth = walkers()
    scores = compare(measure(truth.take(kept)), measure(truth))
    for name in FLOORS:
        assert ((scores[name] < 0.9) if tamer else (scores[name] > 1.02)).all(), name
    assert (scores[SPECTRUM] > 1).all()


def test_one_wild_clip_moves_the_spread_and_not_its_median() -> None:
    truth = walkers().take(range(12, 24))  # all alike
    force = truth.force.copy()
    force[5] = 9.8 + 30 * (force[5] - 9.8)
    scores = change(truth, force)
    assert (scores["std"] > 3).all()
    assert scores["std_median"] == pytest.approx([1, 1], rel=0.1)


def test_offsets_and_gravity_do_not_count() -> None:
    truth = walkers()
    assert all(
        values == pytest.approx([0, 0] if name == SPECTRUM else [1, 1])
        for name, values in change(truth, truth.force + 0.3).items()
    )


def test_perfect_stillness_is_like_a_little_noise() -> None:
    """Numbers below what a device's own noise would be are no difference."""
    still = SensorMagnitudes(np.full((4, 60, 2), 9.8), np.zeros((4, 60, 2)), RATE_HZ)
    scores = change(still, 9.8 + 1e-5 * np.random.default_rng(0).normal(size=(4, 60, 2)))
    assert all(values.tolist() == ([0, 0] if name == SPECTRUM else [1, 1]) for name, values in scores.items())
    loud = change(still, 9.8 + np.random.default_rng(0).normal(size=(4, 60, 2)))
    assert loud["std"] == pytest.approx([1 / FLOORS["std"]] * 2, rel=0.1)


def test_measured_as_numpy_and_scipy_do() -> None:
    truth = walkers()
    values = measure(truth).values
    for place in range(2):
        clips = [row[~np.isnan(row)] for row in truth.force[..., place]]
        pool = np.concatenate([clip - clip.mean() for clip in clips])
        assert values["std"][place] == pytest.approx(pool.std())
        assert values["std_median"][place] == pytest.approx(np.median([clip.std() for clip in clips]))
        assert values["p95"][place] == pytest.approx(np.quantile(pool, 0.95))
        assert values["p99"][place] == pytest.approx(np.quantile(pool, 0.99))
        rates = np.concatenate([row[~np.isnan(row)] for row in truth.rate[..., place]])
        assert values["rate_p95"][place] == pytest.approx(np.quantile(rates, 0.95))
        long = [clip for clip in clips if len(clip) >= 40]
        assert len(long) == len(clips) - 1
        windows = [1 + (len(clip) - 40) // 20 for clip in long]
        spectra = [signal.welch(clip, fs=RATE_HZ, nperseg=40, detrend="constant") for clip in long]
        frequency, density = spectra[0][0], np.average([power for _, power in spectra], axis=0, weights=windows)
        for name, (low, high) in BANDS_HZ.items():
            inside = (frequency >= low) & (frequency < high)
            assert values[name][place] == pytest.approx(density[inside].sum() * 0.5)


def stride(scale: float, *, frames: int, seed: int = 0) -> torch.Tensor:
    """Features ``(frames, 263)`` of somebody who sways and bobs, more strongly with the scale."""
    rest = retarget(torch.randn(1, NUM_JOINTS, 3, generator=torch.Generator().manual_seed(1)))[0]
    time = torch.arange(frames + 1) / RATE_HZ + 0.1 * seed
    joints = rest + torch.zeros(frames + 1, 1, 3)
    joints[..., 1] += scale * 0.05 * torch.sin(2 * math.pi * 2 * time)[:, None]
    joints[..., 0] += scale * 0.03 * torch.sin(2 * math.pi * 3.5 * time)[:, None]
    return joints_to_features(joints)


def test_the_metric_agrees_with_simulate() -> None:
    """The padded batch of the metric against the door of the simulator, clip by clip."""
    clips = [stride(1.0 + 0.2 * number, frames=60 + 5 * number, seed=number) for number in range(3)]
    joints = [features_to_joints(clip) for clip in clips]
    padded = torch.nn.utils.rnn.pad_sequence(joints, batch_first=True)
    metric = SensorDistributions(["swaying"], placements=PLACES)
    lengths, zeros = torch.tensor([len(clip) for clip in clips]), torch.zeros(3, dtype=torch.int64)
    metric.update(padded, lengths, activity=zeros, slot=REAL, sample_id=torch.arange(3))
    for row in range(3):  # the other side one by one
        metric.update(joints[row][None], lengths[row : row + 1], activity=zeros[:1], slot=0)
    table = DistributionTable(metric.compute())
    recorded = {row.quantity: row.recorded for row in table.rows if row.placement == "left_wrist"}
    read = [
        simulate(features_to_motion(clip), Body.default(), [Placement.preset(name) for name in PLACES], rate_hz=RATE_HZ)
        for clip in clips
    ]
    force = [recording.accel[3:-3, 1].norm(dim=-1).double().numpy() for recording in read]
    pool = np.concatenate([clip - clip.mean() for clip in force])
    assert recorded["std"] == pytest.approx(pool.std(), rel=2e-3)
    assert recorded["p99"] == pytest.approx(np.quantile(pool, 0.99), rel=5e-3)
    assert table.value("swaying", "waist", "std") == pytest.approx(1.0, rel=2e-3)
    assert table.rows[0].motions_generated == table.rows[0].motions_recorded == 3
    assert table.rows[0].seconds_recorded == pytest.approx(sum(len(clip) for clip in force) / RATE_HZ)
    motions = [features_to_motion(clip) for clip in clips]
    assert compare_distributions({"swaying": clips}, {"swaying": motions}, placements=PLACES).summary() < 0.01


def test_clips_count_once_and_activities_apart() -> None:
    joints = torch.stack([features_to_joints(stride(scale, frames=60)) for scale in (1.0, 2.0, 1.0, 2.0)])
    lengths, ids = torch.full((4,), 60), torch.arange(4)
    metric = SensorDistributions(["slow", "fast", "absent"], placements=PLACES)
    metric.update(joints, lengths, activity=torch.tensor([0, 1, 0, 1]), slot=REAL, sample_id=ids)
    metric.update(joints[:2], lengths[:2], activity=torch.tensor([0, 1]), slot=REAL, sample_id=ids[:2])  # again
    metric.update(joints[:2], lengths[:2], activity=torch.tensor([1, 0]), slot=0, sample_id=ids[:2])  # exchanged
    table = DistributionTable(metric.compute())
    assert {row.activity: row.motions_recorded for row in table.rows} == {"slow": 2, "fast": 2}
    assert table.value("slow", "waist", "std") == pytest.approx(1 / table.value("fast", "waist", "std"))
    assert table.value("slow", "waist", "std") > 1.5
    with pytest.raises(KeyError, match="no row of std for slow at chest"):
        table.value("slow", "chest", "std")
    metric.reset()
    metric.update(joints, lengths, activity=torch.zeros(4, dtype=torch.int64), slot=REAL)
    assert metric.compute() == []  # nothing generated


def test_the_decoder_of_features_is_chosen() -> None:
    """Jitter of positions that the steps do not have is gone with the consistent decoder."""
    clips = [stride(1.0, frames=80, seed=number) for number in range(2)]
    generator = torch.Generator().manual_seed(0)
    shaken = [clip.clone() for clip in clips]
    for clip in shaken:
        clip[:, 4:67] += 0.02 * torch.randn(80, 63, generator=generator)
    by = {
        decoder: compare_distributions({"a": shaken}, {"a": clips}, placements=PLACES, decoder=decoder)
        for decoder in ("positions", "consistent")
    }
    assert by["positions"].value("a", "left_wrist", "std") > 1.5
    assert by["consistent"].summary() < 0.5 * by["positions"].summary()


def test_the_table_is_written_and_printed(tmp_path: Path) -> None:
    truth = walkers()
    half = SensorMagnitudes(9.8 + 0.5 * (truth.force - 9.8), truth.rate, RATE_HZ)
    table = tabulate({"walking": half}, {"walking": truth, "running": truth}, PLACES)
    # ln 2 for the standard deviation and the peak, ln 4 for the power of the middle band.
    assert table.summary() == pytest.approx(4 / 3 * math.log(2), rel=1e-3)
    table.write_csv(tmp_path / "new" / "distribution.csv")
    with (tmp_path / "new" / "distribution.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(QUANTITIES)
    assert (rows[0]["activity"], rows[0]["placement"], rows[0]["quantity"]) == ("walking", "waist", "std")
    assert float(rows[0]["value"]) == pytest.approx(0.5, rel=1e-3)
    assert float(rows[0]["generated"]) == pytest.approx(0.5 * float(rows[0]["recorded"]), rel=1e-3)
    assert "| walking | left_wrist | 0.50 | 0.50 | 0.50 | 0.50 | 0.25 | 0.25 | 0.25 | 1.00 | 6.02 | 24 / 24 |" in (
        table.to_markdown()
    )
    assert table.flatten()["walking/waist/power_3_8_hz"] == pytest.approx(0.25, rel=1e-3)
    assert SUMMARY in table.flatten()


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="expected both \\(N, T, S\\)"):
        SensorMagnitudes(np.zeros((2, 3, 1)), np.zeros((2, 3, 2)), RATE_HZ)
    with pytest.raises(ValueError, match="expected at least 20 Hz"):
        SensorDistributions(["walking"], rate_hz=10.0)
    with pytest.raises(ValueError, match="'left_paw'"):
        compare_distributions({"a": [stride(1, frames=60)]}, {"a": [stride(1, frames=60)]}, placements=["left_paw"])
    with pytest.raises(ValueError, match="at least one activity that has both"):
        compare_distributions({"a": [stride(1, frames=60)]}, {"b": [stride(1, frames=60)]})
    with pytest.raises(ValueError, match="no clip has a sample that counts"):
        measure(SensorMagnitudes(np.full((2, 5, 1), np.nan), np.full((2, 5, 1), np.nan), RATE_HZ))
