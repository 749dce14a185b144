"""Metrics against numpy, scipy and closed forms; batching and processes must not change them."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import mean_squared_error

from lightning_modules.metrics import PairedAccelerationError, paired_error
from lightning_modules.metrics.acceleration_distance import (
    acceleration_distance,
    magnitude_wasserstein,
    mean_spectrum,
    peak_ratio,
    spectrum_distance,
)

FPS = 20.0


def random_batch(seed: int, size: int = 6) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    predicted, target = torch.randn(2, size, 9, 22, 3, generator=generator)
    return predicted, target, torch.arange(size) % 2, torch.rand(size, 9, generator=generator) > 0.3


def test_doctest() -> None:
    assert doctest.testmod(paired_error).failed == 0


def test_paired_error_equals_scikit_learn() -> None:
    metric = PairedAccelerationError(["walk", "run", "jump"], fractions=[0.05, 0.5])
    pooled: dict[str, list[np.ndarray]] = {}
    for level in range(2):
        for seed in range(3):
            predicted, target, activity, mask = random_batch(10 * level + seed)
            metric.update(predicted, target, activity=activity, level=level, mask=mask)
            for index, name in enumerate(["walk", "run"]):
                rows = mask & (activity == index)[:, None]
                pair = np.stack([predicted[rows].reshape(-1, 3).numpy(), target[rows].reshape(-1, 3).numpy()])
                for key in ("", f"/{name}", ["/t05", "/t50"][level]):
                    pooled.setdefault(key, []).append(pair)
    result = metric.compute()
    for key, pairs in pooled.items():
        ours, theirs = np.concatenate(pairs, axis=1)
        expected = 3 * mean_squared_error(theirs, ours)  # it averages the components; a vector sums them
        assert result[f"mse{key}"].item() == pytest.approx(expected, rel=1e-6)
        assert result[f"rmse{key}"].item() == pytest.approx(math.sqrt(expected), rel=1e-6)
    assert math.isnan(result["rmse/jump"])


def test_paired_error_ignores_what_is_masked_even_nan() -> None:
    metric = PairedAccelerationError(["walk", "run"], fractions=[0.5])
    predicted, target, activity, mask = random_batch(1)
    predicted[~mask] = torch.nan
    metric.update(predicted, target, activity=activity, level=0, mask=mask)
    assert all(math.isfinite(value) for value in metric.compute().values())


def test_rows_of_several_processes_count_each_clip_once() -> None:
    """What torchmetrics does across ranks for ``dist_reduce_fx="cat"``, with a clip that the sampler padded in."""
    assert {reduction.__name__ for reduction in PairedAccelerationError(["walk"])._reductions.values()} == {
        "dim_zero_cat"
    }
    options = {"fractions": [0.5, 0.9], "groups": ["slow", "fast"]}
    whole, joined = (PairedAccelerationError(["walk", "run"], **options) for _ in range(2))
    for level in range(2):
        predicted, target, activity, mask = random_batch(level)
        arguments = {"activity": activity, "mask": mask, "group": 1 - activity, "sample_id": torch.arange(6) + 7}
        whole.update(predicted, target, level=level, **arguments)
        for rows in ([0, 2, 4], [1, 3, 5], [1]):  # the last one twice, on another rank
            share = {name: value[rows] for name, value in arguments.items()}
            joined.update(predicted[rows], target[rows], level=level, **share)
    expected = whole.compute()
    assert {"rmse/fast", "mse/slow", "rmse/t90"} <= expected.keys()
    for name, value in joined.compute().items():
        assert torch.equal(value, expected[name]), name


def test_paired_error_by_group_equals_that_of_its_clips() -> None:
    predicted, target, activity, mask = random_batch(3)
    metric = PairedAccelerationError(["walk", "run"], fractions=[0.5], groups=["slow", "fast"])
    fast = torch.tensor([0, 1, 1, 0, 0, 1])
    metric.update(predicted, target, activity=activity, level=0, mask=mask, group=fast)
    rows = mask & (fast == 1)[:, None]
    expected = 3 * mean_squared_error(target[rows].reshape(-1, 3), predicted[rows].reshape(-1, 3))
    assert metric.compute()["mse/fast"].item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"level": 3}, "level is 3"),
        ({"activity": torch.tensor([0, 1, 2, 0, 1, 0])}, "outside"),
        ({"target": torch.zeros(6, 9, 21, 3)}, "differ"),
    ],
)
def test_paired_error_names_bad_input(change: dict[str, object], message: str) -> None:
    predicted, target, activity, mask = random_batch(0)
    metric = PairedAccelerationError(["walk", "run"], fractions=[0.5])
    arguments = {"predicted": predicted, "target": target, "activity": activity, "level": 0, "mask": mask} | change
    with pytest.raises(ValueError, match=message):
        metric.update(**arguments)


def test_wasserstein_of_shifted_and_scaled_samples_has_a_closed_form() -> None:
    rng = np.random.default_rng(0)
    real = rng.exponential(3.0, 5000)
    assert magnitude_wasserstein(real + 1.5, real) == pytest.approx(1.5)
    assert magnitude_wasserstein(0.5 * real, real) == pytest.approx(0.5 * real.mean())
    quantiles = np.linspace(0, 1, 20001)[1:-1]
    by_quantiles = np.abs(stats.expon.ppf(quantiles, scale=3) - stats.gamma.ppf(quantiles, 2, scale=2)).mean()
    gamma = rng.gamma(2.0, 2.0, 200_000)
    assert magnitude_wasserstein(gamma, rng.exponential(3.0, 200_000)) == pytest.approx(by_quantiles, rel=0.03)


def test_halving_a_motion_shows_in_all_three() -> None:
    rng = np.random.default_rng(1)
    real = [np.abs(rng.normal(0, 4, length)) for length in (80, 120, 45)]
    tame = acceleration_distance([0.5 * series for series in real], real, fps=FPS)
    assert tame.peak_ratio_p95 == pytest.approx(0.5)
    assert tame.peak_ratio_p99 == pytest.approx(0.5)
    assert tame.psd_log10 == pytest.approx(math.log10(4), abs=1e-6)  # power goes with the square of the amplitude
    assert tame.wasserstein_m_s2 == pytest.approx(0.5 * np.concatenate(real).mean())
    same = acceleration_distance(real, real, fps=FPS).as_dict()
    assert same == {"wasserstein_m_s2": 0, "psd_log10": 0, "peak_ratio_p95": 1, "peak_ratio_p99": 1}


@pytest.mark.parametrize("length", [64, 400, 40])
def test_spectrum_keeps_the_power_of_white_noise(length: int) -> None:
    """Parseval: the density of white noise of variance s^2 is 2 s^2 / fps at every frequency, short series too."""
    rng = np.random.default_rng(2)
    frequency, density = mean_spectrum([rng.normal(0, 3.0, length) for _ in range(600)], fps=FPS)
    middle = (frequency > 1.0) & (frequency < 9.0)
    assert density[middle].mean() == pytest.approx(2 * 9 / FPS, rel=0.08)


def test_spectrum_peaks_at_the_cadence() -> None:
    time = np.arange(200) / FPS
    frequency, density = mean_spectrum([np.sin(2 * np.pi * 2.5 * time)], fps=FPS)
    assert frequency[density.argmax()] == pytest.approx(2.5)
    slow = [np.sin(2 * np.pi * 1.25 * time)]
    assert spectrum_distance(slow, [np.sin(2 * np.pi * 2.5 * time)], fps=FPS) > 1


def test_distribution_metrics_name_bad_input() -> None:
    good = np.ones(50)
    with pytest.raises(ValueError, match="none at all"):
        magnitude_wasserstein(np.empty(0), good)
    with pytest.raises(ValueError, match="none at all"):
        acceleration_distance([], [good], fps=FPS)
    with pytest.raises(ValueError, match="not finite"):
        magnitude_wasserstein(np.array([np.nan]), good)
    with pytest.raises(ValueError, match="fps is 0"):
        mean_spectrum([good], fps=0)
    with pytest.raises(ValueError, match="expected > 0; give motion"):
        peak_ratio(good, np.zeros(5), percentile=95)
    with pytest.raises(ValueError, match="choose a band below 10"):
        spectrum_distance([good], [good], fps=FPS, band_hz=(11, 12))
    with pytest.raises(ValueError, match="a series has 3 samples"):
        mean_spectrum([good[:3]], fps=FPS)
