"""Clips of features as joints, their accelerations and what sensors on them read, by either decoder: what losses and
paired errors look at.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from lightning_modules.virtual_sensors import VirtualSensors
from sim.conventions import FEATURE_FPS
from sim.features import Decoder, features_to_joints
from sim.imu.padded_readings import PaddedReadings


@dataclass(frozen=True)
class JointPaths:
    """Joints of clips, how they accelerate and what sensors on them read; the latter two are computed when asked for.

    Attributes:
        joints: positions ``(B, T, 22, 3)`` [m], axes of the clip's first heading.
        mask: frames inside each clip ``(B, T)``, bool.
        sensors: which sensors :attr:`readings` are of.
    """

    joints: Tensor
    mask: Tensor
    sensors: VirtualSensors

    @cached_property
    def acceleration(self) -> Tensor:
        """Joint accelerations ``(B, T-2, 22, 3)`` [m/s^2], see :func:`joint_acceleration`."""
        return take_second_difference(self.joints, fps=FEATURE_FPS)

    @cached_property
    def readings(self) -> PaddedReadings:
        """What the sensors read, see :meth:`VirtualSensors.read`."""
        return self.sensors.read(self.joints, self.mask)


@dataclass(frozen=True)
class DecodedMotion:
    """Clips of features and what they decode to; each is computed once, when first asked for.

    Attributes:
        features: de-normalised ``(B, T, 263)`` at 20 fps.
        mask: frames inside each clip ``(B, T)``, bool.
        sensors: which sensors readings are of.
        decoder: what :attr:`chosen` decodes by, see :func:`sim.features.features_to_joints`.
        std: of the normalisation ``(263,)``, by which ``consistent`` weighs; None takes HumanML3D's.
    """

    features: Tensor
    mask: Tensor
    sensors: VirtualSensors
    decoder: Decoder = "consistent"
    std: Tensor | None = None

    @cached_property
    def by_positions(self) -> JointPaths:
        """Joints by their positions alone, as HumanML3D and MDM decode them."""
        return self._decode("positions")

    @cached_property
    def consistent(self) -> JointPaths:
        """Joints by positions and steps; of recorded clips the same to 1e-5 m."""
        return self._decode("consistent")

    @property
    def chosen(self) -> JointPaths:
        """Joints by :attr:`decoder`."""
        return self.consistent if self.decoder == "consistent" else self.by_positions

    def _decode(self, decoder: Decoder) -> JointPaths:
        # Under autocast, rounding positions to bfloat16 (4 mm at 1 m) would drown differences taken at 20 fps.
        with torch.autocast(self.features.device.type, enabled=False):
            joints = features_to_joints(self.features, decoder, std=self.std, lengths=self.mask.sum(dim=1))
        return JointPaths(joints, self.mask, self.sensors)


def joint_acceleration(
    features: Tensor,
    *,
    fps: float = FEATURE_FPS,
    decoder: Decoder = "consistent",
    std: Tensor | None = None,
    lengths: Tensor | None = None,
) -> Tensor:
    """Return second differences of the decoded joints, times ``fps`` squared.

    Args:
        features: de-normalised HumanML3D features ``(..., T, 263)``.
        fps: their frame rate [Hz].
        decoder: as in :func:`sim.features.features_to_joints`, and so are ``std`` and ``lengths``.
        std: of the features ``(263,)``.
        lengths: valid frames of each clip ``(...)``.

    Returns:
        Accelerations ``(..., T-2, 22, 3)`` [m/s^2] without gravity, axes of the clip's first heading; index t belongs
        to frame t + 1.
    """
    with torch.autocast(features.device.type, enabled=False):
        joints = features_to_joints(features.float(), decoder, std=std, lengths=lengths)
        return take_second_difference(joints, fps=fps)


def take_second_difference(joints: Tensor, *, fps: float) -> Tensor:
    """Return accelerations ``(..., T-2, J, 3)`` [m/s^2] of joints ``(..., T, J, 3)`` [m] at ``fps`` [Hz]."""
    return joints.diff(n=2, dim=-3) * fps**2
