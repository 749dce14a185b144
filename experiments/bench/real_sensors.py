"""The virtual IMU against real ones: simulated from the optical pose alone, compared with what the chip wrote.

BROAD (Laidig et al. 2021, doi:10.3390/data6070072): a hand-held rigid box beside its optical pose, east-north-up.
gaitmap: sensors on shoes beside a marker on the heel. Both archives are development data, not part of this repository.
"""

from __future__ import annotations

import io
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import roma
import torch
from numpy.typing import NDArray
from scipy import io as scipy_io
from scipy import signal

from experiments.pipeline.tables import BenchTable
from sim import simulate_rigid
from sim.conventions import GRAVITY
from sim.trajectory import sample_position, uniform_times

Array = NDArray[np.float64]

BROAD_TRIALS: Final = ("01_undisturbed_slow_rotation_A", "15_undisturbed_fast_translation_A")

_BROAD_CORNER_HZ: Final[float] = 20.0
_GAIT_CORNER_HZ: Final[float] = 8.0
# East, north, up to the simulator's frame with y up.
_UPRIGHT: Final = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))


@dataclass(frozen=True)
class RealAgreement:
    """Root mean square error [m/s^2] or [rad/s] and the mean correlation of the axes."""

    error: float
    correlation: float


def find_recordings() -> Path | None:
    """Return the folder of the archives, in ``$IMUFORGE_SHARED`` or beside the repository, or None."""
    beside = Path(__file__).resolve().parents[2].parent / "shared"
    folder = Path(os.environ.get("IMUFORGE_SHARED", beside)) / "data" / "imu"
    return folder if folder.is_dir() else None


def compare_broad(folder: Path, trial: str) -> tuple[RealAgreement, RealAgreement, Array]:
    """Compare one BROAD trial, both sides low-passed at 20 Hz.

    Where the chip sits in the box is not given; the reading is linear in that lever arm, so it is fitted.

    Returns:
        Agreement of accelerometer and of gyroscope, and the lever arm ``(3,)`` [m].
    """
    # SciPy reads from open files, though its stubs know of paths only.
    values = scipy_io.loadmat(_open_member(folder / "broad.tar.xz", f"{trial}.mat"))  # type: ignore[arg-type]
    rate_hz = float(values["sampling_rate"].item())
    # The filter's and the spline's ends: half a second each.
    inside = slice(143, -143)
    gyros, accels, real_gyros, real_accels = [], [], [], []
    for part in _stretches(values):
        gyro, accel = _simulate_stretch(values, part, rate_hz)
        gyros.append(_low_pass(gyro, _BROAD_CORNER_HZ, rate_hz)[inside])
        accels.append(np.stack([_low_pass(a, _BROAD_CORNER_HZ, rate_hz)[inside] for a in accel]))
        real_gyros.append(_low_pass(values["imu_gyr"][part], _BROAD_CORNER_HZ, rate_hz)[inside])
        real_accels.append(_low_pass(values["imu_acc"][part], _BROAD_CORNER_HZ, rate_hz)[inside])
    at_marker, *offsets = np.concatenate(accels, axis=1)
    real_accel = np.concatenate(real_accels)
    design = np.stack([(offset - at_marker).ravel() for offset in offsets], axis=1)
    lever_arm, *_ = np.linalg.lstsq(design, (real_accel - at_marker).ravel(), rcond=None)
    accel = at_marker + (design @ lever_arm).reshape(-1, 3)
    return _agree(accel, real_accel), _agree(np.concatenate(gyros), np.concatenate(real_gyros)), lever_arm


def compare_heel(folder: Path, side: str) -> RealAgreement:
    """Compare the length of the specific force at a heel, both sides low-passed at 8 Hz.

    There are only markers, no orientation, and the sensor sits a few centimetres from the heel's marker. Vectors are
    low-passed before their length is taken, too: marker jitter does not average out of a length.
    """
    archive = folder / "gaitmap.tar.xz"
    imu = pd.read_csv(_open_member(archive, "example_data/imu_sample.csv"), header=[0, 1], index_col=0)
    markers = pd.read_csv(_open_member(archive, "example_data/mocap_sample.csv"), header=[0, 1], index_col=0)
    heel = torch.from_numpy(markers[f"{side[0].upper()}_FCC"].to_numpy() / 1000)
    times = uniform_times(len(heel), fps=100.0, rate_hz=204.8)
    # The laboratory's z is up; the length needs no more than gravity along it.
    accel = sample_position(heel, fps=100.0, times_s=times, derivative=2).numpy() - np.array(GRAVITY)[[0, 2, 1]]
    real = imu[f"{side}_sensor"][["acc_x", "acc_y", "acc_z"]].to_numpy()[: len(accel)]
    lengths = []
    for values in (accel, real):
        smooth = _low_pass(values[: len(real)], _GAIT_CORNER_HZ, 204.8)
        length = np.linalg.norm(smooth, axis=1, keepdims=True)
        lengths.append(_low_pass(length, _GAIT_CORNER_HZ, 204.8)[100:-100])
    return _agree(lengths[0], lengths[1])


