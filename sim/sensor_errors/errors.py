"""What a real accelerometer and gyroscope add to the truth: SensorErrors, with presets from public data sheets.

The effects, in this order: jitter of the sample instants; the gyroscope's sensitivity to acceleration; for each triad
scale and misalignment, constant bias, bias random walk, white noise, bias instability, low-pass, range and
quantisation; drop-outs. (IEEE Std 952-1997, annex C; Woodman 2007, UCAM-CL-TR-696.)

Left out: temperature. Nothing here depends on it or on how it varies with time, though in real devices it moves biases
and scales more than anything else over minutes. Also left out: non-linearity, vibration rectification, hysteresis.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from sim.checks import check_rate
from sim.precision import full_precision
from sim.sensor_errors.presets import SENSOR_NAMES, find_data_sheet
from sim.sensor_errors.timing import TimingErrors
from sim.sensor_errors.triad import TriadErrors, check_amount, check_generator, draw_normal

__all__ = ["SENSOR_NAMES", "SensorErrors", "TimingErrors", "TriadErrors"]


@dataclass(frozen=True)
class SensorErrors:
    """Errors of an IMU: its accelerometer [m/s^2] and its gyroscope [rad/s]. The default is an ideal device.

    Attributes:
        accel: errors of the accelerometer.
        gyro: errors of the gyroscope.
        g_sensitivity_std: standard deviation of the nine entries of the matrix by which the specific force, gravity
            included, adds to the angular rate; drawn once for each device [rad/s per m/s^2].
        timing: jitter and drop-outs, which both triads of a device share.

    Raises:
        ValueError: ``g_sensitivity_std`` is negative, NaN or infinite.

    Examples:
        >>> from sim.sensor_errors import TriadErrors
        >>> device = SensorErrors(accel=TriadErrors(noise_density=0.002))  # [m/s^2/sqrt(Hz)]; the gyroscope stays ideal
        >>> truth = torch.zeros(10000, 1, 3)
        >>> accel, gyro = device.apply(truth, truth, rate_hz=50, generator=torch.Generator().manual_seed(0))
        >>> round(float(accel.std()), 3), float(gyro.std())  # 0.002 * sqrt(50 / 2)
        (0.01, 0.0)
        >>> SensorErrors.preset("BMI 270") == SensorErrors.preset("bmi270")
        True
    """

    accel: TriadErrors = field(default_factory=TriadErrors)
    gyro: TriadErrors = field(default_factory=TriadErrors)
    g_sensitivity_std: float = 0.0
    timing: TimingErrors = field(default_factory=TimingErrors)

    def __post_init__(self) -> None:
        check_amount(float(self.g_sensitivity_std), "g_sensitivity_std")

    @classmethod
    def preset(cls, name: str) -> SensorErrors:
        """Return a device by name, one of :data:`SENSOR_NAMES`; case, spaces, ``-`` and ``_`` do not matter.

        ``none`` (ideal), ``bmi270``, ``bmi160``, ``smartphone``, ``lsm6dso``, ``mpu6050``, ``icm20948``, ``xsens_mtw``.
        Every figure and its source stand in :mod:`sim.sensor_errors.presets`.

        Raises:
            ValueError: the name is none of these.
        """
        return cls(**find_data_sheet(name)._asdict())

    @property
    def is_random(self) -> bool:
        """Whether anything is drawn."""
        return bool(self.accel.is_random or self.gyro.is_random or self.g_sensitivity_std or self.timing.is_random)

    @full_precision()
    def apply(
        self, accel: Tensor, gyro: Tensor, *, rate_hz: float, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return what the device reads for a true specific force and angular rate.

        Every sensor of every member of a batch is a device of its own. Gradients pass as
        :meth:`sim.sensor_errors.triad.TriadErrors.apply` says. Numbers are drawn in the order of the effects, each
        only if its effect is on: an effect that is off leaves the other draws as they are.

        Args:
            accel: specific force in the sensor frame ``(..., T, S, 3)`` [m/s^2].
            gyro: angular rate in the sensor frame ``(..., T, S, 3)`` [rad/s].
            rate_hz: samples per second [Hz].
            generator: source of randomness; needed unless nothing is drawn.

        Returns:
            Specific force and angular rate as read, shaped like the truth. Lost samples are NaN if
            ``timing.fill`` says so.

        Raises:
            ValueError: something is to be drawn and no generator is given, ``rate_hz`` is not positive, or shapes or
                dtypes do not go together.
        """
        _check_streams(accel, gyro)
        check_rate(rate_hz, "rate_hz")
        if self.is_random:
            check_generator(generator)
        accel, gyro = self.timing.resample(accel, gyro, rate_hz=rate_hz, generator=generator)
        read_accel = self.accel.apply(accel, rate_hz=rate_hz, generator=generator)
        if self.g_sensitivity_std:
            shape = (*accel.shape[:-3], 1, accel.shape[-2], 3, 3)
            sensitivity = self.g_sensitivity_std * draw_normal(shape, accel, check_generator(generator))
            gyro = gyro + (sensitivity @ accel.unsqueeze(-1)).squeeze(-1)
        read_gyro = self.gyro.apply(gyro, rate_hz=rate_hz, generator=generator)
        read_accel, read_gyro = self.timing.drop(read_accel, read_gyro, rate_hz=rate_hz, generator=generator)
        return read_accel, read_gyro


def _check_streams(accel: Tensor, gyro: Tensor) -> None:
    shape = tuple(accel.shape)
    if len(shape) < 3 or shape[-1] != 3 or shape[-3] < 1:
        raise ValueError(f"accel has shape {shape}, expected (..., T, S, 3) with T >= 1; unsqueeze(-2) a single sensor")
    if tuple(gyro.shape) != shape:
        raise ValueError(f"gyro has shape {tuple(gyro.shape)}, expected {shape} like accel; give both of one recording")
    if not accel.is_floating_point() or gyro.dtype != accel.dtype:
        raise ValueError(
            f"accel is {accel.dtype} and gyro {gyro.dtype}, expected one floating dtype; convert by .to(torch.float32)"
        )
