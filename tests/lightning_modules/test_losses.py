"""Losses against MDM's own numbers, sums by hand and free fall; what lies beyond a clip's end never counts."""

from dataclasses import replace

import pytest
import torch

from lightning_modules import MotionDiffusion
from lightning_modules.decoded_motion import joint_acceleration
from lightning_modules.losses import LOSSES, Prediction, reduce_residual, stencil_mask
from lightning_modules.networks.denoiser import Denoiser
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.objective import Objective, gradient_norms
from sim.conventions import DECODERS, JOINT_INDEX
from sim.features import FEATURE_SLICES, features_to_joints

LENGTHS = torch.tensor([12, 9, 3])


def make_prediction(*, difference=0.3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    target = torch.randn(3, 12, 263, generator=generator)
    predicted = target + difference * torch.randn(target.shape, generator=generator)
    std = 0.02 + 0.1 * torch.rand(263, generator=generator)
    return Prediction(
        predicted, target, mask_frames_of(LENGTHS, 12), torch.zeros(263), std, signal_to_noise=torch.ones(3)
    )


def only(name, **options):
    return Objective({name: 1.0}, **options)


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "foot_contact"])
def test_equal_motions_cost_nothing_and_padding_never_counts(name):
    prediction = make_prediction()
    predicted = torch.where(prediction.mask[..., None], prediction.target, 50.0)
    same = replace(prediction, predicted=predicted)
    torch.testing.assert_close(only(name).compute_terms(same)[name], torch.zeros(3), rtol=0, atol=1e-6)
    # The spline that sensors are read from needs more than the last clip's three frames, a spectrum more than all.
    counts = torch.tensor([name != "acc_spectrum", name != "acc_spectrum", not name.startswith("acc_s")])
    assert torch.equal(only(name).compute_terms(prediction)[name] > 0, counts)


def test_terms_equal_mdm(golden):
    data = golden("mdm")
    case = "small_trans_enc_maskframes"
    prefix = f"{case}/state_dict/"
    denoiser = Denoiser(width=64, num_layers=2, num_heads=4, feedforward=128, text_dim=512).eval()
    denoiser.load_state_dict({k.removeprefix(prefix): torch.from_numpy(data[k]) for k in data if k.startswith(prefix)})
    noisy, target, steps, rot_mse, vel_mse, total = (
        torch.from_numpy(data[f"losses/small_50_vel1/{name}"])
        for name in ("x_t", "x_start", "t", "terms/rot_mse", "terms/vel_mse", "terms/loss")
    )
    lengths, text = torch.from_numpy(data[f"{case}/lengths"]), torch.from_numpy(data[f"{case}/text_embed"])[0]
    with torch.no_grad():
        predicted = denoiser(noisy[:, :, 0].mT, steps, text, lengths)
    mask = mask_frames_of(lengths, predicted.shape[1])
    prediction = Prediction(predicted, target[:, :, 0].mT, mask, torch.zeros(263), torch.ones(263))
    objective = Objective({"reconstruction": 1.0, "velocity": 1.0})
    terms = objective.compute_terms(prediction)
    torch.testing.assert_close(terms["reconstruction"], rot_mse, rtol=0, atol=1e-5)
    torch.testing.assert_close(terms["velocity"], vel_mse, rtol=0, atol=1e-5)
    torch.testing.assert_close(objective.combine(terms, torch.ones(3)), total, rtol=0, atol=1e-5)


def test_acc_features_by_hand():
    prediction = make_prediction()
    difference = (prediction.predicted - prediction.target)[1, :9]
    expected = (difference[2:] - 2 * difference[1:-1] + difference[:-2]).square().mean()
    torch.testing.assert_close(only("acc_features").compute_terms(prediction)["acc_features"][1], expected)


@pytest.mark.parametrize("decoder", DECODERS)
def test_acc_joints_by_hand(decoder):
    prediction = replace(make_prediction(), decoder=decoder)
    predicted, target = (
        features_to_joints((x[1, :9] * prediction.std + prediction.mean).double(), decoder, std=prediction.std)
        for x in (prediction.predicted, prediction.target)
    )
    difference = 400 * (predicted - target)
    expected = (difference[2:] - 2 * difference[1:-1] + difference[:-2]).square().mean()
    actual = only("acc_joints").compute_terms(prediction)["acc_joints"][1]
    torch.testing.assert_close(actual.double(), expected, rtol=1e-3, atol=0)


