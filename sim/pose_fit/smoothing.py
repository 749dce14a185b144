"""Gaussian smoothing along time, differentiable."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

TRUNCATE_SIGMAS = 4.0
"""The kernel ends at this many standard deviations, as scipy's gaussian_filter1d does by default."""


def gaussian_smooth(values: Tensor, *, sigma_frames: float, ends: Literal["hold", "zero"]) -> Tensor:
    """Smooth a sequence with a Gaussian of unit area.

    Args:
        values: ``(..., T, K)``, T >= 1.
        sigma_frames: standard deviation of the kernel [frames], above zero.
        ends: what lies beyond the ends: the first and last value, or zeros.

    Returns:
        ``(..., T, K)``.
    """
    radius = int(TRUNCATE_SIGMAS * sigma_frames + 0.5)
    offset = torch.arange(-radius, radius + 1, dtype=values.dtype, device=values.device)
    kernel = torch.exp(-0.5 * (offset / sigma_frames) ** 2)
    channels = values.mT.reshape(-1, 1, values.shape[-2])
    padded = functional.pad(channels, (radius, radius), mode="replicate" if ends == "hold" else "constant")
    smooth = functional.conv1d(padded, (kernel / kernel.sum())[None, None])
    return smooth.reshape(values.mT.shape).mT
