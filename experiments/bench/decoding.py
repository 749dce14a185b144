"""What consistent decoding costs beside sampling and beside a training step, both of the packaged prior's size."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import torch
from rich.console import Console
from torch import Tensor

from experiments.bench.losses import TEXT_DIM, make_prediction, prepare_step
from experiments.pipeline.tables import BenchTable, median_seconds, time_in_turns
from lightning_modules.checkpoints import load_prior
from lightning_modules.losses import Prediction
from lightning_modules.networks.denoiser import Denoiser
from lightning_modules.objective import Objective
from sim.conventions import Decoder
from sim.features import features_to_joints

BATCH: Final = 32
FRAMES: Final = 80
"""4 s."""

STEPS: Final = 50
LIMITS: Final = {"sampling": 0.03, "training": 0.05}
"""Share of a sampling run, and of a training step with ``acc_joints``, that consistent decoding may take."""


def decoding_table(*, batch: int = BATCH, frames: int = FRAMES, steps: int = STEPS, turns: int = 21) -> BenchTable:
    """Time decoding by positions and consistently, in turns; without the packaged prior nothing is sampled."""
    base = make_prediction(batch, num_frames=frames, lengths=torch.full((batch,), frames))
    rows = []
    sampling = _time_sampling(batch, frames, steps)
    if sampling is not None:
        by_positions, consistent = (
            statistics.median(times)
            for times in time_in_turns([decode(base.target, name) for name in _ORDER], turns=turns)
        )
        rows.append(_row(f"sampling, DDPM, {steps} steps", sampling, by_positions, consistent, consistent, "sampling"))
    by_positions, consistent = (
        statistics.median(times) for times in time_in_turns([descend(base, name) for name in _ORDER], turns=turns)
    )
    network = Denoiser(width=192, num_layers=4, num_heads=4, feedforward=384, text_dim=TEXT_DIM, attention_dropout=0)
    step = median_seconds(prepare_step(base, network), repeats=7) + consistent
    rows.append(
        _row("training step with acc_joints", step, by_positions, consistent, consistent - by_positions, "training")
    )
    return BenchTable(
        f"Consistent decoding: {batch} clips of {frames} frames, one thread",
        ["beside", "that [s]", "by positions [s]", "consistent [s]", "share", "at most"],
        rows,
        "The packaged prior's size. Of sampling the share is all of consistent decoding, features to joints; of a "
        "training step what acc_joints, forward and back, the truth's side included, takes longer than by positions. "
        f"Medians of {turns} turns.",
    )  # fmt: skip


_ORDER: Final[tuple[Decoder, ...]] = ("positions", "consistent")


def decode(features: Tensor, decoder: Decoder) -> Callable[[], Tensor]:
    """Return what decodes features ``(B, T, 263)`` to joints, without gradients."""

    @torch.no_grad()
    def work() -> Tensor:
        return features_to_joints(features, decoder)

    return work


def descend(base: Prediction, decoder: Decoder) -> Callable[[], tuple[Tensor, ...]]:
    """Return what takes ``acc_joints`` of a prediction and its gradient."""
    predicted = base.predicted.clone().requires_grad_()
    objective = Objective({"acc_joints": 1.0}, decoder=decoder)

    def work() -> tuple[Tensor, ...]:
        prediction = replace(base, predicted=predicted, decoder=decoder)
        return torch.autograd.grad(objective.compute_terms(prediction)["acc_joints"].mean(), predicted)

    return work


def _time_sampling(batch: int, frames: int, steps: int) -> float | None:
    try:
        model = load_prior("prior")
    except FileNotFoundError:
        return None
    texts = ["a person walks forward."] * batch
    model.texts(texts)  # encoding is no part of sampling

    def work() -> Tensor:
        return model.generate(texts, num_frames=frames, sampler="ddpm", steps=steps, seeds=range(batch))

    return median_seconds(work, repeats=1, warm_up=0)


def _row(name: str, whole: float, by_positions: float, consistent: float, taken: float, limit: str) -> list[str]:
    return [
        name,
        f"{whole:.3g}",
        f"{by_positions:.4f}",
        f"{consistent:.4f}",
        f"{taken / whole:.1%}",
        f"{LIMITS[limit]:.0%}",
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    decoding_table().print(Console(width=160))