def test_sensors_are_on_the_joints_that_the_decoder_gives():
    losses = []
    for decoder in DECODERS:
        prediction = replace(make_prediction(), decoder=decoder)
        features = prediction.predicted * prediction.std
        joints = features_to_joints(features, decoder, std=prediction.std, lengths=LENGTHS)
        expected = prediction.sensors.read(joints, prediction.mask)
        torch.testing.assert_close(prediction.decoded.chosen.readings.accel, expected.accel)
        losses.append(only("acc_sensors").compute_terms(prediction)["acc_sensors"][:2])
    assert not torch.allclose(*losses)


def test_a_model_decodes_as_its_flat_option_says_and_consistently_without_one():
    sizes = {"width": 16, "num_layers": 1, "num_heads": 2, "feedforward": 16, "num_steps": 4}
    assert MotionDiffusion(**sizes).objective.decoder == "consistent"
    model = MotionDiffusion(**sizes, loss_decoder="positions")
    assert model.objective.decoder == "positions"
    assert MotionDiffusion(**model.hparams_initial).objective.decoder == "positions"


@pytest.mark.parametrize("name", ["positions", "foot_contact"])
def test_what_mdm_defines_is_of_positions_whatever_the_decoder(name):
    prediction = make_prediction()
    terms = [only(name).compute_terms(replace(prediction, decoder=decoder))[name] for decoder in DECODERS]
    assert torch.equal(*terms)


def test_positions_by_hand():
    prediction = make_prediction()
    predicted, target = (
        features_to_joints(x[1] * prediction.std)[:9] for x in (prediction.predicted, prediction.target)
    )
    actual = only("positions").compute_terms(prediction)["positions"][1]
    torch.testing.assert_close(actual, (predicted - target).square().mean())


def test_foot_contact_counts_what_standing_feet_move():
    prediction = make_prediction()
    contacts = prediction.target[..., FEATURE_SLICES.foot_contacts]
    contacts[:] = 0.0
    assert only("foot_contact").compute_terms(prediction)["foot_contact"].tolist() == [0, 0, 0]
    # The label of a frame is about the step to the next one; the left foot's is the second.
    contacts[1, 5, 1] = 1.0 / prediction.std[FEATURE_SLICES.foot_contacts][1]
    joints = features_to_joints(prediction.predicted[1] * prediction.std)
    speed = 20 * (joints[6, JOINT_INDEX["left_foot"]] - joints[5, JOINT_INDEX["left_foot"]])
    actual = only("foot_contact").compute_terms(replace(prediction))["foot_contact"]
    torch.testing.assert_close(
        actual, torch.stack([speed.new_zeros(()), speed.square().sum() / (8 * 12), speed.new_zeros(())])
    )


def test_acceleration_of_a_root_in_free_fall():
    features = torch.zeros(1, 15, 263)
    time_s = torch.arange(15) / 20
    height = 3 - 0.5 * 9.80665 * time_s**2
    features[..., FEATURE_SLICES.root_height] = height[:, None]
    features[0, :-1, FEATURE_SLICES.velocities.start + 1] = height.diff()  # joint 0's own step, which says the same
    for decoder in DECODERS:
        acceleration = joint_acceleration(features, decoder=decoder)
        assert acceleration.shape == (1, 13, 22, 3)
        torch.testing.assert_close(acceleration[0, :, 0, 1], torch.full((13,), -9.80665), rtol=0, atol=1e-3)


def test_acceleration_keeps_float32_under_autocast():
    features = make_prediction().target
    with torch.autocast("cpu", torch.bfloat16):
        low = joint_acceleration(features)
    torch.testing.assert_close(low, joint_acceleration(features))


def test_acceleration_loss_has_a_gradient_only_inside_the_clip():
    prediction = make_prediction()
    predicted = prediction.predicted.clone().requires_grad_()
    moved = replace(prediction, predicted=predicted)
    only("acc_joints").compute_terms(moved)["acc_joints"].sum().backward()
    assert predicted.grad[1, :9].abs().sum() > 0
    assert not predicted.grad[1, 9:].any()


def test_clips_shorter_than_the_stencil_count_nothing():
    assert stencil_mask(mask_frames_of(torch.tensor([2, 5]), 5), 2).sum(dim=1).tolist() == [0, 3]
    prediction = make_prediction()
    short = Prediction(
        prediction.predicted,
        prediction.target,
        mask_frames_of(torch.tensor([2, 1, 2]), 12),
        prediction.mean,
        prediction.std,
    )
    assert only("acc_joints").compute_terms(short)["acc_joints"].tolist() == [0, 0, 0]


