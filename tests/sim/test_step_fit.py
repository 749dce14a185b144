"""Positions and steps fitted together: NumPy's dense least squares is the truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from sim.step_fit import _eliminate, fit_positions_and_steps

WEIGHTS = (0.0, 1.0, 37.7, 4000.0)


def draw(*shape: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(len(shape))
    positions = torch.randn(shape, generator=generator, dtype=torch.float64)
    steps = torch.randn((*shape[:-2], shape[-2] - 1, shape[-1]), generator=generator, dtype=torch.float64)
    return positions.to(dtype), steps.to(dtype)


def solve_densely(positions: np.ndarray, steps: np.ndarray, weight: float) -> np.ndarray:
    difference = np.diff(np.eye(len(positions)), axis=0)
    left = np.concatenate([np.eye(len(positions)), weight**0.5 * difference])
    return np.linalg.lstsq(left, np.concatenate([positions, weight**0.5 * steps]), rcond=None)[0]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 1e-5)])
def test_it_is_the_least_squares_path(dtype: torch.dtype, tolerance: float) -> None:
    positions, steps = draw(3, 60, len(WEIGHTS), dtype=dtype)
    fitted = fit_positions_and_steps(positions, steps, step_weight=torch.tensor(WEIGHTS, dtype=torch.float64))
    assert fitted.dtype == dtype
    for row in range(3):
        for column, weight in enumerate(WEIGHTS):
            expected = solve_densely(
                positions[row, :, column].double().numpy(), steps[row, :, column].double().numpy(), weight
            )
            np.testing.assert_allclose(fitted[row, :, column].numpy(), expected, atol=tolerance)


def test_what_agrees_stays_as_it_is() -> None:
    positions, _ = draw(2, 40, 5)
    fitted = fit_positions_and_steps(positions, positions.diff(dim=-2), step_weight=37.7)
    assert torch.equal(fitted, positions)
    assert torch.equal(fit_positions_and_steps(positions[:, :1], positions[:, :0], step_weight=1.0), positions[:, :1])


def test_padding_touches_nothing_inside() -> None:
    positions, steps = draw(3, 30, 2)
    lengths = torch.tensor([30, 12, 1])
    fitted = fit_positions_and_steps(positions, steps, step_weight=20.0, lengths=lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = fit_positions_and_steps(positions[row, :length], steps[row, : length - 1], step_weight=20.0)
        torch.testing.assert_close(fitted[row, :length], alone, rtol=0, atol=1e-13)
        assert torch.equal(fitted[row, length:], positions[row, length:])


def test_padding_that_is_no_number_stays_outside() -> None:
    positions, steps = draw(2, 30, 2)
    truth = fit_positions_and_steps(positions[0, :12], steps[0, :11], step_weight=20.0)
    positions[0, 12:], steps[0, 11:] = torch.nan, torch.inf
    positions.requires_grad_()
    fitted = fit_positions_and_steps(positions, steps, step_weight=20.0, lengths=torch.tensor([12, 30]))
    torch.testing.assert_close(fitted[0, :12].detach(), truth, rtol=0, atol=1e-13)
    fitted[0, :12].sum().backward()
    assert positions.grad is not None
    assert bool(torch.isfinite(positions.grad).all())


@pytest.mark.parametrize("count", [2, 3, 400])
def test_pivots_known_at_once_are_those_of_the_elimination(count: int) -> None:
    weight = torch.tensor([0.0, 1e-6, 1.0, 37.7, 4000.0, 1e8], dtype=torch.float64)
    found = _eliminate(weight, count)
    pivot = 1 + weight
    for step in range(count):
        torch.testing.assert_close(found.pivots[step], 1 / pivot, rtol=1e-10, atol=0)
        torch.testing.assert_close(found.factors[step], weight / pivot, rtol=1e-10, atol=1e-300)
        last = torch.ones_like(weight) if step == 0 else 1 / (1 + weight - weight * found.factors[step - 1])
        torch.testing.assert_close(found.last[step], last, rtol=1e-10, atol=0)
        pivot = 1 + 2 * weight - weight.square() / pivot


def test_the_weight_is_a_constant() -> None:
    positions, steps = draw(9, 2)
    weight = torch.tensor(3.0, requires_grad=True)
    assert not fit_positions_and_steps(positions, steps, step_weight=weight).requires_grad


def test_its_gradient_is_that_of_finite_differences() -> None:
    positions, steps = draw(2, 9, 2)
    lengths, weight = torch.tensor([9, 6]), torch.tensor([1.0, 37.7], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda p, v: fit_positions_and_steps(p, v, step_weight=weight, lengths=lengths),
        (positions.requires_grad_(), steps.requires_grad_()),
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": torch.zeros(5, 2)}, r"expected \(\.\.\., T, K\) and \(\.\.\., T-1, K\)"),
        ({"step_weight": torch.ones(3)}, r"step_weight has shape \(3,\), expected one number or \(K,\)"),
        ({"step_weight": -1.0}, "step_weight is negative or not finite"),
        ({"step_weight": float("nan")}, "step_weight is negative or not finite"),
        (
            {"positions": torch.zeros(1, 2), "steps": torch.zeros(0, 2), "lengths": torch.tensor([1])},
            "lengths have shape",
        ),
        ({"lengths": torch.tensor([5, 5])}, r"lengths have shape \(2,\), expected \(\)"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, object], message: str) -> None:
    given = {"positions": torch.zeros(5, 2), "steps": torch.zeros(4, 2), "step_weight": 1.0} | changes
    positions, steps = given.pop("positions"), given.pop("steps")
    with pytest.raises(ValueError, match=message):
        fit_positions_and_steps(positions, steps, **given)
