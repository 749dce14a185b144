"""Transformers with long skip connections between their first and last layers (Bao et al. 2022, arXiv:2209.12152).

Used by latent motion diffusion (MLD, Chen et al. 2022, arXiv:2212.04048, appendix): an odd number of layers, of which
those after the middle one also see what those before it put out, in reverse order.
"""

from __future__ import annotations

from torch import Tensor, cat, nn

from lightning_modules.networks.transformer import DecoderLayer, EncoderLayer


class LongSkips(nn.Module):
    """The linear maps that merge what a late layer is given with what its early partner put out.

    Args:
        width: D.
        num_layers: of the stack; odd.

    Raises:
        ValueError: ``num_layers`` is even or below 1.
    """

    def __init__(self, width: int, num_layers: int) -> None:
        super().__init__()
        if num_layers < 1 or num_layers % 2 == 0:
            raise ValueError(f"num_layers is {num_layers}, expected an odd number: skips go round a middle layer")
        self.middle = num_layers // 2
        self.merges = nn.ModuleList([nn.Linear(2 * width, width) for _ in range(self.middle)])

    def merge(self, index: int, sequence: Tensor, stored: list[Tensor]) -> Tensor:
        """Return what layer ``index`` is given; takes the last of ``stored`` if the layer lies behind the middle."""
        if index <= self.middle:
            return sequence
        merged: Tensor = self.merges[index - self.middle - 1](cat([sequence, stored.pop()], dim=-1))
        return merged


class SkipEncoder(nn.Module):
    """A stack of :class:`EncoderLayer` with long skips and a last layer norm; arguments as for the layer."""

    def __init__(self, width: int, num_layers: int, num_heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.skips = LongSkips(width, num_layers)
        self.layers = nn.ModuleList(
            [EncoderLayer(width, num_heads, feedforward, dropout, 0.0) for _ in range(num_layers)]
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, sequence: Tensor, attend: Tensor | None) -> Tensor:
        """Return the stack's output ``(B, L, D)``; ``attend (B, 1, 1, L)`` is True where a place may be seen."""
        stored: list[Tensor] = []
        for index, layer in enumerate(self.layers):
            sequence = layer(self.skips.merge(index, sequence, stored), attend)
            if index < self.skips.middle:
                stored.append(sequence)
        normed: Tensor = self.norm(sequence)
        return normed


class SkipDecoder(nn.Module):
    """A stack of :class:`DecoderLayer` with long skips and a last layer norm; arguments as for the layer."""

    def __init__(self, width: int, num_layers: int, num_heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.skips = LongSkips(width, num_layers)
        self.layers = nn.ModuleList(
            [DecoderLayer(width, num_heads, feedforward, dropout, 0.0) for _ in range(num_layers)]
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, sequence: Tensor, memory: Tensor, attend: Tensor | None) -> Tensor:
        """Return the stack's output ``(B, L, D)``; all of ``memory (B, M, D)`` is seen."""
        stored: list[Tensor] = []
        for index, layer in enumerate(self.layers):
            sequence = layer(self.skips.merge(index, sequence, stored), memory, attend, None)
            if index < self.skips.middle:
                stored.append(sequence)
        normed: Tensor = self.norm(sequence)
        return normed
