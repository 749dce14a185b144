"""C3D files of optical markers -> MarkerRecording, through ezc3d (``pip install 'imuforge[c3d]'``).

The format is that of https://www.c3d.org; ezc3d is Michaud & Begon 2021, doi:10.21105/joss.02911.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from datamodules.formats.marker_recording import MarkerRecording, mark_unseen, unit_in_metres


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
    try:
        file = ezc3d.c3d(str(path))
    except (OSError, RuntimeError, ValueError, IndexError, MemoryError) as error:
        raise ValueError(f"{path} is no whole C3D file ({error}); fetch it again") from error
    point = file["parameters"]["POINT"]
    points = np.asarray(file["data"]["points"], dtype=np.float64)[:3]
    labels = _strip_prefix([str(label).strip() for label in _values(point, "LABELS")])
    if points.shape[2] < 2 or not 0 < len(labels) == points.shape[1]:
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
    positions = mark_unseen(points.transpose(2, 1, 0)[:, kept]) * scale
    notes = (f"{len(labels) - len(kept)} points share a label with another or have none",) * (len(kept) < len(labels))
    up: Literal["y", "z"] = "y" if "Y" in screen.upper() else "z"
    return MarkerRecording(tuple(labels[index] for index in kept), positions, rate, up, notes)


def _values(group: Mapping[str, Mapping[str, Sequence[object]]], name: str) -> Sequence[object]:
    return group[name]["value"] if name in group else ()


def _strip_prefix(labels: list[str]) -> list[str]:
    prefixes = {label.rpartition(":")[0] for label in labels}
    return [label.rpartition(":")[2] for label in labels] if len(prefixes) == 1 else labels
