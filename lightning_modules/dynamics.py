"""How dynamic a clip is, by what it measures and not by what it is called."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.losses import joint_acceleration
from sim.conventions import FEATURE_FPS


def measure_peak_acceleration(features: Tensor, lengths: Tensor) -> Tensor:
    """Return the peak acceleration of each clip ``(B,)`` [m/s^2]: the 95th percentile over its frames of the mean over
    the joints of the magnitude of joint acceleration.

    Args:
        features: raw HumanML3D features ``(B, T, 263)`` at 20 fps.
        lengths: valid frames of each clip ``(B,)``; one shorter than 3 frames has no acceleration, and a peak of 0.
    """
    size = joint_acceleration(features, fps=FEATURE_FPS).norm(dim=-1).mean(dim=-1)
    peaks = [row[: max(0, int(n) - 2)] for row, n in zip(size, lengths, strict=True)]
    return torch.stack([row.quantile(0.95) if len(row) else row.new_zeros(()) for row in peaks])
