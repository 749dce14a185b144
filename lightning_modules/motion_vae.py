"""MotionVAE: the first stage of latent motion diffusion, the latents (MLD, Chen et al. 2022, arXiv:2212.04048)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from datamodules.batches import MotionBatch
from lightning_modules.losses import LOSSES
from lightning_modules.metrics.denoising_scores import DenoisingScores
from lightning_modules.networks.latent import AutoencoderOptions, MotionAutoencoder
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.objective import LossOptions, Objective
from lightning_modules.training.feature_statistics import FeatureStatistics
from lightning_modules.training.flat_names import MOTION_VAE
from lightning_modules.training.optimisation import OptimiserOptions, check_fractions
from lightning_modules.training.randomness import seeded_dropout
from lightning_modules.training.trained_prior import TrainedPrior
from lightning_modules.weights import load_same_network
from lightning_modules.weights.latent import LatentWeights, check_arguments, read_vae
from sim.options import takes_flat_names

MOTION_LOSSES = tuple(name for name in LOSSES if name != "noise")
"""Losses that mean something where there is no noise on the motion itself."""

_DIMENSIONS = ("width", "latent_tokens", "num_layers", "num_heads", "feedforward")


class MotionVAE(TrainedPrior):
    """A variational autoencoder of HumanML3D features, as a LightningModule.

    Features come in raw; the module normalises them with its own statistics, which travel in its checkpoint. Training
    randomness depends on ``train_seed``, the step's number and the rank alone, as MotionDiffusion's does.

    Args:
        network: sizes of the autoencoder.
        kl_weight: weight of the divergence of the latents from a standard normal.
        losses: what is minimised on the decoded motion; there are no noise levels, so nothing can be ``snr_weighted``.
        optimiser: how.
        ema_decay: of the averaged weights.
        init_from: a ``.ckpt`` of this class, or a ``.safetensors`` of ``save_vae``, to start from.
        train_seed: seed of the training randomness.

    The fields of the groups may be given flat, too: :data:`lightning_modules.training.flat_names.MOTION_VAE`.

    Raises:
        ValueError: a name is unknown, a number is out of range, or ``init_from`` is of another model.
        FileNotFoundError: ``init_from`` does not exist.
    """

    network_name: ClassVar[str] = "network"
    network: MotionAutoencoder
    average: MotionAutoencoder
    latent_std: Tensor

    @takes_flat_names(MOTION_VAE)
    def __init__(
        self,
        *,
        network: AutoencoderOptions = AutoencoderOptions(),
        kl_weight: float = 1e-4,
        losses: LossOptions = LossOptions(),
        optimiser: OptimiserOptions = OptimiserOptions(lr=5e-4),
        ema_decay: float = 0.999,
        init_from: str | None = None,
        train_seed: int = 0,
    ) -> None:
        super().__init__()
        self.save_plainly(ignore=["init_from"])
        check_fractions(ema_decay=ema_decay)
        if kl_weight < 0:
            raise ValueError(f"kl_weight is {kl_weight}, expected at least 0")
        if losses.snr_weighted:
            raise ValueError(
                f"snr_weighted is {losses.snr_weighted}, but an autoencoder has no noise levels; leave it out"
            )
        self.losses, self.optimiser = losses, optimiser
        self.objective = Objective.of(losses)
        if self.objective.weights.get("noise"):
            raise ValueError("loss 'noise' has a weight, but an autoencoder predicts no noise; leave it out")
        self.kl_weight = kl_weight
        self.ema_decay = ema_decay
        self.train_seed = train_seed
        self.texts = None
        self.network = network.build()
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.statistics = FeatureStatistics()
        self.scores = self.make_scores(["all"])
        # Running mean of the deviation of encoded clips, 0 before the first; diffusion divides by it.
        self.register_buffer("latent_std", torch.zeros(()))
        if init_from is not None:
            self.load_weights(read_vae(init_from), source=init_from)

    def load_weights(self, stored: LatentWeights, *, source: str) -> None:
        """Take over weights, statistics and the latents' deviation, for the trained and the averaged network.

        Raises:
            ValueError: they belong to a model of other dimensions.
        """
        check_arguments(stored, self.arguments, {name: name for name in _DIMENSIONS}, source=source)
        load_same_network(stored.parameters, (self.network, self.average), source=source)
        self.latent_std.copy_(stored.latent_std)
        stored.give_statistics(self.statistics)

    def make_scores(self, activities: Sequence[str]) -> DenoisingScores:
        """Return empty scores for those activities; the one noise level is none."""
        return DenoisingScores([*MOTION_LOSSES, "kl"], activities, fractions=(0.0,))

    def training_step(self, batch: MotionBatch, batch_idx: int) -> Tensor:
        """Return the objective: losses on the decoded motion, and the latents' divergence."""
        shape = (len(batch.lengths), self.network.latent_tokens, self.network.width)
        draw = self.draw_step(shape, batch_idx, num_steps=1)
        mask = mask_frames_of(batch.lengths, batch.features.shape[1])
        clean = self.statistics.normalise(batch.features, mask)
        with seeded_dropout(draw.dropout_seed, self.device):
            decoded, posterior = self.network(clean, batch.lengths, draw.noise)
        prediction = self.pair(decoded, clean, mask, activity=batch.activity)
        terms = self.objective.compute_terms(prediction)
        shares = self.objective.weigh(terms, torch.ones(len(clean)), step=self.global_step)
        divergence = posterior.divergence()
        self._follow_deviation(posterior.mean.detach().float().std())
        return self.finish_step({**terms, "kl": divergence}, {**shares, "kl": self.kl_weight * divergence})

    def _follow_deviation(self, deviation: Tensor) -> None:
        if self.latent_std == 0:
            self.latent_std.copy_(deviation)
        self.latent_std.lerp_(deviation, 0.02)

    def score(self, batch: MotionBatch) -> None:
        """Add what the averaged network makes of each clip's mean latent."""
        mask = mask_frames_of(batch.lengths, batch.features.shape[1])
        clean = self.statistics.normalise(batch.features, mask)
        posterior = self.average.encode(clean, batch.lengths)
        decoded = self.average.decode(posterior.mean, batch.lengths, clean.shape[1])
        prediction = self.pair(decoded, clean, mask, activity=batch.activity)
        terms = self.objective.compute_terms(prediction, MOTION_LOSSES)
        divergence = posterior.divergence()
        total = self.objective.combine(terms, torch.ones(len(clean))) + self.kl_weight * divergence
        self.scores.update(
            prediction, {**terms, "kl": divergence}, total, activity=batch.activity, level=0, sample_id=batch.sample_id
        )
