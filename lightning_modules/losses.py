"""Losses on the predicted clean motion, by name.

A loss is a function from a :class:`Prediction` to a :class:`Residual`: differences and where they count. Squaring (or
Huber's function), averaging over what counts, and weighting are the same for all of them. A new loss is one function
here and a weight in YAML. Reconstruction and velocity are MDM's (Tevet et al. 2022, arXiv:2209.14916, eq. 2 and 5);
``acc_features`` is the acceleration term of Häusler et al. 2025 (arXiv:2512.08859) taken literally.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

import torch
from torch import Tensor

from sim.conventions import FEATURE_FPS
from sim.features import features_to_joints

_SNR_CUT: Final = 5.0  # gamma of Hang et al. 2023 (arXiv:2303.09556), their recommended value.


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
    """

    predicted: Tensor
    target: Tensor
    mask: Tensor
    mean: Tensor
    std: Tensor

    @cached_property
    def predicted_acceleration(self) -> Tensor:
        """Predicted joint accelerations ``(B, T-2, 22, 3)`` [m/s^2], see :func:`joint_acceleration`."""
        return joint_acceleration(self.predicted * self.std + self.mean)

    @cached_property
    def target_acceleration(self) -> Tensor:
        """True joint accelerations ``(B, T-2, 22, 3)`` [m/s^2]."""
        with torch.no_grad():
            return joint_acceleration(self.target * self.std + self.mean)


def joint_acceleration(features: Tensor, *, fps: float = FEATURE_FPS) -> Tensor:
    """Return second differences of the decoded joints, times ``fps`` squared.

    Args:
        features: de-normalised HumanML3D features ``(..., T, 263)``.
        fps: their frame rate [Hz].

    Returns:
        Accelerations ``(..., T-2, 22, 3)`` [m/s^2] without gravity, axes of the clip's first heading; index t belongs
        to frame t + 1.
    """
    # Under autocast, rounding positions to bfloat16 (4 mm at 1 m) would drown differences taken at 20 fps.
    with torch.autocast(features.device.type, enabled=False):
        return features_to_joints(features.float()).diff(n=2, dim=-3) * fps**2


def stencil_mask(mask: Tensor, order: int) -> Tensor:
    """Return where a difference of that order has its whole stencil in the clip: ``(B, T)`` to ``(B, T - order)``."""
    for _ in range(order):
        mask = mask[:, 1:] & mask[:, :-1]
    return mask


def reconstruction(prediction: Prediction) -> Residual:
    """Normalised features, every number of every frame."""
    return Residual(prediction.predicted - prediction.target, prediction.mask)


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


LOSSES: Final[dict[str, Callable[[Prediction], Residual]]] = {
    "reconstruction": reconstruction,
    "velocity": velocity,
    "acc_features": acc_features,
    "acc_joints": acc_joints,
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
    """
    values = residual.values.float()
    error = values.square()
    if huber_delta is not None:
        size = values.abs()
        error = torch.where(size <= huber_delta, error, huber_delta * (2 * size - huber_delta))
    per_frame = error.mean(dim=-1)
    return torch.where(residual.mask, per_frame, 0.0).sum(dim=1) / residual.mask.sum(dim=1).clamp_min(1)


def check_loss_names(names: Iterable[str]) -> None:
    """Refuse a loss that does not exist.

    Raises:
        ValueError: it names the valid ones and the nearest.
    """
    for name in names:
        if name not in LOSSES:
            near = difflib.get_close_matches(name, LOSSES, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"loss {name!r} is unknown, must be one of {sorted(LOSSES)}{hint}")


@dataclass(frozen=True)
class Objective:
    """The weighted sum of losses that is minimised.

    Reconstruction of normalised features is of order 0.1 in training, ``acc_joints`` of order 10 to 100 (m/s^2)^2:
    a weight near 0.002 puts the two on one scale.

    Attributes:
        weights: weight of each loss; losses of weight 0 are not computed.
        huber_delta: losses that are robust, and from which residual on.
        snr_weighted: losses that count less where the motion is mostly noise: times min(SNR, 5) / 5 of the time step
            (after Hang et al. 2023, arXiv:2303.09556).

    Raises:
        ValueError: a name is unknown, a weight is negative, no weight is above 0, or a delta is not above 0.
    """

    weights: Mapping[str, float]
    huber_delta: Mapping[str, float] = field(default_factory=dict)
    snr_weighted: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_loss_names([*self.weights, *self.huber_delta, *self.snr_weighted])
        if any(weight < 0 for weight in self.weights.values()) or not any(self.weights.values()):
            raise ValueError(f"loss weights are {dict(self.weights)}, expected none below 0 and at least one above")
        if any(delta <= 0 for delta in self.huber_delta.values()):
            raise ValueError(
                f"huber_delta is {dict(self.huber_delta)}, expected values above 0; leave a loss out to square"
            )

    @property
    def active(self) -> tuple[str, ...]:
        """Losses of weight above 0."""
        return tuple(name for name, weight in self.weights.items() if weight > 0)

    def compute_terms(self, prediction: Prediction, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Return unweighted losses of each clip ``(B,)`` by name: the active ones, or those in ``names``."""
        return {
            name: reduce_residual(LOSSES[name](prediction), huber_delta=self.huber_delta.get(name))
            for name in (self.active if names is None else names)
        }

    def combine(self, terms: Mapping[str, Tensor], signal_to_noise: Tensor) -> Tensor:
        """Return the weighted sum for each clip ``(B,)``.

        Args:
            terms: losses of each clip ``(B,)``; holds at least the active ones.
            signal_to_noise: of the time step of each clip ``(B,)``.
        """
        total = torch.zeros_like(terms[self.active[0]])
        share = (signal_to_noise.to(total) / _SNR_CUT).clamp_max(1.0)
        for name in self.active:
            term = terms[name] * share if name in self.snr_weighted else terms[name]
            total = total + self.weights[name] * term
        return total
