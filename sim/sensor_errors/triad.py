"""TriadErrors: what three like axes, of an accelerometer or a gyroscope, add to the truth.

The noise terms are those of IEEE Std 952-1997, annex C; Woodman 2007 (UCAM-CL-TR-696) explains them. Temperature is
left out: no bias, scale or noise here depends on it.

scipy.signal is imported where a filter runs: with scipy.stats behind it, it takes two thirds of what torch does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from torch import Tensor

from sim.checks import check_rate

_FILTER_TAIL: Final[float] = 1e-7
"""Part of the low-pass filter's impulse response that may be cut off."""

_LOWEST_CORNER: Final[float] = 1e-4
"""Lowest corner of the low-pass filter, in parts of the rate."""

GAUSS_MARKOV_FLOOR: Final[float] = 0.617364
"""Largest Allan deviation of a first-order Gauss-Markov process, in its standard deviations."""

GAUSS_MARKOV_FLOOR_TAU: Final[float] = 1.892618
"""Averaging time of that largest Allan deviation, in correlation times."""

_MAY_BE_INFINITE: Final = ("full_scale", "low_pass_hz")
_ABOVE_ZERO: Final = (*_MAY_BE_INFINITE, "bias_correlation_s")


def check_amount(value: float, name: str) -> float:
    """Return a size of an error as float, or raise a ValueError if it is not a finite number >= 0."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} is {value}, expected >= 0 and finite; leave {name} out or pass 0 for none")
    return float(value)


def check_generator(generator: torch.Generator | None) -> torch.Generator:
    """Return the generator, or raise a ValueError if there is none."""
    if generator is None:
        raise ValueError("the errors draw random numbers and generator is None; pass generator=torch.Generator()")
    return generator


def draw_normal(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers, drawn on the generator's device, in the dtype and on the device of ``like``."""
    return torch.randn(shape, generator=generator, device=generator.device, dtype=like.dtype).to(like.device)


@dataclass(frozen=True)
class TriadErrors:
    """Errors of three like axes; ``unit`` is m/s^2 for an accelerometer and rad/s for a gyroscope.

    Bias instability is a stationary first-order Gauss-Markov process, ``b' = -b / T + w`` with T =
    ``bias_correlation_s``. A data sheet prints the floor of the Allan deviation. The process' own (IEEE Std 952-1997,
    annex C, exponentially correlated noise) is, for a standard deviation s and x = tau / T, ::

        s * sqrt(2 / x * (1 - (3 - 4 exp(-x) + exp(-2 x)) / (2 x)))

    It rises to 0.6174 s at x = 1.893, stays within 10 % of that from x = 0.9 to 4.2, and falls again. The printed
    number is taken as this height, so ``s = bias_instability / 0.6174``. It is the floor as it is read off the curve,
    not the coefficient B of the standard, of which a true flicker floor shows 0.664 B. White noise adds to it
    (``noise_density^2 / (2 tau)``, in squares), and at averaging times well below T a curve may dip under the number.

    Attributes:
        noise_density: white noise as data sheets give it, one-sided: a sample at rate f has the standard deviation
            ``noise_density * sqrt(f / 2)`` [unit/sqrt(Hz)]. An Allan deviation reads ``noise_density / sqrt(2 tau)``.
        bias_std: standard deviation of the constant bias of each axis, drawn once for each recording [unit].
        bias_random_walk: growth of the wandering part of the bias, which starts at 0 [unit/sqrt(s)]. An Allan deviation
            reads ``bias_random_walk * sqrt(tau / 3)``.
        scale_std: standard deviation of each axis' scale error [1].
        misalignment_std: standard deviation of each of the six sensitivities to another axis [1, about rad].
        full_scale: largest reading either way; readings beyond it are clipped [unit].
        resolution: one count of the converter; readings are whole multiples [unit]. 0 leaves them as they are. Rounding
            adds about ``resolution^2 / 12`` to the variance of a sample, which shows where the noise is below a count.
        low_pass_hz: corner of a causal second-order Butterworth filter, with its delay [Hz]. A corner at or beyond
            half the output rate does nothing: such a stream cannot show it.
        bias_instability: floor of the Allan deviation, see above [unit].
        bias_correlation_s: correlation time T of the bias instability [s]. Data sheets do not print it; at the default
            the white noise of the sensors in :mod:`sim.sensor_errors.presets` no longer counts at the floor.

    Raises:
        ValueError: a value is negative, NaN or infinite (``full_scale`` and ``low_pass_hz`` may be infinite), or
            ``full_scale``, ``low_pass_hz`` or ``bias_correlation_s`` is 0.
    """

    noise_density: float = 0.0
    bias_std: float = 0.0
    bias_random_walk: float = 0.0
    scale_std: float = 0.0
    misalignment_std: float = 0.0
    full_scale: float = math.inf
    resolution: float = 0.0
    low_pass_hz: float = math.inf
    bias_instability: float = 0.0
    bias_correlation_s: float = 100.0

    def __post_init__(self) -> None:
        for entry in fields(self):
            name, value = entry.name, float(getattr(self, entry.name))
            if name not in _ABOVE_ZERO:
                check_amount(value, name)
            elif not value > 0 or (math.isinf(value) and name not in _MAY_BE_INFINITE):
                finite = "" if name in _MAY_BE_INFINITE else " and finite"
                raise ValueError(f"{name} is {value}, expected > 0{finite}; leave {name} out for its default")

    @property
    def is_random(self) -> bool:
        """Whether anything is drawn."""
        return any(
            (
                self.noise_density,
                self.bias_std,
                self.bias_random_walk,
                self.scale_std,
                self.misalignment_std,
                self.bias_instability,
            )
        )

    def apply(self, truth: Tensor, *, rate_hz: float, generator: torch.Generator | None = None) -> Tensor:
        """Return what the device reads for the truth ``(..., T, S, 3)`` at ``rate_hz`` [Hz], in the same unit.

        Every sensor of every member of a batch is a device of its own. Gradients pass through all but the range:
        the rounding to whole counts is taken as the identity there, and a clipped reading has none.

        Raises:
            ValueError: something is to be drawn and no generator is given, or ``rate_hz`` is not positive.
        """
        check_rate(rate_hz, "rate_hz")
        taps = _low_pass_taps(self.low_pass_hz, rate_hz)
        # Run-in: the filter has settled on the first reading, and on the noise, when the recording begins.
        run_in = len(taps) - 1
        value = truth
        if run_in:
            start = truth[..., :1, :, :].expand(*truth.shape[:-3], run_in, *truth.shape[-2:])
            value = torch.cat([start, truth], dim=-3)
        if self.is_random:
            value = self._distort(value, rate_hz=rate_hz, run_in=run_in, generator=check_generator(generator))
        if run_in:
            value = _convolve(value, taps)
        return self._convert(value)

    def _distort(self, value: Tensor, *, rate_hz: float, run_in: int, generator: torch.Generator) -> Tensor:
        leading, devices = value.shape[:-3], value.shape[-2]
        if self.scale_std or self.misalignment_std:
            eye = torch.eye(3, dtype=value.dtype, device=value.device)
            spread = eye * self.scale_std + (1 - eye) * self.misalignment_std
            sensitivity = eye + spread * draw_normal((*leading, 1, devices, 3, 3), value, generator)
            value = (sensitivity @ value.unsqueeze(-1)).squeeze(-1)
        if self.bias_std:
            value = value + self.bias_std * draw_normal((*leading, 1, devices, 3), value, generator)
        if self.bias_random_walk:
            steps = draw_normal(tuple(value.shape), value, generator)
            walk = torch.cumsum(steps, dim=-3) * (self.bias_random_walk / math.sqrt(rate_hz))
            value = value + (walk - walk[..., run_in : run_in + 1, :, :])
        if self.noise_density:
            noise = draw_normal(tuple(value.shape), value, generator)
            value = value + self.noise_density * math.sqrt(rate_hz / 2) * noise
        # Last, so that the draws above are the same with and without it.
        if self.bias_instability:
            drive = draw_normal(tuple(value.shape), value, generator)
            std = self.bias_instability / GAUSS_MARKOV_FLOOR
            value = value + std * _gauss_markov(drive, 1 / (rate_hz * self.bias_correlation_s))
        return value

    def _convert(self, value: Tensor) -> Tensor:
        """Clip to the range and round to whole counts."""
        if math.isfinite(self.full_scale):
            value = value.clamp(-self.full_scale, self.full_scale)
        if self.resolution > 0:
            counts = (value.detach() / self.resolution).round()
            if math.isfinite(self.full_scale):
                # The last count within the range, so that clipped readings are whole counts too.
                limit = math.floor(self.full_scale / self.resolution * (1 + 1e-9))
                counts = counts.clamp(-limit, limit)
            value = value + (counts * self.resolution - value.detach())
        return value


