"""How far a sensor is off when it is strapped on anew: random shifts along and about the bone, a turn of its box."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from sim.rotations import axis_angle_to_matrix


class Displacement(NamedTuple):
    """One draw.

    Attributes:
        along_m: shift along the bone towards distal [m].
        around_rad: shift about the bone as an angle [rad].
        around_m: shift about the bone as an arc on the skin [m].
        turn: rotation ``(3, 3)`` of the box in the sensor's frame, float64; None if none was asked for.
    """

    along_m: float
    around_rad: float
    around_m: float
    turn: Tensor | None


def draw_displacement(
    along_mm: float, around_mm: float, around_deg: float, rotation_deg: float, generator: torch.Generator | None
) -> Displacement | None:
    """Draw a displacement, or None if nothing is asked for and there is no generator.

    Args:
        along_mm: standard deviation, as are all, of the shift along the bone [mm]; draws are normal about zero.
        around_mm: of the shift about the bone, as an arc on the skin [mm].
        around_deg: of the shift about the bone as an angle [deg], in place of ``around_mm``.
        rotation_deg: of each component of the rotation vector of the box [deg].
        generator: source of randomness; needed where anything is drawn.

    Raises:
        ValueError: a standard deviation is negative or not finite, both shifts about the bone are given, or there is no
            generator.
    """
    spreads = {"along_mm": along_mm, "around_mm": around_mm, "around_deg": around_deg, "rotation_deg": rotation_deg}
    for name, value in spreads.items():
        if not 0.0 <= value < math.inf:
            raise ValueError(f"{name} is {value}, expected a standard deviation: finite and not negative")
    if around_mm and around_deg:
        raise ValueError(f"around_mm is {around_mm} and around_deg {around_deg}, expected one: they are one shift")
    if generator is None:
        if any(spreads.values()):
            raise ValueError(
                "generator is None, expected a source of randomness; pass torch.Generator().manual_seed(0)"
            )
        return None
    # Five draws, whatever is asked for: one spread does not change another's draws.
    draw = torch.randn(5, generator=generator, dtype=torch.float64, device=generator.device).cpu()
    return Displacement(
        along_m=1e-3 * along_mm * float(draw[0]),
        around_rad=math.radians(around_deg) * float(draw[1]),
        around_m=1e-3 * around_mm * float(draw[1]),
        turn=axis_angle_to_matrix(draw[2:] * math.radians(rotation_deg)) if rotation_deg else None,
    )
