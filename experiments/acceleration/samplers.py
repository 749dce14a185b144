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
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Final

import torch
from rich.console import Console

from experiments.acceleration.judge_samplers import Judged, Side, judge_samplers, load_recorded
from experiments.pipeline.files import write_text
from experiments.pipeline.one_line_errors import OneLineArgumentParser, one_line_errors
from experiments.pipeline.tables import BenchTable, describe_machine
from lightning_modules.checkpoints import load_prior
from lightning_modules.metrics.distribution_table import DistributionRow
from lightning_modules.metrics.sensor_distributions import DECIDING_PLACEMENTS
from lightning_modules.metrics.sensor_quantities import DECIDING
from lightning_modules.sampling.samplers import SAMPLER_NAMES, check_sampler
from sim.features import DECODERS
from sim.files import whole_file

ACTIVITIES: Final = ("walking", "running", "jumping", "standing")
"""Those that differ by how people accelerate."""

SHOWN: Final = ("std", "p95", "p99", "power_3_8_hz")
"""Quantities that have a column."""


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
    header = ["sampler", "calls", "CPU s a motion", "mean abs log ratio", *SHOWN, "joints [m/s^2]", "feet slide"]
    return [
        BenchTable("Samplers beside recorded motion", header, rows, note),
        BenchTable(f"By activity: {' / '.join(SHOWN)}", ["sampler", "calls", *activities], by_activity),
    ]


def write_csv(found: Sequence[Judged], path: Path) -> None:
    """Write every ratio of every sampler: by activity, placement and quantity."""
    with whole_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
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
                console.print(f"{one.sampler} {one.calls}: {one.error.mean:.3f}, {one.seconds:.3f} CPU s a motion")
                if options.csv is not None:  # after each, as they take minutes
                    write_csv(found, options.csv)
        if recorded is None:
            return 1
        tables = tabulate_samplers(recorded, found, options)
    for table in tables:
        table.print(console)
    if options.out is not None:
        write_text("\n".join(table.to_markdown() for table in tables), options.out)
        console.print(f"written to {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
