"""MotionDiffusion: train, fine-tune, score and sample a text-conditioned motion diffusion prior.

Predicts the clean motion (Tevet et al. 2022, arXiv:2209.14916) or, if asked, the noise. Fine-tuning with an
acceleration loss follows Häusler et al. 2025 (arXiv:2512.08859).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from datamodules.batches import MotionBatch
from lightning_modules.diffusion import Schedule
from lightning_modules.losses import LOSSES, DecodedMotion, Prediction
from lightning_modules.metrics.denoising_scores import PAIRED_FRACTIONS, DenoisingScores
from lightning_modules.networks import MotionNetwork, build_network
from lightning_modules.networks.lora import load_merged_state
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.networks.parameterisation import Parameterisation
from lightning_modules.objective import Objective
from lightning_modules.sampling.motion_generator import MotionGenerator
from lightning_modules.sampling.samplers import check_sampler
from lightning_modules.text.lookup import TextBatch, TextLookup
from lightning_modules.training.feature_statistics import FeatureStatistics
from lightning_modules.training.optimisation import check_fractions, check_lr_schedule
from lightning_modules.training.randomness import paired_noise, seeded_dropout
from lightning_modules.training.recipes import apply_recipe, compile_forward
from lightning_modules.virtual_sensors import SensorLossOptions
from lightning_modules.weights import Weights, match_parameters, read_weights


class MotionDiffusion(MotionGenerator):
    """A diffusion prior over HumanML3D features, as a LightningModule.

    Features come in and go out raw; the module normalises them with its own statistics, which travel in its checkpoint.
    Time steps, noise, dropped conditions and dropout of a training step depend on ``train_seed``, the step's number and
    the rank alone: runs that differ in their losses see the same randomness, and a resumed run goes on exactly.

    Args:
        arch: one of :data:`lightning_modules.networks.NETWORKS`.
        width: width of the transformer.
        num_layers: transformer layers.
        num_heads: attention heads; divides ``width``.
        feedforward: hidden width of the layers.
        dropout: of the sequence, the residual branches and the hidden parts.
        attention_dropout: of the attention weights; MDM uses ``dropout`` there too, 0 lets fused kernels be used.
            ``motiondiffuse`` has no such weights.
        text_dim: width of the text encoder's embeddings.
        mask_frames: hide padding from the attention.
        num_steps: steps of the noise schedule.
        noise_schedule: ``cosine``, ``linear`` or ``scaled_linear``.
        predicts: what the network computes, the ``clean`` motion or the ``noise``, see
            :mod:`lightning_modules.networks.parameterisation`; train the latter on the loss ``noise``.
        cond_drop_prob: share of clips trained without their caption, for classifier-free guidance.
        loss_weights: weight of each loss by name, see :mod:`lightning_modules.losses`; default MDM's reconstruction.
        huber_delta: losses that are robust, and from which residual on.
        snr_weighted: losses that count less at noisy time steps.
        loss_warmup_steps: losses whose weight rises from 0 over so many optimiser steps; scores take the whole weight.
        sensor_loss: what ``acc_sensors`` reads, see :mod:`lightning_modules.virtual_sensors`.
        log_gradient_norms_every: steps between ``grad_norm/<loss>``, a multiple of ``log_every_n_steps``; 0 is never.
        lr: learning rate after the warm-up.
        weight_decay: of AdamW.
        warmup_steps: optimiser steps until ``lr`` is reached.
        lr_schedule: ``cosine`` (to 0 at the end of the run) or ``constant``.
        ema_decay: of the averaged weights that validation, test, predict and generate use.
        trainable: ``all``, ``lora`` (adapters on the attention) or ``last:N`` (the last N layers and the output head).
        lora_rank: rank of the adapters.
        compile_denoiser: run the trained network through ``torch.compile``.
        init_from: weights to start from (``.safetensors``, ``.ckpt`` or MDM's ``.pt``); not a hyper-parameter, because
            a checkpoint needs it no more.
        text_encoder: ``minilm``, ``clip`` or ``distilbert``; ``clip:FOLDER`` reads a Hugging Face model folder.
        cache_dir: where text embeddings are kept.
        train_seed: seed of the training randomness.
        guidance: classifier-free guidance scale that predict uses.
        sampler: ``ddpm``, ``ddim``, ``dpm++`` or ``sde-dpm++``, for predict.
        sampling_steps: network calls per motion in predict; None takes all of the schedule.

    Raises:
        ValueError: a name is unknown, a number is out of range, or ``init_from`` has other dimensions.
        FileNotFoundError: ``init_from`` does not exist.
    """

    denoiser: MotionNetwork
    average: MotionNetwork

    def __init__(
        self,
        *,
        arch: str = "trans_enc",
        width: int = 192,
        num_layers: int = 4,
        num_heads: int = 4,
        feedforward: int = 384,
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        text_dim: int = 384,
        mask_frames: bool = True,
        num_steps: int = 50,
        noise_schedule: str = "cosine",
        predicts: str = "clean",
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
        trainable: str = "all",
        lora_rank: int = 8,
        compile_denoiser: bool = False,
        init_from: str | None = None,
        text_encoder: str = "minilm",
        cache_dir: str = "runs/cache/text",
        train_seed: int = 0,
        guidance: float = 2.5,
        sampler: str = "ddpm",
        sampling_steps: int | None = None,
    ) -> None:
        super().__init__()
        # Where files lie says nothing about the model, and the data module has a cache_dir of its own.
        self.save_hyperparameters(ignore=["init_from", "cache_dir"])
        check_lr_schedule(lr_schedule)
        check_sampler(sampler)
        check_fractions(cond_drop_prob=cond_drop_prob, ema_decay=ema_decay)
        self.schedule = Schedule.named(noise_schedule, num_steps)
        self.objective = Objective.of(loss_weights, huber_delta, snr_weighted, loss_warmup_steps, sensor_loss)
        self.cond_drop_prob = cond_drop_prob
        self.guidable = cond_drop_prob > 0
        self.ema_decay = ema_decay
        self.train_seed = train_seed
        self.denoiser = build_network(self.hparams_initial, Parameterisation(predicts, self.schedule))
        self.average = copy.deepcopy(self.denoiser).requires_grad_(False).eval()
        apply_recipe(self.denoiser, trainable, lora_rank=lora_rank, seed=train_seed)
        if compile_denoiser:
            compile_forward(self.denoiser)
        self.statistics = FeatureStatistics()
        self.texts = TextLookup(text_encoder, dim=text_dim, cache_dir=cache_dir)
        self.scores = self.make_scores(["all"])
        if init_from is not None:
            self.load_weights(read_weights(init_from), source=init_from)

    def load_weights(self, weights: Weights, *, source: str) -> None:
        """Take over weights, and the statistics that came with them, for both the trained and the averaged network.

        Raises:
            ValueError: they belong to a model of other dimensions.
        """
        # The averaged network has the plain layout, with which adapters are merged.
        parameters = match_parameters(weights, self.average, dict(self.hparams_initial), source=source)
        load_merged_state(self.denoiser, parameters)
        self.average.load_state_dict(parameters)
        self.guidable = weights.hyper_parameters.get("cond_drop_prob", self.cond_drop_prob) != 0
        if weights.mean is not None and weights.std is not None:
            self.statistics.set(weights.mean, weights.std)

    def make_scores(self, activities: Sequence[str]) -> DenoisingScores:
        """Return empty scores for those activities."""
        return DenoisingScores(list(LOSSES), activities)

    def on_train_start(self) -> None:
        """Log how many parameters are trained; from here on guidance depends on how this run drops conditions."""
        super().on_train_start()
        self.guidable = self.cond_drop_prob > 0

    def training_step(self, batch: MotionBatch, batch_idx: int) -> Tensor:
        """Return the objective at random time steps."""
        draw = self.draw_step(batch.features.shape, batch_idx, num_steps=self.schedule.num_steps)
        dropped = draw.uniform < self.cond_drop_prob
        text = self.texts(batch.captions).drop(dropped)
        with seeded_dropout(draw.dropout_seed, self.device):
            prediction = self._predict_clean(self.denoiser, batch, draw.steps, text, draw.noise)
        terms = self.objective.compute_terms(prediction)
        shares = self.objective.weigh(terms, self.schedule.signal_to_noise[draw.steps], step=self.global_step)
        return self.finish_step(terms, shares)

    def _predict_clean(
        self, network: MotionNetwork, batch: MotionBatch, steps: Tensor, text: TextBatch, noise: Tensor
    ) -> Prediction:
        """Denoise a batch in one step, from time step indices ``steps (B,)`` on the CPU."""
        mask = mask_frames_of(batch.lengths, batch.features.shape[1])
        clean = self.statistics.normalise(batch.features, mask)
        noisy = self.schedule.add_noise(clean, steps, noise)
        timesteps = self.schedule.timestep_map[steps].to(self.device)
        text = text.to(self.device)
        predicted: Tensor = network(
            noisy, timesteps, text.embedding, batch.lengths, text_mask=text.mask, skip_padding=True
        )
        statistics, sensors = self.statistics, self.objective.sensors
        return Prediction(
            predicted.float(), clean, mask, statistics.mean, statistics.std, sensors,
            signal_to_noise=self.schedule.signal_to_noise[steps],
        )  # fmt: skip

    def score(self, batch: MotionBatch) -> None:
        """Add one-step predictions of the averaged network at fixed time steps."""
        text = self.texts(batch.captions)
        ids, lengths = batch.sample_id.tolist(), batch.lengths.tolist()
        truth: DecodedMotion | None = None
        for level, fraction in enumerate(PAIRED_FRACTIONS):
            steps = torch.full((len(lengths),), round(fraction * (self.schedule.num_steps - 1)))
            noise = paired_noise(ids, lengths, *batch.features.shape[1:], level=level).to(self.device)
            prediction = replace(self._predict_clean(self.average, batch, steps, text, noise), known_truth=truth)
            truth = prediction.truth
            terms = self.objective.compute_terms(prediction, LOSSES)
            total = self.objective.combine(terms, self.schedule.signal_to_noise[steps])
            self.scores.update(
                prediction, terms, total, activity=batch.activity, level=level, sample_id=batch.sample_id
            )
