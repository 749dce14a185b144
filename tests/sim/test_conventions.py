"""Every convention is stated once, in words, and holds in numbers; the truth is physics and matrices written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sim import Body, ImuRecording, Motion, Placement, conventions, simulate, simulate_rigid
from sim.conventions import GRAVITY, JOINT_INDEX, JOINT_NAMES, NUM_JOINTS, PARENTS, STANDARD_GRAVITY
from sim.features import FEATURE_SLICES, joints_to_features
from sim.rotations import matrix_from_6d, matrix_to_6d
from sim.trajectory.rotation import quaternions_from_planes

SAYS = " ".join(str(conventions.__doc__).split())
FPS = 50.0
QUARTER_ABOUT_X = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
"""Turns y to z: the sensor's z axis then points to the world's -y, its y axis to +z."""


def resting(orientation: Tensor) -> ImuRecording:
    position = torch.zeros(20, 3, dtype=torch.float64)
    return simulate_rigid(position, orientation.expand(20, 3, 3), fps=FPS, rate_hz=FPS)


def standing() -> Motion:
    rotations = torch.eye(3, dtype=torch.float64).expand(20, NUM_JOINTS, 3, 3)
    return Motion(rotations, torch.tensor([0.0, 0.9, 0.0], dtype=torch.float64).expand(20, 3), FPS)


@pytest.mark.parametrize(
    "fact",
    [
        "SI everywhere inside: metres, seconds, radians, m/s^2, rad/s",
        "right-handed, Y up; a person at rest faces +Z",
        "``g = (0, -9.80665, 0)``",
        "``R_ws`` maps sensor to world, ``v_world = R_ws v_sensor``",
        "``f = R_ws^T (a_world - g)``",
        "at rest reads +9.80665 m/s^2 along its axis that points up",
        "``[omega]x = R_ws^T dR_ws/dt``",
        "first two columns, column 0 then column 1",
        "``wxyz`` or ``xyzw``",
        "``(..., T, J, 3)``",
        "Time is the axis left of the spatial ones",
        "``(T - 1) / fps`` seconds",
        "``torch.Generator``",
    ],
)
def test_it_is_stated(fact: str) -> None:
    assert fact in SAYS


def test_gravity_points_along_minus_y() -> None:
    assert GRAVITY == (0.0, -9.80665, 0.0)
    assert STANDARD_GRAVITY == 9.80665


def test_a_resting_sensor_reads_plus_g_along_the_axis_that_points_up() -> None:
    level = resting(torch.eye(3, dtype=torch.float64)).accel[10, 0]
    torch.testing.assert_close(level, level.new_tensor([0.0, 9.80665, 0.0]), atol=1e-9, rtol=0)


def test_orientation_maps_sensor_to_world() -> None:
    """With its z axis down, a sensor reads -g along z; read the other way round, R_ws would make that +g."""
    turned = resting(QUARTER_ABOUT_X)
    torch.testing.assert_close(turned.accel[10, 0], turned.accel.new_tensor([0.0, 0.0, -9.80665]), atol=1e-9, rtol=0)
    torch.testing.assert_close(turned.orientation[10, 0], QUARTER_ABOUT_X, atol=1e-12, rtol=0)
    torch.testing.assert_close(
        turned.orientation[10, 0] @ turned.accel[10, 0],
        turned.accel.new_tensor([0.0, 9.80665, 0.0]),
        atol=1e-9,
        rtol=0,
    )


def test_linear_acceleration_leaves_gravity_out() -> None:
    times = torch.arange(40, dtype=torch.float64) / FPS
    position = torch.stack([0 * times, 1.5 * times**2, 0 * times], dim=-1)
    risen = simulate_rigid(position, torch.eye(3, dtype=torch.float64).expand(40, 3, 3), fps=FPS, rate_hz=FPS)
    assert float(risen.linear_accel[20, 0, 1]) == pytest.approx(3.0, abs=1e-6)
    assert float(risen.accel[20, 0, 1]) == pytest.approx(12.80665, abs=1e-6)


def test_the_gyroscope_turns_by_the_right_hand() -> None:
    """Half a radian per second about the world's up, of a sensor whose z axis points down: -0.5 about its z."""
    angles = 0.5 * torch.arange(40, dtype=torch.float64) / FPS
    sine, cosine, zero = angles.sin(), angles.cos(), torch.zeros_like(angles)
    turn = torch.stack([cosine, zero, sine, zero, zero + 1, zero, -sine, zero, cosine], dim=-1).unflatten(-1, (3, 3))
    read = simulate_rigid(torch.zeros(40, 3, dtype=torch.float64), turn @ QUARTER_ABOUT_X, fps=FPS, rate_hz=FPS)
    torch.testing.assert_close(read.gyro[20, 0], read.gyro.new_tensor([0.0, 0.0, -0.5]), atol=1e-9, rtol=0)


