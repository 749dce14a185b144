"""What a motion file says of time: rates out of rounded periods, and frames whose numbers or times skip."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

import numpy as np

from datamodules.formats.skeleton import FloatArray

SUSPICIOUS: Final[str] = "suspicious: "
"""How a line begins that says of a motion what cannot be, or hardly."""

USUAL_HZ: Final[tuple[float, ...]] = (
    *(10.0, 12.5, 15.0, 20.0, 24.0, 25.0, 30.0, 40.0, 48.0, 50.0, 60.0, 72.0, 75.0, 80.0, 90.0, 100.0, 120.0, 125.0),
    *(144.0, 150.0, 180.0, 200.0, 240.0, 250.0, 300.0, 360.0, 400.0, 480.0, 500.0, 600.0, 960.0, 1000.0),
)
VIDEO_HZ: Final[tuple[float, ...]] = tuple(rate * 1000 / 1001 for rate in (24.0, 30.0, 48.0, 60.0, 120.0, 240.0))
"""Rates that cameras have, and those of television, which are a thousandth slower."""

_LIKE: Final[float] = 0.015
_SLOPPY: Final[float] = 2e-4
_FLOAT32: Final[float] = 1e-5
_SHOWN: Final[int] = 4


def rate_of_period(written: str) -> float:
    """Return the frame rate [Hz] that a period [s] means, rounded or cut off after some digits as it stands.

    0.033 may be 30 Hz and means it; 0.0333667 may not, and is television's 29.97 Hz; 0.0083333 is 120 Hz.

    Args:
        written: the period as the file has it.

    Raises:
        ValueError: it is no number, or not above zero.
    """
    try:
        exact = Decimal(written.strip())
    except InvalidOperation:
        raise ValueError(f"{written!r} is no number of seconds, expected one above 0") from None
    period = float(exact)
    if not 0 < period < np.inf:
        raise ValueError(f"{written!r} is no number of seconds above 0")
    exponent = exact.as_tuple().exponent
    digit = 10.0 ** int(exponent) if isinstance(exponent, int) else 0.0
    slack = max(digit, _FLOAT32 * period)
    rate = 1.0 / period
    for rates in (USUAL_HZ, VIDEO_HZ, (float(round(rate)),)):
        near = min(rates, key=lambda one: abs(one - rate))
        if near > 0 and abs(near / rate - 1) < _LIKE and abs(1.0 / near - period) <= slack * (1 + 1e-9):
            return near
    whole = float(round(rate))
    return whole if abs(rate - whole) < _SLOPPY * rate else rate


def judge_numbers(numbers: FloatArray, what: str) -> tuple[str, ...]:
    """Say where frames are missing or come twice by the number that each carries.

    Args:
        numbers: of the frames in file order ``(T,)``; usually whole and one apart.
        what: what the file calls them, such as ``"frame numbers"``.
    """
    if len(numbers) < 2 or not np.isfinite(numbers).all():
        return ()
    steps = np.diff(numbers)
    forward = steps[steps > 0]
    usual = float(np.median(forward)) if len(forward) else 1.0
    return _tell(numbers, steps > 1.5 * usual, steps <= 0, what, "")


def judge_times(times_s: FloatArray, what: str) -> tuple[str, ...]:
    """Say where frames are missing or come twice by the time that each carries.

    Args:
        times_s: of the frames in file order ``(T,)`` [s]; their own usual step counts, not the rate.
        what: what the file calls them.
    """
    if len(times_s) < 3 or not np.isfinite(times_s).all():
        return ()
    steps = np.diff(times_s)
    usual = float(np.median(steps))
    if not usual > 0:
        return ()
    # Rounded to ms, steps of 120 Hz are 8 or 9 ms.
    wide = steps > 1.6 * usual + 1.001e-3
    return _tell(times_s, wide, steps <= -0.5 * usual, what, " s")


def _tell(values: FloatArray, wide: np.ndarray, back: np.ndarray, what: str, unit: str) -> tuple[str, ...]:
    notes = []
    for marks, words, remedy in (
        (wide, "skip", "frames are missing (a gap), and the motion jumps over them: cut the file there"),
        (back, "do not rise", "frames come twice or out of order: remove them"),
    ):
        found = np.flatnonzero(marks)
        if len(found):
            named = ", ".join(f"from {values[i]:g} to {values[i + 1]:g}{unit}" for i in found[:_SHOWN])
            more = f" and {len(found) - _SHOWN} times more" if len(found) > _SHOWN else ""
            notes.append(f"{SUSPICIOUS}{what} {words} {named}{more}; {remedy}")
    return tuple(notes)
