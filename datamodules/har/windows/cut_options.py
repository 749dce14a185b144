"""How recordings become windows: the options that every data module of recordings takes as its group ``cut``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class CutOptions:
    """Length, rate and content of windows.

    Attributes:
        window_s: length of a window [s].
        overlap: share of a window that the next one repeats.
        rate_hz: samples per second of the windows [Hz].
        channels: which of ``accel``, ``gyro``, ``linear_accel``; None is the first two.
        placements: which sensor sites; None takes all of the set's.
        purity: share of a window's samples that must carry its label.
    """

    window_s: float = 2.56
    overlap: float = 0.5
    rate_hz: float = 50.0
    channels: list[str] | None = None
    placements: list[str] | None = None
    purity: float = 0.9


CUT_NAMES: Final = {
    name: f"cut.{name}" for name in ("window_s", "overlap", "rate_hz", "channels", "placements", "purity")
}
"""The flat names by which these options may still be given (:mod:`sim.options`)."""
