"""A rest recording shows the noise that was asked for: Allan deviations by `allantools`, not by code of ours."""

from __future__ import annotations

import math

import allantools
import numpy as np
import pytest
import torch

from sim.sensor_errors import SENSOR_NAMES, SensorErrors, TriadErrors
from sim.sensor_errors.triad import GAUSS_MARKOV_FLOOR, GAUSS_MARKOV_FLOOR_TAU

PRESETS = [(name, triad) for name in SENSOR_NAMES if name != "none" for triad in ("accel", "gyro")]


def _rest(errors: SensorErrors, triad: str, *, rate: float, seconds: float, sensors: int) -> np.ndarray:
    """Record sensors that lie still, one column for each axis of each: ``(T, S * 3)``."""
    accel = torch.zeros(int(seconds * rate), sensors, 3)
    accel[..., 1] = 9.80665
    read = errors.apply(accel, torch.zeros_like(accel), rate_hz=rate, generator=torch.Generator().manual_seed(3))
    return read[0 if triad == "accel" else 1].flatten(1).double().numpy()


def _allan(readings: np.ndarray, rate: float, taus: list[float]) -> np.ndarray:
    """Overlapping Allan deviation at each averaging time [s], pooled over the columns."""
    squares = []
    for column in readings.T:
        found, deviation, _, _ = allantools.oadev(column - column[0], rate=rate, data_type="freq", taus=taus)
        np.testing.assert_allclose(found, taus, rtol=1e-2)
        squares.append(deviation**2)
    return np.sqrt(np.mean(squares, axis=0))


def _gauss_markov_allan(std: float, x: float) -> float:
    """Allan deviation of a Gauss-Markov process at x correlation times, from the double integral of its covariance."""
    lag = np.linspace(0, 2 * x, 200_001)
    # The difference of two adjacent means has a triangular-kernel covariance: 2 about lag 0, -1 about lag x.
    kernel = 2 * np.clip(x - lag, 0, None) - np.clip(x - np.abs(lag - x), 0, None)
    return std * math.sqrt(np.trapezoid(kernel * np.exp(-lag), lag) / x**2)


@pytest.mark.parametrize(("name", "triad"), PRESETS)
def test_presets_show_their_white_noise(name, triad):
    # At 1 kHz the noise of a sample exceeds a count of every converter here, so that rounding adds little.
    device = SensorErrors.preset(name)
    readings = _rest(device, triad, rate=1000.0, seconds=30, sensors=4)
    density = getattr(device, triad).noise_density
    assert density > 0
    assert _allan(readings, 1000.0, [0.25])[0] * math.sqrt(2 * 0.25) == pytest.approx(density, rel=0.1)


@pytest.mark.parametrize(("name", "triad"), [(n, t) for n, t in PRESETS if n in ("bmi160", "smartphone")])
def test_presets_show_their_random_walk(name, triad):
    device = SensorErrors.preset(name)
    walk = getattr(device, triad).bias_random_walk
    assert walk > 0
    readings = _rest(device, triad, rate=100.0, seconds=2000, sensors=8)
    assert _allan(readings, 100.0, [100.0])[0] / math.sqrt(100 / 3) == pytest.approx(walk, rel=0.1)


@pytest.mark.parametrize("triad", ["accel", "gyro"])
def test_presets_show_their_bias_instability(triad):
    device = SensorErrors.preset("xsens_mtw")
    floor = getattr(device, triad).bias_instability
    assert floor > 0
    readings = _rest(device, triad, rate=10.0, seconds=5000, sensors=24)
    assert _allan(readings, 10.0, [189.3])[0] == pytest.approx(floor, rel=0.1)


def test_no_other_preset_specifies_drift():
    drifts = {
        name
        for name, triad in PRESETS
        if getattr(SensorErrors.preset(name), triad).bias_random_walk
        or getattr(SensorErrors.preset(name), triad).bias_instability
    }
    assert drifts == {"bmi160", "smartphone", "xsens_mtw"}


def test_floor_of_the_gauss_markov_process():
    peak = max(np.linspace(0.5, 5, 451), key=lambda x: _gauss_markov_allan(1.0, x))
    assert peak == pytest.approx(GAUSS_MARKOV_FLOOR_TAU, abs=0.01)
    assert _gauss_markov_allan(1.0, GAUSS_MARKOV_FLOOR_TAU) == pytest.approx(GAUSS_MARKOV_FLOOR, rel=1e-5)


def test_bias_instability_is_a_gauss_markov_process():
    triad = TriadErrors(bias_instability=0.02, bias_correlation_s=5.0)
    read = triad.apply(torch.zeros(20_000, 40, 3), rate_hz=10.0, generator=torch.Generator().manual_seed(0))
    std = 0.02 / GAUSS_MARKOV_FLOOR
    # Stationary from the first sample on, and correlated as exp(-t / T).
    assert float(read[:3].std()) == pytest.approx(std, rel=0.1)
    assert float(read[-3:].std()) == pytest.approx(std, rel=0.1)
    assert float((read[50:] * read[:-50]).mean()) / std**2 == pytest.approx(math.exp(-1), rel=0.1)
    taus = [0.5, 2.0, 9.5, 50.0]
    expected = [_gauss_markov_allan(std, tau / 5.0) for tau in taus]
    np.testing.assert_allclose(_allan(read.flatten(1).double().numpy(), 10.0, taus), expected, rtol=0.05)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_all_three_noises_together(dtype):
    density, floor, walk, correlation = 0.5, 1.0, 0.1, 20.0
    triad = TriadErrors(
        noise_density=density, bias_instability=floor, bias_correlation_s=correlation, bias_random_walk=walk
    )
    truth = torch.zeros(50_000, 16, 3, dtype=dtype)
    read = triad.apply(truth, rate_hz=10.0, generator=torch.Generator().manual_seed(1))
    assert read.dtype == dtype
    taus = [0.1, 1.0, 38.0, 300.0]
    expected = [
        math.sqrt(
            density**2 / (2 * tau)
            + _gauss_markov_allan(floor / GAUSS_MARKOV_FLOOR, tau / correlation) ** 2
            + walk**2 * tau / 3
        )
        for tau in taus
    ]
    measured = _allan(read.flatten(1).double().numpy(), 10.0, taus)
    np.testing.assert_allclose(measured, expected, rtol=0.1)
    # Where one of them rules, it alone is within a tenth.
    assert measured[0] * math.sqrt(2 * 0.1) == pytest.approx(density, rel=0.1)
    assert measured[2] == pytest.approx(floor, rel=0.1)
