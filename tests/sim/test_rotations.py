"""Rotation maths against scipy and roma, at both precisions, and gradients where they are easily NaN."""

from __future__ import annotations

import math

import numpy as np
import pytest
import roma
import torch
from scipy.spatial.transform import Rotation

from sim.rotations import (
    align_vectors,
    axis_angle_to_matrix,
    hat,
    matrix_from_6d,
    matrix_to_6d,
    matrix_to_axis_angle,
    vee,
)

TOLERANCE = {torch.float32: 3e-6, torch.float64: 1e-13}


def random_vectors(count: int, dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("scale", [0.0, 1e-9, 1e-4, 0.049, 0.051, 1.0, 3.0])
def test_axis_angle_matches_scipy(dtype: torch.dtype, scale: float) -> None:
    vectors = torch.nn.functional.normalize(random_vectors(50, dtype), dim=-1) * scale
    expected = torch.from_numpy(Rotation.from_rotvec(vectors.double().numpy()).as_matrix())
    torch.testing.assert_close(axis_angle_to_matrix(vectors).double(), expected, atol=TOLERANCE[dtype], rtol=0)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("scale", [0.0, 1e-6, 0.3, 3.1])
def test_axis_angle_round_trip(dtype: torch.dtype, scale: float) -> None:
    vectors = torch.nn.functional.normalize(random_vectors(50, dtype), dim=-1) * scale
    back = matrix_to_axis_angle(axis_angle_to_matrix(vectors))
    torch.testing.assert_close(back, vectors, atol=20 * TOLERANCE[dtype], rtol=0)


ANGLES = [0.0, 1e-12, 1e-7, 1e-4, 0.0199, 0.0201, 0.3, 2.0, math.pi - 1e-2, math.pi - 1e-4, math.pi - 1e-7, math.pi]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("angle", ANGLES)
def test_rotation_vectors_and_their_gradients_are_romas(dtype: torch.dtype, angle: float) -> None:
    axes = torch.nn.functional.normalize(random_vectors(300, torch.float64), dim=-1)
    matrix = roma.rotvec_to_rotmat(axes * angle).to(dtype)
    # No rotation exactly, as matrices that come out of a network or a product of many are not.
    matrix = matrix + torch.finfo(dtype).eps * random_vectors(900, dtype, 1).reshape(300, 3, 3)
    ours, theirs = matrix.clone().requires_grad_(), matrix.clone().requires_grad_()
    vector, expected = matrix_to_axis_angle(ours), roma.rotmat_to_rotvec(theirs)
    torch.testing.assert_close(vector, expected, atol=TOLERANCE[dtype], rtol=0)
    weights = random_vectors(300, dtype, 2)
    (gradient,) = torch.autograd.grad((vector * weights).sum(), ours)
    (expected_gradient,) = torch.autograd.grad((expected * weights).sum(), theirs)
    torch.testing.assert_close(gradient, expected_gradient, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_six_numbers_and_their_gradients_are_romas(dtype: torch.dtype) -> None:
    columns = torch.cat([random_vectors(300, dtype), random_vectors(300, dtype, 1)], dim=-1).reshape(3, 100, 6)
    ours, theirs = columns.clone().requires_grad_(), columns.clone().requires_grad_()
    rotation = matrix_from_6d(ours)
    expected = roma.special_gramschmidt(theirs.unflatten(-1, (2, 3)).mT)
    torch.testing.assert_close(rotation, expected, atol=TOLERANCE[dtype], rtol=0)
    weights = random_vectors(900, dtype, 2).reshape(3, 100, 3, 3)
    (gradient,) = torch.autograd.grad((rotation * weights).sum(), ours)
    (expected_gradient,) = torch.autograd.grad((expected * weights).sum(), theirs)
    # Relative to the largest: where the two columns are nearly parallel, gradients are large and so is their rounding.
    torch.testing.assert_close(
        gradient, expected_gradient, atol=TOLERANCE[dtype] * float(expected_gradient.abs().max()), rtol=0
    )


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_gradient_at_zero_angle_is_the_generator(dtype: torch.dtype) -> None:
    zero = torch.zeros(3, dtype=dtype)
    jacobian = torch.autograd.functional.jacobian(axis_angle_to_matrix, zero)
    expected = torch.stack([hat(unit) for unit in torch.eye(3, dtype=dtype)], dim=-1)
    torch.testing.assert_close(jacobian, expected)
    there_and_back = torch.autograd.functional.jacobian(lambda v: matrix_to_axis_angle(axis_angle_to_matrix(v)), zero)
    torch.testing.assert_close(there_and_back, torch.eye(3, dtype=dtype))


def test_gradients_match_finite_differences() -> None:
    vectors = torch.cat([random_vectors(3, torch.float64) * s for s in (0.01, 1.0)]).requires_grad_()
    assert torch.autograd.gradcheck(axis_angle_to_matrix, vectors)
    columns = torch.cat([random_vectors(4, torch.float64), random_vectors(4, torch.float64, 1)], -1).requires_grad_()
    assert torch.autograd.gradcheck(matrix_from_6d, columns)
    other = random_vectors(6, torch.float64, 2).requires_grad_()
    assert torch.autograd.gradcheck(align_vectors, (vectors, other))


def test_hat_is_the_cross_product_and_vee_undoes_it() -> None:
    a, b = random_vectors(20, torch.float64), random_vectors(20, torch.float64, 1)
    torch.testing.assert_close((hat(a) @ b[..., None])[..., 0], torch.linalg.cross(a, b))
    torch.testing.assert_close(vee(hat(a)), a)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_six_numbers_are_the_first_two_columns(dtype: torch.dtype) -> None:
    rotation = torch.from_numpy(Rotation.random(30, random_state=0).as_matrix()).to(dtype)
    six = matrix_to_6d(rotation)
    assert torch.equal(six[:, :3], rotation[:, :, 0])
    assert torch.equal(six[:, 3:], rotation[:, :, 1])
    torch.testing.assert_close(matrix_from_6d(2.5 * six), rotation, atol=TOLERANCE[dtype], rtol=0)


def test_six_numbers_that_are_not_orthogonal_keep_the_first_direction() -> None:
    rotation = matrix_from_6d(torch.tensor([2.0, 0, 0, 1.0, 3.0, 0]))
    torch.testing.assert_close(rotation, torch.eye(3))
    with pytest.raises(ValueError, match=r"expected \(\.\.\., 6\)"):
        matrix_from_6d(torch.zeros(2, 5))


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_align_vectors_is_the_shortest_rotation(dtype: torch.dtype) -> None:
    a, b = random_vectors(40, dtype), random_vectors(40, dtype, 1)
    rotation = align_vectors(a, b)
    unit_a, unit_b = (torch.nn.functional.normalize(v, dim=-1) for v in (a, b))
    tolerance = 5 * TOLERANCE[dtype]
    torch.testing.assert_close((rotation @ unit_a[..., None])[..., 0], unit_b, atol=tolerance, rtol=0)
    identity = torch.eye(3, dtype=dtype).expand_as(rotation)
    torch.testing.assert_close(rotation @ rotation.mT, identity, atol=tolerance, rtol=0)
    angle = Rotation.from_matrix(rotation.double().numpy()).magnitude()
    between = np.arccos(np.clip((unit_a * unit_b).sum(-1).double().numpy(), -1, 1))
    np.testing.assert_allclose(angle, between, atol=1e-3 if dtype == torch.float32 else 1e-7)


@pytest.mark.parametrize("offset", [0.0, 1e-7, 1e-4])
def test_align_vectors_at_and_near_opposite_and_equal(offset: float) -> None:
    start = torch.eye(3, dtype=torch.float64)
    for sign in (1.0, -1.0):
        end = (sign * start + offset * start.roll(1, 0)).requires_grad_()
        rotation = align_vectors(start, end)
        unit = torch.nn.functional.normalize(end, dim=-1)
        torch.testing.assert_close((rotation @ start[..., None])[..., 0], unit, atol=1e-9, rtol=0)
        torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(3, dtype=torch.float64))
        (gradient,) = torch.autograd.grad(rotation.sum(), end)
        assert bool(gradient.isfinite().all())
    half_turn = Rotation.from_matrix(align_vectors(start, -start).numpy()).magnitude()
    np.testing.assert_allclose(half_turn, math.pi)
