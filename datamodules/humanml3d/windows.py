"""Clips of HumanML3D as MDM crops them: to a multiple of four frames, at a random place, with one of the captions.

``Text2MotionDatasetV2`` of MDM (Tevet et al. 2022, arXiv:2209.14916). MDM draws from global generators; here the clip,
its length, offset and caption follow from the seed and the sample's number, so that a resumed run goes on exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from datamodules.humanml3d.shards import Shards
from datamodules.motion_windows import MotionWindow, hash_sample
from sim.conventions import NUM_FEATURES

MAX_FRAMES: Final = 196
"""Frames of a window; shorter clips are padded with zeros (``max_motion_length``)."""

UNIT_FRAMES: Final = 4
"""Lengths are multiples of this (``unit_length``)."""


def draw_length(num_frames: int, generator: np.random.Generator) -> int:
    """Return the length of a crop: the largest multiple of four, one time in three ("double") four frames less."""
    units = num_frames // UNIT_FRAMES
    return (units - 1 if generator.integers(3) == 2 else units) * UNIT_FRAMES


def draw_window(
    features: NDArray[np.float32], captions: Sequence[str], name: str, generator: np.random.Generator
) -> MotionWindow:
    """Crop a clip ``(T, 263)`` to raw features ``(196, 263)``, zero beyond its length, with one of its captions."""
    length = draw_length(len(features), generator)
    start = int(generator.integers(len(features) - length + 1))
    caption = captions[int(generator.integers(len(captions)))]
    padded = torch.zeros(MAX_FRAMES, NUM_FEATURES)
    padded.numpy()[:length] = features[start : start + length]
    return MotionWindow(padded, length, caption, 0, hash_sample(name, start, length))


class TrainingCrops(Dataset[MotionWindow]):
    """Crops in an endless row of shuffled rounds through all clips; number n is the same in every run.

    Item numbers go on from epoch to epoch (see :class:`datamodules.motion_windows.EpochSampler`): an epoch is a piece
    of the row, and no clip comes more often than another, whatever the number of processes.

    Args:
        shards: the open pack.
        clips: numbers of the clips to draw ``(C,)``.
        seed: all draws follow from it and the item's number.
    """

    def __init__(self, shards: Shards, clips: NDArray[np.int64], *, seed: int) -> None:
        self._shards, self._clips, self._seed = shards, clips, seed
        self._round = -1
        self._order = clips

    def __getitem__(self, number: int) -> MotionWindow:
        passed, place = divmod(number, len(self._clips))
        if passed != self._round:
            # Two streams from one seed: order and crops must not repeat each other's numbers.
            self._order = np.random.default_rng([self._seed, 0, passed]).permutation(self._clips)
            self._round = passed
        return _draw_from(self._shards, int(self._order[place]), np.random.default_rng([self._seed, 1, number]))


class FixedCrops(Dataset[MotionWindow]):
    """One crop of each clip, which follows from the clip's name alone: the same in every run, for every seed.

    Args:
        shards: the open pack.
        clips: numbers of the clips ``(C,)``.
    """

    def __init__(self, shards: Shards, clips: Sequence[int] | NDArray[np.int64]) -> None:
        self._shards, self._clips = shards, clips

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, number: int) -> MotionWindow:
        clip = int(self._clips[number])
        return _draw_from(self._shards, clip, fixed_generator(self._shards.names[clip]))


def fixed_generator(name: str) -> np.random.Generator:
    """Return the generator that a clip is cropped with for evaluation."""
    return np.random.default_rng(hash_sample(name))


def _draw_from(shards: Shards, clip: int, generator: np.random.Generator) -> MotionWindow:
    return draw_window(shards.features(clip), shards.captions(clip), shards.names[clip], generator)
