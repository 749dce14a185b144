"""The splines against closed forms, SciPy's spline of the same degree, and their own defining properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
import roma
import torch
from scipy.interpolate import make_interp_spline

from experiments.bench.methods import difference_readings, float32_readings, scipy_readings, spline_readings
from experiments.bench.rigid import measure_error
from experiments.bench.wrist_motion import WristMotion
from sim.motion import Motion
from sim.trajectory import resample_motion, sample_position, sample_rotation, uniform_times
from sim.trajectory.spline import sampling_matrix
from sim.trajectory.spline_windows import sample_spline


def _times(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("num_frames", [150, 700])
@pytest.mark.parametrize("derivative", [0, 1, 2, 3])
def test_is_the_interpolating_spline_of_degree_seven(num_frames, derivative):
    """SciPy's end condition is another one, so the middle is compared, where no end shows any more."""
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(2, num_frames, 3, generator=generator, dtype=torch.float64)
    times = 65 + torch.rand(100, generator=generator, dtype=torch.float64) * (num_frames - 131)
    reference = make_interp_spline(np.arange(num_frames), samples.movedim(1, 0).numpy(), k=7)(times.numpy(), derivative)
    ours = sample_position(samples, fps=1.0, times_s=times, derivative=derivative).movedim(1, 0)
    np.testing.assert_allclose(ours.numpy(), reference, atol=1e-11)


