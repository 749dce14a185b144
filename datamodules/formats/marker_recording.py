"""MarkerRecording: what the readers of optical markers return, before a body is fitted to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from datamodules.formats.skeleton import Z_UP_TO_Y_UP, FloatArray, Up

UNITS_M: Final[dict[str, float]] = {"mm": 1e-3, "cm": 1e-2, "dm": 0.1, "m": 1.0}
"""Metres per unit, by the names that files give it."""


@dataclass(frozen=True)
class MarkerRecording:
    """Named markers over time, in metres.

    Attributes:
        names: the M markers, each once.
        positions: ``(T, M, 3)`` [m]; NaN where a marker was not seen.
        fps: frames per second [Hz].
        up: the axis of the file that points up.
        notes: what the file says of itself that its data contradict, in words.
    """

    names: tuple[str, ...]
    positions: FloatArray
    fps: float
    up: Up
    notes: tuple[str, ...] = ()

    def turned_up(self) -> MarkerRecording:
        """Return the recording with Y up."""
        if self.up == "y":
            return self
        return replace(self, positions=self.positions @ Z_UP_TO_Y_UP.T, up="y")


def unit_in_metres(unit: str, path: object) -> float:
    """Return metres per unit.

    Raises:
        ValueError: the unit is not one of length.
    """
    found = UNITS_M.get(unit.strip().lower())
    if found is None:
        raise ValueError(
            f"{path} is in units of {unit!r}, expected one of {', '.join(UNITS_M)}; pass unit_m=... (0.001 for mm)"
        )
    return found


def mark_unseen(positions: FloatArray) -> FloatArray:
    """Return positions with NaN for markers at the very origin, by which most programs write "not seen"."""
    unseen = ~np.isfinite(positions).all(axis=-1) | (positions == 0).all(axis=-1)
    return np.where(unseen[..., None], np.nan, positions)


def strip_prefix(labels: list[str]) -> list[str]:
    """Take a subject's name off markers that all share it: ``bob:LASI`` is ``LASI``."""
    prefixes = {label.rpartition(":")[0] for label in labels}
    return [label.rpartition(":")[2] for label in labels] if len(prefixes) == 1 else labels
