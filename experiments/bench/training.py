"""A training step of MDM's size beside torch's own transformer, and what a text tower in every step would add.

MDM (Tevet et al. 2022, arXiv:2209.14916) is built on ``torch.nn.TransformerEncoder`` and runs CLIP's text tower on the
captions of every training step (Radford et al. 2021, arXiv:2103.00020: 12 layers, width 512, 8 heads, 77 tokens).
"""

from __future__ import annotations

import importlib.util
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from experiments.bench.losses import FRAMES, TEXT_DIM, make_prediction, prepare_step
from experiments.pipeline.tables import BenchTable, time_in_turns
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.networks.positions import compute_sinusoids
from sim.conventions import NUM_FEATURES

MEAN_FRAMES: Final = 142
"""Of a clip of HumanML3D: 7.1 s at 20 fps (Guo et al. 2022, table 1)."""

WIDTH: Final = 512
CLIP_TOKENS: Final = 77


@dataclass(frozen=True)
class TrainingCase:
    """One row of the table.

    Attributes:
        batch_size: clips.
        shortest: frames of the shortest clip; lengths are spread evenly from there to the longest.
        attention_dropout: of torch's layers; 0 spares them what this project's prior spares itself by default.
        turns: how often each step is timed.
    """

    batch_size: int
    shortest: int
    attention_dropout: float
    turns: int

    @property
    def lengths(self) -> Tensor:
        """Frames of each clip ``(B,)``."""
        return torch.linspace(self.shortest, FRAMES, self.batch_size).round().long()


_SHORTEST: Final = 2 * MEAN_FRAMES - FRAMES
CASES: Final = (
    TrainingCase(8, _SHORTEST, 0.1, 5),
    TrainingCase(8, _SHORTEST, 0.0, 5),
    TrainingCase(8, FRAMES, 0.1, 5),
    TrainingCase(64, _SHORTEST, 0.1, 3),
)


class TorchDenoiser(nn.Module):
    """MDM's encoder the way MDM builds it: from ``torch.nn.TransformerEncoder``, padding masked.

    Args:
        attention_dropout: of the attention weights; everything else drops 0.1.
    """

    pe: Tensor

    def __init__(self, *, attention_dropout: float = 0.1) -> None:
        super().__init__()
        self.frames, self.out = nn.Linear(NUM_FEATURES, WIDTH), nn.Linear(WIDTH, NUM_FEATURES)
        self.time = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH))
        self.text = nn.Linear(TEXT_DIM, WIDTH)
        self.dropout = nn.Dropout(0.1)
        self.register_buffer("pe", compute_sinusoids(FRAMES + 1, WIDTH), persistent=False)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 1024, dropout=0.1, activation="gelu", batch_first=True)
        layer.self_attn.dropout = attention_dropout
        self.encoder = nn.TransformerEncoder(layer, 8, enable_nested_tensor=False)

    def forward(self, x: Tensor, timesteps: Tensor, text_embedding: Tensor, lengths: Tensor) -> Tensor:
        """Predict the clean motion ``(B, T, F)``; arguments as for our own Denoiser."""
        token = self.time(self.pe[timesteps]) + self.text(text_embedding)
        sequence = self.dropout(torch.cat([token[:, None], self.frames(x)], dim=1) + self.pe[: x.shape[1] + 1])
        padding = ~mask_frames_of(lengths + 1, sequence.shape[1])
        predicted: Tensor = self.out(self.encoder(sequence, src_key_padding_mask=padding)[:, 1:])
        return predicted


def prepare_tower(batch_size: int) -> Callable[[], Tensor]:
    """Return CLIP's text tower on a batch of captions, random weights, forward alone: what MDM does with it.

    Raises:
        ImportError: transformers is not installed.
    """
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    tower = CLIPTextModelWithProjection(
        CLIPTextConfig(hidden_size=512, intermediate_size=2048, num_hidden_layers=12, num_attention_heads=8)
    ).eval()
    tokens = torch.randint(1, 49_000, (batch_size, CLIP_TOKENS), generator=torch.Generator().manual_seed(0))

    @torch.no_grad()
    def encode() -> Tensor:
        embedding: Tensor = tower(input_ids=tokens).text_embeds
        return embedding

    return encode


def training_table(cases: Sequence[TrainingCase] = CASES) -> BenchTable | None:
    """Time training steps in turns; None where transformers is not installed."""
    if importlib.util.find_spec("transformers") is None:
        return None
    rows: list[list[str]] = []
    for case in cases:
        base = make_prediction(case.batch_size, lengths=case.lengths)
        peer = TorchDenoiser(attention_dropout=case.attention_dropout)
        works = [prepare_step(base), prepare_step(base, peer), prepare_tower(case.batch_size)]
        seconds = time_in_turns(works, turns=case.turns)
        ours, theirs, tower = (statistics.median(times) for times in seconds)
        ratios = [
            statistics.median(ratio)
            for ratio in zip(
                *((a / b, (b + c) / a, (a + c) / a) for a, b, c in zip(*seconds, strict=True)), strict=True
            )
        ]
        mean = float(case.lengths.float().mean())
        cells = [str(case.batch_size), f"{mean:.0f}", f"{case.attention_dropout:g}", *(f"{value:.2f}" for value in (
            ours, theirs, tower, *ratios
        ))]  # fmt: skip
        rows.append(cells)
    return BenchTable(
        f"A training step of MDM's size: 8 layers, width {WIDTH}, {FRAMES} frames, one thread",
        [
            "clips", "mean frames of a clip", "torch's attention dropout", "this project [s]",
            "torch.nn.TransformerEncoder [s]", "CLIP's tower [s]", "ours / torch's (at most 1)",
            "torch's with tower / ours (at least 1.8)", "ours with tower / ours",
        ],
        rows,
        "Forward, backward and AdamW in float32, reconstruction as the loss, the same padded batch and mask for both, "
        "dropout 0.1 (ours: not of the attention, its default). CLIP's tower: ViT-B/32's size, random weights, forward "
        f"alone, {CLIP_TOKENS} tokens a caption. Timed in turns, medians of 5 turns (64 clips: 3), ratios within a "
        f"turn. Clips of HumanML3D have {MEAN_FRAMES} frames on average; this project spends nothing on padding.",
    )  # fmt: skip