def test_huber_equals_torchs_doubled():
    residual = LOSSES["reconstruction"](make_prediction())
    zeros = torch.zeros_like(residual.values[0])
    expected = 2 * torch.nn.functional.huber_loss(residual.values[0], zeros, delta=0.2)
    torch.testing.assert_close(reduce_residual(residual, huber_delta=0.2)[0], expected)


def test_weights_and_noise_weighting_combine():
    objective = Objective({"reconstruction": 2.0, "velocity": 0.0, "acc_features": 3.0}, snr_weighted=("acc_features",))
    terms = objective.compute_terms(make_prediction())
    assert sorted(terms) == ["acc_features", "reconstruction"]
    total = objective.combine(terms, torch.tensor([100.0, 2.5, 0.0]))
    expected = 2 * terms["reconstruction"] + 3 * terms["acc_features"] * torch.tensor([1.0, 0.5, 0.0])
    torch.testing.assert_close(total, expected)


def test_a_weight_warms_up():
    objective = Objective({"reconstruction": 2.0, "velocity": 3.0}, warmup_steps={"velocity": 4})
    terms = {"reconstruction": torch.ones(2), "velocity": torch.ones(2)}
    totals = [float(objective.combine(terms, torch.ones(2), step=step)[0]) for step in (0, 1, 4, 100, None)]
    assert totals == [2.0, 2.75, 5.0, 5.0, 5.0]


def test_a_loss_counts_from_a_ratio_on():
    objective = Objective(
        {"reconstruction": 2.0, "velocity": 3.0}, snr_weighted=("velocity",), snr_from={"velocity": 1.0}
    )
    terms = {"reconstruction": torch.ones(3), "velocity": torch.ones(3)}
    total = objective.combine(terms, torch.tensor([0.9, 1.0, 10.0]))
    torch.testing.assert_close(total, torch.tensor([2.0, 2.0 + 3.0 / 5, 5.0]))


def test_gradient_norms_are_each_losss_own():
    prediction = make_prediction()
    scale = torch.nn.Parameter(torch.ones(3, 1, 1))
    unused = torch.nn.Parameter(torch.ones(2))
    moved = replace(prediction, predicted=scale * prediction.predicted)
    objective = Objective({"reconstruction": 0.5, "acc_joints": 1e-3})
    terms = objective.compute_terms(moved)
    shares = objective.weigh(terms, torch.ones(3))
    norms = gradient_norms(shares, [scale, unused])
    assert scale.grad is None
    for name, share in shares.items():
        scale.grad = None
        share.mean().backward(retain_graph=True)
        torch.testing.assert_close(norms[f"grad_norm/{name}"], scale.grad.norm())


def test_bad_objectives_are_refused():
    with pytest.raises(ValueError, match=r"'acc_joint' is unknown.*'reconstruction'.*did you mean 'acc_joints'"):
        only("acc_joint")
    with pytest.raises(ValueError, match="none below 0"):
        Objective({"reconstruction": -1.0})
    with pytest.raises(ValueError, match="at least one above"):
        Objective({"reconstruction": 0.0})
    with pytest.raises(ValueError, match="huber_delta"):
        only("velocity", huber_delta={"velocity": 0.0})
    with pytest.raises(ValueError, match="loss_warmup_steps"):
        only("velocity", warmup_steps={"velocity": -1})
    with pytest.raises(ValueError, match=r"snr_from is .* at least 0"):
        only("velocity", snr_from={"velocity": -1.0})
    with pytest.raises(ValueError, match="'velocityy' is unknown"):
        only("velocity", snr_from={"velocityy": 1.0})


def test_reconstruction_weighed_as_v_is_the_squared_error_of_v():
    # v = a eps - s x_0, x_0 = a x_t - s v: an error of the clean motion is s times that of v, and 1 + SNR is 1 / s^2.
    prediction = make_prediction()
    signal = torch.tensor([0.9, 0.5, 0.1])
    ratio = signal.square() / (1 - signal.square())
    objective = only("reconstruction", level_weights={"reconstruction": "v"})
    terms = objective.compute_terms(prediction)
    error_of_v = (prediction.predicted - prediction.target) / (1 - signal.square()).sqrt()[:, None, None]
    expected = [error_of_v[clip, :length].square().mean() for clip, length in enumerate(LENGTHS.tolist())]
    torch.testing.assert_close(objective.combine(terms, ratio), torch.stack(expected), rtol=1e-4, atol=1e-6)
