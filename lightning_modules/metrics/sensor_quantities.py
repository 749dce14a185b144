"""What sensor output is judged by: spread, peaks, bands and angular rate of many clips, pooled.

Everything is taken of magnitudes, so neither heading nor mounting matters. Of each clip's |specific force| its own mean
is taken away first: what remains is motion, and gravity and an accelerometer's offset are gone.

Spectra: Welch's averaged periodograms (:mod:`sim.spectrum`) of that remainder over windows of :data:`WINDOW_S`.
Log-spectral distance: the root of the mean square difference of two spectra in decibels (Gray and Markel 1976,
doi:10.1109/TASSP.1976.1162849, eq. 1), here over :data:`BAND_HZ`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sim.spectrum import band_power, power_spectrum

BANDS_HZ: Final = {
    "power_0.5_3_hz": (0.5, 3.0),
    "power_3_8_hz": (3.0, 8.0),
    "power_8_10_hz": (8.0, 10.0),
}
"""Bands of the power of |specific force|, the lower end in it, the upper not; motion at 20 fps ends at 10 Hz."""

BAND_HZ: Final = (0.5, 10.0)
"""Where the log-spectral distance is taken, the upper end not in it [Hz]."""

WINDOW_S: Final = 2.0
"""Window of a spectrum [s]; shorter clips count for everything else."""

ACCEL_NOISE: Final = 1e-3
GYRO_NOISE: Final = 2e-4
"""Noise densities of an ordinary device [m/s^2/sqrt(Hz)] and [rad/s/sqrt(Hz)]: what is below it over 10 Hz, generated
or recorded, counts as much as it would, so that people who hold perfectly still are alike."""

_STD_FLOOR = ACCEL_NOISE * math.sqrt(BAND_HZ[1])
_NORMAL_P95, _NORMAL_P99 = 1.645, 2.326
_CHI_P95 = 2.795  # of the length of three standard normal numbers

FLOORS: Final = {
    "std": _STD_FLOOR,
    "std_median": _STD_FLOOR,
    "p95": _NORMAL_P95 * _STD_FLOOR,
    "p99": _NORMAL_P99 * _STD_FLOOR,
    **{name: ACCEL_NOISE**2 * (high - low) for name, (low, high) in BANDS_HZ.items()},
    "rate_p95": _CHI_P95 * GYRO_NOISE * math.sqrt(BAND_HZ[1]),
}
"""The quantities that are compared as ratios, and what noise alone would make of each, in the quantity's unit."""

SPECTRUM: Final = "spectrum_db"
"""The log-spectral distance [dB]."""

QUANTITIES: Final = (*FLOORS, SPECTRUM)
"""Names of all quantities: ``std``, ``p95`` and ``p99`` of |specific force| minus its mean [m/s^2], its power by band
[(m/s^2)^2], the 95th percentile of the angular rate [rad/s], and the log-spectral distance [dB]. ``std_median`` is the
standard deviation of the median clip, which a few wild clips do not move as they move ``std``."""

DECIDING: Final = ("std", "p99", "power_3_8_hz")
"""The quantities behind the one number that sums a comparison up."""

_CHUNK = 256  # clips whose spectra are taken at once

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SensorMagnitudes:
    """What sensors read in N clips at S placements, as magnitudes over time.

    Attributes:
        force: |specific force| ``(N, T, S)`` [m/s^2]; nan from the end of each clip on.
        rate: angular rate ``(N, T, S)`` [rad/s]; nan where ``force`` is.
        rate_hz: samples per second [Hz].

    Raises:
        ValueError: the shapes differ, or the rate is too low for the bands.
    """

    force: NDArray[np.floating]
    rate: NDArray[np.floating]
    rate_hz: float

    def __post_init__(self) -> None:
        if self.force.ndim != 3 or self.force.shape != self.rate.shape:
            raise ValueError(f"force has shape {self.force.shape} and rate {self.rate.shape}, expected both (N, T, S)")
        if not self.rate_hz >= 2 * BAND_HZ[1]:
            raise ValueError(f"rate_hz is {self.rate_hz}, expected at least {2 * BAND_HZ[1]:g} Hz: bands go to 10 Hz")

    @classmethod
    def pad(
        cls, force: Sequence[NDArray[np.floating]], rate: Sequence[NDArray[np.floating]], *, rate_hz: float
    ) -> SensorMagnitudes:
        """Put clips ``(T_i, S)`` of different lengths together, at least one."""
        shape = (len(force), max(len(clip) for clip in force), force[0].shape[1])
        padded = np.full((2, *shape), np.nan, dtype=np.float32)
        for row, clips in enumerate(zip(force, rate, strict=True)):
            for side, clip in enumerate(clips):
                padded[side, row, : len(clip)] = clip
        return cls(padded[0], padded[1], rate_hz)

    def take(self, clips: NDArray[np.generic] | Sequence[int]) -> SensorMagnitudes:
        """Return some of the clips, by number or by a mask ``(N,)``."""
        chosen = np.asarray(clips)
        return SensorMagnitudes(self.force[chosen], self.rate[chosen], self.rate_hz)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Samples of each clip ``(N,)``."""
        return (~np.isnan(self.force[..., 0])).sum(axis=1).astype(np.int64)

    @property
    def seconds(self) -> float:
        """Time in all clips together [s]."""
        return float(self.lengths.sum() / self.rate_hz)

    def deviations(self) -> Array:
        """Return |specific force| minus each clip's mean, at each placement ``(N, T, S)`` [m/s^2]; nan beyond."""
        force = self.force.astype(np.float64)
        counts = np.maximum(self.lengths, 1)[:, None, None]
        return force - np.nansum(force, axis=1, keepdims=True) / counts


