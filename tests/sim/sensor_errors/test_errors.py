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


def test_g_sensitivity_adds_a_matrix_times_the_specific_force():
    errors = SensorErrors(g_sensitivity_std=0.01)
    accel = torch.zeros(2, 4, 500, 3, dtype=torch.float64)
    accel[:, :3] = torch.eye(3, dtype=torch.float64)[:, None]
    accel[:, 3] = torch.tensor([1.0, -2.0, 9.8])
    rate = torch.full_like(accel, 0.5)
    read_accel, read = errors.apply(accel, rate, rate_hz=RATE, generator=_generator())
    assert torch.equal(read_accel, accel)
    columns = read[:, :3] - 0.5
    torch.testing.assert_close(read[:, 3] - 0.5, columns[:, 0] - 2.0 * columns[:, 1] + 9.8 * columns[:, 2])
    assert float(columns.std()) == pytest.approx(0.01, rel=0.03)
    # Nine entries of their own, and each device's own.
    entries = columns.movedim(2, 0).flatten(2).flatten(0, 1)
    correlation = torch.corrcoef(entries.T) - torch.eye(9, dtype=torch.float64)
    assert float(correlation.abs().max()) < 0.15
    assert not torch.equal(columns[0], columns[1])


def test_g_sensitivity_acts_before_range_and_counts():
    errors = SensorErrors(gyro=TriadErrors(full_scale=1.0, resolution=0.125), g_sensitivity_std=1.0)
    accel = torch.full((50, 20, 3), 3.0)
    _, read = errors.apply(accel, torch.zeros_like(accel), rate_hz=RATE, generator=_generator())
    assert float(read.abs().max()) == 1.0
    assert torch.equal(read, (read * 8).round() / 8)


def test_draws_of_published_presets_stay_where_they_were():
    """Bias, then walk, then noise, accelerometer first: written out, as an experiment's figures rest on it."""
    truth = torch.randn(2, 30, 3, 3, generator=_generator(9))
    read_accel, read_gyro = SensorErrors.preset("smartphone").apply(truth, truth, rate_hz=50, generator=_generator(4))
    generator, (accel, gyro) = (
        _generator(4),
        (SensorErrors.preset("smartphone").accel, SensorErrors.preset("smartphone").gyro),
    )

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    def wander(value: torch.Tensor, triad: TriadErrors) -> torch.Tensor:
        walk = torch.cumsum(draw(2, 30, 3, 3), dim=1) * (triad.bias_random_walk / math.sqrt(50))
        value = value + (walk - walk[:, :1])
        value = value + triad.noise_density * math.sqrt(25) * draw(2, 30, 3, 3)
        return value + ((value / triad.resolution).round() * triad.resolution - value)

    assert torch.equal(read_accel, wander(truth + accel.bias_std * draw(2, 1, 3, 3), accel))
    assert torch.equal(read_gyro, wander(truth, gyro))


def test_new_noise_is_drawn_after_the_old():
    truth = torch.zeros(100, 2, 3, dtype=torch.float64)
    old = {"noise_density": 0.1, "bias_std": 0.2, "bias_random_walk": 0.3, "scale_std": 0.1}
    plain = TriadErrors(**old).apply(truth, rate_hz=RATE, generator=_generator())
    tiny = TriadErrors(**old, bias_instability=1e-13).apply(truth, rate_hz=RATE, generator=_generator())
    torch.testing.assert_close(plain, tiny, atol=1e-10, rtol=0)


def test_rejects():
    with pytest.raises(ValueError, match="generator is None"):
        SensorErrors.preset("bmi270").apply(torch.zeros(5, 1, 3), torch.zeros(5, 1, 3), rate_hz=50)
    with pytest.raises(ValueError, match="generator is None"):
        SensorErrors(g_sensitivity_std=0.1).apply(torch.zeros(5, 1, 3), torch.zeros(5, 1, 3), rate_hz=50)
    with pytest.raises(ValueError, match=r"noise_density is -1\.0, expected >= 0 and finite; leave noise_density out"):
        TriadErrors(noise_density=-1)
    with pytest.raises(ValueError, match="bias_std is nan"):
        TriadErrors(bias_std=math.nan)
    with pytest.raises(ValueError, match="bias_instability is inf"):
        TriadErrors(bias_instability=math.inf)
    with pytest.raises(ValueError, match="bias_correlation_s is inf, expected > 0 and finite"):
        TriadErrors(bias_correlation_s=math.inf)
    with pytest.raises(ValueError, match=r"bias_correlation_s is 0\.0, expected > 0"):
        TriadErrors(bias_correlation_s=0)
    with pytest.raises(ValueError, match=r"low_pass_hz is 0\.0, expected > 0; leave low_pass_hz out"):
        TriadErrors(low_pass_hz=0)
    with pytest.raises(ValueError, match="full_scale is nan"):
        TriadErrors(full_scale=math.nan)
    with pytest.raises(ValueError, match=r"g_sensitivity_std is -0\.1, expected >= 0"):
        SensorErrors(g_sensitivity_std=-0.1)
    with pytest.raises(ValueError, match="rate_hz is 0"):
        TriadErrors().apply(torch.zeros(5, 1, 3), rate_hz=0)
    with pytest.raises(ValueError, match="rate_hz is nan"):
        SensorErrors().apply(torch.zeros(5, 1, 3), torch.zeros(5, 1, 3), rate_hz=math.nan)


@pytest.mark.parametrize(
    ("accel", "gyro", "message"),
    [
        (torch.zeros(5, 3), torch.zeros(5, 3), r"accel has shape \(5, 3\), expected \(\.\.\., T, S, 3\)"),
        (torch.zeros(0, 1, 3), torch.zeros(0, 1, 3), "with T >= 1"),
        (torch.zeros(5, 1, 3), torch.zeros(5, 2, 3), r"gyro has shape \(5, 2, 3\), expected \(5, 1, 3\) like accel"),
        (torch.zeros(5, 1, 3), torch.zeros(5, 1, 3, dtype=torch.float64), "gyro torch.float64, expected one floating"),
        (torch.zeros(5, 1, 3, dtype=torch.int64), torch.zeros(5, 1, 3, dtype=torch.int64), "accel is torch.int64"),
    ],
)
def test_rejects_streams_that_do_not_go_together(accel, gyro, message):
    with pytest.raises(ValueError, match=message):
        SensorErrors().apply(accel, gyro, rate_hz=RATE)
