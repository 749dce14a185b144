"""Windows give what one solve over the whole signal gives, at any length, rate and precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sim.sampler import _PAYLOAD, plan_windows, sample_spline
from sim.spline import memory_samples, sampling_matrix

DTYPES = [torch.float32, torch.float64]


def _signal(num_samples: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(3, num_samples, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cutoff", [None, 0.1])
@pytest.mark.parametrize("rate", [1.0, 5.0, 0.5, 1.7])
@pytest.mark.parametrize("num_samples", [180, 181, 300, 420, 487, 900])
def test_windows_give_what_one_solve_gives(num_samples, rate, cutoff, dtype):
    signal = _signal(num_samples, dtype)
    steps = np.arange(int((num_samples - 1) * rate) + 1) / rate
    for order, value in enumerate(sample_spline(signal, steps, (0, 1, 2), cutoff=cutoff)):
        whole = sampling_matrix(steps, num_samples=num_samples, derivative=order, cutoff=cutoff)
        expected = signal.double() @ torch.from_numpy(whole)
        tolerance = (1e-12 if dtype == torch.float64 else 2e-6) * float(expected.abs().max())
        torch.testing.assert_close(value.double(), expected, atol=tolerance, rtol=0)


def test_every_time_is_served_once_and_from_inside_a_window():
    steps = np.sort(np.random.default_rng(0).uniform(0, 999, 3000))
    plan = plan_windows(steps, num_samples=1000, dtype=torch.float64)
    margin = memory_samples(None, 1e-13)
    served = 0
    for windows in plan:
        assert windows.output == served
        served += windows.num_values
        inner = (windows.start > 0) * margin, windows.length - (windows.stop < 1000) * margin
        assert inner[0] <= min(windows.steps)
        assert max(windows.steps) <= inner[1]
    assert served == 3000


def test_equal_rates_share_one_operator():
    plan = plan_windows(np.arange(100_000.0), num_samples=100_000, dtype=torch.float32)
    assert len(plan) <= 4
    assert sum(windows.repeats for windows in plan) > 100_000 // _PAYLOAD - 3
    # Thirds are not exact in floating point; they count as the same times all the same.
    thirds = plan_windows(np.arange(299_998.0) / 3, num_samples=100_000, dtype=torch.float32)
    assert len(thirds) < 20


def test_times_may_come_in_any_order():
    signal, steps = _signal(400), np.random.default_rng(1).permutation(np.linspace(0, 399, 777))
    (value,) = sample_spline(signal, steps, (1,))
    expected = signal @ torch.from_numpy(sampling_matrix(steps, num_samples=400, derivative=1))
    torch.testing.assert_close(value, expected, atol=1e-10, rtol=0)


def test_no_times_give_no_values():
    assert sample_spline(_signal(400), np.empty(0))[0].shape == (3, 0)


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_reduced_precision_of_products_is_kept_out(precision):
    """Lightning advises torch.set_float32_matmul_precision; a second derivative of positions cannot afford it."""
    signal, steps = _signal(400, torch.float32), np.arange(400.0)
    expected = sample_spline(signal, steps, (2,))[0]
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        torch.testing.assert_close(sample_spline(signal, steps, (2,))[0], expected, atol=0, rtol=0)
        assert torch.get_float32_matmul_precision() == precision
    finally:
        torch.set_float32_matmul_precision(before)
