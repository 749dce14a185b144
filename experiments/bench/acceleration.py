"""Whether two samplers' motions accelerate alike, and how sure that is: statistics of many motions, resampled.

Motions of one prompt differ far more than samplers do, so a difference means nothing without its interval. Motions are
drawn with replacement within each prompt (the stratified bootstrap, Davison and Hinkley 1997, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experiments.pipeline.intervals import Array, Interval, percentile_interval
from sim.conventions import FEATURE_FPS
from sim.features import Decoder, features_to_joints

_HIGH: Final = 0.95
"""The quantile that stands for high accelerations."""


@dataclass(frozen=True)
class MotionAccelerations:
    """Magnitudes of the accelerations of all joints, and what summarises them.

    Attributes:
        magnitudes: of each motion ``(N, K)``, all its joints and frames [m/s^2].
    """

    magnitudes: Array

    @classmethod
    def of(cls, features: Tensor, *, decoder: Decoder = "consistent", std: Tensor | None = None) -> Self:
        """Return those of raw features ``(N, T, 263)`` at 20 fps: second differences of the decoded joints.

        Decoder and its weights are those of :func:`sim.features.features_to_joints`.
        """
        joints = features_to_joints(features, decoder, std=std)
        magnitude = torch.linalg.vector_norm(joints.diff(n=2, dim=-3), dim=-1) * FEATURE_FPS**2
        return cls(magnitude.flatten(1).double().numpy())

    @property
    def mean(self) -> float:
        """Mean of all magnitudes [m/s^2]."""
        return float(self.magnitudes.mean())

    @property
    def high(self) -> float:
        """95th percentile of all magnitudes together [m/s^2]."""
        return float(np.quantile(self.magnitudes, _HIGH))

    def resample(self, weights: NDArray[np.int64]) -> tuple[Array, Array]:
        """Return mean and 95th percentile ``(R,)`` where motion n counts ``weights (R, N)`` times."""
        order = np.argsort(self.magnitudes, axis=None)
        values, owner = self.magnitudes.flat[order], order // self.magnitudes.shape[1]
        means = weights @ self.magnitudes.mean(axis=1) / weights.sum(axis=1)
        highs = np.empty(len(weights))
        for row, weight in enumerate(weights):
            reached = np.cumsum(weight[owner])
            highs[row] = values[np.searchsorted(reached, _HIGH * reached[-1])]
        return means, highs


def compare_accelerations(
    sampled: MotionAccelerations, reference: MotionAccelerations, prompts: NDArray[np.int64], *, resamples: int = 400
) -> tuple[Interval, Interval]:
    """Return by what share the mean and the 95th percentile lie above the reference's, with 95% intervals.

    Args:
        sampled: motions of one sampler.
        reference: motions of the other, prompt by prompt and, if that is to count, noise by noise the same.
        prompts: index of the prompt of each motion ``(N,)``.
        resamples: of the motions, pairs staying together.
    """
    generator = np.random.default_rng(0)
    weights = np.zeros((resamples, len(prompts)), dtype=np.int64)
    for prompt in np.unique(prompts):
        rows = np.flatnonzero(prompts == prompt)
        weights[:, rows] = generator.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=resamples)
    own, other = sampled.resample(weights), reference.resample(weights)
    mean = percentile_interval(sampled.mean / reference.mean - 1, own[0] / other[0] - 1)
    high = percentile_interval(sampled.high / reference.high - 1, own[1] / other[1] - 1)
    return mean, high
