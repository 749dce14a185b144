"""Classical features against closed forms and numpy's own statistics."""

import numpy as np
import pytest

from datamodules.har.windows.window_set import WindowSet
from lightning_modules.har.features import extract_features

CHANNELS = ("accel_x", "accel_y", "accel_z")


def _features(signals, rate_hz=50.0, channels=CHANNELS):
    count = len(signals)
    windows = WindowSet(
        signals.astype(np.float32),
        np.zeros(count, dtype=np.int64),
        np.full(count, ""),
        np.arange(count),
        ("a",),
        channels,
        rate_hz,
    )
    values, names = extract_features(windows)
    assert values.shape == (count, len(names))
    assert len(set(names)) == len(names)
    assert np.isfinite(values).all()
    return {name: values[:, index] for index, name in enumerate(names)}


def test_statistics_are_those_of_numpy():
    signals = np.random.default_rng(0).standard_normal((4, 60, 3)).astype(np.float32)
    found = _features(signals)
    y = signals[:, :, 1].astype(np.float64)
    np.testing.assert_allclose(found["accel_y.mean"], y.mean(axis=1))
    np.testing.assert_allclose(found["accel_y.std"], y.std(axis=1))
    np.testing.assert_allclose(found["accel_y.q25"], np.percentile(y, 25, axis=1))
    np.testing.assert_allclose(found["accel.magnitude.max"], np.linalg.norm(signals, axis=2).max(axis=1), rtol=1e-6)
    for window in range(4):
        expected = np.corrcoef(signals[window].T)
        assert found["accel.corr_xz"][window] == pytest.approx(expected[0, 2], abs=1e-6)


def test_sine_has_its_frequency_rms_and_crossings():
    time = np.arange(200) / 50.0
    signals = np.zeros((1, 200, 3))
    signals[0, :, 0] = 9.80665 + 2.0 * np.sin(2 * np.pi * 3.0 * time + 0.5)
    found = _features(signals)
    assert found["accel_x.centroid_hz"][0] == pytest.approx(3.0, abs=0.02)
    assert found["accel_x.energy_2_3.5hz"][0] == pytest.approx(1.0, abs=1e-3)
    assert found["accel_x.std"][0] == pytest.approx(2.0 / np.sqrt(2), rel=1e-3)
    assert found["accel_x.zero_crossings"][0] == pytest.approx(24 / 199)
    # d/dt of the sine, per sample.
    assert found["accel_x.jerk_rms"][0] == pytest.approx(2 * 2.0 * np.sin(np.pi * 3 / 50) / np.sqrt(2), rel=0.01)


def test_signal_that_stands_still_gives_zeros_and_no_nan():
    found = _features(np.full((2, 50, 3), 3.0))
    assert found["accel_z.mean"][0] == 3.0
    for name in ("accel_z.centroid_hz", "accel_z.energy_0_1hz", "accel.corr_xy", "accel_z.zero_crossings"):
        assert found[name][0] == 0.0


def test_bands_stop_at_half_the_rate():
    found = _features(np.random.default_rng(0).standard_normal((1, 26, 3)), rate_hz=10.0)
    assert "accel_x.energy_3.5_5hz" in found
    assert "accel_x.energy_5_10hz" not in found


def test_channels_that_are_no_triples_are_refused():
    with pytest.raises(ValueError, match="expected triples"):
        _features(np.zeros((1, 10, 2)), channels=("accel_x", "accel_y"))
