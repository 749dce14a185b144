"""What sampling the packaged prior costs, and whether fewer steps move as the whole chain does."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from functools import partial
from typing import Final

import torch
from torch import Tensor

from experiments.bench.tables import BenchTable, median_seconds
from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import load_prior
from lightning_modules.samplers import guide
from sim.features import features_to_joints

PROMPTS: Final = (
    "a person walks forward.",
    "a person runs forward.",
    "a person jumps up.",
    "a person sits down on a chair.",
    "a person walks up stairs.",
    "a person stands still.",
    "a person lies on the floor.",
    "a person waves with the right hand.",
)
FPS: Final = 20.0
GUIDANCE: Final = 2.5
SAMPLERS: Final = (
    ("DDPM, 50 steps", "ddpm", 50, 0),
    ("DDPM, 50 steps, other seeds", "ddpm", 50, 1000),
    ("DDPM, 10 steps", "ddpm", 10, 0),
    ("DDIM, 10 steps", "ddim", 10, 0),
    ("DPM-Solver++(2M), 10 steps", "dpm++", 10, 0),
    ("DPM-Solver++(2M), 10 steps, other seeds", "dpm++", 10, 1000),
)
"""Name in the table, sampler, network calls, and the first of its seeds."""


@dataclass(frozen=True)
class MotionStatistics:
    """Mean and 95th percentile of the magnitude of all joints' accelerations [m/s^2]."""

    mean: float
    high: float


def measure_acceleration(features: Tensor) -> MotionStatistics:
    """Return the statistics of raw features ``(B, T, 263)``, second differences of the joints' positions."""
    joints = features_to_joints(features)
    magnitude = torch.linalg.vector_norm(joints.diff(n=2, dim=-3), dim=-1) * FPS**2
    return MotionStatistics(float(magnitude.mean()), float(torch.quantile(magnitude.flatten(), 0.95)))


def guidance_table(*, motions: int = 10, frames: int = 196, repeats: int = 20) -> BenchTable | None:
    """Compare the guided network in one batched pass with its two passes; None where the prior is not packaged."""
    model = _load()
    if model is None:
        return None
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(motions, frames, model.average.num_features, generator=generator)
    text = torch.randn(motions, model.average.text_dim, generator=generator)
    lengths = torch.full((motions,), frames)
    together, conditional, unconditional = (guide(model.average, text, lengths, guidance=s) for s in (GUIDANCE, 1, 0))

    def apart(x: Tensor, timestep: int) -> Tensor:
        base = unconditional(x, timestep)
        return base + GUIDANCE * (conditional(x, timestep) - base)

    with torch.inference_mode():
        difference = float((together(x, 25) - apart(x, 25)).abs().max())
        # In turns, each first every other time, so that whatever else the machine does falls on both.
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for turn in range(2 * repeats):
            first = turn % 2 == 0
            for batched in (first, not first):
                run = together if batched else apart
                seconds[batched].append(median_seconds(partial(run, x, 25), repeats=1, warm_up=0))
    one, two = statistics.median(seconds[True]), statistics.median(seconds[False])
    rows = [["one batched pass", f"{one * 1e3:.0f}"], ["two passes", f"{two * 1e3:.0f}"]]
    return BenchTable(
        f"A guided step of {motions} motions of {frames} frames [ms]",
        ["", "time"],
        rows,
        f"One pass takes {one / two:.2f} times as long as two; their results differ by at most {difference:.1e}.",
    )


def sampler_table(
    *, motions: int = 10, frames: int = 196, judged: int = 64, judged_frames: int = 60
) -> BenchTable | None:
    """Compare samplers in time and in how the motions accelerate; None where the prior is not packaged."""
    model = _load()
    if model is None:
        return None
    texts = [PROMPTS[index % len(PROMPTS)] for index in range(max(motions, judged))]
    model.texts(texts)  # encoding is no part of sampling
    rows: list[list[str]] = []
    base_seconds, base = 0.0, MotionStatistics(0.0, 0.0)
    for label, sampler, steps, seed in SAMPLERS:
        run = partial(model.generate, guidance=GUIDANCE, sampler=sampler, steps=steps)
        found = measure_acceleration(run(texts[:judged], num_frames=judged_frames, seeds=range(seed, seed + judged)))
        if seed:
            times = ["", ""]
        else:
            work = partial(run, texts[:motions], num_frames=frames, seeds=range(motions))
            seconds = median_seconds(work, repeats=1, warm_up=0)
            base_seconds = base_seconds or seconds
            times = [f"{seconds:.2f}", f"{base_seconds / seconds:.1f}"]
        base = base if rows else found
        accelerations = [(found.mean, base.mean), (found.high, base.high)]
        rows.append([label, *times, *(f"{value:.2f} ({value / first - 1:+.1%})" for value, first in accelerations)])
    return BenchTable(
        f"Guided sampling of {motions} motions of {frames} frames, and acceleration of joints [m/s^2]",
        ["sampler", "time [s]", "times faster", "mean (against the first)", "95th percentile (against the first)"],
        rows,
        f"Accelerations over {judged} motions of {judged_frames} frames, the same prompts for all; guidance "
        f"{GUIDANCE:g}, weights `prior`. Other seeds say how much of a difference is luck: a seed starts every sampler "
        "from the same noise, but DDPM goes on drawing.",
    )


def _load() -> MotionDiffusion | None:
    try:
        return load_prior("prior")
    except FileNotFoundError:
        return None
