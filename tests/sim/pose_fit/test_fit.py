"""fit_pose against motions whose rotations are known: exact joints, right twists, no flips, gradients."""

import math

import numpy as np
import pytest
import roma
import torch

from sim.body import Body
from sim.body.skinning import forward_kinematics
from sim.conventions import JOINT_INDEX, JOINT_NAMES
from sim.features import canonicalise
from sim.motion import Motion
from sim.pose_fit import TwistPrior, fit_pose, fit_rotations
from sim.rotations import axis_angle_to_matrix

BODY = Body.default()
CLIPS = ("walk", "run", "jump", "cartwheel", "getup_faceup", "dance_b")
LIMBS = [JOINT_INDEX[f"{side}_{name}"] for side in ("left", "right") for name in ("hip", "knee", "shoulder", "elbow")]


def angle_deg(a, b):
    return torch.rad2deg(roma.rotmat_geodesic_distance(a, b))


def steps_deg(rotations):
    return angle_deg(rotations[..., 1:, :, :, :], rotations[..., :-1, :, :, :])


def to_world(motion):
    return BODY.forward_kinematics(motion)[1]


def count_flips(fitted, truth):
    """Steps of over 30 degrees where the truth moves by under 10."""
    return int(((steps_deg(to_world(fitted)) > 30) & (steps_deg(to_world(truth)) < 10)).sum())


@pytest.fixture(scope="module")
def captured(shared):
    """The embedded DeepMimic clips, 60 Hz: rotations from actuated hinges and ball joints, nothing fitted."""
    with np.load(shared / "data" / "embedded" / "deepmimic_smpl24_60hz.npz") as data:
        return {
            name: Motion(
                axis_angle_to_matrix(torch.from_numpy(data[f"{name}/pose"][:, :22]).double()),
                torch.from_numpy(data[f"{name}/transl"]).double() + BODY.rest_joints[0].double(),
                60.0,
            )
            for name in sorted({key.split("/")[0] for key in data.files})
        }


def wandering_hinges(sequences, frames, fps, seed=0):
    """Random smooth motion of hinges and ball joints with known rotations; limbs often pass through straight."""
    generator = torch.Generator().manual_seed(seed)
    time_s = torch.arange(frames, dtype=torch.float64) / fps
    rate, phase = torch.rand(2, sequences, 22, 3, 4, generator=generator, dtype=torch.float64)
    wave = torch.sin(2 * math.pi * (0.5 * rate * time_s[:, None, None, None, None] + phase).movedim(0, 1)).sum(dim=-1)
    amplitude = torch.zeros(22, 3, dtype=torch.float64)
    amplitude[[0, 3, 6, 9]] = 0.1
    amplitude[[1, 2, 16, 17]] = torch.tensor([0.15, 0.2, 0.2], dtype=torch.float64)
    pose = amplitude * wave
    for name, axis, sign in (
        ("left_elbow", 1, -1.0),
        ("right_elbow", 1, 1.0),
        ("left_knee", 0, 1.0),
        ("right_knee", 0, 1.0),
    ):
        joint = JOINT_INDEX[name]
        pose[..., joint, axis] = sign * (0.5 * wave[..., joint, axis]).clamp_min(0.0)
    translation = torch.zeros(sequences, frames, 3, dtype=torch.float64)
    return Motion(axis_angle_to_matrix(pose), translation, fps)


@pytest.mark.parametrize("clip", CLIPS)
def test_joints_of_the_golden_clips_come_back(golden, clip):
    with golden("humanml3d") as data:
        joints = torch.from_numpy(data[f"{clip}/joints"])
    fitted = fit_pose(joints, fps=20.0)
    # These clips were made with the bone lengths of the default body, so nothing but rounding may be left.
    assert (BODY.joints(fitted) - joints).norm(dim=-1).max() < 1e-6
    # On HumanML3D's skeleton lengths differ; the directions of limbs stay.
    uniform = canonicalise(joints)
    again = BODY.joints(fit_pose(uniform, fps=20.0))
    for a, b in ((16, 18), (18, 20), (17, 19), (19, 21), (1, 4), (4, 7), (2, 5), (5, 8), (7, 10), (12, 15)):
        bones = [torch.nn.functional.normalize(p[:, b] - p[:, a], dim=-1) for p in (uniform, again)]
        torch.testing.assert_close(bones[0], bones[1], atol=1e-6, rtol=0)


