"""Continuous-time motion through uniform samples: any rate in, any rate out, with exact derivatives.

Position is the spline of degree 7 of :mod:`sim.trajectory.spline`, orientation its quaternion form of
:mod:`sim.trajectory.rotation`; both are C6, linear-time, batched and differentiable in the samples. What the samples do
not carry no spline can add: a stream made from ``fps`` frames a second has a bandwidth of ``fps / 2``. Where they carry
jitter, ``cutoff_hz`` smooths: 1 mm of white jitter in positions at 20 Hz otherwise is 1.9 m/s^2 on each axis.

Ends: the derivatives of order 4 to 6 vanish at the first and at the last sample. On wrist-like motion with peaks of 20
m/s^2 the acceleration within 0.75 s of an end is off by 0.5 m/s^2 at 20 Hz, 0.03 at 60 and 0.01 at 100 (root mean
square; most of it in the first few samples), where the inside is exact to 3e-4 and better (docs/benchmarks.md).
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from sim.checks import check_finite, check_rate
from sim.motion import Motion
from sim.precision import full_precision
from sim.trajectory.position import sample_position
from sim.trajectory.rotation import sample_rotation

__all__ = ["resample_motion", "sample_position", "sample_rotation", "uniform_times"]


def uniform_times(num_frames: int, *, fps: float, rate_hz: float) -> Tensor:
    """Times of samples at ``rate_hz`` within a clip of ``num_frames`` at ``fps``.

    Returns:
        Float64 ``(T',)`` [s] from 0, ``T' = floor((T - 1) * rate_hz / fps) + 1``; a quotient that is whole but for
        rounding counts as whole, so that 10 s at 30 fps give 1001 samples at 100 Hz.

    Raises:
        ValueError: a rate is not positive and finite, or there are no frames.
    """
    check_rate(fps, "fps")
    check_rate(rate_hz, "rate_hz")
    if num_frames < 1:
        raise ValueError(f"the clip has {num_frames} frames, expected at least 1; give a clip with frames")
    steps = (num_frames - 1) * rate_hz / fps
    count = math.floor(steps * (1 + 1e-12) + 1e-9) + 1
    return torch.arange(count, dtype=torch.float64) / rate_hz


@full_precision()
def resample_motion(motion: Motion, *, fps: float, cutoff_hz: float | None = None) -> Motion:
    """Bring a motion to another frame rate through the splines of its local rotations and its translation.

    Args:
        motion: local rotations ``(..., T, 22, 3, 3)`` and translation ``(..., T, 3)`` [m], T >= 1.
        fps: frames per second of the result [Hz].
        cutoff_hz: smooth a jittery capture: the frequency at which 1/sqrt(2) of the amplitude is left [Hz], below half
            the motion's own rate; None passes through every frame.

    Returns:
        A Motion of ``floor((T - 1) * fps / motion.fps) + 1`` frames from the same start, with the same text;
        differentiable in the rotations and the translation.

    Raises:
        ValueError: ``fps`` is not positive, the cut-off is out of range, a matrix of the motion is not a rotation, or
            its translation has NaN.
    """
    times = uniform_times(motion.num_frames, fps=motion.fps, rate_hz=check_rate(fps, "fps"))
    check_finite(motion.translation.movedim(-2, 0), "motion.translation")
    sampled, _ = sample_rotation(
        motion.rotations.movedim(-4, -3), fps=motion.fps, times_s=times, cutoff_hz=cutoff_hz, name="motion.rotations"
    )
    translation = sample_position(motion.translation, fps=motion.fps, times_s=times, cutoff_hz=cutoff_hz)
    return replace(motion, rotations=sampled.movedim(-3, -4), translation=translation, fps=float(fps))
