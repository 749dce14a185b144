"""Position, velocity and acceleration at any time from positions at a uniform rate (the spline of sim.spline)."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from torch import Tensor

from sim.precision import full_precision
from sim.sampler import SAME_SAMPLE, sample_spline
from sim.spline import Array

_TIME_SLACK: Final[float] = 1e-6
"""By how many sample intervals a time may lie outside the clip through rounding alone."""

_LOWEST_CUTOFF: Final[float] = 0.02
"""Lowest smoothing cut-off, in parts of the rate: below it a window would have to be thousands of samples long."""

_SLOWEST_HZ, _FASTEST_HZ = 1e-3, 1e6
"""Rates outside of these are taken for a slip."""


def check_rate(value: float, name: str) -> float:
    """Return a rate as float, or raise a ValueError if it is not a positive, finite number of Hz."""
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value}, expected a positive number of Hz; pass {name}=... of the recording")
    if not _SLOWEST_HZ <= value <= _FASTEST_HZ:
        raise ValueError(
            f"{name} is {value} Hz, expected {_SLOWEST_HZ:g} to {_FASTEST_HZ:g} Hz; is it in another unit?"
        )
    return float(value)


def check_finite(values: Tensor, name: str, *, first_frame: int = 0) -> None:
    """Raise a ValueError that names the first frame with NaN or infinite values in ``(T, ...)``, if there is one."""
    # One sum tells in most cases; only an overflow or a real gap needs the look at every value.
    if bool(torch.isfinite(values.detach().sum())):
        return
    finite = torch.isfinite(values.detach()).flatten(1).all(dim=1)
    if not bool(finite.all()):
        frame = first_frame + int((~finite).nonzero()[0, 0])
        raise ValueError(f"{name} has NaN or infinite values from frame {frame} on, expected numbers; fill the gaps")


def check_cutoff(cutoff_hz: float | None, *, fps: float) -> float | None:
    """Return a smoothing cut-off in cycles per sample, or None if there is none.

    Raises:
        ValueError: it is not within 0 and ``fps / 2``.
    """
    if cutoff_hz is None:
        return None
    if not _LOWEST_CUTOFF * fps <= cutoff_hz < fps / 2:
        raise ValueError(
            f"cutoff_hz is {cutoff_hz}, expected {_LOWEST_CUTOFF * fps:g} to {fps / 2:g} Hz, a fiftieth to "
            f"half of the {fps:g} Hz of the samples; leave it out for no smoothing"
        )
    return cutoff_hz / fps


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
        cutoff_hz: frequency at which smoothing leaves 1/sqrt(2) of the amplitude [Hz], see :mod:`sim.spline`; None
            passes through every sample.

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
