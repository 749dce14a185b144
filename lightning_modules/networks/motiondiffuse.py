"""The network of MotionDiffuse (Zhang et al. 2022, arXiv:2208.15001): linear attention, and text and time as style.

Attention is the efficient one of Shen et al. 2021 (arXiv:1812.01243, eq. 4): queries are softmaxed over their features
and keys over the sequence, so keys and values meet first and the cost grows with the length, not with its square. Each
part of a layer is followed by a stylisation block, which scales and shifts what it adds by time and text.

In the style of, not to the letter: positions are MDM's sinusoids, so that any length has one, where the authors learn
196 of them; the text's tokens are averaged for the style, where the authors take the last one; a prior of ours drops a
condition as MDM does, by zeros, which the authors never do.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.networks.denoiser import check_denoiser_inputs
from lightning_modules.networks.dropout import Dropout
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.networks.parameterisation import Coarse, Condition, Parameterisation
from lightning_modules.networks.positions import PositionalEncoding
from lightning_modules.networks.transformer import Encoder, EncoderLayer, zero_linear
from sim.conventions import NUM_FEATURES

TEXT_LAYERS: Final = 4
"""Transformer layers over the text's tokens, as the authors have them."""


class LinearAttention(nn.Module):
    """Efficient multi-head attention, of a sequence to itself or to a memory; nothing grows with its length squared."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, sequence: Tensor, attend: Tensor | None, memory: Tensor | None = None) -> Tensor:
        """Return what each place of ``sequence (B, L, D)`` takes from ``memory (B, M, D)``, by default from itself.

        Args:
            sequence: the queries.
            attend: ``(B, M)``, True where a key may be seen; None is everywhere.
            memory: keys and values.
        """
        source = sequence if memory is None else memory
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        query, key, value = (
            self._split(F.linear(given, weight, bias))
            for given, weight, bias in zip((sequence, source, source), weights, biases, strict=True)
        )
        if attend is not None:
            key = key.masked_fill(~attend[:, None, :, None], -torch.inf)
        context = key.softmax(dim=-2).transpose(-2, -1) @ value
        return (query.softmax(dim=-1) @ context).transpose(1, 2).flatten(2)

    def _split(self, projected: Tensor) -> Tensor:
        return projected.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


class Stylisation(nn.Module):
    """Scales and shifts a normalised sequence by an embedding, then projects it; adds nothing before it is trained."""

    def __init__(self, width: int, style_width: int, dropout: float) -> None:
        super().__init__()
        self.style = nn.Linear(style_width, 2 * width)
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)
        self.out = zero_linear(nn.Linear(width, width))

    def forward(self, sequence: Tensor, style: Tensor) -> Tensor:
        """Return what the block adds ``(B, L, D)``, given ``style (B, S)``."""
        scale, shift = self.style(F.silu(style))[:, None].chunk(2, dim=-1)
        styled: Tensor = self.out(self.dropout(F.silu(self.norm(sequence) * (1 + scale) + shift)))
        return styled


class StyledLayer(nn.Module):
    """Linear self-attention, linear attention to the text and a feed-forward part, each stylised and added."""

    def __init__(self, width: int, num_heads: int, feedforward: int, dropout: float, style_width: int) -> None:
        super().__init__()
        self.self_attn = LinearAttention(width, num_heads)
        self.multihead_attn = LinearAttention(width, num_heads)
        self.linear1 = nn.Linear(width, feedforward)
        self.linear2 = nn.Linear(feedforward, width)
        self.norm1, self.norm2, self.norm_memory = (nn.LayerNorm(width) for _ in range(3))
        self.styles = nn.ModuleList([Stylisation(width, style_width, dropout) for _ in range(3)])
        self.dropout = Dropout(dropout)

    def forward(
        self, sequence: Tensor, memory: Tensor, style: Tensor, attend: Tensor | None, attend_memory: Tensor | None
    ) -> Tensor:
        """Return the layer's output ``(B, L, D)``."""
        sequence = sequence + self.styles[0](self.self_attn(self.norm1(sequence), attend), style)
        told = self.multihead_attn(self.norm2(sequence), attend_memory, self.norm_memory(memory))
        sequence = sequence + self.styles[1](told, style)
        hidden = self.linear2(self.dropout(F.gelu(self.linear1(sequence))))
        added: Tensor = sequence + self.styles[2](hidden, style)
        return added


