"""Is it learnt by heart? How far a motion is from the nearest recorded training motion, beside recorded test motion.

A motion is compared crop by crop, :data:`CROP_S` each, by the positions of all joints seen from the root's heading
(features 3 to 66: height, and positions), with every crop of every training clip and of its mirror image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import torch
from torch import Tensor

from datamodules import MotionDataModule
from sim.conventions import FEATURE_FPS, NUM_JOINTS
from sim.features import FEATURE_SLICES

CROP_S: Final = 2.0
_STRIDE_S: Final = 0.5  # between crops of training clips
_THINNED: Final = 4  # every so many frames of a crop are compared
_CHUNK: Final = 4096


class TrainingCrops:
    """Crops of all training clips of a data module and of their mirror images.

    Args:
        data: set up.
    """

    def __init__(self, data: MotionDataModule) -> None:
        clips = data.library.side("train", looped=False)
        sides = (torch.from_numpy(side) for clip in clips for side in (clip.features, clip.mirrored))
        crops = list(_crop(sides, stride=round(_STRIDE_S * FEATURE_FPS)))
        self._crops = torch.stack(crops) if crops else torch.zeros(0, 0)

    def __len__(self) -> int:
        """Return the number of crops."""
        return len(self._crops)

    def distances(self, clips: Sequence[Tensor]) -> list[float]:
        """Return for each motion the RMS distance of its joints from the nearest training crop [m].

        Of a motion's crops, which do not overlap, the mean; those that are shorter than a crop are left out.

        Args:
            clips: raw features ``(T_i, 263)``.
        """
        found = []
        for clip in clips:
            crops = list(_crop([clip], stride=round(CROP_S * FEATURE_FPS)))
            if crops:
                nearest = torch.cat([self._nearest(part) for part in torch.stack(crops).split(64)])
                found.append(float(nearest.mean()))
        return found

    def _nearest(self, crops: Tensor) -> Tensor:
        squares = torch.stack([torch.cdist(crops, part).amin(dim=1) for part in self._crops.split(_CHUNK)])
        frames = crops.shape[1] // (3 * (NUM_JOINTS - 1) + 1)
        return squares.amin(dim=0) / (frames * NUM_JOINTS) ** 0.5


def _crop(clips: Iterable[Tensor], *, stride: int) -> Iterator[Tensor]:
    width = round(CROP_S * FEATURE_FPS)
    seen = slice(FEATURE_SLICES.root_height.start, FEATURE_SLICES.positions.stop)
    for clip in clips:
        for start in range(0, len(clip) - width + 1, stride):
            yield clip[start : start + width : _THINNED, seen].float().flatten()
