"""The virtual IMU against physics: rest, free fall, turntable, swinging arm, gradients, precision."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import roma
import torch

from sim import (
    Body,
    Motion,
    Placement,
    SensorErrors,
    SoftTissue,
    TriadErrors,
    simulate,
    simulate_joints,
    simulate_rigid,
)
from sim.body.smpl_files import read_cc0_body
from sim.imu.readings import CHUNK_SAMPLES
from sim.recording import ImuRecording
from sim.trajectory import resample_motion

G = 9.80665
UP = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
WRIST_AND_CHEST = [Placement.preset("left_wrist"), Placement.preset("chest")]


def _wave(num_frames: int = 40, fps: float = 20.0) -> Motion:
    """Every joint swings, the body walks on: smooth, nothing special."""
    times = torch.arange(num_frames, dtype=torch.float64) / fps
    phases = torch.arange(22, dtype=torch.float64)[:, None] + torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    rotations = roma.rotvec_to_rotmat(0.3 * torch.sin(2 * math.pi * times[:, None, None] + phases))
    return Motion(rotations, torch.stack([0.1 * torch.sin(times), 0.9 + 0 * times, times], dim=-1), fps)


def test_rest_reads_gravity_along_up():
    orientation = roma.random_rotmat(5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    position = torch.full((5, 30, 3), 7.0, dtype=torch.float64)
    recording = simulate_rigid(position, orientation[:, None].expand(5, 30, 3, 3), fps=20, rate_hz=77)
    expected = (orientation.mT @ (G * UP))[:, None, None].expand_as(recording.accel)
    torch.testing.assert_close(recording.accel, expected, atol=1e-9, rtol=0)
    assert float(recording.gyro.abs().max()) < 1e-11
    assert float(recording.linear_accel.abs().max()) < 1e-9
    level = simulate_rigid(position, torch.eye(3, dtype=torch.float64).expand(5, 30, 3, 3), fps=20, rate_hz=20)
    torch.testing.assert_close(level.accel[0, 0, 0], G * UP, atol=1e-9, rtol=0)


def test_free_fall_reads_nothing():
    times = torch.arange(25, dtype=torch.float64) / 25
    position = torch.stack([2 * times, 3 * times - 0.5 * G * times**2, 0 * times], dim=-1)
    spin = roma.rotvec_to_rotmat(times[:, None] * torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64))
    recording = simulate_rigid(position, spin, fps=25, rate_hz=100)
    assert float(recording.accel.abs().max()) < 1e-9
    inside = recording.gyro[25:-25]
    expected = spin.new_tensor([1.0, 2.0, 0.5]).expand_as(inside)
    torch.testing.assert_close(inside, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-4), (torch.float32, 5e-3)])
def test_turntable_reads_centripetal_acceleration_and_its_rate(dtype, tolerance):
    """About the vertical at 6 rad/s, 0.4 m out, the sensor's x outwards: -omega^2 r along x, omega along y."""
    omega, radius = 6.0, 0.4
    times = torch.arange(300, dtype=torch.float64) / 100
    rotation = roma.rotvec_to_rotmat(omega * times[:, None] * UP)
    position = rotation @ torch.tensor([radius, 0.0, 0.0], dtype=torch.float64)
    recording = simulate_rigid(position.to(dtype), rotation.to(dtype), fps=100, rate_hz=250)
    inside = slice(100, -100)
    accel = torch.tensor([-(omega**2) * radius, G, 0.0], dtype=dtype)
    torch.testing.assert_close(recording.accel[inside, 0], accel.expand(548, 3), atol=tolerance, rtol=0)
    torch.testing.assert_close(recording.gyro[inside, 0], (omega * UP).to(dtype).expand(548, 3), atol=tolerance, rtol=0)
    assert recording.accel.dtype == dtype


def test_linear_acceleration_and_specific_force_differ_by_gravity_alone():
    recording = simulate(_wave(), Body.default(), WRIST_AND_CHEST, rate_hz=50)
    gravity = recording.orientation.mT @ (G * UP)
    torch.testing.assert_close(recording.accel - recording.linear_accel, gravity, atol=1e-10, rtol=0)


def test_shapes_times_and_names():
    body = Body.default().with_shape(torch.zeros(4, 1, Body.default().num_betas))
    motion = _wave().to(torch.float32)
    batch = Motion(motion.rotations.expand(3, -1, -1, -1, -1), motion.translation.expand(3, -1, -1), motion.fps)
    recording = simulate(batch, body, WRIST_AND_CHEST, rate_hz=100)
    count = 39 * 5 + 1
    assert recording.accel.shape == recording.gyro.shape == recording.linear_accel.shape == (4, 3, count, 2, 3)
    assert recording.orientation.shape == (4, 3, count, 2, 3, 3)
    assert recording.position.shape == (4, 3, count, 2, 3)
    assert recording.names == ("left_wrist", "chest")
    torch.testing.assert_close(recording.time_s[-1].item(), 39 / 20)
    alone = simulate(motion, Body.default(), WRIST_AND_CHEST, rate_hz=100)
    torch.testing.assert_close(recording.accel[2, 1], alone.accel, atol=2e-3, rtol=0)