class StyledDecoder(nn.Module):
    """A stack of :class:`StyledLayer`."""

    def __init__(self, layers: list[StyledLayer]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)


class MotionDiffuse(nn.Module):
    """A denoiser with the door of :class:`lightning_modules.networks.denoiser.Denoiser`.

    Args:
        width: D, width of the motion's layers; the text's are half as wide. Where noise is predicted, at least F.
        num_layers: layers.
        num_heads: attention heads; divides half of ``width``.
        feedforward: width of the layers' hidden part.
        text_dim: width of a text embedding.
        dropout: of the sequence, the stylisation blocks and the hidden parts.
        mask_frames: hide frames beyond each length from the attention.
        num_features: F, width of a frame.
        parameterisation: what the output head computes; None is the clean motion.

    Raises:
        ValueError: half of ``width`` is odd or not a multiple of ``num_heads``.
    """

    arch = "motiondiffuse"

    def __init__(
        self,
        *,
        width: int,
        num_layers: int,
        num_heads: int,
        feedforward: int,
        text_dim: int,
        dropout: float = 0.1,
        mask_frames: bool = True,
        num_features: int = NUM_FEATURES,
        parameterisation: Parameterisation | None = None,
    ) -> None:
        super().__init__()
        if width % 4 or (width // 2) % num_heads:
            raise ValueError(f"width is {width}, expected a multiple of 4 and of twice num_heads={num_heads}")
        self.text_dim = text_dim
        self.num_features = num_features
        self.mask_frames = mask_frames
        text_width, style_width = width // 2, 4 * width
        self.input_process = nn.ModuleDict({"poseEmbedding": nn.Linear(num_features, width)})
        self.sequence_pos_encoder = PositionalEncoding(width, dropout)
        self.embed_timestep = nn.Sequential(
            nn.Linear(width, style_width), nn.SiLU(), nn.Linear(style_width, style_width)
        )
        self.embed_text = nn.Linear(text_dim, text_width)
        self.textTransEncoder = Encoder(
            [EncoderLayer(text_width, num_heads, 2 * width, dropout, dropout) for _ in range(TEXT_LAYERS)]
        )
        self.text_norm = nn.LayerNorm(text_width)
        self.embed_memory = nn.Linear(text_width, width)
        self.embed_style = nn.Linear(text_width, style_width)
        self.motionDecoder = StyledDecoder(
            [StyledLayer(width, num_heads, feedforward, dropout, style_width) for _ in range(num_layers)]
        )
        self.output_process = nn.ModuleDict({"poseFinal": zero_linear(nn.Linear(width, num_features))})
        self.parameterisation = parameterisation or Parameterisation()

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        text_embedding: Tensor,
        lengths: Tensor,
        *,
        text_mask: Tensor | None = None,
        skip_padding: bool = False,
        coarse: list[Coarse] | None = None,
    ) -> Tensor:
        """Predict the clean motion; arguments, result and errors as :meth:`Denoiser.forward`, words allowed.

        Padding is never skipped: ``skip_padding`` asks for nothing here.
        """
        check_denoiser_inputs(
            x, text_embedding, text_mask, num_features=self.num_features, text_dim=self.text_dim, arch=self.arch
        )
        words = text_embedding if text_embedding.ndim == 3 else text_embedding[:, None]
        seen = torch.ones(words.shape[:2], dtype=torch.bool, device=x.device) if text_mask is None else text_mask
        text = self.text_norm(self.textTransEncoder(self.embed_text(words), seen[:, None, None]))
        mean = torch.where(seen[..., None], text, 0.0).sum(dim=1) / seen.sum(dim=1, keepdim=True)
        style = self.embed_timestep(self.sequence_pos_encoder.pe[timesteps]) + self.embed_style(mean)
        memory = self.embed_memory(text)
        hidden = self.sequence_pos_encoder(self.input_process["poseEmbedding"](x))
        attend = mask_frames_of(lengths, x.shape[1]) if self.mask_frames else None
        for layer in self.motionDecoder.layers:
            hidden = layer(hidden, memory, style, attend, seen)
        condition = Condition(text_embedding, text_mask, lengths)
        predicted: Tensor = self.parameterisation(
            self.output_process["poseFinal"](hidden), x, timesteps, condition, coarse=coarse
        )
        return predicted
