"""The virtual IMU against real ones: simulated from the optical pose alone, compared with what the chip wrote.

BROAD (Laidig et al. 2021, doi:10.3390/data6070072): a hand-held rigid box. gaitmap: sensors on shoes beside markers.
"""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import roma
import torch
from numpy.typing import NDArray
from scipy import io as scipy_io
from scipy import signal

from sim import simulate_rigid
from sim.conventions import GRAVITY
from sim.trajectory import sample_position, uniform_times

Array = NDArray[np.float64]

TRIALS = ["01_undisturbed_slow_rotation_A", "15_undisturbed_fast_translation_A"]
# East, north, up to the simulator's frame with y up.
UPRIGHT = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=torch.float64)


@dataclass(frozen=True)
class Agreement:
    """Root mean square error and mean correlation of the three axes."""

    error: float
    correlation: float


def _member(archive: Path, ending: str) -> io.BytesIO:
    with tarfile.open(archive) as tar:
        name = next(n for n in tar.getnames() if n.endswith(ending))
        file = tar.extractfile(name)
        assert file is not None
        return io.BytesIO(file.read())


def _low_pass(values: Array, corner_hz: float, rate_hz: float) -> Array:
    sections = signal.butter(2, corner_hz, fs=rate_hz, output="sos")
    return np.asarray(signal.sosfiltfilt(sections, values, axis=0))


def _compare(simulated: Array, real: Array) -> Agreement:
    correlations = [np.corrcoef(simulated[:, k], real[:, k])[0, 1] for k in range(simulated.shape[1])]
    return Agreement(float(np.sqrt(np.mean((simulated - real) ** 2))), float(np.mean(correlations)))


def _stretches(trial: dict[str, Array]) -> list[slice]:
    """Stretches of at least 5 s of movement in which the markers were seen throughout."""
    seen = np.isfinite(trial["opt_pos"]).all(axis=1) & np.isfinite(trial["opt_quat"]).all(axis=1)
    good = np.concatenate([[False], seen & trial["movement"].ravel().astype(bool), [False]])
    edges = np.flatnonzero(np.diff(good.astype(int)))
    return [slice(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > 5 * 286]


def _simulate_stretch(trial: dict[str, Array], part: slice, rate_hz: float) -> tuple[Array, Array]:
    """Return the gyroscope (T, 3), and the accelerometer (4, T, 3) at the marker and 1 m along each of its axes."""
    quaternion = torch.from_numpy(trial["opt_quat"][part])
    rotation = UPRIGHT @ roma.unitquat_to_rotmat(quaternion[:, [1, 2, 3, 0]])
    position = torch.from_numpy(trial["opt_pos"][part]) @ UPRIGHT.mT
    arms = torch.cat([torch.zeros(1, 3, dtype=torch.float64), torch.eye(3, dtype=torch.float64)])
    places = position + (rotation @ arms[:, None, :, None])[..., 0]
    recording = simulate_rigid(places, rotation.expand(4, -1, -1, -1), fps=rate_hz, rate_hz=rate_hz)
    return recording.gyro[0, :, 0].numpy(), recording.accel[:, :, 0].numpy()


@pytest.mark.parametrize(("name", "accel_error", "gyro_error"), [(TRIALS[0], 0.25, 0.09), (TRIALS[1], 0.42, 0.18)])
def test_broad(shared, name, accel_error, gyro_error):
    trial = scipy_io.loadmat(_member(shared / "data" / "imu" / "broad.tar.xz", f"{name}.mat"))
    rate_hz = float(trial["sampling_rate"].item())
    gyros, accels, real_gyros, real_accels = [], [], [], []
    for part in _stretches(trial):
        gyro, accel = _simulate_stretch(trial, part, rate_hz)
        # The filter's and the spline's ends: half a second each.
        inside = slice(143, -143)
        gyros.append(_low_pass(gyro, 20, rate_hz)[inside])
        accels.append(np.stack([_low_pass(a, 20, rate_hz)[inside] for a in accel]))
        real_gyros.append(_low_pass(trial["imu_gyr"][part], 20, rate_hz)[inside])
        real_accels.append(_low_pass(trial["imu_acc"][part], 20, rate_hz)[inside])
    at_marker, *offsets = np.concatenate(accels, axis=1)
    real_accel = np.concatenate(real_accels)
    # Where the chip sits in the box is not given; the reading is linear in that lever arm, so it is solved for.
    design = np.stack([(offset - at_marker).ravel() for offset in offsets], axis=1)
    lever_arm, *_ = np.linalg.lstsq(design, (real_accel - at_marker).ravel(), rcond=None)
    accel = _compare(at_marker + (design @ lever_arm).reshape(-1, 3), real_accel)
    gyro = _compare(np.concatenate(gyros), np.concatenate(real_gyros))
    # Two trials, fitted apart, put the chip in the same place: 10 to 12 mm along z from the markers' frame.
    np.testing.assert_allclose(lever_arm, [0.0, 0.0, 0.011], atol=0.003)
    assert accel.correlation > 0.995
    assert accel.error < accel_error
    assert gyro.correlation > 0.988
    assert gyro.error < gyro_error


@pytest.mark.parametrize("side", ["left", "right"])
def test_gaitmap_heel(shared, side):
    """Only markers, no orientation: the length of the specific force. The sensor sits a few cm from the heel's marker.

    Vectors are low-passed before their length is taken, too: marker jitter does not average out of a length.
    """
    archive = shared / "data" / "imu" / "gaitmap.tar.xz"
    imu = pd.read_csv(_member(archive, "example_data/imu_sample.csv"), header=[0, 1], index_col=0)
    markers = pd.read_csv(_member(archive, "example_data/mocap_sample.csv"), header=[0, 1], index_col=0)
    heel = torch.from_numpy(markers[f"{side[0].upper()}_FCC"].to_numpy() / 1000)
    times = uniform_times(len(heel), fps=100.0, rate_hz=204.8)
    # The laboratory's z is up; the length needs no more than gravity along it.
    accel = sample_position(heel, fps=100.0, times_s=times, derivative=2).numpy() - np.array(GRAVITY)[[0, 2, 1]]
    real = imu[f"{side}_sensor"][["acc_x", "acc_y", "acc_z"]].to_numpy()[: len(accel)]
    simulated_length, real_length = (
        _low_pass(np.linalg.norm(_low_pass(values[: len(real)], 8, 204.8), axis=1, keepdims=True), 8, 204.8)[100:-100]
        for values in (accel, real)
    )
    agreement = _compare(simulated_length, real_length)
    assert agreement.correlation > 0.95
    assert agreement.error < 2.8
