"""Position, velocity and acceleration at any time from positions at a uniform rate (``sim.trajectory.spline``)."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from torch import Tensor

from sim.checks import check_cutoff, check_finite, check_rate
from sim.precision import full_precision
from sim.trajectory.spline import Array
from sim.trajectory.spline_windows import SAME_SAMPLE, sample_spline

_TIME_SLACK: Final[float] = 1e-6
"""By how many sample intervals a time may lie outside the clip through rounding alone."""


def locate_steps(times_s: Tensor, *, num_samples: int, fps: float) -> Array:
    """Return times in sample intervals from the first sample on.

    Args:
        times_s: times ``(P,)`` [s] from the first sample on.
        num_samples: length of the clip.
        fps: rate of its samples [Hz].

    Raises:
        ValueError: a time lies outside the clip (the spline does not extrapolate) or is NaN, the rate is not positive,
            or the clip is empty.
    """
    check_rate(fps, "fps")
    if num_samples == 0:
        raise ValueError("the clip has 0 frames, expected at least 1; give a clip with frames")
    if times_s.ndim != 1:
        raise ValueError(f"times_s has shape {tuple(times_s.shape)}, expected (P,): one list of times for all")
    steps = times_s.detach().to(device="cpu", dtype=torch.float64).numpy() * fps
    last = num_samples - 1
    if not ((steps >= -_TIME_SLACK) & (steps <= last + _TIME_SLACK)).all():
        raise ValueError(
            f"times_s runs from {float(times_s.min())} to {float(times_s.max())} s, expected within the clip, "
            f"0 to {last / fps} s; the spline does not extrapolate"
        )
    # Times that are samples but for rounding are taken as such, so that equal rates take the samples themselves.
    nearest = np.round(steps)
    return np.asarray(np.where(np.abs(steps - nearest) < SAME_SAMPLE, nearest, steps).clip(0, last))


@full_precision()
def sample_position(
    position: Tensor, *, fps: float, times_s: Tensor, derivative: int = 0, cutoff_hz: float | None = None
) -> Tensor:
    """Position, velocity or acceleration of the spline through (or, smoothing, near) sampled positions.

    Args:
        position: positions ``(..., T, 3)`` [m] in any frame, T >= 1, at times 0, 1/fps, ...; one stands still.
        fps: rate of the samples [Hz].
        times_s: when to evaluate ``(P,)`` [s], within 0 and (T - 1) / fps.
        derivative: order of the time derivative, 0 to 7.
        cutoff_hz: frequency at which smoothing leaves 1/sqrt(2) of the amplitude [Hz], see
            :mod:`sim.trajectory.spline`; None passes through every sample.

    Returns:
        ``(..., P, 3)`` [m / s^derivative] in the frame and dtype of ``position``, differentiable in it.

    Raises:
        ValueError: a rate, time or derivative is out of range, the shape is not ``(..., T, 3)``, or there is NaN.
    """
    if position.ndim < 2 or position.shape[-1] != 3:
        raise ValueError(f"position has shape {tuple(position.shape)}, expected (..., T, 3)")
    num_samples = position.shape[-2]
    steps = locate_steps(times_s, num_samples=num_samples, fps=fps)
    cutoff = check_cutoff(cutoff_hz, fps=fps)
    check_finite(position.movedim(-2, 0), "position")
    series = position.mT
    if num_samples == 1:
        series = series.expand(*series.shape[:-1], 2)
    (value,) = sample_spline(
        series.reshape(math.prod(series.shape[:-1]), series.shape[-1]), steps, (derivative,), cutoff=cutoff
    )
    return (value * fps**derivative).reshape(*series.shape[:-1], len(steps)).mT
