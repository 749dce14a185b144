"""Each error is measured on the output and compared with what was specified."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import signal

from sim.sensor_errors import SensorErrors, TriadErrors

RATE = 100.0


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _rest(seconds: float, sensors: int = 4) -> torch.Tensor:
    rest = torch.zeros(int(seconds * RATE), sensors, 3, dtype=torch.float64)
    rest[..., 1] = 9.80665
    return rest


def _allan_deviation(values: np.ndarray, tau_s: float) -> float:
    """Overlapping Allan deviation over axis 0, pooled over the other axes (IEEE Std 952-1997)."""
    width = round(tau_s * RATE)
    sums = np.cumsum(np.concatenate([np.zeros((1, *values.shape[1:])), values]), axis=0)
    means = (sums[width:] - sums[:-width]) / width
    return float(np.sqrt(0.5 * np.mean((means[width:] - means[:-width]) ** 2)))


def test_white_noise_has_the_specified_density():
    triad = TriadErrors(noise_density=1.57e-3)
    noise = (triad.apply(_rest(600), rate_hz=RATE, generator=_generator()) - _rest(600)).numpy()
    frequencies, power = signal.welch(noise, fs=RATE, nperseg=512, axis=0)
    density = np.sqrt(power[(frequencies > 1) & (frequencies < 45)].mean())
    assert density == pytest.approx(1.57e-3, rel=0.02)
    assert _allan_deviation(noise, 1.0) == pytest.approx(1.57e-3 / math.sqrt(2), rel=0.1)


def test_bias_wanders_as_specified():
    triad = TriadErrors(bias_random_walk=2e-3)
    wander = triad.apply(_rest(200, sensors=300), rate_hz=RATE, generator=_generator()) - _rest(200, sensors=300)
    assert float(wander[0].abs().max()) == 0
    for seconds in (10, 150):
        assert float(wander[int(seconds * RATE)].std()) == pytest.approx(2e-3 * math.sqrt(seconds), rel=0.1)


def test_bias_is_constant_and_each_sensors_own():
    triad = TriadErrors(bias_std=0.2)
    truth = torch.zeros(2, 50, 400, 3)
    bias = triad.apply(truth, rate_hz=RATE, generator=_generator())
    assert torch.equal(bias, bias[:, :1].expand_as(bias))
    assert float(bias[:, 0].std()) == pytest.approx(0.2, rel=0.1)
    assert not torch.equal(bias[0], bias[1])


def test_scale_and_misalignment():
    truth = torch.zeros(5, 4000, 3, dtype=torch.float64)
    truth[..., 0] = 10.0
    read = TriadErrors(scale_std=0.01, misalignment_std=0.003).apply(truth, rate_hz=RATE, generator=_generator())
    assert float((read[0, :, 0] / 10 - 1).std()) == pytest.approx(0.01, rel=0.05)
    assert float((read[0, :, 1:] / 10).std()) == pytest.approx(0.003, rel=0.05)


def test_range_and_counts_are_exact():
    triad = TriadErrors(full_scale=20.0, resolution=0.25)
    truth = torch.linspace(-30, 30, 999, dtype=torch.float64)[:, None, None].expand(-1, 1, 3)
    read = triad.apply(truth, rate_hz=RATE)
    assert float(read.max()) == 20.0
    assert float(read.min()) == -20.0
    assert torch.equal(read, (read / 0.25).round() * 0.25)
    inside = truth.abs() < 20
    assert float((read - truth)[inside].abs().max()) <= 0.125 + 1e-12
    uneven = TriadErrors(full_scale=1.0, resolution=0.3).apply(truth, rate_hz=RATE)
    assert float(uneven.max()) == pytest.approx(0.9)


def test_low_pass_is_a_butterworth_filter():
    times = torch.arange(2000, dtype=torch.float64) / RATE
    truth = torch.stack([torch.sin(2 * math.pi * f * times) for f in (2.0, 10.0, 30.0)], dim=-1)[:, None]
    read = TriadErrors(low_pass_hz=10.0).apply(truth, rate_hz=RATE)
    sections = signal.butter(2, 10.0, fs=RATE, output="sos")
    start = signal.sosfilt_zi(sections)[:, :, None] * truth[0, 0].numpy()
    reference, _ = signal.sosfilt(sections, truth[:, 0].numpy(), axis=0, zi=start)
    np.testing.assert_allclose(read[:, 0].numpy(), reference, atol=1e-6)
    assert float(read[500:, 0, 1].abs().max()) == pytest.approx(math.sqrt(0.5), rel=0.02)
    assert torch.equal(TriadErrors(low_pass_hz=50.0).apply(truth, rate_hz=RATE), truth)


def test_noise_is_stationary_behind_the_low_pass():
    truth = torch.zeros(60, 3000, 3)
    read = TriadErrors(noise_density=1.0, low_pass_hz=5.0).apply(truth, rate_hz=RATE, generator=_generator())
    spread = read.std(dim=(1, 2))
    assert float(spread.max() / spread.min()) < 1.1


def test_gradients_pass_all_but_the_clipping():
    truth = torch.tensor([1.0, 2.0, 30.0, -4.0])[:, None, None].repeat(1, 1, 3).requires_grad_()
    read = TriadErrors(noise_density=0.1, full_scale=10.0, resolution=0.5).apply(
        truth, rate_hz=RATE, generator=_generator()
    )
    read.sum().backward()
    assert truth.grad is not None
    assert truth.grad[:, 0, 0].tolist() == [1.0, 1.0, 0.0, 1.0]


def test_same_seed_same_errors_and_dtype_is_kept():
    errors = SensorErrors.preset("smartphone")
    truth = torch.zeros(3, 40, 2, 3)
    first, second, other = (errors.apply(truth, truth, rate_hz=50, generator=_generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], other[0])
    assert first[0].dtype == torch.float32


def test_presets():
    truth = 5 * torch.ones(10, 1, 3)
    none = SensorErrors.preset("none").apply(truth, truth, rate_hz=50)
    assert torch.equal(none[0], truth)
    # Noise a data sheet would print: 160 ug/sqrt(Hz) over 50 Hz is 1.13 mg rms.
    bmi270 = SensorErrors.preset("bmi270")
    assert bmi270.accel.noise_density * math.sqrt(50) / 9.80665e-3 == pytest.approx(1.13, rel=0.01)
    assert bmi270.accel.resolution == pytest.approx(9.80665 / 2048)
    assert math.degrees(bmi270.gyro.full_scale) == pytest.approx(2000)
    for name in ("bmi160", "smartphone", "mpu6050"):
        accel, gyro = SensorErrors.preset(name).apply(truth, truth, rate_hz=50, generator=_generator())
        assert bool(torch.isfinite(accel).all())
        assert bool(torch.isfinite(gyro).all())


def test_rejects():
    with pytest.raises(ValueError, match="did you mean 'bmi270'"):
        SensorErrors.preset("bmi27")
    with pytest.raises(ValueError, match="generator is None"):
        SensorErrors.preset("bmi270").apply(torch.zeros(5, 1, 3), torch.zeros(5, 1, 3), rate_hz=50)
    with pytest.raises(ValueError, match="noise_density is -1"):
        TriadErrors(noise_density=-1)
    with pytest.raises(ValueError, match="bias_std is nan"):
        TriadErrors(bias_std=math.nan)
    with pytest.raises(ValueError, match=r"low_pass_hz is 0\.0, expected > 0"):
        TriadErrors(low_pass_hz=0)
    with pytest.raises(ValueError, match="rate_hz is 0"):
        TriadErrors().apply(torch.zeros(5, 1, 3), rate_hz=0)
