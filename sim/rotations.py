"""Small rotation maths on matrices.

The 6-D form is that of :mod:`sim.conventions`.
Every function is differentiable with finite gradients, also at the zero rotation.

Written here, and held to roma by the tests: importing roma brings torch's compiler along and takes as long as torch.
"""

from __future__ import annotations

import torch
from torch import Tensor


def hat(vector: Tensor) -> Tensor:
    """Return the matrix ``[v]x`` with ``[v]x w = v x w``.

    Args:
        vector: ``(..., 3)``, any unit.

    Returns:
        Skew-symmetric matrices ``(..., 3, 3)``.
    """
    x, y, z = vector.unbind(dim=-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))


def vee(matrix: Tensor) -> Tensor:
    """Return the vector of a skew-symmetric matrix, the inverse of :func:`hat`.

    Args:
        matrix: ``(..., 3, 3)``; only its skew-symmetric part counts.

    Returns:
        Vectors ``(..., 3)``.
    """
    skew = 0.5 * (matrix - matrix.transpose(-1, -2))
    return torch.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], dim=-1)


def axis_angle_to_matrix(axis_angle: Tensor) -> Tensor:
    """Return the rotation by ``|v|`` radians about ``v`` (Rodrigues; Taylor series below 0.05 rad).

    Args:
        axis_angle: rotation vectors ``(..., 3)`` [rad].

    Returns:
        Rotation matrices ``(..., 3, 3)``.
    """
    square = (axis_angle * axis_angle).sum(dim=-1)[..., None, None]
    small = square < 2.5e-3
    # The unused branch of `where` must stay finite too, or its gradient is NaN * 0.
    safe = torch.where(small, torch.ones_like(square), square)
    angle = safe.sqrt()
    sine = torch.where(small, 1 - square / 6 * (1 - square / 20 * (1 - square / 42)), angle.sin() / angle)
    versine = torch.where(
        small, 0.5 - square / 24 * (1 - square / 30 * (1 - square / 56)), 2 * (angle / 2).sin().square() / safe
    )
    cross = hat(axis_angle)
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + sine * cross + versine * (cross @ cross)


def matrix_to_axis_angle(matrix: Tensor) -> Tensor:
    """Return the rotation vector of each rotation, of length at most pi (Taylor series below 0.02 rad).

    By way of the unit quaternion, which keeps all digits near pi, where the skew-symmetric part of the matrix fades.

    Args:
        matrix: rotation matrices ``(..., 3, 3)``.

    Returns:
        Rotation vectors ``(..., 3)`` [rad].
    """
    quaternion_xyzw = _matrix_to_quaternion(matrix)
    # Of the two that stand for a rotation, the one that turns by at most pi.
    quaternion_xyzw = torch.where(quaternion_xyzw[..., 3:] > 0, quaternion_xyzw, -quaternion_xyzw)
    vector, cosine = quaternion_xyzw[..., :3], quaternion_xyzw[..., 3:]
    square = (vector * vector).sum(dim=-1, keepdim=True)
    small = square < 1e-4
    sine = torch.where(small, torch.ones_like(square), square).sqrt()
    series = 2 + square * (1 / 3 + square * (3 / 20 + square * (5 / 56)))
    return torch.where(small, series, 2 * torch.atan2(sine, cosine) / sine) * vector


def matrix_to_6d(matrix: Tensor) -> Tensor:
    """Return the first two columns of each matrix, column 0 then column 1.

    Args:
        matrix: rotation matrices ``(..., 3, 3)``.

    Returns:
        ``(..., 6)``.
    """
    return torch.cat([matrix[..., :, 0], matrix[..., :, 1]], dim=-1)


