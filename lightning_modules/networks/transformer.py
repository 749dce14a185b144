"""Post-norm transformer layers with the exact GELU (Vaswani et al. 2017, arXiv:1706.03762) and torch's parameter names.

Sequences are batch first, ``(B, L, D)``. Masks are True where a key may be seen. An encoder also takes sequences
without their padding, ``(N, D)``, and then a :class:`Packing` in place of the mask.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.networks.dropout import Dropout
from lightning_modules.networks.packing import Packing


class Attention(nn.Module):
    """Multi-head attention with the parameter names of ``torch.nn.MultiheadAttention``.

    Written on ``scaled_dot_product_attention``, because without attention dropout that takes the fused kernels.
    """

    def __init__(self, width: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, sequence: Tensor, attend: Tensor | Packing | None, memory: Tensor | None = None) -> Tensor:
        """Return what each place of ``sequence (B, L, D)`` takes from ``memory (B, M, D)``, by default from itself.

        Args:
            sequence: the queries; ``(N, D)`` with a packing.
            attend: ``(B, 1, 1, M)``, True where a key may be seen; None is everywhere. With a packing each place sees
                its own sequence.
            memory: keys and values; None with a packing.
        """
        if isinstance(attend, Packing):
            return self._attend_packed(sequence, attend)
        batch, length, width = sequence.shape
        query, key, value = self._project(sequence, memory)
        mixed = self._mix(query, key, value, attend)
        attended: Tensor = self.out_proj(mixed.transpose(1, 2).reshape(batch, length, width))
        return attended

    def _attend_packed(self, sequence: Tensor, packing: Packing) -> Tensor:
        projected = F.linear(sequence, self.in_proj_weight, self.in_proj_bias)
        mixed: list[Tensor] = []
        for clip in projected.split(packing.lengths):
            query, key, value = clip.view(1, len(clip), 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
            mixed.append(self._mix(query, key, value, None)[0].transpose(0, 1).flatten(1))
        attended: Tensor = self.out_proj(torch.cat(mixed))
        return attended

    def _mix(self, query: Tensor, key: Tensor, value: Tensor, attend: Tensor | None) -> Tensor:
        """Return the values ``(B, heads, L, D / heads)`` that each query attends to."""
        dropout = self.dropout if self.training else 0.0
        if query.device.type != "cpu":
            return F.scaled_dot_product_attention(query, key, value, attn_mask=attend, dropout_p=dropout)
        # The CPU's bfloat16 kernel takes several times as long as its float32 one, mostly going backward.
        with torch.autocast("cpu", enabled=False):
            return F.scaled_dot_product_attention(
                query.float(), key.float(), value.float(), attn_mask=attend, dropout_p=dropout
            ).to(query.dtype)

    def _project(self, sequence: Tensor, memory: Tensor | None) -> Sequence[Tensor]:
        """Return query, key and value, each ``(B, heads, L, D / heads)``."""
        if memory is None:
            projected = F.linear(sequence, self.in_proj_weight, self.in_proj_bias)
            return projected.view(*sequence.shape[:2], 3, self.num_heads, -1).permute(2, 0, 3, 1, 4).unbind()
        width = sequence.shape[2]
        query = F.linear(sequence, self.in_proj_weight[:width], self.in_proj_bias[:width])
        pair = F.linear(memory, self.in_proj_weight[width:], self.in_proj_bias[width:])
        key, value = pair.view(*memory.shape[:2], 2, self.num_heads, -1).permute(2, 0, 3, 1, 4).unbind()
        return query.view(*sequence.shape[:2], self.num_heads, -1).transpose(1, 2), key, value


class EncoderLayer(nn.Module):
    """Post-norm transformer layer with the parameter names of ``torch.nn.TransformerEncoderLayer``."""

    def __init__(self, width: int, num_heads: int, feedforward: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.self_attn = Attention(width, num_heads, attention_dropout)
        self.linear1 = nn.Linear(width, feedforward)
        self.linear2 = nn.Linear(feedforward, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, sequence: Tensor, attend: Tensor | Packing | None) -> Tensor:
        """Return the layer's output, the shape of ``sequence``."""
        sequence = self.norm1(sequence + self.dropout(self.self_attn(sequence, attend)))
        hidden = self.linear2(self.dropout(F.gelu(self.linear1(sequence))))
        normed: Tensor = self.norm2(sequence + self.dropout(hidden))
        return normed


class DecoderLayer(nn.Module):
    """Post-norm transformer layer with the parameter names of ``torch.nn.TransformerDecoderLayer``."""

    def __init__(self, width: int, num_heads: int, feedforward: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.self_attn = Attention(width, num_heads, attention_dropout)
        self.multihead_attn = Attention(width, num_heads, attention_dropout)
        self.linear1 = nn.Linear(width, feedforward)
        self.linear2 = nn.Linear(feedforward, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, sequence: Tensor, memory: Tensor, attend: Tensor | None, attend_memory: Tensor | None) -> Tensor:
        """Return the layer's output ``(B, L, D)``."""
        sequence = self.norm1(sequence + self.dropout(self.self_attn(sequence, attend)))
        sequence = self.norm2(sequence + self.dropout(self.multihead_attn(sequence, attend_memory, memory)))
        hidden = self.linear2(self.dropout(F.gelu(self.linear1(sequence))))
        normed: Tensor = self.norm3(sequence + self.dropout(hidden))
        return normed


class Encoder(nn.Module):
    """A stack of :class:`EncoderLayer`."""

    def __init__(self, layers: list[EncoderLayer]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, sequence: Tensor, attend: Tensor | Packing | None) -> Tensor:
        """Return the stack's output, the shape of ``sequence``; ``attend`` is ``(B, 1, 1, L)`` or a packing."""
        for layer in self.layers:
            sequence = layer(sequence, attend)
        return sequence


class Decoder(nn.Module):
    """A stack of :class:`DecoderLayer`, without a causal mask."""

    def __init__(self, layers: list[DecoderLayer]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, sequence: Tensor, memory: Tensor, attend: Tensor | None, attend_memory: Tensor | None) -> Tensor:
        """Return the stack's output ``(B, L, D)``.

        Args:
            sequence: ``(B, L, D)``.
            memory: ``(B, M, D)``.
            attend: ``(B, 1, 1, L)``, which places of the sequence may be seen; None is all.
            attend_memory: ``(B, 1, 1, M)``, the same for the memory.
        """
        for layer in self.layers:
            sequence = layer(sequence, memory, attend, attend_memory)
        return sequence


def zero_linear(linear: nn.Linear) -> nn.Linear:
    """Set a layer to zero, so that what it adds begins as nothing, and return it."""
    nn.init.zeros_(linear.weight)
    if linear.bias is not None:
        nn.init.zeros_(linear.bias)
    return linear