def real_sensor_table() -> BenchTable | None:
    """Agreement with every recording, or None where the archives are absent."""
    folder = find_recordings()
    if folder is None:
        return None
    rows: list[list[str]] = []
    for trial in BROAD_TRIALS:
        accel, gyro, _ = compare_broad(folder, trial)
        rows.append([f"BROAD {trial[:2]}, accelerometer", f"{accel.correlation:.4f}", f"{accel.error:.3f} m/s^2"])
        rows.append([f"BROAD {trial[:2]}, gyroscope", f"{gyro.correlation:.4f}", f"{gyro.error:.3f} rad/s"])
    for side in ("left", "right"):
        heel = compare_heel(folder, side)
        rows.append([f"gaitmap {side} heel, length", f"{heel.correlation:.4f}", f"{heel.error:.3f} m/s^2"])
    return BenchTable(
        "Against real sensors, from the optical pose alone",
        ["recording", "correlation, mean of axes", "RMSE"],
        rows,
        "BROAD low-passed at 20 Hz, lever arm fitted; gaitmap at 8 Hz, the sensor a few centimetres from the marker.",
    )


def _open_member(archive: Path, ending: str) -> io.BytesIO:
    with tarfile.open(archive) as tar:
        name = next((n for n in tar.getnames() if n.endswith(ending)), None)
        file = None if name is None else tar.extractfile(name)
        if file is None:
            raise ValueError(f"{archive} has no {ending}, expected the archive as shared; copy it anew")
        return io.BytesIO(file.read())


def _low_pass(values: Array, corner_hz: float, rate_hz: float) -> Array:
    sections = signal.butter(2, corner_hz, fs=rate_hz, output="sos")
    return np.asarray(signal.sosfiltfilt(sections, values, axis=0))


def _agree(simulated: Array, real: Array) -> RealAgreement:
    correlations = [np.corrcoef(simulated[:, k], real[:, k])[0, 1] for k in range(simulated.shape[1])]
    return RealAgreement(float(np.sqrt(np.mean((simulated - real) ** 2))), float(np.mean(correlations)))


def _stretches(trial: dict[str, Array]) -> list[slice]:
    """Stretches of at least 5 s of movement in which the markers were seen throughout."""
    seen = np.isfinite(trial["opt_pos"]).all(axis=1) & np.isfinite(trial["opt_quat"]).all(axis=1)
    good = np.concatenate([[False], seen & trial["movement"].ravel().astype(bool), [False]])
    edges = np.flatnonzero(np.diff(good.astype(int)))
    return [slice(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > 5 * 286]


def _simulate_stretch(trial: dict[str, Array], part: slice, rate_hz: float) -> tuple[Array, Array]:
    """Return the gyroscope (T, 3), and the accelerometer (4, T, 3) at the marker and 1 m along each of its axes."""
    upright = torch.tensor(_UPRIGHT, dtype=torch.float64)
    quaternion = torch.from_numpy(trial["opt_quat"][part])
    rotation = upright @ roma.unitquat_to_rotmat(quaternion[:, [1, 2, 3, 0]])
    position = torch.from_numpy(trial["opt_pos"][part]) @ upright.mT
    arms = torch.cat([torch.zeros(1, 3, dtype=torch.float64), torch.eye(3, dtype=torch.float64)])
    places = position + (rotation @ arms[:, None, :, None])[..., 0]
    recording = simulate_rigid(places, rotation.expand(4, -1, -1, -1), fps=rate_hz, rate_hz=rate_hz)
    return recording.gyro[0, :, 0].numpy(), recording.accel[:, :, 0].numpy()
