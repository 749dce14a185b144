"""The HumanML3D codec against the reference's numbers, and what a loss on it needs: gradients, batches, both dtypes."""

import pytest
import torch

from sim.body import Body
from sim.conventions import PARENTS
from sim.features import (
    FEATURE_SLICES,
    POSITION_STD_M,
    STEP_STD_M,
    canonicalise,
    features_to_joints,
    features_to_motion,
    features_to_root,
    foot_contacts,
    joints_to_features,
)
from sim.motion import Motion
from sim.rotations import axis_angle_to_matrix
from sim.skeleton_t2m import BONE_DIRECTIONS, BONE_LENGTHS_M, CHAINS

CLIPS = ("walk", "run", "jump", "cartwheel", "getup_faceup", "dance_b")


@pytest.fixture(scope="module")
def reference(golden):
    with golden("humanml3d") as data:
        return {key: torch.from_numpy(data[key]) for key in data.files}


def random_joints(*shape, seed=0, dtype=torch.float64):
    """A random but smooth Motion of the default body, as joints."""
    generator = torch.Generator().manual_seed(seed)
    steps = 0.05 * torch.randn(*shape, 22, 3, generator=generator, dtype=torch.float64)
    motion = Motion(axis_angle_to_matrix(steps.cumsum(dim=-3)), steps[..., 0, :].cumsum(dim=-2), 20.0)
    return Body.default().joints(motion).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("clip", CLIPS)
