"""Motions of each sampler, what sensors read of them, and how far that is from recorded motion.

The command is :mod:`experiments.acceleration.samplers`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Final

import numpy as np
import torch
from torch import Tensor

from experiments.arms.clips import HeldOut
from experiments.arms.prompts import spell_out_prompts
from experiments.pipeline.intervals import Interval, percentile_interval
from experiments.pipeline.typed_config import read_layers
from lightning_modules.metrics.distribution_table import DistributionTable, tabulate
from lightning_modules.metrics.motion_quality import measure_skating
from lightning_modules.metrics.sensor_distributions import read_magnitudes
from lightning_modules.metrics.sensor_quantities import SensorMagnitudes
from lightning_modules.sampling.motion_generator import MotionGenerator
from lightning_modules.training.randomness import derive_seed
from lightning_modules.virtual_sensors import VirtualSensors
from sim.conventions import FEATURE_FPS
from sim.features import Decoder, features_to_joints

_BATCH: Final = 64
_RESAMPLES: Final = 200


@dataclass(frozen=True)
class Side:
    """Motions of one sampler, or recorded ones, as what is compared.

    Attributes:
        sensors: what virtual sensors read, by activity.
        acceleration: mean magnitude of the joints' accelerations [m/s^2], each activity counting alike.
        skating: share of the steps in which a foot slides, each activity counting alike.
    """

    sensors: Mapping[str, SensorMagnitudes]
    acceleration: float
    skating: float

    @classmethod
    def of(
        cls, motions: Mapping[str, Sequence[Tensor]], decoder: Decoder, std: Tensor | None, sensors: VirtualSensors
    ) -> Side:
        """Decode raw features ``(T_i, 263)`` of each activity and measure them."""
        read: dict[str, SensorMagnitudes] = {}
        accelerations, skating = [], []
        for activity, clips in motions.items():
            lengths = torch.tensor([len(clip) for clip in clips])
            features = torch.nn.utils.rnn.pad_sequence(list(clips), batch_first=True).float()
            with torch.no_grad():
                joints = features_to_joints(features, decoder, std=std, lengths=lengths)
            read[activity] = SensorMagnitudes.pad(*read_magnitudes(joints, lengths, sensors), rate_hz=sensors.rate_hz)
            size = joints.diff(n=2, dim=1).norm(dim=-1) * FEATURE_FPS**2
            inside = torch.arange(size.shape[1]) < (lengths - 2)[:, None]
            accelerations.append(float(size[inside].mean()))
            steps = measure_skating(joints, lengths)
            skating.append(float(steps.sliding.sum() / steps.steps.sum()))
        return cls(read, fmean(accelerations), fmean(skating))


@dataclass(frozen=True)
class Judged:
    """One sampler beside recorded motion.

    Attributes:
        sampler: its name.
        calls: of the network, for each motion.
        side: what it made.
        table: every ratio of generated to recorded.
        error: mean of ``|ln ratio|`` over the quantities that decide, with a 95% interval over motions.
        seconds: of the processor, sampling each motion [s].
    """

    sampler: str
    calls: int
    side: Side
    table: DistributionTable
    error: Interval
    seconds: float


def sample_motions(
    model: MotionGenerator, prompts: Mapping[str, Sequence[str]], sampler: str, calls: int, options: argparse.Namespace
) -> dict[str, list[Tensor]]:
    """Sample motions of each activity, the same noise for every sampler: raw features ``(T, 263)``."""
    motions: dict[str, list[Tensor]] = {}
    for number, (activity, texts) in enumerate(prompts.items()):
        seeds = [derive_seed(options.seed, number, index) % 2**62 for index in range(options.motions)]
        for start in range(0, options.motions, _BATCH):
            part = range(start, min(start + _BATCH, options.motions))
            features = model.generate(
                [texts[index % len(texts)] for index in part],
                num_frames=round(options.seconds * FEATURE_FPS),
                guidance=options.guidance,
                sampler=sampler,
                steps=calls,
                seeds=[seeds[index] for index in part],
            )
            motions.setdefault(activity, []).extend(features.cpu())
    return motions


def load_recorded(options: argparse.Namespace) -> dict[str, list[Tensor]]:
    """Return raw features of held-out recorded motion of each activity, those without any left out.

    Raises:
        ValueError: there is none of any.
    """
    windows = HeldOut("test", options.seconds, options.motion_root)
    recorded: dict[str, list[Tensor]] = {name: [] for name in options.activities}
    for batch, activities, _ in windows.batches(options.cache):
        for features, length, activity in zip(batch.features, batch.lengths.tolist(), activities, strict=True):
            if activity in recorded:
                recorded[activity].append(features[:length])
    found = {name: clips for name, clips in recorded.items() if clips}
    if not found:
        raise ValueError(
            f"no held-out recorded motion of {', '.join(options.activities)}; give --motion-root, a folder of motion"
        )
    return found


def judge_samplers(
    model: MotionGenerator, recorded: Mapping[str, Sequence[Tensor]], options: argparse.Namespace
) -> Iterator[Judged | Side]:
    """Yield the recorded side, and then each sampler and number of calls."""
    sensors = VirtualSensors(placements=tuple(options.placements), rate_hz=FEATURE_FPS)
    prompts = {name: texts for name, texts in read_prompts(options.prompts).items() if name in recorded}
    missing = [name for name in recorded if name not in prompts]
    if missing:
        raise ValueError(f"{options.prompts} has no prompts for {', '.join(missing)}; add some, or give --activities")
    model.texts([text for texts in prompts.values() for text in texts])  # encoding is no part of sampling
    std = model.statistics.std.cpu()
    reference = Side.of(recorded, options.decoder, std, sensors)
    yield reference
    for calls in options.calls:
        for sampler in options.samplers:
            start = time.process_time()  # of one thread; whatever else the machine does is no part of it
            motions = sample_motions(model, prompts, sampler, calls, options)
            seconds = (time.process_time() - start) / (options.motions * len(prompts))
            side = Side.of(motions, options.decoder, std, sensors)
            table = tabulate(side.sensors, reference.sensors, options.placements)
            yield Judged(sampler, calls, side, table, _resample(side, reference, options.placements, table), seconds)


def read_prompts(path: Path) -> dict[str, list[str]]:
    """Read prompts by activity from the ``generation.prompts`` of a YAML such as ``experiments/har_eval.yaml``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no prompts.
    """
    generation = read_layers([path]).get("generation")
    prompts = generation.get("prompts") if isinstance(generation, dict) else None
    if not isinstance(prompts, dict):
        raise ValueError(f"{path} has no generation.prompts, expected prompts by activity as in experiments/dsads.yaml")
    return spell_out_prompts({str(name): [str(text) for text in texts] for name, texts in prompts.items() if texts})


def _resample(side: Side, reference: Side, placements: Sequence[str], table: DistributionTable) -> Interval:
    """Return the error and its interval, motions drawn anew within each activity; the recorded ones stay."""
    generator = np.random.default_rng(0)
    samples = [
        tabulate(
            {
                name: read.take(generator.integers(len(read.force), size=len(read.force)))
                for name, read in side.sensors.items()
            },
            reference.sensors,
            placements,
        ).summary()
        for _ in range(_RESAMPLES)
    ]
    return percentile_interval(table.summary(), np.array(samples))
