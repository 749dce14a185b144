"""What sensors on the skin would read of decoded joints: the differentiable road that ``acc_sensors`` takes.

Joints -> :func:`sim.pose_fit.fit_pose` -> sites on the skin of the built-in body -> specific force and angular rate.
Equal to ``simulate(fit_pose(joints), Body.default(), placements, rate_hz=...)`` of each clip by itself, whatever the
padding of its batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypedDict

import torch
from torch import Tensor

from sim.body import Body
from sim.checks import check_cutoff, check_rate
from sim.conventions import FEATURE_FPS
from sim.imu.padded_readings import PaddedReadings, sense_padded
from sim.placements import Placement, Sites, resolve_all
from sim.placements.presets import find_preset
from sim.placements.sites import site_planes
from sim.pose_fit import fit_pose

CHANNELS: Final = ("accel", "gyro")


class SensorLossOptions(TypedDict, total=False):
    """Options of :class:`VirtualSensors` as YAML gives them."""

    placements: list[str]
    channels: list[str]
    gyro_scale: float
    rate_hz: float
    cutoff_hz: float | None


@dataclass(frozen=True)
class VirtualSensors:
    """Which sensors a loss reads, and how their channels are compared.

    Attributes:
        placements: presets of :mod:`sim.placements.presets`, each once.
        channels: ``accel`` (specific force), ``gyro`` (angular rate) or both.
        gyro_scale: what 1 rad/s counts for beside 1 m/s^2 of the accelerometer [m/s]; on the embedded recordings the
            RMS of gravity-free acceleration is 3 to 8 times that of the rate, channel by channel.
        rate_hz: output rate [Hz]; at 20 Hz a clip of T frames has T samples.
        cutoff_hz: smoothing of the poses [Hz], as in :func:`sim.imu.simulate`; None interpolates.

    Raises:
        ValueError: a name is unknown or comes twice, none is given, or a number is out of range.
    """

    placements: tuple[str, ...] = ("left_wrist", "right_wrist", "waist", "left_thigh", "left_ankle", "chest")
    channels: tuple[str, ...] = CHANNELS
    gyro_scale: float = 4.0
    rate_hz: float = FEATURE_FPS
    cutoff_hz: float | None = None

    def __post_init__(self) -> None:
        names = [find_preset(name) for name in self.placements]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"sensor_loss has placements {list(self.placements)}, expected at least one, each once")
        if not self.channels or not set(self.channels) <= set(CHANNELS):
            raise ValueError(
                f"sensor_loss has channels {list(self.channels)}, expected one or both of {list(CHANNELS)}"
            )
        if not self.gyro_scale > 0:
            raise ValueError(f"gyro_scale is {self.gyro_scale}, expected above 0; leave gyro out of channels instead")
        check_rate(self.rate_hz, "rate_hz")
        check_cutoff(self.cutoff_hz, fps=FEATURE_FPS)

    @classmethod
    def from_options(cls, options: SensorLossOptions | None) -> VirtualSensors:
        """Return sensors with some defaults replaced.

        Raises:
            ValueError: as the class, or an option is unknown.
        """
        values: Mapping[str, object] = options or {}
        unknown = sorted(set(values) - set(SensorLossOptions.__annotations__))
        if unknown:
            raise ValueError(
                f"sensor_loss has the options {unknown}, must be some of {sorted(SensorLossOptions.__annotations__)}"
            )
        plain = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        return cls(**plain)  # type: ignore[arg-type]  # typed by SensorLossOptions, lists apart

    def read(self, joints: Tensor, mask: Tensor) -> PaddedReadings:
        """Return ideal readings of people of the built-in body's mean shape.

        Args:
            joints: decoded positions ``(B, T, 22, 3)`` [m] at 20 fps; anything beyond each clip.
            mask: frames inside each clip ``(B, T)``, bool, the first ones.

        Returns:
            Readings ``(B, T', S, 3)``, differentiable in the joints; nan in a clip whose joints are not finite.
        """
        # Frames with all joints in one place are what fit_pose takes for padding.
        joints = torch.where(mask[..., None, None], joints, 0.0)
        finite = joints.isfinite().flatten(1).all(dim=1)[:, None, None, None]
        joints = torch.where(finite, joints, 0.0)
        body, sites = _resolve(self.placements, joints.dtype, joints.device)
        lengths = mask.sum(dim=1).tolist()
        # Half precision would lose the second derivative.
        with torch.autocast(joints.device.type, enabled=False):
            position, rotation = site_planes(body, fit_pose(joints, fps=FEATURE_FPS, body=body), sites)
            readings = sense_padded(
                position, rotation, lengths, fps=FEATURE_FPS, rate_hz=self.rate_hz, cutoff_hz=self.cutoff_hz
            )
        accel, gyro = (torch.where(finite, value, torch.nan) for value in readings[:2])
        return readings._replace(accel=accel, gyro=gyro)

    def scale(self, readings: PaddedReadings) -> Tensor:
        """Return the channels as they are compared ``(B, T', channels x S, 3)``.

        Specific force [m/s^2] of all sensors, then angular rate [rad/s] times ``gyro_scale`` [m/s].
        """
        factors = {"accel": 1.0, "gyro": self.gyro_scale}
        return torch.cat([factors[channel] * getattr(readings, channel) for channel in self.channels], dim=2)


@lru_cache(maxsize=16)
def _resolve(placements: tuple[str, ...], dtype: torch.dtype, device: torch.device) -> tuple[Body, Sites]:
    # Kept for later calls: made while validating (inference mode), it must serve a training step as well.
    with torch.inference_mode(False):
        body = Body.default()
        sites = resolve_all([Placement.preset(name) for name in placements], body)
        return body.to(dtype=dtype, device=device), sites
