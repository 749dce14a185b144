"""What the losses cost beside a training step of MDM's size (Tevet et al. 2022, arXiv:2209.14916)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor, nn

from experiments.pipeline.tables import BenchTable, median_seconds
from lightning_modules.losses import Prediction
from lightning_modules.networks.denoiser import Denoiser
from lightning_modules.objective import Objective
from lightning_modules.training.optimisation import make_optimiser
from sim import Body
from sim.conventions import FEATURE_FPS, NUM_FEATURES
from sim.features import joints_to_features
from sim.motion import Motion

FRAMES: Final = 196
BATCHES: Final = (8, 64)
TEXT_DIM: Final = 512
LOSSES: Final = ("reconstruction", "velocity", "acc_features", "acc_joints", "positions", "foot_contact", "acc_sensors")
LIMITS: Final = {"acc_features": 0.10, "acc_joints": 0.10, "acc_sensors": 0.35}
"""Share of a training step that a loss may take."""


def make_prediction(batch_size: int, *, num_frames: int = FRAMES, lengths: Tensor | None = None) -> Prediction:
    """Return a swaying person beside a jittery prediction of them, clips of many lengths unless given ``(B,)``."""
    generator = torch.Generator().manual_seed(0)
    time_s = torch.arange(num_frames + 1) / FEATURE_FPS
    angle = 0.6 * torch.sin(2 * time_s[:, None] + torch.arange(22))
    turn = torch.zeros(num_frames + 1, 22, 3, 3)
    turn[..., 0, 0] = 1.0
    turn[..., 1, 1] = turn[..., 2, 2] = angle.cos()
    turn[..., 2, 1], turn[..., 1, 2] = angle.sin(), -angle.sin()
    motion = Motion(turn, torch.stack([0 * time_s, 1 + 0 * time_s, 0.5 * time_s], dim=-1), FEATURE_FPS)
    target = joints_to_features(Body.default().joints(motion)).expand(batch_size, -1, -1)
    predicted = target + 0.005 * torch.randn(target.shape, generator=generator)
    if lengths is None:
        lengths = torch.randint(num_frames // 4, num_frames + 1, (batch_size,), generator=generator)
        lengths[0] = num_frames
    mask = torch.arange(num_frames) < lengths[:, None]
    certainty = torch.ones(batch_size)
    return Prediction(
        predicted, target, mask, torch.zeros(NUM_FEATURES), torch.ones(NUM_FEATURES), signal_to_noise=certainty
    )


def loss_seconds(name: str, batch_size: int, *, repeats: int = 3) -> float:
    """Return the time of one loss, the truth's side included, forward and back to the prediction [s]."""
    base = make_prediction(batch_size)
    predicted = base.predicted.clone().requires_grad_()
    objective = Objective({name: 1.0})

    def work() -> tuple[Tensor, ...]:
        prediction = replace(base, predicted=predicted)
        return torch.autograd.grad(objective.compute_terms(prediction)[name].mean(), predicted)

    return median_seconds(work, repeats=repeats)


def prepare_step(base: Prediction, peer: nn.Module | None = None) -> Callable[[], None]:
    """Return a training step on a batch, reconstruction as its loss.

    Args:
        base: the batch; what it holds as predicted is the noisy input.
        peer: the network; None is a denoiser of MDM's size (width 512, 8 layers).
    """
    batch_size = len(base.mask)
    denoiser = peer or Denoiser(
        width=512, num_layers=8, num_heads=4, feedforward=1024, text_dim=TEXT_DIM, attention_dropout=0
    )
    optimiser, _ = make_optimiser(denoiser.parameters(), lr=1e-4, weight_decay=0.0, lr_factor=lambda _: 1.0)
    objective = Objective({"reconstruction": 1.0})
    steps, text, lengths = torch.zeros(batch_size).long(), torch.zeros(batch_size, TEXT_DIM), base.mask.sum(dim=1)
    # As MotionDiffusion trains; torch's own transformer has no such way.
    options = {"skip_padding": True} if peer is None else {}

    def step() -> None:
        predicted = denoiser(base.predicted, steps, text, lengths, **options)
        prediction = replace(base, predicted=predicted)
        optimiser.zero_grad()
        objective.compute_terms(prediction)["reconstruction"].mean().backward()
        optimiser.step()

    return step


def loss_table() -> BenchTable:
    """Seconds of each loss and its share of a training step."""
    rows: list[list[str]] = []
    for batch_size in BATCHES:
        step = median_seconds(prepare_step(make_prediction(batch_size)), repeats=3)
        for name in LOSSES:
            seconds = loss_seconds(name, batch_size)
            limit = f"{100 * LIMITS[name]:.0f}%" if name in LIMITS else ""
            rows.append([str(batch_size), name, f"{seconds:.4f}", f"{step:.2f}", f"{100 * seconds / step:.1f}%", limit])
    return BenchTable(
        f"Losses beside a training step of MDM's size: {FRAMES} frames, 6 sensors at 20 Hz, one thread",
        ["clips", "loss", "seconds", "training step [s]", "share of the step", "at most"],
        rows,
        "Width 512, 8 layers, float32, clips of 49 to 196 frames in one padded batch, medians of 3 runs. A loss is "
        "timed forward and back to the prediction, the true motion's side included.",
    )