def test_the_6d_form_is_the_first_two_columns() -> None:
    columns = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    assert matrix_to_6d(QUARTER_ABOUT_X).tolist() == columns
    torch.testing.assert_close(matrix_from_6d(torch.tensor(columns, dtype=torch.float64)), QUARTER_ABOUT_X)


def test_humanml3d_stores_the_rotation_of_a_bone_with_the_joint_at_its_end() -> None:
    """A thigh raised straight forward shows at the knee, not at the hip, as the turn from -y to +z."""
    joints = Body.default().joints(standing())
    raised = joints.clone()
    knee, ankle, foot = (JOINT_INDEX[f"left_{name}"] for name in ("knee", "ankle", "foot"))
    thigh = joints[..., knee, :] - joints[..., JOINT_INDEX["left_hip"], :]
    step = thigh.norm(dim=-1, keepdim=True) * joints.new_tensor([0.0, 0.0, 1.0]) - thigh
    raised[..., [knee, ankle, foot], :] += step[..., None, :]
    before, after = (
        joints_to_features(each)[10, FEATURE_SLICES.rotations].unflatten(-1, (NUM_JOINTS - 1, 6))
        for each in (joints, raised)
    )
    changed = (before - after).abs().amax(dim=-1) > 0.1
    assert bool(changed[knee - 1])
    assert not bool(changed[JOINT_INDEX["left_hip"] - 1])
    # The heading follows hips and shoulders, which are not quite square.
    torch.testing.assert_close(after[knee - 1, 3:], after.new_tensor([0.0, 0.0, -1.0]), atol=0.05, rtol=0)


def test_quaternions_inside_are_wxyz() -> None:
    quaternion = quaternions_from_planes(QUARTER_ABOUT_X[..., None, None].expand(3, 3, 1, 6))[:, 0, 0]
    torch.testing.assert_close(quaternion, quaternion.new_tensor([math.sqrt(0.5), math.sqrt(0.5), 0.0, 0.0]))


def test_time_stands_left_of_the_spatial_axes_and_the_batch_further_left() -> None:
    batch = Motion(
        standing().rotations.expand(2, 5, 20, NUM_JOINTS, 3, 3), standing().translation.expand(2, 5, 20, 3), FPS
    )
    read = simulate(batch, Body.default(), [Placement.preset("chest"), Placement.preset("waist")], rate_hz=100)
    assert Body.default().joints(batch).shape == (2, 5, 20, NUM_JOINTS, 3)
    assert read.accel.shape == (2, 5, 39, 2, 3)
    assert read.orientation.shape == (2, 5, 39, 2, 3, 3)


def test_frames_last_one_step_less_than_they_are() -> None:
    assert standing().duration_s == pytest.approx(19 / FPS)
    assert float(resting(torch.eye(3, dtype=torch.float64)).time_s[-1]) == pytest.approx(19 / FPS)


def test_a_person_at_rest_faces_plus_z_with_the_left_at_plus_x() -> None:
    joints = Body.default().joints(standing())[0]
    assert float(joints[JOINT_INDEX["left_wrist"], 0]) > 0.3
    assert float(joints[JOINT_INDEX["left_foot"], 2] - joints[JOINT_INDEX["left_ankle"], 2]) > 0.05
    assert float(joints[JOINT_INDEX["head"], 1] - joints[JOINT_INDEX["pelvis"], 1]) > 0.4


def test_joints_are_smpls_first_22() -> None:
    assert (len(JOINT_NAMES), JOINT_NAMES[0], JOINT_NAMES[15], JOINT_NAMES[21]) == (22, "pelvis", "head", "right_wrist")
    assert PARENTS[21] == JOINT_INDEX["right_elbow"]
