"""The generating half of MotionDiffusion: motions from prompts, around what is given of them if anything is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from datamodules.batches import MotionBatch, PromptBatch
from lightning_modules.diffusion import Schedule
from lightning_modules.networks import Network
from lightning_modules.sampling.inpainting import KnownFeatures, resolve_known
from lightning_modules.sampling.normalised import (
    GeneratedMotions,
    SamplingOptions,
    generate_normalised,
    resolve_lengths,
)
from lightning_modules.sampling.windows import LONGEST_FRAMES, USUAL_WINDOW
from lightning_modules.text.lookup import TextBatch, TextLookup
from lightning_modules.training.trained_prior import TrainedPrior
from lightning_modules.training.window_length import frames_of_window, window_of_checkpoint
from sim.conventions import NUM_FEATURES


class MotionGenerator(TrainedPrior):
    """A module that samples with its averaged network; the class that inherits it sets the attributes.

    Attributes:
        average: the network that samples.
        schedule: the process that it was trained on.
        texts: embeddings of prompts.
        cond_drop_prob: share of clips that are trained without any condition.
        part_drop_prob: share of clips that are trained without their activity, and without their caption.
        usual_guidance: scale of whoever asks for none.
        can_be_guided: whether the weights were trained with dropped conditions, without which there is no guidance.
        sampling: how predict samples.
        window_frames: frames of the windows that the weights were trained on, None where nobody says. Longer motions
            are put together of such windows.
    """

    average: Network
    schedule: Schedule
    texts: TextLookup
    cond_drop_prob: float
    part_drop_prob: float
    can_be_guided: bool
    usual_guidance: float
    sampling: SamplingOptions
    window_frames: int | None = None

    @property
    def longest_frames(self) -> int:
        """Most frames of a motion that it generates."""
        return LONGEST_FRAMES

    def setup(self, stage: str) -> None:
        """Also take the length of the windows that it is trained on."""
        super().setup(stage)
        if stage == "fit":
            known = getattr(getattr(self.trainer, "datamodule", None), "hparams", {})
            self.window_frames = frames_of_window(known.get("window_s")) or self.window_frames

    def on_load_checkpoint(self, checkpoint: dict[str, object]) -> None:
        """Take the length of the windows that the checkpoint's weights were trained on."""
        self.window_frames = window_of_checkpoint(checkpoint) or self.window_frames

    def embed_captions(self, batch: MotionBatch) -> TextBatch:
        """Return what the network is told of clips: captions, and activities if it knows any."""
        known = self.activity_names
        names = [known[number] if known else None for number in batch.activity.tolist()]
        return self.texts(batch.captions, names)

    def drop_condition(self, text: TextBatch, uniform: Tensor) -> TextBatch:
        """Return a batch without the condition of some clips, and without a part of it of others.

        Args:
            text: what the network is told.
            uniform: a draw for each clip ``(B,)`` in [0, 1).
        """
        none, part = self.cond_drop_prob, self.part_drop_prob
        text = text.drop(uniform < none)
        if text.num_activities:
            text = text.drop_activity((uniform >= none) & (uniform < none + part))
            text = text.drop_words((uniform >= none + part) & (uniform < none + 2 * part))
        return text

    def predict_step(self, batch: PromptBatch, batch_idx: int) -> GeneratedMotions:
        """Generate motions for prompts as :attr:`sampling` says."""
        features = self.generate(
            batch.texts,
            num_frames=batch.lengths.tolist(),
            guidance=self.sampling.guidance,
            sampler=self.sampling.sampler,
            steps=self.sampling.steps,
            seeds=batch.seeds,
            activities=batch.activities,
        )
        return GeneratedMotions(features, batch.lengths, batch.index)

    @torch.no_grad()
    def generate(
        self,
        texts: Sequence[str],
        *,
        num_frames: int | Sequence[int],
        guidance: float | None = None,
        sampler: str = "ddpm",
        steps: int | None = None,
        seeds: Sequence[int] | None = None,
        activities: Sequence[str | None] | None = None,
        known: Tensor | None = None,
        known_mask: Tensor | None = None,
    ) -> Tensor:
        """Generate one motion per prompt with the averaged weights.

        Args:
            texts: B prompts.
            num_frames: length of all motions or of each, in frames at 20 fps, up to 60 s. Motions longer than the
                windows that the weights were trained on are put together (:mod:`lightning_modules.sampling.windows`).
            guidance: classifier-free guidance scale; 1 is none. None takes :attr:`usual_guidance`.
            sampler: ``ddpm``, ``ddim``, ``dpm++`` or ``sde-dpm++``.
            steps: network calls per motion; None takes all of the schedule.
            seeds: one per motion: text, length and seed decide the motion, to rounding, whatever else is in the batch.
                None draws them from torch's global generator.
            activities: the activity of each, for weights that are told it (:attr:`texts`); without them what the texts
                speak of. One that the weights do not know is left to the text.
            known: raw features ``(B, T, 263)`` to in-paint around, see :mod:`lightning_modules.sampling.inpainting`.
            known_mask: which of them are kept, bool, whole frames ``(B, T)`` or single features ``(B, T, 263)``:
                ``mask[:, :20] = True`` continues a clip.

        Returns:
            De-normalised HumanML3D features ``(B, T, 263)``, T the largest length, zero beyond each length;
            what is known comes back bit for bit.

        Raises:
            ValueError: no prompts, an unknown sampler, more steps than the schedule has, lengths or seeds that do not
                fit, known features that do not fit, no statistics, or guidance of a model that was trained without
                dropping conditions.
        """
        if guidance is None:
            guidance = self.usual_guidance if self.can_be_guided else 1.0
        options = SamplingOptions(guidance=guidance, sampler=sampler, steps=steps)
        if guidance != 1.0 and not self.can_be_guided:
            raise ValueError(f"guidance is {guidance}, but the model was trained with cond_drop_prob=0; use guidance=1")
        self.statistics.require()
        text = self.texts(texts, activities).to(self.device)
        lengths = resolve_lengths(num_frames, len(texts))
        raw = resolve_known(known, known_mask, lengths, NUM_FEATURES, text.embedding.device)
        known_part = None
        if raw is not None:
            known_part = replace(raw, values=self.statistics.normalise(raw.values, raw.mask.any(dim=-1)))
        motions, mask = self.sample_normalised(text, options, lengths=lengths, seeds=seeds, known=known_part)
        features = self.statistics.denormalise(motions, mask)
        return features if raw is None else raw.put_into(features)

    def sample_normalised(
        self,
        text: TextBatch,
        options: SamplingOptions,
        *,
        lengths: Sequence[int],
        seeds: Sequence[int] | None,
        known: KnownFeatures | None,
    ) -> tuple[Tensor, Tensor]:
        """Return normalised motions ``(B, T, 263)`` and which of their frames are inside ``(B, T)``.

        Arguments as for :func:`lightning_modules.sampling.normalised.generate_normalised`.
        """
        return generate_normalised(
            self.average,
            self.schedule,
            text,
            options,
            num_frames=lengths,
            seeds=seeds,
            known=known,
            window=USUAL_WINDOW if self.window_frames is None else self.window_frames,
        )


@runtime_checkable
class GeneratesMotion(Protocol):
    """A module that turns prompts into features, as MotionDiffusion does."""

    def generate(
        self,
        texts: Sequence[str],
        *,
        num_frames: int | Sequence[int],
        guidance: float | None = None,
        sampler: str = "ddpm",
        steps: int | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Tensor:
        """Return de-normalised features ``(B, T, 263)``."""
        ...
