"""Is generated acceleration distributed like real acceleration? Magnitudes, spectrum and peaks.

A prior that simply moves less has a smaller paired error; these three show it (docs/architecture.md, science rule 3).
All take acceleration magnitudes [m/s^2], so neither heading nor mounting matters.

Wasserstein-1: the area between two cumulative distributions (Villani, 2009, doi:10.1007/978-3-540-71050-9, ch. 6).
Spectra: Welch's averaged periodograms (Welch, 1967, doi:10.1109/TAU.1967.1161901).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import signal, stats

_FLOOR: Final = 1e-8  # (m/s^2)^2/Hz; below any sensor's noise, keeps the logarithm of an empty band finite
_SHORTEST: Final = 8  # samples; a Hann window needs a few to be one


@dataclass(frozen=True)
class AccelerationDistance:
    """How far generated accelerations are from real ones as distributions.

    Attributes:
        wasserstein_m_s2: Wasserstein-1 distance of the magnitudes [m/s^2]; 0 is best.
        psd_log10: mean absolute log10 ratio of the two mean spectra over the band; 0 is best, 1 is a factor of ten.
        peak_ratio_p95: generated over real 95th percentile of the magnitude; 1 is best, below 1 is too tame.
        peak_ratio_p99: the same for the 99th percentile.
    """

    wasserstein_m_s2: float
    psd_log10: float
    peak_ratio_p95: float
    peak_ratio_p99: float

    def as_dict(self) -> dict[str, float]:
        """Return the values by name."""
        return asdict(self)


def magnitude_wasserstein(generated: NDArray[np.floating], real: NDArray[np.floating]) -> float:
    """Return the Wasserstein-1 distance [m/s^2] between two samples of magnitudes [m/s^2], of any shapes.

    Raises:
        ValueError: a sample is empty or holds nan or inf.
    """
    return float(stats.wasserstein_distance(_sample(generated, "generated"), _sample(real, "real")))


def peak_ratio(generated: NDArray[np.floating], real: NDArray[np.floating], *, percentile: float) -> float:
    """Return generated over real percentile of the magnitude (1 is best).

    Args:
        generated: magnitudes [m/s^2], any shape.
        real: magnitudes [m/s^2], any shape.
        percentile: in (0, 100].

    Raises:
        ValueError: a sample is empty or not finite, or the real percentile is zero.
    """
    reference = float(np.percentile(_sample(real, "real"), percentile))
    if reference <= 0:
        raise ValueError(f"percentile {percentile} of the real magnitudes is {reference}, expected > 0; give motion")
    return float(np.percentile(_sample(generated, "generated"), percentile)) / reference


def mean_spectrum(
    series: Sequence[NDArray[np.floating]], *, fps: float, segment_s: float = 3.2
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the power spectral density averaged over series, each weighted by its number of segments.

    Args:
        series: magnitudes over time ``(T_i,)`` [m/s^2]; each segment loses its mean. A series shorter than one
            segment is one segment of its own length.
        fps: samples per second [Hz].
        segment_s: length of a Hann-windowed segment [s]; they overlap by half.

    Returns:
        Frequencies ``(F,)`` [Hz] and density ``(F,)`` [(m/s^2)^2/Hz].

    Raises:
        ValueError: no series, fps not positive, values that are not finite, or a series of under 8 samples.
    """
    if not fps > 0:
        raise ValueError(f"fps is {fps}, expected > 0")
    if not series:
        raise ValueError("there is no series to take a spectrum of, expected at least one")
    length = max(_SHORTEST, round(segment_s * fps))
    frequency = np.fft.rfftfreq(length, 1 / fps).astype(np.float64)
    total = np.zeros_like(frequency)
    weight = 0
    for values in series:
        flat = _sample(values, "a series")
        if flat.size < _SHORTEST:
            raise ValueError(f"a series has {flat.size} samples, expected at least {_SHORTEST}; drop clips so short")
        # A short series gets a window of its own length, evaluated at the same frequencies.
        window = min(length, flat.size)
        segments = 1 + (flat.size - window) // max(1, window // 2)
        total += segments * signal.welch(flat, fs=fps, nperseg=window, nfft=length, detrend="constant")[1]
        weight += segments
    return frequency, total / weight


def spectrum_distance(
    generated: Sequence[NDArray[np.floating]],
    real: Sequence[NDArray[np.floating]],
    *,
    fps: float,
    band_hz: tuple[float, float] = (0.5, 10.0),
) -> float:
    """Return the mean absolute log10 ratio of two mean spectra over a band.

    Args:
        generated: magnitudes over time, one array a motion [m/s^2].
        real: the same of real motions [m/s^2].
        fps: samples per second of both [Hz].
        band_hz: first and last frequency that count [Hz]; the top is cut at the Nyquist frequency.

    Raises:
        ValueError: as :func:`mean_spectrum`, or no frequency lies in the band.
    """
    frequency, ours = mean_spectrum(generated, fps=fps)
    _, theirs = mean_spectrum(real, fps=fps)
    inside = (frequency >= band_hz[0]) & (frequency <= band_hz[1])
    if not inside.any():
        raise ValueError(f"no frequency of {fps} Hz data lies in {band_hz} Hz; choose a band below {fps / 2} Hz")
    return float(np.abs(np.log10(ours[inside] + _FLOOR) - np.log10(theirs[inside] + _FLOOR)).mean())


def acceleration_distance(
    generated: Sequence[NDArray[np.floating]], real: Sequence[NDArray[np.floating]], *, fps: float
) -> AccelerationDistance:
    """Compare generated with real acceleration magnitudes.

    Args:
        generated: magnitudes over time ``(T_i,)`` [m/s^2], one array a motion (or a motion's joint).
        real: the same of real motions; the number and lengths of series need not agree.
        fps: samples per second of both [Hz].

    Raises:
        ValueError: a side is empty or not finite, or fps is not positive.
    """
    ours, theirs = (_pool(side, name) for side, name in ((generated, "generated"), (real, "real")))
    return AccelerationDistance(
        wasserstein_m_s2=magnitude_wasserstein(ours, theirs),
        psd_log10=spectrum_distance(generated, real, fps=fps),
        peak_ratio_p95=peak_ratio(ours, theirs, percentile=95),
        peak_ratio_p99=peak_ratio(ours, theirs, percentile=99),
    )


def _pool(series: Sequence[NDArray[np.floating]], name: str) -> NDArray[np.float64]:
    return np.concatenate([_sample(values, name) for values in series]) if series else _sample(np.empty(0), name)


def _sample(values: NDArray[np.floating], name: str) -> NDArray[np.float64]:
    flat = np.asarray(values, dtype=np.float64).ravel()
    if flat.size == 0 or not np.isfinite(flat).all():
        raise ValueError(f"{name} has {flat.size} values, some not finite or none at all; expected finite magnitudes")
    return flat
