"""A training step of MDM's size beside torch's own encoder, and beside a text tower that runs in every step.

MDM (Tevet et al. 2022, arXiv:2209.14916) is ``torch.nn.TransformerEncoder`` and encodes its captions with CLIP's text
tower (ViT-B/32, Radford et al. 2021, arXiv:2103.00020) anew in each step; here embeddings are looked up.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor, nn

from experiments.bench.tables import BenchTable, median_seconds
from lightning_modules.denoiser import Denoiser, compute_sinusoids, mask_frames_of
from sim.conventions import NUM_FEATURES

FRAMES: Final = 196
TEXT_DIM: Final = 512
TOKENS: Final = 77
REPEATS: Final = {8: 5, 64: 2}
"""Steps measured at each batch size, in turns."""


def make_denoiser(*, attention_dropout: float) -> Denoiser:
    """Return our denoiser at MDM's size."""
    return Denoiser(
        width=512, num_layers=8, num_heads=4, feedforward=1024, text_dim=TEXT_DIM, attention_dropout=attention_dropout
    )


class TorchEncoder(nn.Module):
    """The same model on ``torch.nn.TransformerEncoder``, as MDM has it; arguments as for :class:`Denoiser`."""

    def __init__(self, *, width: int, num_layers: int, num_heads: int, feedforward: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            width, num_heads, feedforward, dropout=0.1, activation="gelu", batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, num_layers, enable_nested_tensor=False)
        self.embed_frames, self.head = nn.Linear(NUM_FEATURES, width), nn.Linear(width, NUM_FEATURES)
        self.embed_text = nn.Linear(TEXT_DIM, width)
        self.embed_time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.dropout = nn.Dropout(0.1)
        self.register_buffer("positions", compute_sinusoids(1000, width))

    positions: Tensor

    def forward(self, x: Tensor, timesteps: Tensor, text_embedding: Tensor, lengths: Tensor) -> Tensor:
        """Return normalised features ``(B, T, F)``."""
        token = self.embed_time(self.positions[timesteps]) + self.embed_text(text_embedding)
        sequence = torch.cat([token[:, None], self.embed_frames(x)], dim=1)
        sequence = self.dropout(sequence + self.positions[: sequence.shape[1]])
        padding = ~mask_frames_of(lengths + 1, sequence.shape[1])
        predicted: Tensor = self.head(self.encoder(sequence, src_key_padding_mask=padding)[:, 1:])
        return predicted


def make_step(network: nn.Module, batch_size: int, *, frames: int = FRAMES) -> Callable[[], None]:
    """Return a training step of a network: forward, masked squared error, backward, AdamW; the same batch for all."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch_size, frames, NUM_FEATURES, generator=generator)
    text = torch.randn(batch_size, TEXT_DIM, generator=generator)
    timesteps = torch.randint(50, (batch_size,), generator=generator)
    lengths = torch.randint(frames // 3, frames + 1, (batch_size,), generator=generator)
    mask = mask_frames_of(lengths, frames)[..., None]
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4)
    network.train()

    def step() -> None:
        loss = torch.where(mask, (network(x, timesteps, text, lengths) - x).square(), 0.0).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def make_text_tower(batch_size: int) -> Callable[[], None] | None:
    """Return a forward pass of a text tower of CLIP's size with random weights; None without ``transformers``."""
    try:
        from transformers import CLIPTextConfig, CLIPTextModel
    except ImportError:
        return None
    config = CLIPTextConfig(hidden_size=512, intermediate_size=2048, num_hidden_layers=12, num_attention_heads=8)
    tower = CLIPTextModel(config).eval()
    tokens = torch.randint(config.vocab_size, (batch_size, TOKENS), generator=torch.Generator().manual_seed(0))

    def encode() -> None:
        with torch.no_grad():
            tower(input_ids=tokens)

    return encode


def measure_in_turns(works: Mapping[str, Callable[[], None]], *, repeats: int) -> dict[str, float]:
    """Return median seconds of each work, measured in turns so that whatever else the machine does falls on all."""
    for work in works.values():
        work()
    turns = [{name: median_seconds(work, repeats=1, warm_up=0) for name, work in works.items()} for _ in range(repeats)]
    return {name: statistics.median(turn[name] for turn in turns) for name in works}


def training_step_table() -> BenchTable:
    """Compare training steps at MDM's size."""
    rows: list[list[str]] = []
    for batch_size, repeats in REPEATS.items():
        peer = TorchEncoder(width=512, num_layers=8, num_heads=4, feedforward=1024)
        works = {
            "this": make_step(make_denoiser(attention_dropout=0.0), batch_size),
            "this, attention dropout .1": make_step(make_denoiser(attention_dropout=0.1), batch_size),
            "torch.nn.TransformerEncoder": make_step(peer, batch_size),
        }
        tower = make_text_tower(batch_size)
        seconds = measure_in_turns(works | ({} if tower is None else {"tower": tower}), repeats=repeats)
        if tower is not None:
            text = seconds.pop("tower")
            seconds["this, and a CLIP text tower each step"] = seconds["this"] + text
            seconds["torch.nn.TransformerEncoder, and a CLIP text tower each step (MDM)"] = (
                seconds["torch.nn.TransformerEncoder"] + text
            )
        rows += [
            [str(batch_size), name, f"{value:.2f}", f"{value / seconds['this']:.2f}"] for name, value in seconds.items()
        ]
    return BenchTable(
        f"A training step of MDM's size: 8 layers, width 512, {FRAMES} frames, float32",
        ["clips", "", "seconds", "times this"],
        rows,
        "Forward, backward and AdamW. By operations a text tower of 77 tokens (2.9 G multiply-adds a caption, forward "
        "only) is 0.29 of such a step (9.9 G a clip with its backward pass), so leaving it out alone cannot give "
        "more than 1.3 times the speed where both run at the same rate.",
    )
