"""Padded sequences without their padding: the valid places of a batch in one row, for work that needs no neighbours.

A batch of clips of many lengths spends much of a padded layer on places that nobody looks at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import torch
from torch import Tensor

_WORTHWHILE: Final = 0.05
"""Share of padding from which on leaving it out pays for gathering and scattering."""


@dataclass(frozen=True)
class Packing:
    """Where the valid places of padded sequences ``(B, L)`` lie, ordered by sequence, then by place.

    Attributes:
        lengths: valid places of each sequence, from the front, above 0.
        places: their indices into the flattened batch ``(N,)``, int64.
    """

    lengths: tuple[int, ...]
    places: Tensor

    @classmethod
    def of(cls, lengths: Tensor, num_places: int) -> Self:
        """Return the packing of sequences of ``lengths (B,)`` that are padded to ``num_places``."""
        valid = torch.arange(num_places, device=lengths.device) < lengths[:, None]
        return cls(tuple(valid.sum(dim=1).tolist()), valid.flatten().nonzero()[:, 0])

    def pack(self, padded: Tensor) -> Tensor:
        """Return the valid places ``(N, D)`` of ``(B, L, D)``."""
        return padded.flatten(0, 1).index_select(0, self.places)

    def unpack(self, packed: Tensor, num_places: int) -> Tensor:
        """Return ``packed (N, D)`` at its places in a padded batch ``(B, num_places, D)``, 0 elsewhere."""
        count = len(self.lengths)
        padded = packed.new_zeros(count * num_places, packed.shape[1]).index_copy(0, self.places, packed)
        return padded.view(count, num_places, -1)


def pack_worthwhile(lengths: Tensor, num_places: int) -> Packing | None:
    """Return a packing where it saves work, and None where padding is cheaper.

    That is on a CPU with enough padding. An accelerator would have to wait for the lengths, and compiled code would be
    compiled anew for every sum of them.
    """
    if lengths.device.type != "cpu" or torch.compiler.is_compiling():
        return None
    saved = 1 - float(lengths.clamp_max(num_places).sum()) / (len(lengths) * num_places)
    return Packing.of(lengths, num_places) if saved >= _WORTHWHILE else None


def mask_frames_of(lengths: Tensor, num_frames: int) -> Tensor:
    """Return which frames lie inside each clip ``(B, T)``, bool."""
    return torch.arange(num_frames, device=lengths.device) < lengths[:, None]
