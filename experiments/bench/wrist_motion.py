"""How exact and how fast the virtual IMU is, beside finite differences and SciPy's splines on the same motion.

The motion is closed-form and wrist-like: sums of sines of 0.6 to 3.6 Hz on three position axes and three Euler angles,
scaled to peaks of 20 m/s^2 and 8 rad/s. Run ``python -m experiments.bench_sim``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.interpolate import make_interp_spline
from scipy.spatial.transform import Rotation, RotationSpline

from sim import simulate_rigid
from sim.conventions import GRAVITY

Array = NDArray[np.float64]
Readings = tuple[Array, Array]
"""Specific force (T, 3) [m/s^2] and angular rate (T, 3) [rad/s], both in the sensor frame."""

_FREQUENCIES_HZ: Final[tuple[float, ...]] = (0.65, 1.7, 3.3)
_PEAK_ACCEL: Final[float] = 20.0
_PEAK_RATE: Final[float] = 8.0
_END_S: Final[float] = 0.75
"""Length of clip at each end that counts as its ends [s]."""


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

    def readings(self, times_s: Array) -> Readings:
        """What an ideal sensor reads."""
        specific = self._sum(times_s, 2)[:, :3] - np.array(GRAVITY)
        return np.einsum("tji,tj->ti", self.rotation(times_s), specific), self.body_rate(times_s)


def spline_readings(position: Array, rotation: Array, fps: float, dtype: torch.dtype = torch.float64) -> Readings:
    """What ``simulate_rigid`` reads at the samples of the given poses."""
    recording = simulate_rigid(
        torch.from_numpy(position).to(dtype), torch.from_numpy(rotation).to(dtype), fps=fps, rate_hz=fps
    )
    return recording.accel[:, 0].double().numpy(), recording.gyro[:, 0].double().numpy()


def difference_readings(position: Array, rotation: Array, fps: float) -> Readings:
    """Central differences: the second difference of position, and the turn from the frame before to the one after."""
    accel = np.gradient(np.gradient(position, 1 / fps, axis=0), 1 / fps, axis=0)
    accel[1:-1] = np.diff(position, 2, axis=0) * fps**2
    turned = Rotation.from_matrix(rotation)
    rate = np.zeros_like(position)
    rate[1:-1] = (turned[:-2].inv() * turned[2:]).as_rotvec() * (fps / 2)
    rate[[0, -1]] = rate[[1, -2]]
    return np.einsum("tji,tj->ti", rotation, accel - np.array(GRAVITY)), rate


def scipy_readings(position: Array, rotation: Array, fps: float) -> Readings:
    """SciPy's quintic interpolating spline and its RotationSpline."""
    times = np.arange(len(position)) / fps
    accel = make_interp_spline(times, position, k=5)(times, 2)
    rate = RotationSpline(times, Rotation.from_matrix(rotation))(times, 1)
    return np.einsum("tji,tj->ti", rotation, accel - np.array(GRAVITY)), np.asarray(rate)


METHODS: Final[dict[str, Callable[[Array, Array, float], Readings]]] = {
    "imuforge float64": spline_readings,
    "imuforge float32": lambda p, r, fps: spline_readings(p, r, fps, torch.float32),
    "scipy splines": scipy_readings,
    "central difference": difference_readings,
}


@dataclass(frozen=True)
class RootMeanSquares:
    """Errors of one method at one rate, inside the clip and within 0.75 s of its ends [m/s^2] and [rad/s]."""

    accel: float
    gyro: float
    accel_ends: float
    gyro_ends: float


def measure_error(
    method: Callable[[Array, Array, float], Readings], fps: float, num_motions: int = 8
) -> RootMeanSquares:
    """Root mean square error over several motions of 12 s sampled at ``fps``."""
    times = np.arange(int(12 * fps) + 1) / fps
    inner = (times >= _END_S) & (times <= times[-1] - _END_S)
    errors: list[tuple[Array, Array]] = []
    for seed in range(num_motions):
        motion = WristMotion.random(seed)
        accel, gyro = method(motion.position(times), motion.rotation(times), fps)
        true_accel, true_gyro = motion.readings(times)
        errors.append((accel - true_accel, gyro - true_gyro))

    def root_mean_square(which: int, frames: NDArray[np.bool_]) -> float:
        return float(np.sqrt(np.mean([np.mean(pair[which][frames] ** 2) for pair in errors])))

    return RootMeanSquares(
        root_mean_square(0, inner), root_mean_square(1, inner), root_mean_square(0, ~inner), root_mean_square(1, ~inner)
    )


def measure_speed(
    dtype: torch.dtype, *, num_sensors: int = 64, num_frames: int = 3600, fps: float = 60.0, repeats: int = 7
) -> float:
    """Sensor-samples a second of ``simulate_rigid`` (median), poses in and accelerometer and gyroscope out."""
    times = np.arange(num_frames) / fps
    motions = [WristMotion.random(seed) for seed in range(num_sensors)]
    position = torch.from_numpy(np.stack([m.position(times) for m in motions])).to(dtype)
    rotation = torch.from_numpy(np.stack([m.rotation(times) for m in motions])).to(dtype)
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        simulate_rigid(position, rotation, fps=fps, rate_hz=fps)
        seconds.append(time.perf_counter() - start)
    return num_sensors * num_frames / statistics.median(seconds[1:])


def measure_difference_speed(*, num_sensors: int = 64, num_frames: int = 3600, repeats: int = 5) -> float:
    """Sensor-samples a second of :func:`difference_readings` (median), sensor after sensor."""
    times = np.arange(num_frames) / 60.0
    motion = WristMotion.random(0)
    position, rotation = motion.position(times), motion.rotation(times)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(num_sensors):
            difference_readings(position, rotation, 60.0)
        seconds.append(time.perf_counter() - start)
    return num_sensors * num_frames / statistics.median(seconds)


def error_table() -> Table:
    """Errors of every method at 20, 60 and 100 Hz."""
    table = Table(title="RMSE against closed form: accel in m/s^2 / gyro in rad/s (the same within 0.75 s of the ends)")
    table.add_column("method")
    for rate in (20, 60, 100):
        table.add_column(f"{rate} Hz", justify="right")
    for name, method in METHODS.items():
        cells = []
        for fps in (20.0, 60.0, 100.0):
            e = measure_error(method, fps)
            cells.append(f"{e.accel:.1e} / {e.gyro:.1e} ({e.accel_ends:.1e} / {e.gyro_ends:.1e})")
        table.add_row(name, *cells)
    return table


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    console = Console()
    console.print(error_table())
    speed = Table(title="Throughput, 64 sensors, 60 Hz in and out, one thread")
    speed.add_column("method")
    speed.add_column("million sensor-samples/s", justify="right")
    speed.add_row("imuforge float32", f"{measure_speed(torch.float32) / 1e6:.2f}")
    speed.add_row("imuforge float64", f"{measure_speed(torch.float64) / 1e6:.2f}")
    speed.add_row("central difference (numpy, scipy)", f"{measure_difference_speed() / 1e6:.2f}")
    console.print(speed)


if __name__ == "__main__":
    main()
