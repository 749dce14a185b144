"""Paired errors of a prior, clip by clip: one-step predictions from fixed time steps with the same noise for every arm.

docs/architecture.md, science rule 1. Kept for each clip, so that changes relative to another arm get an interval by
resampling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

import torch
from torch import Tensor

from datamodules.batches import MotionBatch
from lightning_modules import LatentMotionDiffusion, MotionDiffusion
from lightning_modules.losses import Prediction, acc_features, reconstruction, stencil_mask
from lightning_modules.metrics.denoising_scores import PAIRED_FRACTIONS
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.sampling.motion_generator import MotionGenerator
from lightning_modules.training.randomness import paired_noise

SPACES: Final = {
    "reconstruction": "normalised features",
    "acc_features": "normalised features, 1/frame²",
    "acc_joints": "m/s²",
    "acc_joints_positions": "m/s²",
    "sensors_accel": "m/s²",
    "sensors_gyro": "rad/s",
}
"""Where errors are taken, and their units: of features each number counts, elsewhere each vector of three. Joints and
sensors are decoded consistently; ``acc_joints_positions`` is the error of accelerations by positions alone."""


class Squares(NamedTuple):
    """Sums of squares of each clip and noise level ``(B, L)``, and the numbers or vectors in each ``(B,)``."""

    sums: Tensor
    counts: Tensor


Predict: TypeAlias = Callable[[MotionDiffusion, MotionBatch, Tensor, Tensor], Tensor]
"""From a prior, a batch, x_t ``(B, T, 263)`` and indices of time steps ``(B,)`` to the normalised motion predicted."""


def denoise(model: MotionDiffusion, batch: MotionBatch, noisy: Tensor, steps: Tensor) -> Tensor:
    """Return what the prior's averaged weights predict."""
    text = model.texts(batch.captions)
    timesteps = model.schedule.timestep_map[steps]
    predicted: Tensor = model.average(noisy, timesteps, text.embedding, batch.lengths, text_mask=text.mask)
    return predicted


def scale_input(model: MotionDiffusion, batch: MotionBatch, noisy: Tensor, steps: Tensor) -> Tensor:
    """Return a x_t with a = sqrt(alpha-bar_t): what somebody gives back who has learned nothing."""
    return model.schedule.alphas_cumprod[steps].sqrt().to(noisy)[:, None, None] * noisy


@torch.no_grad()
def predict_levels(model: MotionGenerator, batch: MotionBatch, predict: Predict = denoise) -> Iterator[Prediction]:
    """Yield the one-step predictions of a batch from each of :data:`PAIRED_FRACTIONS`, by the averaged weights.

    Args:
        model: the prior. One over latents starts from as noisy a latent, and shares its noise with its like alone.
        batch: clips of raw features.
        predict: who predicts in its place.

    Raises:
        ValueError: somebody is to predict in place of a prior over latents.
    """
    if isinstance(model, LatentMotionDiffusion):
        if predict is not denoise:
            raise ValueError("LatentMotionDiffusion has no noisy motion to predict from; use a MotionDiffusion")
        for prediction, _, _ in model.predict_levels(batch):
            yield prediction
        return
    if not isinstance(model, MotionDiffusion):
        raise TypeError(f"{type(model).__name__} is no prior that one-step predictions are known of")
    lengths = batch.lengths.tolist()
    mask = mask_frames_of(batch.lengths, batch.features.shape[1])
    clean = model.statistics.normalise(batch.features, mask)
    truth = None
    for level, fraction in enumerate(PAIRED_FRACTIONS):
        steps = torch.full((len(lengths),), round(fraction * (model.schedule.num_steps - 1)))
        noise = paired_noise(batch.sample_id.tolist(), lengths, *clean.shape[1:], level=level)
        noisy = model.schedule.add_noise(clean, steps, noise)
        predicted = predict(model, batch, noisy, steps)
        prediction = Prediction(
            predicted, clean, mask, model.statistics.mean, model.statistics.std, model.objective.sensors, truth
        )
        truth = prediction.truth
        yield prediction


@torch.no_grad()
def joint_squares(prediction: Prediction) -> dict[str, tuple[Tensor, Tensor]]:
    """Return squared distances of joint accelerations [(m/s^2)^2] summed over each clip, and its vectors ``(B,)``.

    By :data:`SPACES`: ``acc_joints`` decoded consistently, ``acc_joints_positions`` by positions alone.
    """
    ours, true = prediction.decoded, prediction.truth
    differences = {
        "acc_joints": ours.consistent.acceleration - true.consistent.acceleration,
        "acc_joints_positions": ours.by_positions.acceleration - true.by_positions.acceleration,
    }
    inside = stencil_mask(prediction.mask, 2)
    return {name: _sum_inside(value, inside, per_frame=value.shape[2]) for name, value in differences.items()}


@torch.no_grad()
def all_squares(prediction: Prediction) -> dict[str, tuple[Tensor, Tensor]]:
    """Return sums of squares and their counts ``(B,)`` of a prediction in each of :data:`SPACES`."""
    features = {"reconstruction": reconstruction(prediction), "acc_features": acc_features(prediction)}
    predicted, true = prediction.decoded.consistent.readings, prediction.truth.consistent.readings
    sensors = {"sensors_accel": predicted.accel - true.accel, "sensors_gyro": predicted.gyro - true.gyro}
    return (
        {name: _sum_inside(r.values, r.mask, per_frame=r.values.shape[-1]) for name, r in features.items()}
        | joint_squares(prediction)
        | {name: _sum_inside(value, true.inside, per_frame=value.shape[2]) for name, value in sensors.items()}
    )


def paired_errors(model: MotionGenerator, batch: MotionBatch) -> dict[str, Squares]:
    """Return squared distances of predicted from true joint accelerations, summed over each clip, by both decoders.

    Args:
        model: the prior; its averaged weights predict.
        batch: clips of raw features.

    Returns:
        ``acc_joints`` and ``acc_joints_positions`` of :data:`SPACES`, in float64: sums [(m/s^2)^2] and vectors.
    """
    return _by_level([joint_squares(prediction) for prediction in predict_levels(model, batch)])


def paired_errors_in_all_spaces(
    model: MotionGenerator, batch: MotionBatch, predict: Predict = denoise
) -> dict[str, Squares]:
    """Return the same in each of :data:`SPACES`, for whoever predicts; float64."""
    return _by_level([all_squares(prediction) for prediction in predict_levels(model, batch, predict)])


def _by_level(levels: Sequence[Mapping[str, tuple[Tensor, Tensor]]]) -> dict[str, Squares]:
    return {
        name: Squares(torch.stack([level[name][0] for level in levels], dim=1), counts)
        for name, (_, counts) in levels[0].items()
    }


def _sum_inside(difference: Tensor, mask: Tensor, *, per_frame: int) -> tuple[Tensor, Tensor]:
    squared = difference.double().square().flatten(2).sum(dim=-1)
    # torch.where and not a product: what lies beyond a clip's end may be inf or nan and must not count.
    return torch.where(mask, squared, 0.0).sum(dim=1), mask.sum(dim=1).double() * per_frame
