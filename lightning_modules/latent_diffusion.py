"""LatentMotionDiffusion: diffusion over the latents of a MotionVAE (MLD, Chen et al. 2022, arXiv:2212.04048)."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import torch
from torch import Tensor, nn

from datamodules.batches import MotionBatch
from lightning_modules.decoded_motion import DecodedMotion
from lightning_modules.diffusion import ProcessOptions, Schedule
from lightning_modules.losses import Prediction
from lightning_modules.metrics.denoising_scores import PAIRED_FRACTIONS, DenoisingScores
from lightning_modules.motion_vae import MOTION_LOSSES
from lightning_modules.networks.latent import AutoencoderOptions, LatentDenoiser, LatentDenoiserOptions
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.networks.parameterisation import Parameterisation
from lightning_modules.objective import LossOptions, Objective
from lightning_modules.sampling.inpainting import KnownFeatures
from lightning_modules.sampling.motion_generator import MotionGenerator
from lightning_modules.sampling.normalised import SamplingOptions, generate_normalised
from lightning_modules.sampling.windows import USUAL_WINDOW, check_window
from lightning_modules.text.lookup import TextBatch, TextLookup
from lightning_modules.training.feature_statistics import FeatureStatistics
from lightning_modules.training.flat_names import LATENT_MOTION_DIFFUSION
from lightning_modules.training.optimisation import OptimiserOptions, check_fractions
from lightning_modules.training.randomness import paired_noise, seeded_dropout
from lightning_modules.training.recipes import RecipeOptions, compile_forward
from lightning_modules.weights import adopt_latent_network, load_same_network
from lightning_modules.weights.latent import LatentWeights, check_start, read_start
from sim.options import takes_flat_names

_PROCESS: Final = ProcessOptions(num_steps=1000, noise_schedule="scaled_linear", predicts="noise")


@dataclass(frozen=True)
class VaeOptions:
    """What of a MotionVAE's sizes is not the denoiser's as well.

    Attributes:
        layers: ``num_layers`` of the MotionVAE.
        feedforward: ``feedforward`` of the MotionVAE.
    """

    layers: int = 5
    feedforward: int = 256


class LatentMotionDiffusion(MotionGenerator):
    """A diffusion prior over latents, as a LightningModule; the frozen autoencoder travels in its checkpoint.

    Clips are encoded to their mean latents, divided by the deviation that the autoencoder's training saw (Rombach et
    al. 2022, arXiv:2112.10752, appendix G). ``latent``, the error of what the network predicts there, is always
    trained on; losses on the decoded motion join it by weight, through the frozen decoder.

    Args:
        vae_from: ``.ckpt`` of the MotionVAE, or ``.safetensors`` of ``save_vae``; only a run that starts anew needs it.
        vae: what of the MotionVAE's sizes is its own; the others are the network's.
        network: sizes of the denoiser.
        process: noise schedule, what the denoiser computes, and how often captions are dropped.
        losses: what is minimised on the decoded motion beside ``latent``; without weights, nothing.
        optimiser: how.
        ema_decay: of the averaged weights.
        recipe: whether the trained network is compiled; all of it is trained.
        sampling: how predict samples.
        init_from: weights of this class to start from (a packaged name, ``.safetensors`` or ``.ckpt``), instead of
            ``vae_from``. Fields of ``network``, ``vae`` and ``process`` that stand at their defaults are the weights'.
        text_encoder: ``minilm``, ``clip`` or ``distilbert``; ``clip:FOLDER`` reads a Hugging Face model folder.
        cache_dir: where text embeddings are kept.
        train_seed: seed of the training randomness.

    The fields of the groups may be given flat, too:
    :data:`lightning_modules.training.flat_names.LATENT_MOTION_DIFFUSION`.

    Raises:
        ValueError: a name is unknown, a number is out of range, or a checkpoint is of another model.
        FileNotFoundError: a checkpoint does not exist.
    """

    average: LatentDenoiser
    latent_std: Tensor

    @takes_flat_names(LATENT_MOTION_DIFFUSION)
    def __init__(
        self,
        *,
        vae_from: str | None = None,
        vae: VaeOptions = VaeOptions(),
        network: LatentDenoiserOptions = LatentDenoiserOptions(),
        process: ProcessOptions = _PROCESS,
        losses: LossOptions = LossOptions(),
        optimiser: OptimiserOptions = OptimiserOptions(),
        ema_decay: float = 0.999,
        recipe: RecipeOptions = RecipeOptions(),
        sampling: SamplingOptions = SamplingOptions(sampler="ddim", steps=50),
        init_from: str | None = None,
        text_encoder: str = "minilm",
        cache_dir: str = "runs/cache/text",
        train_seed: int = 0,
    ) -> None:
        super().__init__()
        stored = read_start(init_from, vae_from)
        adopted: dict[str, object] = {}
        if stored is not None and init_from is not None:
            network, vae, process = adopt_latent_network(stored, network, vae, process, usual=_PROCESS)
            adopted = {"network": network, "vae": vae, "process": process}
        self.save_plainly(ignore=["vae_from", "init_from", "cache_dir"], adopted=adopted)
        check_fractions(ema_decay=ema_decay)
        if (losses.weights or {}).get("noise"):
            raise ValueError("loss 'noise' is of the motion, here only the latent has noise; leave it out")
        if recipe.trainable != "all":
            raise ValueError(f"trainable is {recipe.trainable!r}, expected 'all', as latents' denoisers are")
        self.losses, self.optimiser, self.sampling = losses, optimiser, sampling
        self.schedule = Schedule.named(process.noise_schedule, process.num_steps)
        # Which sensors scores read is part of the objective, so it exists without any loss on decoded motion too.
        self.decodes = any((losses.weights or {}).values())
        self.objective = Objective.of(losses if self.decodes else replace(losses, weights=None))
        self.cond_drop_prob, self.part_drop_prob = process.cond_drop_prob, process.part_drop_prob
        self.noisier, self.usual_guidance = process.noisier, process.usual_guidance
        self.can_be_guided = process.cond_drop_prob > 0
        self.ema_decay = ema_decay
        self.train_seed = train_seed
        self.denoiser = LatentDenoiser(
            width=network.width, num_layers=network.num_layers, num_heads=network.num_heads,
            feedforward=network.feedforward, text_dim=network.condition_dim, dropout=network.dropout,
            parameterisation=Parameterisation(process.predicts, self.schedule),
        )  # fmt: skip
        self.average = copy.deepcopy(self.denoiser).requires_grad_(False).eval()
        if recipe.compile:
            compile_forward(self.denoiser)
        autoencoder = AutoencoderOptions(
            network.width, network.latent_tokens, vae.layers, network.num_heads, vae.feedforward, dropout=0.0
        )
        self.vae = autoencoder.build().requires_grad_(False).eval()
        self.register_buffer("latent_std", torch.zeros(()))
        self.statistics = FeatureStatistics()
        self.texts = TextLookup(
            text_encoder, dim=network.text_dim, cache_dir=cache_dir, activities=network.activities or ()
        )
        self.scores = self.make_scores(["all"])
        if stored is not None:
            self._load(stored, init_from, vae_from)

    def _load(self, stored: LatentWeights, init_from: str | None, vae_from: str | None) -> None:
        check_start(stored, self.arguments, init_from=init_from, vae_from=vae_from)
        if init_from is not None:
            load_same_network(stored.parameters, (self.denoiser, self.average), source=init_from)
            self.can_be_guided = stored.hyper_parameters.get("cond_drop_prob", self.cond_drop_prob) != 0
        load_same_network(stored.autoencoder, [self.vae], source=str(init_from or vae_from))
        self.latent_std.copy_(stored.latent_std)
        self.window_frames = stored.window_frames or self.window_frames
        stored.give_statistics(self.statistics)

    def make_scores(self, activities: Sequence[str]) -> DenoisingScores:
        """Return empty scores for those activities."""
        return DenoisingScores([*MOTION_LOSSES, "latent"], activities)

    def train(self, mode: bool = True) -> Self:
        """Set training mode; the averaged network and the autoencoder always stay in evaluation mode."""
        super().train(mode)
        self.vae.eval()
        return self

    def require_autoencoder(self) -> None:
        """Refuse to go on without an autoencoder.

        Raises:
            ValueError: there is none.
        """
        # Asked when it is needed and not in ``setup``, which comes before a checkpoint is restored.
        if self.latent_std == 0:
            raise ValueError(
                "there is no autoencoder for the latents; give vae_from, the last.ckpt of a MotionVAE "
                "(experiments/baselines/motion_vae.yaml), or init_from, one of this class"
            )

    def on_train_start(self) -> None:
        """Log how many parameters are trained; from here on guidance depends on how this run drops conditions."""
        super().on_train_start()
        self.can_be_guided = self.cond_drop_prob > 0

    def training_step(self, batch: MotionBatch, batch_idx: int) -> Tensor:
        """Return the objective at random time steps."""
        mask, clean, latent = self._encode(batch)
        draw = self.draw_step(latent.shape, batch_idx, num_steps=self.schedule.num_steps, noisier=self.noisier)
        text = self.drop_condition(self.embed_captions(batch), draw.uniform)
        with seeded_dropout(draw.dropout_seed, self.device):
            predicted = self._denoise(self.denoiser, latent, draw.steps, text, draw.noise)
        error = self._latent_error(predicted, latent, draw.steps)
        terms, shares = {"latent": error}, {"latent": error}
        if self.decodes:
            decoded = self.objective.compute_terms(self._decode(predicted, clean, mask, batch, draw.steps))
            terms |= decoded
            shares |= self.objective.weigh(decoded, self.schedule.signal_to_noise[draw.steps], step=self.global_step)
        return self.finish_step(terms, shares)

    @torch.no_grad()
    def _encode(self, batch: MotionBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Return frames inside ``(B, T)``, normalised features and latents ``(B, tokens, width)`` of deviation 1.

        Raises:
            ValueError: no autoencoder was loaded.
        """
        self.require_autoencoder()
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

    def _decode(self, latent: Tensor, clean: Tensor, mask: Tensor, batch: MotionBatch, steps: Tensor) -> Prediction:
        decoded = self.vae.decode(latent * self.latent_std, batch.lengths, clean.shape[1])
        # Of the latent, for the losses whose average over the batch has to know; the loss ``noise`` is none of these.
        ratio = self.schedule.signal_to_noise[steps]
        return self.pair(decoded, clean, mask, activity=batch.activity, signal_to_noise=ratio)

    def score(self, batch: MotionBatch) -> None:
        """Add one-step predictions of the averaged network at fixed time steps, decoded."""
        for level, (prediction, error, steps) in enumerate(self.predict_levels(batch)):
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

    def predict_levels(self, batch: MotionBatch) -> Iterator[tuple[Prediction, Tensor, Tensor]]:
        """Yield one-step predictions of a batch from fixed shares of the schedule, decoded, by the averaged network.

        The noise, a function of clip and level alone, is of the latent.

        Yields:
            The prediction, the error of the latent ``(B,)`` and time step indices ``(B,)``, for each of
            :data:`lightning_modules.metrics.denoising_scores.PAIRED_FRACTIONS`.
        """
        mask, clean, latent = self._encode(batch)
        text = self.embed_captions(batch)
        ids, sizes = batch.sample_id.tolist(), [latent.shape[1]] * len(latent)
        truth: DecodedMotion | None = None
        for level, fraction in enumerate(PAIRED_FRACTIONS):
            steps = torch.full((len(latent),), round(fraction * (self.schedule.num_steps - 1)))
            noise = paired_noise(ids, sizes, *latent.shape[1:], level=level).to(self.device)
            predicted = self._denoise(self.average, latent, steps, text, noise)
            prediction = replace(self._decode(predicted, clean, mask, batch, steps), known_truth=truth)
            truth = prediction.truth
            yield prediction, self._latent_error(predicted, latent, steps), steps

    @property
    def longest_frames(self) -> int:
        """Most frames of a motion: a latent of fixed size cannot say more than what was trained on."""
        return (USUAL_WINDOW if self.window_frames is None else self.window_frames) + 1

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
            ValueError: features are known, which a latent cannot hold fixed, a motion is longer than what was trained
                on, which a latent of fixed size cannot say, or there is no autoencoder.
        """
        if known is not None:
            raise ValueError("known features were given, but latents cannot be in-painted; use a MotionDiffusion")
        self.require_autoencoder()
        check_window(lengths, self.longest_frames, name=type(self).__name__)
        frames = [self.vae.latent_tokens] * len(lengths)
        latent, _ = generate_normalised(self.average, self.schedule, text, options, num_frames=frames, seeds=seeds)
        counts = torch.tensor(lengths, device=latent.device)
        motion = self.vae.decode(latent * self.latent_std, counts, max(lengths))
        return motion.float(), mask_frames_of(counts, max(lengths))
