"""Arrays out of .npz and .npy files of unknown origin: numbers and text only, never objects, never a pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from sim.files import refuse_declared, refuse_pointer_file

Arrays = dict[str, NDArray[np.generic]]

SINGLE = ""
"""Key under which the one array of an .npy file stands."""

WANTED: Final[frozenset[str]] = frozenset(
    {
        *("poses", "root_orient", "pose_body", "trans", "betas", "mocap_framerate", "mocap_frame_rate"),
        *("joints", "rotations", "translation", "fps", "text"),
        *("posed_joints", "global_rot_mats", "local_rot_mats", "root_positions", "latent_denorm", "Rh"),
    }
)
"""Arrays that readers ask for; these must not be objects, others (AMASS's tables of marker names) are left out then."""


def read_arrays(path: str | Path) -> Arrays:
    """Read every array of an ``.npz`` file, or the one of an ``.npy`` file under the key ``""``.

    Arrays of objects, which only executing a pickle could read, are never read: they are left out where no reader asks
    for them, as AMASS's SMPL-X files have some, and refused elsewhere.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, empty, or holds objects where numbers are needed.
    """
    path = Path(path)
    kind = ".npy array" if path.suffix == ".npy" else ".npz archive"
    if not path.is_file():
        raise FileNotFoundError(f"motion file {path} not found; check the path")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty, expected an {kind}; fetch it again")
    refuse_pointer_file(path)
    with path.open("rb") as file:
        first = file.read(2)
    if first not in (b"PK", b"\x93N"):
        what = "a pickle, which could run code" if first[:1] == b"\x80" else "neither a zip archive nor an array"
        raise ValueError(
            f"{path} is no {kind}; expected a file written by Motion.save, or plain arrays of numpy, found {what}"
        )
    refuse_declared(path)
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {SINGLE: loaded}
        with loaded:
            taken = {name: _take(path, name, loaded) for name in loaded.files}
            return {name: array for name, array in taken.items() if array is not None}
    except ValueError as error:
        if str(path) in str(error):
            raise
        reason = "holds objects, which could run code" if "allow_pickle" in str(error) else f"is damaged ({error})"
        raise ValueError(f"{path} {reason}; expected plain numbers, save it anew without object arrays") from error
    except Exception as error:  # numpy and zipfile raise anything over a damaged file
        raise ValueError(f"{path} is damaged ({error}), expected a whole {kind}; fetch it again") from error


def list_names(path: str | Path) -> set[str]:
    """Return the names of the arrays in an archive, without reading them; none if the file is no whole archive."""
    try:
        with ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except BadZipFile:
        return set()


def read_number(path: str | Path, arrays: Arrays, key: str, meaning: str) -> float:
    """Return one positive number.

    Raises:
        ValueError: the array is not one positive finite number.
    """
    value = arrays[key]
    if value.size != 1 or value.dtype.kind not in "fiu" or not 0 < float(value.reshape(-1)[0]) < np.inf:
        raise ValueError(f"{path}: {key} is {value.tolist()!r}, expected one positive number: {meaning}")
    return float(value.reshape(-1)[0])


def finite_frames(path: str | Path, arrays: Arrays, width: int) -> NDArray[np.float64]:
    """Return the one array as frames of a motion ``(T, width)``, float64.

    Raises:
        ValueError: it is no motion of that width, or a number is not finite.
    """
    values = next(iter(arrays.values()))
    values = values[0] if values.ndim == 3 and len(values) == 1 else values
    if values.ndim != 2 or values.shape[1] != width or len(values) < 1 or values.dtype.kind not in "fiu":
        raise ValueError(
            f"{path} holds {values.dtype} {values.shape}, expected numbers (T, {width}) of one motion; write each "
            "motion to a file of its own"
        )
    bad = int((~np.isfinite(values)).any(axis=1).sum())
    if bad:
        raise ValueError(f"{path}: {bad} of {len(values)} frames are not finite, expected numbers; generate it again")
    return values.astype(np.float64)


def last_width(path: Path) -> int | None:
    """Return the length of the last axis of an ``.npy`` file that holds frames ``(T, N)`` or ``(1, T, N)``.

    None where it holds something else, or is damaged, which who reads it says.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception:  # numpy and zipfile raise anything over a damaged file
        return None
    if not isinstance(array, np.ndarray) or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[0] != 1):
        return None
    return int(array.shape[-1])


def _take(path: Path, name: str, archive: np.lib.npyio.NpzFile) -> NDArray[np.generic] | None:
    try:
        array: NDArray[np.generic] = archive[name]
    except ValueError as error:
        if "allow_pickle" in str(error):
            if name not in WANTED:
                return None
            raise ValueError(
                f"{path}: the array {name!r} holds objects, which could run code, expected numbers; save it anew as "
                "plain arrays"
            ) from error
        raise
    return array
