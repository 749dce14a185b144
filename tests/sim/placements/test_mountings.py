"""Mountings: the named axis points where its direction says, on every preset, and devices as their makers draw them."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from sim import simulate
from sim.body import Body
from sim.conventions import JOINT_INDEX
from sim.motion import Motion
from sim.placements import PLACEMENT_NAMES, Placement, resolve_all, site_poses
from sim.placements.mountings import DEVICE_NAMES, DIRECTIONS
from sim.rotations import axis_angle_to_matrix

DOUBLE = torch.float64
WORLD = {
    "up": (0, 1, 0),
    "down": (0, -1, 0),
    "left": (1, 0, 0),
    "right": (-1, 0, 0),
    "forward": (0, 0, 1),
    "backward": (0, 0, -1),
}


@pytest.fixture(scope="module")
def body() -> Body:
    return Body.default()


@pytest.fixture(scope="module")
def neutral(body: Body) -> Motion:
    """A person who stands with hanging arms: the shoulders turned, nothing read from the module under test."""
    vectors = torch.zeros(1, 22, 3, dtype=DOUBLE)
    vectors[0, JOINT_INDEX["left_shoulder"]] = torch.tensor([0.0, 0.0, -math.pi / 2], dtype=DOUBLE)
    vectors[0, JOINT_INDEX["right_shoulder"]] = torch.tensor([0.0, 0.0, math.pi / 2], dtype=DOUBLE)
    return Motion(axis_angle_to_matrix(vectors), body.rest_joints[0].double()[None], fps=20.0)


def sensor_axes(body: Body, motion: Motion, placement: Placement) -> torch.Tensor:
    return placement.on(body).site_pose(body, motion)[1][0]


def site_axes(body: Body, motion: Motion, name: str) -> torch.Tensor:
    return sensor_axes(body, motion, Placement.preset(name))


def test_the_neutral_stance_has_the_palms_at_the_thighs(body: Body, neutral: Motion) -> None:
    skin, joints = body.vertices(neutral)[0], body.joints(neutral)[0]
    for side, outward in (("left", 1.0), ("right", -1.0)):
        wrist, elbow = joints[JOINT_INDEX[f"{side}_wrist"]], joints[JOINT_INDEX[f"{side}_elbow"]]
        assert float((wrist - elbow) @ torch.tensor([0.0, -1.0, 0.0], dtype=DOUBLE)) > 0.2
        hand = skin[body.model.weights.argmax(dim=1) == JOINT_INDEX[f"{side}_wrist"]]
        spread = hand.std(dim=0)
        assert spread[0] < spread[2] < spread[1]  # flat against the thigh: thin sideways, long downwards
        back_of_hand = site_axes(body, neutral, f"{side}_wrist")[:, 2]
        assert float(back_of_hand[0]) * outward > 0.95


@pytest.mark.parametrize("name", PLACEMENT_NAMES)
def test_named_axes_point_where_they_say(body: Body, neutral: Motion, name: str) -> None:
    site = site_axes(body, neutral, name)
    towards = {word: torch.tensor(vector, dtype=DOUBLE) for word, vector in WORLD.items()}
    towards |= {"distal": site[:, 0], "proximal": -site[:, 0], "out": site[:, 2], "in": -site[:, 2]}
    determined = 0
    for first, second in itertools.permutations(DIRECTIONS, 2):
        cosine = float(towards[first] @ towards[second])
        if abs(cosine) > math.cos(math.radians(20.0)):  # refused, or nearly
            continue
        placement = Placement.preset(name).mounted(f"x_{first}_z_{second}")
        axes = sensor_axes(body, neutral, placement)
        exact = (second, 2) if second in ("out", "in") else (first, 0)
        other = (first, 0) if exact[1] == 2 else (second, 2)
        # The stance is of rigid parts, but skin near a shoulder or a wrist is carried by both sides of the joint.
        slack = 0.03 if "arm" in name or "wrist" in name else 3e-3
        assert float(axes[:, exact[1]] @ towards[exact[0]]) > 1 - slack
        # The other one comes as near as a perpendicular can.
        assert float(axes[:, other[1]] @ towards[other[0]]) == pytest.approx(math.sqrt(1 - cosine**2), abs=2 * slack)
        torch.testing.assert_close(axes.T @ axes, torch.eye(3, dtype=DOUBLE), atol=1e-6, rtol=0)
        assert float(torch.linalg.det(axes)) > 0
        determined += 1
    assert determined >= 48


def test_a_standing_person_reads_gravity_on_the_axis_that_points_up(body: Body, neutral: Motion) -> None:
    still = Motion(neutral.rotations.expand(6, -1, -1, -1), neutral.translation.expand(6, -1), fps=20.0)
    placements = [
        Placement.preset("chest").mounted("x_up_z_out"),
        Placement.preset("left_wrist").mounted("y_down_x_forward"),
        Placement.preset("right_pocket").mounted("smartphone_screen_in"),
    ]
    mean = simulate(still, body, placements, rate_hz=20.0).accel.mean(dim=0)
    assert mean[0, 0] > 9.0
    assert mean[1, 1] < -9.7
    assert mean[2, 1] > 9.7


def test_a_watch_is_read_upright(body: Body) -> None:
    """Forearm across the chest, wearer looking down: 12 o'clock away from them, 3 o'clock to their right."""
    vectors = torch.zeros(1, 22, 3, dtype=DOUBLE)
    right, ahead, up = (torch.tensor(v, dtype=DOUBLE) for v in ([-1, 0, 0], [0, 0, 1], [0, 1, 0]))
    for side, inwards in (("left", -1.0), ("right", 1.0)):
        # Upper arm forwards, then the forearm across: half a turn about the vertical, shared by the two joints.
        vectors[0, JOINT_INDEX[f"{side}_shoulder"]] = torch.tensor([0.0, inwards * math.pi / 2, 0.0], dtype=DOUBLE)
        vectors[0, JOINT_INDEX[f"{side}_elbow"]] = torch.tensor([0.0, inwards * math.pi / 2, 0.0], dtype=DOUBLE)
    reading = Motion(axis_angle_to_matrix(vectors), body.rest_joints[0].double()[None], fps=20.0)
    for side in ("left", "right"):
        axes = sensor_axes(body, reading, Placement.preset(f"{side}_wrist").mounted("smartwatch"))
        assert float(axes[:, 0] @ right) > 0.95
        assert float(axes[:, 1] @ ahead) > 0.95
        assert float(axes[:, 2] @ up) > 0.95


def test_a_phone_on_the_chest_is_seen_upright(body: Body, neutral: Motion) -> None:
    out = sensor_axes(body, neutral, Placement.preset("chest").mounted("smartphone"))
    assert float(out[0, 0]) > 0.95  # right of the screen, seen from in front: the wearer's left
    assert float(out[1, 1]) > 0.8
    assert float(out[2, 2]) > 0.8
    screen_in = sensor_axes(body, neutral, Placement.preset("chest").mounted("smartphone_screen_in"))
    torch.testing.assert_close(screen_in, out * torch.tensor([-1.0, 1.0, -1.0], dtype=DOUBLE))


def test_names_serve_every_door(body: Body) -> None:
    spot = Placement.preset("left_thigh").on(body)
    doors = (
        Placement.preset("left_thigh").mounted("x_up_z_out"),
        Placement.at("at", spot.triangle, spot.barycentric, mounting="x_up_z_out"),
        Placement.nearest(
            "near", spot.barycentric @ body.rest_vertices.double()[spot.triangle], body, mounting="x_up_z_out"
        ),
    )
    matrices = [door.on(body).mounting for door in doors]
    torch.testing.assert_close(matrices[1], matrices[0])
    torch.testing.assert_close(matrices[2], matrices[0])
    same = Placement.preset("left_thigh").mounted(matrices[0].float()).on(body).mounting
    torch.testing.assert_close(same.double(), matrices[0], atol=1e-6, rtol=0)
    assert site_poses(
        body, Motion(torch.eye(3).expand(1, 22, 3, 3), torch.zeros(1, 3), fps=1.0), resolve_all(doors, body)
    )


def test_a_mounting_that_is_not_determined_is_named(body: Body) -> None:
    crown = Placement.nearest("crown", [0.0, 0.85, 0.04], body)
    with pytest.raises(
        ValueError, match="'x_up_z_out' of crown: 'up' lies within 15 degrees of the line of 'out' there"
    ):
        crown.mounted("x_up_z_out").on(body)
    assert crown.mounted("x_forward_z_out").on(body).mounting.shape == (3, 3)
    with pytest.raises(ValueError, match="'smartwatch' of head, which head carries: a watch's way round"):
        Placement.preset("head").mounted("smartwatch").on(body)


def test_bad_mountings_are_named() -> None:
    head = Placement.preset("head")
    for text, message in (
        ("x_upp_z_out", "direction 'upp'; did you mean 'up'"),
        ("x_up_w_out", "axis 'w', expected x, y or z"),
        ("x_up_x_out", "names the axis x twice"),
        ("x_up_z_down", "one line twice, up and down"),
        ("x_out_z_out", "one line twice, out and out"),
        ("x_up", "unknown mounting 'x_up'; expected <axis>_<direction>_<axis>_<direction> as 'x_up_z_out'"),
        ("smartwach", "did you mean 'smartwatch'"),
        ("axivity_ax3", "one of the devices smartphone, smartphone_screen_in, smartwatch"),
    ):
        with pytest.raises(ValueError, match=message):
            head.mounted(text)
    for matrix, message in (
        (torch.zeros(3), r"mounting has shape \(3,\)"),
        (torch.eye(3) * 1.01, "of head is no rotation"),
        (torch.diag(torch.tensor([1.0, 1.0, -1.0])), r"determinant -1\)"),
        (torch.full((3, 3), math.nan), "of head is no rotation"),
    ):
        with pytest.raises(ValueError, match=message):
            head.mounted(matrix)
    assert head.mounted(torch.eye(3) + 1e-5).name == "head"  # float32 rounding is no fault
    for device in DEVICE_NAMES:
        assert head.mounted(device).mounting == device
