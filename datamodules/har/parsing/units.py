"""Units that sets are written in, as factors to SI; a unit that is not here is an error, never a guess."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal

from sim.conventions import STANDARD_GRAVITY
from sim.names import suggest

Quantity = Literal["accel", "gyro", "time"]

DEG: Final[float] = math.pi / 180
"""Radians in a degree."""

_UNITS: Mapping[Quantity, Mapping[str, float]] = {
    "accel": {
        **dict.fromkeys(("m/s^2", "m/s2", "m/s/s", "m/s²", "ms-2", "m s-2"), 1.0),
        "g": STANDARD_GRAVITY,
        **dict.fromkeys(("mg", "milli_g", "milli g"), STANDARD_GRAVITY / 1000),
    },
    "gyro": {
        "rad/s": 1.0,
        "mrad/s": 0.001,
        **dict.fromkeys(("deg/s", "dps", "°/s"), DEG),
        "mdps": DEG / 1000,
    },
    "time": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9},
}


def unit_factor(unit: str, quantity: Quantity) -> float:
    """What to multiply values of a unit by to have SI: m/s^2, rad/s or s.

    Args:
        unit: as a user writes it, such as ``g``, ``deg/s`` or ``ms``; capitals and spaces around it do not matter.
        quantity: ``accel``, ``gyro`` or ``time``.

    Raises:
        ValueError: there is no such unit; names the nearest and all valid ones.
    """
    valid = _UNITS[quantity]
    found = valid.get(unit.strip().lower())
    if found is None:
        hint = suggest(unit.strip().lower(), valid, quoted=False)
        raise ValueError(f"unit of {quantity} is {unit!r}, expected one of {sorted(valid)}{hint}")
    return found
