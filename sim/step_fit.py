"""Paths that fit noisy positions and noisy steps at once, in the least-squares sense: what "consistent" decoding
solves.

HumanML3D's features hold each joint twice, where it is and its step to the next frame. Where the two are off by the
same share of their spread, a second difference of steps is about ten times less off than one of positions. The path x
of one coordinate with positions p and steps v minimises

    sum_t (x_t - p_t)^2 + lam * sum_t (x_{t+1} - x_t - v_t)^2,    lam = (s_p / s_v)^2

with s the standard deviations of the two: one symmetric tridiagonal system, (I + lam D'D) x = p + lam D'v with D the
difference, solved by elimination in time linear in the number of frames (Thomas 1949; Golub and Van Loan, Matrix
Computations, 4th ed., section 4.3.6).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

__all__ = ["fit_positions_and_steps"]


def fit_positions_and_steps(
    positions: Tensor, steps: Tensor, *, step_weight: Tensor | float, lengths: Tensor | None = None
) -> Tensor:
    """Return the paths nearest to positions and steps.

    Args:
        positions: ``(..., T, K)`` of K coordinates, T >= 1, in any unit.
        steps: from each frame to the next, ``(..., T-1, K)``, same unit; a step that no position follows is not given.
        step_weight: lam, what the square of a step's error counts for beside a position's: one number, or one for each
            coordinate ``(K,)``; not negative, and a constant: no gradient reaches it. 0 returns the positions.
        lengths: valid frames of each sequence ``(...)``, int64; what lies beyond is returned as it came and touches
            nothing inside. None: all are valid.

    Returns:
        ``(..., T, K)``, differentiable in positions and steps; equal to ``positions`` where steps are their
        differences.

    Raises:
        ValueError: shapes do not fit, or a weight is negative or not finite.
    """
    if positions.ndim < 2 or steps.shape != (*positions.shape[:-2], positions.shape[-2] - 1, positions.shape[-1]):
        raise ValueError(
            f"positions have shape {tuple(positions.shape)} and steps {tuple(steps.shape)}, "
            "expected (..., T, K) and (..., T-1, K)"
        )
    weight = torch.as_tensor(step_weight, dtype=torch.float64, device=positions.device).detach()
    if weight.ndim > 1 or (weight.ndim == 1 and len(weight) != positions.shape[-1]):
        raise ValueError(f"step_weight has shape {tuple(weight.shape)}, expected one number or (K,)")
    if not bool((torch.isfinite(weight) & (weight >= 0)).all()):
        raise ValueError("step_weight is negative or not finite, expected (std of positions / std of steps)^2")
    if lengths is not None and lengths.shape != positions.shape[:-2]:
        raise ValueError(f"lengths have shape {tuple(lengths.shape)}, expected {tuple(positions.shape[:-2])}")
    if positions.shape[-2] == 1:
        return positions
    valid = None if lengths is None else lengths.to(positions.device).reshape(-1)
    clips = math.prod(positions.shape[:-2])
    flat = (values.reshape(clips, *values.shape[-2:]) for values in (positions, steps))
    fitted: Tensor = _Fit.apply(*flat, weight, valid)
    return fitted.reshape(positions.shape)


class _Fit(torch.autograd.Function):
    """x = A^-1 (p + lam D'v) with A = I + lam D'D; A is symmetric, so gradients take the same solve.

    That of p is A^-1 g, that of v is lam D A^-1 g, where g is the gradient of x.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, positions: Tensor, steps: Tensor, weight: Tensor, lengths: Tensor | None) -> Tensor:
        """Fit ``positions (B, T, K)`` and ``steps (B, T-1, K)``."""
        inside = _inside(lengths, positions)
        factors = _eliminate(weight, positions.shape[-2])
        ctx.save_for_backward(weight, inside, lengths, *factors)  # type: ignore[arg-type]  # None is kept as None
        # Differences of what lies near are exact in any precision.
        error = _zero_outside(steps - positions.diff(dim=-2), None if inside is None else inside[:, 1:])
        # Solving for what is added to the positions leaves recorded features untouched to the last bit. In float64
        # whatever comes in: at a weight of 4000 the system takes four digits away.
        pushed = positions.new_zeros(positions.shape, dtype=torch.float64)
        pulled = weight * error
        pushed[:, 1:] = pulled
        pushed[:, :-1] -= pulled
        return positions + _solve(pushed, factors, inside, lengths).to(positions.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Solve for the gradient."""
        weight, inside, lengths, *factors = ctx.saved_tensors  # type: ignore[attr-defined]  # set by save_for_backward
        solved = _solve(gradient.double(), _Factors(*factors), inside, lengths)
        steps = weight * _zero_outside(solved.diff(dim=-2), None if inside is None else inside[:, 1:])
        of_positions = solved if inside is None else torch.where(inside, solved, gradient)
        return of_positions.to(gradient.dtype), steps.to(gradient.dtype), None, None


class _Factors(NamedTuple):
    """Of the elimination of A, whose rows are the same for clips of any length but for each clip's last.

    Attributes:
        pivots: inverse pivots of rows that another follows ``(T, K)``; K may be 1.
        last: inverse pivots of rows that end a clip ``(T, K)``.
        factors: what each row is taken over with into the next ``(T, K)``.
    """

    pivots: Tensor
    last: Tensor
    factors: Tensor


def _eliminate(weight: Tensor, count: int) -> _Factors:
    """Eliminate A of ``count`` rows, for weights of one or of K coordinates.

    The pivots d_t = 1 + 2 lam - lam^2 / d_{t-1}, d_0 = 1 + lam, are ratios of a linear recursion's terms, so all of
    them are known at once: with s = sqrt(1 + 4 lam) and c = (s - 1) / (s + 1), lam / d_t =
    c (1 + c^(2t+1)) / (1 + c^(2t+3)).
    """
    weight = weight.reshape(1, -1)
    root = (1 + 4 * weight).sqrt()
    decay = (root - 1) / (root + 1)
    power = decay ** (2 * torch.arange(count, device=weight.device)[:, None] + 1)
    ratio = (1 + power) / (1 + power * decay.square())
    factors = decay * ratio
    last = torch.cat([torch.ones_like(weight), 1 / (1 + weight - weight * factors[:-1])])
    return _Factors(ratio / ((1 + root) / 2).square(), last, factors)


def _solve(right: Tensor, factors: _Factors, inside: Tensor | None, lengths: Tensor | None) -> Tensor:
    """Return ``A^-1 right (B, T, K)`` in float64, zero outside; every frame is one operation on all clips."""
    x = right.transpose(0, 1).contiguous().clone()
    rows, taken = x.unbind(0), factors.factors[:, None].unbind(0)
    for step in range(len(rows) - 1):
        rows[step + 1].addcmul_(taken[step], rows[step])
    if lengths is None or inside is None:
        x[:-1] *= factors.pivots[:-1, None]
        x[-1] *= factors.last[-1]
    else:
        ends, clips = lengths.clamp(1, len(rows)) - 1, torch.arange(len(lengths), device=x.device)
        ended = x[ends, clips] * factors.last[ends]
        x *= factors.pivots[:, None]
        x[ends, clips] = ended
        x.masked_fill_(~inside.transpose(0, 1), 0.0)
    for step in reversed(range(len(rows) - 1)):
        rows[step].addcmul_(taken[step], rows[step + 1])
    return x.transpose(0, 1)


def _inside(lengths: Tensor | None, positions: Tensor) -> Tensor | None:
    """Return which frames are valid ``(B, T, 1)``, None for all."""
    if lengths is None:
        return None
    return (torch.arange(positions.shape[-2], device=positions.device) < lengths[:, None])[..., None]


def _zero_outside(values: Tensor, inside: Tensor | None) -> Tensor:
    return values if inside is None else values.masked_fill(~inside, 0.0)