def matrix_from_6d(columns: Tensor) -> Tensor:
    """Return the rotation whose first two columns are nearest by Gram-Schmidt (Zhou et al. 2019, eq. 14).

    Args:
        columns: ``(..., 6)``, column 0 then column 1, neither zero nor parallel.

    Returns:
        Rotation matrices ``(..., 3, 3)``.

    Raises:
        ValueError: the last axis is not 6 long.
    """
    if columns.shape[-1] != 6:
        raise ValueError(f"6-D rotations have shape {tuple(columns.shape)}, expected (..., 6)")
    first = columns[..., :3] / torch.linalg.vector_norm(columns[..., :3], dim=-1, keepdim=True)
    second = columns[..., 3:] - (first * columns[..., 3:]).sum(dim=-1, keepdim=True) * first
    second = second / torch.linalg.vector_norm(second, dim=-1, keepdim=True)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)


def align_vectors(source: Tensor, target: Tensor) -> Tensor:
    """Return the shortest rotation that turns the direction of ``source`` into that of ``target``.

    Between opposite directions every perpendicular axis is as short; one of them is chosen.

    Args:
        source: ``(..., 3)``, not zero; broadcasts with ``target``.
        target: ``(..., 3)``, not zero.

    Returns:
        Rotation matrices ``R`` ``(..., 3, 3)`` with ``R source / |source| = target / |target|``.
    """
    source, target = torch.broadcast_tensors(source, target)
    start = torch.nn.functional.normalize(source, dim=-1)
    end = torch.nn.functional.normalize(target, dim=-1)
    cosine = (start * end).sum(dim=-1, keepdim=True)
    sideways = end - cosine * start
    sine = torch.linalg.vector_norm(sideways, dim=-1, keepdim=True)
    # With opposite directions the plane of the turn is lost: take any that holds `start`.
    least = torch.nn.functional.one_hot(start.detach().abs().argmin(dim=-1), 3).to(start.dtype)
    lost = (cosine < 0) & (sine < 100 * torch.finfo(start.dtype).eps)
    unit = torch.nn.functional.normalize(torch.where(lost, least, sideways), dim=-1)
    unit = torch.nn.functional.normalize(unit - (unit * start).sum(dim=-1, keepdim=True) * start, dim=-1)
    turn, unit_turn = _plane_turn(start, sideways), _plane_turn(start, unit)
    cosine, sine = cosine[..., None], sine[..., None]
    acute = cosine > 0
    # Each form is used only where its divisor (1 + cos, or the length of `sideways`) is far from zero.
    below = turn + turn @ turn / (1 + torch.where(acute, cosine, torch.ones_like(cosine)))
    above = sine * unit_turn + (1 - cosine) * (unit_turn @ unit_turn)
    return torch.eye(3, dtype=start.dtype, device=start.device) + torch.where(acute, below, above)


def _matrix_to_quaternion(matrix: Tensor) -> Tensor:
    """Return a unit quaternion ``(..., 4)``, xyzw, of each rotation (Markley 2008, doi:10.2514/1.31730, eqs. 7 to 9).

    All four columns of ``4 q q^T`` are linear in the matrix; the one of the largest component loses no digits.
    """
    (m00, m01, m02), (m10, m11, m12), (m20, m21, m22) = (row.unbind(dim=-1) for row in matrix.unbind(dim=-2))
    columns = torch.stack(
        [
            *(1 + m00 - m11 - m22, m01 + m10, m02 + m20, m21 - m12),
            *(m01 + m10, 1 + m11 - m00 - m22, m12 + m21, m02 - m20),
            *(m02 + m20, m12 + m21, 1 + m22 - m00 - m11, m10 - m01),
            *(m21 - m12, m02 - m20, m10 - m01, 1 + m00 + m11 + m22),
        ],
        dim=-1,
    ).unflatten(-1, (4, 4))
    largest = columns.diagonal(dim1=-2, dim2=-1).argmax(dim=-1)[..., None, None]
    chosen = columns.gather(-2, largest.expand(*largest.shape[:-1], 4)).squeeze(-2)
    return chosen / torch.linalg.vector_norm(chosen, dim=-1, keepdim=True)


def _plane_turn(start: Tensor, sideways: Tensor) -> Tensor:
    """Return the generator of the turn from ``start`` towards ``sideways``, perpendicular to it."""
    outer = sideways[..., :, None] * start[..., None, :]
    return outer - outer.mT
