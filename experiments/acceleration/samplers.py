"""Which sampler moves as recorded people do? Any prior's motions by every sampler and number of calls, decoded alike.

``python -m experiments.acceleration.samplers [--weights FILE] [--motion-root FOLDER] [--out FILE.md] [--csv FILE.csv]``

Through positions alone samplers are compared by the jitter of the decoder, and a peak that comes out right may be
jitter over a motion that is too tame; so motions are decoded consistently, read by virtual sensors, and set beside
held-out recorded motion of the same activity (:mod:`lightning_modules.metrics.sensor_distributions`).
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Final

import numpy as np
import torch
import yaml
from rich.console import Console
from torch import Tensor

from experiments.arms.clips import HeldOut
from experiments.pipeline.intervals import Interval, percentile_interval
from experiments.pipeline.one_line_errors import OneLineArgumentParser, one_line_errors
from experiments.pipeline.tables import BenchTable, describe_machine
from lightning_modules.checkpoints import load_prior
from lightning_modules.metrics.distribution_table import DistributionRow, DistributionTable, tabulate
from lightning_modules.metrics.motion_quality import measure_skating
from lightning_modules.metrics.sensor_distributions import DECIDING_PLACEMENTS, read_magnitudes
from lightning_modules.metrics.sensor_quantities import DECIDING, SensorMagnitudes
from lightning_modules.motion_diffusion import MotionDiffusion
from lightning_modules.packaged_configs import find_config
from lightning_modules.sampling.samplers import SAMPLER_NAMES, check_sampler
from lightning_modules.training.randomness import derive_seed
from lightning_modules.virtual_sensors import VirtualSensors
from sim.conventions import FEATURE_FPS
from sim.features import DECODERS, Decoder, features_to_joints

ACTIVITIES: Final = ("walking", "running", "jumping", "standing")
"""Those that differ by how people accelerate."""

SHOWN: Final = ("std", "p95", "p99", "power_3_8_hz")
"""Quantities that have a column."""

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
        seconds: of sampling for each motion [s].
    """

    sampler: str
    calls: int
    side: Side
    table: DistributionTable
    error: Interval
    seconds: float


