"""A closed-form wrist-like motion: what a sensor on it reads is known exactly at any time.

Sums of sines of 0.6 to 3.6 Hz on three position axes and three Euler angles, scaled to peaks of 20 m/s^2 and 8 rad/s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from sim.conventions import GRAVITY

Array = NDArray[np.float64]
WristReadings = tuple[Array, Array]
"""Specific force (T, 3) [m/s^2] and angular rate (T, 3) [rad/s], both in the sensor frame."""

_FREQUENCIES_HZ: Final[tuple[float, ...]] = (0.65, 1.7, 3.3)
_PEAK_ACCEL: Final[float] = 20.0
_PEAK_RATE: Final[float] = 8.0


@dataclass(frozen=True)
class WristMotion:
    """A closed-form motion: what a sensor on it reads is known exactly at any time.

    Attributes:
        frequencies_hz: ``(6, K)``: three position axes, then yaw, pitch, roll.
        phases: ``(6, K)`` [rad].
        amplitudes: ``(6, K)`` [m] and [rad].
    """

    frequencies_hz: Array
    phases: Array
    amplitudes: Array

    @classmethod
    def random(cls, seed: int) -> WristMotion:
        """Draw phases and frequencies (within 10%) and scale to the peaks of 20 m/s^2 and 8 rad/s."""
        rng = np.random.default_rng(seed)
        shape = (6, len(_FREQUENCIES_HZ))
        frequencies = np.array(_FREQUENCIES_HZ) * rng.uniform(0.9, 1.1, shape)
        amplitudes = rng.uniform(0.5, 1.0, shape) / (2 * np.pi * frequencies)
        amplitudes[:3] /= 2 * np.pi * frequencies[:3]
        motion = cls(frequencies, rng.uniform(0, 2 * np.pi, shape), amplitudes)
        times = np.linspace(0.0, 12.0, 1201)
        # The rate depends on the angles as well as on their slopes, so its scale is found by repetition.
        for _ in range(10):
            accel_peak = np.linalg.norm(motion._sum(times, 2)[:, :3], axis=1).max()
            rate_peak = np.linalg.norm(motion.body_rate(times), axis=1).max()
            scale = np.repeat([_PEAK_ACCEL / accel_peak, _PEAK_RATE / rate_peak], 3)
            motion = cls(frequencies, motion.phases, motion.amplitudes * scale[:, None])
        return motion

    def _sum(self, times_s: Array, derivative: int) -> Array:
        omega = 2 * np.pi * self.frequencies_hz
        angle = omega[:, :, None] * times_s + self.phases[:, :, None] + derivative * np.pi / 2
        return np.einsum("ik,ikt->ti", self.amplitudes * omega**derivative, np.sin(angle))

    def position(self, times_s: Array) -> Array:
        """World position ``(T, 3)`` [m]."""
        return self._sum(times_s, 0)[:, :3]

    def rotation(self, times_s: Array) -> Array:
        """Sensor to world ``(T, 3, 3)``."""
        return np.asarray(Rotation.from_euler("ZYX", self._sum(times_s, 0)[:, 3:]).as_matrix())

    def body_rate(self, times_s: Array) -> Array:
        """Angular rate in the sensor frame ``(T, 3)`` [rad/s]."""
        _, pitch, roll = self._sum(times_s, 0)[:, 3:].T
        d_yaw, d_pitch, d_roll = self._sum(times_s, 1)[:, 3:].T
        x = d_roll - d_yaw * np.sin(pitch)
        y = d_pitch * np.cos(roll) + d_yaw * np.cos(pitch) * np.sin(roll)
        z = d_yaw * np.cos(pitch) * np.cos(roll) - d_pitch * np.sin(roll)
        return np.stack([x, y, z], axis=1)

    def readings(self, times_s: Array) -> WristReadings:
        """What an ideal sensor reads."""
        specific = self._sum(times_s, 2)[:, :3] - np.array(GRAVITY)
        return np.einsum("tji,tj->ti", self.rotation(times_s), specific), self.body_rate(times_s)
