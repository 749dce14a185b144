"""The loss through the simulator against the public doors clip by clip, and its gradient against finite differences."""

import pytest
import torch

from datamodules.clips.embedded import load_embedded
from lightning_modules.losses import Prediction
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.objective import Objective
from lightning_modules.virtual_sensors import VirtualSensors
from sim import Body, Placement, simulate
from sim.conventions import FEATURE_FPS
from sim.features import FEATURE_SLICES, features_to_motion, joints_to_features
from sim.imu.padded_readings import EDGE_FRAMES
from sim.trajectory import resample_motion

LENGTHS = (40, 23, 9)


@pytest.fixture(scope="module")
def clips():
    """True features of three recorded clips, float64."""
    recorded = [clip for clip in load_embedded() if not clip.constructed][: len(LENGTHS)]
    motions = [
        resample_motion(clip.motion, fps=FEATURE_FPS).frames(0, n + 1)
        for clip, n in zip(recorded, LENGTHS, strict=True)
    ]
    return [joints_to_features(Body.default().joints(motion).double()) for motion in motions]


def pad(clips, *, filling=0.0):
    batch = torch.full((len(clips), max(map(len, clips)), 263), filling, dtype=clips[0].dtype)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    return batch, mask_frames_of(torch.tensor([len(clip) for clip in clips]), batch.shape[1])


def jitter(clips, *, size=2e-3):
    generator = torch.Generator().manual_seed(0)
    return [clip + size * torch.randn(clip.shape, generator=generator, dtype=torch.float64) for clip in clips]


def loss_of(predicted, target, mask, sensors=None):
    zeros, ones = predicted.new_zeros(263), predicted.new_ones(263)
    prediction = Prediction(predicted, target, mask, zeros, ones, sensors or VirtualSensors())
    return Objective({"acc_sensors": 1.0}).compute_terms(prediction)["acc_sensors"]


def through_public_doors(predicted, target, sensors):
    """The loss of one clip from two recordings of ``simulate``."""
    placements = [Placement.preset(name) for name in sensors.placements]
    one, other = (
        simulate(
            features_to_motion(features, std=features.new_ones(263)), Body.default(), placements,
            rate_hz=sensors.rate_hz, cutoff_hz=sensors.cutoff_hz,
        )
        for features in (predicted, target)
    )  # fmt: skip
    frame = one.time_s * FEATURE_FPS
    inside = (frame >= EDGE_FRAMES) & (frame <= len(target) - 1 - EDGE_FRAMES)
    parts = {"accel": one.accel - other.accel, "gyro": sensors.gyro_scale * (one.gyro - other.gyro)}
    return torch.cat([parts[channel][inside] for channel in sensors.channels], dim=-1).square().mean()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"placements": ["right_wrist"], "channels": ["gyro"], "gyro_scale": 1.0, "rate_hz": 50.0},
        {"placements": ["waist", "left_foot"], "channels": ["accel"], "cutoff_hz": 5.0},
    ],
)
def test_a_padded_batch_costs_what_its_clips_cost_through_the_public_doors(clips, options):
    sensors = VirtualSensors.from_options(options)
    (target, mask), (predicted, _) = pad(clips), pad(jitter(clips), filling=30.0)
    expected = torch.stack([through_public_doors(p, t, sensors) for p, t in zip(jitter(clips), clips, strict=True)])
    assert (expected > 0.01).all()
    torch.testing.assert_close(loss_of(predicted, target, mask, sensors), expected.float(), rtol=1e-6, atol=0)


def test_padding_never_counts_in_float32(clips):
    (target, mask), (predicted, _) = ([x.float() for x in pad(c)[:1]] + [pad(c)[1]] for c in (clips, jitter(clips)))
    together = loss_of(predicted, target, mask)
    for k, n in enumerate(LENGTHS):
        alone = loss_of(predicted[k : k + 1, :n], target[k : k + 1, :n], mask[k : k + 1, :n])
        torch.testing.assert_close(together[k : k + 1], alone, rtol=1e-4, atol=0)


def test_a_perfect_prediction_costs_nothing_and_short_clips_count_nothing(clips):
    target, mask = pad(clips)
    assert loss_of(target.clone(), target, mask).tolist() == [0, 0, 0]
    assert loss_of(pad(jitter(clips))[0], target, mask & (torch.arange(mask.shape[1]) < 6)).tolist() == [0, 0, 0]


def test_gradient_equals_finite_differences(clips):
    target, mask = pad([clips[0][:12], clips[1][:9]])
    predicted, _ = pad([clip[:n] for clip, n in zip(jitter(clips, size=5e-3)[:2], (12, 9), strict=True)])
    sensors = VirtualSensors(placements=("right_wrist", "left_thigh"))
    directions = torch.randn(4, *predicted.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def loss(features):
        readings, true = (sensors.read(features_to_joints64(x), mask) for x in (features, target))
        errors = (readings.accel - true.accel).square() + (readings.gyro - true.gyro).square()
        return errors[readings.inside].sum()

    def features_to_joints64(features):
        return Prediction(
            features, features, mask, features.new_zeros(263), features.new_ones(263)
        ).decoded.chosen.joints

    predicted.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(predicted), predicted)
    assert not gradient[1, 9:].any()
    with torch.no_grad():
        for direction in directions:
            step = 1e-7 * direction
            slope = (loss(predicted + step) - loss(predicted - step)) / 2e-7
            torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-5, atol=0)


@pytest.mark.parametrize("kind", ["zeros", "noise", "large", "straight"])
def test_gradient_is_finite_for_degenerate_predictions(clips, kind):
    target, mask = (value.float() if value.is_floating_point() else value for value in pad(clips))
    predicted = {
        "zeros": torch.zeros_like(target),
        "noise": torch.randn(target.shape, generator=torch.Generator().manual_seed(0)),
        "large": 1e3 * torch.randn(target.shape, generator=torch.Generator().manual_seed(0)),
        "straight": straight_limbs(target),
    }[kind].requires_grad_()
    loss = loss_of(predicted, target, mask)
    assert loss.isfinite().all()
    loss.sum().backward()
    assert predicted.grad.isfinite().all()


def straight_limbs(like):
    """Everybody in the rest pose, exactly still."""
    joints = Body.default().rest_joints.expand(like.shape[1] + 1, 22, 3)
    return joints_to_features(joints.to(like)).expand_as(like).clone()


def test_a_prediction_that_is_not_finite_is_nan_alone(clips):
    target, mask = pad(clips)
    predicted = target.clone()
    predicted[1, 4, FEATURE_SLICES.positions] = torch.nan
    loss = loss_of(predicted, target, mask)
    assert loss.isnan().tolist() == [False, True, False]


def test_bad_options_are_refused():
    for options, message in (
        ({"placements": ["left_wirst"]}, "did you mean 'left_wrist'"),
        ({"placements": ["waist", "belt"]}, "each once"),
        ({"placements": []}, "at least one"),
        ({"channels": ["magnetometer"]}, "one or both of"),
        ({"gyro_scale": 0.0}, "leave gyro out"),
        ({"rate_hz": 0.0}, "rate_hz"),
        ({"cutoff_hz": 11.0}, "cutoff_hz"),
        ({"rate": 20.0}, r"\['rate'\].*'rate_hz'"),
    ):
        with pytest.raises(ValueError, match=message):
            VirtualSensors.from_options(options)
