"""Jitter: displaced as asked, reproducible, on the skin whatever is drawn."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from scipy.spatial.transform import Rotation

from sim.body import Body
from sim.conventions import JOINT_INDEX
from sim.motion import Motion
from sim.placements import PLACEMENT_NAMES, Placement, resolve_all, site_poses
from sim.placements.raycast import BonePoint, find_bone
from sim.placements.sites import ResolvedPlacement
from sim.rotations import axis_angle_to_matrix

DOUBLE = torch.float64


@pytest.fixture(scope="module")
def body() -> Body:
    return Body.default()


def rest(body: Body) -> Motion:
    return Motion(torch.eye(3, dtype=DOUBLE).expand(1, 22, 3, 3), body.rest_joints[0].double()[None], fps=20.0)


def presets() -> list[Placement]:
    return [Placement.preset(name) for name in PLACEMENT_NAMES]


def on_skin(body: Body, site: ResolvedPlacement) -> torch.Tensor:
    return site.barycentric @ body.rest_vertices.double()[site.triangle]


def test_jitter_is_reproducible_and_of_the_size_asked(body: Body) -> None:
    wrist = Placement.preset("left_wrist")

    def draw(seed: int) -> Placement:
        generator = torch.Generator().manual_seed(seed)
        return wrist.jitter(along_mm=10.0, around_deg=15.0, rotation_deg=5.0, generator=generator)

    positions, rotations = site_poses(body, rest(body), resolve_all([draw(seed) for seed in range(200)], body))
    again = draw(3).on(body).site_pose(body, rest(body))
    torch.testing.assert_close(again[0], positions[:, 3])
    torch.testing.assert_close(again[1], rotations[:, 3])
    assert float(positions[0, :, 0].std()) == pytest.approx(0.010, rel=0.2)  # along the bone, +X in the rest pose
    turns = torch.stack([draw(seed).on(body).mounting for seed in range(200)])
    angles = torch.from_numpy(Rotation.from_matrix(turns.numpy()).as_rotvec())
    assert math.degrees(float(angles.std())) == pytest.approx(5.0, rel=0.15)
    around = torch.tensor([draw(seed).around_rad for seed in range(200)])
    assert math.degrees(float(around.std())) == pytest.approx(15.0, rel=0.2)


def test_jitter_never_leaves_the_skin(body: Body) -> None:
    generator = torch.Generator().manual_seed(4)
    for placement in presets():
        start = placement.on(body).site_pose(body, rest(body))[0]
        for _ in range(8):
            moved = placement.jitter(along_mm=20.0, around_deg=20.0, generator=generator)
            shift = moved.on(body).site_pose(body, rest(body))[0] - start
            assert float(shift.norm()) < 0.15, placement.name


def test_jitter_of_a_point_on_a_given_mesh_starts_there(body: Body) -> None:
    spot = Placement.preset("left_thigh").on(body)
    given = Placement.at("spot", spot.triangle, spot.barycentric, stand_off_m=spot.stand_off_m)
    barely = given.jitter(along_mm=1e-4, generator=torch.Generator().manual_seed(0))
    a, b = (placement.on(body).site_pose(body, rest(body))[0] for placement in (given, barely))
    torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def test_the_stream_of_published_experiments(body: Body) -> None:
    placement = replace(Placement.preset("left_wrist"), around_rad=0.25)
    generator = torch.Generator().manual_seed(7)
    jittered = [
        placement.jitter(along_mm=10.0, around_deg=15.0, rotation_deg=spread, generator=generator)
        for spread in (5.0, 0.0, 5.0)
    ]
    again = torch.Generator().manual_seed(7)
    for got, spread in zip(jittered, (5.0, 0.0, 5.0), strict=True):
        draw = torch.randn(5, generator=again, dtype=DOUBLE)
        assert got.along_m == 1e-3 * 10.0 * float(draw[0])
        assert got.around_rad == 0.25 + math.radians(15.0) * float(draw[1])
        expected = axis_angle_to_matrix(draw[2:] * math.radians(5.0)) if spread else torch.eye(3, dtype=DOUBLE)
        assert torch.equal(got.on(body).mounting, expected)


def test_around_mm_is_an_arc_on_the_skin(body: Body) -> None:
    for name in ("left_thigh", "right_upper_arm", "waist"):
        placement = Placement.preset(name)
        assert isinstance(placement.point, BonePoint)
        bone = find_bone(body.model, JOINT_INDEX[placement.point.bone])

        def from_axis(
            placement: Placement, start: torch.Tensor = bone.start, axis: torch.Tensor = bone.axis
        ) -> torch.Tensor:
            offset = on_skin(body, placement.on(body)) - start
            return offset - (offset @ axis) * axis

        start, moved = from_axis(placement), from_axis(replace(placement, around_m=0.012))
        angle = torch.atan2(torch.linalg.cross(start, moved, dim=-1) @ bone.axis, start @ moved)
        assert float(angle * start.norm()) == pytest.approx(0.012, rel=1e-6)
    draws = [
        Placement.preset("waist").jitter(around_mm=8.0, generator=torch.Generator().manual_seed(s)) for s in range(300)
    ]
    spread = torch.tensor([placement.around_m for placement in draws])
    assert 1e3 * float(spread.std()) == pytest.approx(8.0, rel=0.1)
    assert all(placement.around_rad == placement.along_m == 0.0 for placement in draws)


def test_a_large_shift_ends_on_skin(body: Body) -> None:
    skin = body.rest_vertices.double()
    for placement in presets():
        start = on_skin(body, placement.on(body))
        for shift in (-0.3, -0.06, 0.06, 0.3):
            moved = replace(placement, along_m=shift, around_rad=0.5).on(body)
            found = on_skin(body, moved)
            assert moved.joint == placement.on(body).joint
            assert float((skin - found).norm(dim=1).min()) < 0.04
            travelled = float((found - start) @ moved.bone_axis)
            assert abs(travelled) < abs(shift) + 1e-6  # short of it, never beyond
            assert travelled * shift > 0
    hand = replace(Placement.preset("left_wrist"), along_m=0.06).on(body)
    assert (
        int(body.model.weights[hand.triangle].sum(dim=0).argmax()) == JOINT_INDEX["left_wrist"]
    )  # the next bone's skin
    crown = on_skin(body, replace(Placement.preset("head"), along_m=0.3).on(body))
    assert 0.0 <= float(skin[:, 1].max() - crown[1]) < 0.02  # short of the crown by no more than a step and a little


def test_turns_go_after_the_mounting(body: Body) -> None:
    mounting = axis_angle_to_matrix(torch.tensor([0.3, -1.0, 0.4], dtype=DOUBLE))
    once = torch.Generator().manual_seed(1)
    jittered = Placement.preset("chest").mounted(mounting).jitter(rotation_deg=10.0, generator=once)
    turned = jittered.jitter(rotation_deg=10.0, generator=once)
    again = torch.Generator().manual_seed(1)
    turns = [axis_angle_to_matrix(torch.randn(5, generator=again, dtype=DOUBLE)[2:] * math.radians(10.0)) for _ in "ab"]
    torch.testing.assert_close(jittered.on(body).mounting, mounting @ turns[0])
    torch.testing.assert_close(turned.on(body).mounting, mounting @ turns[0] @ turns[1])
    assert turned.mounted("x_up_z_out").turn is None


def test_nothing_is_drawn_from_the_global_state() -> None:
    wrist = Placement.preset("left_wrist")
    for spread in ("along_mm", "around_mm", "around_deg", "rotation_deg"):
        with pytest.raises(
            ValueError, match=r"generator is None, expected a source of randomness; pass torch\.Generator"
        ):
            wrist.jitter(**{spread: 1.0})
    assert wrist.jitter() is wrist
    with pytest.raises(ValueError, match=r"along_mm is -1\.0, expected a standard deviation: finite and not negative"):
        wrist.jitter(along_mm=-1.0, generator=torch.Generator())
    with pytest.raises(ValueError, match="rotation_deg is nan"):
        wrist.jitter(rotation_deg=math.nan, generator=torch.Generator())
    with pytest.raises(ValueError, match="expected one: they are one shift"):
        wrist.jitter(around_mm=1.0, around_deg=1.0, generator=torch.Generator())
    with pytest.raises(ValueError, match="along_m of left_wrist is nan"):
        replace(wrist, along_m=math.nan)


@pytest.mark.parametrize("mounting", [None, "y_down_z_in", axis_angle_to_matrix(torch.tensor([0.1, 0.2, 0.3]))])
def test_a_description_comes_back_the_same(body: Body, mounting: torch.Tensor | str | None) -> None:
    generator = torch.Generator().manual_seed(3)
    triangle = Placement.at("spot", 5000, [0.2, 0.3, 0.5], stand_off_m=0.01)
    for placement in (Placement.preset("left_shank"), triangle, Placement.at("ids", body.faces[99], [0.1, 0.8, 0.1])):
        for mounted in (
            placement.mounted(mounting),
            placement.mounted(mounting).jitter(along_mm=5.0, around_mm=4.0, rotation_deg=6.0, generator=generator),
        ):
            text = json.dumps(mounted.describe(), allow_nan=False)
            back = Placement.from_description(json.loads(text))
            assert back.describe() == mounted.describe()
            here, there = mounted.on(body), back.on(body)
            assert (here.name, here.stand_off_m, here.joint) == (there.name, there.stand_off_m, there.joint)
            assert torch.equal(here.triangle, there.triangle)
            assert torch.equal(here.barycentric, there.barycentric)
            torch.testing.assert_close(here.mounting.double(), there.mounting, atol=1e-7, rtol=0)


def test_a_bad_description_is_named() -> None:
    good = Placement.preset("head").describe()
    assert Placement.from_description({key: good[key] for key in ("name", "kind", "bone", "fraction", "angle_rad")})
    for change, message in (
        ({"name": 3}, "name 3, expected text"),
        ({"kind": "joint"}, "kind 'joint', expected 'bone' or 'triangle'"),
        ({"bone": "skull"}, "bone 'skull', expected one of pelvis"),
        ({"fraction": "half"}, "fraction 'half', expected a number"),
        ({"strap": 1.0}, r"\['strap'\], expected keys of"),
        ({"mounting": [[1, 2], [3]]}, "expected three rows of three numbers"),
        ({"mounting": [[1.0, 0, 0], [0, 1, 0], [0, 0, -1]]}, "no rotation"),
        ({"kind": "triangle", "triangle": [1, 2, 3], "barycentric": "abc"}, "barycentric 'abc', expected a list"),
        ({"kind": "triangle", "triangle": [1.5], "barycentric": [1, 0, 0]}, "expected the index of a face"),
        ({"kind": "triangle", "triangle": [7], "barycentric": [2, -1, 0]}, r"expected weights in \[0, 1\]"),
    ):
        with pytest.raises(ValueError, match=message):
            Placement.from_description({**good, **change})
