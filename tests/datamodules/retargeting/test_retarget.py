"""Retargeted recordings: bones point as in the source, joints bend about anatomical axes, gaits go at human speeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from datamodules.clips.breaks import cut_at_breaks
from datamodules.clips.mocap_sets import MOCAP_SETS, MocapFile
from datamodules.formats.skeleton import SkeletonMotion
from datamodules.retargeting.find_map import find_map
from datamodules.retargeting.retarget import ALIGNED_BONES, put_on_floor, retarget
from datamodules.retargeting.skeleton_maps import ACCLAIM, ACCLAIM_BVH
from sim import Body, Motion
from sim.conventions import JOINT_INDEX, JOINT_NAMES

BODY = Body.default()


def collect(shared: Path) -> dict[str, MocapFile]:
    mocap = shared / "data" / "mocap"
    files: dict[str, MocapFile] = {}
    for rules in MOCAP_SETS:
        if (mocap / rules.folder).is_dir():
            files |= {file.name: file for file in rules.list_files(mocap / rules.folder)}
    return files


def joints_of(motion: Motion) -> NDArray[np.float64]:
    return BODY.joints(motion).double().numpy()


def direction(joints: NDArray[np.float64], start: str, end: str) -> NDArray[np.float64]:
    vector = joints[:, JOINT_INDEX[end]] - joints[:, JOINT_INDEX[start]]
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


ONE_OF_EACH = [
    "cmu_16_15/16_15",
    "cmu_expmap8/train/walking/walking_1",
    "cmu_cgspeed_bvh/01_01",
    "cmu_cgspeed_bvh/131_01",
    "cmu_daz_bvh_dance_martial/salsa/10",
    "reactidle_bvh/genuine/003_genuine",
]


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_bones_point_as_in_the_source(shared: Path, name: str) -> None:
    file = collect(shared)[name]
    source = file.read()
    joints = joints_of(retarget(source, file.skeleton))
    for start, end in ALIGNED_BONES.items():
        theirs = np.diff(
            source.positions[:, [source.index(file.skeleton.joints[joint]) for joint in (start, end)]], axis=1
        )[:, 0]
        theirs = theirs / np.linalg.norm(theirs, axis=-1, keepdims=True)
        angle = np.rad2deg(np.arccos(np.clip((direction(joints, start, end) * theirs).sum(-1), -1, 1)))
        # Soles lie as the source's do; the line from ankle to toes is that of the body they are on.
        assert angle.max() < (11.0 if "ankle" in start else 0.1), start


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_elbows_and_knees_bend_about_the_anatomical_axis(shared: Path, name: str) -> None:
    file = collect(shared)[name]
    motion = retarget(file.read(), file.skeleton)
    joints, rotations = BODY.forward_kinematics(motion)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for names, axis in (
            (("shoulder", "elbow", "wrist"), [0.0, -sign, 0.0]),
            (("hip", "knee", "ankle"), [1.0, 0.0, 0.0]),
        ):
            upper, lower, end = (f"{side}_{joint}" for joint in names)
            upper_direction = direction(joints.double().numpy(), upper, lower)
            bend = np.cross(upper_direction, direction(joints.double().numpy(), lower, end))
            inside = np.einsum("tji,tj->ti", rotations[:, JOINT_INDEX[upper]].double().numpy(), bend).mean(axis=0)
            if np.linalg.norm(inside) > np.sin(np.deg2rad(15)):
                angle = np.rad2deg(np.arccos(inside @ axis / np.linalg.norm(inside)))
                # CMU's elbow axis is tilted by 30 degrees; ReActIdle, without markers, hardly knows the arm's twist.
                assert angle < (60 if "reactidle" in name else 35), (side, names, angle)


def test_same_recording_from_two_formats(shared: Path) -> None:
    from datamodules.formats.bvh import read_bvh

    file = collect(shared)["cmu_16_15/16_15"]
    first = retarget(file.read(), ACCLAIM)
    bvh = read_bvh(shared / "data/mocap/cmu_16_15/16_15.bvh.xz", unit_m=0.01, drop_first=4)
    assert find_map(bvh, "16_15.bvh")[1] is ACCLAIM_BVH
    second = retarget(bvh, ACCLAIM_BVH)
    distance = np.linalg.norm(joints_of(first) - joints_of(second), axis=-1)
    _, one = BODY.forward_kinematics(first)
    _, other = BODY.forward_kinematics(second)
    between = Rotation.from_matrix((one.mT @ other).reshape(-1, 3, 3).double().numpy()).magnitude()
    angle = np.rad2deg(between).reshape(one.shape[:2])
    for index, name in enumerate(JOINT_NAMES):
        assert distance[:, index].mean() < 0.01, name
        if not name.endswith(("ankle", "foot", "left_wrist")):
            assert angle[:, index].mean() < 1.0, name


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("cmu_16_15/16_15", 0.9, 1.5),
        ("cmu_asfamc/02_01", 0.9, 1.5),
        ("cmu35_asfamc/35_01_walk_30fps", 0.9, 1.5),
        ("cmu_expmap8/train/walking/walking_2", 0.7, 1.5),
        ("cmu_asfamc/02_03", 2.5, 4.0),
        ("cmu35_asfamc/35_17_jog_30fps", 2.5, 4.0),
        ("cmu35_asfamc/35_24_jog_30fps", 2.5, 4.0),
        ("cmu_expmap8/train/running/running_3", 2.5, 4.0),
    ],
)
def test_gait_is_forward_on_the_floor_at_a_human_speed(shared: Path, name: str, low: float, high: float) -> None:
    file = collect(shared)[name]
    motion = retarget(file.read(), file.skeleton)
    joints = joints_of(motion)
    step = np.diff(joints[:, 0], axis=0) * motion.fps
    speed = np.linalg.norm(step[:, [0, 2]], axis=-1)
    assert low <= np.median(speed) <= high
    forward = motion.rotations[:-1, 0, :, 2].double().numpy()
    assert np.median((step * forward).sum(-1) / speed) > 0.85
    left = joints[:, JOINT_INDEX["left_hip"]] - joints[:, JOINT_INDEX["right_hip"]]
    up = np.array([0.0, 1.0, 0.0])
    assert (np.einsum("ti,ti->t", np.cross(up, forward), left[:-1]) > 0).all()
    assert -0.05 < joints[..., 1].min() < 0.08
    assert (joints[:, JOINT_INDEX["head"], 1] > joints[:, 0, 1]).all()


def test_size_of_the_source_does_not_matter(shared: Path) -> None:
    file = collect(shared)["cmu_asfamc/02_01"]
    source = file.read()
    larger = SkeletonMotion(
        source.names, source.parents, source.offsets * 3, source.rotations, source.positions * 3, source.fps
    )
    small, large = retarget(source, ACCLAIM), retarget(larger, ACCLAIM)
    assert torch.allclose(small.translation, large.translation, atol=1e-5)


def test_floor_lies_below_feet_and_below_a_lying_body() -> None:
    still = Motion(torch.eye(3).expand(10, 22, 3, 3).clone(), torch.full((10, 3), 3.0), 30.0)
    assert float(BODY.vertices(put_on_floor(still))[..., 1].min()) == pytest.approx(0.0, abs=2e-3)
    lying = still.rotations.clone()
    lying[:, 0] = torch.from_numpy(Rotation.from_euler("x", -90, degrees=True).as_matrix())
    vertices = BODY.vertices(put_on_floor(Motion(lying, still.translation, 30.0)))
    assert float(vertices[..., 1].min()) == pytest.approx(0.0, abs=0.06)


def test_feet_that_stand_tell_the_floor_not_what_lies_beneath_them() -> None:
    """Lying, a recording's joints may be below the floor that its feet stand on."""
    rotations = torch.eye(3).repeat(60, 22, 1, 1)
    rotations[30:, 0] = torch.from_numpy(Rotation.from_euler("x", -90, degrees=True).as_matrix()).float()
    height = torch.full((60, 3), 0.0)
    height[:30, 1], height[30:, 1] = 1.0, -0.1
    motion = put_on_floor(Motion(rotations, height, 30.0))
    vertices = BODY.vertices(motion)[..., 1]
    assert float(vertices[:30].min()) == pytest.approx(0.0, abs=2e-3)
    assert float(motion.translation[30, 1] - motion.translation[0, 1]) == pytest.approx(-1.1, abs=1e-5)
    # A tenth of a second on its feet is no standing.
    short = Motion(rotations[27:], height[27:], 30.0)
    assert float(BODY.vertices(put_on_floor(short))[3:, :, 1].min()) == pytest.approx(0.0, abs=0.06)


