"""Mean and standard deviation of features, as a prior normalises with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.motion_windows import FeatureClip
from sim.conventions import NUM_FEATURES
from sim.features import FEATURE_SLICES

MIN_STD: Final = 1e-3
"""Least standard deviation of a feature, so that one that never changes (contacts of a seated person) stays finite."""


def measure_statistics(
    clips: Sequence[FeatureClip], weights: NDArray[np.float64], *, mirror: bool
) -> tuple[Tensor, Tensor]:
    """Return mean ``(263,)`` and standard deviation ``(263,)`` of features, as training draws them.

    As in HumanML3D, the deviation is averaged over each group of features (root turn, root velocity, root height,
    positions, rotations, velocities, contacts), so that quiet joints are not blown up; at least 0.001.

    Args:
        clips: training clips.
        weights: probability of each clip to be drawn ``(C,)``.
        mirror: whether half of what is drawn are mirror images.
    """
    total, square = np.zeros(NUM_FEATURES), np.zeros(NUM_FEATURES)
    for clip, weight in zip(clips, weights, strict=True):
        for features in [clip.features, clip.mirrored] if mirror else [clip.features]:
            share = weight / (2 if mirror else 1)
            total += share * features.mean(axis=0, dtype=np.float64)
            square += share * (features.astype(np.float64) ** 2).mean(axis=0)
    deviation = np.sqrt(np.maximum(square - total**2, 0.0))
    for group in FEATURE_SLICES:
        deviation[group] = deviation[group].mean()
    return torch.from_numpy(total).float(), torch.from_numpy(np.maximum(deviation, MIN_STD)).float()
