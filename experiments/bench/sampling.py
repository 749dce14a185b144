"""What sampling the packaged prior costs, and whether fewer steps move as the whole chain does."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np
import torch
from torch import Tensor

from experiments.bench.acceleration import MotionAccelerations, compare_accelerations
from experiments.pipeline.tables import BenchTable, median_seconds, time_in_turns
from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import load_motion_diffusion
from lightning_modules.sampling.samplers import guide

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
JUDGED: Final = 128
"""Motions whose accelerations are looked at, unless more are asked for."""

_NEEDED: Final = 2000
_BATCH: Final = 64

GUIDANCE: Final = 2.5
SAMPLERS: Final = (
    ("DDPM, 50 steps", "ddpm", 50, 0),
    ("DDPM, 50 steps, other seeds", "ddpm", 50, 100_000),
    ("DDPM, 10 steps", "ddpm", 10, 0),
    ("DDIM, 10 steps", "ddim", 10, 0),
    ("SDE-DPM-Solver++(2M), 10 steps", "sde-dpm++", 10, 0),
    ("SDE-DPM-Solver++(2M), 10 steps, other seeds", "sde-dpm++", 10, 100_000),
    ("DPM-Solver++(2M), 10 steps", "dpm++", 10, 0),
    ("DPM-Solver++(2M), 10 steps, other seeds", "dpm++", 10, 100_000),
)
"""Name in the table, sampler, network calls, and the first of its seeds."""


def guidance_table(*, motions: int = 10, frames: int = 196, turns: int = 21) -> BenchTable | None:
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
        one, two = time_in_turns([partial(together, x, 25), partial(apart, x, 25)], turns=turns)
    rows = [
        [name, f"{statistics.median(seconds) * 1e3:.0f}", f"{min(seconds) * 1e3:.0f}"]
        for name, seconds in (("one batched pass", one), ("two passes", two))
    ]
    ratio = statistics.median(first / second for first, second in zip(one, two, strict=True))
    return BenchTable(
        f"A guided step of {motions} motions of {frames} frames [ms]",
        ["", "median", "fastest"],
        rows,
        f"One pass takes {ratio:.3f} times as long as two (median of {turns} turns); their results differ by at most "
        f"{difference:.1e}.",
    )


def sampler_table(
    *, motions: int = 10, frames: int = 196, judged: int = JUDGED, judged_frames: int = 60
) -> BenchTable | None:
    """Compare samplers in time and in how the motions accelerate; None where the prior is not packaged."""
    model = _load()
    if model is None:
        return None
    texts = [PROMPTS[index % len(PROMPTS)] for index in range(max(motions, judged))]
    model.texts(texts)  # encoding is no part of sampling
    prompts = np.arange(judged) % len(PROMPTS)
    rows: list[list[str]] = []
    base_seconds = 0.0
    bases: dict[int, MotionAccelerations] = {}
    for label, sampler, steps, seed in SAMPLERS:
        run = partial(model.generate, guidance=GUIDANCE, sampler=sampler, steps=steps)
        found = _accelerate(run, texts[:judged], judged_frames, seed)
        if seed:
            times = ["", ""]
        else:
            work = partial(run, texts[:motions], num_frames=frames, seeds=range(motions))
            seconds = median_seconds(work, repeats=3, warm_up=0)
            base_seconds = base_seconds or seconds
            times = [f"{seconds:.2f}", f"{base_seconds / seconds:.1f}"]
        # DDPM comes first and is what other samplers of its seeds are compared with; its own other seeds show luck.
        reference = bases.get(seed, bases.get(0, found))
        bases.setdefault(seed, found)
        intervals = compare_accelerations(found, reference, prompts)
        cells = [
            f"{value:.2f} ({interval.mean:+.1%}, {interval.low:+.0%} to {interval.high:+.0%})"
            for value, interval in zip((found.mean, found.high), intervals, strict=True)
        ]
        rows.append([label, *times, *cells])
    return BenchTable(
        f"Guided sampling of {motions} motions of {frames} frames, and acceleration of joints [m/s^2]",
        ["sampler", "time [s]", "times faster", "mean (against DDPM)", "95th percentile (against DDPM)"],
        rows,
        f"Accelerations over {judged} motions of {judged_frames} frames, {len(PROMPTS)} prompts in turn, guidance "
        f"{GUIDANCE:g}, weights `prior`; 95% intervals of the difference by resampling motions within their prompt. "
        "Each is compared with 50-step DDPM of the same seeds, which starts from the same noise; DDPM's other seeds "
        "with its first, which says how much of a difference is luck. An interval of 5% takes about "
        f"{_NEEDED} motions (`--judged`), see docs/decisions/022.",
    )


def _accelerate(run: Callable[..., Tensor], texts: Sequence[str], frames: int, seed: int) -> MotionAccelerations:
    """Sample motions in batches of a fixed size, which is what a large number of them needs."""
    parts = [
        MotionAccelerations.of(
            run(
                texts[start : start + _BATCH],
                num_frames=frames,
                seeds=range(seed + start, seed + min(start + _BATCH, len(texts))),
            )
        ).magnitudes
        for start in range(0, len(texts), _BATCH)
    ]
    return MotionAccelerations(np.concatenate(parts))


def _load() -> MotionDiffusion | None:
    try:
        return load_motion_diffusion("prior")
    except FileNotFoundError:
        return None
