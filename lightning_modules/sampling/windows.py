"""Motions longer than a prior was trained on: windows that overlap, denoised together.

A network has never seen a position beyond its training window and answers with a still person. So at each network call
the noisy motion is cut into windows of that length, all go through the network in one batch, and where two overlap
their predictions of the clean motion are cross-faded before the sampler takes its step: both windows start the next
step from the same noisy frames, so that what they predict grows together (MultiDiffusion, Bar-Tal et al. 2023,
arXiv:2302.08113, eq. 5; DoubleTake, Shafir et al. 2023, arXiv:2303.01418, section 4.1). Features are relative to the
root of their own frame, so no window has to be turned or moved to fit the one before. docs/decisions/038 compares this
with windows that are in-painted one after the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from datamodules.batches import LONGEST_S
from lightning_modules.sampling.samplers import PredictClean
from sim.conventions import FEATURE_FPS

OVERLAP_FRAMES: Final = round(1.0 * FEATURE_FPS)
"""Frames that two windows share at least."""

LONGEST_FRAMES: Final = round(LONGEST_S * FEATURE_FPS) + 1
"""Most frames of a motion: :data:`datamodules.batches.LONGEST_S`, both ends included."""

USUAL_WINDOW: Final = 196
"""Frames of HumanML3D's longest clips: the window of weights that do not say what they were trained on."""


@dataclass(frozen=True)
class Windows:
    """Where N windows lie in B motions.

    Attributes:
        rows: number of each window's motion, ascending.
        starts: first frame of each.
        sizes: frames of each.
        lengths: frames of each motion.
        overlap: frames over which neighbours are cross-faded, at most.
    """

    rows: list[int]
    starts: list[int]
    sizes: list[int]
    lengths: list[int]
    overlap: int

    @classmethod
    def spread(cls, lengths: Sequence[int], window: int, *, overlap: int = OVERLAP_FRAMES) -> Windows:
        """Spread windows of ``window`` frames evenly over motions; one holds a motion of up to a frame more.

        Frames are counted at both ends of a second, so a motion that lasts as long as the window has one more.
        """
        overlap = min(overlap, window // 2)
        rows: list[int] = []
        starts: list[int] = []
        sizes: list[int] = []
        for row, length in enumerate(lengths):
            count = 1 if length <= window + 1 else math.ceil((length - overlap) / (window - overlap))
            size = length if count == 1 else window
            rows += [row] * count
            starts += [round(number * (length - size) / max(count - 1, 1)) for number in range(count)]
            sizes += [size] * count
        return cls(rows, starts, sizes, list(lengths), overlap)

    @property
    def seams(self) -> list[list[int]]:
        """First frames of all windows of each motion but its first."""
        return [
            [start for owner, start in zip(self.rows, self.starts, strict=True) if owner == row and start > 0]
            for row in range(len(self.lengths))
        ]

    def apply(self, predict: PredictClean, device: torch.device) -> PredictClean:
        """Return ``predict``, which takes windows ``(N, W, F)``, as one that takes whole motions ``(B, T, F)``."""
        if len(self.rows) == len(self.lengths):
            return predict
        rows, starts, sizes = (torch.tensor(values, device=device) for values in (self.rows, self.starts, self.sizes))
        within = torch.arange(int(sizes.max()), device=device)
        inside = within < sizes[:, None]
        total = max(self.lengths)
        place = rows[:, None] * total + (starts[:, None] + within).clamp(max=total - 1)
        near_edge = torch.minimum(within + 1, sizes[:, None] - within)
        weight = torch.where(inside, near_edge.clamp(max=self.overlap), 0).float()
        shares = torch.zeros(len(self.lengths) * total, device=device).index_add_(0, place.flatten(), weight.flatten())
        weight = (weight / shares.clamp(min=1)[place])[..., None]

        def predict_whole(x: Tensor, timestep: int) -> Tensor:
            flat = x.flatten(0, 1)
            clean = predict(torch.where(inside[..., None], flat[place], 0.0), timestep)
            joined = torch.zeros_like(flat).index_add_(0, place.flatten(), (clean * weight).flatten(0, 1))
            return joined.view_as(x)

        return predict_whole


def check_window(lengths: Sequence[int], most: int, *, name: str) -> None:
    """Refuse motions longer than a model can make that has no windows.

    Args:
        lengths: frames of each motion.
        most: frames that the model makes, both ends of what it was trained on included.
        name: of the model.

    Raises:
        ValueError: it names the longest and what the model was trained on.
    """
    if max(lengths) > most:
        raise ValueError(
            f"num_frames is {max(lengths)}, but {name} makes whole motions and was trained on windows of {most - 1} "
            f"frames, {(most - 1) / FEATURE_FPS:g} s; ask for less, or use a MotionDiffusion"
        )
