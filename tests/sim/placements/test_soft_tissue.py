"""The swinging box against its closed-form frequency response, its own kinematics and SciPy's solution."""

from __future__ import annotations

import math

import numpy as np
import pytest
import roma
import torch
from scipy import signal

from sim import Body, ImuRecording, Motion, Placement, simulate, simulate_rigid
from sim.placements.soft_tissue import SoftTissue
from sim.trajectory import sample_position, sample_rotation

DOUBLE = torch.float64
RATE_HZ = 1000.0


def _record(accel, gyro, orientation=None) -> ImuRecording:
    count = len(accel)
    orientation = torch.eye(3, dtype=DOUBLE).expand(count, 1, 3, 3) if orientation is None else orientation
    zero = torch.zeros(count, 1, 3, dtype=DOUBLE)
    gravity = (orientation.mT @ torch.tensor([0, -9.80665, 0], dtype=DOUBLE)[:, None])[..., 0]
    return ImuRecording(accel, gyro, accel + gravity, orientation, zero, RATE_HZ, ("box",))


def _transmissibility(hz: float, tissue: tuple[float, float]) -> complex:
    w, zeta = tissue
    s = 2j * math.pi * hz
    return (2 * zeta * w * s + w**2) / (s**2 + 2 * zeta * w * s + w**2)


@pytest.mark.parametrize("hz", [2.0, 16.0, 60.0])
@pytest.mark.parametrize("damping_ratio", [0.1, 0.7, 1.5])
def test_response_to_a_sine_is_the_closed_form(hz, damping_ratio):
    tissue = SoftTissue.resonating(16.0, 25.0, damping_ratio=damping_ratio)
    times = torch.arange(4000, dtype=DOUBLE) / RATE_HZ
    wave = torch.sin(2 * math.pi * hz * times)[:, None, None]
    axis = torch.tensor([1.0, -0.5, 0.2], dtype=DOUBLE)
    # Small turns, so that the frame in which the box turns is the site's throughout.
    swung = tissue.swing(_record(wave * axis, 1e-4 * wave * axis))
    settled = slice(2500, 4000)
    for read, true_axis, resonance in (
        (swung.accel, axis, tissue.translation),
        (swung.gyro, 1e-4 * axis, tissue.rotation),
    ):
        gain = _transmissibility(hz, resonance)
        expected = abs(gain) * torch.sin(2 * math.pi * hz * times + math.atan2(gain.imag, gain.real))
        expected = expected[settled, None, None] * true_axis
        error = float((read[settled] - expected).abs().max())
        # The drive is taken to be linear within a millisecond.
        assert error < (0.02 if hz > 50 else 3e-3) * float(expected.abs().max()) + 2e-3 * float(true_axis.abs().max())


def test_solution_is_scipys():
    tissue = SoftTissue.resonating(16.0, damping_ratio=0.2)
    w, zeta = tissue.translation
    drive = np.cumsum(np.random.default_rng(0).normal(size=600)) * 0.1
    accel = torch.from_numpy(drive)[:, None, None] * torch.tensor([1.0, 0, 0], dtype=DOUBLE)
    swung = tissue.swing(_record(accel, torch.zeros(600, 1, 3, dtype=DOUBLE)))
    _, felt, _ = signal.lsim(
        ([2 * zeta * w, w**2], [1, 2 * zeta * w, w**2]), drive - drive[0], np.arange(600) / RATE_HZ
    )
    np.testing.assert_allclose(swung.accel[:, 0, 0].numpy(), felt + drive[0], atol=1e-7)


def test_rest_is_rest_and_sags_by_gravity_over_stiffness():
    tissue = SoftTissue.resonating(16.0)
    orientation = roma.random_rotmat(1, dtype=DOUBLE, generator=torch.Generator().manual_seed(0)).expand(300, 1, 3, 3)
    accel = (orientation.mT @ torch.tensor([0, 9.80665, 0], dtype=DOUBLE)[:, None])[..., 0]
    swung = tissue.swing(_record(accel, torch.zeros_like(accel), orientation))
    torch.testing.assert_close(swung.accel, accel)
    torch.testing.assert_close(swung.orientation, orientation)
    assert float(swung.linear_accel.abs().max()) < 1e-9
    sag = 9.80665 * tissue.mass_kg / tissue.stiffness_n_m
    torch.testing.assert_close(swung.position[:, 0], torch.tensor([0, -sag, 0], dtype=DOUBLE).expand(300, 3))


def _tumble(fps: float) -> tuple[torch.Tensor, torch.Tensor]:
    times = torch.arange(int(2 * fps) + 1, dtype=DOUBLE)[:, None] / fps
    phase = torch.tensor([0.0, 1.0, 2.0], dtype=DOUBLE)
    position = 0.1 * torch.sin(2 * math.pi * 2 * times + phase)
    return position, roma.rotvec_to_rotmat(0.8 * torch.sin(2 * math.pi * 1.5 * times + 2 * phase))


