"""C3D files of optical markers -> MarkerRecording, through ezc3d (``pip install 'imuforge[c3d]'``).

The format is that of https://www.c3d.org; ezc3d is Michaud & Begon 2021, doi:10.21105/joss.02911.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np

from datamodules.formats.marker_recording import MarkerRecording, mark_unseen, strip_prefix, unit_in_metres
from sim.files import refuse_pointer

BLOCK: Final[int] = 512
KEY: Final[int] = 0x50
INTEL: Final[int] = 84
MIPS: Final[int] = 86
"""Sizes and marks of the format: bytes of a block, second byte of every file, and processors."""


def read_c3d(path: str | Path, *, fps: float | None = None, unit_m: float | None = None) -> MarkerRecording:
    """Read the markers of a C3D file; force plates and other analogue channels are left alone.

    Args:
        path: a ``.c3d`` file.
        fps: frame rate [Hz] where the file's is known to be wrong.
        unit_m: metres per unit where the file's is known to be wrong.

    Returns:
        The markers in metres. The axis that points up is Z, as laboratories have it, unless the file's ``Y_SCREEN``
        says that it is Y. A prefix that all labels share (``subject:LASI``) is taken off.

    Raises:
        FileNotFoundError: there is no such file.
        ModuleNotFoundError: ezc3d is not installed.
        ValueError: the file is damaged or holds no markers.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"motion file {path} not found; check the path")
    try:
        import ezc3d
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path} is C3D, which needs the package ezc3d; install it with pip install 'imuforge[c3d]'"
        ) from error
    check_layout(Path(path))
    try:
        file = ezc3d.c3d(str(path))
    except (OSError, RuntimeError, ValueError, IndexError, MemoryError) as error:
        raise ValueError(f"{path} is no whole C3D file ({error}); fetch it again") from error
    point = file["parameters"]["POINT"]
    points = np.asarray(file["data"]["points"], dtype=np.float64)[:3]
    labels, told = _name_points(_all_labels(point), points.shape[1])
    if points.shape[2] < 2 or not any(labels):
        raise ValueError(f"{path} has {len(labels)} labels, {points.shape[1:]} points and frames, expected markers")
    units = [str(unit) for unit in _values(point, "UNITS")]
    scale = unit_m if unit_m is not None else unit_in_metres(units[0] if units else "mm", path)
    rates = [float(str(rate)) for rate in _values(point, "RATE")]
    rate = fps if fps is not None else rates[0] if rates else 0.0
    if not 0 < rate < np.inf:
        raise ValueError(f"{path}: POINT:RATE is {rate}, expected > 0 Hz; pass fps=...")
    screen = "".join(str(value) for value in _values(point, "Y_SCREEN"))
    # A label that comes twice is a second trajectory of the same marker; the first is kept.
    kept = [index for index, label in enumerate(labels) if label and labels.index(label) == index]
    twice = sum(map(bool, labels)) - len(kept)
    positions = mark_unseen(points.transpose(2, 1, 0)[:, kept]) * scale
    notes = told + (f"{twice} points share a label with another",) * (twice > 0)
    up: Literal["y", "z"] = "y" if "Y" in screen.upper() else "z"
    return MarkerRecording(tuple(labels[index] for index in kept), positions, rate, up, notes)


def _all_labels(point: Mapping[str, Mapping[str, Sequence[object]]]) -> list[str]:
    """Return the names of all points: beyond 255 they go on in LABELS2, LABELS3 ..."""
    labels = [str(label).strip() for label in _values(point, "LABELS")]
    number = 2
    while f"LABELS{number}" in point:
        labels += [str(label).strip() for label in _values(point, f"LABELS{number}")]
        number += 1
    return labels


def _name_points(labels: list[str], count: int) -> tuple[list[str], tuple[str, ...]]:
    """Return a label for each point, empty for those that the file does not name, and a note on them."""
    named = [label for label in labels if label]
    bare = strip_prefix(named)
    short = dict(zip(named, bare, strict=True))
    given = [short.get(label, "") for label in labels][:count]
    unnamed = count - sum(map(bool, given))
    told = (f"{unnamed} of {count} points have no label; left out",) if unnamed else ()
    if any(labels[count:]):
        told = (*told, f"{len(labels) - count} labels have no point")
    return given + [""] * (count - len(given)), told


def check_layout(path: Path) -> None:
    """Check that a C3D file is whole: ezc3d reads on and on in one that is not.

    Looked at are the key of the header, the chain of parameters, and whether the frames that the header counts are
    there.

    Raises:
        ValueError: one of these is not so.
    """
    data = path.read_bytes()
    refuse_pointer(data, path)
    expected = "expected a whole C3D file; fetch it again"
    if len(data) < 2 * BLOCK or data[1] != KEY or BLOCK * (data[0] - 1) + 4 > len(data) or data[0] < 2:
        raise ValueError(f"{path} ({len(data)} bytes) does not begin as C3D does, {expected}")
    start = BLOCK * (data[0] - 1)
    order = ">" if data[start + 3] == MIPS else "<"
    position = start + 4
    # Each group or parameter: length of its name, its group, its name, and how far on the next one is; 0 is the last.
    while position + 2 < len(data) and data[position] != 0:
        length = abs(int.from_bytes(data[position : position + 1], signed=True))
        pointer = position + 2 + length
        if pointer + 2 > len(data):
            raise ValueError(f"{path} ends within its parameters, {expected}")
        (ahead,) = struct.unpack_from(f"{order}H", data, pointer)
        if ahead == 0:
            break
        position = pointer + ahead
    else:
        if position + 2 >= len(data):
            raise ValueError(f"{path} has parameters that lead beyond its end, {expected}")
    points, analogue, first, last = struct.unpack_from(f"{order}4H", data, 2)
    (block,) = struct.unpack_from(f"{order}H", data, 16)
    # Words are of four bytes where the scale is negative. VAX's floats have their sign in the second byte as well.
    size = 4 if (data[12] if order == ">" else data[15 if data[start + 3] == INTEL else 13]) & 0x80 else 2
    need = BLOCK * (block - 1) + max(0, last - first + 1) * size * (4 * points + analogue)
    if need > len(data):
        raise ValueError(f"{path} has {len(data)} bytes, its header promises {need} at least: cut off, {expected}")


def _values(group: Mapping[str, Mapping[str, Sequence[object]]], name: str) -> Sequence[object]:
    return group[name]["value"] if name in group else ()