def test_recordings_are_cut_where_they_break(shared: Path) -> None:
    file = collect(shared)["cmu_asfamc/02_01"]
    motion = retarget(file.read(), ACCLAIM)
    assert [piece.num_frames for piece in cut_at_breaks(motion)] == [motion.num_frames]
    broken = motion.rotations.clone()
    # A left thigh that is turned round for one frame, as a broken Euler angle does.
    broken[170, JOINT_INDEX["left_hip"]] = broken[170, JOINT_INDEX["left_hip"]] @ torch.diag(
        torch.tensor([1.0, -1, -1])
    )
    pieces = cut_at_breaks(Motion(broken, motion.translation, motion.fps))
    assert len(pieces) == 2
    assert 300 < sum(piece.num_frames for piece in pieces) < motion.num_frames - 5
    assert torch.equal(pieces[0].rotations, broken[: pieces[0].num_frames])


def test_unknown_skeletons_are_refused_by_name() -> None:
    names = ("a", "b")
    still = SkeletonMotion(names, (-1, 0), np.zeros((2, 3)), np.zeros((1, 2, 3, 3)), np.zeros((1, 2, 3)), 30.0)
    with pytest.raises(ValueError, match="known skeletons are cgspeed"):
        find_map(still, "odd.bvh")
    with pytest.raises(ValueError, match="no joint 'root'"):
        retarget(still, ACCLAIM)
