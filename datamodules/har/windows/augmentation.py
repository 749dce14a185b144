"""Random changes of training windows that the field uses: rotation, jitter, scaling, time warp, channel drop-out.

Um et al. 2017, Data augmentation of wearable sensor data for Parkinson's disease monitoring using convolutional neural
networks, doi 10.1145/3136755.3136817; drop-out of whole sensors after Ordonez and Roggen's remarks on missing channels,
doi 10.3390/s16010115. They act on a batch on the device that trains, in SI units, before normalisation.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from datamodules.har.windows.window_set import WindowSet
from sim.rotations import axis_angle_to_matrix

_KNOTS = 6
_SLOWEST = 0.1


@dataclass(frozen=True)
class Augmentation:
    """How strongly to change training windows; 0 is not at all, which is the default of each.

    Attributes:
        rotation_deg: largest angle by which a site's axes are turned, about an axis drawn for each window and site, its
            accelerometer and gyroscope alike [deg].
        jitter: standard deviation of white noise on every sample, in standard deviations of its channel.
        scaling: standard deviation of the factor, about 1, on each sensor (x, y and z alike) of a window.
        time_warp: standard deviation of the speed, about 1, at which time runs at six knots of a window.
        channel_dropout: probability that a sensor (x, y and z together) of a window is replaced by its mean.

    Raises:
        ValueError: one is negative, the angle is above 180 degrees, or the probability is 1 or more.
    """

    rotation_deg: float = 0.0
    jitter: float = 0.0
    scaling: float = 0.0
    time_warp: float = 0.0
    channel_dropout: float = 0.0

    def __post_init__(self) -> None:
        limits = {"rotation_deg": 180.0, "channel_dropout": 1.0}
        for each in fields(self):
            value, limit = getattr(self, each.name), limits.get(each.name, float("inf"))
            if not 0 <= value <= limit or (each.name == "channel_dropout" and value == 1):
                upper = {"rotation_deg": " and <= 180", "channel_dropout": " and < 1"}.get(each.name, "")
                raise ValueError(f"augment.{each.name} is {value}, expected >= 0{upper}; 0 leaves it out")

    @property
    def is_none(self) -> bool:
        """Whether nothing is changed."""
        return not any(getattr(self, each.name) for each in fields(self))

    def apply(
        self, signals: Tensor, *, channels: tuple[str, ...], mean: Tensor, std: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Change a batch.

        Args:
            signals: raw channels ``(B, T, C)`` [m/s^2] and [rad/s].
            channels: name of each, in triples x, y, z.
            mean: of each channel ``(C,)``.
            std: of each channel ``(C,)``.
            generator: source of randomness, on the device of the signals.

        Returns:
            ``(B, T, C)``.
        """
        if self.rotation_deg:
            signals = _rotate(signals, channels, self.rotation_deg, generator)
        if self.scaling:
            factors = 1 + self.scaling * _normal((len(signals), 1, signals.shape[2] // 3), signals, generator)
            signals = signals * factors.repeat_interleave(3, dim=2)
        if self.time_warp:
            signals = _warp_time(signals, self.time_warp, generator)
        if self.jitter:
            signals = signals + self.jitter * std * _normal(signals.shape, signals, generator)
        if self.channel_dropout:
            sensors = (len(signals), 1, signals.shape[2] // 3)
            gone = torch.rand(sensors, generator=generator, device=signals.device) < self.channel_dropout
            signals = torch.where(gone.repeat_interleave(3, dim=2), mean, signals)
        return signals


def add_changed(
    windows: WindowSet, augmentation: Augmentation, *, per_class: int | None, generator: torch.Generator
) -> WindowSet:
    """Windows and changed copies of them, each copy of the wearer and the recording that it is made from.

    Args:
        windows: N windows.
        augmentation: what is changed; strengths relative to a channel's deviation take that of these windows.
        per_class: changed copies of each class, its windows taken in turn; None for as many as it has.
        generator: source of randomness.

    Returns:
        The windows, then the copies.
    """
    rows = [np.arange(len(windows))]
    for label in range(len(windows.classes)):
        mine = np.flatnonzero(windows.labels == label)
        rows.append(np.resize(mine, len(mine) if per_class is None else per_class * (len(mine) > 0)))
    copies = windows.select(np.concatenate(rows[1:]))
    statistics = windows.statistics()
    changed = augmentation.apply(
        torch.from_numpy(copies.signals),
        channels=windows.channels,
        mean=torch.from_numpy(statistics.mean),
        std=torch.from_numpy(statistics.std),
        generator=generator,
    )
    index = windows.index.select(np.concatenate(rows))
    return WindowSet.of(np.concatenate([windows.signals, changed.numpy()]), index)


def _normal(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)


def _rotate(signals: Tensor, channels: tuple[str, ...], largest_deg: float, generator: torch.Generator) -> Tensor:
    """Turn each site's triples by one rotation for each window."""
    sites = [name.rpartition(".")[0] for name in channels[::3]]
    names = list(dict.fromkeys(sites))
    axes = torch.nn.functional.normalize(_normal((len(signals), len(names), 3), signals, generator), dim=-1)
    shape = (len(signals), len(names), 1)
    turns = 2 * torch.rand(shape, generator=generator, device=signals.device, dtype=signals.dtype) - 1
    matrices = axis_angle_to_matrix(axes * turns * torch.deg2rad(torch.tensor(largest_deg)).to(signals))
    chosen = matrices[:, torch.tensor([names.index(site) for site in sites], device=signals.device)]
    triples = signals.unflatten(2, (-1, 3))
    return torch.einsum("bgij,btgj->btgi", chosen, triples).flatten(2)


def _warp_time(signals: Tensor, deviation: float, generator: torch.Generator) -> Tensor:
    """Let time run at a smoothly changing speed within each window; its first and last sample stay where they are.

    Values are carried along and not rescaled, as the field does it: a warped gyroscope no longer integrates to the
    same angle.
    """
    num_samples = signals.shape[1]
    knots = (1 + deviation * _normal((len(signals), 1, _KNOTS), signals, generator)).clamp_min(_SLOWEST)
    speed = torch.nn.functional.interpolate(knots, size=num_samples - 1, mode="linear", align_corners=True)[:, 0]
    passed = torch.cat([torch.zeros_like(speed[:, :1]), speed.cumsum(dim=1)], dim=1)
    place = passed / passed[:, -1:] * (num_samples - 1)
    left = place.floor().long().clamp(0, num_samples - 2)
    weight = (place - left)[..., None]
    index = left[..., None].expand(-1, -1, signals.shape[2])
    return signals.gather(1, index) * (1 - weight) + signals.gather(1, index + 1) * weight
