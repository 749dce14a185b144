"""Recorded motion that a prior is held against: windows of the training and the test side of a data module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from datamodules import MotionDataModule
from datamodules.splits import Split
from experiments.prior.quality.config import QualityConfig
from sim.conventions import FEATURE_FPS

SHORTEST_S = 1.0
"""Recorded clips below this are left out."""


@dataclass(frozen=True)
class RecordedWindows:
    """Windows of recorded motion.

    Attributes:
        features: raw features of each ``(T_i, 263)``.
        activities: of each.
        captions: one of each.
        clips: name of the clip that each was cut from.
        constructed: whether that was made by a formula.
    """

    features: list[Tensor]
    activities: list[str]
    captions: list[str]
    clips: list[str]
    constructed: list[bool]

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.features)

    def take(self, rows: Sequence[int]) -> RecordedWindows:
        """Return some of them."""
        return RecordedWindows(*([values[row] for row in rows] for values in vars(self).values()))

    def only(self, activities: Sequence[str]) -> RecordedWindows:
        """Return those of some activities."""
        return self.take([row for row, name in enumerate(self.activities) if name in activities])


def swap_name(activity: str) -> str:
    """Return what the mirror image of an activity is called: lying on the left side becomes lying on the right one."""
    parts = {"left": "right", "right": "left"}
    return "_".join(parts.get(part, part) for part in activity.split("_"))


def open_recorded(config: QualityConfig) -> MotionDataModule:
    """Return the data module, set up.

    Raises:
        FileNotFoundError: a source's folder is absent.
        ValueError: a source holds no motion, or what cannot be read.
    """
    data = MotionDataModule(
        config.sources,
        window_s=config.window_s,
        ships_only=config.ships_only,
        cache_dir=f"{config.cache_dir}/motion",
    )
    data.prepare_data()
    data.setup()
    return data


def cut_recorded(
    data: MotionDataModule,
    split: Split,
    *,
    window_s: float,
    mirrored: bool = False,
    overlap: float = 0.5,
    limit: int = 400,
    seed: int = 0,
) -> RecordedWindows:
    """Cut the clips of a side into windows; what is left at a clip's end is one more, which ends with the clip.

    Args:
        data: set up.
        split: the side.
        window_s: length [s]; clips that are shorter are a window each, from :data:`SHORTEST_S` on.
        mirrored: mirror images as well.
        overlap: share of a window that the next one repeats.
        limit: most windows of an activity, drawn at random if there are more.
        seed: of the draw.
    """
    width, rows = round(window_s * FEATURE_FPS), RecordedWindows([], [], [], [], [])
    hop = max(1, round(width * (1 - overlap)))
    for clip in data.library.side(split, looped=False):
        sides = [(clip.features, clip.activity)]
        if mirrored:
            sides.append((clip.mirrored, swap_name(clip.activity)))
        length = len(clip.features)
        if length < SHORTEST_S * FEATURE_FPS:
            continue
        starts = sorted({*range(0, max(length - width, 0) + 1, hop), max(length - width, 0)})
        for features, activity in sides:
            for number, start in enumerate(starts):
                rows.features.append(torch.from_numpy(np.array(features[start : start + width])))
                rows.activities.append(activity)
                rows.captions.append(clip.captions[number % len(clip.captions)])
                rows.clips.append(clip.name)
                rows.constructed.append(clip.constructed)
    return rows.take(_draw(rows.activities, limit, seed))


def _draw(activities: Sequence[str], limit: int, seed: int) -> list[int]:
    generator = np.random.default_rng(seed)
    kept: list[int] = []
    for name in sorted(set(activities)):
        own = [row for row, activity in enumerate(activities) if activity == name]
        chosen = own if len(own) <= limit else sorted(generator.choice(own, limit, replace=False).tolist())
        kept += chosen
    return kept