def _gauss_markov(drive: Tensor, step: float) -> Tensor:
    """Turn white noise ``(..., T, S, 3)`` into a stationary Gauss-Markov process of unit variance along time.

    Exact at the samples: ``b[k] = exp(-step) b[k-1] + sqrt(1 - exp(-2 step)) w[k]``, ``b[0] = w[0]``.

    Args:
        drive: independent standard normal numbers; no gradient passes.
        step: time between samples, in correlation times.
    """
    from scipy import signal

    # Time last and contiguous: four times as fast as along a strided axis.
    white = drive.movedim(-3, -1).to(device="cpu", dtype=torch.float64).contiguous().numpy()
    white[..., 1:] *= math.sqrt(-math.expm1(-2 * step))
    process = signal.lfilter([1.0], [1.0, -math.exp(-step)], white, axis=-1)
    return torch.from_numpy(process).to(device=drive.device, dtype=drive.dtype).movedim(-1, -3)


@lru_cache(maxsize=32)
def _low_pass_taps(corner_hz: float, rate_hz: float) -> tuple[float, ...]:
    """Impulse response of the filter at this rate, cut where nothing is left of it; (1,) if the filter does nothing."""
    from scipy import signal

    if corner_hz >= rate_hz / 2:
        return (1.0,)
    if corner_hz < _LOWEST_CORNER * rate_hz:
        raise ValueError(
            f"low_pass_hz is {corner_hz}, expected at least {_LOWEST_CORNER * rate_hz:g} Hz for a stream of "
            f"{rate_hz:g} Hz: a filter that slow would take off all movement; leave low_pass_hz out for none"
        )
    numerator, denominator = signal.butter(2, corner_hz, fs=rate_hz)
    length = math.ceil(8 * rate_hz / corner_hz) + 8
    response = signal.lfilter(numerator, denominator, np.eye(1, length)[0])
    kept = int(np.flatnonzero(np.abs(response) > _FILTER_TAIL * np.abs(response).max())[-1]) + 1
    return tuple((response[:kept] / response[:kept].sum()).tolist())


def _convolve(value: Tensor, taps: tuple[float, ...]) -> Tensor:
    """Filter ``(..., K - 1 + T, S, 3)`` along time with K taps: ``(..., T, S, 3)``."""
    kernel = torch.tensor(taps[::-1], dtype=value.dtype, device=value.device)
    series = value.movedim(-3, -1)
    filtered = torch.nn.functional.conv1d(series.reshape(-1, 1, series.shape[-1]), kernel[None, None])
    return filtered.reshape(*series.shape[:-1], -1).movedim(-1, -3)
