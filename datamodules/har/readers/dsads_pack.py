"""DSADS as one file of numpy arrays: a selection of its segments, rounded to whole steps of int16.

What such a file holds: ``accel`` and ``gyro`` ``(N, T, 5, 3)`` whole numbers, times ``accel_scale`` [m/s^2] and
``gyro_scale`` [rad/s]; ``activity`` (``a01`` to ``a19``), ``subject`` and ``segment`` ``(N,)``; ``units (5,)`` and
``rate_hz``, which only confirm what is known of the set. The embedded one keeps ``accel_planes`` and ``gyro_planes``
``(2, 15, N T)`` in their place: differences from sample to sample within a segment, byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datamodules.byte_planes import gather_bytes, spread_bytes
from datamodules.har.recordings.reading import Reading, SetFiles
from datamodules.har.recordings.recording import Recording
from sim.files import list_files, whole_file

UNITS: Final = ("torso", "right_arm", "left_arm", "right_leg", "left_leg")
"""The set's own names of its five units, in the order of its columns."""

Record = Callable[[NDArray[np.float64], NDArray[np.float64], str, str, str, str], Recording]
"""Makes a recording of acceleration and rate ``(T, 5, 3)``, activity folder, subject, segment and the file."""

EMBEDDED: Final = Path(__file__).parents[2] / "assets" / "dsads.npz"
"""The part of the set that comes with this package (``datamodules/assets/build_dsads.py`` says what was chosen)."""

EMBEDDED_ACTIVITIES: Final = ("a01", "a02", "a03", "a04", "a05", "a06", "a09", "a12", "a18")
"""Activity folders of the embedded part."""

STEP_ACCEL: Final = 0.02
"""Step of the embedded acceleration [m/s^2]: rounding adds 0.006 RMS, less than the noise itself (decision 050)."""

STEP_GYRO: Final = 0.005
"""Step of the embedded angular rate [rad/s]: rounding adds 0.0014 RMS, less than the noise itself (decision 050)."""

_ARRAYS: Final = ("accel", "gyro", "accel_scale", "gyro_scale", "activity", "subject", "segment", "units", "rate_hz")


def find_pack(root: Path | None, files: SetFiles) -> Path | None:
    """Return the file of arrays that a root is or holds, if the root does not hold the set's own text files.

    Where there is no root it is the embedded one.

    Raises:
        ValueError: a folder holds several.
    """
    if root is None:
        return EMBEDDED
    if files.is_there(root):
        return None
    if root.is_file():
        return root if root.suffix.lower() == ".npz" else None
    found = sorted(path for path in list_files(root) if path.suffix == ".npz" and "dsads" in path.name.lower())
    if len(found) > 1:
        raise ValueError(f"{root} holds {', '.join(path.name for path in found)}, expected one; give that file as root")
    return found[0] if found else None


def read_pack(path: Path, reading: Reading, *, rate_hz: float, record: Record) -> Iterator[Recording]:
    """Read a file of arrays, segment after segment.

    Args:
        path: the file.
        reading: rules of this pass.
        rate_hz: sampling rate of the set [Hz].
        record: makes a recording of a segment.

    Raises:
        ValueError: the file is damaged, lacks an array, or its arrays do not fit together.
    """
    yield from reading.each([path], lambda found: _parse(found, rate_hz, record))


def write_embedded(path: Path, segments: Sequence[Recording], folders: Mapping[str, str]) -> None:
    """Write the embedded file: segments rounded to :data:`STEP_ACCEL` and :data:`STEP_GYRO`.

    Args:
        path: the ``.npz``.
        segments: of this set, all of one length, named ``dsads/FOLDER/SUBJECT/sNN``.
        folders: activity -> folder, which is what is kept of it.

    Raises:
        ValueError: a value is too large to be kept in 16 bits.
    """
    planes = {}
    for name, step in (("accel", STEP_ACCEL), ("gyro", STEP_GYRO)):
        # Seconds in which the units were silent are zeros in the set, and NaN once it has been read.
        values = np.nan_to_num(np.stack([getattr(each, name) for each in segments]))
        whole = np.rint(values.astype(np.float64) / step)
        if np.abs(whole).max() > np.iinfo(np.int16).max:
            raise ValueError(f"{name} reaches {np.abs(values).max():.1f}, too large for 16 bits in steps of {step}")
        # Differences add up again modulo 2^16.
        apart = np.diff(whole.astype(np.int16), axis=1, prepend=np.int16(0))
        planes[f"{name}_planes"] = spread_bytes(apart.reshape(-1, 3 * len(UNITS)))
    with whole_file(path) as part, part.open("wb") as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            **planes,
            accel_scale=STEP_ACCEL,
            gyro_scale=STEP_GYRO,
            activity=np.array([folders[str(each.labels)] for each in segments]),
            subject=np.array([each.subject for each in segments]),
            segment=np.array([int(each.trial.rpartition("/s")[2]) for each in segments]),
            units=np.array(UNITS),
            rate_hz=segments[0].rate_hz,
        )


def _parse(path: Path, rate_hz: float, record: Record) -> list[Recording]:
    arrays = _load(path)
    accel, gyro, activity = arrays["accel"], arrays["gyro"], arrays["activity"]
    if accel.ndim != 4 or accel.shape != gyro.shape or accel.shape[2:] != (len(UNITS), 3):
        raise ValueError(f"{path} has accel {accel.shape} and gyro {gyro.shape}, expected (N, T, {len(UNITS)}, 3) both")
    for name in ("activity", "subject", "segment"):
        if arrays[name].shape != accel.shape[:1]:
            raise ValueError(f"{path} has {name} {arrays[name].shape}, expected one for each of {len(accel)} segments")
    if tuple(arrays["units"].tolist()) != UNITS or float(arrays["rate_hz"]) != rate_hz:
        raise ValueError(
            f"{path} has units {arrays['units'].tolist()} at {arrays['rate_hz']} Hz, expected {list(UNITS)} at "
            f"{rate_hz:g} Hz"
        )
    scales = float(arrays["accel_scale"]), float(arrays["gyro_scale"])
    if not all(np.isfinite(scale) and scale > 0 for scale in scales):
        raise ValueError(f"{path} has accel_scale and gyro_scale {scales}, expected numbers > 0")
    return [
        record(
            accel[n] * scales[0], gyro[n] * scales[1], str(activity[n]), str(subject), f"s{int(segment):02d}", path.name
        )
        for n, (subject, segment) in enumerate(zip(arrays["subject"], arrays["segment"], strict=True))
    ]


def _load(path: Path) -> dict[str, NDArray[np.generic]]:
    with np.load(path, allow_pickle=False) as data:
        arrays = {name: data[name] for name in data.files}
    for name in ("accel", "gyro"):
        if name not in arrays and f"{name}_planes" in arrays and "segment" in arrays:
            apart = gather_bytes(arrays[f"{name}_planes"]).reshape(len(arrays["segment"]), -1, len(UNITS), 3)
            arrays[name] = np.cumsum(apart, axis=1, dtype=np.int16)
    missing = [name for name in _ARRAYS if name not in arrays]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}, expected the arrays {', '.join(_ARRAYS)}")
    return arrays
