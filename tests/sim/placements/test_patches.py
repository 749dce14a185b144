"""Patches: on the limb asked for, on its outside, evenly spread, the same every time."""

from __future__ import annotations

import math

import pytest
import torch

from sim import simulate
from sim.body import Body
from sim.conventions import JOINT_INDEX
from sim.motion import Motion
from sim.placements import Placement, resolve_all
from sim.placements.patches import LIMBS, sample_patches
from sim.placements.surface import outer_faces, spread_points

DOUBLE = torch.float64


@pytest.fixture(scope="module")
def body() -> Body:
    return Body.default()


def points_of(body: Body, patches: list[Placement]) -> torch.Tensor:
    sites = resolve_all(patches, body)
    return (sites.barycentric[..., None] * body.rest_vertices.double()[sites.triangles]).sum(dim=1)


def area_of(body: Body, limb: str) -> float:
    """Area of a limb's outer skin, each corner of a face counting for a third of it."""
    mine = torch.isin(body.model.weights.argmax(dim=1), torch.tensor([JOINT_INDEX[joint] for joint in LIMBS[limb]]))
    faces = body.faces[outer_faces(body.model)]
    a, b, c = body.rest_vertices.double()[faces].unbind(dim=1)
    return float((torch.linalg.cross(b - a, c - a).norm(dim=1) / 2 * mine[faces].double().mean(dim=1)).sum())


@pytest.mark.parametrize("limb", sorted(LIMBS))
def test_patches_lie_on_the_limb(body: Body, limb: str) -> None:
    patches = sample_patches(body, limb, 12)
    assert [patch.name for patch in patches] == [f"{limb}_{number:03d}" for number in range(12)]
    outer = body.faces[outer_faces(body.model)]
    for patch in patches:
        site = patch.on(body)
        carried = site.barycentric.to(body.model.weights) @ body.model.weights[site.triangle]
        joints = [JOINT_INDEX[joint] for joint in LIMBS[limb]]
        assert int(carried.argmax()) in joints
        assert site.joint in joints
        assert bool((outer == site.triangle).all(dim=1).any())  # nowhere in the mouth or behind the eyes
        assert site.stand_off_m == 0.005


@pytest.mark.parametrize("limb", ["left_forearm", "right_thigh", "trunk", "left_foot", "left_hand", "head"])
@pytest.mark.parametrize("count", [12, 60])
def test_patches_are_spread_evenly(body: Body, limb: str, count: int) -> None:
    points = points_of(body, sample_patches(body, limb, count))
    distance = torch.cdist(points, points) + torch.eye(count, dtype=DOUBLE)
    # Densest packing of the plane: N discs on an area A have their centres sqrt(2 A / (sqrt(3) N)) apart.
    ideal = math.sqrt(2 * area_of(body, limb) / (math.sqrt(3) * count))
    nearest = distance.min(dim=1).values
    assert float(nearest.min()) > 0.45 * ideal
    assert 0.6 * ideal < float(nearest.mean()) < 1.1 * ideal
    # Nothing of the limb is far from all patches.
    mine = torch.isin(body.model.weights.argmax(dim=1), torch.tensor([JOINT_INDEX[joint] for joint in LIMBS[limb]]))
    faces = body.faces[outer_faces(body.model)]
    corners = body.rest_vertices.double()[faces[mine[faces].all(dim=1)]]
    triangle, weights = spread_points(corners, 3000)
    skin = (weights[..., None] * corners[triangle]).sum(dim=1)
    reach = torch.cdist(skin, points).min(dim=1).values
    assert float(reach.max()) < 0.85 * ideal
    assert float(reach.mean()) < 0.377 * ideal  # 0.351 in the plane (Toth's hexagons); 0.39 before relaxation


def test_patches_are_the_same_every_time_and_on_both_sides(body: Body) -> None:
    first, second = (points_of(body, sample_patches(body, "left_shank", 30)) for _ in range(2))
    assert torch.equal(first, second)
    right = points_of(body, sample_patches(body, "right_shank", 30))
    gaps = [float((torch.cdist(p, p) + torch.eye(30, dtype=DOUBLE)).min(dim=1).values.mean()) for p in (first, right)]
    assert gaps[0] == pytest.approx(gaps[1], rel=0.1)
    mirrored = first.mean(dim=0) * torch.tensor([-1.0, 1.0, 1.0], dtype=DOUBLE)
    assert float((mirrored - right.mean(dim=0)).norm()) < 0.01
    assert bool((first[1:, 1] <= first[:-1, 1] + 0.01).all())  # numbered down the leg


def test_few_many_and_joints(body: Body) -> None:
    (only,) = sample_patches(body, "left_upper_arm", 1, stand_off_m=0.01, mounting="x_up_z_out")
    assert only.name == "left_upper_arm_000"
    assert only.on(body).stand_off_m == 0.01
    joints = sample_patches(body, ["left_elbow", "left_wrist"], 40)
    assert joints[7].name == "patch_007"
    assert {patch.on(body).joint for patch in joints} == {JOINT_INDEX["left_elbow"], JOINT_INDEX["left_wrist"]}
    assert len({tuple(point) for point in points_of(body, sample_patches(body, "left_forearm", 400)).tolist()}) == 400


def test_patches_go_straight_into_simulate(body: Body) -> None:
    identity = torch.eye(3, dtype=DOUBLE).expand(8, 22, 3, 3)
    still = Motion(identity, torch.zeros(8, 3, dtype=DOUBLE), fps=20.0)
    patches = sample_patches(body, "left_thigh", 25, mounting="x_up_z_out")
    recording = simulate(still, body, patches, rate_hz=20.0)
    assert recording.names == tuple(patch.name for patch in patches)
    torch.testing.assert_close(recording.accel.norm(dim=-1), torch.full((8, 25), 9.80665, dtype=DOUBLE))
    assert float(recording.accel[..., 0].min()) > 6.0


def test_bad_requests_are_named(body: Body) -> None:
    with pytest.raises(ValueError, match="unknown limb 'left_forarm'; did you mean 'left_forearm'"):
        sample_patches(body, "left_forarm", 3)
    with pytest.raises(ValueError, match="count is 0, expected at least 1"):
        sample_patches(body, "head", 0)
    with pytest.raises(
        ValueError, match=r"count is 100000 patches, but left_hand has 3\d\d cm\^2 of skin, expected at most"
    ):
        sample_patches(body, "left_hand", 100000)
    with pytest.raises(ValueError, match=r"limb has joints \['elbow'\], expected one or more of pelvis"):
        sample_patches(body, ["elbow"], 3)
    with pytest.raises(ValueError, match="limb has joints none"):
        sample_patches(body, [], 3)
