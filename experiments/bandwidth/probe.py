"""A small sinusoid on a person who holds still, and what is left of it behind a stage."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from datamodules.clips.embedded import load_embedded
from sim.conventions import FEATURE_FPS, JOINT_INDEX
from sim.motion import Motion
from sim.rotations import axis_angle_to_matrix

SECONDS: Final = 6.0
_MIDDLE_S: Final = (1.0, 5.0)
"""Where amplitudes are taken: whole periods of every multiple of 0.25 Hz, away from both ends."""

ANGLE_RAD: Final = 0.01
"""Amplitude of a joint's swing: 2 to 5 mm at the wrist."""

_HELD_FRAME: Final = 0.3
"""Share of the embedded walk at which the person is held still: in mid-step, elbows and knees bent."""


def held_pose(fps: float = FEATURE_FPS) -> Motion:
    """Return a person held still in mid-step for :data:`SECONDS`, in float64."""
    walk = next(clip.motion for clip in load_embedded() if clip.name == "walk")
    frame = int(_HELD_FRAME * walk.num_frames)
    frames = round(SECONDS * fps) + 1
    rotations = walk.rotations[frame].double().expand(frames, -1, -1, -1)
    return Motion(rotations, walk.translation[frame].double().expand(frames, 3), fps)


def wave(frequency_hz: Tensor, rate_hz: float, frames: int | None = None) -> Tensor:
    """Return sines of each frequency ``(F,)`` [Hz], ``(F, T)``."""
    count = round(SECONDS * rate_hz) + 1 if frames is None else frames
    return torch.sin(2 * math.pi * frequency_hz[:, None] * torch.arange(count, dtype=torch.float64) / rate_hz)


def swing(motion: Motion, joint: str, frequency_hz: Tensor, *, axis: int, sign: float = 1.0) -> Motion:
    """Return the motion with one joint swinging about an axis of its own, one clip for each frequency.

    Args:
        motion: ``(T, 22, 3, 3)``.
        joint: which.
        frequency_hz: ``(F,)`` [Hz].
        axis: 0, 1 or 2.
        sign: of the swing; the difference of both signs is what is linear in it.
    """
    angle = sign * ANGLE_RAD * wave(frequency_hz, motion.fps, motion.num_frames)
    turn = axis_angle_to_matrix(angle[..., None] * torch.eye(3, dtype=torch.float64)[axis])
    index = JOINT_INDEX[joint]
    rotations = motion.rotations.expand(len(frequency_hz), -1, -1, -1, -1).clone()
    rotations[:, :, index] = rotations[:, :, index] @ turn
    return Motion(rotations, motion.translation.expand(len(frequency_hz), -1, -1), motion.fps)


def respond(function: Callable[[float], Tensor]) -> Tensor:
    """Return the part of a function's value that is odd in the sign of what was put on: the linear response."""
    return (function(1.0) - function(-1.0)) / 2


def amplitude(series: Tensor, frequency_hz: Tensor, rate_hz: float) -> Tensor:
    """Return complex amplitudes ``(F, K)`` of series ``(F, T, K)`` at their frequencies ``(F,)`` [Hz]."""
    start, stop = (round(edge * rate_hz) for edge in _MIDDLE_S)
    times_s = torch.arange(start, stop, dtype=torch.float64) / rate_hz
    carrier = torch.exp(-2j * math.pi * frequency_hz[:, None] * times_s)
    return 2 * torch.einsum("ft,ftk->fk", carrier, series[:, start:stop].to(carrier.dtype)) / (stop - start)


def gain(found: Tensor, truth: Tensor) -> Tensor:
    """Return how much of true amplitudes ``(F, K)`` is in those found, ``(F,)``; what is turned in phase counts less.

    The absolute value of the projection: 1 passes, 0 stops.
    """
    return ((truth.conj() * found).sum(dim=-1) / truth.abs().square().sum(dim=-1)).abs()
