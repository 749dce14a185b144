"""How noisy joints are, told by bones that change their length, and how much of what they show is then believed.

Bones do not stretch. Joints that a network made do, by millimetres to centimetres, and what stretches a bone turns it
as well: 5 mm across the 6 cm between two joints of the spine is 5 degrees. Noise of joints is therefore measured clip
by clip and bone by bone along the bones, and directions are believed in proportion to what they vary by beyond it
(James and Stein's shrinkage, 1961). Joints of a rigid skeleton have no such noise and are taken as they are.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from sim.pose_fit.smoothing import gaussian_smooth

SLOW_S: Final[float] = 0.5
"""Standard deviation of the kernel over which noise averages out [s]: what is slower is believed as it is."""

NEGLIGIBLE_RAD2: Final[float] = 1e-6
"""Variance of directions below which nothing is drawn anywhere: a thousandth of a radian."""

_TINY: Final[float] = 1e-10


def stretch_variance(bone: Tensor, *, seen: Tensor, fps: float) -> Tensor:
    """Return by how much a bone's length varies about its slow mean ``(..., 1)`` [m^2].

    Args:
        bone: vector along it ``(..., T, 3)`` [m].
        seen: frames that show something ``(..., T)``, bool.
        fps: frame rate [Hz].
    """
    length = torch.linalg.vector_norm(bone, dim=-1, keepdim=True)
    return _mean(_fast(length, seen=seen, fps=fps).square(), seen)


def relative_stretch(vector: Tensor, *, seen: Tensor, fps: float, of: Tensor | None = None) -> Tensor:
    """Return the variance that noise gives a vector's direction ``(..., 1)`` [rad^2], by :func:`stretch_variance`.

    Args:
        vector: between two joints ``(..., T, 3)`` [m].
        seen: frames that show something ``(..., T)``, bool.
        fps: frame rate [Hz].
        of: vector that tells the noise, where the body itself changes the length of ``vector``; None is that itself.
    """
    square = _mean(vector.square().sum(dim=-1, keepdim=True), seen)
    return stretch_variance(vector if of is None else of, seen=seen, fps=fps) / square.clamp_min(_TINY)


def believe(direction: Tensor, noise: Tensor, *, seen: Tensor, fps: float) -> Tensor:
    """Draw noisy directions towards their slow mean, by the share of their variance that noise explains.

    Args:
        direction: unit vectors ``(..., T, D)``, D at least 2.
        noise: variance of each of the D - 1 coordinates across the direction ``(..., 1)`` [rad^2].
        seen: frames that show something ``(..., T)``, bool.
        fps: frame rate [Hz].

    Returns:
        Unit vectors ``(..., T, D)``; without noise they are as they were.
    """
    fast = _fast(direction, seen=seen, fps=fps)
    variance = _mean(fast.square(), seen).sum(dim=-1, keepdim=True) / (direction.shape[-1] - 1)
    noisy = (noise / (variance + NEGLIGIBLE_RAD2)).clamp(max=1.0)[..., None]
    return normalize(direction - noisy * fast, dim=-1)


def _fast(values: Tensor, *, seen: Tensor, fps: float) -> Tensor:
    """Return what is left of values ``(..., T, K)`` when their slow mean over the frames that are seen is taken off."""
    counts = seen.to(values)[..., None].expand(*values.shape[:-1], 1)
    sums = gaussian_smooth(torch.cat([values * counts, counts], dim=-1), sigma_frames=SLOW_S * fps, ends="zero")
    return (values - sums[..., :-1] / sums[..., -1:].clamp_min(_TINY)) * counts


def _mean(values: Tensor, seen: Tensor) -> Tensor:
    """Return the mean of values ``(..., T, K)`` over the frames that are seen: ``(..., K)``."""
    counts = seen.to(values)[..., None].expand(*values.shape[:-1], 1)
    return (values * counts).sum(dim=-2) / counts.sum(dim=-2).clamp_min(1.0)
