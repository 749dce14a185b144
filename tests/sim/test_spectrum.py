"""Power spectra against scipy's, with padding and gradients."""

from __future__ import annotations

import pytest
import torch
from scipy import signal

from sim.spectrum import band_power, power_spectrum


def _noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("window", [16, 33, 64])
def test_equals_scipys_welch(window: int) -> None:
    values = _noise(2, 3, 100) + 4.0
    frequency, density = power_spectrum(values, rate_hz=20.0, window=window)
    truth_frequency, truth = signal.welch(values.numpy(), fs=20.0, nperseg=window, noverlap=window // 2)
    torch.testing.assert_close(frequency, torch.from_numpy(truth_frequency))
    torch.testing.assert_close(density, torch.from_numpy(truth))


def test_padding_touches_nothing() -> None:
    values = _noise(2, 100)
    padded = values.clone()
    padded[1, 70:] = 1e6
    _, density = power_spectrum(padded, rate_hz=20.0, window=32, lengths=torch.tensor([100, 70]))
    _, alone = power_spectrum(values[1, :70], rate_hz=20.0, window=32)
    torch.testing.assert_close(density[1], alone)


def test_the_gradient_is_right_and_stays_inside() -> None:
    values = _noise(1, 40).requires_grad_()
    lengths = torch.tensor([30])
    assert torch.autograd.gradcheck(lambda x: power_spectrum(x, rate_hz=20.0, window=16, lengths=lengths)[1], values)
    power_spectrum(values, rate_hz=20.0, window=16, lengths=lengths)[1].sum().backward()
    assert values.grad is not None
    assert not values.grad[0, 30:].any()


def test_bands_hold_the_variance_of_a_sine() -> None:
    wave = 3.0 * torch.sin(2 * torch.pi * 4.0 * torch.arange(400, dtype=torch.float64) / 20)
    frequency, density = power_spectrum(wave, rate_hz=20.0, window=80)
    assert band_power(frequency, density, (3.0, 5.0)) == pytest.approx(4.5, rel=1e-3)
    assert band_power(frequency, density, (6.0, 10.1)) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("rate_hz", "window", "length", "message"),
    [(0.0, 16, 40, "rate_hz"), (20.0, 4, 40, "at least 8"), (20.0, 64, 40, "shorten the window")],
)
def test_refuses_what_has_no_spectrum(rate_hz: float, window: int, length: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        power_spectrum(torch.zeros(length), rate_hz=rate_hz, window=window)


def test_refuses_an_empty_band() -> None:
    with pytest.raises(ValueError, match="no frequency"):
        band_power(torch.arange(5.0), torch.ones(5), (2.2, 2.8))
