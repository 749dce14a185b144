"""Checks that every door of sim shares: rates, cut-offs, finite values, rotation matrices."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

_LOWEST_CUTOFF: Final[float] = 0.02
"""Lowest smoothing cut-off, in parts of the rate: below it a window would have to be thousands of samples long."""

_SLOWEST_HZ, _FASTEST_HZ = 1e-3, 1e6
"""Rates outside of these are taken for a slip."""

MOST_SEED: Final[int] = (1 << 63) - 1
"""Largest that torch's and numpy's generators both take."""

_MOST_READINGS: Final[int] = 200_000_000
"""Of 21 numbers each, 17 GB in float32; a day of 22 sensors at 100 Hz is as many."""


def check_rate(value: float, name: str) -> float:
    """Return a rate as float, or raise a ValueError if it is not a positive, finite number of Hz."""
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value}, expected a positive number of Hz; pass {name}=... of the recording")
    if not _SLOWEST_HZ <= value <= _FASTEST_HZ:
        raise ValueError(
            f"{name} is {value} Hz, expected {_SLOWEST_HZ:g} to {_FASTEST_HZ:g} Hz; is it in another unit?"
        )
    return float(value)


def check_seed(seed: int, name: str = "seed") -> int:
    """Return a seed, or raise a ValueError if torch's and numpy's generators do not both take it."""
    if not 0 <= seed <= MOST_SEED:
        raise ValueError(f"{name} is {seed}, expected a whole number from 0 to 2^63 - 1")
    return seed


def check_readings(samples: int, sensors: int, clips: int, *, rate_hz: float) -> None:
    """Raise a ValueError, before room is made, if more is asked for than a computer's memory is likely to hold."""
    if samples * sensors * clips > _MOST_READINGS:
        raise ValueError(
            f"{samples:,} samples of {sensors * clips} sensors at {rate_hz:g} Hz are asked for, expected at most "
            f"{_MOST_READINGS:,} samples in all; lower rate_hz, or cut the motion up"
        )


def check_finite(values: Tensor, name: str, *, first_frame: int = 0) -> None:
    """Raise a ValueError that names the first frame with NaN or infinite values in ``(T, ...)``, if there is one."""
    # One sum tells in most cases; only an overflow or a real gap needs the look at every value.
    if bool(torch.isfinite(values.detach().sum())):
        return
    finite = torch.isfinite(values.detach()).flatten(1).all(dim=1)
    if not bool(finite.all()):
        frame = first_frame + int((~finite).nonzero()[0, 0])
        raise ValueError(f"{name} has NaN or infinite values from frame {frame} on, expected numbers; fill the gaps")


def check_cutoff(cutoff_hz: float | None, *, fps: float) -> float | None:
    """Return a smoothing cut-off in cycles per sample, or None if there is none.

    Raises:
        ValueError: it is not within 0 and ``fps / 2``.
    """
    if cutoff_hz is None:
        return None
    if not _LOWEST_CUTOFF * fps <= cutoff_hz < fps / 2:
        raise ValueError(
            f"cutoff_hz is {cutoff_hz}, expected {_LOWEST_CUTOFF * fps:g} to {fps / 2:g} Hz, a fiftieth to "
            f"half of the {fps:g} Hz of the samples; leave it out for no smoothing"
        )
    return cutoff_hz / fps


_ROTATION_TOLERANCE: Final[float] = 5e-3
"""How far the squared norm and the determinant of a matrix may be from a rotation's; float16 capture passes."""


def check_rotations(rotations: Tensor, name: str) -> None:
    """Raise a ValueError unless every matrix of ``(..., 3, 3)`` is a rotation.

    A matrix with squared Frobenius norm 3 and determinant 1 has three singular values 1 (the inequality of the
    arithmetic and geometric mean), so the two numbers say it all.
    """
    if rotations.ndim < 3 or rotations.shape[-2:] != (3, 3):
        raise ValueError(f"{name} has shape {tuple(rotations.shape)}, expected (..., 3, 3) rotation matrices")
    check_rotation_planes(rotations.detach().movedim((-2, -1), (0, 1)).contiguous(), name)


def check_rotation_planes(m: Tensor, name: str) -> None:
    """Raise a ValueError unless every matrix of ``(3, 3, ...)`` is a rotation; see :func:`check_rotations`."""
    minor0 = m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1]
    minor1 = m[1, 0] * m[2, 2] - m[1, 2] * m[2, 0]
    minor2 = m[1, 0] * m[2, 1] - m[1, 1] * m[2, 0]
    determinant = m[0, 0] * minor0 - m[0, 1] * minor1 + m[0, 2] * minor2
    squared = m.square().flatten(0, 1).sum(dim=0)
    if determinant.numel() == 0:
        return
    # Smallest and largest say whether all are within; they are NaN if any is.
    worst = max(float(value) for pair in (determinant.aminmax(), (squared - 2).aminmax()) for value in _off_one(pair))
    if not worst <= _ROTATION_TOLERANCE:
        raise ValueError(
            f"{name} holds a matrix that is not a rotation (determinant or norm off by {worst:.3g}), "
            "expected orthonormal matrices of determinant 1 without NaN; orthonormalise it or fill its gaps"
        )


def _off_one(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return (pair[0] - 1).abs(), (pair[1] - 1).abs()