def test_what_is_read_fits_how_the_box_moves():
    """Position and orientation of the swinging box, differentiated anew, give its readings."""
    site = simulate_rigid(*_tumble(100.0), fps=100.0, rate_hz=RATE_HZ)
    swung = SoftTissue.resonating(15.0, 20.0, damping_ratio=0.2).swing(site)
    times, inside = swung.time_s, slice(200, -200)
    acceleration = sample_position(swung.position[:, 0], fps=RATE_HZ, times_s=times, derivative=2)
    linear = (swung.orientation[:, 0].mT @ acceleration[..., None])[..., 0]
    _, rate = sample_rotation(swung.orientation[:, 0], fps=RATE_HZ, times_s=times)
    torch.testing.assert_close(swung.linear_accel[inside, 0], linear[inside], atol=0.02, rtol=0)
    torch.testing.assert_close(swung.gyro[inside, 0], rate[inside], atol=2e-3, rtol=0)
    # And the box did swing: by millimetres and degrees.
    assert 1e-3 < float((swung.position - site.position)[inside].norm(dim=-1).max()) < 0.05
    assert float((swung.gyro - site.gyro)[inside].abs().max()) > 0.03


def test_a_stiff_hold_is_rigid():
    site = simulate_rigid(*_tumble(100.0), fps=100.0, rate_hz=32_000.0 / 8)
    swung = SoftTissue.resonating(900.0, damping_ratio=0.7).swing(site)
    inside = slice(100, -100)
    torch.testing.assert_close(swung.accel[inside], site.accel[inside], atol=0.05, rtol=0)
    torch.testing.assert_close(swung.gyro[inside], site.gyro[inside], atol=0.01, rtol=0)


def test_gradients():
    tissue = SoftTissue.resonating(16.0)
    generator = torch.Generator().manual_seed(1)
    accel, gyro = (torch.randn(5, 1, 3, generator=generator, dtype=DOUBLE).requires_grad_() for _ in range(2))

    def read(a: torch.Tensor, g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        swung = tissue.swing(_record(a, g))
        return swung.accel, swung.gyro

    assert torch.autograd.gradcheck(read, (accel, gyro))


def test_parameters_and_resonances():
    tissue = SoftTissue(330.0, 1.0, 0.03, 0.5, 1e-3, 1e-5)
    assert tissue.translation == pytest.approx((math.sqrt(330 / 0.03), 1 / (2 * math.sqrt(330 * 0.03))))
    assert tissue.rotation == pytest.approx((math.sqrt(0.5 / 1e-5), 1e-3 / (2 * math.sqrt(0.5 * 1e-5))))
    by_resonance = SoftTissue.resonating(16.0, 30.0, damping_ratio=0.2)
    assert by_resonance.translation == pytest.approx((2 * math.pi * 16, 0.2))
    assert by_resonance.rotation == pytest.approx((2 * math.pi * 30, 0.2))
    assert by_resonance.oversampling(50.0) == 20
    assert by_resonance.oversampling(5000.0) == 1


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SoftTissue(0.0, 1, 1, 1, 1, 1), "stiffness_n_m is 0.0, expected a positive number"),
        (lambda: SoftTissue(1, 1, 1, 1, math.nan, 1), "damping_nms_rad is nan"),
        (lambda: SoftTissue.resonating(2000.0), "resonates at 2e\\+03 Hz, expected 0.1 to 1000 Hz"),
        (lambda: SoftTissue.resonating(20.0, damping_ratio=-1), "damping_ratio is -1"),
        (lambda: SoftTissue.resonating(20.0, damping_ratio=1e-6), "damping is 1e-06 of the critical one"),
        (lambda: SoftTissue.resonating(1e-6), "resonates at 1e-06 Hz"),
    ],
)
def test_bad_parameters_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def _walk(num_frames: int = 60) -> Motion:
    times = torch.arange(num_frames, dtype=DOUBLE) / 20
    phases = torch.arange(22, dtype=DOUBLE)[:, None] + torch.tensor([0.0, 1.0, 2.0], dtype=DOUBLE)
    rotations = roma.rotvec_to_rotmat(0.4 * torch.sin(8 * times[:, None, None] + phases))
    return Motion(rotations, torch.stack([0 * times, 0.9 + 0.02 * torch.sin(15 * times), times], dim=-1), 20.0)


def test_only_the_attached_sensors_swing():
    body, names = Body.default(), ("left_thigh", "chest", "left_wrist")
    rigid = [Placement.preset(name) for name in names]
    loose = SoftTissue.resonating(8.0, damping_ratio=0.2)
    soft = [rigid[0].attached(loose), rigid[1], rigid[2].attached(SoftTissue.resonating(12.0))]
    held, swung = (simulate(_walk(), body, placements, rate_hz=50) for placements in (rigid, soft))
    for quantity in ("accel", "gyro", "linear_accel", "orientation", "position"):
        before, after = getattr(held, quantity), getattr(swung, quantity)
        assert before.shape == after.shape
        assert torch.equal(before[:, 1], after[:, 1])
        assert not torch.equal(before[:, 0], after[:, 0])
        assert not torch.equal(before[:, 2], after[:, 2])
    assert 0.2 < float((held.accel - swung.accel)[:, 0].norm(dim=-1).mean()) < 20
    assert swung.names == names
    assert swung.rate_hz == 50
    # Off by default, and taken off again.
    again = simulate(_walk(), body, [p.attached(None) for p in soft], rate_hz=50)
    assert torch.equal(again.accel, held.accel)


def test_gradients_pass_through_the_attachment():
    motion = _walk(12)
    rotations = motion.rotations.clone().requires_grad_()
    placement = Placement.preset("left_thigh").attached(SoftTissue.resonating(10.0))
    recording = simulate(Motion(rotations, motion.translation, 20.0), Body.default(), [placement], rate_hz=50)
    recording.accel.square().sum().backward()
    assert rotations.grad is not None
    assert bool(rotations.grad.isfinite().all())
    assert float(rotations.grad.abs().max()) > 0
