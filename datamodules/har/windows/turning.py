"""Turn windows as if the box had been mounted otherwise: what to do where a set's mounting is unknown.

Every turn is a proper rotation, one and the same for accelerometer and gyroscope of a window, as a real box would
be turned. Rotation as augmentation for wearable sensors: Um et al. 2017, doi 10.1145/3136755.3136817.
"""

from __future__ import annotations

from itertools import permutations, product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from datamodules.har.windows.window_set import WindowSet

Turning = Literal["none", "up_axis", "full", "axis_permutations"]
"""How to draw turns: none, about the channel axis that points up, uniform over SO(3), or uniform over
:func:`axis_permutations`."""


def axis_permutations() -> NDArray[np.float64]:
    """The 24 rotations that map axes onto axes (signed permutation matrices of determinant +1).

    They are every way to mount a box square to the body; the 24 reflections among the 48 signed permutations are left
    out, since no box has left-handed axes.

    Returns:
        ``(24, 3, 3)``, the identity first.
    """
    found = []
    for order in permutations(range(3)):
        for signs in product((1.0, -1.0), repeat=3):
            matrix = np.eye(3)[list(order)] * np.array(signs)[:, None]
            if np.linalg.det(matrix) > 0:
                found.append(matrix)
    return np.stack(found)


def random_rotations(count: int, *, generator: np.random.Generator) -> NDArray[np.float64]:
    """Rotations uniform over SO(3): unit quaternions of normal deviates (Shoemake 1992).

    Args:
        count: how many.
        generator: source of randomness.

    Returns:
        ``(count, 3, 3)``.
    """
    w, x, y, z = np.moveaxis(_unit(generator.standard_normal((count, 4))), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def rotations_about(axis: int, angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotations about one of the sensor's axes.

    Args:
        axis: 0, 1 or 2 for x, y or z.
        angles_rad: angles ``(N,)`` [rad].

    Returns:
        ``(N, 3, 3)``.

    Raises:
        ValueError: ``axis`` is none of these.
    """
    if axis not in (0, 1, 2):
        raise ValueError(f"axis is {axis}, expected 0, 1 or 2 for x, y or z")
    first, second = (axis + 1) % 3, (axis + 2) % 3
    cos, sin = np.cos(angles_rad), np.sin(angles_rad)
    matrices = np.zeros((len(angles_rad), 3, 3))
    matrices[:, axis, axis] = 1.0
    matrices[:, first, first] = matrices[:, second, second] = cos
    matrices[:, first, second], matrices[:, second, first] = -sin, sin
    return matrices


def turn_windows(windows: WindowSet, matrices: NDArray[np.float64]) -> WindowSet:
    """Turn the axes of each window: every x, y, z triple of channels becomes ``R v``.

    Args:
        windows: N windows.
        matrices: one rotation for each window ``(N, 3, 3)``, new sensor frame from old.

    Returns:
        The turned windows.

    Raises:
        ValueError: there is not one matrix for each window, or the channels are not triples x, y, z.
    """
    return WindowSet.of(turn_signals(windows.signals, matrices, windows.channels), windows.index)


def turn_signals(
    signals: NDArray[np.float32], matrices: NDArray[np.floating], channels: tuple[str, ...]
) -> NDArray[np.float32]:
    """Turn the axes of each window: every x, y, z triple of channels becomes ``R v``.

    Args:
        signals: ``(N, T, C)``.
        matrices: one rotation for each window ``(N, 3, 3)``, new sensor frame from old.
        channels: name of each channel.

    Returns:
        ``(N, T, C)``.

    Raises:
        ValueError: there is not one matrix for each window, or the channels are not triples x, y, z.
    """
    if matrices.shape != (len(signals), 3, 3):
        raise ValueError(f"matrices have shape {matrices.shape}, expected {(len(signals), 3, 3)}: one for each window")
    if [name[-2:] for name in channels] != ["_x", "_y", "_z"] * (len(channels) // 3):
        raise ValueError(f"channels are {channels}, expected triples that end in _x, _y, _z")
    triples = signals.reshape(*signals.shape[:2], -1, 3)
    turned: NDArray[np.float32] = np.einsum("nij,ntgj->ntgi", matrices.astype(np.float32), triples)
    return turned.reshape(signals.shape)


def draw_turns(
    turning: Turning, count: int, *, generator: np.random.Generator, up_axis: int = 0
) -> NDArray[np.float64]:
    """Draw rotations, one for each window.

    Args:
        turning: how; ``up_axis`` turns uniformly about the channel axis of that number.
        count: how many.
        generator: source of randomness.
        up_axis: 0, 1 or 2, only for ``up_axis``.

    Returns:
        ``(count, 3, 3)``.

    Raises:
        ValueError: ``turning`` is unknown.
    """
    if turning == "none":
        return np.broadcast_to(np.eye(3), (count, 3, 3))
    if turning == "up_axis":
        return rotations_about(up_axis, generator.uniform(-np.pi, np.pi, count))
    if turning == "full":
        return random_rotations(count, generator=generator)
    if turning == "axis_permutations":
        return axis_permutations()[generator.integers(24, size=count)]
    raise ValueError(f"unknown turning {turning!r}, expected one of none, up_axis, full, axis_permutations")


def turned_copies(
    windows: WindowSet, turning: Turning, *, copies: int, generator: np.random.Generator, up_axis: int = 0
) -> WindowSet:
    """Several copies of each window, each turned by a rotation of its own; the windows themselves for ``none``.

    Args:
        windows: N windows.
        turning: how to draw the rotations.
        copies: how many copies of each window, at least one.
        generator: source of randomness.
        up_axis: see :func:`draw_turns`.

    Returns:
        ``copies * N`` windows, copy by copy.

    Raises:
        ValueError: ``copies`` is below one, or ``turning`` is unknown.
    """
    if copies < 1:
        raise ValueError(f"copies is {copies}, expected at least 1 turned copy of each window")
    matrices = draw_turns(turning, copies * len(windows), generator=generator, up_axis=up_axis)
    if turning == "none":
        return windows
    return turn_windows(windows.select(np.tile(np.arange(len(windows)), copies)), matrices)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
