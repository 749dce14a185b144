"""Interpolating rotation spline with exact angular rate: the spline through unit quaternions, put back on the sphere.

The samples are written as unit quaternions of continuous sign and interpolated by the spline of
:mod:`sim.trajectory.spline` in R^4; the curve is ``q(t) = s(t) / |s(t)|``. It passes through every sample, is C6
wherever two consecutive samples are less than 180 degrees apart, and does not depend on the choice of world or body
frame (both act on R^4 as rotations). Nothing is iterated, and the angular rate is the exact derivative of the curve:
``omega_body = 2 Im(conj(s) ds/dt) / |s|^2``, in which the radial part of ``ds/dt`` drops out by itself.

Everything here is laid out in planes, axes first and time last, which is several times faster than matrices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sim.checks import check_cutoff, check_rotation_planes
from sim.precision import full_precision
from sim.trajectory.position import locate_steps
from sim.trajectory.spline_windows import sample_spline


def quaternions_from_planes(m: Tensor) -> Tensor:
    """Unit quaternions wxyz ``(4, N, T)`` of rotation matrices ``(3, 3, N, T)``, of continuous sign along T.

    Of the four rows of ``4 q q^T``, all linear in the matrix, the one with the largest pivot is taken
    (Shepperd 1978, doi:10.2514/3.55767b), so that no division is by less than 1/2.
    """
    xx, yy, zz = m[0, 0], m[1, 1], m[2, 2]
    wx, wy, wz = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
    xy, xz, yz = m[1, 0] + m[0, 1], m[2, 0] + m[0, 2], m[2, 1] + m[1, 2]
    pivot = 1 + xx + yy + zz
    row = torch.stack([pivot, wx, wy, wz])
    for k, diagonal in enumerate((1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz)):
        larger = diagonal.detach() > pivot.detach()
        if not bool(larger.any()):
            continue
        candidate = torch.stack(([wx, diagonal, xy, xz], [wy, xy, diagonal, yz], [wz, xz, yz, diagonal])[k])
        # lerp by 0 or 1 is exact and several times faster than `where`.
        chosen = larger.to(m.dtype)
        row = torch.lerp(row, candidate, chosen)
        pivot = torch.lerp(pivot, diagonal, chosen)
    quaternion = row * (0.5 * pivot.rsqrt())
    with torch.no_grad():
        flips = (quaternion[..., 1:] * quaternion[..., :-1]).sum(dim=0) < 0
        if not bool(flips.any()):
            return quaternion
        odd = torch.cumsum(flips, dim=-1) % 2
        sign = torch.cat([torch.ones_like(quaternion[0, :, :1]), 1 - 2 * odd.to(quaternion.dtype)], dim=-1)
    return quaternion * sign


def planes_from_quaternions(w: Tensor, x: Tensor, y: Tensor, z: Tensor) -> list[Tensor]:
    """Return the nine entries of the rotation matrices of quaternions of any length, row by row, each like ``w``."""
    scale = 2 / (w * w + x * x + y * y + z * z)
    sx, sy, sz = scale * x, scale * y, scale * z
    wx, wy, wz = w * sx, w * sy, w * sz
    xx, xy, xz = x * sx, x * sy, x * sz
    yy, yz, zz = y * sy, y * sz, z * sz
    return [1 - (yy + zz), xy - wz, xz + wy, xy + wz, 1 - (xx + zz), yz - wx, xz - wy, yz + wx, 1 - (xx + yy)]


def body_rate(value: Sequence[Tensor], slope: Sequence[Tensor], rate: float) -> list[Tensor]:
    """Return the angular rate in the body frame, x, y and z, of a curve of quaternions of any length.

    Args:
        value: w, x, y, z of the curve.
        slope: their derivatives per sample interval.
        rate: sample intervals per second [Hz].
    """
    w, x, y, z = value
    dw, dx, dy, dz = slope
    scale = 2 * rate / (w * w + x * x + y * y + z * z)
    return [
        scale * (w * dx - x * dw - y * dz + z * dy),
        scale * (w * dy - y * dw - z * dx + x * dz),
        scale * (w * dz - z * dw - x * dy + y * dx),
    ]


@full_precision()
def sample_rotation(
    rotations: Tensor, *, fps: float, times_s: Tensor, cutoff_hz: float | None = None, name: str = "rotations"
) -> tuple[Tensor, Tensor]:
    """Orientation and angular rate of the rotation spline through (or, smoothing, near) sampled rotations.

    Args:
        rotations: rotation matrices ``(..., T, 3, 3)``, body to world, T >= 1, at times 0, 1/fps, ...; consecutive
            ones less than 180 degrees apart (beyond that nobody can tell which way it turned).
        fps: rate of the samples [Hz].
        times_s: when to evaluate ``(P,)`` [s], within 0 and (T - 1) / fps.
        cutoff_hz: frequency at which smoothing leaves 1/sqrt(2) of a small turn's amplitude [Hz], see
            :mod:`sim.trajectory.spline`; None passes through every sample.
        name: what an error message calls the rotations.

    Returns:
        Rotations ``(..., P, 3, 3)``, and the angular rate ``(..., P, 3)`` [rad/s] relative to the world expressed in
        the body frame, ``[omega]x = R^T dR/dt``; in the dtype of ``rotations`` and differentiable in it.

    Raises:
        ValueError: a rate or time is out of range, or a matrix is not a rotation.
    """
    if rotations.ndim < 3 or rotations.shape[-2:] != (3, 3):
        raise ValueError(f"{name} have shape {tuple(rotations.shape)}, expected (..., T, 3, 3)")
    leading, num_samples = rotations.shape[:-3], rotations.shape[-3]
    steps = locate_steps(times_s, num_samples=num_samples, fps=fps)
    cutoff = check_cutoff(cutoff_hz, fps=fps)
    planes = rotations.reshape(math.prod(leading), num_samples, 3, 3).permute(2, 3, 0, 1).contiguous()
    check_rotation_planes(planes.detach(), name)
    quaternions = quaternions_from_planes(planes)
    if num_samples == 1:
        quaternions = quaternions.expand(-1, -1, 2)
    series = quaternions.flatten(0, 1)
    value, slope = (
        part.unflatten(0, quaternions.shape[:2]).unbind(dim=0)
        for part in sample_spline(series, steps, (0, 1), cutoff=cutoff)
    )
    sampled = torch.stack(planes_from_quaternions(*value), dim=-1)
    rate = torch.stack(body_rate(value, slope, fps), dim=-1)
    return sampled.reshape(*leading, len(steps), 3, 3), rate.reshape(*leading, len(steps), 3)
