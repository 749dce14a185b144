"""What tests of readers share: the check of sensors that keep still and turn at a constant rate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from datamodules.har import Recording


@pytest.fixture(scope="session")
def expect_still() -> Callable[..., None]:
    """Compare a recording with gravity ``up (S, 3)`` [m/s^2] and rate ``turn (S, 3)`` [rad/s] of each site."""

    def expect(
        recording: Recording,
        up: np.ndarray,
        turn: np.ndarray,
        *,
        labels: list[str],
        subject: str,
        rtol: float = 1e-4,
    ) -> None:
        assert recording.subject == subject
        assert recording.gravity_included
        found = [recording.labels] if isinstance(recording.labels, str) else list(dict.fromkeys(recording.labels))
        assert found == labels
        expected = np.broadcast_to(up, recording.accel.shape)
        np.testing.assert_allclose(recording.accel, expected, rtol=rtol, atol=1e-3)
        np.testing.assert_allclose(recording.gyro, np.broadcast_to(turn, recording.gyro.shape), rtol=rtol, atol=1e-4)

    return expect
