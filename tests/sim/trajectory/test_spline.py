"""The spline's matrices against SciPy's smoothing, closed-form responses and noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.interpolate import BSpline

from sim.trajectory.spline import DEGREE, memory_samples, sampling_matrix, solve_matrix


def test_basis_is_scipys():
    coefficients = np.random.default_rng(0).normal(size=40 + DEGREE - 1)
    steps = np.linspace(0, 39, 301)
    knots = np.arange(-DEGREE, 40 + DEGREE) + 0.0
    reference = BSpline(knots, coefficients, DEGREE)
    samples = reference(np.arange(40.0))
    # These samples' own spline has other ends; inside it is the same curve.
    inside = (steps > 16) & (steps < 23)
    for derivative in range(4):
        ours = samples @ sampling_matrix(steps, num_samples=40, derivative=derivative)
        tolerance = 3e-3 * np.abs(samples).max() * 3.2**derivative
        np.testing.assert_allclose(ours[inside], reference(steps, derivative)[inside], atol=tolerance)


@pytest.mark.parametrize("cutoff", [0.02, 0.1, 0.3])
def test_smoothing_leaves_the_stated_part_at_the_cut_off(cutoff):
    num_samples = 60 + 4 * memory_samples(cutoff, 1e-6)
    at = np.arange(num_samples)
    operator = sampling_matrix(at + 0.0, num_samples=num_samples, cutoff=cutoff)
    middle = num_samples // 2
    impulse = operator[:, middle]
    response = {f: float(impulse @ np.cos(2 * math.pi * f * (at - middle))) for f in (0.0, cutoff / 4, cutoff)}
    assert response[0.0] == pytest.approx(1, abs=1e-6)
    assert response[cutoff] == pytest.approx(1 / math.sqrt(2), abs=1e-5)
    assert response[cutoff / 4] == pytest.approx(1, abs=2e-5)
    # No delay: the impulse response is even.
    np.testing.assert_allclose(impulse[middle - 20 : middle], impulse[middle + 20 : middle : -1], atol=1e-9)


def test_smoothing_is_the_stated_least_squares():
    """The gradient of the penalised sum of squares vanishes at the coefficients."""
    num_samples, cutoff = 30, 0.15
    solve = solve_matrix(num_samples, cutoff)
    collocation = np.zeros((num_samples, num_samples + DEGREE - 1))
    basis = BSpline.basis_element(np.arange(DEGREE + 2) - (DEGREE + 1) / 2, extrapolate=False)
    for row in range(num_samples):
        collocation[row, row : row + DEGREE] = basis(np.arange(-3.0, 4.0))
    omega = 2 * math.pi * cutoff
    response = float(basis(np.arange(-3.0, 4.0)) @ np.cos(omega * np.arange(-3, 4)))
    weight = (math.sqrt(2) - 1) * response**2 / (2 - 2 * math.cos(omega)) ** 4
    penalty = np.diff(np.eye(num_samples + DEGREE - 1), n=4, axis=0)
    normal = collocation.T @ (collocation @ solve - np.eye(num_samples)) + weight * penalty.T @ penalty @ solve
    np.testing.assert_allclose(normal, 0, atol=1e-9)


def test_smoothing_keeps_cubics_ends_and_all():
    at = np.linspace(-1, 1, 50)
    cubic = 1 + at - 2 * at**2 + 3 * at**3
    np.testing.assert_allclose(cubic @ sampling_matrix(np.arange(50.0), num_samples=50, cutoff=0.05), cubic, atol=1e-9)


def test_memory_is_where_the_influence_has_faded():
    for cutoff in (None, 0.05, 0.2):
        reach = memory_samples(cutoff, 1e-7)
        operator = sampling_matrix(np.arange(6.0 * reach), num_samples=6 * reach, cutoff=cutoff, derivative=2)
        column = np.abs(operator[:, 3 * reach])
        assert column[: 2 * reach].max() < 1e-6 * column.max()


def test_jitter_is_what_the_documentation_says():
    """1 mm of white jitter at 20 Hz: 1.9 m/s^2 on each axis interpolated, and little of it smoothed at 4 Hz."""
    plain, smooth = (
        1e-3 * 400 * np.linalg.norm(sampling_matrix(np.array([100.0]), num_samples=200, derivative=2, cutoff=cutoff))
        for cutoff in (None, 0.2)
    )
    assert plain == pytest.approx(1.85, abs=0.01)
    assert smooth < 0.3
