"""What virtual sensors read of generated and recorded windows, as kept for the distribution metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_modules.metrics.sensor_distributions import read_magnitudes
from lightning_modules.metrics.sensor_quantities import SensorMagnitudes
from lightning_modules.virtual_sensors import VirtualSensors
from sim.conventions import FEATURE_FPS
from sim.features import features_to_joints

ARRAYS: Final = ("force_generated", "rate_generated", "force_recorded", "rate_recorded")
"""Names of the arrays in the file."""


class Sides(NamedTuple):
    """Generated and recorded magnitudes of the same windows."""

    generated: SensorMagnitudes
    recorded: SensorMagnitudes


@dataclass(frozen=True)
class Sensed:
    """What sensors at S placements read of N windows and K motions generated for each, at 20 Hz.

    Attributes:
        force_generated: |specific force| ``(N, K, T', S)`` [m/s^2], nan beyond each length.
        rate_generated: angular rate, the same shape [rad/s].
        force_recorded: ``(N, T', S)`` [m/s^2].
        rate_recorded: ``(N, T', S)`` [rad/s].
        placements: names of the S placements.
    """

    force_generated: NDArray[np.float32]
    rate_generated: NDArray[np.float32]
    force_recorded: NDArray[np.float32]
    rate_recorded: NDArray[np.float32]
    placements: tuple[str, ...]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Sensed:
        """Return what :data:`ARRAYS` and ``placements`` of a file hold."""
        force, rate, force_recorded, rate_recorded = (arrays[name].astype(np.float32) for name in ARRAYS)
        return cls(force, rate, force_recorded, rate_recorded, tuple(arrays["placements"].tolist()))

    def sides(self, windows: NDArray[np.generic]) -> Sides:
        """Return the magnitudes of some windows, by number or by a mask ``(N,)``; generated ones window by window."""
        generated = (values[windows] for values in (self.force_generated, self.rate_generated))
        force, rate = (values.reshape(-1, *values.shape[2:]) for values in generated)
        return Sides(
            SensorMagnitudes(force, rate, FEATURE_FPS),
            SensorMagnitudes(self.force_recorded[windows], self.rate_recorded[windows], FEATURE_FPS),
        )


def sense(features: Tensor, lengths: Tensor, *, placements: Sequence[str], std: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return |specific force| [m/s^2] and angular rate [rad/s] of clips, each ``(B, T, S)``, nan beyond each end.

    Args:
        features: de-normalised ``(B, T, 263)`` at 20 fps, decoded consistently.
        lengths: valid frames of each ``(B,)``.
        placements: presets of :mod:`sim.placements.presets`.
        std: of the normalisation ``(263,)``.
    """
    joints = features_to_joints(features.float(), "consistent", std=std, lengths=lengths)
    clips = read_magnitudes(joints, lengths, VirtualSensors(placements=tuple(placements)))
    padded = torch.full((2, len(features), features.shape[1], len(placements)), torch.nan)
    for side, series in zip(padded, clips, strict=True):
        for row, values in zip(side, series, strict=True):
            row[: len(values)] = torch.from_numpy(values)
    return padded[0], padded[1]
