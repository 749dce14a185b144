"""The virtual IMU against real ones: what experiments.bench.real_sensors measures stays as good as it is."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.bench.real_sensors import BROAD_TRIALS, compare_broad, compare_heel


@pytest.mark.parametrize(
    ("trial", "accel_error", "gyro_error"), [(BROAD_TRIALS[0], 0.25, 0.09), (BROAD_TRIALS[1], 0.42, 0.18)]
)
def test_broad(shared, trial, accel_error, gyro_error):
    accel, gyro, lever_arm = compare_broad(shared / "data" / "imu", trial)
    # Two trials, fitted apart, put the chip in the same place: 10 to 12 mm along z from the markers' frame.
    np.testing.assert_allclose(lever_arm, [0.0, 0.0, 0.011], atol=0.003)
    assert accel.correlation > 0.995
    assert accel.error < accel_error
    assert gyro.correlation > 0.988
    assert gyro.error < gyro_error


@pytest.mark.parametrize("side", ["left", "right"])
def test_gaitmap_heel(shared, side):
    agreement = compare_heel(shared / "data" / "imu", side)
    assert agreement.correlation > 0.95
    assert agreement.error < 2.8
