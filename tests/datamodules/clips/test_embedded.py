"""The clips that come along: human speeds, turns as named, feet on the floor; loops close without a jolt."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from datamodules.clips.clip import LYING
from datamodules.clips.embedded import embedded_split, load_embedded
from datamodules.clips.gait_loops import loop_cycle, loop_gait
from sim import Body, Motion
from sim.conventions import JOINT_INDEX

BODY = Body.default()
CLIPS = {clip.name: clip for clip in load_embedded()}


def test_what_there_is() -> None:
    recorded = [clip for clip in CLIPS.values() if not clip.constructed]
    assert len(recorded) == 20
    assert {clip.activity for clip in CLIPS.values() if clip.constructed} == {"standing", "sitting", *LYING}
    assert {"walking", "running", "jumping"} <= {clip.activity for clip in recorded}
    for clip in CLIPS.values():
        assert len(clip.captions) >= 3
        assert clip.licence
        eye = clip.motion.rotations @ clip.motion.rotations.mT
        assert torch.allclose(eye, torch.eye(3).expand_as(eye), atol=1e-5), clip.name


@pytest.mark.parametrize(("name", "low", "high"), [("walk", 0.8, 1.5), ("walk_forward", 0.8, 1.5), ("run", 2.5, 4.0)])
def test_gaits_go_forward_at_a_human_speed(name: str, low: float, high: float) -> None:
    motion = CLIPS[name].motion
    assert motion.duration_s >= 7.9
    step = motion.translation.diff(dim=0) * motion.fps
    speed = step[:, [0, 2]].norm(dim=-1)
    assert low < float(speed.median()) < high
    forward = motion.rotations[:-1, 0, :, 2][:, [0, 2]]
    cosine = (step[:, [0, 2]] * forward).sum(-1) / (speed * forward.norm(dim=-1))
    assert float(cosine.median()) > 0.9


def test_turns_turn_the_way_they_say() -> None:
    for name, sign in (("turn_left0", 1), ("turn_left1", 1), ("turn_right0", -1), ("turn_right1", -1)):
        forward = CLIPS[name].motion.rotations[:, 0, :, 2]
        heading = np.unwrap(np.arctan2(forward[:, 0].numpy(), forward[:, 2].numpy()))
        # A positive turn about the vertical goes from +Z (ahead) to +X (left).
        assert sign * (heading[-1] - heading[0]) > 0.2, name


def test_the_jump_leaves_the_floor() -> None:
    joints = BODY.joints(CLIPS["jump"].motion)
    feet = joints[:, [JOINT_INDEX["left_foot"], JOINT_INDEX["right_foot"]], 1].amin(dim=1)
    assert float(feet.max()) > 0.1
    assert float(feet.min()) < 0.05


def test_loops_close_without_a_jolt() -> None:
    cycle = CLIPS["walk"].motion
    period = 38
    joints = BODY.joints(cycle).double().numpy()
    acceleration = np.linalg.norm(np.diff(joints, n=2, axis=0), axis=-1) * cycle.fps**2
    seams = [seam + shift for seam in range(period - 1, len(acceleration) - 1, period) for shift in (-1, 0, 1)]
    inner = np.setdiff1d(np.arange(len(acceleration)), seams)
    assert acceleration[seams].max() < 1.5 * acceleration[inner].max()
    local = joints - joints[:, :1]
    assert np.abs(local[:period, :, 1] - local[period : 2 * period, :, 1]).max() < 1e-5


def test_a_loop_goes_on_along_a_curve() -> None:
    angle = torch.linspace(0, np.pi / 2, 31)
    turn = torch.zeros(31, 3, 3)
    turn[:, 0, 0] = turn[:, 2, 2] = angle.cos()
    turn[:, 0, 2], turn[:, 2, 0], turn[:, 1, 1] = angle.sin(), -angle.sin(), 1.0
    rotations = torch.eye(3).repeat(31, 22, 1, 1)
    rotations[:, 0] = turn
    # An elbow that ends 10 degrees from where it began: the seam has to be closed.
    rotations[:, JOINT_INDEX["left_elbow"]] = torch.from_numpy(
        Rotation.from_euler("y", np.linspace(0, -10, 31)[:, None], degrees=True).as_matrix()
    ).float()
    # A quarter of a circle of 1 m radius, to the left.
    path = torch.stack([1 - angle.cos(), torch.ones(31), angle.sin()], dim=-1)
    looped = loop_cycle(Motion(rotations, path, 30.0), seconds=3.9)
    assert looped.num_frames == 120
    assert torch.allclose(looped.rotations[:, JOINT_INDEX["left_elbow"]], torch.eye(3), atol=1e-5)
    radius = (looped.translation - torch.tensor([1.0, 1.0, 0.0])).norm(dim=-1)
    assert torch.allclose(radius, torch.ones(120), atol=1e-4)
    assert torch.allclose(looped.translation[60], torch.tensor([2.0, 1.0, 0.0]), atol=1e-4)


def test_only_what_returns_to_its_pose_is_looped() -> None:
    walk = CLIPS["walk"].motion.frames(0, 100)
    longer = loop_gait(walk, seconds=8.0)
    assert longer is not None
    assert longer.duration_s >= 7.9
    speed = [
        float((motion.translation[-1] - motion.translation[0])[[0, 2]].norm()) / motion.duration_s
        for motion in (walk, longer)
    ]
    assert speed[1] == pytest.approx(speed[0], rel=0.1)
    assert loop_gait(CLIPS["getup_faceup"].motion, seconds=8.0) is None
    assert loop_gait(walk, seconds=1.0) is None


@pytest.mark.parametrize("activity", ["standing", "sitting", *LYING])
def test_postures_are_still_but_alive_and_look_like_what_they_are(activity: str) -> None:
    clips = [clip for clip in CLIPS.values() if clip.constructed and clip.activity == activity]
    assert {embedded_split(clip.name) for clip in clips} == {"train", "val", "test"}
    first = torch.stack([clip.motion.rotations[0] for clip in clips])
    assert (first[:, None] - first[None]).abs().amax(dim=(2, 3, 4)).fill_diagonal_(1.0).min() > 1e-2
    for clip in clips:
        joints = BODY.joints(clip.motion)
        speed = joints.diff(dim=0).norm(dim=-1) * clip.motion.fps
        assert 1e-4 < float(speed.mean()) < 0.15, clip.name
        assert float(speed.max()) < 1.2, clip.name
        pelvis, head = joints[:, 0, 1].mean(), joints[:, JOINT_INDEX["head"], 1].mean()
        low, high = {"standing": (0.8, 0.95), "sitting": (0.38, 0.65)}.get(activity, (0.05, 0.35))
        assert low < float(pelvis) < high, clip.name
        assert (float(head - pelvis) < 0.3) == (activity in LYING), clip.name
        if activity not in LYING:
            feet = joints[:, [JOINT_INDEX["left_foot"], JOINT_INDEX["right_foot"]], 1]
            assert float(feet.max()) < 0.16, clip.name


def test_standing_feet_stay_where_they_are() -> None:
    joints = BODY.joints(CLIPS["standing/0"].motion)
    ankles = joints[:, [JOINT_INDEX["left_ankle"], JOINT_INDEX["right_ankle"]]].mean(dim=1)
    assert float((ankles - ankles[0]).abs().max()) < 1e-4
