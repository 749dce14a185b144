"""Turn text embeddings into normalised motions: seeds, lengths and guidance around the samplers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_modules.diffusion import Schedule
from lightning_modules.networks import Network
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.sampling.inpainting import KnownFeatures
from lightning_modules.sampling.samplers import SampleNoise, check_sampler, guide, sample
from lightning_modules.sampling.windows import LONGEST_FRAMES, Windows
from lightning_modules.text.lookup import TextBatch


class GeneratedMotions(NamedTuple):
    """What predicting on prompts returns.

    Attributes:
        features: de-normalised features ``(B, T, 263)`` at 20 fps, zero beyond each length.
        lengths: frames ``(B,)``.
        index: running number of each motion in the whole set ``(B,)``.
    """

    features: Tensor
    lengths: Tensor
    index: Tensor  # type: ignore[assignment]  # a field of this name shadows tuple.index, as in PromptBatch


@dataclass(frozen=True)
class SamplingOptions:
    """How to sample.

    Attributes:
        guidance: classifier-free guidance scale; 1 is none. None takes the weights' own.
        sampler: one of :data:`lightning_modules.sampling.samplers.SAMPLER_NAMES`.
        steps: network calls per motion; None takes all of the schedule.

    Raises:
        ValueError: the sampler is unknown, or the guidance is negative or no number.
    """

    guidance: float | None = None
    sampler: str = "ddpm"
    steps: int | None = None

    def __post_init__(self) -> None:
        check_sampler(self.sampler)
        if self.guidance is not None and not 0.0 <= self.guidance < math.inf:
            raise ValueError(f"guidance is {self.guidance}, expected 1 (none) or a few, never below 0")

    def scale(self, usual: float) -> float:
        """Return the guidance scale, the usual one where none is asked for."""
        return usual if self.guidance is None else self.guidance


def resolve_lengths(num_frames: int | Sequence[int], count: int) -> list[int]:
    """Return one length per motion.

    Raises:
        ValueError: the number of lengths is another one, or a length is below 1 or beyond 60 s.
    """
    lengths = [num_frames] * count if isinstance(num_frames, int) else [int(length) for length in num_frames]
    if len(lengths) != count:
        raise ValueError(f"num_frames has {len(lengths)} entries for {count} prompts, expected one each or one number")
    if min(lengths) < 1:
        raise ValueError(f"num_frames is {min(lengths)} for prompt {lengths.index(min(lengths))}, expected at least 1")
    if max(lengths) > LONGEST_FRAMES:
        raise ValueError(
            f"num_frames is {max(lengths)} for prompt {lengths.index(max(lengths))}, expected at most "
            f"{LONGEST_FRAMES}, 60 s; ask for several motions"
        )
    return lengths


def resolve_seeds(seeds: Sequence[int] | None, count: int) -> list[int]:
    """Return one seed per motion; without any they come from torch's global generator (Lightning's seed).

    Raises:
        ValueError: the number of seeds is another one.
    """
    if seeds is None:
        return torch.randint(2**62, (count,)).tolist()
    if len(seeds) != count:
        raise ValueError(f"seeds has {len(seeds)} entries for {count} prompts, expected one each")
    return list(seeds)


def generate_normalised(
    denoiser: Network,
    schedule: Schedule,
    text: TextBatch,
    options: SamplingOptions,
    *,
    num_frames: int | Sequence[int],
    seeds: Sequence[int] | None,
    known: KnownFeatures | None = None,
    window: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Sample normalised motions.

    Args:
        denoiser: the network, in evaluation mode.
        schedule: the process that it was trained on.
        text: embeddings of B texts, on the network's device.
        options: sampler and guidance.
        num_frames: length of all motions or of each.
        seeds: one per motion: the same text, length and seed give the same motion whatever else is in the batch. None
            draws them from torch's global generator.
        known: normalised features to in-paint around, T the largest length.
        window: frames that the network was trained on: longer motions are denoised in windows of that many that
            overlap (:mod:`lightning_modules.sampling.windows`). None passes everything through whole.

    Returns:
        Normalised features ``(B, T, F)`` with T the largest length, and which of their frames are inside ``(B, T)``.

    Raises:
        ValueError: lengths or seeds do not fit, or there are more sampling steps than the schedule has.
    """
    lengths = resolve_lengths(num_frames, len(text.embedding))
    seeds = resolve_seeds(seeds, len(text.embedding))
    device = text.embedding.device
    motions = torch.zeros(len(lengths), max(lengths), denoiser.num_features, device=device)
    # Without frame masking padding changes the valid frames, so motions of different lengths must not share a batch.
    groups = [set(lengths)] if denoiser.mask_frames else [{length} for length in sorted(set(lengths))]
    for group in groups:
        rows = [row for row, length in enumerate(lengths) if length in group]
        sizes = [lengths[row] for row in rows]
        noise = SampleNoise([seeds[row] for row in rows], sizes, denoiser.num_features, device)
        windows = Windows.spread(sizes, max(sizes) if window is None else window)
        words = text.take([rows[row] for row in windows.rows])
        predict = guide(
            denoiser,
            words.embedding,
            torch.tensor(windows.sizes, device=device),
            guidance=options.scale(1.0),
            guided_from=schedule.guided_from,
            text_mask=words.mask,
        )
        predict = windows.apply(predict, device)
        if known is not None:
            predict = known.select(rows, max(sizes)).hold(predict)
        start = noise(schedule.num_steps)
        drawn = sample(options.sampler, predict, start, schedule, noise, steps=options.steps)
        motions[rows, : max(sizes)] = drawn
    return motions, mask_frames_of(torch.tensor(lengths, device=device), max(lengths))