def test_a_whole_turn_of_the_world_about_up_changes_nothing():
    motion = _wave()
    quarter = roma.rotvec_to_rotmat(UP * math.pi / 2)
    rotations = motion.rotations.clone()
    rotations[:, 0] = quarter @ rotations[:, 0]
    turned = Motion(rotations, motion.translation @ quarter.mT, motion.fps)
    plain, other = (simulate(m, Body.default(), WRIST_AND_CHEST, rate_hz=60) for m in (motion, turned))
    torch.testing.assert_close(plain.accel, other.accel, atol=1e-8, rtol=0)
    torch.testing.assert_close(plain.gyro, other.gyro, atol=1e-8, rtol=0)


def test_mounting_turns_the_readings():
    mounting = roma.random_rotmat(dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    plain = simulate(_wave(), Body.default(), WRIST_AND_CHEST[:1], rate_hz=50)
    turned = simulate(_wave(), Body.default(), [WRIST_AND_CHEST[0].mounted(mounting)], rate_hz=50)
    torch.testing.assert_close(turned.accel, plain.accel @ mounting, atol=1e-9, rtol=0)
    torch.testing.assert_close(turned.gyro, plain.gyro @ mounting, atol=1e-9, rtol=0)


def test_chunks_leave_no_seam():
    """Long recordings are worked on in parts; where a gradient is wanted they are not."""
    num_frames = CHUNK_SAMPLES // 4
    times = torch.arange(num_frames, dtype=torch.float64) / 50
    phases = torch.arange(24, dtype=torch.float64).reshape(8, 1, 3)
    wave = torch.sin(4 * times[:, None] + phases)
    position, orientation = wave.requires_grad_(), roma.rotvec_to_rotmat(wave.detach())
    whole = simulate_rigid(position, orientation, fps=50, rate_hz=60)
    parts = simulate_rigid(position.detach(), orientation, fps=50, rate_hz=60)
    assert len(parts.time_s) * 8 > 2 * CHUNK_SAMPLES
    for quantity in ("accel", "gyro", "linear_accel", "orientation", "position"):
        torch.testing.assert_close(getattr(whole, quantity).detach(), getattr(parts, quantity), atol=1e-10, rtol=0)


def test_gradients_of_rigid_readings():
    generator = torch.Generator().manual_seed(2)
    position, vectors = (torch.randn(6, 3, generator=generator, dtype=torch.float64, requires_grad=True) for _ in "ab")

    def read(p: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        recording = simulate_rigid(p, roma.rotvec_to_rotmat(v), fps=2.0, rate_hz=3.1)
        return recording.accel, recording.gyro, recording.linear_accel

    assert torch.autograd.gradcheck(read, (position, vectors))


def test_gradients_reach_motion_and_shape():
    body = Body.default().to(dtype=torch.float64)
    betas = torch.zeros(body.num_betas, dtype=torch.float64, requires_grad=True)
    vectors = 0.1 * torch.randn(8, 22, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    vectors.requires_grad_()
    translation = torch.zeros(8, 3, dtype=torch.float64, requires_grad=True)

    def loss(v: torch.Tensor, t: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        motion = Motion(roma.rotvec_to_rotmat(v), t, 20.0)
        recording = simulate(motion, body.with_shape(b), WRIST_AND_CHEST, rate_hz=33)
        return (0.1 * recording.accel).square().mean() + recording.gyro.square().mean()

    gradients = torch.autograd.grad(loss(vectors, translation, betas), (vectors, translation, betas))
    generator = torch.Generator().manual_seed(4)
    for index, gradient in enumerate(gradients):
        inputs = [vectors.detach(), translation.detach(), betas.detach()]
        direction = torch.randn(gradient.shape, generator=generator, dtype=torch.float64)
        step = 1e-6
        ahead, behind = (
            loss(*(x + sign * step * direction if i == index else x for i, x in enumerate(inputs))) for sign in (1, -1)
        )
        numeric = float(ahead - behind) / (2 * step)
        assert float((gradient * direction).sum()) == pytest.approx(numeric, rel=1e-4, abs=1e-8)


def test_validation_in_inference_mode_does_not_spoil_training():
    motion = _wave(31).to(torch.float32)
    with torch.inference_mode():
        simulate(motion, Body.default(), WRIST_AND_CHEST, rate_hz=50)
    rotations = motion.rotations.clone().requires_grad_()
    moving = Motion(rotations, motion.translation, motion.fps)
    simulate(moving, Body.default(), WRIST_AND_CHEST, rate_hz=50).gyro.sum().backward()
    assert rotations.grad is not None


def _doors() -> dict[str, Callable[[], torch.Tensor]]:
    motion, body = _wave().to(torch.float32), Body.default()
    soft = [WRIST_AND_CHEST[0].attached(SoftTissue.resonating(10.0))]
    errors = SensorErrors(accel=TriadErrors(scale_std=0.1, low_pass_hz=5.0))
    joints = body.joints(motion)
    return {
        "rigid": lambda: simulate_rigid(motion.translation, motion.rotations[:, 0], fps=20, rate_hz=50).accel,
        "skin": lambda: simulate(motion, body, WRIST_AND_CHEST, rate_hz=50).accel,
        "soft tissue": lambda: simulate(motion, body, soft, rate_hz=50).accel,
        "joints": lambda: simulate_joints(joints, fps=20, placements=WRIST_AND_CHEST, rate_hz=50).gyro,
        "errors": lambda: (
            simulate(
                motion, body, WRIST_AND_CHEST, rate_hz=50, errors=errors, generator=torch.Generator().manual_seed(0)
            ).accel
        ),
        "kinematics": lambda: body.joints(motion),
        "mesh": lambda: body.vertices(motion.frames(0, 1)),
        "resampling": lambda: resample_motion(motion, fps=33.0).rotations,
    }


@pytest.mark.parametrize("door", list(_doors()))
def test_autocast_does_not_coarsen(door):
    plain = _doors()[door]()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = _doors()[door]()
    assert cast.dtype == torch.float32
    # Which kernel multiplies may differ from call to call, its precision may not.
    torch.testing.assert_close(plain, cast, atol=1e-5, rtol=1e-5)


def test_a_body_first_read_while_validating_serves_training():
    read_cc0_body.cache_clear()
    with torch.inference_mode():
        Body.default()
    body = Body.default()
    betas = torch.zeros(body.num_betas, requires_grad=True)
    motion = _wave(8).to(torch.float32)
    simulate(motion, body.with_shape(betas), WRIST_AND_CHEST, rate_hz=50).accel.sum().backward()
    assert betas.grad is not None
    rotations = motion.rotations.clone().requires_grad_()
    body.vertices(Motion(rotations, motion.translation, 20.0).frames(0, 1)).sum().backward()
    assert rotations.grad is not None


def test_empty_batches_come_back_empty():
    motion = _wave(9).to(torch.float32)
    none = Motion(motion.rotations.expand(0, -1, -1, -1, -1), motion.translation.expand(0, -1, -1), 20.0)
    body = Body.default()
    assert simulate(none, body, WRIST_AND_CHEST, rate_hz=20).accel.shape == (0, 9, 2, 3)
    assert body.vertices(none).shape == (0, 9, 13718, 3)
    assert resample_motion(none, fps=40.0).rotations.shape == (0, 17, 22, 3, 3)


def test_joints_alone_give_the_same_readings_where_joints_show_the_turn():
    """Arms that swing without turning about themselves: all of the motion is in the joints."""
    times = torch.arange(40, dtype=torch.float64) / 20
    vectors = torch.zeros(40, 22, 3, dtype=torch.float64)
    vectors[:, 0, 1] = 0.5 * torch.sin(3 * times)
    vectors[:, 16, 2] = -1.2 + 0.3 * torch.sin(5 * times)
    vectors[:, 18, 1] = -0.6 + 0.4 * torch.sin(4 * times)
    body, motion = Body.default(), Motion(roma.rotvec_to_rotmat(vectors), _wave().translation, 20.0)
    truth = simulate(motion, body, WRIST_AND_CHEST, rate_hz=50)
    fitted = simulate_joints(body.joints(motion), fps=20, placements=WRIST_AND_CHEST, rate_hz=50, body=body)
    assert fitted.accel.shape == truth.accel.shape
    for true_values, values in ((truth.linear_accel, fitted.linear_accel), (truth.gyro, fitted.gyro)):
        lengths = torch.stack([true_values.norm(dim=-1), values.norm(dim=-1)])[:, 10:-10]
        for sensor in range(2):
            assert float(torch.corrcoef(lengths[..., sensor])[0, 1]) > 0.98


def test_errors_are_applied_to_what_is_measured_only():
    ideal = simulate(_wave(), Body.default(), WRIST_AND_CHEST, rate_hz=50)
    noisy, again = (
        simulate(
            _wave(),
            Body.default(),
            WRIST_AND_CHEST,
            rate_hz=50,
            errors=SensorErrors.preset("bmi270"),
            generator=torch.Generator().manual_seed(5),
        )
        for _ in range(2)
    )
    torch.testing.assert_close(noisy.accel, again.accel, atol=0, rtol=0)
    assert not torch.equal(noisy.accel, ideal.accel)
    assert not torch.equal(noisy.gyro, ideal.gyro)
    torch.testing.assert_close(noisy.linear_accel - ideal.linear_accel, noisy.accel - ideal.accel)
    torch.testing.assert_close(noisy.position, ideal.position, atol=0, rtol=0)


def test_no_clip_is_no_recording():
    recording = simulate_rigid(torch.zeros(0, 9, 3), torch.zeros(0, 9, 3, 3), fps=20, rate_hz=20)
    assert isinstance(recording, ImuRecording)
    assert recording.accel.shape == (0, 9, 1, 3)