@pytest.mark.parametrize("num_frames", [1, 2, 3, 4, 5, 6, 9, 400])
def test_passes_through_the_samples_at_any_length(num_frames):
    samples = torch.randn(num_frames, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    times = torch.arange(num_frames, dtype=torch.float64) / 20
    torch.testing.assert_close(sample_position(samples, fps=20.0, times_s=times), samples, atol=1e-12, rtol=0)
    rotations = roma.rotvec_to_rotmat(samples)
    torch.testing.assert_close(sample_rotation(rotations, fps=20.0, times_s=times)[0], rotations, atol=1e-12, rtol=0)


@pytest.mark.parametrize("num_frames", [2, 3, 4, 30, 500])
def test_polynomials_up_to_the_ends_degree_are_exact(num_frames):
    """Fewer than four samples carry a polynomial of degree T - 1, more of them a cubic, ends and all."""
    degree = min(num_frames - 1, 3)
    coefficients = np.array([0.3, -1.2, 0.7, 0.4])[: degree + 1]
    grid = np.linspace(-1, 1, num_frames)
    fps = (num_frames - 1) / 2
    samples = torch.from_numpy(np.polynomial.polynomial.polyval(grid, coefficients))[:, None].expand(-1, 3)
    times = np.linspace(0, 2, 37)
    for derivative in range(3):
        derived = np.polynomial.polynomial.polyder(coefficients, derivative)
        truth = np.polynomial.polynomial.polyval(times - 1, derived) if derived.size else np.zeros(37)
        ours = sample_position(samples, fps=fps, times_s=torch.from_numpy(times), derivative=derivative)
        # Rounding of the samples is amplified by fps^derivative.
        np.testing.assert_allclose(ours[:, 1].numpy(), truth, atol=1e-13 * max(1.0, fps) ** derivative)


def test_ends_lose_three_derivatives_and_the_inside_keeps_six():
    samples = torch.randn(40, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    size = float(samples.abs().max())
    for derivative in (4, 5, 6):
        ends = sample_position(samples, fps=1.0, times_s=_times(0.0, 39.0), derivative=derivative)
        torch.testing.assert_close(ends, torch.zeros_like(ends), atol=1e-9, rtol=0)
    step = 1e-7
    for derivative in range(7):
        pair = sample_position(samples, fps=1.0, times_s=_times(17 - step, 17 + step), derivative=derivative)
        # Across the knot a continuous quantity moves by no more than its slope times the step.
        assert float((pair[1] - pair[0]).abs().max()) < 1e-4 * size


def test_constant_offset_changes_no_derivative():
    samples = torch.randn(50, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    times = torch.linspace(0, 2.4, 31, dtype=torch.float64)
    near = sample_position(samples, fps=20.0, times_s=times, derivative=2)
    far = sample_position(samples + 100, fps=20.0, times_s=times, derivative=2)
    torch.testing.assert_close(near, far, atol=1e-8, rtol=0)


def test_rotation_rate_is_the_derivative_of_the_rotation():
    vectors = torch.randn(3, 12, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    rotations = roma.rotvec_to_rotmat(vectors.cumsum(dim=1) * 0.3)
    times, step = torch.linspace(0.02, 0.5, 29, dtype=torch.float64), 1e-6
    rotation, rate = sample_rotation(rotations, fps=20.0, times_s=times)
    ahead, _ = sample_rotation(rotations, fps=20.0, times_s=times + step)
    behind, _ = sample_rotation(rotations, fps=20.0, times_s=times - step)
    slope = rotation.mT @ (ahead - behind) / (2 * step)
    numeric = torch.stack([slope[..., 2, 1], slope[..., 0, 2], slope[..., 1, 0]], dim=-1)
    torch.testing.assert_close(rate, numeric, atol=1e-7, rtol=1e-7)
    torch.testing.assert_close(slope, -slope.mT, atol=1e-7, rtol=0)
    eye = torch.eye(3, dtype=torch.float64).expand_as(rotation)
    torch.testing.assert_close(rotation @ rotation.mT, eye, atol=1e-12, rtol=0)


def test_rotation_does_not_depend_on_the_choice_of_frames():
    generator = torch.Generator().manual_seed(6)
    vectors = torch.randn(15, 3, generator=generator, dtype=torch.float64).cumsum(dim=0) * 0.4
    rotations = roma.rotvec_to_rotmat(vectors)
    world, body = roma.rotvec_to_rotmat(torch.randn(2, 3, generator=generator, dtype=torch.float64) * 2)
    times = torch.linspace(0, 0.7, 33, dtype=torch.float64)
    plain, rate = sample_rotation(rotations, fps=20.0, times_s=times)
    turned, turned_rate = sample_rotation(world @ rotations @ body, fps=20.0, times_s=times)
    torch.testing.assert_close(turned, world @ plain @ body, atol=1e-12, rtol=0)
    torch.testing.assert_close(turned_rate, rate @ body, atol=1e-10, rtol=0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_many_full_turns_at_constant_rate(axis):
    """The quaternion's sign and its pivot both change on the way round."""
    times = torch.arange(200, dtype=torch.float64) / 60
    vectors = torch.zeros(200, 3, dtype=torch.float64)
    vectors[:, axis] = 9.0 * times
    _, rate = sample_rotation(roma.rotvec_to_rotmat(vectors), fps=60.0, times_s=times[10:-10])
    expected = torch.zeros_like(rate)
    expected[:, axis] = 9.0
    torch.testing.assert_close(rate, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("fps", "accel", "gyro"), [(20.0, 4e-4, 3e-3), (60.0, 4e-7, 1e-7), (100.0, 5e-8, 5e-9)])
def test_accuracy_on_wrist_like_motion_float64(fps, accel, gyro):
    error = measure_error(spline_readings, fps, num_motions=4)
    assert error.accel < accel
    assert error.gyro < gyro
    # The same motion by other means, so that the figures above mean something.
    for peer, accel_ratio, gyro_ratio in ((difference_readings, 300, 50), (scipy_readings, 20, 5)):
        other = measure_error(peer, fps, num_motions=4)
        assert other.accel > accel_ratio * error.accel
        assert other.gyro > gyro_ratio * error.gyro


def test_accuracy_on_wrist_like_motion_float32():
    error = measure_error(float32_readings, 60.0, num_motions=4)
    assert error.accel < 5e-4
    assert error.gyro < 2e-5


def test_error_at_the_ends_is_as_documented():
    error = measure_error(spline_readings, 20.0, num_motions=4)
    assert error.accel_ends < 1.0
    assert error.gyro_ends < 0.15


def test_between_the_samples_as_well():
    motion = WristMotion.random(9)
    samples = torch.from_numpy(motion.position(np.arange(721) / 60))
    times = np.linspace(1, 11, 997)
    ours = sample_position(samples, fps=60.0, times_s=torch.from_numpy(times), derivative=2)
    truth = np.einsum("tij,tj->ti", motion.rotation(times), motion.readings(times)[0]) + np.array([0, -9.80665, 0])
    assert np.sqrt(np.mean((ours.numpy() - truth) ** 2)) < 1e-4


@pytest.mark.parametrize("num_frames", [2, 7])
def test_gradients(num_frames):
    generator = torch.Generator().manual_seed(7)
    samples = torch.randn(num_frames, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    times = torch.linspace(0, (num_frames - 1) / 20, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: sample_position(x, fps=20.0, times_s=times, derivative=2), (samples,))
    assert torch.autograd.gradcheck(
        lambda x: sample_rotation(roma.rotvec_to_rotmat(x), fps=20.0, times_s=times), (samples,)
    )


def test_gradients_through_windows():
    samples = torch.randn(1, 400, generator=torch.Generator().manual_seed(8), dtype=torch.float64, requires_grad=True)
    steps = np.linspace(0, 399, 500)
    weights = torch.randn(1, 500, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    (value,) = sample_spline(samples, steps, (2,))
    (gradient,) = torch.autograd.grad((value * weights).sum(), samples)
    expected = weights @ torch.from_numpy(sampling_matrix(steps, num_samples=400, derivative=2)).mT
    # The middle sample is held constant in the graph; what it carries over is zero, for constants are exact.
    torch.testing.assert_close(gradient, expected, atol=1e-11, rtol=0)


def test_what_validation_caches_serves_training():
    samples = torch.randn(23, 3, generator=torch.Generator().manual_seed(10), dtype=torch.float64)
    with torch.inference_mode():
        sample_position(samples, fps=20.0, times_s=_times(0.5))
    samples.requires_grad_()
    sample_position(samples, fps=20.0, times_s=_times(0.5)).sum().backward()
    assert samples.grad is not None


@pytest.mark.parametrize(
    ("num_frames", "fps", "rate_hz", "count"),
    [(301, 30.0, 100.0, 1001), (196, 20.0, 100.0, 976), (11, 20.0, 50.0, 26), (8, 0.1, 0.3, 22), (1, 20.0, 100.0, 1)],
)
def test_uniform_times(num_frames, fps, rate_hz, count):
    times = uniform_times(num_frames, fps=fps, rate_hz=rate_hz)
    assert len(times) == count
    assert float(times[0]) == 0
    assert float(times[-1]) <= (num_frames - 1) / fps + 1e-9


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_rejects_rates(rate):
    with pytest.raises(ValueError, match="rate_hz is"):
        uniform_times(10, fps=20.0, rate_hz=rate)
    with pytest.raises(ValueError, match="fps is"):
        sample_position(torch.zeros(4, 3), fps=rate, times_s=_times(0.0))


def test_rejects_other_input():
    with pytest.raises(ValueError, match="within the clip"):
        sample_position(torch.zeros(4, 3), fps=20.0, times_s=_times(0.2))
    with pytest.raises(ValueError, match="within the clip"):
        sample_position(torch.zeros(4, 3), fps=20.0, times_s=_times(math.nan))
    with pytest.raises(ValueError, match="from frame 2 on"):
        sample_position(torch.tensor([0.0, 0, math.nan, 0])[:, None].expand(4, 3), fps=20.0, times_s=_times(0.0))
    with pytest.raises(ValueError, match="0 frames"):
        sample_position(torch.zeros(0, 3), fps=20.0, times_s=_times(0.0))
    with pytest.raises(ValueError, match="expected 0 to 7"):
        sample_position(torch.zeros(4, 3), fps=20.0, times_s=_times(0.0), derivative=8)
    with pytest.raises(ValueError, match=r"expected \(\.\.\., T, 3\)"):
        sample_position(torch.zeros(4, 2), fps=20.0, times_s=_times(0.0))
    reflected = torch.eye(3).repeat(4, 1, 1) * torch.tensor([1.0, 1.0, -1.0])
    for bad in (reflected, 1.1 * torch.eye(3).repeat(4, 1, 1), torch.full((4, 3, 3), math.nan)):
        with pytest.raises(ValueError, match="not a rotation"):
            sample_rotation(bad, fps=20.0, times_s=_times(0.0))


def _swing(times: torch.Tensor) -> Motion:
    phases = torch.arange(22, dtype=torch.float64)[:, None] + torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    vectors = 0.4 * torch.sin(2 * math.pi * times[:, None, None] + phases)
    translation = torch.stack([times, torch.sin(3 * times), 0 * times], dim=-1)
    return Motion(roma.rotvec_to_rotmat(vectors), translation, fps=float(1 / (times[1] - times[0])), text="swing")


def test_resample_motion():
    source = _swing(torch.arange(61, dtype=torch.float64) / 30)
    target = _swing(torch.arange(201, dtype=torch.float64) / 100)
    result = resample_motion(source, fps=100.0)
    assert (result.fps, result.text, result.num_frames) == (100.0, "swing", 201)
    torch.testing.assert_close(result.rotations[20:-20], target.rotations[20:-20], atol=2e-6, rtol=0)
    torch.testing.assert_close(result.translation[20:-20], target.translation[20:-20], atol=2e-6, rtol=0)
    same = resample_motion(source, fps=30.0)
    torch.testing.assert_close(same.rotations, source.rotations, atol=1e-12, rtol=0)


def test_resample_motion_keeps_batches_and_gradients():
    source = _swing(torch.arange(20, dtype=torch.float64) / 20)
    rotations = source.rotations.expand(2, 3, -1, -1, -1, -1).clone().requires_grad_()
    batch = Motion(rotations, source.translation.expand(2, 3, -1, -1), source.fps)
    result = resample_motion(batch, fps=33.0)
    assert result.rotations.shape == (2, 3, 32, 22, 3, 3)
    assert result.translation.shape == (2, 3, 32, 3)
    torch.testing.assert_close(result.rotations[1, 2], resample_motion(source, fps=33.0).rotations)
    result.rotations.square().sum().backward()
    assert rotations.grad is not None
    assert bool(torch.isfinite(rotations.grad).all())
    with pytest.raises(ValueError, match="fps is 0"):
        resample_motion(source, fps=0)
