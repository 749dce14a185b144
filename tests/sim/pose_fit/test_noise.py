"""Joints that stretch their bones: how noisy they are is measured, and what noise does to rotations is damped."""

import pytest
import torch

from sim.body import Body
from sim.conventions import JOINT_INDEX
from sim.motion import Motion
from sim.pose_fit import fit, fit_pose, limbs
from sim.pose_fit.noise import believe, relative_stretch, stretch_variance
from sim.pose_fit.smoothing import gaussian_smooth
from sim.rotations import axis_angle_to_matrix

BODY = Body.default()
FPS = 20.0


def walking_like(frames=200):
    """Arms and legs that swing at a step's rate; elbows and knees bend; the trunk sways a little."""
    time_s = torch.arange(frames, dtype=torch.float64) / FPS
    swing = torch.sin(2 * torch.pi * 0.9 * time_s)
    pose = torch.zeros(frames, 22, 3, dtype=torch.float64)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        pose[:, JOINT_INDEX[f"{side}_hip"], 0] = -0.4 * sign * swing
        pose[:, JOINT_INDEX[f"{side}_knee"], 0] = 0.4 + 0.3 * sign * swing
        pose[:, JOINT_INDEX[f"{side}_shoulder"], 2] = -1.2 * sign
        pose[:, JOINT_INDEX[f"{side}_shoulder"], 0] = 0.3 * sign * swing
        pose[:, JOINT_INDEX[f"{side}_elbow"], 1] = -sign * (0.4 + 0.15 * sign * swing)
    pose[:, 0, 1] = 0.06 * swing
    pose[:, JOINT_INDEX["spine2"], 1] = -0.06 * swing
    return Motion(axis_angle_to_matrix(pose), torch.zeros(frames, 3, dtype=torch.float64), FPS)


def sway(shape, size_m, seed=0):
    """Noise as networks make it: smooth over some frames, each joint and axis by itself."""
    white = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    smooth = gaussian_smooth(white.flatten(-2), sigma_frames=1.5, ends="hold").unflatten(-1, shape[-2:])
    return size_m * smooth / smooth.std()


def rates(motion, joint):
    """Angular rate of a joint's frame in the world [rad/s]."""
    world = BODY.forward_kinematics(motion)[1][..., joint, :, :]
    turn = world[1:] @ world[:-1].mT
    return (
        0.5
        * FPS
        * torch.stack([turn[:, 2, 1] - turn[:, 1, 2], turn[:, 0, 2] - turn[:, 2, 0], turn[:, 1, 0] - turn[:, 0, 1]], -1)
    )


def error(fitted, truth, joint):
    return (rates(fitted, joint) - rates(truth, joint)).square().sum(-1).mean().sqrt()


def test_stretch_tells_the_noise_of_directions():
    truth = walking_like(2000)
    clean, noisy = BODY.joints(truth), BODY.joints(truth) + sway((2000, 22, 3), 2e-3)
    seen = torch.ones(2000, dtype=torch.bool)
    for child, parent in (("spine3", "spine2"), ("head", "neck"), ("left_wrist", "left_elbow")):
        bones = [joints[:, JOINT_INDEX[child]] - joints[:, JOINT_INDEX[parent]] for joints in (clean, noisy)]
        assert stretch_variance(bones[0], seen=seen, fps=FPS) < 1e-16
        told = relative_stretch(bones[1], seen=seen, fps=FPS)
        turned = torch.nn.functional.normalize(bones[1], dim=-1) - torch.nn.functional.normalize(bones[0], dim=-1)
        # Two coordinates across the bone; what is slower than half a second is left out of the measure.
        assert 0.65 < told[0] / (turned.square().sum(-1).mean() / 2) < 1.05


@pytest.mark.parametrize(
    ("joint", "share"),
    [("spine2", 0.6), ("neck", 0.6), ("left_collar", 0.7), ("left_elbow", 0.9), ("right_elbow", 0.9)],
)
def test_noise_turns_the_body_less_than_it_turns_bones(monkeypatch, joint, share):
    truth = walking_like()
    joints = BODY.joints(truth) + sway((200, 22, 3), 5e-3)
    believed = error(fit_pose(joints, fps=FPS), truth, JOINT_INDEX[joint])
    for module in (fit, limbs):
        monkeypatch.setattr(module, "believe", lambda direction, noise, **_: direction)
    assert believed < share * error(fit_pose(joints, fps=FPS), truth, JOINT_INDEX[joint])


def test_what_moves_more_than_noise_keeps_moving():
    truth = walking_like()
    fitted = fit_pose(BODY.joints(truth) + sway((200, 22, 3), 5e-3), fps=FPS)
    for parent, child in (("left_hip", "left_knee"), ("right_hip", "right_knee"), ("left_shoulder", "left_elbow")):
        moved, true = (
            (joints[:, JOINT_INDEX[child]] - joints[:, JOINT_INDEX[parent]])[:, 2].std()
            for joints in (BODY.joints(fitted), BODY.joints(truth))
        )
        assert 0.9 < moved / true < 1.1, child


def test_padding_does_not_tell_the_noise():
    joints = BODY.joints(walking_like(60)) + sway((60, 22, 3), 5e-3)
    padded = torch.cat([joints, torch.zeros(40, 22, 3, dtype=torch.float64)])
    torch.testing.assert_close(
        fit_pose(padded, fps=FPS).rotations[:60], fit_pose(joints, fps=FPS).rotations, atol=1e-9, rtol=0
    )


def test_without_noise_directions_are_as_they_were_and_with_nothing_else_they_rest():
    angle = 0.1 * torch.sin(torch.arange(200, dtype=torch.float64))
    direction = torch.stack([angle.cos(), angle.sin()], dim=-1)
    seen = torch.ones(200, dtype=torch.bool)
    kept = believe(direction, torch.zeros(1, dtype=torch.float64), seen=seen, fps=FPS)
    torch.testing.assert_close(kept, direction, atol=1e-15, rtol=0)
    still = believe(direction, torch.full((1,), 0.01, dtype=torch.float64), seen=seen, fps=FPS)
    assert still[40:-40, 1].abs().max() < 1e-3
