"""Errors of a device as a YAML states them: the name of a preset, or a preset and the figures that differ from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TypeAlias, TypeVar

from sim.names import check_name
from sim.sensor_errors.errors import SensorErrors
from sim.sensor_errors.timing import TimingErrors
from sim.sensor_errors.triad import TriadErrors

Figures: TypeAlias = Mapping[str, float | str]
"""Figures of one part of a device by their names: numbers in SI units, and ``fill`` of the timing in words."""

Part = TypeVar("Part", TriadErrors, TimingErrors)


def make_errors(
    preset: str = "none",
    *,
    accel: Figures | None = None,
    gyro: Figures | None = None,
    g_sensitivity_std: float | None = None,
    timing: Figures | None = None,
) -> SensorErrors:
    """Return a device: a preset, with figures of one's own in place of some of its.

    Nothing but SI: m/s^2 for the accelerometer and rad/s for the gyroscope, never mg or degrees.

    Args:
        preset: one of :data:`sim.sensor_errors.SENSOR_NAMES`; ``none`` is an ideal device.
        accel: figures of the accelerometer by the names of :class:`TriadErrors`, such as ``noise_density``
            [m/s^2/sqrt(Hz)], ``bias_std`` [m/s^2], ``full_scale`` [m/s^2] or ``low_pass_hz`` [Hz].
        gyro: the same of the gyroscope, with rad/s in place of m/s^2.
        g_sensitivity_std: see :class:`SensorErrors` [rad/s per m/s^2]; None leaves the preset's.
        timing: figures by the names of :class:`TimingErrors`: ``jitter_std_s`` [s], ``drop_rate`` [0 to 1],
            ``mean_drop_s`` [s], ``fill`` (``hold`` or ``nan``).

    Raises:
        ValueError: there is no such preset or figure (the nearest valid one is named), or a figure is no number or out
            of range.
    """
    device = SensorErrors.preset(preset)
    return SensorErrors(
        accel=_with_figures(device.accel, accel or {}, "accel"),
        gyro=_with_figures(device.gyro, gyro or {}, "gyro"),
        g_sensitivity_std=device.g_sensitivity_std if g_sensitivity_std is None else g_sensitivity_std,
        timing=_with_figures(device.timing, timing or {}, "timing"),
    )


def _with_figures(part: Part, figures: Figures, name: str) -> Part:
    valid = {entry.name: type(getattr(part, entry.name)) for entry in fields(part)}
    for figure, value in figures.items():
        check_name(figure, tuple(valid), f"figure of {name}")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number != (valid[figure] is not str):
            expected = "a word" if valid[figure] is str else "a number in SI units"
            raise ValueError(f"{name}.{figure} is {value!r}, expected {expected}")
    try:
        return replace(part, **figures)  # type: ignore[arg-type]  # their names and kinds are checked above
    except ValueError as error:
        raise ValueError(f"{name}.{error}") from error