def test_features_equal_the_reference(reference, clip, dtype):
    joints = reference[f"{clip}/joints"].to(dtype)
    features = joints_to_features(joints)
    assert features.dtype == dtype
    torch.testing.assert_close(features, reference[f"{clip}/features"].to(dtype), atol=1e-4, rtol=0)
    torch.testing.assert_close(canonicalise(joints), reference[f"{clip}/global_positions"].to(dtype), atol=1e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("clip", CLIPS)
def test_recovered_joints_and_root_equal_the_reference(reference, clip, dtype):
    features = reference[f"{clip}/features"].to(dtype)
    expected = reference[f"{clip}/recover_from_ric"].to(dtype)
    torch.testing.assert_close(features_to_joints(features), expected, atol=1e-5, rtol=0)
    heading, position = features_to_root(features)
    torch.testing.assert_close(position, reference[f"{clip}/root_position"].to(dtype), atol=1e-5, rtol=0)
    w, _, y, _ = reference[f"{clip}/root_quat_wxyz"].to(dtype).unbind(-1)
    torch.testing.assert_close(heading[..., 0, 0], w * w - y * y, atol=1e-5, rtol=0)
    torch.testing.assert_close(heading[..., 0, 2], 2 * w * y, atol=1e-5, rtol=0)


def test_skeleton_is_the_references(reference):
    offsets = torch.tensor(BONE_DIRECTIONS) * torch.tensor(BONE_LENGTHS_M)[:, None]
    torch.testing.assert_close(offsets, reference["target_offsets"], atol=1e-7, rtol=0)
    assert [list(chain) for chain in CHAINS] == [reference[f"kinematic_chain/{i}"].tolist() for i in range(5)]


def test_slices_cover_every_feature_once():
    covered = torch.cat([torch.arange(263)[part] for part in FEATURE_SLICES])
    assert covered.tolist() == list(range(263))


def test_round_trip_returns_the_canonical_joints():
    joints = random_joints(40)
    recovered = features_to_joints(joints_to_features(joints))
    # The first heading is the identity by definition, so recovered joints start in the clip's own frame.
    torch.testing.assert_close(recovered, canonicalise(joints)[:-1], atol=1e-9, rtol=0)


def test_a_turn_through_the_back_keeps_its_sign():
    """A person who turns steadily through -Z: the recovered joints go on turning, which the reference's do not."""
    angle = torch.linspace(0.0, 2.0 * torch.pi, 400, dtype=torch.float64)
    turn = torch.zeros(400, 22, 3, dtype=torch.float64)
    turn[:, 0, 1] = angle
    motion = Motion(axis_angle_to_matrix(turn), torch.zeros(400, 3, dtype=torch.float64), 20.0)
    joints = Body.default().joints(motion)
    features = joints_to_features(joints)
    assert (features[..., FEATURE_SLICES.root_rotation_velocity][100:300] < 0).all()
    torch.testing.assert_close(features_to_joints(features), canonicalise(joints)[:-1], atol=1e-9, rtol=0)


def test_place_and_heading_of_the_clip_do_not_matter():
    joints = random_joints(30)
    turn = torch.tensor([[0.6, 0.0, 0.8], [0.0, 1.0, 0.0], [-0.8, 0.0, 0.6]], dtype=torch.float64)
    moved = joints @ turn.T + torch.tensor([3.0, -1.0, 2.0], dtype=torch.float64)
    torch.testing.assert_close(joints_to_features(moved), joints_to_features(joints), atol=1e-9, rtol=0)


def test_batches_equal_single_clips():
    joints = torch.stack([random_joints(20, seed=i) for i in range(6)]).unflatten(0, (2, 3))
    features = joints_to_features(joints)
    assert features.shape == (2, 3, 19, 263)
    torch.testing.assert_close(features[1, 2], joints_to_features(joints[1, 2]))
    torch.testing.assert_close(features_to_joints(features)[1, 2], features_to_joints(features[1, 2]))


def test_feet_touch_the_floor_only_when_still():
    joints = torch.zeros(3, 22, 3)
    joints[2, 10, 0] = 0.05
    assert foot_contacts(joints).tolist() == [[1, 1, 1, 1], [1, 0, 1, 1]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_also_at_rest_and_upside_down(dtype):
    rest = Body.default().rest_joints.to(dtype)
    upside_down = rest * torch.tensor([1.0, -1.0, -1.0], dtype=dtype)
    for pose in (rest, upside_down):
        joints = pose.expand(5, 22, 3).clone().requires_grad_()
        features = joints_to_features(joints)
        assert features.isfinite().all()
        features.square().sum().backward()
        assert joints.grad.isfinite().all()
    features = torch.zeros(5, 263, dtype=dtype, requires_grad=True)
    features_to_joints(features).square().sum().backward()
    assert features.grad.isfinite().all()


def test_recovery_passes_gradcheck():
    features = joints_to_features(random_joints(5)).requires_grad_()
    assert torch.autograd.gradcheck(features_to_joints, features, fast_mode=True)


def test_motion_of_features_has_their_joints(reference):
    features = reference["walk/features"]
    motion = features_to_motion(features, text="a person walks")
    assert motion.text == "a person walks"
    assert motion.fps == 20.0
    child = [4, 5, 7, 8, 10, 11, 15, 16, 17, 18, 19, 20, 21]
    fitted, decoded = (
        torch.nn.functional.normalize(joints[:, child] - joints[:, [PARENTS[j] for j in child]], dim=-1)
        for joints in (Body.default().joints(motion), features_to_joints(features))
    )
    torch.testing.assert_close(fitted, decoded, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: joints_to_features(torch.zeros(5, 22, 3), fps=30.0), "30.0 fps, expected 20"),
        (lambda: joints_to_features(torch.zeros(1, 22, 3)), "T >= 2"),
        (lambda: joints_to_features(torch.zeros(5, 24, 3)), r"\(5, 24, 3\), expected \(..., T, 22, 3\)"),
        (lambda: features_to_joints(torch.zeros(2, 263, 1, 5)), "transpose MDM"),
        (lambda: features_to_joints(torch.zeros(0, 263)), "T >= 1"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("clip", CLIPS)
def test_consistent_decoding_leaves_recorded_features_as_they_are(reference, clip, dtype):
    features = reference[f"{clip}/features"].to(dtype)
    for std in (None, reference["Std"].to(dtype)):
        decoded = features_to_joints(features, "consistent", std=std)
        # The reference's own float32 steps disagree with its positions by so much.
        torch.testing.assert_close(decoded, features_to_joints(features), atol=1e-5, rtol=0)


def test_consistent_decoding_takes_jitter_out_of_positions(reference):
    features = reference["walk/features"].double()
    noisy = features.clone()
    generator = torch.Generator().manual_seed(0)
    positions, velocities = FEATURE_SLICES.positions, FEATURE_SLICES.velocities
    # The same relative error everywhere, as a network makes it in normalised features.
    for part, spread in ((positions, POSITION_STD_M), (velocities, STEP_STD_M)):
        noisy[:, part] += 0.1 * spread * torch.randn(noisy[:, part].shape, generator=generator, dtype=torch.float64)
    truth = features_to_joints(features).diff(n=2, dim=0)[:, 1:]
    by_positions, consistent = (
        (features_to_joints(noisy, decoder).diff(n=2, dim=0)[:, 1:] - truth).square().mean().sqrt()
        for decoder in ("positions", "consistent")
    )
    # A second difference of positions carries sqrt(6) of their noise, a first one of steps sqrt(2) of theirs.
    torch.testing.assert_close(by_positions, by_positions.new_tensor(6**0.5 * 0.1 * POSITION_STD_M), rtol=0.05, atol=0)
    assert consistent < by_positions / 8


def test_consistent_decoding_respects_padding_and_differs_by_weights(reference):
    features = reference["walk/features"].double()[:40]
    features = features + 0.01 * torch.randn(features.shape, generator=torch.Generator().manual_seed(1)).double()
    batch = torch.stack([features, features])
    batch[1, 25:] = 0
    decoded = features_to_joints(batch, "consistent", lengths=torch.tensor([40, 25]))
    torch.testing.assert_close(decoded[0], features_to_joints(features, "consistent"))
    torch.testing.assert_close(decoded[1, :25], features_to_joints(features[:25], "consistent"))
    loose = features_to_joints(features, "consistent", std=torch.ones(263, dtype=torch.float64))
    assert not torch.allclose(loose, decoded[0], atol=1e-4)


def test_decoders_and_weights_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"unknown decoder 'consistant', expected one of .*did you mean consistent"):
        features_to_joints(torch.zeros(4, 263), "consistant")
    with pytest.raises(ValueError, match=r"std has shape \(67,\), expected \(263,\)"):
        features_to_joints(torch.zeros(4, 263), "consistent", std=torch.ones(67))


def test_who_lies_on_a_side_has_a_heading():
    """A body on its left side that rocks by some degrees: seen from above its left-right axis points anywhere."""
    generator = torch.Generator().manual_seed(0)
    rocking = 0.1 * torch.randn(100, 1, generator=generator, dtype=torch.float64) + torch.pi / 2
    on_the_back = axis_angle_to_matrix(torch.tensor([-torch.pi / 2, 0.0, 0.0], dtype=torch.float64))
    onto_the_side = axis_angle_to_matrix(rocking * torch.tensor([0.0, 0.0, -1.0], dtype=torch.float64))
    rotations = torch.eye(3, dtype=torch.float64).expand(100, 22, 3, 3).clone()
    rotations[:, 0] = onto_the_side @ on_the_back
    for joint, angle in ((16, -1.4), (17, 1.4)):  # arms along the trunk, not through the floor
        rotations[:, joint] = axis_angle_to_matrix(torch.tensor([0.0, 0.0, angle], dtype=torch.float64))
    joints = Body.default().joints(Motion(rotations, torch.zeros(100, 3, dtype=torch.float64), 20.0))
    assert joints[:, [1, 16], 1].mean() < joints[:, [2, 17], 1].mean() - 0.1  # the left side is below
    features = joints_to_features(joints)
    turned = 2 * features[:, 0].cumsum(dim=0)
    assert turned.abs().max() < 0.5  # 2.4 where the left-right axis alone tells
    steps = features[1:, FEATURE_SLICES.positions].diff(dim=0).abs()
    assert steps.max() < 0.15
    torch.testing.assert_close(features_to_joints(features), canonicalise(joints)[:-1], atol=1e-6, rtol=0)
