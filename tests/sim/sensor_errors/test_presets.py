"""Presets carry the figures of their data sheets, in the sheets' own units."""

from __future__ import annotations

import math

import pytest
import torch

from sim.sensor_errors import SENSOR_NAMES, SensorErrors
from sim.sensor_errors.presets import __doc__ as sources

STANDARD_GRAVITY = 9.80665


def test_names_and_sources():
    wanted = {"none", "bmi270", "bmi160", "smartphone", "lsm6dso", "mpu6050", "icm20948", "xsens_mtw"}
    assert set(SENSOR_NAMES) == wanted
    for name in SENSOR_NAMES:
        assert f"``{name}``" in str(sources)


@pytest.mark.parametrize(
    ("name", "accel_ug", "gyro_dps", "accel_counts_per_g", "gyro_counts_per_dps"),
    [
        ("bmi270", 160, 0.007, 2048, 16.384),
        ("lsm6dso", 110, 0.0038, 1 / 0.488e-3, 1 / 0.07),
        ("mpu6050", 400, 0.005, 2048, 16.4),
        ("icm20948", 230, 0.015, 2048, 16.4),
        ("xsens_mtw", 200, 0.01, math.inf, math.inf),
    ],
)
def test_noise_and_counts(name, accel_ug, gyro_dps, accel_counts_per_g, gyro_counts_per_dps):
    device = SensorErrors.preset(name)
    assert device.accel.noise_density / STANDARD_GRAVITY * 1e6 == pytest.approx(accel_ug)
    assert math.degrees(device.gyro.noise_density) == pytest.approx(gyro_dps)
    # Counts as the sheets print them, which is to three digits.
    assert device.accel.resolution / STANDARD_GRAVITY == pytest.approx(1 / accel_counts_per_g, rel=2e-3)
    assert math.degrees(device.gyro.resolution) == pytest.approx(1 / gyro_counts_per_dps, rel=2e-3)
    assert math.degrees(device.gyro.full_scale) == pytest.approx(2000)


def test_other_figures():
    mtw, mpu = SensorErrors.preset("xsens_mtw"), SensorErrors.preset("mpu6050")
    assert math.degrees(mtw.gyro.bias_instability) * 3600 == pytest.approx(10)
    assert mtw.accel.bias_instability / STANDARD_GRAVITY == pytest.approx(1e-4)
    assert mtw.accel.full_scale == 160
    # 0.1 dps for 1 g of acceleration.
    assert math.degrees(mpu.g_sensitivity_std * STANDARD_GRAVITY) == pytest.approx(0.1)
    # Noise a data sheet would print: 160 ug/sqrt(Hz) over 50 Hz is 1.13 mg rms.
    bmi270 = SensorErrors.preset("bmi270")
    assert bmi270.accel.noise_density * math.sqrt(50) / 9.80665e-3 == pytest.approx(1.13, rel=0.01)


@pytest.mark.parametrize("name", SENSOR_NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_preset_reads(name, dtype):
    truth = torch.full((2, 40, 3, 3), 5.0, dtype=dtype)
    first, second, other = (
        SensorErrors.preset(name).apply(truth, truth, rate_hz=50, generator=torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    for stream in first:
        assert stream.dtype == dtype
        assert stream.shape == truth.shape
        assert bool(torch.isfinite(stream).all())
    assert torch.equal(torch.stack(first), torch.stack(second))
    assert torch.equal(torch.stack(first), torch.stack(other)) == (name == "none")
    assert SensorErrors.preset(name).is_random == (name != "none")


def test_no_preset_needs_no_generator():
    truth = torch.randn(10, 1, 3)
    accel, gyro = SensorErrors.preset("none").apply(truth, -truth, rate_hz=50)
    assert torch.equal(accel, truth)
    assert torch.equal(gyro, -truth)


@pytest.mark.parametrize(
    ("written", "name"),
    [("MPU-6050", "mpu6050"), ("Xsens MTw", "xsens_mtw"), ("ICM_20948", "icm20948"), ("xsens-mtw", "xsens_mtw")],
)
def test_names_are_read_leniently(written, name):
    assert SensorErrors.preset(written) == SensorErrors.preset(name)


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("bmi27", "did you mean 'bmi270'"),
        ("LSM-6DS", "did you mean 'lsm6dso'"),
        ("Xsens MT", "did you mean 'xsens_mtw'"),
    ],
)
def test_unknown_names_say_the_nearest(written, hint):
    with pytest.raises(ValueError, match=f"unknown sensor preset {written!r}; {hint}.* valid names: none, bmi270"):
        SensorErrors.preset(written)
    with pytest.raises(ValueError, match="unknown sensor preset 'thermometer'; valid names: none"):
        SensorErrors.preset("thermometer")
