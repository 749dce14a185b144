"""How much of a motion's detail was smoothed away, or is jitter, judged by its spectrum alone.

The spectrum of a person's joint accelerations falls slowly from 3 to 9 Hz, whatever the person does: relative to 1 to 3
Hz a spread of 0.4 in log10 of power. A filter leaves a drop, jitter a rise. Both stand out against the reference below,
of many motions together better than of one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.clips.embedded import load_embedded
from sim.body import Body
from sim.conventions import JOINT_INDEX
from sim.spectrum import power_spectrum

FREQUENCIES_HZ: Final = (3, 4, 5, 6, 7, 8, 9)

REFERENCE: Final = (-0.11, -0.36, -0.41, -0.44, -0.40, -0.54, -0.68)
"""log10 of the power density of joint accelerations at :data:`FREQUENCIES_HZ` over that at 1 and 2 Hz: the median of
the embedded recorded clips (``imuforge bandwidth --reference`` prints it)."""

JUMP_M_S2: Final = 1000.0
"""Acceleration of a joint beyond which no person moves it; a foot that lands reaches 880 m/s^2."""

MIN_FPS: Final = 19.0
MIN_DENSITY: Final = 0.05
"""Least mean power density of a joint's acceleration at 1 and 2 Hz [(m/s^2)^2/Hz]; below, the person hardly moves."""

SMOOTHED: Final = -0.75
JITTERY: Final = 1.0
"""Mean log10 of power over the reference's from 6 to 9 Hz, below which a motion is called smoothed and above which
jittery: about one recorded file in twenty lies below, one in a hundred above (docs/bandwidth.md)."""

JOINTS: Final = tuple(
    JOINT_INDEX[name]
    for name in (
        "head",
        "neck",
        *(f"{side}_{part}" for side in ("left", "right") for part in ("elbow", "wrist", "knee", "ankle")),
    )
)

Joints = NDArray[np.float64]


class SpectralGain(NamedTuple):
    """How a motion's spectrum compares with recorded motion's.

    Attributes:
        log_power: log10 of power over the reference's at :data:`FREQUENCIES_HZ`.
    """

    log_power: NDArray[np.float64]

    @property
    def score(self) -> float:
        """Mean of log10 of power over the reference's, 6 to 9 Hz."""
        return float(self.log_power[3:].mean())

    def at(self, frequency_hz: int) -> float:
        """Return the gain in amplitude around one of 4 to 8 Hz: the geometric mean with its two neighbours."""
        index = FREQUENCIES_HZ.index(frequency_hz)
        return float(10 ** (self.log_power[index - 1 : index + 2].mean() / 2))

    def describe(self) -> str:
        """Return the finding in one line."""
        gains = f"8 Hz at {self.at(8):.2f}, 5 Hz at {self.at(5):.2f} of recorded motion, judged by the spectrum"
        if self.score < SMOOTHED:
            return f"smoothed: {gains}"
        if self.score > JITTERY:
            return f"suspicious: jitter, {gains}; simulate with --cutoff-hz"
        return f"no sign of smoothing or jitter: {gains}"


def compare_spectrum(joints: Joints, fps: float) -> SpectralGain | str:
    """Compare the spectrum of a motion's accelerations with recorded motion's.

    Args:
        joints: world positions ``(T, 22, 3)`` [m], in any unit.
        fps: frame rate [Hz].

    Returns:
        The comparison, or in words why there is none: too low a rate, too short, jumps all along, hardly any movement.
    """
    shape = spectral_shape(joints, fps)
    return shape if isinstance(shape, str) else SpectralGain(shape - np.array(REFERENCE))


def pool(found: Sequence[SpectralGain]) -> SpectralGain:
    """Return the mean comparison of many motions."""
    return SpectralGain(np.mean([each.log_power for each in found], axis=0))


def spectral_shape(joints: Joints, fps: float) -> NDArray[np.float64] | str:
    """Return log10 of power density at :data:`FREQUENCIES_HZ` over that at 1 and 2 Hz, or why there is none.

    Args:
        joints: world positions ``(T, 22, 3)`` [m].
        fps: frame rate [Hz].
    """
    window = round(fps)  # one second: 1 Hz of resolution
    if fps < MIN_FPS:
        return f"too low a frame rate to tell whether it was smoothed: {fps:g} fps, expected at least 20"
    if len(joints) < window + 2:
        return f"too short to tell whether it was smoothed: {len(joints)} frames, expected at least {window + 2}"
    series = torch.from_numpy(np.ascontiguousarray(joints[:, list(JOINTS)], dtype=np.float64)).movedim(0, -1)
    segments = (series.diff(n=2) * fps**2).unfold(-1, window, window - window // 2)
    # A jump, such as from a T-pose put in front, would count as slow movement: its window's mean is far from the rest.
    possible = torch.linalg.vector_norm(segments, dim=1).amax(dim=(0, -1)) < JUMP_M_S2
    if not bool(possible.any()):
        return "jumps too often to tell whether it was smoothed"
    frequency, density = power_spectrum(segments[:, :, possible], rate_hz=fps, window=window)
    phase = 2 * math.pi * frequency / fps
    lost = torch.where(phase > 0, ((2 - 2 * torch.cos(phase)) / phase.square().clamp_min(1e-12)).square(), 1.0)
    power = (density.mean(dim=2).sum(dim=(0, 1)) / lost).numpy()
    level, *higher = (
        np.interp(np.array(wanted, dtype=np.float64), frequency.numpy(), power)
        for wanted in ((1.0, 2.0), FREQUENCIES_HZ)
    )
    if level.mean() < MIN_DENSITY * len(JOINTS):
        return "hardly moves: nothing tells whether it was smoothed"
    return np.asarray(np.log10(np.maximum(higher[0], 1e-12) / level.mean()))


def measure_reference() -> NDArray[np.float64]:
    """Return what :data:`REFERENCE` holds, measured again: the median of the embedded recorded clips that move."""
    body = Body.default()
    clips = [clip.motion for clip in load_embedded() if not clip.constructed]
    shapes = [spectral_shape(body.joints(motion).double().numpy(), motion.fps) for motion in clips]
    return np.asarray(np.median([shape for shape in shapes if not isinstance(shape, str)], axis=0))
