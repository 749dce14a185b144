"""LatentMotionDiffusion: diffusion over the latents of a MotionVAE (MLD, Chen et al. 2022, arXiv:2212.04048)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import torch
from torch import Tensor, nn

from datamodules.batches import MotionBatch
from lightning_modules.diffusion import Schedule
from lightning_modules.losses import DecodedMotion, Prediction
from lightning_modules.metrics.denoising_scores import PAIRED_FRACTIONS, DenoisingScores
from lightning_modules.motion_vae import MOTION_LOSSES
from lightning_modules.networks.latent import LatentDenoiser, MotionAutoencoder
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.networks.parameterisation import Parameterisation
from lightning_modules.objective import Objective
from lightning_modules.sampling.inpainting import KnownFeatures
from lightning_modules.sampling.motion_generator import MotionGenerator
from lightning_modules.sampling.normalised import SamplingOptions, generate_normalised
from lightning_modules.sampling.samplers import check_sampler
from lightning_modules.text.lookup import TextBatch, TextLookup
from lightning_modules.training.feature_statistics import FeatureStatistics
from lightning_modules.training.optimisation import check_fractions, check_lr_schedule
from lightning_modules.training.randomness import paired_noise, seeded_dropout
from lightning_modules.training.recipes import compile_forward
from lightning_modules.virtual_sensors import SensorLossOptions
from lightning_modules.weights.latent import load_same_network, read_start


class LatentMotionDiffusion(MotionGenerator):
    """A diffusion prior over latents, as a LightningModule; the frozen autoencoder travels in its checkpoint.

    Clips are encoded to their mean latents, divided by the deviation that the autoencoder's training saw (Rombach et
    al. 2022, arXiv:2112.10752, appendix G). ``latent``, the error of what the network predicts there, is always
    trained on; losses on the decoded motion join it by weight, through the frozen decoder.

    Args:
        vae_from: ``.ckpt`` of the MotionVAE, or ``.safetensors`` of ``save_vae``; only a run that starts anew needs it.
        vae_layers: ``num_layers`` of the MotionVAE.
        vae_feedforward: ``feedforward`` of the MotionVAE.
        width: of the latent, and of the denoiser's layers.
        latent_tokens: tokens of the latent.
        num_layers: of the denoiser; odd.
        num_heads: attention heads, of both; divides ``width``.
        feedforward: hidden width of the denoiser's layers.
        dropout: of the denoiser.
        text_dim: width of the text encoder's embeddings.
        num_steps: steps of the noise schedule.
        noise_schedule: ``scaled_linear``, ``linear`` or ``cosine``.
        predicts: what the denoiser computes, the ``noise`` or the ``clean`` latent.
        cond_drop_prob: share of clips trained without their caption, for classifier-free guidance.
        loss_weights: weight of each loss on the decoded motion, see :mod:`lightning_modules.losses`; default none.
        huber_delta: losses that are robust, and from which residual on.
        snr_weighted: losses that count less at noisy time steps.
        loss_warmup_steps: losses whose weight rises from 0 over so many optimiser steps.
        sensor_loss: what ``acc_sensors`` reads.
        log_gradient_norms_every: steps between ``grad_norm/<loss>``, a multiple of ``log_every_n_steps``; 0 is never.
        lr: learning rate after the warm-up.
        weight_decay: of AdamW.
        warmup_steps: optimiser steps until ``lr`` is reached.
        lr_schedule: ``cosine`` or ``constant``.
        ema_decay: of the averaged weights.
        compile_denoiser: run the trained network through ``torch.compile``.
        init_from: a ``.ckpt`` of this class to start from, instead of ``vae_from``.
        text_encoder: ``minilm``, ``clip`` or ``distilbert``; ``clip:FOLDER`` reads a Hugging Face model folder.
        cache_dir: where text embeddings are kept.
        train_seed: seed of the training randomness.
        guidance: classifier-free guidance scale that predict uses.
        sampler: ``ddpm``, ``ddim`` or ``dpm++``, for predict.
        sampling_steps: network calls per motion in predict; None takes all of the schedule.

    Raises:
        ValueError: a name is unknown, a number is out of range, or a checkpoint is of another model.
        FileNotFoundError: a checkpoint does not exist.
    """

    average: LatentDenoiser
    latent_std: Tensor

    def __init__(
        self,
        *,
        vae_from: str | None = None,
        vae_layers: int = 5,
        vae_feedforward: int = 256,
        width: int = 128,
        latent_tokens: int = 4,
        num_layers: int = 5,
        num_heads: int = 4,
        feedforward: int = 256,
        dropout: float = 0.1,
        text_dim: int = 384,
        num_steps: int = 1000,
        noise_schedule: str = "scaled_linear",
        predicts: str = "noise",
        cond_drop_prob: float = 0.1,
        loss_weights: dict[str, float] | None = None,
        huber_delta: dict[str, float] | None = None,
        snr_weighted: list[str] | None = None,
        loss_warmup_steps: dict[str, int] | None = None,
        sensor_loss: SensorLossOptions | None = None,
        log_gradient_norms_every: int = 0,
        lr: float = 2e-4,
        weight_decay: float = 0.0,
        warmup_steps: int = 100,
        lr_schedule: str = "cosine",
        ema_decay: float = 0.999,
        compile_denoiser: bool = False,
        init_from: str | None = None,
        text_encoder: str = "minilm",
        cache_dir: str = "runs/cache/text",
        train_seed: int = 0,
        guidance: float = 2.5,
        sampler: str = "ddim",
        sampling_steps: int | None = 50,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["vae_from", "init_from", "cache_dir"])
        check_lr_schedule(lr_schedule)
        check_sampler(sampler)
        check_fractions(cond_drop_prob=cond_drop_prob, ema_decay=ema_decay)
        if (loss_weights or {}).get("noise"):
            raise ValueError("loss 'noise' is of the motion, here only the latent has noise; leave it out")
        self.schedule = Schedule.named(noise_schedule, num_steps)
        # Which sensors scores read is part of the objective, so it exists without any loss on decoded motion too.
        self.decodes = any((loss_weights or {}).values())
        given = loss_weights if self.decodes else None
        self.objective = Objective.of(given, huber_delta, snr_weighted, loss_warmup_steps, sensor_loss)
        self.cond_drop_prob = cond_drop_prob
        self.guidable = cond_drop_prob > 0
        self.ema_decay = ema_decay
        self.train_seed = train_seed
        self.denoiser = LatentDenoiser(
            width=width, num_layers=num_layers, num_heads=num_heads, feedforward=feedforward, text_dim=text_dim,
            dropout=dropout, parameterisation=Parameterisation(predicts, self.schedule),
        )  # fmt: skip
        self.average = copy.deepcopy(self.denoiser).requires_grad_(False).eval()
        if compile_denoiser:
            compile_forward(self.denoiser)
        autoencoder = MotionAutoencoder(
            width=width, latent_tokens=latent_tokens, num_layers=vae_layers, num_heads=num_heads,
            feedforward=vae_feedforward, dropout=0.0,
        )  # fmt: skip
        self.vae = autoencoder.requires_grad_(False).eval()
        self.register_buffer("latent_std", torch.zeros(()))
        self.statistics = FeatureStatistics()
        self.texts = TextLookup(text_encoder, dim=text_dim, cache_dir=cache_dir)
        self.scores = self.make_scores(["all"])
        self._load(init_from, vae_from)

    def _load(self, init_from: str | None, vae_from: str | None) -> None:
        stored = read_start(init_from, vae_from, self.hparams_initial)
        if stored is None:
            return
        if init_from is not None:
            load_same_network(stored.parameters, (self.denoiser, self.average), source=init_from)
            self.guidable = stored.hyper_parameters.get("cond_drop_prob", self.cond_drop_prob) != 0
        load_same_network(stored.autoencoder, [self.vae], source=str(init_from or vae_from))
        self.latent_std.copy_(stored.latent_std)
        stored.give_statistics(self.statistics)

    def make_scores(self, activities: Sequence[str]) -> DenoisingScores:
        """Return empty scores for those activities."""
        return DenoisingScores([*MOTION_LOSSES, "latent"], activities)

    def train(self, mode: bool = True) -> Self:
        """Set training mode; the averaged network and the autoencoder always stay in evaluation mode."""
        super().train(mode)
        self.vae.eval()
        return self

    def _require_autoencoder(self) -> None:
        # Asked when it is needed and not in ``setup``, which comes before a checkpoint is restored.
        if self.latent_std == 0:
            raise ValueError(
                "there is no autoencoder for the latents; give vae_from, the last.ckpt of a MotionVAE "
                "(experiments/baselines/motion_vae.yaml), or init_from, one of this class"
            )

    def on_train_start(self) -> None:
        """Log how many parameters are trained; from here on guidance depends on how this run drops conditions."""
        super().on_train_start()
        self.guidable = self.cond_drop_prob > 0

    def training_step(self, batch: MotionBatch, batch_idx: int) -> Tensor:
        """Return the objective at random time steps."""
        mask, clean, latent = self._encode(batch)
        draw = self.draw_step(latent.shape, batch_idx, num_steps=self.schedule.num_steps)
        text = self.texts(batch.captions).drop(draw.uniform < self.cond_drop_prob)
        with seeded_dropout(draw.dropout_seed, self.device):
            predicted = self._denoise(self.denoiser, latent, draw.steps, text, draw.noise)
        error = self._latent_error(predicted, latent, draw.steps)
        terms, shares = {"latent": error}, {"latent": error}
        if self.decodes:
            decoded = self.objective.compute_terms(self._decode(predicted, clean, mask, batch.lengths))
            terms |= decoded
            shares |= self.objective.weigh(decoded, self.schedule.signal_to_noise[draw.steps], step=self.global_step)
        return self.finish_step(terms, shares)

    @torch.no_grad()
    def _encode(self, batch: MotionBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Return frames inside ``(B, T)``, normalised features and latents ``(B, tokens, width)`` of deviation 1.

        Raises:
            ValueError: no autoencoder was loaded.
        """
        self._require_autoencoder()
        mask = mask_frames_of(batch.lengths, batch.features.shape[1])
        clean = self.statistics.normalise(batch.features, mask)
        return mask, clean, self.vae.encode(clean, batch.lengths).mean.float() / self.latent_std

    def _denoise(self, network: nn.Module, latent: Tensor, steps: Tensor, text: TextBatch, noise: Tensor) -> Tensor:
        noisy = self.schedule.add_noise(latent, steps, noise)
        text = text.to(self.device)
        lengths = torch.full((len(latent),), latent.shape[1], device=self.device)
        timesteps = self.schedule.timestep_map[steps].to(self.device)
        predicted: Tensor = network(noisy, timesteps, text.embedding, lengths, text_mask=text.mask)
        return predicted.float()

    def _latent_error(self, predicted: Tensor, latent: Tensor, steps: Tensor) -> Tensor:
        """Return the mean squared error of what the network computes, the noise or the clean latent ``(B,)``."""
        error = (predicted - latent).square().flatten(1).mean(dim=1)
        if self.denoiser.parameterisation.predicts == "clean":
            return error
        return self.schedule.signal_to_noise[steps].to(error) * error

    def _decode(self, latent: Tensor, clean: Tensor, mask: Tensor, lengths: Tensor) -> Prediction:
        decoded = self.vae.decode(latent * self.latent_std, lengths, clean.shape[1]).float()
        return Prediction(
            decoded, clean, mask, self.statistics.mean, self.statistics.std, self.objective.sensors
        )  # fmt: skip

    def score(self, batch: MotionBatch) -> None:
        """Add one-step predictions of the averaged network at fixed time steps, decoded."""
        mask, clean, latent = self._encode(batch)
        text = self.texts(batch.captions)
        ids, sizes = batch.sample_id.tolist(), [latent.shape[1]] * len(latent)
        truth: DecodedMotion | None = None
        for level, fraction in enumerate(PAIRED_FRACTIONS):
            steps = torch.full((len(latent),), round(fraction * (self.schedule.num_steps - 1)))
            noise = paired_noise(ids, sizes, *latent.shape[1:], level=level).to(self.device)
            predicted = self._denoise(self.average, latent, steps, text, noise)
            prediction = replace(self._decode(predicted, clean, mask, batch.lengths), known_truth=truth)
            truth = prediction.truth
            error = self._latent_error(predicted, latent, steps)
            terms = self.objective.compute_terms(prediction, MOTION_LOSSES)
            total = error
            if self.decodes:
                total = total + self.objective.combine(terms, self.schedule.signal_to_noise[steps])
            self.scores.update(
                prediction,
                {**terms, "latent": error},
                total,
                activity=batch.activity,
                level=level,
                sample_id=batch.sample_id,
            )

    def sample_normalised(
        self,
        text: TextBatch,
        options: SamplingOptions,
        *,
        lengths: Sequence[int],
        seeds: Sequence[int] | None,
        known: KnownFeatures | None,
    ) -> tuple[Tensor, Tensor]:
        """Sample latents and decode them; arguments and result as :meth:`MotionGenerator.sample_normalised`.

        Raises:
            ValueError: features are known, which a latent cannot hold fixed, or there is no autoencoder.
        """
        if known is not None:
            raise ValueError("known features were given, but latents cannot be in-painted; use a MotionDiffusion")
        self._require_autoencoder()
        frames = [self.vae.latent_tokens] * len(lengths)
        latent, _ = generate_normalised(self.average, self.schedule, text, options, num_frames=frames, seeds=seeds)
        counts = torch.tensor(lengths, device=latent.device)
        motion = self.vae.decode(latent * self.latent_std, counts, max(lengths))
        return motion.float(), mask_frames_of(counts, max(lengths))
