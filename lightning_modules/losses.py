"""Losses on the predicted clean motion, by name.

A loss is a function from a :class:`Prediction` to a :class:`Residual`: differences and where they count. Squaring (or
Huber's function) and averaging over what counts are the same for all of them; :mod:`lightning_modules.objective` weighs
them. A new loss is one function here and a weight in YAML. Reconstruction, positions, foot contact and velocity are
MDM's (Tevet et al. 2022, arXiv:2209.14916, eq. 2 to 5); ``acc_features`` is the acceleration term of Häusler et al.
2025 (arXiv:2512.08859) taken literally, ``acc_joints`` and ``acc_sensors`` are the same in SI units, of joints decoded
consistently unless ``loss_decoder`` says otherwise.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

import torch
from torch import Tensor

from lightning_modules.decoded_motion import DecodedMotion
from lightning_modules.diffusion import expand
from lightning_modules.spectra.frequency_weights import FrequencyWeights
from lightning_modules.spectra.sensor_spectra import SensorSpectra, average_alike
from lightning_modules.virtual_sensors import VirtualSensors
from sim.conventions import FEATURE_FPS
from sim.features import FEATURE_SLICES, Decoder
from sim.skeleton_t2m import FEET


class Residual(NamedTuple):
    """Differences to be squared.

    Attributes:
        values: prediction minus truth ``(B, T', K)``, K numbers a frame.
        mask: frames that count ``(B, T')``, bool.
    """

    values: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Prediction:
    """A predicted motion beside the true one.

    Attributes:
        predicted: normalised features ``(B, T, 263)`` at 20 fps.
        target: the truth, same shape.
        mask: frames inside each clip ``(B, T)``, bool.
        mean: of the normalisation ``(263,)``.
        std: of the normalisation ``(263,)``.
        sensors: what ``acc_sensors`` and ``acc_spectrum`` read.
        known_truth: the truth as another prediction of the same clips decoded it; None decodes it anew.
        signal_to_noise: of the time step that each clip was predicted at ``(B,)``; only the loss ``noise`` needs it.
        activity: number of each clip's activity ``(B,)``, by which ``acc_spectrum`` averages; None is one for all.
        certainty: what each clip counts for in averages over the batch ``(B,)``, at least 0; None is alike.
        spectra: how ``acc_spectrum`` takes spectra.
        frequency: weights of ``reconstruction_frequency``.
        decoder: what ``acc_joints`` and ``acc_sensors`` decode by.
    """

    predicted: Tensor
    target: Tensor
    mask: Tensor
    mean: Tensor
    std: Tensor
    sensors: VirtualSensors = field(default_factory=VirtualSensors)
    known_truth: DecodedMotion | None = None
    signal_to_noise: Tensor | None = None
    activity: Tensor | None = None
    certainty: Tensor | None = None
    spectra: SensorSpectra = field(default_factory=SensorSpectra)
    frequency: FrequencyWeights = field(default_factory=FrequencyWeights)
    decoder: Decoder = "consistent"

    def with_certainty(self, certainty: Tensor) -> Prediction:
        """Return this prediction with another :attr:`certainty`; what was decoded is shared."""
        shared = self.decoded, self.truth
        other = copy.copy(self)
        other.__dict__.update(certainty=certainty, decoded=shared[0], truth=shared[1])
        return other

    @cached_property
    def decoded(self) -> DecodedMotion:
        """The predicted motion, de-normalised."""
        return self._decode(self.predicted)

    @cached_property
    def truth(self) -> DecodedMotion:
        """The true motion, de-normalised; without a gradient."""
        if self.known_truth is not None:
            return self.known_truth
        with torch.no_grad():
            return self._decode(self.target.detach())

    def _decode(self, normalised: Tensor) -> DecodedMotion:
        features = normalised * self.std + self.mean
        return DecodedMotion(features, self.mask, self.sensors, self.decoder, self.std)

    @property
    def predicted_acceleration(self) -> Tensor:
        """Predicted joint accelerations ``(B, T-2, 22, 3)`` [m/s^2], see :func:`joint_acceleration`."""
        return self.decoded.chosen.acceleration

    @property
    def target_acceleration(self) -> Tensor:
        """True joint accelerations ``(B, T-2, 22, 3)`` [m/s^2]."""
        return self.truth.chosen.acceleration


def stencil_mask(mask: Tensor, order: int) -> Tensor:
    """Return where a difference of that order has its whole stencil in the clip: ``(B, T)`` to ``(B, T - order)``."""
    for _ in range(order):
        mask = mask[:, 1:] & mask[:, :-1]
    return mask


def reconstruction(prediction: Prediction) -> Residual:
    """Normalised features, every number of every frame."""
    return Residual(prediction.predicted - prediction.target, prediction.mask)


def reconstruction_frequency(prediction: Prediction) -> Residual:
    """Cosine coefficients of normalised features, high frequencies weighed more: see :class:`FrequencyWeights`."""
    difference = prediction.predicted - prediction.target
    return Residual(prediction.frequency.weigh(difference, prediction.mask), prediction.mask)


def noise(prediction: Prediction) -> Residual:
    """The noise that the prediction implies, every number of every frame: reconstruction times the root of the SNR.

    The simple objective of Ho et al. 2020 (arXiv:2006.11239, eq. 14), for networks that predict the noise.

    Raises:
        ValueError: the prediction does not say at which signal-to-noise ratio it was made.
    """
    if prediction.signal_to_noise is None:
        raise ValueError(
            "the loss 'noise' needs the prediction's signal_to_noise, got None; give that of the time steps"
        )
    factor = expand(prediction.signal_to_noise.sqrt(), prediction.predicted)
    return Residual(factor * (prediction.predicted - prediction.target), prediction.mask)


def velocity(prediction: Prediction) -> Residual:
    """First differences of normalised features per frame; like MDM's, without the last feature (a foot contact)."""
    values = (prediction.predicted - prediction.target)[..., :-1].diff(dim=1)
    return Residual(values, stencil_mask(prediction.mask, 1))


def acc_features(prediction: Prediction) -> Residual:
    """Second differences of normalised features per frame squared."""
    values = (prediction.predicted - prediction.target).diff(n=2, dim=1)
    return Residual(values, stencil_mask(prediction.mask, 2))


def acc_joints(prediction: Prediction) -> Residual:
    """Accelerations of the decoded joints [m/s^2], xyz of 22 joints."""
    values = prediction.predicted_acceleration - prediction.target_acceleration
    return Residual(values.flatten(2), stencil_mask(prediction.mask, 2))


def acc_sensors(prediction: Prediction) -> Residual:
    """Specific force [m/s^2] and angular rate [rad/s] times ``gyro_scale`` [m/s] at the sensors, xyz of each.

    A sample counts where the B-splines that make it up are all centred on frames of the clip.
    """
    predicted, true = prediction.decoded.chosen.readings, prediction.truth.chosen.readings
    difference = prediction.sensors.scale(predicted) - prediction.sensors.scale(true)
    return Residual(difference.flatten(2), true.inside)


def acc_spectrum(prediction: Prediction) -> Residual:
    """Logarithms of the sensors' power spectra, each averaged over the batch's clips of one activity.

    Those clips share the value; a clip too short for a window takes no part. The averages are of energies, before the
    logarithm, and weighed by :attr:`Prediction.certainty`.
    """
    spectra, sensors = prediction.spectra, prediction.sensors
    predicted, long = spectra.measure(prediction.decoded.chosen.readings, sensors)
    true, _ = spectra.measure(prediction.truth.chosen.readings, sensors)
    weights = long.to(predicted) if prediction.certainty is None else prediction.certainty
    one, other = (
        spectra.log(average_alike(density, prediction.activity, weights, long)) for density in (predicted, true)
    )
    return Residual(one - other, long[:, None].expand(one.shape[:2]))


def positions(prediction: Prediction) -> Residual:
    """Positions of the joints [m], xyz of 22 joints; by positions alone, as MDM's."""
    predicted, true = prediction.decoded.by_positions.joints, prediction.truth.by_positions.joints
    return Residual((predicted - true).flatten(2), prediction.mask)


def foot_contact(prediction: Prediction) -> Residual:
    """Velocities [m/s] of the predicted ankles and feet while the truth's labels say that they stand.

    As MDM's, by positions alone and against standing still, not the truth: recorded feet in contact slide a little
    themselves.
    """
    step = prediction.decoded.by_positions.joints[..., list(FEET), :].diff(dim=1) * FEATURE_FPS
    stands = prediction.truth.features[:, :-1, FEATURE_SLICES.foot_contacts] > 0.5
    return Residual(torch.where(stands[..., None], step, 0.0).flatten(2), stencil_mask(prediction.mask, 1))


LOSSES: Final[dict[str, Callable[[Prediction], Residual]]] = {
    "reconstruction": reconstruction,
    "reconstruction_frequency": reconstruction_frequency,
    "noise": noise,
    "velocity": velocity,
    "acc_features": acc_features,
    "acc_joints": acc_joints,
    "acc_sensors": acc_sensors,
    "acc_spectrum": acc_spectrum,
    "positions": positions,
    "foot_contact": foot_contact,
}
"""Every loss by the name that YAML uses."""


def reduce_residual(residual: Residual, *, huber_delta: float | None = None) -> Tensor:
    """Average squared differences over each clip's frames that count.

    Args:
        residual: differences and mask.
        huber_delta: where squares turn into straight lines (Huber 1964, doi:10.1214/aoms/1177703732), in the residual's
            unit; None squares all. Twice Huber's function is taken, so that small residuals keep their squared error.

    Returns:
        One number per clip ``(B,)``; 0 for a clip too short to have any frame that counts.

    Examples:
        >>> values, mask = torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[True, True, False]])
        >>> reduce_residual(Residual(values, mask))  # (1 + 9) / 2; the third frame is padding
        tensor([5.])
    """
    values = residual.values.float()
    error = values.square()
    if huber_delta is not None:
        size = values.abs()
        error = torch.where(size <= huber_delta, error, huber_delta * (2 * size - huber_delta))
    per_frame = error.mean(dim=-1)
    return torch.where(residual.mask, per_frame, 0.0).sum(dim=1) / residual.mask.sum(dim=1).clamp_min(1)
