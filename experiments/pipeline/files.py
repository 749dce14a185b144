"""What stages write for one another: windows as npz, everything small as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from datamodules.har.windows.window_set import WindowSet
from sim.files import read_text_file, whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"


def save_arrays(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Write arrays to an ``.npz`` file, whole or not at all."""
    with whole_file(path) as part, part.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes every keyword for allow_pickle


def save_windows(windows: WindowSet, path: Path) -> None:
    """Write windows to an ``.npz`` file, whole or not at all."""
    save_arrays(
        path,
        {
            "signals": windows.signals,
            "labels": windows.labels,
            "subjects": windows.subjects.astype(np.str_),
            "recording": windows.recording,
            "classes": np.array(windows.classes, dtype=np.str_),
            "channels": np.array(windows.channels, dtype=np.str_),
            "rate_hz": np.array(windows.rate_hz, dtype=np.float64),
        },
    )


def load_windows(path: Path) -> WindowSet:
    """Read windows written by :func:`save_windows`."""
    with np.load(path, allow_pickle=False) as data:
        return WindowSet(
            signals=data["signals"],
            labels=data["labels"],
            subjects=data["subjects"],
            recording=data["recording"],
            classes=tuple(str(name) for name in data["classes"]),
            channels=tuple(str(name) for name in data["channels"]),
            rate_hz=float(data["rate_hz"]),
        )


def write_json(value: Json, path: Path) -> None:
    """Write JSON that any reader takes (numbers that are not finite become null), whole or not at all."""
    write_text(json.dumps(_finite(value), indent=1, allow_nan=False), path)


def read_json(path: Path) -> object:
    """Read JSON, such as :func:`write_json` wrote.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        return json.loads(read_text_file(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no JSON ({error}), expected what this program wrote; make it anew") from None


def as_json(value: object) -> Json:
    """Return a dictionary of plain values as the JSON value that it is; the type checker cannot know."""
    return cast(Json, value)


def write_text(text: str, path: Path) -> None:
    """Write text as UTF-8, whole or not at all."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def save_picture(figure: Figure, path: Path, *, dpi: int = 110) -> None:
    """Write a figure as PNG, whole or not at all."""
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=dpi)


def _finite(value: Json) -> Json:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str) or not isinstance(value, Mapping | Sequence):
        return value
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value]
