"""The part of the page on what sensors read of generated motion: ratios by activity and placement, and one number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np

from experiments.acceleration.distributions import ACTIVITIES, Closeness, compare_run
from experiments.acceleration.measure import Measured
from experiments.acceleration.plan import CONTINUED, ORIGINAL, Arm
from experiments.pipeline.files import Json
from experiments.pipeline.intervals import Interval
from experiments.pipeline.tables import BenchTable
from lightning_modules.metrics.distribution_table import DistributionRow
from lightning_modules.metrics.sensor_quantities import DECIDING, QUANTITIES, SPECTRUM


def tabulate_arm(arm: Arm, runs: Sequence[Measured]) -> BenchTable:
    """Return an arm's ratios, a row for each activity and placement: geometric means over seeds, of dB the mean."""
    tables = [compare_run(run).rows for run in runs]
    places: dict[tuple[str, str], dict[str, tuple[DistributionRow, ...]]] = {}
    for rows in zip(*tables, strict=True):
        places.setdefault((rows[0].activity, rows[0].placement), {})[rows[0].quantity] = rows
    cells = []
    for (activity, placement), found in places.items():
        first = found[QUANTITIES[0]][0]
        counts = f"{first.motions_generated} / {first.motions_recorded}"
        seconds = f"{first.seconds_generated:.0f} / {first.seconds_recorded:.0f}"
        cells.append([activity, placement, *(_show(name, found[name]) for name in QUANTITIES), counts, seconds])
    return BenchTable(
        f"Sensor output, generated over recorded: {arm.label}",
        ["activity", "placement", *QUANTITIES, "motions", "seconds"],
        cells,
        "Geometric mean over seeds, 1 is right; spectrum_db: mean distance [dB], 0 is right. Motions and seconds of "
        "one seed. Quantities: docs/evaluation.md.",
    )  # fmt: skip


def tabulate_closeness(judged: Sequence[Closeness]) -> BenchTable:
    """Return the one number of each arm, and its differences from the original and the control."""
    rows = []
    for arm in dict.fromkeys(entry.arm for entry in judged):
        mine = {entry.against: entry.interval for entry in judged if entry.arm == arm}
        rows.append([arm.label, *(_show_interval(mine.get(against)) for against in (None, ORIGINAL, CONTINUED))])
    return BenchTable(
        "How near sensor output comes to recorded",
        ["arm", "mean |ln ratio|", f"minus {ORIGINAL}", f"minus {CONTINUED}"],
        rows,
        f"Over {', '.join(ACTIVITIES)}, all placements, and {', '.join(DECIDING)}; 0 is best, 0.1 is ten percent off. "
        "95% intervals, seeds and recordings resampled crosswise; a difference below 0 is nearer than the reference.",
    )  # fmt: skip


def state_closeness(judged: Sequence[Closeness]) -> list[str]:
    """Say of each loss whether what it generates comes nearer to recorded motion than what the control does."""
    sentences = []
    for entry in judged:
        if entry.against == CONTINUED and not np.isnan(entry.interval.mean):
            mean, low, high = entry.interval
            verdict = "nearer than the control" if high < 0 else "further off" if low > 0 else "no difference shown"
            sentences.append(
                f"{entry.arm.label}, sensor output of generated motion, mean |ln ratio| to recorded motion against the "
                f"control: {mean:+.3f} [{low:+.3f}, {high:+.3f}] ({verdict})."
            )
    return sentences


def list_closeness(judged: Sequence[Closeness]) -> list[Json]:
    """Return the same as plain values for the file of numbers."""
    return [
        {
            "arm": entry.arm.name, "weight": entry.arm.weight, "against": entry.against,
            "value": entry.interval.mean, "low": entry.interval.low, "high": entry.interval.high,
        }
        for entry in judged
    ]  # fmt: skip


def list_ratios(runs: Mapping[Arm, Sequence[Measured]]) -> list[Json]:
    """Return every row of every arm and run, in the order of its seeds, as plain values."""
    return [
        {"arm": arm.name, "weight": arm.weight, "run": number, **_plain(row)}
        for arm, items in runs.items()
        for number, run in enumerate(items)
        for row in compare_run(run).rows
    ]


def _plain(row: DistributionRow) -> dict[str, Json]:
    values: dict[str, Json] = row._asdict()
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in values.items()}


def _show(name: str, rows: Sequence[DistributionRow]) -> str:
    values = [row.value for row in rows]
    if any(math.isnan(value) for value in values):
        return ""
    return f"{fmean(values):.2f}" if name == SPECTRUM else f"{math.exp(fmean(map(math.log, values))):.2f}"


def _show_interval(interval: Interval | None) -> str:
    if interval is None or math.isnan(interval.mean):
        return ""
    return f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
