"""What a real accelerometer and gyroscope add to the truth: SensorErrors, with presets from public data sheets.

The model of each triad is the usual one (IEEE Std 952-1997, annex C; Woodman 2007, UCAM-CL-TR-696), in this order:
scale and misalignment, constant bias, bias random walk, white noise, low-pass, range, quantisation. Left out:
temperature, g-sensitivity of the gyroscope, flicker noise (bias instability), jitter of the sample times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from scipy import signal
from torch import Tensor

from sim.conventions import STANDARD_GRAVITY
from sim.trajectory_position import check_rate

_MILLI_G: Final[float] = 1e-3 * STANDARD_GRAVITY
_MICRO_G: Final[float] = 1e-6 * STANDARD_GRAVITY
_DEGREE: Final[float] = math.pi / 180.0

_FILTER_TAIL: Final[float] = 1e-7
"""Part of the low-pass filter's impulse response that may be cut off."""


@dataclass(frozen=True)
class TriadErrors:
    """Errors of three like axes; ``unit`` is m/s^2 for an accelerometer and rad/s for a gyroscope.

    Attributes:
        noise_density: white noise as data sheets give it, one-sided: a sample at rate f has the standard deviation
            ``noise_density * sqrt(f / 2)`` [unit/sqrt(Hz)]. An Allan deviation reads ``noise_density / sqrt(2 tau)``.
        bias_std: standard deviation of the constant bias of each axis, drawn once for each recording [unit].
        bias_random_walk: growth of the wandering part of the bias, which starts at 0 [unit/sqrt(s)].
        scale_std: standard deviation of each axis' scale error [1].
        misalignment_std: standard deviation of each of the six sensitivities to another axis [1, about rad].
        full_scale: largest reading either way; readings beyond it are clipped [unit].
        resolution: one count of the converter; readings are whole multiples [unit]. 0 leaves them as they are.
        low_pass_hz: corner of a causal second-order Butterworth filter, with its delay [Hz]. A corner at or beyond
            half the output rate does nothing: such a stream cannot show it.

    Raises:
        ValueError: a value is negative or NaN, or ``full_scale`` or ``low_pass_hz`` is 0.
    """

    noise_density: float = 0.0
    bias_std: float = 0.0
    bias_random_walk: float = 0.0
    scale_std: float = 0.0
    misalignment_std: float = 0.0
    full_scale: float = math.inf
    resolution: float = 0.0
    low_pass_hz: float = math.inf

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = float(getattr(self, entry.name))
            may_be_zero = entry.name not in ("full_scale", "low_pass_hz")
            if not (value >= 0 if may_be_zero else value > 0):
                raise ValueError(f"{entry.name} is {value}, expected {'>= 0' if may_be_zero else '> 0'}")

    @property
    def is_random(self) -> bool:
        """Whether anything is drawn."""
        return any((self.noise_density, self.bias_std, self.bias_random_walk, self.scale_std, self.misalignment_std))

    def apply(self, truth: Tensor, *, rate_hz: float, generator: torch.Generator | None = None) -> Tensor:
        """Return what the device reads for the truth ``(..., T, S, 3)`` at ``rate_hz`` [Hz], in the same unit.

        Every sensor of every member of a batch is a device of its own. Gradients pass through all but the range:
        the rounding to whole counts is taken as the identity there, and a clipped reading has none.

        Raises:
            ValueError: something is to be drawn and no generator is given.
        """
        check_rate(rate_hz, "rate_hz")
        if self.is_random and generator is None:
            raise ValueError("the errors draw random numbers and generator is None; pass generator=torch.Generator()")
        taps = _low_pass_taps(self.low_pass_hz, rate_hz)
        # Run-in: the filter has settled on the first reading, and on the noise, when the recording begins.
        run_in = len(taps) - 1
        value = torch.cat([truth[..., :1, :, :].expand(*truth.shape[:-3], run_in, *truth.shape[-2:]), truth], dim=-3)
        if self.is_random and generator is not None:
            value = self._distort(value, rate_hz=rate_hz, run_in=run_in, generator=generator)
        if run_in:
            value = _convolve(value, taps)
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

    def _distort(self, value: Tensor, *, rate_hz: float, run_in: int, generator: torch.Generator) -> Tensor:
        def draw(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, device=generator.device, dtype=value.dtype).to(value.device)

        leading, devices = value.shape[:-3], value.shape[-2]
        if self.scale_std or self.misalignment_std:
            eye = torch.eye(3, dtype=value.dtype, device=value.device)
            spread = eye * self.scale_std + (1 - eye) * self.misalignment_std
            sensitivity = eye + spread * draw(*leading, 1, devices, 3, 3)
            value = (sensitivity @ value.unsqueeze(-1)).squeeze(-1)
        if self.bias_std:
            value = value + self.bias_std * draw(*leading, 1, devices, 3)
        if self.bias_random_walk:
            walk = torch.cumsum(draw(*value.shape), dim=-3) * (self.bias_random_walk / math.sqrt(rate_hz))
            value = value + (walk - walk[..., run_in : run_in + 1, :, :])
        if self.noise_density:
            value = value + self.noise_density * math.sqrt(rate_hz / 2) * draw(*value.shape)
        return value


