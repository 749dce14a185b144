"""The MDM transformer encoder that predicts a clean motion from a noisy one (Tevet et al. 2022, arXiv:2209.14916).

Parameters carry MDM's names and shapes, so that its published state dicts load as they are. Layers are post-norm with
the exact GELU (Vaswani et al. 2017, arXiv:1706.03762). Features are ``(B, T, F)`` here; MDM's own ``(B, F, 1, T)``
exists only in its files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.dropout import Dropout
from sim.conventions import NUM_FEATURES

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


def mask_frames_of(lengths: Tensor, num_frames: int) -> Tensor:
    """Return which frames lie inside each clip ``(B, T)``, bool."""
    return torch.arange(num_frames, device=lengths.device) < lengths[:, None]


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


class SelfAttention(nn.Module):
    """Multi-head self-attention with the parameter names of ``torch.nn.MultiheadAttention``.

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

    def forward(self, sequence: Tensor, attend: Tensor | None) -> Tensor:
        """Return the attended ``sequence (B, L, D)``; ``attend (B, 1, 1, L)`` is True where a key may be seen."""
        batch, length, width = sequence.shape
        projected = F.linear(sequence, self.in_proj_weight, self.in_proj_bias)
        query, key, value = projected.view(batch, length, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        if sequence.device.type == "cpu":
            # The CPU's bfloat16 kernel takes several times as long as its float32 one, mostly going backward.
            with torch.autocast("cpu", enabled=False):
                mixed = F.scaled_dot_product_attention(
                    query.float(), key.float(), value.float(), attn_mask=attend, dropout_p=dropout
                ).to(query.dtype)
        else:
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=attend, dropout_p=dropout)
        attended: Tensor = self.out_proj(mixed.transpose(1, 2).reshape(batch, length, width))
        return attended


