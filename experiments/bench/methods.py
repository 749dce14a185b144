"""Ways to turn sampled poses into sensor readings: this project's, and the peers that it is measured against.

``imusim`` is x-io Technologies' package (MIT); it comes with the extra ``bench`` and is left out if absent.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from scipy.interpolate import make_interp_spline
from scipy.spatial.transform import Rotation, RotationSpline

from experiments.bench.wrist_motion import Array, WristReadings
from sim import simulate_rigid
from sim.conventions import GRAVITY, STANDARD_GRAVITY

Method = Callable[[Array, Array, float], WristReadings]
"""From positions (T, 3) [m], rotations (T, 3, 3) and their rate [Hz] to readings at the same times."""

_UPRIGHT: Final[Array] = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""From this project's world, Y up, to imusim's, Z up."""


def spline_readings(position: Array, rotation: Array, fps: float, dtype: torch.dtype = torch.float64) -> WristReadings:
    """What ``simulate_rigid`` reads at the samples of the given poses."""
    recording = simulate_rigid(
        torch.from_numpy(position).to(dtype), torch.from_numpy(rotation).to(dtype), fps=fps, rate_hz=fps
    )
    return recording.accel[:, 0].double().numpy(), recording.gyro[:, 0].double().numpy()


def float32_readings(position: Array, rotation: Array, fps: float) -> WristReadings:
    """The same in float32."""
    return spline_readings(position, rotation, fps, torch.float32)


def difference_readings(position: Array, rotation: Array, fps: float) -> WristReadings:
    """Central differences: the second difference of position, and the turn from the frame before to the one after."""
    accel = np.gradient(np.gradient(position, 1 / fps, axis=0), 1 / fps, axis=0)
    accel[1:-1] = np.diff(position, 2, axis=0) * fps**2
    turned = Rotation.from_matrix(rotation)
    rate = np.zeros_like(position)
    rate[1:-1] = (turned[:-2].inv() * turned[2:]).as_rotvec() * (fps / 2)
    rate[[0, -1]] = rate[[1, -2]]
    return np.einsum("tji,tj->ti", rotation, accel - np.array(GRAVITY)), rate


def scipy_readings(position: Array, rotation: Array, fps: float) -> WristReadings:
    """SciPy's quintic interpolating spline and its RotationSpline."""
    times = np.arange(len(position)) / fps
    accel = make_interp_spline(times, position, k=5)(times, 2)
    rate = RotationSpline(times, Rotation.from_matrix(rotation))(times, 1)
    return np.einsum("tji,tj->ti", rotation, accel - np.array(GRAVITY)), np.asarray(rate)


def imusim_readings(position: Array, rotation: Array, fps: float) -> WristReadings:
    """x-io's imusim, through the CSV that it reads; in g and deg/s, with Z up and 9.8 m/s^2."""
    module = importlib.import_module("imusim")
    times = np.arange(len(position)) / fps
    quaternion = Rotation.from_matrix(_UPRIGHT @ rotation).as_quat()[:, [3, 0, 1, 2]]
    table = io.StringIO()
    np.savetxt(
        table, np.column_stack([times, position @ _UPRIGHT.T, quaternion]), delimiter=",", header="t", fmt="%.17g"
    )
    table.seek(0)
    read = module.Simulator(table)
    accel, gyro = np.asarray(read.accelerometer) * STANDARD_GRAVITY, np.radians(np.asarray(read.gyroscope))
    # Its clock may end one sample early; the last reading stands in for it.
    missing = ((0, max(0, len(times) - len(accel))), (0, 0))
    return np.pad(accel, missing, mode="edge")[: len(times)], np.pad(gyro, missing, mode="edge")[: len(times)]


def all_methods() -> dict[str, Method]:
    """Return every method that is installed, by its name in the tables."""
    methods: dict[str, Method] = {
        "imuforge float64": spline_readings,
        "imuforge float32": float32_readings,
        "scipy splines": scipy_readings,
        "central difference": difference_readings,
    }
    if importlib.util.find_spec("imusim") is not None:
        methods["imusim (x-io)"] = imusim_readings
    return methods
