"""A device that is described by a preset and figures is the one that is built by hand from the same numbers."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from sim.sensor_errors import SENSOR_NAMES, SensorErrors, TimingErrors, TriadErrors, make_errors


@pytest.mark.parametrize("name", SENSOR_NAMES)
def test_a_preset_alone_is_the_preset(name: str) -> None:
    assert make_errors(name) == SensorErrors.preset(name)


def test_without_a_word_a_device_is_ideal() -> None:
    assert make_errors() == SensorErrors()


def test_figures_take_the_place_of_the_presets_and_leave_the_others() -> None:
    described = make_errors(
        "smartphone",
        accel={"noise_density": 0.01, "low_pass_hz": 20},
        gyro={"full_scale": math.inf},
        g_sensitivity_std=1e-3,
        timing={"jitter_std_s": 0.002, "fill": "nan"},
    )
    phone = SensorErrors.preset("smartphone")
    by_hand = SensorErrors(
        accel=TriadErrors(
            noise_density=0.01,
            low_pass_hz=20,
            bias_std=phone.accel.bias_std,
            bias_random_walk=phone.accel.bias_random_walk,
            full_scale=phone.accel.full_scale,
            resolution=phone.accel.resolution,
        ),
        gyro=dataclasses.replace(phone.gyro, full_scale=math.inf),
        g_sensitivity_std=1e-3,
        timing=TimingErrors(jitter_std_s=0.002, fill="nan"),
    )
    assert described == by_hand
    truth = torch.randn(80, 2, 3, generator=torch.Generator().manual_seed(0))
    readings = [
        device.apply(truth, truth, rate_hz=50, generator=torch.Generator().manual_seed(1))
        for device in (described, by_hand)
    ]
    assert torch.equal(torch.stack(readings[0]), torch.stack(readings[1]))


def test_a_preset_keeps_its_g_sensitivity_unless_told_otherwise() -> None:
    kept = make_errors("mpu6050", accel={"bias_std": 0.0}).g_sensitivity_std
    assert kept == SensorErrors.preset("mpu6050").g_sensitivity_std > 0
    assert make_errors("mpu6050", g_sensitivity_std=0.0).g_sensitivity_std == 0.0


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"preset": "smartfone"}, "unknown sensor preset 'smartfone'.*did you mean 'smartphone'"),
        ({"accel": {"noise_densty": 1.0}}, "unknown figure of accel 'noise_densty'.*did you mean noise_density"),
        ({"gyro": {"jitter_std_s": 1.0}}, "unknown figure of gyro 'jitter_std_s', expected one of.*bias_std"),
        ({"timing": {"jitter": 1.0}}, "unknown figure of timing 'jitter'.*did you mean jitter_std_s"),
        ({"accel": {"noise_density": "160 ug"}}, "accel.noise_density is '160 ug', expected a number in SI units"),
        ({"accel": {"noise_density": True}}, "accel.noise_density is True, expected a number"),
        ({"timing": {"fill": 0}}, "timing.fill is 0, expected a word"),
        ({"gyro": {"noise_density": -1}}, "gyro.noise_density is -1.0, expected >= 0"),
        ({"timing": {"drop_rate": 2.0}}, "timing.drop_rate is 2.0, expected a part in"),
        ({"g_sensitivity_std": -0.1}, "g_sensitivity_std is -0.1, expected >= 0"),
    ],
)
def test_what_makes_no_device_is_refused(description: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_errors(**description)  # type: ignore[arg-type]
