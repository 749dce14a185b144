"""C3D files of optical markers -> MarkerRecording, through ezc3d (``pip install 'imuforge[c3d]'``), in its own process.

The format is that of https://www.c3d.org; ezc3d is Michaud & Begon 2021, doi:10.21105/joss.02911.
"""

from __future__ import annotations

import io
import json
import math
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.marker_recording import MarkerRecording, mark_unseen, strip_prefix, unit_in_metres
from sim.files import refuse_pointer

BLOCK: Final[int] = 512
KEY: Final[int] = 0x50
INTEL: Final[int] = 84
MIPS: Final[int] = 86
"""Sizes and marks of the format: bytes of a block, second byte of every file, and processors."""

_SECONDS: Final[float] = 120.0
"""Time for a file to be read, and a second more for each megabyte [s]."""


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
    if find_spec("ezc3d") is None:
        raise ModuleNotFoundError(
            f"{path} is C3D, which needs the package ezc3d; install it with pip install 'imuforge[c3d]'"
        )
    check_layout(Path(path))
    points, point = _read_apart(Path(path))
    labels, told = _name_points(_all_labels(point), points.shape[1])
    if points.shape[2] < 2 or not any(labels):
        raise ValueError(f"{path} has {len(labels)} labels, {points.shape[1:]} points and frames, expected markers")
    units = point.get("UNITS", [])
    scale = unit_m if unit_m is not None else unit_in_metres(units[0] if units else "mm", path)
    rate = fps if fps is not None else _number(point.get("RATE", []))
    if not 0 < rate < np.inf:
        raise ValueError(f"{path}: POINT:RATE is {rate}, expected > 0 Hz; pass fps=...")
    screen = "".join(point.get("Y_SCREEN", []))
    # A label that comes twice is a second trajectory of the same marker; the first is kept.
    kept = [index for index, label in enumerate(labels) if label and labels.index(label) == index]
    twice = sum(map(bool, labels)) - len(kept)
    positions = mark_unseen(points.transpose(2, 1, 0)[:, kept]) * scale
    notes = told + (f"{twice} points share a label with another",) * (twice > 0)
    up: Literal["y", "z"] = "y" if "Y" in screen.upper() else "z"
    return MarkerRecording(tuple(labels[index] for index in kept), positions, rate, up, notes)


def _read_apart(path: Path) -> tuple[NDArray[np.float64], dict[str, list[str]]]:
    """Return points ``(3, N, T)`` and what the group POINT says, by a process that may fall over."""
    command = [sys.executable, "-P", str(Path(__file__).with_name("c3d_apart.py")), str(path.absolute())]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS + path.stat().st_size / 1e6)
    except subprocess.TimeoutExpired:
        raise ValueError(f"{path} is no whole C3D file (ezc3d read on and on); fetch it again") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = said[-1] if said and done.returncode > 0 else f"ezc3d fell over it, signal {-done.returncode}"
        raise ValueError(f"{path} is no whole C3D file ({reason}); fetch it again")
    with np.load(io.BytesIO(done.stdout), allow_pickle=False) as archive:
        return archive["points"], json.loads(str(archive["point"]))


def _number(values: list[str]) -> float:
    try:
        return float(values[0])
    except (IndexError, ValueError):
        return 0.0


def _all_labels(point: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names of all points: beyond 255 they go on in LABELS2, LABELS3 ..."""
    labels = [label.strip() for label in point.get("LABELS", ())]
    number = 2
    while f"LABELS{number}" in point:
        labels += [label.strip() for label in point[f"LABELS{number}"]]
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
        _check_dimensions(data, position, pointer, path)
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


def _check_dimensions(data: bytes, position: int, pointer: int, path: Path) -> None:
    """Refuse a parameter whose dimensions ask for more bytes than are left; a group (negative number) has none."""
    if data[position + 1] >= 0x80 or pointer + 4 > len(data):
        return
    count = data[pointer + 3]
    sizes = data[pointer + 4 : pointer + 4 + count]
    need = math.prod(sizes) * abs(int.from_bytes(data[pointer + 2 : pointer + 3], signed=True))
    if need > len(data) - pointer:
        raise ValueError(
            f"{path} has a parameter of {'x'.join(map(str, sizes))} values, {need} bytes, expected at most the "
            f"{len(data) - pointer} that follow; fetch it again"
        )
