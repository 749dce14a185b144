"""Sinusoids of a position or a time step (Vaswani et al. 2017, arXiv:1706.03762, section 3.5), as MDM adds them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lightning_modules.networks.dropout import Dropout

MAX_POSITIONS = 5000
"""Rows of MDM's table of sinusoids: the longest sequence, and the largest number of time steps."""


def compute_sinusoids(num_positions: int, width: int) -> Tensor:
    """Return sinusoids of each position ``(num_positions, width)``, sine and cosine interleaved."""
    position = torch.arange(num_positions, dtype=torch.float32)[:, None]
    frequency = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width))
    table = torch.zeros(num_positions, width)
    table[:, 0::2] = torch.sin(position * frequency)
    table[:, 1::2] = torch.cos(position * frequency)
    return table


class PositionalEncoding(nn.Module):
    """Adds sinusoids to a sequence ``(B, L, D)``; the table is computed, never stored or loaded.

    MDM's files hold the table as ``pe``; it is dropped on loading.
    """

    pe: Tensor

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.register_buffer("pe", compute_sinusoids(MAX_POSITIONS, width), persistent=False)
        self.register_load_state_dict_pre_hook(_drop_position_table)

    def forward(self, sequence: Tensor) -> Tensor:
        """Return ``sequence (B, L, D)`` with its positions added."""
        encoded: Tensor = self.dropout(sequence + self.pe[: sequence.shape[1]])
        return encoded


def _drop_position_table(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    state.pop(prefix + "pe", None)


class TimestepEmbedder(nn.Module):
    """Two-layer perceptron on the sinusoids of the diffusion time step."""

    def __init__(self, width: int, positions: PositionalEncoding) -> None:
        super().__init__()
        self.sequence_pos_encoder = positions
        self.time_embed = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, timesteps: Tensor) -> Tensor:
        """Return embeddings ``(B, D)`` of ``timesteps (B,)``."""
        embedded: Tensor = self.time_embed(self.sequence_pos_encoder.pe[timesteps])
        return embedded
