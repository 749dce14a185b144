"""How exact and how fast ``simulate_rigid`` is on the wrist-like motion, beside its peers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.bench.methods import Method, all_methods
from experiments.bench.wrist_motion import Array, WristMotion
from experiments.pipeline.tables import BenchTable, median_seconds
from sim import simulate_rigid

END_S: Final[float] = 0.75
"""Length of clip at each end that counts as its ends [s]."""

_NUM_SENSORS: Final[int] = 64
_NUM_FRAMES: Final[int] = 3600
_FPS: Final[float] = 60.0


@dataclass(frozen=True)
class RootMeanSquares:
    """Errors of one method at one rate, inside the clip and within 0.75 s of its ends [m/s^2] and [rad/s]."""

    accel: float
    gyro: float
    accel_ends: float
    gyro_ends: float


def measure_error(method: Method, fps: float, num_motions: int = 8) -> RootMeanSquares:
    """Root mean square error over several motions of 12 s sampled at ``fps``."""
    times = np.arange(int(12 * fps) + 1) / fps
    inner = (times >= END_S) & (times <= times[-1] - END_S)
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


@lru_cache(maxsize=1)
def _wrist_poses() -> tuple[Array, Array]:
    times = np.arange(_NUM_FRAMES) / _FPS
    motions = [WristMotion.random(seed) for seed in range(_NUM_SENSORS)]
    return np.stack([m.position(times) for m in motions]), np.stack([m.rotation(times) for m in motions])


def measure_seconds(dtype: torch.dtype, *, repeats: int = 9) -> float:
    """Median time [s] of ``simulate_rigid`` for 64 sensors and a minute at 60 Hz, poses in and readings out."""
    position, rotation = (torch.from_numpy(value).to(dtype) for value in _wrist_poses())
    return median_seconds(
        lambda: simulate_rigid(position, rotation, fps=_FPS, rate_hz=_FPS), repeats=repeats, warm_up=2
    )


def measure_peer_seconds(method: Method, *, num_sensors: int, repeats: int = 5) -> float:
    """The same of a method that takes one sensor after the other, from ``num_sensors`` of them, scaled to 64."""
    position, rotation = _wrist_poses()

    def work() -> None:
        for sensor in range(num_sensors):
            method(position[sensor], rotation[sensor], _FPS)

    return median_seconds(work, repeats=repeats) * _NUM_SENSORS / num_sensors


def error_table() -> BenchTable:
    """Errors of every method at 20, 60 and 100 Hz, inside and at the ends."""
    rows = []
    for name, method in all_methods().items():
        errors = [measure_error(method, fps) for fps in (20.0, 60.0, 100.0)]
        rows.append(
            [
                name,
                *(f"{e.accel:.1e} / {e.gyro:.1e}" for e in errors),
                *(f"{e.accel_ends:.1e} / {e.gyro_ends:.1e}" for e in errors),
            ]
        )
    return BenchTable(
        "Error against closed form: RMSE of accelerometer [m/s^2] / gyroscope [rad/s]",
        ["method", *(f"{r} Hz" for r in (20, 60, 100)), *(f"{r} Hz, ends" for r in (20, 60, 100))],
        rows,
        "Eight wrist-like motions of 12 s with peaks of 20 m/s^2 and 8 rad/s, read at the rate of their samples. Ends: "
        f"the first and the last {END_S} s, which the first three columns leave out.",
    )


def speed_table() -> BenchTable:
    """Throughput of every method, and the ratio to it."""
    own = {
        "imuforge float32": measure_seconds(torch.float32),
        "imuforge float64": measure_seconds(torch.float64),
    }
    peers = {
        name: measure_peer_seconds(method, num_sensors=1 if name.startswith("imusim") else 8)
        for name, method in all_methods().items()
        if name not in own
    }
    count = _NUM_SENSORS * _NUM_FRAMES
    fastest = own["imuforge float32"]
    rows = [
        [name, f"{count / seconds / 1e6:.3g}", f"{seconds / fastest:.3g}"] for name, seconds in {**own, **peers}.items()
    ]
    return BenchTable(
        "Throughput: 64 sensors, 60 s at 60 Hz, one thread",
        ["method", "million sensor-samples/s", "time relative to float32"],
        rows,
        "Medians of 9 runs (peers: 5, of 8 sensors or, imusim, 1, scaled). A sensor-sample is one reading of "
        "accelerometer and gyroscope; imuforge also writes gravity-free acceleration, orientation and position.",
    )
