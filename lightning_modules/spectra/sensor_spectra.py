"""Power spectra of what sensors read, averaged over clips of one kind: how strongly something moves, not when.

Spectra are Welch's (:mod:`sim.spectrum`). A sensor's three axes are added up, so that a spectrum is that of the sensor
however its box is turned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

import torch
from torch import Tensor

from lightning_modules.virtual_sensors import VirtualSensors
from sim.conventions import FEATURE_FPS
from sim.imu.padded_readings import EDGE_FRAMES, PaddedReadings
from sim.names import check_name
from sim.spectrum import power_spectrum


class SpectrumLossOptions(TypedDict, total=False):
    """Options of :class:`SensorSpectra` as YAML gives them."""

    window_s: float
    band_hz: list[float]
    floor: float


@dataclass(frozen=True)
class SensorSpectra:
    """How spectra of sensors are taken and compared.

    Attributes:
        window_s: length of a window [s]; a frequency is told from the next 1 / ``window_s`` away.
        band_hz: lowest frequency that counts, and the first above that no longer does [Hz].
        floor: added to a density before its logarithm [(m/s^2)^2/Hz]; an angular rate counts ``gyro_scale`` times. The
            default is 0.1 m/s^2 RMS over 10 Hz, about what sensors read on people who stand still (DSADS: medians of
            4e-4 to 8e-4 by band, their own noise included): below, nothing is matched.

    Raises:
        ValueError: a number is out of range, or the band is narrower than one frequency.
    """

    window_s: float = 2.0
    band_hz: tuple[float, float] = (0.5, 10.0)
    floor: float = 1e-3

    def __post_init__(self) -> None:
        if not self.window_s > 0 or not self.floor > 0:
            raise ValueError(
                f"spectrum has window_s {self.window_s} and floor {self.floor}, expected both above 0; the defaults "
                "are 2.0 and 1e-3"
            )
        if len(self.band_hz) != 2 or not 0 <= self.band_hz[0] <= self.band_hz[1] - 1 / self.window_s:
            raise ValueError(
                f"spectrum has band_hz {list(self.band_hz)}, expected two rising frequencies at least "
                f"{1 / self.window_s:g} Hz apart, which windows of {self.window_s:g} s resolve"
            )

    @classmethod
    def from_options(cls, options: SpectrumLossOptions | None) -> SensorSpectra:
        """Return spectra with some defaults replaced.

        Raises:
            ValueError: as the class, or an option is unknown.
        """
        values: Mapping[str, object] = options or {}
        for key in values:
            check_name(key, sorted(SpectrumLossOptions.__annotations__), "option of spectrum")
        plain = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        return cls(**plain)  # type: ignore[arg-type]  # typed by SpectrumLossOptions, lists apart

    def shortest_clip(self, sensors: VirtualSensors) -> int:
        """Return how many frames at 20 fps a clip needs for one window inside it, the spline's edges left out."""
        samples = round(self.window_s * sensors.rate_hz)
        return math.ceil((samples - 1) * FEATURE_FPS / sensors.rate_hz) + 2 * EDGE_FRAMES + 1

    def measure(self, readings: PaddedReadings, sensors: VirtualSensors) -> tuple[Tensor, Tensor]:
        """Return the spectra of clips.

        Args:
            readings: of L clips of S sensors.
            sensors: what they are readings of.

        Returns:
            Density at the F frequencies of the band, of K = channels x S, the sum of each sensor's axes ``(L, F, K)``
            [(m/s^2)^2/Hz], an angular rate [rad/s] counted ``gyro_scale`` times; and which clips are long enough for a
            window ``(L,)``, bool. The density of the others is 0.

        Raises:
            ValueError: the window has under 8 samples, or no frequency up to half the rate lies in the band.
        """
        window = round(self.window_s * sensors.rate_hz)
        values, inside = sensors.scale(readings), readings.inside
        counts = inside.sum(dim=1)
        long = counts >= window
        frequency = torch.fft.rfftfreq(window, 1 / sensors.rate_hz)
        band = (frequency >= self.band_hz[0]) & (frequency < self.band_hz[1])
        if not bool(band.any()):
            raise ValueError(
                f"no frequency up to {sensors.rate_hz / 2:g} Hz, half the sensors' rate, lies in the band "
                f"{list(self.band_hz)} Hz; lower band_hz"
            )
        density = values.new_zeros(len(values), int(band.sum()), values.shape[2])
        if bool(long.any()):
            first = int(inside.any(dim=0).long().argmax())
            series = values[long, first:].movedim(1, -1)
            lengths = counts[long, None, None].expand(series.shape[:-1])
            _, power = power_spectrum(series, rate_hz=sensors.rate_hz, window=window, lengths=lengths)
            density[long] = power[..., band.to(power.device)].sum(dim=2).transpose(1, 2)
        return density, long

    def log(self, density: Tensor) -> Tensor:
        """Return the logarithm of a density, the floor added to it."""
        return (density + self.floor).log()


def average_alike(values: Tensor, group: Tensor | None, weights: Tensor, counted: Tensor) -> Tensor:
    """Give each clip the weighted mean over the clips of its group.

    Args:
        values: of each clip ``(L, ...)``.
        group: number of each clip's group ``(L,)``; None is one group.
        weights: what each clip counts for in the mean ``(L,)``, at least 0. In a group without any weight all that are
            counted do so alike.
        counted: clips that take part ``(L,)``, bool.

    Returns:
        ``(L, ...)``, 0 in a group of which no clip takes part.
    """
    alike = counted.new_ones(len(counted), len(counted)) if group is None else group[:, None] == group
    taking_part = (alike & counted).to(values)
    weighted = taking_part * weights.to(values)
    share = torch.where(weighted.sum(dim=1, keepdim=True) > 0, weighted, taking_part)
    share = share / share.sum(dim=1, keepdim=True).clamp_min(torch.finfo(values.dtype).tiny)
    return torch.einsum("ij,j...->i...", share, values)
