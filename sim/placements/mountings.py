"""Mountings: how a sensor's box is turned on its site, as a matrix, as named directions or as a device.

A name says where two axes of the SENSOR point, ``<axis>_<direction>_<axis>_<direction>``: ``x_up_z_out`` is a box whose
x axis points up and whose z axis points away from the skin; the third axis makes the frame right-handed. Directions:

- ``out``, ``in``: along the outward normal of the skin, or into the body;
- ``distal``, ``proximal``: along the bone, away from or towards the trunk (up or down the spine), on the skin;
- ``up``, ``down``, ``left``, ``right``, ``forward``, ``backward``: of the person (``left`` is their own) in the neutral
  stance: upright, arms hanging, palms to the thighs. It is the rest pose with both arms turned down by 90 degrees about
  the forward axis, so a thumb points forward and the back of the left hand left.

Two directions are seldom perpendicular, so one is exact and the other is the nearest perpendicular to it: ``out`` or
``in`` is exact where it is named (the box lies flat on the skin), and else the direction named first. Directions nearer
than 15 degrees to parallel on a site do not determine a mounting: up on a crown that faces up.

Devices, by the axes their makers document:

- ``smartphone``, screen outwards, top up (``y_up_z_out``): x to the right of the screen, y to its top, z out of it.
  Android: developer.android.com/reference/android/hardware/SensorEvent; iOS: "positive X is to the right, positive Y is
  to the top, and positive Z is towards the viewer", learn.microsoft.com/dotnet/api/uikit.uiacceleration.
- ``smartphone_screen_in``: the same with the screen to the skin, as in a pocket (``y_up_z_in``).
- ``smartwatch``: Apple Watch +x towards the crown side, +y towards 12 o'clock, +z out of the face
  (blog.accelero.com/2015/07/limits-of-coremotion-on-apple-watch.html; developer.apple.com/forums/thread/771928);
  Wear OS has Android's axes, the same; so has PebbleOS (IMUCoordinateAxis). Worn on the back of the wrist to be read
  upright with the forearm across the chest, 3 o'clock is towards the hand on a left arm and towards the elbow on a
  right arm: ``x_distal_z_out`` and ``x_proximal_z_out``.

Only axes are meant: Core Motion also reports acceleration with the opposite sign (-1 g on z, face up), which a mounting
cannot say. Axivity, ActiGraph, Shimmer and Xsens draw their axes in figures: read them off and name the directions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from sim.conventions import JOINT_NAMES
from sim.names import suggest

Mounting = Tensor | str | None
"""``R_site_sensor (3, 3)``, named directions or a device, or None for the site frame itself."""

_SKIN: dict[str, tuple[float, float, float]] = {
    # in the site frame
    "out": (0.0, 0.0, 1.0),
    "in": (0.0, 0.0, -1.0),
    "distal": (1.0, 0.0, 0.0),
    "proximal": (-1.0, 0.0, 0.0),
}
_STANCE: dict[str, tuple[float, float, float]] = {
    # in the world, of a person in the neutral stance who faces +Z
    "up": (0.0, 1.0, 0.0),
    "down": (0.0, -1.0, 0.0),
    "left": (1.0, 0.0, 0.0),
    "right": (-1.0, 0.0, 0.0),
    "forward": (0.0, 0.0, 1.0),
    "backward": (0.0, 0.0, -1.0),
}
DIRECTIONS: tuple[str, ...] = (*_SKIN, *_STANCE)
"""Words for where an axis points."""

_DEVICES: dict[str, str] = {
    "smartphone": "y_up_z_out",
    "smartphone_screen_in": "y_up_z_in",
    "smartwatch": "",  # depends on the arm
}
DEVICE_NAMES: tuple[str, ...] = tuple(sorted(_DEVICES))
"""Devices whose axes are known."""

_ARM_JOINTS = ("shoulder", "elbow", "wrist")
_OPPOSITE = {"out": "in", "distal": "proximal", "up": "down", "left": "right", "forward": "backward"}
_LEAST_SINE = math.sin(math.radians(15.0))

_Directions = tuple[tuple[int, str], tuple[int, str]]


def read_mounting(rows: object, name: str) -> Mounting:
    """Return a mounting, made a tensor if it was given as rows of numbers or as a numpy array; names in lower case.

    Raises:
        ValueError: it is nothing of the kind.
    """
    if rows is None or isinstance(rows, Tensor):
        return rows
    if isinstance(rows, str):
        return rows.lower()
    try:
        return torch.as_tensor(rows, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"mounting of {name} is {rows!r}, expected a rotation matrix (3, 3), directions as 'x_up_z_out', or one of "
            f"the devices {', '.join(DEVICE_NAMES)}"
        ) from error


def check_mounting(mounting: Mounting, name: str) -> None:
    """Check that a mounting is a rotation, or a name that is understood.

    Raises:
        ValueError: a matrix that is not ``(3, 3)``, not finite or no rotation, or a name that means nothing.
    """
    if mounting is None:
        return
    if isinstance(mounting, str):
        if mounting not in _DEVICES:
            _parse(mounting)
        return
    if tuple(mounting.shape) != (3, 3):
        raise ValueError(f"mounting has shape {tuple(mounting.shape)}, expected (3, 3): R_site_sensor of {name}")
    matrix = mounting.detach().double()
    gram_error = float((matrix.T @ matrix - torch.eye(3, dtype=torch.float64, device=matrix.device)).abs().max())
    determinant = float(torch.linalg.det(matrix))
    if not (gram_error <= 1e-4 and determinant > 0):  # NaN compares false
        raise ValueError(
            f"mounting of {name} is no rotation (R^T R is off the identity by {gram_error:.2g}, determinant "
            f"{determinant:.3g}), expected R_site_sensor within 1e-4; normalise it, or name directions: 'x_up_z_out'"
        )


def resolve_mounting(mounting: Mounting, joint: int, site_frame: Callable[[], Tensor], name: str) -> Tensor:
    """Return ``R_site_sensor (3, 3)``.

    Args:
        mounting: what the placement says, checked by :func:`check_mounting`.
        joint: which carries the site.
        site_frame: gives ``R_world_site (3, 3)`` in the rest pose; called only where the stance matters.
        name: of the placement, for errors.

    Raises:
        ValueError: the two directions are nearly parallel on this site, or a watch is not on an arm.
    """
    if mounting is None:
        return torch.eye(3, dtype=torch.float64)
    if not isinstance(mounting, str):
        return mounting
    named = _directions_of(mounting, joint, name)
    stance: list[list[float]] = []
    if any(direction in _STANCE for _, direction in named):
        stance = (neutral_turn(joint) @ site_frame().double()).tolist()
    first, second = ((axis, direction, _in_site(direction, stance)) for axis, direction in named)
    exact, bent = (second, first) if second[1] in ("out", "in") else (first, second)
    along = exact[2]
    overlap = _dot(along, bent[2])
    rest = [value - overlap * part for value, part in zip(bent[2], along, strict=True)]
    sine = math.sqrt(_dot(rest, rest))
    if sine < _LEAST_SINE:
        raise ValueError(
            f"mounting {mounting!r} of {name}: {bent[1]!r} lies within 15 degrees of the line of {exact[1]!r} there, "
            f"so it does not say how the box is turned about it; name another direction for {'xyz'[bent[0]]}"
        )
    columns: dict[int, list[float]] = {exact[0]: along, bent[0]: [value / sine for value in rest]}
    third = 3 - exact[0] - bent[0]
    columns[third] = _cross(columns[(third + 1) % 3], columns[(third + 2) % 3])
    return torch.tensor([columns[0], columns[1], columns[2]], dtype=torch.float64).T


def neutral_turn(joint: int) -> Tensor:
    """Return the rotation ``(3, 3)`` that takes what a joint carries from the rest pose to the neutral stance."""
    side, _, part = JOINT_NAMES[joint].partition("_")
    if part not in _ARM_JOINTS:
        return torch.eye(3, dtype=torch.float64)
    sign = 1.0 if side == "left" else -1.0
    return torch.tensor([[0.0, sign, 0.0], [-sign, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)


def _directions_of(mounting: str, joint: int, name: str) -> _Directions:
    if mounting == "smartwatch":
        side, _, part = JOINT_NAMES[joint].partition("_")
        if part not in _ARM_JOINTS:
            raise ValueError(
                f"mounting 'smartwatch' of {name}, which {JOINT_NAMES[joint]} carries: a watch's way round is known on "
                "an arm only; name directions, such as 'x_distal_z_out'"
            )
        return _parse("x_distal_z_out" if side == "left" else "x_proximal_z_out")
    return _parse(_DEVICES.get(mounting, mounting))


@lru_cache(maxsize=256)
def _parse(text: str) -> _Directions:
    """Split a name into two (axis, direction)."""
    words = text.split("_")
    if len(words) != 4 or words[0] not in ("x", "y", "z"):
        hint = suggest(text, DEVICE_NAMES) or ";"
        raise ValueError(
            f"unknown mounting {text!r}{hint} expected <axis>_<direction>_<axis>_<direction> as 'x_up_z_out', one "
            f"of the devices {', '.join(DEVICE_NAMES)}, or a rotation matrix (3, 3)"
        )
    for word in (words[0], words[2]):
        if word not in ("x", "y", "z"):
            raise ValueError(f"mounting {text!r} names an axis {word!r}, expected x, y or z of the sensor")
    for word in (words[1], words[3]):
        if word not in DIRECTIONS:
            hint = suggest(word, DIRECTIONS, cutoff=0.3) or ";"
            raise ValueError(f"mounting {text!r} names a direction {word!r}{hint} valid ones: {', '.join(DIRECTIONS)}")
    if words[0] == words[2]:
        raise ValueError(f"mounting {text!r} names the axis {words[0]} twice, expected two axes; as in 'x_up_z_out'")
    if words[1] == words[3] or words[3] == _OPPOSITE.get(words[1]) or words[1] == _OPPOSITE.get(words[3]):
        raise ValueError(
            f"mounting {text!r} names one line twice, {words[1]} and {words[3]}, expected two directions that differ "
            "by more than their sign"
        )
    return ("xyz".index(words[0]), words[1]), ("xyz".index(words[2]), words[3])


def _in_site(direction: str, stance: list[list[float]]) -> list[float]:
    """Return a direction in the site frame; ``stance`` is ``R_world_site`` in the neutral stance."""
    if direction in _SKIN:
        return list(_SKIN[direction])
    world = _STANCE[direction]
    return [sum(stance[row][column] * world[row] for row in range(3)) for column in range(3)]


def _dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _cross(a: list[float], b: list[float]) -> list[float]:
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
