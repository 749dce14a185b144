"""The objective that is minimised: losses of :mod:`lightning_modules.losses`, weighted and summed, or seen singly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor, nn

from lightning_modules.losses import LOSSES, Prediction, reduce_residual
from lightning_modules.virtual_sensors import SensorLossOptions, VirtualSensors
from sim.features import DECODERS, Decoder
from sim.names import check_name, suggest

_SNR_CUT: Final = 5.0  # gamma of Hang et al. 2023 (arXiv:2303.09556), their recommended value.


def check_loss_names(names: Iterable[str]) -> None:
    """Refuse a loss that does not exist.

    Raises:
        ValueError: it names the valid ones and the nearest.
    """
    for name in names:
        if name not in LOSSES:
            raise ValueError(f"loss {name!r} is unknown, must be one of {sorted(LOSSES)}{suggest(name, LOSSES)}")


@dataclass(frozen=True)
class LossOptions:
    """What is minimised, as YAML gives it; see :class:`Objective`.

    Attributes:
        weights: weight of each loss by name, see :mod:`lightning_modules.losses`; None is reconstruction alone.
        huber_delta: losses that are robust, and from which residual on.
        snr_weighted: losses that count less at noisy time steps.
        warmup_steps: losses whose weight rises from 0 over so many optimiser steps; scores take the whole weight.
        sensors: what ``acc_sensors`` reads, see :mod:`lightning_modules.virtual_sensors`.
        decoder: how ``acc_joints`` and ``acc_sensors`` decode, ``consistent`` or ``positions`` (as Häusler et al. must
            have), see :func:`sim.features.features_to_joints`; flat, ``loss_decoder``.
        log_gradient_norms_every: steps between ``grad_norm/<loss>``, a multiple of ``log_every_n_steps``; 0 is never.
    """

    weights: dict[str, float] | None = None
    huber_delta: dict[str, float] | None = None
    snr_weighted: list[str] | None = None
    warmup_steps: dict[str, int] | None = None
    sensors: SensorLossOptions | None = None
    decoder: Decoder = "consistent"
    log_gradient_norms_every: int = 0


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
        warmup_steps: losses whose weight rises linearly from 0 over so many optimiser steps.
        sensors: what ``acc_sensors`` reads.
        decoder: how ``acc_joints`` and ``acc_sensors`` decode.

    Raises:
        ValueError: a name is unknown, a weight is negative, no weight is above 0, a delta is not above 0, or a warm-up
            is negative.

    Examples:
        >>> objective = Objective({"reconstruction": 1.0, "acc_joints": 2e-4}, snr_weighted=("acc_joints",))
        >>> terms = {"reconstruction": torch.tensor([0.1]), "acc_joints": torch.tensor([100.0])}
        >>> objective.combine(terms, torch.tensor([2.5]))  # 0.1 + 2e-4 * 100 * 2.5 / 5
        tensor([0.1100])
    """

    weights: Mapping[str, float]
    huber_delta: Mapping[str, float] = field(default_factory=dict)
    snr_weighted: tuple[str, ...] = ()
    warmup_steps: Mapping[str, int] = field(default_factory=dict)
    sensors: VirtualSensors = field(default_factory=VirtualSensors)
    decoder: Decoder = "consistent"

    def __post_init__(self) -> None:
        check_name(self.decoder, DECODERS, "loss_decoder")
        check_loss_names([*self.weights, *self.huber_delta, *self.snr_weighted, *self.warmup_steps])
        if any(weight < 0 for weight in self.weights.values()) or not any(self.weights.values()):
            raise ValueError(f"loss weights are {dict(self.weights)}, expected none below 0 and at least one above")
        if any(delta <= 0 for delta in self.huber_delta.values()):
            raise ValueError(
                f"huber_delta is {dict(self.huber_delta)}, expected values above 0; leave a loss out to square"
            )
        if any(steps < 0 for steps in self.warmup_steps.values()):
            raise ValueError(f"loss_warmup_steps is {dict(self.warmup_steps)}, expected none below 0")

    @classmethod
    def of(cls, options: LossOptions) -> Objective:
        """Return the objective that options ask for; without weights it is reconstruction alone."""
        return cls(
            options.weights or {"reconstruction": 1.0},
            options.huber_delta or {},
            tuple(options.snr_weighted or ()),
            options.warmup_steps or {},
            VirtualSensors.from_options(options.sensors),
            options.decoder,
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

    def weigh(
        self, terms: Mapping[str, Tensor], signal_to_noise: Tensor, *, step: int | None = None
    ) -> dict[str, Tensor]:
        """Return what each active loss adds to the objective, for each clip ``(B,)``.

        Args:
            terms: losses of each clip ``(B,)``; holds at least the active ones.
            signal_to_noise: of the time step of each clip ``(B,)``.
            step: optimiser steps done, for the warm-up; None is after it.
        """
        certainty = (signal_to_noise.to(terms[self.active[0]]) / _SNR_CUT).clamp_max(1.0)
        return {
            name: self._weight_at(name, step) * (terms[name] * certainty if name in self.snr_weighted else terms[name])
            for name in self.active
        }

    def combine(self, terms: Mapping[str, Tensor], signal_to_noise: Tensor, *, step: int | None = None) -> Tensor:
        """Return the weighted sum for each clip ``(B,)``; arguments as for :meth:`weigh`."""
        return sum_shares(self.weigh(terms, signal_to_noise, step=step))

    def _weight_at(self, name: str, step: int | None) -> float:
        warmup = self.warmup_steps.get(name, 0)
        return self.weights[name] * (1.0 if step is None or step >= warmup else step / warmup)


def sum_shares(shares: Mapping[str, Tensor]) -> Tensor:
    """Return the objective of each clip ``(B,)`` from what each loss adds to it."""
    total = torch.zeros_like(next(iter(shares.values())))
    for share in shares.values():
        total = total + share
    return total


def is_due(step: int, *, every: int) -> bool:
    """Return whether a step, counted from 0, is to be looked at; like the trainer's log, the last of every so many."""
    return every > 0 and (step + 1) % every == 0


def gradient_norms(shares: Mapping[str, Tensor], parameters: Iterable[nn.Parameter]) -> dict[str, Tensor]:
    """Return by how much each loss pulls at the parameters: ``grad_norm/<loss>``, the norm of its own gradient.

    The graph is kept and no ``.grad`` is touched, so training goes on as if nobody had looked.

    Args:
        shares: what each loss adds to the objective, for each clip ``(B,)``; the batch's mean counts.
        parameters: with respect to which.
    """
    wanted = [parameter for parameter in parameters if parameter.requires_grad]
    norms: dict[str, Tensor] = {}
    for name, share in shares.items():
        gradients = torch.autograd.grad(share.mean(), wanted, retain_graph=True, allow_unused=True)
        squares = [gradient.float().square().sum() for gradient in gradients if gradient is not None]
        norms[f"grad_norm/{name}"] = torch.stack(squares).sum().sqrt()
    return norms
