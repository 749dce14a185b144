"""Motions in overlapping windows, each as its cosine transform: where in time and in frequency something lies.

Princen and Bradley's condition (1986, doi:10.1109/TASSP.1986.1164954): sine windows that overlap by half, their squares
adding up to one, so that :meth:`LappedWindows.join` undoes :meth:`LappedWindows.cut` exactly.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

_EDGES = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192)


def acts_at(num_steps: int, until: float) -> Tensor:
    """Return at which time steps of a schedule a skip acts ``(N,)``, 1 or 0: those up to a share of the schedule."""
    return (torch.arange(num_steps) <= round(until * (num_steps - 1))).float()


class LappedWindows(nn.Module):
    """Cuts series into W-sample windows that overlap by half, and joins them again.

    Args:
        window: W, samples of a window, even.

    Raises:
        ValueError: ``window`` is odd or below 8.
    """

    forwards: Tensor
    band_of: Tensor

    def __init__(self, window: int) -> None:
        super().__init__()
        if window % 2 or window < 8:
            raise ValueError(f"skip_frames is {window}, expected an even number of at least 8 frames")
        self.window, self.hop = window, window // 2
        place = torch.arange(window, dtype=torch.float64) + 0.5
        cosines = torch.cos(math.pi / window * place * torch.arange(window)[:, None]) * math.sqrt(2 / window)
        cosines[0] /= math.sqrt(2)
        taper = torch.sin(math.pi / window * place)
        self.register_buffer("forwards", (cosines * taper).float(), persistent=False)
        edges = [edge for edge in _EDGES if edge < window]
        band = torch.bucketize(torch.arange(window), torch.tensor(edges), right=True) - 1
        self.num_bands = len(edges)
        self.register_buffer("band_of", band, persistent=False)

    def cut(self, values: Tensor) -> Tensor:
        """Return the windows' cosine transforms ``(B, N, W, F)`` of series ``(B, T, F)``, lowest frequency first.

        White noise of variance 1 has variance 1/2 in each number: a window's share of two halves.
        """
        blocks = -(-values.shape[1] // self.hop)
        padded = functional.pad(values, (0, 0, self.hop, (blocks + 1) * self.hop - values.shape[1]))
        halves = padded.unflatten(1, (blocks + 2, self.hop))
        return self.forwards @ torch.cat([halves[:, :-1], halves[:, 1:]], dim=2)

    def join(self, windows: Tensor, num_frames: int) -> Tensor:
        """Return the series ``(B, T, F)`` that :meth:`cut` made ``windows`` of."""
        pieces = self.forwards.T @ windows
        blocks = pieces[:, 1:, : self.hop] + pieces[:, :-1, self.hop :]
        return blocks.flatten(1, 2)[:, :num_frames]

    def share(self, mask: Tensor) -> Tensor:
        """Return the variance ``(B, N)`` that unit white noise on the frames ``mask (B, T)`` has in each window."""
        inside = mask[..., None].to(self.forwards)
        blocks = -(-mask.shape[1] // self.hop)
        padded = functional.pad(inside, (0, 0, self.hop, (blocks + 1) * self.hop - mask.shape[1]))
        halves = padded.unflatten(1, (blocks + 2, self.hop))
        weight = self.forwards.square().sum(dim=0) / self.window
        return torch.cat([halves[:, :-1], halves[:, 1:]], dim=2)[..., 0] @ weight
