"""MotionDiffusion: train, fine-tune, score and sample a text-conditioned motion diffusion prior.

Predicts the clean motion (Tevet et al. 2022, arXiv:2209.14916) or, if asked, the noise. Fine-tuning with an
acceleration loss follows Häusler et al. 2025 (arXiv:2512.08859).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor, nn

from datamodules.batches import MotionBatch
from lightning_modules.decoded_motion import DecodedMotion
from lightning_modules.diffusion import ProcessOptions, Schedule
from lightning_modules.losses import LOSSES, Prediction
from lightning_modules.metrics.denoising_scores import PAIRED_FRACTIONS, DenoisingScores
from lightning_modules.networks import MotionNetwork, NetworkOptions, OwnNetwork, build_network
from lightning_modules.networks.lora import load_merged_state
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.networks.parameterisation import Coarse, Parameterisation
from lightning_modules.networks.skip import SkipOptions, build_skip
from lightning_modules.objective import LossOptions, Objective
from lightning_modules.rollout import Rollout, RolloutOptions
from lightning_modules.sampling.motion_generator import MotionGenerator
from lightning_modules.sampling.normalised import SamplingOptions
from lightning_modules.text.lookup import TextBatch, TextLookup
from lightning_modules.training.feature_statistics import FeatureStatistics
from lightning_modules.training.flat_names import MOTION_DIFFUSION
from lightning_modules.training.optimisation import OptimiserOptions, check_fractions
from lightning_modules.training.randomness import paired_noise, seeded_dropout
from lightning_modules.training.recipes import RecipeOptions, apply_recipe, compile_forward
from lightning_modules.weights import Weights, adopt_network, match_parameters, match_same_network, read_weights
from sim.options import takes_flat_names

_ROLLOUT: Final = "rollout"


class MotionDiffusion(MotionGenerator):
    """A diffusion prior over HumanML3D features, as a LightningModule.

    Features come in and go out raw; the module normalises them with its own statistics, which travel in its checkpoint.
    Time steps, noise, dropped conditions and dropout of a training step depend on ``train_seed``, the step's number and
    the rank alone: runs that differ in their losses see the same randomness, and a resumed run goes on exactly.

    Args:
        network: which denoiser of the project's own, and its sizes.
        denoiser: a network of the user's own instead, see :mod:`lightning_modules.networks.own`; of ``network`` only
            ``text_dim`` and ``skip`` count then.
        process: noise schedule, what the network computes, and how often captions are dropped.
        losses: what is minimised.
        rollout: what is lowered along the model's own sampling beside that.
        optimiser: how.
        ema_decay: of the averaged weights that validation, test, predict and generate use.
        recipe: which parameters are trained.
        sampling: how predict samples.
        init_from: weights to start from, anything that :func:`lightning_modules.weights.find_weights` finds; not a
            hyper-parameter, because a checkpoint needs it no more. Fields of ``network`` and ``process`` that say what
            the network is, and stand at their defaults, are the weights'.
        text_encoder: ``minilm``, ``clip`` or ``distilbert``; ``clip:FOLDER`` reads a Hugging Face model folder.
        cache_dir: where text embeddings are kept.
        train_seed: seed of the training randomness.

    The fields of the groups may be given flat, too: :data:`lightning_modules.training.flat_names.MOTION_DIFFUSION`.

    Raises:
        ValueError: a name is unknown, a number is out of range, or ``init_from`` has other dimensions.
        FileNotFoundError: ``init_from`` does not exist.
    """

    denoiser: MotionNetwork
    average: MotionNetwork

    @takes_flat_names(MOTION_DIFFUSION)
    def __init__(
        self,
        *,
        network: NetworkOptions = NetworkOptions(),
        denoiser: nn.Module | None = None,
        process: ProcessOptions = ProcessOptions(),
        losses: LossOptions = LossOptions(),
        rollout: RolloutOptions = RolloutOptions(),
        optimiser: OptimiserOptions = OptimiserOptions(),
        ema_decay: float = 0.999,
        recipe: RecipeOptions = RecipeOptions(),
        sampling: SamplingOptions = SamplingOptions(),
        init_from: str | None = None,
        text_encoder: str = "minilm",
        cache_dir: str = "runs/cache/text",
        train_seed: int = 0,
    ) -> None:
        super().__init__()
        stored = None if init_from is None else read_weights(init_from)
        adopted: dict[str, object] = {}
        if stored is not None and denoiser is None:
            network, process = adopt_network(stored, network, process)
            adopted = {"network": network, "process": process}
        # Where files lie says nothing about the model, and the data module has a cache_dir of its own.
        self.save_plainly(ignore=["init_from", "cache_dir"], adopted=adopted)
        check_fractions(ema_decay=ema_decay)
        self.schedule = Schedule.named(process.noise_schedule, process.num_steps)
        self.losses, self.optimiser, self.sampling = losses, optimiser, sampling
        self.objective = Objective.of(losses)
        self.rollout: Rollout | None = None
        self._rollout_before: object = None
        if rollout.weight > 0:
            if process.cond_drop_prob == 0 and rollout.guidance != 1.0:
                raise ValueError(f"rollout.guidance is {rollout.guidance}, but cond_drop_prob is 0; use guidance 1")
            self.rollout = Rollout(rollout, self.schedule, self.objective.sensors, self.objective.spectra)
        self.cond_drop_prob, self.part_drop_prob = process.cond_drop_prob, process.part_drop_prob
        self.noisier, self.usual_guidance = process.noisier, process.usual_guidance
        self.can_be_guided = process.cond_drop_prob > 0
        self.ema_decay = ema_decay
        self.train_seed = train_seed
        skip = build_skip(
            SkipOptions(network.skip, network.skip_frames, network.skip_until),
            self.schedule,
            text_dim=network.condition_dim,
        )
        parameterisation = Parameterisation(process.predicts, self.schedule, skip)
        if denoiser is None:
            self.denoiser = build_network(network, parameterisation)
        else:
            self.denoiser = OwnNetwork(denoiser, parameterisation, text_dim=network.condition_dim)
        self.average = copy.deepcopy(self.denoiser).requires_grad_(False).eval()
        apply_recipe(self.denoiser, recipe, seed=train_seed)
        if recipe.compile:
            compile_forward(self.denoiser)
        self.statistics = FeatureStatistics()
        self.texts = TextLookup(
            text_encoder, dim=network.text_dim, cache_dir=cache_dir, activities=network.activities or ()
        )
        self.scores = self.make_scores(["all"])
        if stored is not None:
            self.load_weights(stored, source=str(init_from))

    def load_weights(self, weights: Weights, *, source: str) -> None:
        """Take over weights, and the statistics that came with them, for both the trained and the averaged network.

        Raises:
            ValueError: they belong to a model of other dimensions.
        """
        # The averaged network has the plain layout, with which adapters are merged.
        if isinstance(self.average, OwnNetwork):
            parameters = match_same_network(weights.parameters, self.average, source=source)
        else:
            parameters = match_parameters(weights, self.average, self.arguments, source=source)
        load_merged_state(self.denoiser, parameters)
        self.average.load_state_dict(parameters)
        self.can_be_guided = weights.hyper_parameters.get("cond_drop_prob", self.cond_drop_prob) != 0
        self.window_frames = weights.window_frames or self.window_frames
        if weights.mean is not None and weights.std is not None:
            self.statistics.set(weights.mean, weights.std)

    def make_scores(self, activities: Sequence[str]) -> DenoisingScores:
        """Return empty scores for those activities."""
        return DenoisingScores(list(LOSSES), activities)

    def setup(self, stage: str) -> None:
        """Also measure recorded motion, which the rollout is held to."""
        super().setup(stage)
        if stage == "fit" and self.rollout is not None:
            self.rollout.prepare(getattr(self.trainer, "datamodule", None))

    def on_train_start(self) -> None:
        """Log how many parameters are trained; from here on guidance depends on how this run drops conditions."""
        super().on_train_start()
        self._resume_rollout()
        self.can_be_guided = self.cond_drop_prob > 0

    def training_step(self, batch: MotionBatch, batch_idx: int) -> Tensor:
        """Return the objective at random time steps."""
        draw = self.draw_step(batch.features.shape, batch_idx, num_steps=self.schedule.num_steps, noisier=self.noisier)
        text = self.drop_condition(self.embed_captions(batch), draw.uniform)
        coarse: list[Coarse] = []
        with seeded_dropout(draw.dropout_seed, self.device):
            prediction = self._predict_clean(self.denoiser, batch, draw.steps, text, draw.noise, coarse)
        terms = self.objective.compute_terms(prediction)
        shares = self.objective.weigh(terms, self.schedule.signal_to_noise[draw.steps], step=self.global_step)
        left_out = self._judge_skip(prediction, coarse)
        terms |= left_out
        shares |= left_out
        if self.rollout is not None and self.global_step % self.rollout.options.every == 0:
            keys = self.name_step(batch_idx)
            distances = self.rollout.advance(self.denoiser, self.texts, self.statistics, keys=keys, device=self.device)
            terms |= distances
            shares |= self.rollout.weigh(distances, step=self.global_step)
        return self.finish_step(terms, shares)

    def on_save_checkpoint(self, checkpoint: dict[str, object]) -> None:
        """Keep where the rollout is, of all processes."""
        state = None if self.rollout is None else self.rollout.state()
        if state is not None:
            keys, call, x = state
            gathered = self.all_gather(x)
            if isinstance(gathered, Tensor):
                checkpoint[_ROLLOUT] = {"keys": keys, "call": call, "x": gathered.reshape(-1, *x.shape).cpu()}

    def on_load_checkpoint(self, checkpoint: dict[str, object]) -> None:
        """Take the rollout up where it was; with another number of processes a new one begins."""
        super().on_load_checkpoint(checkpoint)
        self._rollout_before = checkpoint.get(_ROLLOUT)

    def _resume_rollout(self) -> None:
        before, self._rollout_before = self._rollout_before, None
        if self.rollout is None:
            return
        self.rollout.restore(None, rank=self.global_rank)
        # Whoever loads a checkpoint to start a new run from it begins a new rollout as well.
        if self.global_step > 0 and isinstance(before, dict) and len(before["x"]) == self.trainer.world_size:
            x = before["x"][self.global_rank].to(self.device)
            self.rollout.restore((before["keys"], before["call"], x), rank=self.global_rank)

    def _judge_skip(self, prediction: Prediction, coarse: Sequence[Coarse]) -> dict[str, Tensor]:
        """Return the loss ``left_out`` of each clip ``(B,)``, which only a skip that learns so has."""
        skip = self.denoiser.parameterisation.skip
        if skip is None:
            return {}
        (start,) = coarse
        value = skip.negative_log_likelihood(start.predicted, prediction.target, prediction.mask, start.told)
        return {} if value is None else {"left_out": value}

    def _predict_clean(
        self,
        network: MotionNetwork,
        batch: MotionBatch,
        steps: Tensor,
        text: TextBatch,
        noise: Tensor,
        coarse: list[Coarse] | None = None,
    ) -> Prediction:
        """Denoise a batch in one step, from time step indices ``steps (B,)`` on the CPU."""
        mask = mask_frames_of(batch.lengths, batch.features.shape[1])
        clean = self.statistics.normalise(batch.features, mask)
        noisy = self.schedule.add_noise(clean, steps, noise)
        timesteps = self.schedule.timestep_map[steps].to(self.device)
        text = text.to(self.device)
        predicted: Tensor = network(
            noisy, timesteps, text.embedding, batch.lengths, text_mask=text.mask, skip_padding=True, coarse=coarse
        )
        return self.pair(
            predicted, clean, mask, activity=batch.activity, signal_to_noise=self.schedule.signal_to_noise[steps]
        )

    def score(self, batch: MotionBatch) -> None:
        """Add one-step predictions of the averaged network at fixed time steps."""
        text = self.embed_captions(batch)
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
