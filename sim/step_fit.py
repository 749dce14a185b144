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
    inside = _inside(lengths, positions)
    if positions.shape[-2] == 1:
        return positions
    coupling = weight * inside
    # In float64 whatever comes in: at a weight of 4000 the system takes four digits away.
    change = coupling * (steps.double() - positions.double().diff(dim=-2))
    change = torch.where(inside > 0, change, 0.0)  # 0 times what is no number is none either
    # Solving for what is added to the positions leaves recorded features untouched to the last bit.
    pushed = torch.nn.functional.pad(change, (0, 0, 1, 0)) - torch.nn.functional.pad(change, (0, 0, 0, 1))
    added: Tensor = _Tridiagonal.apply(pushed, coupling)
    return (positions + added).to(positions.dtype)


def _inside(lengths: Tensor | None, positions: Tensor) -> Tensor:
    """Return 1 for steps between valid frames, else 0, ``(..., T-1, 1)``; dimensions may be of size one."""
    count = positions.shape[-2] - 1
    if lengths is None:
        return torch.ones(*(1,) * (positions.ndim - 2), count, 1, dtype=torch.float64, device=positions.device)
    if lengths.shape != positions.shape[:-2]:
        raise ValueError(f"lengths have shape {tuple(lengths.shape)}, expected {tuple(positions.shape[:-2])}")
    ends = torch.arange(1, count + 1, device=positions.device)
    return (ends < lengths.to(positions.device)[..., None]).double()[..., None]


class _Tridiagonal(torch.autograd.Function):
    """Solves ``(I + D' diag(c) D) x = b`` along the last axis but one; symmetric, and so the backward pass as well."""

    @staticmethod
    def forward(ctx: FunctionCtx, right: Tensor, coupling: Tensor) -> Tensor:
        """Solve for ``right (..., T, K)`` with couplings c ``(..., T-1, K)``."""
        pivots, factors = _eliminate(coupling.movedim(-2, 0))
        ctx.save_for_backward(pivots, factors)
        return _substitute(right, pivots, factors)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        """Solve for the gradient with the same factors."""
        pivots, factors = ctx.saved_tensors  # type: ignore[attr-defined]  # set by save_for_backward
        return _substitute(gradient, pivots, factors), None


def _eliminate(coupling: Tensor) -> tuple[Tensor, Tensor]:
    """Return inverse pivots ``(T, ..., K)`` and factors ``(T-1, ..., K)`` of the elimination."""
    zero = torch.zeros_like(coupling[:1])
    diagonal = 1 + torch.cat([coupling, zero]) + torch.cat([zero, coupling])
    pivots = [1 / diagonal[0]]
    for step in range(len(coupling)):
        pivots.append(1 / (diagonal[step + 1] - coupling[step].square() * pivots[-1]))
    inverse = torch.stack(pivots)
    return inverse, coupling * inverse[:-1]


def _substitute(right: Tensor, pivots: Tensor, factors: Tensor) -> Tensor:
    """Solve forwards, then backwards; every frame is one operation on all sequences and coordinates."""
    x = right.movedim(-2, 0).contiguous().clone()
    for step in range(len(factors)):
        x[step + 1].addcmul_(factors[step], x[step])
    x *= pivots
    for step in reversed(range(len(factors))):
        x[step].addcmul_(factors[step], x[step + 1])
    return x.movedim(0, -2)
