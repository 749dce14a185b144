"""A transformer with convolutions inside, whose layers are scaled and shifted by noise level and text.

Convolution beside attention after the conformer (Gulati et al. 2020, arXiv:2005.08100, without its second feed-forward
part and its gates): noise is independent from frame to frame and motion is not, so much of denoising is local. Noise
level and text modulate normalised layers (Peebles and Xie 2022, arXiv:2212.09748, adaLN), through few numbers a layer.
Places are told by turning queries and keys (Su et al. 2021, arXiv:2104.09864), by their distance alone, so that a
motion has no beginning that a network could learn by heart, and a longer one no places that it has never seen.

What a condition says of the posture goes straight to the output as well, one frame for all, in a share that depends on
the noise level and the feature: in pure noise the best guess is the mean of what was asked for, and layers that have to
say it through styles learn it last where it is rare (docs/decisions/046).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.networks.denoiser import check_denoiser_inputs
from lightning_modules.networks.dropout import Dropout
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.networks.parameterisation import Coarse, Condition, Parameterisation
from lightning_modules.networks.positions import PositionalEncoding, TimestepEmbedder
from lightning_modules.networks.transformer import Attention, zero_linear
from sim.conventions import NUM_FEATURES

_TAPS = 7  # 0.35 s at 20 fps
_SLOWEST = 1000.0  # frames a radian of the slowest turn
_STYLE_RANK = 64
_STYLES = 6
_BOLD = 8.0  # what the posture reads of a condition counts so much, and so is learnt so much sooner


class RotaryAttention(Attention):
    """Attention of a sequence to itself in which only the distance of two places counts."""

    def _mix(self, query: Tensor, key: Tensor, value: Tensor, attend: Tensor | None) -> Tensor:
        """Return the values ``(B, heads, L, D / heads)`` that each query attends to."""
        half = query.shape[-1] // 2
        pace = _SLOWEST ** -(torch.arange(half, device=query.device) / half)
        angle = torch.arange(query.shape[-2], device=query.device)[:, None] * pace
        with torch.autocast(query.device.type, enabled=False):
            query, key = (_turn(one.float(), angle.cos(), angle.sin()).to(value.dtype) for one in (query, key))
        return super()._mix(query, key, value, attend)


def _turn(places: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    first, second = places.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


class ConformerLayer(nn.Module):
    """Attention, a convolution along time and a feed-forward part, the first and the last under a style."""

    def __init__(self, width: int, num_heads: int, feedforward: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        styles = zero_linear(nn.Linear(_STYLE_RANK, _STYLES * width))
        self.style = nn.Sequential(nn.Linear(width, _STYLE_RANK), nn.SiLU(), styles)
        self.norm1, self.norm2 = (nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.self_attn = RotaryAttention(width, num_heads, attention_dropout)
        self.convolution = nn.Conv1d(width, width, _TAPS, padding=_TAPS // 2, groups=width)
        self.linear1 = nn.Linear(width, feedforward)
        self.linear2 = nn.Linear(feedforward, width)
        self.dropout = Dropout(dropout)

    def forward(self, sequence: Tensor, style: Tensor, attend: Tensor | None, inside: Tensor | None) -> Tensor:
        """Return the layer's output ``(B, L, D)``.

        Args:
            sequence: ``(B, L, D)``.
            style: what the layers are scaled and shifted by ``(B, D)``.
            attend: ``(B, 1, 1, L)``, which places may be seen; None is all.
            inside: ``(B, L, 1)``, the same, for the convolution.
        """
        scale1, shift1, gate1, scale2, shift2, gate2 = self.style(style)[:, None].chunk(_STYLES, dim=-1)
        attended = self.self_attn(self.norm1(sequence) * (1 + scale1) + shift1, attend)
        sequence = sequence + (1 + gate1) * self.dropout(attended)
        seen = sequence if inside is None else sequence * inside
        sequence = sequence + self.convolution(seen.transpose(1, 2)).transpose(1, 2)
        hidden = F.gelu(self.linear1(self.norm2(sequence) * (1 + scale2) + shift2))
        added: Tensor = sequence + (1 + gate2) * self.dropout(self.linear2(hidden))
        return added


class ConformerStack(nn.Module):
    """A stack of :class:`ConformerLayer`."""

    def __init__(self, layers: list[ConformerLayer]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)


class Conformer(nn.Module):
    """A denoiser with the door of :class:`lightning_modules.networks.denoiser.Denoiser`.

    Args:
        width: D, width of the layers. Where v or the noise is predicted, at least F.
        num_layers: layers.
        num_heads: attention heads; divides half of ``width``.
        feedforward: width of the layers' hidden part.
        text_dim: width of a text embedding.
        dropout: of what attention and feed-forward parts add.
        attention_dropout: of the attention weights; None takes ``dropout``. 0 allows fused kernels.
        mask_frames: hide frames beyond each length.
        num_features: F, width of a frame.
        parameterisation: what the output head computes; None is the clean motion.

    Raises:
        ValueError: half of ``width`` is no multiple of ``num_heads``.
    """

    arch = "conformer"

    def __init__(
        self,
        *,
        width: int,
        num_layers: int,
        num_heads: int,
        feedforward: int,
        text_dim: int,
        dropout: float = 0.1,
        attention_dropout: float | None = None,
        mask_frames: bool = True,
        num_features: int = NUM_FEATURES,
        parameterisation: Parameterisation | None = None,
    ) -> None:
        super().__init__()
        if width % (2 * num_heads):
            raise ValueError(f"width is {width}, expected a multiple of twice num_heads={num_heads}")
        self.text_dim = text_dim
        self.num_features = num_features
        self.mask_frames = mask_frames
        shape = (width, num_heads, feedforward, dropout, dropout if attention_dropout is None else attention_dropout)
        self.input_process = nn.ModuleDict({"poseEmbedding": nn.Linear(num_features, width)})
        self.embed_timestep = TimestepEmbedder(width, PositionalEncoding(width, 0.0))
        self.embed_text = nn.Linear(text_dim, width)
        self.posture = zero_linear(nn.Linear(text_dim, num_features, bias=False))
        self.posture_share = zero_linear(nn.Linear(width, num_features))
        self.motionDecoder = ConformerStack([ConformerLayer(*shape) for _ in range(num_layers)])
        self.norm = nn.LayerNorm(width)
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
        """Predict the clean motion; arguments, result and errors as :meth:`Denoiser.forward`; words are averaged.

        Padding is never skipped: ``skip_padding`` asks for nothing here.
        """
        check_denoiser_inputs(
            x, text_embedding, text_mask, num_features=self.num_features, text_dim=self.text_dim, arch=self.arch
        )
        condition = Condition(text_embedding, text_mask, lengths)
        level = self.embed_timestep(timesteps)
        style = F.silu(level + self.embed_text(condition.caption()))
        attend = inside = None
        if self.mask_frames:
            mask = mask_frames_of(lengths, x.shape[1])
            attend, inside = mask[:, None, None], mask[..., None]
        hidden = self.input_process["poseEmbedding"](x)
        for layer in self.motionDecoder.layers:
            hidden = layer(hidden, style, attend, inside)
        posture = self.posture(_BOLD * condition.caption()) * torch.sigmoid(self.posture_share(F.silu(level)))
        output = self.output_process["poseFinal"](self.norm(hidden)) + posture[:, None]
        predicted: Tensor = self.parameterisation(output, x, timesteps, condition, coarse=coarse)
        return predicted