def test_rotations_of_captured_clips_come_back(captured):
    errors = torch.cat(
        [
            angle_deg(to_world(motion), to_world(fit_pose(BODY.joints(motion), fps=motion.fps)))
            for motion in captured.values()
        ]
    )
    median, high = errors.quantile(torch.tensor([0.5, 0.95], dtype=torch.float64), dim=0)
    exact = [JOINT_INDEX[name] for name in ("pelvis", "spine3", "left_collar", "right_collar")]
    assert high[exact].max() < 0.01
    assert median[LIMBS].max() < 2.0
    assert high[LIMBS].max() < 10.0
    assert high[[JOINT_INDEX["spine1"], JOINT_INDEX["spine2"]]].max() < 2.0


@pytest.mark.parametrize("every", [1, 3])
def test_captured_clips_do_not_flip(captured, every):
    for name, motion in captured.items():
        truth = Motion(motion.rotations[::every], motion.translation[::every], motion.fps / every)
        fitted = fit_pose(BODY.joints(truth), fps=truth.fps)
        assert count_flips(fitted, truth) == 0, name


@pytest.mark.parametrize(("sequences", "frames", "fps"), [(1, 10_000, 30.0), (20, 500, 30.0), (1, 10_000, 20.0)])
def test_ten_thousand_frames_do_not_flip(sequences, frames, fps):
    truth = wandering_hinges(sequences, frames, fps)
    fitted = fit_pose(BODY.joints(truth), fps=fps)
    assert count_flips(fitted, truth) == 0
    error = angle_deg(to_world(truth), to_world(fitted))[..., LIMBS]
    assert error.median() < 3.0


