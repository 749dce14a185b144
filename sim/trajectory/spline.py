"""Splines through uniform samples as linear maps: interpolating or smoothing, of degree 7, with exact derivatives.

The spline is ``s(t) = sum_j c_j B(t * fps - j)`` with B the cardinal B-spline of degree 7 (C6). Its coefficients follow
from the samples by a banded linear solve ("prefilter", Unser, Aldroubi and Eden 1993, doi:10.1109/78.193220); its basis
in matrix form is that of Qin (2000, doi:10.1007/s003710050206). Degree 7, since on wrist-like motion at 20 to 100 Hz
its second derivative is 28 to 900 times closer to the truth than that of the usual quintic, and white jitter is
amplified a little less (docs/decisions/011).

Interpolating, ends: derivatives 4 to 6 vanish at the first and at the last sample, so that the jerk is all but constant
next to them. Cubics are reproduced, ends and all. An end that fits higher polynomials is more exact on exact samples
and several times more sensitive where they jitter. Fewer than 4 samples have the polynomial of degree T - 1.

Smoothing: a P-spline (Eilers and Marx 1996, doi:10.1214/ss/1038425655), the least squares of distances to the samples
and of fourth differences of the coefficients. Without delay, its response is ``B^2 / (B^2 + lambda (2 - 2 cos w)^4)``;
lambda is chosen so that this is 1/sqrt(2) at the cut-off, beyond which it falls with the eighth power of frequency.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from numpy.typing import NDArray

Array = NDArray[np.float64]

DEGREE: Final[int] = 7

ORDER: Final[int] = DEGREE + 1

_HALF: Final[int] = DEGREE // 2

_END_ORDER: Final[int] = 4
"""Order of the differences of outermost coefficients that vanish, and of those that smoothing keeps small."""


@lru_cache(maxsize=1)
def _basis_matrix() -> Array:
    """Return M (8, 8) with ``B_k(u) = sum_m u^m M[m, k]`` for the eight splines that reach one interval."""
    matrix = np.zeros((ORDER, ORDER))
    for power in range(ORDER):
        for k in range(ORDER):
            total = sum(
                (-1.0) ** (s - k) * math.comb(ORDER, s - k) * float(DEGREE - s) ** (DEGREE - power)
                for s in range(k, ORDER)
            )
            matrix[power, k] = math.comb(DEGREE, power) * total / math.factorial(DEGREE)
    return matrix


def _basis_weights(fraction: Array, derivative: int) -> Array:
    """Weights ``(P, 8)`` of the coefficients that reach points at a fraction ``(P,)`` in [0, 1] of their interval."""
    powers = [
        math.perm(m, derivative) * fraction ** (m - derivative) if m >= derivative else np.zeros_like(fraction)
        for m in range(ORDER)
    ]
    return np.asarray(np.stack(powers, axis=-1) @ _basis_matrix())


def _knot_values() -> Array:
    """The values of B at its seven inner knots: what neighbouring coefficients add to a sample."""
    return _basis_matrix()[0, :DEGREE]


@lru_cache(maxsize=64)
def solve_matrix(num_samples: int, cutoff: float | None = None) -> Array:
    """Return P ``(T + 6, T)`` that turns T samples into the coefficients of their spline.

    Args:
        num_samples: T, at least 2. Coefficient j belongs to the B-spline centred on sample j - 3.
        cutoff: smooth, with the response 1/sqrt(2) at this frequency [cycles per sample]; None interpolates.
    """
    size = num_samples + DEGREE - 1
    collocation = np.zeros((num_samples, size))
    for row in range(num_samples):
        collocation[row, row : row + DEGREE] = _knot_values()
    if cutoff is not None:
        # Here, as above it would add a tenth to what ``import sim`` takes, and smoothing is rare.
        from scipy.linalg import solve_triangular

        penalty = math.sqrt(_smoothing_weight(cutoff)) * np.diff(np.eye(size), n=_END_ORDER, axis=0)
        orthogonal, triangle = np.linalg.qr(np.concatenate([collocation, penalty]))
        return np.asarray(solve_triangular(triangle, orthogonal[:num_samples].T))
    # With fewer samples the T-th differences vanish everywhere, which leaves the polynomial of degree T - 1.
    difference = np.diff(np.eye(size), n=min(num_samples, _END_ORDER), axis=0)
    system = np.concatenate([difference[:_HALF], collocation, difference[-_HALF:]])
    return np.asarray(np.linalg.inv(system)[:, _HALF:-_HALF])


def sampling_matrix(steps: Array, *, num_samples: int, derivative: int = 0, cutoff: float | None = None) -> Array:
    """Return the map ``(T, P)`` from samples to a derivative of their spline.

    Args:
        steps: where to evaluate, in sample intervals from the first sample on ``(P,)``, within 0 and T - 1.
        num_samples: T, at least 2.
        derivative: its order, 0 to 7 [1 / sample interval^order].
        cutoff: see :func:`solve_matrix`.
    """
    interval = np.clip(np.floor(steps), 0, num_samples - 2).astype(np.int64)
    weights = np.zeros((len(steps), num_samples + DEGREE - 1))
    columns = interval[:, None] + np.arange(ORDER)
    np.put_along_axis(weights, columns, _basis_weights(steps - interval, derivative), axis=1)
    return np.asarray((weights @ solve_matrix(num_samples, cutoff)).T)


@lru_cache(maxsize=64)
def memory_samples(cutoff: float | None, tolerance: float) -> int:
    """Return after how many samples the influence of a sample on the spline has faded below ``tolerance``."""
    # The symbol is even in frequency, so a polynomial in x = 2 - 2 cos w, whose roots lie apart also where those in
    # z = exp(iw) crowd around 1.
    values = _knot_values()
    cosines = Chebyshev([values[_HALF], *(2 * values[_HALF + 1 :])])
    knots = cosines.convert(kind=Polynomial)(Polynomial([1.0, -0.5]))
    symbol = knots
    if cutoff is not None:
        symbol = knots**2 + _smoothing_weight(cutoff) * Polynomial([0.0, 1.0]) ** _END_ORDER
    half = 1 - np.asarray(symbol.roots(), dtype=np.complex128) / 2
    root = np.sqrt(half**2 - 1)
    # z + 1/z = 2 - x: of each pair one root lies inside the unit circle. The impulse response is a sum of their powers.
    moduli = np.minimum(np.abs(half + root), np.abs(half - root))
    return math.ceil(math.log(tolerance) / math.log(float(moduli.max())))


def _smoothing_weight(cutoff: float) -> float:
    omega = 2 * math.pi * cutoff
    response = float(_knot_values() @ np.cos(omega * np.arange(-_HALF, _HALF + 1)))
    return (math.sqrt(2) - 1) * response**2 / (2 - 2 * math.cos(omega)) ** _END_ORDER
