"""Power spectra of padded batches, differentiable: Welch's averaged periodograms in torch.

Welch 1967 (doi:10.1109/TAU.1967.1161901), with the conventions of ``scipy.signal.welch``: Hann windows that overlap by
half, each without its mean, one-sided density.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SHORTEST = 8  # samples; a Hann window needs a few to be one


def power_spectrum(
    values: Tensor, *, rate_hz: float, window: int, lengths: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the power spectral density of each series, averaged over the windows that lie inside it.

    Args:
        values: over time ``(..., T)``, in some unit u.
        rate_hz: samples per second [Hz].
        window: samples of a window.
        lengths: valid samples of each series ``(...)``, the first ones; None is all. What lies beyond touches nothing.

    Returns:
        Frequencies ``(F,)`` [Hz] and density ``(..., F)`` [u^2/Hz], F = window // 2 + 1; differentiable.

    Raises:
        ValueError: ``rate_hz`` is not positive, the window is shorter than 8 samples, or a series than its window.

    Examples:
        >>> wave = torch.sin(2 * torch.pi * 3 * torch.arange(100) / 20)
        >>> frequency, power = power_spectrum(wave, rate_hz=20, window=40)
        >>> float(frequency[power.argmax()])
        3.0
    """
    if not rate_hz > 0:
        raise ValueError(f"rate_hz is {rate_hz}, expected > 0")
    if window < _SHORTEST:
        raise ValueError(f"the window of a spectrum has {window} samples, expected at least {_SHORTEST}")
    total = values.shape[-1]
    shortest = total if lengths is None or lengths.numel() == 0 else int(lengths.min())
    if shortest < window:
        raise ValueError(
            f"a series has {shortest} samples, expected at least the {window} of the spectrum's window "
            f"({window / rate_hz:g} s); leave out what is so short, or shorten the window"
        )
    hop = window - window // 2
    segments = values.unfold(-1, window, hop)
    segments = segments - segments.mean(dim=-1, keepdim=True)
    taper = torch.hann_window(window, dtype=values.dtype, device=values.device)
    density = torch.fft.rfft(segments * taper).abs().square() / (rate_hz * taper.square().sum())
    density[..., 1 : (window + 1) // 2] *= 2  # both signs of a frequency, but for 0 and Nyquist's
    frequency = torch.fft.rfftfreq(window, 1 / rate_hz, dtype=values.dtype, device=values.device)
    if lengths is None:
        return frequency, density.mean(dim=-2)
    ends = torch.arange(segments.shape[-2], device=values.device) * hop + window
    inside = (ends <= lengths.to(values.device)[..., None])[..., None]
    return frequency, torch.where(inside, density, 0.0).sum(dim=-2) / inside.sum(dim=-2)


def band_power(frequency: Tensor, density: Tensor, band_hz: tuple[float, float]) -> Tensor:
    """Return the power inside a band.

    Args:
        frequency: evenly spaced ``(F,)`` [Hz].
        density: ``(..., F)`` [u^2/Hz].
        band_hz: its lower end, which counts, and its upper, which does not [Hz].

    Returns:
        ``(...)`` [u^2].

    Raises:
        ValueError: no frequency lies in the band.
    """
    inside = (frequency >= band_hz[0]) & (frequency < band_hz[1])
    if not bool(inside.any()):
        raise ValueError(
            f"no frequency up to {float(frequency[-1]):g} Hz lies in the band {band_hz} Hz; take a longer window, or a "
            "band below half the rate"
        )
    return density[..., inside].sum(dim=-1) * (frequency[1] - frequency[0])