@pytest.mark.parametrize("fps", [20.0, 60.0])
def test_straight_limbs_keep_still_under_noise(fps):
    time_s = torch.arange(600, dtype=torch.float64) / fps
    pose = torch.zeros(600, 22, 3, dtype=torch.float64)
    pose[:, JOINT_INDEX["left_shoulder"], 2] = -1.2 + 0.6 * torch.sin(1.3 * time_s)
    pose[:, JOINT_INDEX["right_shoulder"], 2] = 1.2 - 0.6 * torch.sin(1.1 * time_s)
    pose[:, JOINT_INDEX["left_hip"], 0] = -0.5 * torch.sin(2.0 * time_s)
    pose[:, 0, 1] = 0.3 * time_s
    truth = Motion(axis_angle_to_matrix(pose), torch.zeros(600, 3, dtype=torch.float64), fps)
    noise = 1e-3 * torch.randn(600, 22, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    fitted = fit_pose(BODY.joints(truth) + noise, fps=fps)
    assert count_flips(fitted, truth) == 0
    assert steps_deg(to_world(fitted))[:, LIMBS].max() < 20.0


def test_a_straight_arm_keeps_the_twist_of_the_bends_around_it():
    """The upper arm is twisted by 60 degrees throughout; for a fifth of a second the elbow does not show it."""
    frames, fps = 120, 60.0
    elbow = 0.8 * torch.ones(frames, dtype=torch.float64)
    elbow[54:66] = 0.0
    pose = torch.zeros(frames, 22, 3, dtype=torch.float64)
    pose[:, JOINT_INDEX["left_shoulder"], 0] = math.radians(60)
    pose[:, JOINT_INDEX["left_elbow"], 1] = -elbow
    truth = Motion(axis_angle_to_matrix(pose), torch.zeros(frames, 3, dtype=torch.float64), fps)
    fitted = fit_pose(BODY.joints(truth), fps=fps)
    assert angle_deg(to_world(truth), to_world(fitted))[:, JOINT_INDEX["left_shoulder"]].max() < 10.0


def still(**axis_angle):
    """Two seconds of one pose at 20 fps, given by the rotation vectors of some joints."""
    pose = torch.zeros(40, 22, 3, dtype=torch.float64)
    for name, vector in axis_angle.items():
        pose[:, JOINT_INDEX[name]] = torch.tensor(vector, dtype=torch.float64)
    return Motion(axis_angle_to_matrix(pose), torch.zeros(40, 3, dtype=torch.float64), 20.0)


def test_toes_show_the_twist_of_a_straight_leg():
    truth = still(left_hip=(0.0, 0.5, 0.0), right_hip=(0.0, -0.5, 0.0))
    fitted = fit_pose(BODY.joints(truth), fps=20.0)
    assert angle_deg(to_world(truth), to_world(fitted)).max() < 2.0


def test_a_leg_may_pass_beside_the_head():
    frames = 60
    turn = torch.linspace(-0.3, 0.3, frames, dtype=torch.float64)
    pose = torch.zeros(frames, 22, 3, dtype=torch.float64)
    pose[:, JOINT_INDEX["left_hip"], 0] = -math.pi + turn
    pose[:, JOINT_INDEX["left_hip"], 1] = 0.05
    pose[:, JOINT_INDEX["left_knee"], 0] = 0.3
    truth = Motion(axis_angle_to_matrix(pose), torch.zeros(frames, 3, dtype=torch.float64), 60.0)
    fitted = fit_pose(BODY.joints(truth), fps=60.0)
    assert angle_deg(to_world(truth), to_world(fitted))[:, JOINT_INDEX["left_hip"]].max() < 10.0


def test_a_carrying_angle_of_the_elbow_does_not_twist_the_upper_arm():
    rest = BODY.rest_joints.double().clone()
    rest[[JOINT_INDEX["left_wrist"], JOINT_INDEX["right_wrist"]], 1] -= 0.02
    truth = still(left_elbow=(0.0, -1.0, 0.0), right_elbow=(0.0, 1.0, 0.0))
    joints, _ = forward_kinematics(rest, truth.rotations, truth.translation)
    fitted = fit_rotations(joints, rest[None], fps=20.0)
    assert angle_deg(fitted, truth.rotations)[:, LIMBS].max() < 1.0


def test_noise_in_the_collars_hardly_turns_the_chest():
    truth = still()
    noise = 3e-3 * torch.randn(40, 22, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    fitted = fit_pose(BODY.joints(truth) + noise, fps=20.0)
    assert angle_deg(to_world(truth), to_world(fitted))[:, JOINT_INDEX["spine3"]].median() < 2.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_also_for_straight_limbs(dtype):
    generator = torch.Generator().manual_seed(0)
    rest = BODY.rest_joints.to(dtype)
    for noise in (0.0, 1e-4, 0.05):
        joints = rest + noise * torch.randn(8, 22, 3, generator=generator, dtype=torch.float64).to(dtype)
        joints = joints.requires_grad_()
        fitted = fit_pose(joints, fps=20.0)
        assert fitted.rotations.dtype == dtype
        weights = torch.randn(fitted.rotations.shape, generator=generator, dtype=torch.float64).to(dtype)
        (fitted.rotations * weights).sum().backward()
        assert joints.grad.isfinite().all()


def test_gradients_are_right():
    motion = wandering_hinges(1, 3, 20.0)
    joints = BODY.joints(motion).requires_grad_()
    assert torch.autograd.gradcheck(lambda j: fit_pose(j, fps=20.0).rotations, joints, fast_mode=True)


def test_fit_turns_and_moves_with_the_person():
    motion = wandering_hinges(2, 40, 20.0)
    turn = axis_angle_to_matrix(torch.tensor([0.3, 1.0, -0.2], dtype=torch.float64))
    joints = BODY.joints(motion)
    moved = fit_pose(joints @ turn.T + 1.0, fps=20.0)
    torch.testing.assert_close(to_world(moved), turn @ to_world(fit_pose(joints, fps=20.0)))


def test_batches_equal_single_clips_and_shapes_broadcast():
    motion = wandering_hinges(3, 30, 20.0)
    joints = BODY.joints(motion)
    fitted = fit_pose(joints, fps=20.0)
    torch.testing.assert_close(fitted.rotations[1], fit_pose(joints[1], fps=20.0).rotations)
    people = BODY.with_shape(torch.randn(3, BODY.num_betas, generator=torch.Generator().manual_seed(0)).double())
    refitted = fit_pose(people.joints(motion), fps=20.0, body=people)
    assert refitted.rotations.shape == (3, 30, 22, 3, 3)
    torch.testing.assert_close(people.joints(refitted), people.joints(motion), atol=5e-3, rtol=0)


def test_the_root_path_is_scaled_to_the_bodys_legs():
    motion = wandering_hinges(1, 10, 20.0)
    joints = BODY.joints(motion) + 1.0
    fitted = fit_pose(1.5 * joints, fps=20.0)
    torch.testing.assert_close(fitted.translation, joints[..., 0, :])
    torch.testing.assert_close(fitted.rotations, fit_pose(joints, fps=20.0).rotations, atol=1e-6, rtol=0)


def test_padding_frames_rest_and_leave_the_others_alone():
    joints = BODY.joints(wandering_hinges(2, 20, 20.0)).clone()
    joints[1, 12:] = 0.0
    joints.requires_grad_()
    fitted = fit_pose(joints, fps=20.0)
    assert roma.is_rotation_matrix(fitted.rotations.detach(), epsilon=1e-6)
    torch.testing.assert_close(
        BODY.joints(fitted)[1, 12:], BODY.rest_joints.double().expand(8, 22, 3) - BODY.rest_joints[0]
    )
    torch.testing.assert_close(fitted.translation[1, :12], joints[1, :12, 0])
    torch.testing.assert_close(fitted.rotations[1, :12], fit_pose(joints[1, :12], fps=20.0).rotations)
    fitted.rotations.square().sum().backward()
    assert joints.grad.isfinite().all()


def test_prior_turns_only_what_joints_do_not_show():
    motion = wandering_hinges(1, 10, 20.0)
    joints = BODY.joints(motion)
    prior = TwistPrior(forearm_pronation_rad=torch.full((10,), math.pi / 2).double(), head_yaw_rad=math.pi / 2)
    plain, turned = fit_pose(joints, fps=20.0), fit_pose(joints, fps=20.0, twist_prior=prior)
    torch.testing.assert_close(BODY.joints(turned), BODY.joints(plain), atol=1e-9, rtol=0)
    difference = angle_deg(to_world(turned), to_world(plain))[0, 0]
    moved = {JOINT_NAMES[joint] for joint in torch.nonzero(difference > 0.1)[:, 0].tolist()}
    assert moved == {"head", "left_elbow", "left_wrist", "right_elbow", "right_wrist"}
    # In the T-pose palms face the floor (-Y) and the face +Z: pronated they face back, and the face is to the left.
    rest = fit_pose(BODY.rest_joints.double()[None], fps=20.0, twist_prior=TwistPrior(math.pi / 2, math.pi / 2))
    world = to_world(rest)[0]
    for name in ("left_wrist", "right_wrist"):
        torch.testing.assert_close(world[JOINT_INDEX[name]] @ -_axis(1), -_axis(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(world[JOINT_INDEX["head"]] @ _axis(2), _axis(0), atol=1e-6, rtol=0)


def _axis(index):
    return torch.eye(3, dtype=torch.float64)[index]


@pytest.mark.parametrize(
    ("joints", "arguments", "message"),
    [
        (torch.zeros(5, 24, 3), {"fps": 20.0}, r"expected \(..., T, 22, 3\)"),
        (torch.zeros(5, 22, 3), {"fps": 0.0}, "fps is 0.0"),
        (torch.zeros(5, 22, 3).index_fill(0, torch.tensor(3), torch.nan), {"fps": 20.0}, "first at frame 3"),
        (torch.zeros(5, 22, 3), {"fps": 20.0, "joint_noise_m": -1.0}, "joint_noise_m is -1.0"),
    ],
)
def test_wrong_input_is_named(joints, arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_pose(joints, **arguments)
