"""The objective that is minimised: losses of :mod:`lightning_modules.losses`, weighted and summed, or seen singly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import torch
from torch import Tensor, nn

from lightning_modules.losses import LOSSES, Prediction, reduce_residual
from lightning_modules.spectra.frequency_weights import FrequencyLossOptions, FrequencyWeights
from lightning_modules.spectra.sensor_spectra import SensorSpectra, SpectrumLossOptions
from lightning_modules.virtual_sensors import SensorLossOptions, VirtualSensors
from sim.conventions import FEATURE_FPS
from sim.features import DECODERS, Decoder
from sim.names import check_name, suggest

_SNR_CUT: Final = 5.0  # gamma of Hang et al. 2023 (arXiv:2303.09556), their recommended value.
_EDM_CUT: Final = 20.0  # the least noisy steps would else outweigh all others

LEVEL_WEIGHTS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "min_snr": lambda ratio: ratio.clamp_max(_SNR_CUT),
    "edm": lambda ratio: (1 + ratio).clamp_max(_EDM_CUT),
    "v": lambda ratio: 1 + ratio,
}
"""What a squared error of the clean motion counts for at a signal-to-noise ratio, by the name that YAML uses."""


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
        snr_from: losses that count only from a signal-to-noise ratio on.
        level_weights: losses that count differently at each time step: ``min_snr``, min(SNR, 5) (Hang et al. 2023,
            arXiv:2303.09556), ``v``, 1 + SNR, which makes of it the squared error of v (Salimans and Ho 2022,
            arXiv:2202.00512), or ``edm``, the same up to 20 (for data of unit variance it is the weight of Karras et
            al. 2022, arXiv:2206.00364, table 1).
        warmup_steps: losses whose weight rises from 0 over so many optimiser steps; scores take the whole weight.
        sensors: what ``acc_sensors`` and ``acc_spectrum`` read, see :mod:`lightning_modules.virtual_sensors`.
        spectrum: how ``acc_spectrum`` takes spectra, see :mod:`lightning_modules.spectra.sensor_spectra`.
        frequency: weights of ``reconstruction_frequency``, see :mod:`lightning_modules.spectra.frequency_weights`.
        decoder: how losses on accelerations decode, ``consistent`` or ``positions`` (as Häusler et al. must have), see
            :func:`sim.features.features_to_joints`; flat, ``loss_decoder``.
        log_gradient_norms_every: steps between ``grad_norm/<loss>``, a multiple of ``log_every_n_steps``; 0 is never.
    """

    weights: dict[str, float] | None = None
    huber_delta: dict[str, float] | None = None
    snr_weighted: list[str] | None = None
    snr_from: dict[str, float] | None = None
    level_weights: dict[str, str] | None = None
    warmup_steps: dict[str, int] | None = None
    sensors: SensorLossOptions | None = None
    spectrum: SpectrumLossOptions | None = None
    frequency: FrequencyLossOptions | None = None
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
        snr_from: losses that count only at time steps whose signal-to-noise ratio is at least that.
        level_weights: losses that count differently at each time step, see :class:`LossOptions`.
        warmup_steps: losses whose weight rises linearly from 0 over so many optimiser steps.
        sensors: what ``acc_sensors`` and ``acc_spectrum`` read.
        spectra: how ``acc_spectrum`` takes spectra.
        frequency: weights of ``reconstruction_frequency``.
        decoder: how the losses on accelerations decode.

    Raises:
        ValueError: a name is unknown, a weight is negative, no weight is above 0, a delta is not above 0, or a ratio or
            a warm-up is negative.

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
    snr_from: Mapping[str, float] = field(default_factory=dict)
    spectra: SensorSpectra = field(default_factory=SensorSpectra)
    frequency: FrequencyWeights = field(default_factory=FrequencyWeights)
    level_weights: Mapping[str, str] = field(default_factory=dict)
    decoder: Decoder = "consistent"

    def __post_init__(self) -> None:
        check_name(self.decoder, DECODERS, "loss_decoder")
        for_some = (self.huber_delta, self.snr_weighted, self.snr_from, self.level_weights, self.warmup_steps)
        check_loss_names(chain(self.weights, *for_some))
        for name in self.level_weights.values():
            check_name(name, LEVEL_WEIGHTS, "level weight")
        if any(weight < 0 for weight in self.weights.values()) or not any(self.weights.values()):
            raise ValueError(f"loss weights are {dict(self.weights)}, expected none below 0 and at least one above")
        if any(delta <= 0 for delta in self.huber_delta.values()):
            raise ValueError(
                f"huber_delta is {dict(self.huber_delta)}, expected values above 0; leave a loss out to square"
            )
        if any(steps < 0 for steps in self.warmup_steps.values()):
            raise ValueError(f"loss_warmup_steps is {dict(self.warmup_steps)}, expected none below 0")
        if any(ratio < 0 for ratio in self.snr_from.values()):
            raise ValueError(f"snr_from is {dict(self.snr_from)}, expected ratios of at least 0, such as 1.0")

    @classmethod
    def of(cls, options: LossOptions) -> Objective:
        """Return the objective that options ask for; without weights it is reconstruction alone."""
        return cls(
            options.weights or {"reconstruction": 1.0},
            options.huber_delta or {},
            tuple(options.snr_weighted or ()),
            options.warmup_steps or {},
            VirtualSensors.from_options(options.sensors),
            options.snr_from or {},
            SensorSpectra.from_options(options.spectrum),
            FrequencyWeights.from_options(options.frequency),
            options.level_weights or {},
            options.decoder,
        )

    @property
    def active(self) -> tuple[str, ...]:
        """Losses of weight above 0."""
        return tuple(name for name, weight in self.weights.items() if weight > 0)

    def compute_terms(self, prediction: Prediction, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Return unweighted losses of each clip ``(B,)`` by name: the active ones, or those in ``names``.

        In an average over the batch each clip counts as its time step does for that loss.
        """
        terms: dict[str, Tensor] = {}
        for name in self.active if names is None else names:
            seen = prediction
            if prediction.signal_to_noise is not None and (name in self.snr_weighted or name in self.snr_from):
                ratio = prediction.signal_to_noise.to(prediction.predicted)
                seen = prediction.with_certainty(self._certainty(name, ratio))
            terms[name] = reduce_residual(LOSSES[name](seen), huber_delta=self.huber_delta.get(name))
        return terms

    def check_clips(self, num_frames: int) -> None:
        """Make sure that training clips are long enough for the losses of weight above 0.

        Args:
            num_frames: of the longest clip that there may be, at 20 fps.

        Raises:
            ValueError: no clip can hold a window of ``acc_spectrum``.
        """
        needed = self.spectra.shortest_clip(self.sensors)
        if "acc_spectrum" in self.active and num_frames < needed:
            raise ValueError(
                f"training clips have {num_frames} frames, expected at least {needed} for the windows of acc_spectrum "
                f"({self.spectra.window_s:g} s and the spline's ends); raise data.window_s to {needed / FEATURE_FPS:g} "
                "or lower losses.spectrum.window_s"
            )

    def weigh(
        self, terms: Mapping[str, Tensor], signal_to_noise: Tensor, *, step: int | None = None
    ) -> dict[str, Tensor]:
        """Return what each active loss adds to the objective, for each clip ``(B,)``.

        Args:
            terms: losses of each clip ``(B,)``; holds at least the active ones.
            signal_to_noise: of the time step of each clip ``(B,)``.
            step: optimiser steps done, for the warm-up; None is after it.
        """
        ratio = signal_to_noise.to(terms[self.active[0]])
        return {
            name: self._weight_at(name, step) * (terms[name] * self._certainty(name, ratio)) for name in self.active
        }

    def combine(self, terms: Mapping[str, Tensor], signal_to_noise: Tensor, *, step: int | None = None) -> Tensor:
        """Return the weighted sum for each clip ``(B,)``; arguments as for :meth:`weigh`."""
        return sum_shares(self.weigh(terms, signal_to_noise, step=step))

    def _certainty(self, name: str, ratio: Tensor) -> Tensor:
        """Return what a loss counts for at time steps of those signal-to-noise ratios ``(B,)``."""
        certainty = (ratio / _SNR_CUT).clamp_max(1.0) if name in self.snr_weighted else torch.ones_like(ratio)
        if name in self.level_weights:
            certainty = certainty * LEVEL_WEIGHTS[self.level_weights[name]](ratio)
        return torch.where(ratio >= self.snr_from.get(name, 0.0), certainty, 0.0)

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