class EncoderLayer(nn.Module):
    """Post-norm transformer layer with the parameter names of ``torch.nn.TransformerEncoderLayer``."""

    def __init__(self, width: int, num_heads: int, feedforward: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.self_attn = SelfAttention(width, num_heads, attention_dropout)
        self.linear1 = nn.Linear(width, feedforward)
        self.linear2 = nn.Linear(feedforward, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, sequence: Tensor, attend: Tensor | None) -> Tensor:
        """Return the layer's output ``(B, L, D)``."""
        sequence = self.norm1(sequence + self.dropout(self.self_attn(sequence, attend)))
        hidden = self.linear2(self.dropout(F.gelu(self.linear1(sequence))))
        normed: Tensor = self.norm2(sequence + self.dropout(hidden))
        return normed


class Encoder(nn.Module):
    """A stack of :class:`EncoderLayer`."""

    def __init__(self, layers: list[EncoderLayer]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, sequence: Tensor, attend: Tensor | None) -> Tensor:
        """Return the stack's output ``(B, L, D)``."""
        for layer in self.layers:
            sequence = layer(sequence, attend)
        return sequence


class Denoiser(nn.Module):
    """MDM's ``trans_enc``: [time + text token; frames] through a transformer, the token dropped at the end.

    Args:
        width: D, width of the transformer.
        num_layers: layers.
        num_heads: attention heads; divides ``width``.
        feedforward: width of the layers' hidden part.
        text_dim: width of a text embedding.
        dropout: of the sequence, the residual branches and the hidden parts.
        attention_dropout: of the attention weights; None takes ``dropout``, as MDM does. 0 allows fused kernels.
        mask_frames: hide frames beyond each length from the attention (MDM's 50-step models do, its 1000-step one not).
        num_features: F, width of a frame.

    Raises:
        ValueError: ``width`` is odd or not a multiple of ``num_heads``.
    """

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
    ) -> None:
        super().__init__()
        if width % num_heads or width % 2:
            raise ValueError(f"width is {width}, expected an even multiple of num_heads={num_heads}")
        self.text_dim = text_dim
        self.num_features = num_features
        self.mask_frames = mask_frames
        attention_dropout = dropout if attention_dropout is None else attention_dropout
        self.input_process = nn.ModuleDict({"poseEmbedding": nn.Linear(num_features, width)})
        self.sequence_pos_encoder = PositionalEncoding(width, dropout)
        self.seqTransEncoder = Encoder(
            [EncoderLayer(width, num_heads, feedforward, dropout, attention_dropout) for _ in range(num_layers)]
        )
        self.embed_timestep = TimestepEmbedder(width, self.sequence_pos_encoder)
        self.embed_text = nn.Linear(text_dim, width)
        self.output_process = nn.ModuleDict({"poseFinal": nn.Linear(width, num_features)})

    def forward(
        self, x: Tensor, timesteps: Tensor, text_embedding: Tensor, lengths: Tensor, *, text_mask: Tensor | None = None
    ) -> Tensor:
        """Predict the clean motion.

        Args:
            x: noisy normalised features ``(B, T, F)``.
            timesteps: time step of the trained process, per sample ``(B,)``, int64.
            text_embedding: ``(B, text_dim)``; all zeros is MDM's dropped condition.
            lengths: valid frames of each clip ``(B,)``, int64.
            text_mask: belongs to embeddings of single words, which only decoder variants take.

        Returns:
            Normalised features ``(B, T, F)``. With ``mask_frames`` valid frames depend on valid frames alone; what
            comes out beyond a length means nothing.

        Raises:
            ValueError: shapes do not fit, or the embedding is of single words ``(B, L, D)``.
        """
        self._check(x, text_embedding, text_mask)
        token = self.embed_timestep(timesteps) + self.embed_text(text_embedding)
        frames = self.input_process["poseEmbedding"](x)
        sequence = self.sequence_pos_encoder(torch.cat([token[:, None], frames], dim=1))
        attend = None
        if self.mask_frames:
            # The token sits in front of the frames, so a clip of n frames has n + 1 valid positions.
            attend = mask_frames_of(lengths + 1, sequence.shape[1])[:, None, None]
        hidden = self.seqTransEncoder(sequence, attend)[:, 1:]
        predicted: Tensor = self.output_process["poseFinal"](hidden)
        return predicted

    def _check(self, x: Tensor, text_embedding: Tensor, text_mask: Tensor | None) -> None:
        if x.ndim != 3 or x.shape[-1] != self.num_features:
            raise ValueError(f"x has shape {tuple(x.shape)}, expected (B, T, {self.num_features})")
        if x.shape[1] >= MAX_POSITIONS:
            raise ValueError(f"x has {x.shape[1]} frames, expected below {MAX_POSITIONS}")
        if text_embedding.ndim == 3 or text_mask is not None:
            raise ValueError(
                f"text_embedding has shape {tuple(text_embedding.shape)}, but a transformer encoder takes "
                f"one per text, (B, {self.text_dim}); embeddings of single words (B, L, D) and text_mask need a decoder"
            )
        if text_embedding.shape != (len(x), self.text_dim):
            raise ValueError(
                f"text_embedding has shape {tuple(text_embedding.shape)}, expected {(len(x), self.text_dim)}; "
                "use the text encoder that the model was trained with"
            )


def read_dimensions(state: Mapping[str, Tensor]) -> dict[str, int]:
    """Return width, num_layers, feedforward, text_dim and num_features of a state dict of :class:`Denoiser`.

    Raises:
        ValueError: a parameter that every such state dict has is missing.
    """
    try:
        width, num_features = state["input_process.poseEmbedding.weight"].shape
        return {
            "width": width,
            "num_layers": len({key.split(".")[2] for key in state if key.startswith("seqTransEncoder.layers.")}),
            "feedforward": len(state["seqTransEncoder.layers.0.linear1.weight"]),
            "text_dim": state["embed_text.weight"].shape[1],
            "num_features": num_features,
        }
    except KeyError as error:
        raise ValueError(
            f"the state dict lacks {error}, expected the parameters of an MDM transformer encoder (trans_enc)"
        ) from None
