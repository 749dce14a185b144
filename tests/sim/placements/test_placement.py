"""Placements: sites where their names say, frames that point as documented, and the same on any mesh."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from scipy.spatial.transform import Rotation

from sim.body import Body
from sim.conventions import JOINT_INDEX
from sim.motion import Motion
from sim.placements import PLACEMENT_NAMES, Placement, resolve_all, site_poses
from sim.placements.raycast import BonePoint, SkinPoint, cast_to_skin, describe_point, find_bone
from sim.rotations import axis_angle_to_matrix

DOUBLE = torch.float64
UP, DOWN, LEFT, RIGHT, FRONT, BACK = (
    torch.tensor(v, dtype=DOUBLE) for v in ([0, 1, 0], [0, -1, 0], [1, 0, 0], [-1, 0, 0], [0, 0, 1], [0, 0, -1])
)
# x, y and z of the site frame as the module's docstring tells them.
FRONT_OF_TRUNK, BACK_OF_TRUNK = (UP, RIGHT, FRONT), (UP, LEFT, BACK)
FRONT_OF_LEG, LEFT_OF_LEG, RIGHT_OF_LEG = (DOWN, LEFT, FRONT), (DOWN, BACK, LEFT), (DOWN, FRONT, RIGHT)
LEFT_ARM, RIGHT_ARM, FOOT = (LEFT, BACK, UP), (RIGHT, FRONT, UP), (FRONT, LEFT, UP)
EXPECTED = {
    "head": FRONT_OF_TRUNK,
    "sternum": FRONT_OF_TRUNK,
    "chest": FRONT_OF_TRUNK,
    "waist": FRONT_OF_TRUNK,
    "back": BACK_OF_TRUNK,
    "lower_back": BACK_OF_TRUNK,
    "left_hip": (UP, FRONT, LEFT),
    "right_hip": (UP, BACK, RIGHT),
    "left_ear": (UP, FRONT, LEFT),
    "right_ear": (UP, BACK, RIGHT),
    "left_thigh": FRONT_OF_LEG,
    "right_thigh": FRONT_OF_LEG,
    "left_shank": FRONT_OF_LEG,
    "right_shank": FRONT_OF_LEG,
    "left_pocket": (DOWN, BACK + LEFT, FRONT + LEFT),
    "right_pocket": (DOWN, FRONT + LEFT, FRONT + RIGHT),
    "left_ankle": LEFT_OF_LEG,
    "right_ankle": RIGHT_OF_LEG,
    "left_foot": FOOT,
    "right_foot": FOOT,
    "left_wrist": LEFT_ARM,
    "left_forearm": LEFT_ARM,
    "left_upper_arm": LEFT_ARM,
    "right_wrist": RIGHT_ARM,
    "right_forearm": RIGHT_ARM,
    "right_upper_arm": RIGHT_ARM,
}

# Where the presets lay on the built-in body when experiments with them were published [m].
PUBLISHED = {
    "back": (0.000000, 0.469315, -0.054524),
    "chest": (0.000000, 0.401683, 0.119348),
    "head": (0.000000, 0.739247, 0.143546),
    "left_ankle": (0.135993, -0.722936, 0.007930),
    "left_foot": (0.110597, -0.770217, 0.093920),
    "left_forearm": (0.504956, 0.501610, 0.017126),
    "left_hip": (0.134416, 0.129643, 0.066804),
    "left_pocket": (0.154078, -0.039408, 0.070063),
    "left_shank": (0.101942, -0.513728, 0.041828),
    "left_thigh": (0.101942, -0.156929, 0.105069),
    "left_upper_arm": (0.287841, 0.502283, 0.017126),
    "left_wrist": (0.618522, 0.487187, 0.017126),
    "lower_back": (0.000000, 0.134995, -0.049187),
    "sternum": (0.000000, 0.488510, 0.085786),
    "waist": (0.000000, 0.135101, 0.129138),
}


def pose(body: Body, turns: dict[str, tuple[float, float, float]] | None = None) -> Motion:
    """One frame with the pelvis where it rests and some joints turned by a rotation vector [rad]."""
    vectors = torch.zeros(1, 22, 3, dtype=DOUBLE)
    for name, vector in (turns or {}).items():
        vectors[0, JOINT_INDEX[name]] = torch.tensor(vector, dtype=DOUBLE)
    return Motion(axis_angle_to_matrix(vectors), body.rest_joints[0].double()[None], fps=20.0)


def presets() -> list[Placement]:
    return [Placement.preset(name) for name in PLACEMENT_NAMES]


@pytest.fixture(scope="module")
def body() -> Body:
    return Body.default()


@pytest.fixture(scope="module")
def rest_sites(body: Body) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    position, rotation = site_poses(body, pose(body), resolve_all(presets(), body))
    return {name: (position[0, k], rotation[0, k]) for k, name in enumerate(PLACEMENT_NAMES)}


def test_axes_point_as_documented(rest_sites: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> None:
    assert set(EXPECTED) == set(PLACEMENT_NAMES)
    for name, (_, rotation) in rest_sites.items():
        for axis, expected in enumerate(EXPECTED[name]):
            cosine = float(rotation[:, axis] @ expected / expected.norm())
            assert cosine > 0.75, f"axis {'xyz'[axis]} of {name} is {rotation[:, axis].tolist()}"
        torch.testing.assert_close(rotation.T @ rotation, torch.eye(3, dtype=DOUBLE))
        assert float(torch.linalg.det(rotation)) > 0


def test_sites_lie_where_their_names_say(body: Body, rest_sites: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> None:
    joint = dict(zip(JOINT_INDEX, body.rest_joints.double(), strict=True))
    at = {name: position for name, (position, _) in rest_sites.items()}
    skin = body.rest_vertices.double()
    assert float((at["left_wrist"] - joint["left_wrist"]).norm()) < 0.05
    assert float((at["left_ankle"] - joint["left_ankle"]).norm()) < 0.06
    assert joint["head"][1] + 0.05 < at["head"][1] < skin[:, 1].max()
    stature = float(skin[:, 1].max() - skin[:, 1].min())
    for name in ("waist", "lower_back", "left_hip", "right_hip"):  # a belt sits at about 0.6 of stature
        assert 0.56 < float(at[name][1] - skin[:, 1].min()) / stature < 0.62
    assert at["sternum"][1] > at["chest"][1] + 0.05
    assert joint["left_knee"][1] < at["left_thigh"][1] < at["left_pocket"][1] < joint["left_hip"][1]
    assert at["left_ankle"][0] > joint["left_ankle"][0] + 0.02
    assert joint["left_ankle"][2] < at["left_foot"][2] < joint["left_foot"][2]
    for name, position in at.items():
        distance = float((skin - position).norm(dim=1).min())
        assert distance < 0.02, f"{name} is {distance:.3f} m from the skin"
        if name.startswith("left_"):
            mirrored = at[name.replace("left", "right")] * torch.tensor([-1.0, 1.0, 1.0], dtype=DOUBLE)
            assert float((position - mirrored).norm()) < 0.004


def test_published_presets_stay_where_they_were(body: Body) -> None:
    skin = body.rest_vertices.double()
    for name, expected in PUBLISHED.items():
        site = Placement.preset(name).on(body)
        found = site.barycentric @ skin[site.triangle]
        torch.testing.assert_close(found, torch.tensor(expected, dtype=DOUBLE), atol=1e-6, rtol=0)
        assert site.stand_off_m == 0.005


def test_ears_are_behind_the_pinna(body: Body, rest_sites: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> None:
    head = body.rest_vertices.double()[body.model.weights.argmax(dim=1) == JOINT_INDEX["head"]]
    side = head[head[:, 0] > 0.072]  # nothing of the head is wider than its ears
    pinna = side[side[:, 2] < 0.06]
    for name, sign in (("left_ear", 1.0), ("right_ear", -1.0)):
        position = rest_sites[name][0] * torch.tensor([sign, 1.0, 1.0], dtype=DOUBLE)
        assert pinna[:, 1].min() < position[1] < pinna[:, 1].max()  # at the height of the ear
        assert 0.0 < pinna[:, 2].min() - position[2] < 0.015  # just behind it
        assert 0.06 < position[0] < pinna[:, 0].max()  # and not under the skull


def test_arms_that_hang(body: Body) -> None:
    motion = pose(body, {"left_shoulder": (0, 0, -math.pi / 2), "right_shoulder": (0, 0, math.pi / 2)})
    sites = resolve_all([Placement.preset("left_wrist"), Placement.preset("right_upper_arm")], body)
    rotation = site_poses(body, motion, sites)[1][0]
    for k, outward in enumerate((LEFT, RIGHT)):
        assert float(rotation[k, :, 0] @ DOWN) > 0.95
        assert float(rotation[k, :, 2] @ outward) > 0.95


def test_site_is_the_outermost_skin_on_its_ray(body: Body) -> None:
    for name in ("left_wrist", "waist", "head", "right_foot"):
        point = Placement.preset(name).point
        assert isinstance(point, BonePoint)
        bone = find_bone(body.model, JOINT_INDEX[point.bone])
        resolved = Placement.preset(name).on(body)
        found = resolved.barycentric @ body.rest_vertices.double()[resolved.triangle]
        origin = bone.start + point.fraction * bone.length * bone.axis
        turn = Rotation.from_rotvec(bone.axis.numpy() * point.angle_rad).as_matrix()
        direction = torch.from_numpy(turn) @ bone.front
        along = (found - origin) @ direction
        assert float(along) > 0.01
        torch.testing.assert_close(found, origin + along * direction, atol=1e-8, rtol=0)
        back = describe_point(body.model, SkinPoint(tuple(resolved.triangle.tolist()), (1 / 3, 1 / 3, 1 / 3)))
        assert abs(back.fraction - point.fraction) < 0.15 or back.bone != point.bone


def test_skin_behind_the_bone_does_not_count(body: Body) -> None:
    in_front = body.rest_vertices[body.faces][..., 2].min(dim=1).values > 0.03
    half = replace(body.model, faces=body.model.faces[in_front])
    cast_to_skin(half, BonePoint("spine3", 0.4, 0.0))
    with pytest.raises(ValueError, match="180 deg about it"):
        cast_to_skin(half, BonePoint("spine3", 0.4, math.pi))


def test_site_pose_from_the_full_mesh(body: Body) -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = 0.4 * torch.randn(2, 3, 22, 3, generator=generator, dtype=DOUBLE)
    motion = Motion(axis_angle_to_matrix(vectors), torch.randn(2, 3, 3, generator=generator, dtype=DOUBLE), fps=20.0)
    shaped = body.with_shape(body.sample_shapes(2, generator))
    mounting = axis_angle_to_matrix(torch.tensor([0.2, -0.5, 1.0], dtype=DOUBLE))
    resolved = Placement.preset("left_forearm").mounted(mounting).on(shaped)
    position, rotation = resolved.site_pose(shaped, motion)
    a, b, c = shaped.vertices(motion)[..., resolved.triangle, :].unbind(dim=-2)
    normal = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)
    joints = body.joints(motion)
    forearm = joints[..., 20, :] - joints[..., 18, :]
    along = torch.nn.functional.normalize(forearm - (forearm * normal).sum(-1, keepdim=True) * normal, dim=-1)
    site = torch.stack([along, torch.linalg.cross(normal, along), normal], dim=-1)
    weights = resolved.barycentric
    point = weights[0] * a + weights[1] * b + weights[2] * c + resolved.stand_off_m * normal
    torch.testing.assert_close(position, point, atol=1e-6, rtol=0)
    torch.testing.assert_close(rotation, site @ mounting, atol=1e-4, rtol=0)


def test_turning_the_person_turns_every_site(body: Body) -> None:
    sites = resolve_all(presets(), body)
    still = pose(body, {"left_elbow": (0, 1, 0.3)})
    turn = axis_angle_to_matrix(torch.tensor([0.3, 1.0, -0.4], dtype=DOUBLE))
    rotations = still.rotations.clone()
    rotations[:, 0] = turn
    shift = torch.tensor([1.0, 2.0, 3.0], dtype=DOUBLE)
    moved = replace(still, rotations=rotations, translation=still.translation @ turn.T + shift)
    position, rotation = site_poses(body, still, sites)
    moved_position, moved_rotation = site_poses(body, moved, sites)
    torch.testing.assert_close(moved_position, position @ turn.T + shift)
    torch.testing.assert_close(moved_rotation, turn @ rotation)


def test_orientation_keeps_its_precision_far_from_the_origin(body: Body) -> None:
    sites = resolve_all(presets(), body)
    here = pose(body, {"left_elbow": (0, 1, 0.3)})
    far = replace(here, translation=here.translation + 100.0).to(torch.float32)
    difference = site_poses(body, far, sites)[1].double() - site_poses(body, here, sites)[1]
    assert float(difference.abs().max()) < 2e-5


def test_presets_do_not_depend_on_the_numbering_of_a_mesh(
    body: Body, rest_sites: dict[str, tuple[torch.Tensor, torch.Tensor]]
) -> None:
    model = body.model
    generator = torch.Generator().manual_seed(1)
    order = torch.randperm(len(model.template), generator=generator)
    shuffled = replace(
        model,
        template=model.template[order],
        weights=model.weights[order],
        shape_directions=model.shape_directions[order],
        joint_regressor=model.joint_regressor[:, order],
        faces=order.argsort()[model.faces][torch.randperm(len(model.faces), generator=generator)],
    )
    other = Body(shuffled, body.betas)
    position, _ = site_poses(other, pose(other), resolve_all(presets(), other))
    expected = torch.stack([rest_sites[name][0] for name in PLACEMENT_NAMES])
    torch.testing.assert_close(position[0], expected, atol=1e-5, rtol=0)


def test_batched_shapes_share_the_point(body: Body) -> None:
    shapes = body.sample_shapes(3, torch.Generator().manual_seed(2))
    batch = body.with_shape(shapes)
    sites = resolve_all(presets(), batch)
    motion = pose(body, {"left_hip": (-1.0, 0, 0)})
    position, rotation = site_poses(batch, motion, sites)
    assert position.shape == (3, 1, len(PLACEMENT_NAMES), 3)
    assert rotation.shape == (3, 1, len(PLACEMENT_NAMES), 3, 3)
    one_position, one_rotation = site_poses(body.with_shape(shapes[2]), motion, sites)
    torch.testing.assert_close(position[2], one_position)
    torch.testing.assert_close(rotation[2], one_rotation)


def test_gradients_reach_motion_shape_and_mounting(body: Body) -> None:
    sites = resolve_all([Placement.preset("left_wrist"), Placement.preset("head")], body)
    vectors = 0.3 * torch.randn(1, 2, 22, 3, generator=torch.Generator().manual_seed(5), dtype=DOUBLE)

    def poses(
        vectors: torch.Tensor, translation: torch.Tensor, betas: torch.Tensor, mounting: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        motion = Motion(axis_angle_to_matrix(vectors), translation, fps=20.0)
        return site_poses(body.with_shape(betas), motion, replace(sites, mounting=mounting))

    inputs = (vectors, torch.zeros(1, 2, 3, dtype=DOUBLE), torch.zeros(6, dtype=DOUBLE), sites.mounting.clone())
    assert torch.autograd.gradcheck(poses, tuple(v.requires_grad_() for v in inputs), fast_mode=True)
