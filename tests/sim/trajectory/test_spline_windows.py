"""Windows give what one solve over the whole signal gives, at any length, rate and precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sim.trajectory.spline import memory_samples, sampling_matrix
from sim.trajectory.spline_windows import _PAYLOAD, _kept_operator, plan_windows, sample_spline

DTYPES = [torch.float32, torch.float64]


def _signal(num_samples: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(3, num_samples, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cutoff", [None, 0.1, 0.03])
@pytest.mark.parametrize("rate", [1.0, 5.0, 0.5, 1.7])
@pytest.mark.parametrize("num_samples", [180, 181, 300, 420, 487, 900])
def test_windows_give_what_one_solve_gives(num_samples, rate, cutoff, dtype):
    signal = _signal(num_samples, dtype)
    steps = np.arange(int((num_samples - 1) * rate) + 1) / rate
    for order, value in enumerate(sample_spline(signal, steps, (0, 1, 2), cutoff=cutoff)):
        whole = sampling_matrix(steps, num_samples=num_samples, derivative=order, cutoff=cutoff)
        expected = signal.double() @ torch.from_numpy(whole)
        tolerance = (1e-11 if dtype == torch.float64 else 2e-6) * float(expected.abs().max())
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


def test_the_lowest_cut_off_has_windows_long_enough():
    """The roots of the filter's symbol crowd around 1 there, where a polynomial in z could not be solved."""
    generator = torch.Generator().manual_seed(3)
    signal = torch.randn(2, 1800, generator=generator, dtype=torch.float64).cumsum(dim=1)
    steps = np.arange(890.0, 910.0)
    whole = signal @ torch.from_numpy(sampling_matrix(steps, num_samples=1800, derivative=2, cutoff=0.02))
    for dtype, tolerance in ((torch.float64, 1e-9), (torch.float32, 1e-4)):
        assert plan_windows(steps, num_samples=1800, dtype=dtype, cutoff=0.02)[0].length < 1300
        (value,) = sample_spline(signal.to(dtype), steps, (2,), cutoff=0.02)
        assert float((value.double() - whole).abs().max() / whole.abs().max()) < tolerance


def test_many_times_in_one_short_clip_are_served_in_parts_and_not_kept():
    signal = _signal(100)
    steps = np.linspace(0, 99, 10_000)
    before = _kept_operator.cache_info().currsize
    (value,) = sample_spline(signal, steps, (1,))
    expected = signal @ torch.from_numpy(sampling_matrix(steps, num_samples=100, derivative=1))
    torch.testing.assert_close(value, expected, atol=1e-10, rtol=0)
    assert len(plan_windows(steps, num_samples=100, dtype=torch.float64)) == 3
    assert _kept_operator.cache_info().currsize == before


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_reduced_precision_of_products_is_kept_out(precision, monkeypatch):
    """Lightning advises torch.set_float32_matmul_precision; a second derivative of positions cannot afford it."""
    asked: list[tuple[str, bool]] = []
    product = torch.bmm

    def spy(*args: torch.Tensor) -> torch.Tensor:
        asked.append((torch.get_float32_matmul_precision(), torch.is_autocast_enabled("cpu")))
        return product(*args)

    monkeypatch.setattr(torch, "bmm", spy)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            sample_spline(_signal(400, torch.float32), np.arange(400.0), (2,))
        assert torch.get_float32_matmul_precision() == precision
    finally:
        torch.set_float32_matmul_precision(before)
    assert asked
    assert set(asked) == {("highest", False)}
