"""In-painting: sample a motion around features that are given, as MDM's edit mode does (arXiv:2209.14916, section 4).

At every step the given part of the predicted clean motion is replaced by what is given, so that the chain ends there
and the rest is denoised to fit. It needs no training, and works with every sampler, since all of them walk on that
prediction.

A mask of frames ``(B, T)`` says what is given: ``mask[:, :20] = True`` continues a clip, ``mask[:, :20] = True`` and
``mask[:, -20:] = True`` fill in between, and a mask of features ``(B, T, 263)`` holds single ones, such as the path of
the root over the ground (``mask[..., :4] = True``). HumanML3D's root travels by its velocities: an end that is given
fixes pose and speed there, not the place in the world.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.sampling.samplers import PredictClean


@dataclass(frozen=True)
class KnownFeatures:
    """What is given of each motion.

    Attributes:
        values: features ``(B, T, F)``, 0 where they are not given.
        mask: which of them are given ``(B, T, F)``, bool.
    """

    values: Tensor
    mask: Tensor

    def select(self, rows: list[int], num_frames: int) -> KnownFeatures:
        """Return the first ``num_frames`` frames of some of the motions."""
        return KnownFeatures(self.values[rows, :num_frames], self.mask[rows, :num_frames])

    def put_into(self, features: Tensor) -> Tensor:
        """Return ``features (B, T, F)`` with what is given in its place."""
        return torch.where(self.mask, self.values, features)

    def hold(self, predict: PredictClean) -> PredictClean:
        """Return ``predict`` with what is given in the place of what it predicts."""
        return lambda x, timestep: self.put_into(predict(x, timestep))


def resolve_known(
    known: Tensor | None, known_mask: Tensor | None, lengths: list[int], num_features: int, device: torch.device
) -> KnownFeatures | None:
    """Check what is given, and bring it to one form.

    Args:
        known: features ``(B, T, F)``, T the largest length; values that the mask leaves out may be anything.
        known_mask: which of them are given, bool, ``(B, T)`` for whole frames or ``(B, T, F)``.
        lengths: frames of each motion; what is given beyond is left out.
        num_features: F.
        device: where it is wanted.

    Returns:
        What is given, on ``device``; None if nothing was passed.

    Raises:
        ValueError: only one of the two is passed, a shape is another one, the mask is not of bools, or a value that
            the mask takes in is not finite.
    """
    if known is None and known_mask is None:
        return None
    if known is None or known_mask is None:
        given, missing = ("known_mask", "known") if known is None else ("known", "known_mask")
        raise ValueError(f"{given} is given without {missing}, expected both or none")
    shape = (len(lengths), max(lengths), num_features)
    if tuple(known.shape) != shape:
        raise ValueError(
            f"known has shape {tuple(known.shape)}, expected {shape}: one row per prompt, as many frames as the "
            "longest motion has; pad it with anything"
        )
    if tuple(known_mask.shape) not in (shape, shape[:2]):
        raise ValueError(f"known_mask has shape {tuple(known_mask.shape)}, expected {shape[:2]} or {shape}")
    if known_mask.dtype != torch.bool:
        raise ValueError(f"known_mask is of {known_mask.dtype}, expected torch.bool; True where known is to be kept")
    mask = known_mask if known_mask.ndim == 3 else known_mask[..., None].expand(shape)
    mask = mask.to(device) & mask_frames_of(torch.tensor(lengths, device=device), shape[1])[..., None]
    values = torch.where(mask, known.to(device, torch.float32), 0.0)
    if not bool(values.isfinite().all()):
        bad = int((~values.isfinite()).sum())
        raise ValueError(f"known holds {bad} values that are not finite where known_mask is True; leave them out there")
    return KnownFeatures(values, mask)