def sample_motions(
    model: MotionDiffusion, prompts: Mapping[str, Sequence[str]], sampler: str, calls: int, options: argparse.Namespace
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
    model: MotionDiffusion, recorded: Mapping[str, Sequence[Tensor]], options: argparse.Namespace
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
            start = time.perf_counter()
            motions = sample_motions(model, prompts, sampler, calls, options)
            seconds = (time.perf_counter() - start) / (options.motions * len(prompts))
            side = Side.of(motions, options.decoder, std, sensors)
            table = tabulate(side.sensors, reference.sensors, options.placements)
            yield Judged(sampler, calls, side, table, _resample(side, reference, options.placements, table), seconds)


def read_prompts(path: Path) -> dict[str, list[str]]:
    """Read prompts by activity from the ``generation.prompts`` of a YAML such as ``experiments/har_eval.yaml``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no prompts.
    """
    content = yaml.safe_load(find_config(path).read_text(encoding="utf-8"))
    generation = content.get("generation") if isinstance(content, dict) else None
    prompts = generation.get("prompts") if isinstance(generation, dict) else None
    if not isinstance(prompts, dict):
        raise ValueError(f"{path} has no generation.prompts, expected prompts by activity as in experiments/dsads.yaml")
    return {str(name): [str(text) for text in texts] for name, texts in prompts.items() if texts}


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


def mean_ratio(rows: Sequence[DistributionRow], quantity: str, *, activity: str | None = None) -> float:
    """Return the geometric mean of generated over recorded of one quantity, over all activities for None."""
    chosen = [
        r.value for r in rows if r.quantity == quantity and activity in (None, r.activity) and math.isfinite(r.value)
    ]
    return math.exp(fmean(map(math.log, chosen))) if chosen else math.nan


def tabulate_samplers(recorded: Side, found: Sequence[Judged], options: argparse.Namespace) -> list[BenchTable]:
    """Return the table of all samplers, and that of what each activity is like."""
    activities = list(recorded.sensors)
    rows = [["recorded", "", "", "0", *["1"] * len(SHOWN), f"{recorded.acceleration:.2f}", f"{recorded.skating:.1%}"]]
    by_activity: list[list[str]] = []
    for one in found:
        ratios = [f"{mean_ratio(one.table.rows, name):.2f}" for name in SHOWN]
        error = f"{one.error.mean:.3f} ({one.error.low:.3f} to {one.error.high:.3f})"
        cost = [f"{one.side.acceleration:.2f}", f"{one.side.skating:.1%}"]
        rows.append([one.sampler, str(one.calls), f"{one.seconds:.3f}", error, *ratios, *cost])
        cells = [
            " / ".join(f"{mean_ratio(one.table.rows, name, activity=activity):.2f}" for name in SHOWN)
            for activity in activities
        ]
        by_activity.append([one.sampler, str(one.calls), *cells])
    counts = ", ".join(f"{len(read.lengths)} {name}" for name, read in recorded.sensors.items())
    note = (
        f"{options.motions} motions of {options.seconds:g} s for each activity and row, the same noise in every row, "
        f"{len(found) * options.motions * len(activities)} in all; guidance {options.guidance:g}, weights "
        f"`{Path(options.weights).name}`, decoder `{options.decoder}`. Recorded test windows: {counts}. Ratios are "
        "generated over recorded, of |specific force| minus its mean: geometric means over "
        f"{', '.join(options.placements)} (and, in the first table, activities); 1 is right. Error: mean |ln ratio| of "
        f"{', '.join(DECIDING)}, with a 95% interval over motions. {describe_machine()}."
    )
    header = ["sampler", "calls", "s a motion", "mean abs log ratio", *SHOWN, "joints [m/s^2]", "feet slide"]
    return [
        BenchTable("Samplers beside recorded motion", header, rows, note),
        BenchTable(f"By activity: {' / '.join(SHOWN)}", ["sampler", "calls", *activities], by_activity),
    ]


def write_csv(found: Sequence[Judged], path: Path) -> None:
    """Write every ratio of every sampler: by activity, placement and quantity."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["sampler", "calls", *DistributionRow._fields])
        writer.writerows([one.sampler, one.calls, *row] for one in found for row in one.table.rows)


def parse_options(args: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; ``args`` replaces ``sys.argv[1:]``."""
    parser = OneLineArgumentParser(
        prog="python -m experiments.acceleration.samplers", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--weights", default="prior", help="packaged weights or a file of save_prior")
    parser.add_argument("--motions", type=int, default=48, help="of each activity, sampler and number of calls")
    parser.add_argument("--samplers", nargs="+", default=list(SAMPLER_NAMES), help=f"of {', '.join(SAMPLER_NAMES)}")
    parser.add_argument("--calls", nargs="+", type=int, default=[50, 20, 10], help="of the network")
    parser.add_argument("--activities", nargs="+", default=list(ACTIVITIES))
    parser.add_argument("--placements", nargs="+", default=list(DECIDING_PLACEMENTS))
    parser.add_argument("--decoder", choices=DECODERS, default="consistent")
    parser.add_argument("--guidance", type=float, default=2.5)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a motion and of a recorded window")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--prompts", type=Path, default=Path("experiments/dsads.yaml"), help="YAML with generation.prompts"
    )
    parser.add_argument("--motion-root", type=Path, help="folder of motion besides the embedded clips")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--out", type=Path, help="Markdown file to write the tables to")
    parser.add_argument("--csv", type=Path, help="file to write every ratio to")
    options = parser.parse_args(args)
    for name in ("motions", "seconds"):
        if not getattr(options, name) > 0:
            parser.error(f"--{name} is {getattr(options, name)}, expected > 0")
    return options


def main(args: Sequence[str] | None = None) -> int:
    """Sample, compare, print and write; returns 0, or leaves with code 2 and one line on bad input."""
    options = parse_options(args)
    torch.set_num_threads(1)
    console = Console(width=180)
    with one_line_errors():
        for sampler in options.samplers:
            check_sampler(sampler)
        model = load_prior(options.weights)
        found: list[Judged] = []
        recorded: Side | None = None
        for one in judge_samplers(model, load_recorded(options), options):
            if isinstance(one, Side):
                recorded = one
            else:
                found.append(one)
                console.print(f"{one.sampler} {one.calls}: {one.error.mean:.3f}, {one.seconds:.3f} s a motion")
        if recorded is None:
            return 1
        tables = tabulate_samplers(recorded, found, options)
    for table in tables:
        table.print(console)
    if options.csv is not None:
        write_csv(found, options.csv)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text("\n".join(table.to_markdown() for table in tables), encoding="utf-8")
        console.print(f"written to {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
