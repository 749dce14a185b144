"""Evaluates splines through uniform samples at given times, window by window, as matrix products.

A spline is linear in its samples, and what a sample adds fades within a few dozen others
(sim.trajectory.spline.memory_samples). So a long signal is cut into overlapping windows, and one dense matrix, made in
float64, goes from the samples of a window straight to the values of a derivative inside it: fast, since it is one
product, and as exact as the dtype allows, since no coefficients are rounded on the way. Memory and time are linear in
the length of the signal.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sim.precision import full_precision
from sim.trajectory.spline import DEGREE, Array, memory_samples, sampling_matrix

_TOLERANCE: Final[dict[torch.dtype, float]] = {torch.float64: 1e-13, torch.float32: 1e-7}
"""Influence of samples beyond a window that counts as none."""

_MOST_STEPS: Final[int] = 4096
"""Times served from one window in one product."""

_MOST_KEPT: Final[int] = 2**17
"""Size up to which an operator is kept for later calls [numbers]; 128 of them are, in at most 128 MiB."""

_PAYLOAD: Final[int] = 60
"""Sample intervals served from one window: among the fastest as measured, and a whole number of periods of the usual
ratios of rates (30 to 50, 60 to 100 Hz), so that windows share their operators."""

SAME_SAMPLE: Final[float] = 1e-9
"""How close to a sample, in sample intervals, a time counts as that sample."""


class SplineWindows(NamedTuple):
    """Equally spaced windows of one signal that are sampled alike.

    Attributes:
        start: first sample of the first window.
        spacing: samples from one window's start to the next's.
        repeats: K, how many windows.
        length: samples in each.
        steps: where to evaluate in each window, in sample intervals from its start.
        output: where the values of the first go among the results; those of the others follow.
    """

    start: int
    spacing: int
    repeats: int
    length: int
    steps: tuple[float, ...]
    output: int

    @property
    def stop(self) -> int:
        """One beyond the last sample of the last window."""
        return self.start + (self.repeats - 1) * self.spacing + self.length

    @property
    def num_values(self) -> int:
        """How many values all windows give."""
        return self.repeats * len(self.steps)

    @property
    def whole_steps(self) -> slice | None:
        """The samples of a window that are asked for, if its times are consecutive samples; otherwise None."""
        first, number = self.steps[0], len(self.steps)
        if first.is_integer() and self.steps == tuple(first + k for k in range(number)):
            return slice(int(first), int(first) + number)
        return None

    def split(self, most: int) -> Iterator[SplineWindows]:
        """Yield the windows in groups of at most ``most``."""
        for first in range(0, self.repeats, most):
            yield self._replace(
                start=self.start + first * self.spacing,
                repeats=min(most, self.repeats - first),
                output=self.output + first * len(self.steps),
            )


def plan_windows(
    steps: Array, *, num_samples: int, dtype: torch.dtype, cutoff: float | None = None
) -> list[SplineWindows]:
    """Say which windows of a signal serve which times.

    Args:
        steps: when to evaluate ``(P,)``, ascending, in sample intervals from the first sample on.
        num_samples: T, at least 2.
        dtype: of the samples; decides how far windows overlap.
        cutoff: smoothing [cycles per sample]; None interpolates.
    """
    margin = memory_samples(cutoff, _TOLERANCE[dtype])
    length = _PAYLOAD + 2 * margin
    if len(steps) == 0:
        return []
    if num_samples <= length + _PAYLOAD:
        return [
            SplineWindows(0, num_samples, 1, num_samples, tuple(steps[first : first + _MOST_STEPS].tolist()), first)
            for first in range(0, len(steps), _MOST_STEPS)
        ]
    starts = np.append(np.arange(0, num_samples - length, _PAYLOAD), num_samples - length)
    bounds = np.searchsorted(steps, starts[1:] + margin)
    groups: list[SplineWindows] = []
    known = np.empty(0)
    for start, first, last in zip(starts.tolist(), [0, *bounds.tolist()], [*bounds.tolist(), len(steps)], strict=True):
        if first == last:
            continue
        relative = steps[first:last] - start
        if groups and _follows(groups[-1], start, relative, known):
            groups[-1] = groups[-1]._replace(repeats=groups[-1].repeats + 1)
            continue
        known = relative
        for part in range(0, len(relative), _MOST_STEPS):
            times = tuple(relative[part : part + _MOST_STEPS].tolist())
            groups.append(SplineWindows(start, _PAYLOAD, 1, length, times, first + part))
    return groups


def _follows(before: SplineWindows, start: int, relative: Array, known: Array) -> bool:
    return (
        start == before.start + before.repeats * before.spacing
        and len(relative) == len(known) <= _MOST_STEPS
        and bool(np.abs(relative - known).max() < SAME_SAMPLE)
    )


def sample_windows(
    samples: Tensor,
    windows: SplineWindows,
    derivatives: tuple[int, ...],
    *,
    cutoff: float | None = None,
    centred: bool = False,
) -> list[Tensor]:
    """Return derivatives of splines at the times of some windows.

    Args:
        samples: ``(C, T)`` with time last.
        windows: K windows with n times each of this signal.
        derivatives: their orders, 0 to 7.
        cutoff: smoothing [cycles per sample]; None interpolates.
        centred: take off each window's middle sample first. Constants are reproduced exactly anyhow; without them the
            sums lose less to rounding, which counts in the second derivative of float32 positions.

    Returns:
        For each derivative the values ``(K, C, n)`` [1 / sample interval^order].
    """
    covered = samples[:, windows.start : windows.stop]
    cut = covered.unfold(-1, windows.length, windows.spacing).transpose(0, 1)
    middle = cut[..., windows.length // 2, None].detach() if centred else None
    if middle is not None:
        cut = cut - middle
    picked = windows.whole_steps if cutoff is None else None
    values: list[Tensor] = []
    for order in derivatives:
        if order == 0 and picked is not None:
            value = cut[..., picked]
        else:
            operator = sampling_operator(windows.steps, windows.length, order, cutoff, samples.dtype, samples.device)
            value = torch.bmm(cut, operator.expand(windows.repeats, *operator.shape))
        values.append(value if order or middle is None else value + middle)
    return values


class _Wanted(NamedTuple):
    """What an operator depends on; see :func:`sampling_operator`."""

    steps: tuple[float, ...]
    length: int
    derivative: int
    cutoff: float | None
    dtype: torch.dtype
    device: torch.device


def sampling_operator(
    steps: tuple[float, ...],
    length: int,
    derivative: int,
    cutoff: float | None,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """Return the map ``(length, P)`` from a whole signal to a derivative of its spline at P times.

    Args:
        steps: when, in sample intervals from the first sample on.
        length: samples of the signal, at least 2.
        derivative: its order [1 / sample interval^order].
        cutoff: smoothing [cycles per sample]; None interpolates.
        dtype: of the map, which is made in float64.
        device: of the map.

    Returns:
        :func:`sim.trajectory.spline.sampling_matrix` as a tensor. Small ones are kept for later calls, so do not write
        to it.
    """
    wanted = _Wanted(steps, length, derivative, cutoff, dtype, device)
    return _kept_operator(wanted) if length * len(steps) <= _MOST_KEPT else _make_operator(wanted)


def _make_operator(wanted: _Wanted) -> Tensor:
    matrix = sampling_matrix(
        np.array(wanted.steps), num_samples=wanted.length, derivative=wanted.derivative, cutoff=wanted.cutoff
    )
    # What is far below rounding would only make denormal products, which take a hundred times as long as others.
    matrix[np.abs(matrix) < 1e-4 * torch.finfo(wanted.dtype).eps * np.abs(matrix).max()] = 0.0
    # Kept for later calls: one made while validating (inference mode) must serve a training step as well.
    with torch.inference_mode(False):
        return torch.from_numpy(matrix).to(dtype=wanted.dtype, device=wanted.device).contiguous()


_kept_operator = lru_cache(maxsize=128)(_make_operator)


@full_precision()
def sample_spline(
    samples: Tensor, steps: Array, derivatives: tuple[int, ...] = (0,), *, cutoff: float | None = None
) -> list[Tensor]:
    """Return derivatives of the splines through ``samples`` at any times.

    Args:
        samples: ``(C, T)``, time last, T at least 2, float32 or float64.
        steps: when to evaluate ``(P,)`` in sample intervals, within 0 and T - 1, in any order.
        derivatives: their orders, 0 to 7.
        cutoff: smoothing [cycles per sample]; None interpolates.

    Returns:
        For each derivative ``(C, P)`` [1 / sample interval^order], differentiable in the samples.

    Raises:
        ValueError: a derivative is not one of 0 to 7, or the dtype is not float32 or float64.
    """
    if samples.dtype not in _TOLERANCE:
        raise ValueError(f"the samples are {samples.dtype}, expected float32 or float64; convert with .to(...)")
    if not all(0 <= order <= DEGREE for order in derivatives):
        raise ValueError(f"derivatives are {derivatives}, expected 0 to {DEGREE}: those the spline has")
    order = np.argsort(steps, kind="stable")
    plan = plan_windows(steps[order], num_samples=samples.shape[1], dtype=samples.dtype, cutoff=cutoff)
    parts = [sample_windows(samples, windows, derivatives, cutoff=cutoff, centred=True) for windows in plan]
    back = torch.from_numpy(np.argsort(order, kind="stable")).to(samples.device)
    ordered = bool((np.diff(order) == 1).all())
    results: list[Tensor] = []
    for k in range(len(derivatives)):
        flat = [part[k].transpose(0, 1).flatten(1) for part in parts]
        value = torch.cat(flat, dim=1) if flat else samples[:, :0]
        results.append(value if ordered else value[:, back])
    return results
