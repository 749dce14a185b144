"""Continuous-time motion through uniform samples: any rate in, any rate out, with exact derivatives.

Position is the interpolating quintic B-spline of :mod:`sim.trajectory_position`, orientation the quintic quaternion
spline of :mod:`sim.trajectory_rotation`; both are C4, linear-time, batched and differentiable in the samples. What
the samples do not carry no spline can add: a stream made from ``fps`` frames a second has a bandwidth of ``fps / 2``.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from sim.motion import Motion
from sim.trajectory_position import QuinticSpline, check_finite, check_rate, sample_position
from sim.trajectory_rotation import RotationSpline, sample_rotation

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


def resample_motion(motion: Motion, *, fps: float) -> Motion:
    """Bring a motion to another frame rate through the splines of its local rotations and its translation.

    Args:
        motion: local rotations ``(..., T, 22, 3, 3)`` and translation ``(..., T, 3)`` [m], T >= 1.
        fps: frames per second of the result [Hz].

    Returns:
        A Motion of ``floor((T - 1) * fps / motion.fps) + 1`` frames from the same start, with the same text;
        differentiable in the rotations and the translation.

    Raises:
        ValueError: ``fps`` is not positive, a matrix of the motion is not a rotation, or its translation has NaN.
    """
    times = uniform_times(motion.num_frames, fps=motion.fps, rate_hz=check_rate(fps, "fps"))
    check_finite(motion.translation.movedim(-2, 0), "motion.translation")
    rotations = motion.rotations.movedim(-4, 0)
    turning = RotationSpline(rotations.reshape(motion.num_frames, -1, 3, 3), fps=motion.fps, name="motion.rotations")
    moving = QuinticSpline(motion.translation.movedim(-2, 0), fps=motion.fps)
    located = turning.locate(times)
    sampled = turning.rotation(located).movedim(-1, 1).reshape(len(times), *rotations.shape[1:])
    (translation,) = moving.evaluate(located)
    return replace(motion, rotations=sampled.movedim(0, -4), translation=translation.movedim(0, -2), fps=float(fps))