@dataclass(frozen=True)
class SensorErrors:
    """Errors of an IMU: its accelerometer [m/s^2] and its gyroscope [rad/s]. The default is an ideal device."""

    accel: TriadErrors = field(default_factory=TriadErrors)
    gyro: TriadErrors = field(default_factory=TriadErrors)

    @classmethod
    def preset(cls, name: str) -> SensorErrors:
        """Return a device by name. Typical values; a tolerance is taken as three standard deviations.

        ``none``
            An ideal device.
        ``bmi270``
            Wearables. Bosch BST-BMI270-DS000-07: noise 160 ug/sqrt(Hz) and 0.007 dps/sqrt(Hz) (performance mode),
            offsets 20 mg and 0.5 dps (typical, one standard deviation as Bosch defines it), 16 bit at 16 g and
            2000 dps. Scale and alignment are left ideal.
        ``bmi160``
            Phones and watches of about 2015. Bosch BST-BMI160-DS000-07: noise 180 ug/sqrt(Hz) and 0.007 dps/sqrt(Hz),
            offsets 40 mg and 3 dps, 16 bit at 16 g and 2000 dps. Random walks 8.6e-4 m/s^3/sqrt(Hz) and 2.2e-5
            rad/s^2/sqrt(Hz): the calibration published with the TUM VI data set (Schubert et al. 2018,
            arXiv:1804.06120), whose device it is. Scale and alignment are left ideal.
        ``smartphone``
            The same part as a phone delivers it: white noise as in the TUM VI calibration, 2.8e-3 m/s^2/sqrt(Hz) and
            1.6e-4 rad/s/sqrt(Hz), the gyroscope's constant bias taken off by the system (Android's definition of
            ``TYPE_GYROSCOPE``), 16 bit at 8 g and 2000 dps.
        ``mpu6050``
            Older research devices. InvenSense PS-MPU-6000A-00 rev. 3.4, tables 6.1 and 6.2: noise 400 ug/sqrt(Hz)
            and 0.005 dps/sqrt(Hz), offset tolerances 50 mg (x and y) and 20 dps, scale tolerance 3 %, cross-axis
            sensitivity 2 %, 16 bit at 16 g and 2000 dps.

        Raises:
            ValueError: the name is none of these.
        """
        if name not in _PRESETS:
            near = get_close_matches(name, _PRESETS, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"unknown sensor preset {name!r}; {hint}valid names: {', '.join(_PRESETS)}")
        return _PRESETS[name]

    def apply(
        self, accel: Tensor, gyro: Tensor, *, rate_hz: float, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return what the device reads for a true specific force and angular rate.

        Args:
            accel: specific force in the sensor frame ``(..., T, S, 3)`` [m/s^2].
            gyro: angular rate in the sensor frame ``(..., T, S, 3)`` [rad/s].
            rate_hz: samples per second [Hz].
            generator: source of randomness; needed unless nothing is drawn.

        Raises:
            ValueError: something is to be drawn and no generator is given, or ``rate_hz`` is not positive.
        """
        read_accel = self.accel.apply(accel, rate_hz=rate_hz, generator=generator)
        return read_accel, self.gyro.apply(gyro, rate_hz=rate_hz, generator=generator)


@lru_cache(maxsize=32)
def _low_pass_taps(corner_hz: float, rate_hz: float) -> tuple[float, ...]:
    """Impulse response of the filter at this rate, cut where nothing is left of it; (1,) if the filter does nothing."""
    if corner_hz >= rate_hz / 2:
        return (1.0,)
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


def _sixteen_bit(full_scale: float) -> dict[str, float]:
    return {"full_scale": full_scale, "resolution": full_scale / 2**15}


_ACCEL_16G: Final = _sixteen_bit(16 * STANDARD_GRAVITY)
_ACCEL_8G: Final = _sixteen_bit(8 * STANDARD_GRAVITY)
_GYRO_2000: Final = _sixteen_bit(2000 * _DEGREE)
_TUM_VI_ACCEL_WALK: Final[float] = 8.6e-4
_TUM_VI_GYRO_WALK: Final[float] = 2.2e-5

_PRESETS: Final[dict[str, SensorErrors]] = {
    "none": SensorErrors(),
    "bmi270": SensorErrors(
        accel=TriadErrors(noise_density=160 * _MICRO_G, bias_std=20 * _MILLI_G, **_ACCEL_16G),
        gyro=TriadErrors(noise_density=0.007 * _DEGREE, bias_std=0.5 * _DEGREE, **_GYRO_2000),
    ),
    "bmi160": SensorErrors(
        accel=TriadErrors(
            noise_density=180 * _MICRO_G, bias_std=40 * _MILLI_G, bias_random_walk=_TUM_VI_ACCEL_WALK, **_ACCEL_16G
        ),
        gyro=TriadErrors(
            noise_density=0.007 * _DEGREE, bias_std=3 * _DEGREE, bias_random_walk=_TUM_VI_GYRO_WALK, **_GYRO_2000
        ),
    ),
    "smartphone": SensorErrors(
        accel=TriadErrors(
            noise_density=2.8e-3, bias_std=40 * _MILLI_G, bias_random_walk=_TUM_VI_ACCEL_WALK, **_ACCEL_8G
        ),
        gyro=TriadErrors(noise_density=1.6e-4, bias_random_walk=_TUM_VI_GYRO_WALK, **_GYRO_2000),
    ),
    "mpu6050": SensorErrors(
        accel=TriadErrors(
            noise_density=400 * _MICRO_G,
            bias_std=50 / 3 * _MILLI_G,
            scale_std=0.01,
            misalignment_std=0.02 / 3,
            **_ACCEL_16G,
        ),
        gyro=TriadErrors(
            noise_density=0.005 * _DEGREE,
            bias_std=20 / 3 * _DEGREE,
            scale_std=0.01,
            misalignment_std=0.02 / 3,
            **_GYRO_2000,
        ),
    ),
}
