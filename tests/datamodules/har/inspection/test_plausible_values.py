"""What no sensor writes: a noisy walk is well, and each thing done to it is told."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from datamodules.har.inspection.plausible_values import PlausibleValues, judge_values

RATE = 50.0


def walk(count: int = 3000, *, noise: float = 0.02) -> tuple[np.ndarray, np.ndarray]:
    """Ten seconds of rest and steps after that, in m/s^2 and rad/s."""
    rng = np.random.default_rng(0)
    time = np.arange(count) / RATE
    moves = (time > 10)[:, None]
    swing = np.stack([np.sin(11 * time), 0.5 * np.sin(22 * time + 1), np.cos(11 * time)], axis=1)
    accel = np.array([0.0, 0.6, 9.79]) + 2 * moves * swing + noise * rng.standard_normal((count, 3))
    return accel, 1.5 * moves * swing[:, ::-1] + 0.1 * noise * rng.standard_normal((count, 3))


def judge(accel: np.ndarray, gyro: np.ndarray | None) -> list[str]:
    found = PlausibleValues()
    found.add(accel, gyro, RATE)
    return judge_values(found, gravity_included=True)


def test_a_sensor_is_well() -> None:
    assert judge(*walk()) == []
    assert judge(walk()[0], None) == []
    found = PlausibleValues()
    found.add(*walk(), RATE)
    assert found.cutoff_hz() is None


def _put(values: np.ndarray, value: float, axes: slice, every: int = 100) -> None:
    values[::every, axes] = value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, g: _put(a, -9999, slice(None)), "accel reads up to -9999 m/s^2 in 30 samples, beyond"),
        (lambda a, g: _put(a, 32767, slice(0, 1)), "accel reads up to 32767"),
        (lambda a, g: _put(g, -999, slice(1, 2)), "gyro reads up to -999 rad/s"),
        (lambda a, g: _put(a, -99, slice(None)), "accel reads -99 on all three axes in 30 samples"),
        (lambda a, g: _put(a, 0, slice(None)), "accel reads 0 on all three axes in 30 samples"),
        (lambda a, g: _put(a, 0, slice(1, 2), 1), "accel's y never changes in 1 of 1 recordings"),
        (lambda a, g: _put(g, 0.25, slice(2, 3), 1), "gyro's z never changes in 1 of 1 recordings"),
        (lambda a, g: np.multiply(g, 0.01, out=g), "the gyroscope never reads more than 0.015"),
        (lambda a, g: np.add(g, [0.6, 0.0, 0.8], out=g), "the gyroscope never rests: its norm is 1 rad/s"),
        (lambda a, g: _put(g, np.nan, slice(None), 1), "the gyroscope has no value in any sample"),
    ],
)
def test_what_no_sensor_writes_is_told(change: Callable[[np.ndarray, np.ndarray], object], message: str) -> None:
    accel, gyro = walk()
    change(accel, gyro)
    (found,) = [line for line in judge(accel, gyro) if message in line] or [None]
    assert found is not None, judge(accel, gyro)


def test_a_low_pass_is_seen() -> None:
    accel, gyro = walk()
    found = PlausibleValues()
    found.add(sosfiltfilt(butter(8, 8.0, fs=RATE, output="sos"), accel, axis=0), gyro, RATE)
    cutoff = found.cutoff_hz()
    assert cutoff is not None
    assert 7 < cutoff < 16