class ClipSpectra(NamedTuple):
    """Spectra of clips.

    Attributes:
        frequency: ``(F,)`` [Hz].
        density: ``(N, S, F)`` [(m/s^2)^2/Hz], zero for a clip shorter than the window.
        windows: how many were averaged in each clip ``(N,)``.
    """

    frequency: Array
    density: Array
    windows: Array


def clip_spectra(magnitudes: SensorMagnitudes, *, window_s: float = WINDOW_S) -> ClipSpectra:
    """Return the spectrum of |specific force| of each clip."""
    window = round(window_s * magnitudes.rate_hz)
    lengths = magnitudes.lengths
    long_enough = np.flatnonzero(lengths >= window)
    frequency = np.fft.rfftfreq(window, 1 / magnitudes.rate_hz).astype(np.float64)
    density = np.zeros((len(lengths), magnitudes.force.shape[2], len(frequency)))
    values = np.nan_to_num(magnitudes.deviations())
    for start in range(0, len(long_enough), _CHUNK):
        rows = long_enough[start : start + _CHUNK]
        sizes = torch.from_numpy(lengths[rows])[:, None].expand(-1, density.shape[1])
        series = torch.from_numpy(np.moveaxis(values[rows], 1, 2))
        density[rows] = power_spectrum(series, rate_hz=magnitudes.rate_hz, window=window, lengths=sizes)[1].numpy()
    hop = window - window // 2
    windows = np.where(lengths >= window, (lengths - window) // hop + 1, 0)
    return ClipSpectra(frequency, density, windows.astype(np.float64))


class Measurement(NamedTuple):
    """What is measured of many clips at S placements.

    Attributes:
        values: quantity by name, but for the distance, ``(S,)``; nan where no clip is long enough.
        frequency: ``(F,)`` [Hz].
        density: mean spectrum ``(S, F)`` [(m/s^2)^2/Hz], each window counting alike.
    """

    values: dict[str, Array]
    frequency: Array
    density: Array


def measure(magnitudes: SensorMagnitudes) -> Measurement:
    """Measure every quantity over all clips, each sample counting alike.

    Raises:
        ValueError: there is no clip, or none with a sample in it.
    """
    if not magnitudes.lengths.sum():
        raise ValueError("no clip has a sample that counts, expected at least one; give clips of at least 7 frames")
    deviations = magnitudes.deviations()
    kept = magnitudes.lengths > 0
    spread = np.sqrt(np.nansum(deviations[kept] ** 2, axis=1) / magnitudes.lengths[kept, None])
    deviation, rate = (np.moveaxis(side, 2, 0) for side in (deviations, magnitudes.rate))
    inside = ~np.isnan(deviation)
    pools = [values[mask] for values, mask in zip(deviation, inside, strict=True)]
    rates = [values[mask] for values, mask in zip(rate, inside, strict=True)]
    values = {
        "std": np.array([np.sqrt(np.mean(pool**2)) for pool in pools]),
        "std_median": np.median(spread, axis=0),
        "p95": np.array([np.percentile(pool, 95) for pool in pools]),
        "p99": np.array([np.percentile(pool, 99) for pool in pools]),
    }
    frequency, by_clip, windows = clip_spectra(magnitudes)
    total = windows.sum()
    density = np.einsum("n,nsf->sf", windows, by_clip) / total if total else np.full(by_clip.shape[1:], np.nan)
    for name, band in BANDS_HZ.items():
        values[name] = integrate_band(frequency, density, band)
    values["rate_p95"] = np.array([np.percentile(pool, 95) for pool in rates])
    return Measurement(values, frequency, density)


def integrate_band(frequency: Array, density: Array, band_hz: tuple[float, float]) -> Array:
    """Return the power inside a band ``(...)`` of densities ``(..., F)``; see :func:`sim.spectrum.band_power`."""
    return band_power(torch.from_numpy(frequency), torch.from_numpy(density), band_hz).numpy()


def compare(generated: Measurement, recorded: Measurement) -> dict[str, Array]:
    """Return generated over recorded of each quantity ``(S,)``, 1 is right, and the log-spectral distance, 0 is right.

    What is below a device's noise counts as that noise, :data:`FLOORS`.
    """
    scores = {
        name: np.maximum(generated.values[name], floor) / np.maximum(recorded.values[name], floor)
        for name, floor in FLOORS.items()
    }
    scores[SPECTRUM] = spectral_distance(generated.frequency, generated.density, recorded.density)
    return scores


def spectral_distance(frequency: Array, generated: Array, recorded: Array) -> Array:
    """Return the log-spectral distance ``(S,)`` [dB] of mean spectra ``(S, F)`` [(m/s^2)^2/Hz]."""
    inside = (frequency >= BAND_HZ[0]) & (frequency < BAND_HZ[1])
    ours, theirs = (10 * np.log10(np.maximum(side[..., inside], ACCEL_NOISE**2)) for side in (generated, recorded))
    return np.sqrt(np.mean((ours - theirs) ** 2, axis=-1))
