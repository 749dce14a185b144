"""Lapped windows: joined they are what was cut, and white noise is as strong as they say."""

import pytest
import torch

from lightning_modules.networks.skip.windows import LappedWindows


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("window", "frames"), [(8, 3), (32, 80), (32, 83), (32, 16), (64, 200), (10, 1)])
def test_joining_undoes_cutting(window, frames):
    windows = LappedWindows(window)
    values = draw(2, frames, 5)
    torch.testing.assert_close(windows.join(windows.cut(values), frames), values, rtol=1e-5, atol=1e-5)


def test_white_noise_has_the_variance_that_the_share_says():
    windows = LappedWindows(16)
    mask = torch.zeros(1, 40, dtype=torch.bool)
    mask[:, :21] = True
    pieces = windows.cut(torch.where(mask[..., None], draw(1, 40, 20_000), 0.0))
    torch.testing.assert_close(pieces.square().mean(dim=(2, 3)), windows.share(mask), rtol=0.02, atol=1e-3)


def test_a_slow_wave_lies_in_the_low_bands():
    windows = LappedWindows(32)
    wave = torch.sin(2 * torch.pi * 0.5 * torch.arange(96) / 20)[None, :, None]
    energy = windows.cut(wave)[:, 1:-1].square().sum(dim=(0, 1, 3))
    assert energy[windows.band_of <= 4].sum() > 0.99 * energy.sum()
    assert windows.num_bands == int(windows.band_of.max()) + 1


@pytest.mark.parametrize("window", [7, 6, 9])
def test_refuses_windows_that_do_not_overlap_by_half(window):
    with pytest.raises(ValueError, match=r"skip_frames is .*even number of at least 8"):
        LappedWindows(window)
