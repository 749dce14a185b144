"""What stages write for one another: windows as npz, everything small as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from datamodules.har.windows.window_set import WindowSet

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"


def save_windows(windows: WindowSet, path: Path) -> None:
    """Write windows to an ``.npz`` file."""
    with path.open("wb") as file:
        np.savez(
            file,
            signals=windows.signals,
            labels=windows.labels,
            subjects=windows.subjects.astype(np.str_),
            recording=windows.recording,
            classes=np.array(windows.classes, dtype=np.str_),
            channels=np.array(windows.channels, dtype=np.str_),
            rate_hz=np.float64(windows.rate_hz),
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
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(_finite(value), indent=1, allow_nan=False), encoding="utf-8")
    partial.replace(path)


def _finite(value: Json) -> Json:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str) or not isinstance(value, Mapping | Sequence):
        return value
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value]
