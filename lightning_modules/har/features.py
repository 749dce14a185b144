"""Classical features of sensor windows, in the time and frequency domain, each with a name.

The families are those of Bulling, Blanke and Schiele 2014 (doi 10.1145/2499621, section 3.4) and of the UCI HAR feature
set (Anguita et al. 2013, ESANN), computed in one pass over all windows:

for each channel and the magnitude of each x, y, z triple
    ``mean std min max q25 q50 q75 rms jerk_rms zero_crossings centroid_hz spread_hz energy_<low>_<high>hz``
for each pair of axes of a triple
    ``corr`` their correlation

Means are subtracted before zero crossings and spectra, so that gravity does not drown them; the bands are shares of
the window's total power.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datamodules.har.windows.window_set import WindowSet

BANDS_HZ = ((0.0, 1.0), (1.0, 2.0), (2.0, 3.5), (3.5, 5.0), (5.0, 10.0), (10.0, 25.0))
"""Frequency bands [Hz]; bands above half the rate of the windows are left out."""

_SMALL = 1e-12

Array = NDArray[np.float64]


def extract_features(windows: WindowSet) -> tuple[Array, list[str]]:
    """Compute all features of all windows.

    Args:
        windows: N raw windows (SI units, not normalised), channels in triples that end in ``_x _y _z``.

    Returns:
        Features ``(N, F)`` and their F names, such as ``accel_x.mean`` or ``gyro.magnitude.rms``.

    Raises:
        ValueError: the channels are not triples.
    """
    names = windows.channels
    if [name[-2:] for name in names] != ["_x", "_y", "_z"] * (len(names) // 3):
        raise ValueError(f"channels are {names}, expected triples that end in _x, _y, _z")
    signals = windows.signals.astype(np.float64)
    triples = signals.reshape(*signals.shape[:2], -1, 3)
    groups = [name.removesuffix("_x") for name in names[::3]]
    everything = np.concatenate([signals, np.linalg.norm(triples, axis=-1)], axis=2)
    labels = [*names, *(f"{group}.magnitude" for group in groups)]

    columns: dict[str, Array] = {}
    for family, values in {**_moments(everything), **_spectrum(everything, windows.rate_hz)}.items():
        columns |= {f"{label}.{family}": values[:, index] for index, label in enumerate(labels)}
    for family, values in _correlations(triples).items():
        columns |= {f"{group}.{family}": values[:, index] for index, group in enumerate(groups)}
    return np.stack(list(columns.values()), axis=1), list(columns)


def _moments(signals: Array) -> dict[str, Array]:
    """Time-domain features of ``(N, T, D)``, each ``(N, D)``."""
    centred = signals - signals.mean(axis=1, keepdims=True)
    crossed = np.diff(np.signbit(centred).astype(np.int8), axis=1) != 0
    quartiles = np.quantile(signals, (0.25, 0.5, 0.75), axis=1)
    return {
        "mean": signals.mean(axis=1),
        "std": signals.std(axis=1),
        "min": signals.min(axis=1),
        "max": signals.max(axis=1),
        "q25": quartiles[0],
        "q50": quartiles[1],
        "q75": quartiles[2],
        "rms": np.sqrt(np.square(signals).mean(axis=1)),
        "jerk_rms": np.sqrt(np.square(np.diff(signals, axis=1)).mean(axis=1)),
        "zero_crossings": crossed.mean(axis=1),
    }


def _spectrum(signals: Array, rate_hz: float) -> dict[str, Array]:
    """Frequency-domain features of ``(N, T, D)``, each ``(N, D)``."""
    samples = signals.shape[1]
    centred = signals - signals.mean(axis=1, keepdims=True)
    taper = np.hanning(samples)[None, :, None]
    power = np.square(np.abs(np.fft.rfft(centred * taper, axis=1)))
    frequency = np.fft.rfftfreq(samples, d=1 / rate_hz)
    # A signal that stands still has no spectrum: its shares come out as zero rather than as noise over noise.
    share = power / np.maximum(power.sum(axis=1, keepdims=True), _SMALL)
    centroid = np.einsum("f,nfd->nd", frequency, share)
    offset = frequency[None, :, None] - centroid[:, None]
    features = {"centroid_hz": centroid, "spread_hz": np.sqrt((np.square(offset) * share).sum(axis=1))}
    for low, high in BANDS_HZ:
        if low < rate_hz / 2:
            inside = (frequency >= low) & (frequency < high)
            features[f"energy_{low:g}_{high:g}hz"] = share[:, inside].sum(axis=1)
    return features


def _correlations(triples: Array) -> dict[str, Array]:
    """Correlation of each pair of axes of ``(N, T, G, 3)``, each ``(N, G)``; zero where an axis stands still."""
    centred = triples - triples.mean(axis=1, keepdims=True)
    std = np.sqrt(np.square(centred).mean(axis=1))
    result = {}
    for first, second, name in ((0, 1, "xy"), (0, 2, "xz"), (1, 2, "yz")):
        covariance = (centred[..., first] * centred[..., second]).mean(axis=1)
        result[f"corr_{name}"] = covariance / np.maximum(std[..., first] * std[..., second], _SMALL)
    return result
