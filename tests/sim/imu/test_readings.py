"""Long recordings: no seams, and memory that does not grow with their length beyond the result."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import pytest
import torch

from experiments.bench.body import make_motion, make_placements
from experiments.bench.memory import measure_peak_bytes
from sim import Body, ImuRecording, Motion, simulate

QUANTITIES = ("accel", "gyro", "linear_accel", "orientation", "position")


def _prepare_minutes(minutes: float) -> Callable[[], object]:
    motion, body, placements = make_motion(1, int(minutes * 60 * 20)), Body.default(), make_placements()
    simulate(motion.frames(0, 600), body, placements, rate_hz=100)
    return partial(simulate, motion, body, placements, rate_hz=100)


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from Linux's /proc")
def test_memory_beyond_the_result_does_not_grow_with_the_recording():
    """A quarter of an hour of 22 sensors at 100 Hz: the result is 160 MiB."""
    samples = 15 * 60 * 100
    peak = measure_peak_bytes(partial(_prepare_minutes, 15))
    assert peak - samples * 22 * 21 * 4 < 64 * 2**20


@pytest.mark.parametrize("cutoff_hz", [None, 6.0])
@pytest.mark.parametrize("rate_hz", [20.0, 100.0, 51.2])
def test_parts_leave_no_seam(rate_hz, cutoff_hz):
    """Where a gradient is wanted the clip is worked on in one piece, otherwise in parts."""
    long = make_motion(2, 900)
    long = Motion(long.rotations.double(), long.translation.double(), long.fps)
    placements, body = make_placements(5), Body.default()
    parts = simulate(long, body, placements, rate_hz=rate_hz, cutoff_hz=cutoff_hz)
    translation = long.translation.clone().requires_grad_()
    whole = simulate(
        Motion(long.rotations, translation, long.fps), body, placements, rate_hz=rate_hz, cutoff_hz=cutoff_hz
    )
    for quantity in QUANTITIES:
        torch.testing.assert_close(getattr(whole, quantity).detach(), getattr(parts, quantity), atol=1e-9, rtol=0)


def test_smoothing_takes_jitter_off_and_leaves_the_movement():
    """1 mm of jitter at 20 Hz: about 3 m/s^2 of noise interpolated, a quarter of that smoothed at 5 Hz."""
    clean = make_motion(1, 400)
    noise = 1e-3 * torch.randn(clean.translation.shape, generator=torch.Generator().manual_seed(0))
    noisy = Motion(clean.rotations, clean.translation + noise, clean.fps)
    truth, plain, smooth = (
        simulate(motion, Body.default(), make_placements(1), rate_hz=20, cutoff_hz=cutoff_hz).accel[:, 20:-20]
        for motion, cutoff_hz in ((clean, None), (noisy, None), (noisy, 5.0))
    )
    raw, left = ((value - truth).norm(dim=-1).square().mean().sqrt() for value in (plain, smooth))
    assert float(raw) > 2.8
    assert float(left) < 0.25 * float(raw)


@pytest.mark.parametrize("cutoff_hz", [0.0, -1.0, 10.0, float("nan")])
def test_a_cut_off_beyond_half_the_rate_is_refused(cutoff_hz):
    with pytest.raises(ValueError, match=r"cutoff_hz is .*, expected 0\.4 to 10 Hz, a fiftieth to half of the 20 Hz"):
        simulate(make_motion(1, 40), Body.default(), make_placements(1), rate_hz=50, cutoff_hz=cutoff_hz)


def test_reading_twice_gives_the_same():
    recordings = [simulate(make_motion(), Body.default(), make_placements(3), rate_hz=100) for _ in range(2)]
    assert isinstance(recordings[0], ImuRecording)
    for quantity in QUANTITIES:
        assert torch.equal(*(getattr(recording, quantity) for recording in recordings))
