"""A T-pose that an actor holds is no part of what was recorded; arms that swing through it are."""

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from datamodules.clips.breaks import cut_at_breaks, find_t_pose
from sim.conventions import JOINT_INDEX
from sim.motion import Motion

FPS = 30.0


def pose_arms(degrees):
    """A standing body whose arms hang at so many degrees under the T-pose in each frame."""
    degrees = np.asarray(degrees, dtype=float)
    rotations = torch.eye(3).expand(len(degrees), 22, 3, 3).clone()
    for side, sign in (("left", -1.0), ("right", 1.0)):
        turned = Rotation.from_rotvec(np.outer(sign * np.deg2rad(degrees), [0, 0, 1])).as_matrix()
        rotations[:, JOINT_INDEX[f"{side}_shoulder"]] = torch.from_numpy(turned).float()
    translation = torch.tensor([0.0, 0.95, 0.0]).expand(len(degrees), 3).clone()
    return Motion(rotations, translation, FPS)


def test_a_held_t_pose_is_found_with_the_arms_that_rise_to_it():
    motion = pose_arms(np.concatenate([np.full(60, 80.0), np.linspace(80, 0, 15), np.zeros(30)]))
    found = find_t_pose(motion)
    assert not found[:60].any()
    assert found[75:].all()
    pieces = cut_at_breaks(motion, leave_out=found)
    assert len(pieces) == 1
    assert 60 <= pieces[0].num_frames <= 75


def test_arms_that_swing_through_it_and_arms_that_hang_are_left_alone():
    jumping_jacks = pose_arms(80 * np.cos(2 * np.pi * 1.2 * np.arange(120) / FPS))
    assert not find_t_pose(jumping_jacks).any()
    assert not find_t_pose(pose_arms(np.full(90, 60.0))).any()


def test_one_that_kneels_or_lies_is_in_no_t_pose():
    motion = pose_arms(np.zeros(60))
    low = Motion(motion.rotations, motion.translation - torch.tensor([0.0, 0.4, 0.0]), FPS)
    assert find_t_pose(motion).all()
    assert not find_t_pose(low).any()
