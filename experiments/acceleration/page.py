"""The page of the acceleration experiment: what was found, in tables and in sentences that follow from the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from experiments.acceleration.choose import SweepRow
from experiments.acceleration.config import AccelerationConfig
from experiments.acceleration.distribution_page import (
    list_closeness,
    list_ratios,
    state_closeness,
    tabulate_arm,
    tabulate_closeness,
)
from experiments.acceleration.distributions import judge_arms
from experiments.acceleration.levels import tabulate_levels
from experiments.acceleration.measure import Measured
from experiments.acceleration.plan import CONTINUED, ORIGINAL, Arm
from experiments.acceleration.summarise import ALL, GROUPS, Groups, compare_errors, compute_rmse, mean_distance
from experiments.arms.paired_errors import SPACES
from experiments.pipeline.files import Json, write_json, write_text
from experiments.pipeline.intervals import Interval, draw_resampling
from experiments.pipeline.provenance import describe_commit
from experiments.pipeline.tables import BenchTable

PAGE: Final = "acceleration.md"
NUMBERS: Final = "acceleration.json"
GOAL: Final = -0.127
"""Change of the acceleration loss that Häusler et al. 2025 (arXiv:2512.08859) report against the original model."""
NAMED: Final = ("walking", "running", "jumping")


@dataclass(frozen=True)
class Change:
    """Relative change of a paired error of an arm."""

    arm: Arm
    against: str
    space: str
    group: str
    rmse: float
    interval: Interval


def compute_changes(runs: Mapping[Arm, Sequence[Measured]], groups: Groups, *, resamples: int) -> list[Change]:
    """Return changes of every arm against the original and against the control, in every space and group."""
    references = {arm.name: items for arm, items in runs.items() if arm.name in (ORIGINAL, CONTINUED)}
    first = references[ORIGINAL][0]
    selected = [g for g in (ALL, *GROUPS, *NAMED) if groups.select(first, g).any()]
    recordings = len(np.unique(first.recording))
    changes = []
    for arm, items in runs.items():
        resampling = draw_resampling(
            len(items), recordings, resamples=resamples, generator=np.random.default_rng(20242)
        )
        for against, reference in references.items():
            if arm.name == against or arm.name == ORIGINAL:
                continue
            for space in SPACES:
                for group in selected:
                    windows = groups.select(first, group)
                    interval = compare_errors(items, reference, space=space, windows=windows, resampling=resampling)
                    rmse = float(np.mean([compute_rmse(item, space, windows) for item in items]))
                    changes.append(Change(arm, against, space, group, rmse, interval))
    return changes


@dataclass(frozen=True)
class Part:
    """What was found of the arms that start from one prior.

    Attributes:
        start: its name.
        rows: of the sweep on validation clips; empty where nothing had to be chosen.
        chosen: each loss at its weight.
        runs: measurements of each arm on test clips, one a seed.
        pictures: files beside the page.
    """

    start: str
    rows: Sequence[SweepRow]
    chosen: Sequence[Arm]
    runs: Mapping[Arm, Sequence[Measured]]
    pictures: Sequence[Path]


def write_page(config: AccelerationConfig, parts: Sequence[Part], *, groups: Groups, folder: Path) -> Path:
    """Write the page and its numbers, and return the page's path."""
    first = parts[0].runs[Arm(ORIGINAL)][0]
    counts = {group: int(groups.select(first, group).sum()) for group in (*GROUPS, *NAMED)}
    origins = ", ".join(f"`{weights}`" for weights in config.originals.values())
    lines = [
        "# Acceleration losses: what they change",
        "",
        f"Written by `python -m experiments.acceleration -c experiments/acceleration.yaml` ({describe_commit()}).",
        f"Seeds {list(config.seeds)}; {config.steps} steps from {origins} (cards: [prior](../models/prior.md)); weights"
        f" of which there are several chosen on validation clips with seeds {list(config.sweep_seeds)}.",
        f"Test windows by measured peak acceleration: {counts['still']} still (below {config.still_m_s2:g} m/s²),"
        f" {counts['low']} of low and {counts['high']} of high dynamics (from {config.high_m_s2:g} m/s²);"
        f" {', '.join(f'{counts[name]} of {name}' for name in NAMED)}. {len(np.unique(first.recording))}"
        " recordings. Intervals: 95%, seeds and recordings resampled crosswise. Goal: 12.7% below the original"
        " (Häusler et al. 2025, arXiv:2512.08859, of their acceleration loss), significantly below the control.",
        "",
    ]
    numbers: dict[str, Json] = {}
    for part in parts:
        if len(parts) > 1:
            lines += [f"# From `{config.originals[part.start]}`", ""]
        text, found = _describe_part(part, groups, resamples=config.resamples)
        lines += text
        numbers[part.start] = found
    write_json(numbers, folder / NUMBERS)
    page = folder / PAGE
    write_text("\n".join(lines), page)
    return page


def _describe_part(part: Part, groups: Groups, *, resamples: int) -> tuple[list[str], dict[str, Json]]:
    """Return lines of the page and the numbers behind them."""
    runs, chosen, rows = part.runs, part.chosen, part.rows
    changes = compute_changes(runs, groups, resamples=resamples)
    first = runs[Arm(ORIGINAL)][0]
    judged = judge_arms(runs, resamples=resamples)
    tables = [
        tabulate_closeness(judged),
        tabulate_levels(runs),
        *([_tabulate_sweep(rows, chosen)] if rows else []),
        _tabulate_changes(changes, runs, first, groups),
        _tabulate_spaces(changes),
        _tabulate_distances(runs, groups),
        *(tabulate_arm(arm, items) for arm, items in runs.items()),
    ]
    sentences = [*state_goal(changes, chosen), *state_dynamics(changes, chosen), *_state_peaks(runs, groups)]
    sentences += state_closeness(judged)
    lines = [
        *[f"- {sentence}" for sentence in sentences],
        "",
        *[f"![{path.stem.replace('_', ' ')}]({path.name})\n" for path in part.pictures],
        *[table.to_markdown() for table in tables],
    ]
    numbers = _list_numbers(rows, chosen, changes)
    return lines, numbers | {"sensors": list_closeness(judged), "sensor_ratios": list_ratios(runs)}


def _list_numbers(rows: Sequence[SweepRow], chosen: Sequence[Arm], changes: Sequence[Change]) -> dict[str, Json]:
    return {
        "chosen": {arm.name: arm.weight for arm in chosen},
        "changes": [
            {
                "arm": c.arm.name, "weight": c.arm.weight, "against": c.against, "space": c.space, "group": c.group,
                "rmse": c.rmse, "change": c.interval.mean, "low": c.interval.low, "high": c.interval.high,
            }
            for c in changes
        ],
        "sweep": [
            {"arm": r.arm.name, "weight": r.arm.weight, "rmse": dict(r.rmse), "peaks": dict(r.peaks),
             "balance": r.balance}
            for r in rows
        ],
    }  # fmt: skip


OWN_SPACES: Final = {
    "acc_features": ("acc_features",),
    "acc_joints": ("acc_joints",),
    "acc_sensors": ("sensors_accel", "sensors_gyro"),
}
"""Spaces that a loss is taken in."""


def state_goal(changes: Sequence[Change], chosen: Sequence[Arm]) -> list[str]:
    """Say for each loss, in joint space and in its own, whether it reached the goal.

    The goal: 12.7% below the original and significantly below the control. Häusler et al. report a loss, a mean square;
    root mean squares fall by less, so both are given and judged.
    """
    sentences = []
    for arm in chosen:
        for space in dict.fromkeys(("acc_joints", *OWN_SPACES.get(arm.name, ()))):
            found = {c.against: c.interval for c in changes if (c.arm, c.space, c.group) == (arm, space, ALL)}
            below = found[CONTINUED].high < 0
            verdicts = [
                f"{kind} {_percent(turn(found[ORIGINAL]))} against the original and {_percent(turn(found[CONTINUED]))} "
                f"against the control ({'reached' if turn(found[ORIGINAL]).mean <= GOAL and below else 'not reached'})"
                for kind, turn in (("mean square", square_change), ("root mean square", lambda change: change))
            ]
            sentences.append(f"{arm.name} at {arm.weight:g}, {space}: {'; '.join(verdicts)}.")
    return sentences


def square_change(change: Interval) -> Interval:
    """Return the relative change of a mean square from that of its root."""
    return Interval(*((1.0 + value) ** 2 - 1.0 for value in change))


def state_dynamics(changes: Sequence[Change], chosen: Sequence[Arm]) -> list[str]:
    """Say where each loss gains most, joint accelerations against the control."""
    sentences = []
    for arm in chosen:
        gains = {
            c.group: c.interval.mean
            for c in changes
            if (c.arm, c.against, c.space) == (arm, CONTINUED, "acc_joints") and c.group in NAMED
        }
        if gains:
            listed = ", ".join(
                f"{group} {100 * gain:+.1f}%" for group, gain in sorted(gains.items(), key=lambda x: x[1])
            )
            sentences.append(f"{arm.name}, root mean square against the control by activity: {listed}.")
    return sentences


def _state_peaks(runs: Mapping[Arm, Sequence[Measured]], groups: Groups) -> list[str]:
    parts = []
    for arm, items in runs.items():
        found = {group: mean_distance(items, groups.select(items[0], group)) for group in ("low", "high")}
        ratios = [f"{group} {entry['peak_ratio_p95'][0]:.2f}" for group, entry in found.items() if entry is not None]
        parts.append(f"{arm.name} {', '.join(ratios)}")
    return [
        f"Generated over recorded 95th percentile of joint acceleration, by group (1 is right): {'; '.join(parts)}."
    ]


def _percent(interval: Interval) -> str:
    return f"{100 * interval.mean:+.1f}% [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]"


def _tabulate_sweep(rows: Sequence[SweepRow], chosen: Sequence[Arm]) -> BenchTable:
    cells = [
        [
            f"**{row.arm.label}**" if row.arm in chosen else row.arm.label,
            *(f"{row.rmse[space]:.4g}" for space in SPACES),
            *(f"{row.peaks[group]:.2f}" if group in row.peaks else "" for group in GROUPS),
            f"{row.balance:.2f}",
        ]
        for row in rows
    ]
    return BenchTable(
        "Sweep, on validation clips",
        ["arm", *(f"{space} [{unit}]" for space, unit in SPACES.items()), *(f"peaks {g}" for g in GROUPS), "moving"],
        cells,
        "Paired root-mean-square errors over all windows, and generated over recorded 95th percentile of joint "
        "acceleration; the last column is the geometric mean of low and high. Bold: chosen.",
    )  # fmt: skip


def _tabulate_changes(
    changes: Sequence[Change], runs: Mapping[Arm, Sequence[Measured]], first: Measured, groups: Groups
) -> BenchTable:
    shown = list(dict.fromkeys(c.group for c in changes))
    original = [f"{compute_rmse(first, 'acc_joints', groups.select(first, group)):.2f}" for group in shown]
    rows = [[ORIGINAL, "", *original]]
    for arm in runs:
        for against in (ORIGINAL, CONTINUED):
            mine = {c.group: c for c in changes if (c.arm, c.against, c.space) == (arm, against, "acc_joints")}
            if mine:
                rows.append([arm.label, against, *(_percent(mine[group].interval) for group in shown)])
    return BenchTable(
        "Paired error of joint accelerations on test clips, by group",
        ["arm", "against", *shown],
        rows,
        "RMSE of the original [m/s²], then relative changes of the RMSE.",
    )


def _tabulate_spaces(changes: Sequence[Change]) -> BenchTable:
    rows = []
    for arm, against in dict.fromkeys((c.arm, c.against) for c in changes):
        mine = {c.space: c for c in changes if (c.arm, c.against, c.group) == (arm, against, ALL)}
        rows.append([arm.label, against, *(_percent(mine[space].interval) for space in SPACES)])
    return BenchTable(
        "Change of the paired RMSE in each space, all test windows", ["arm", "against", *SPACES], rows,
        "`reconstruction` is the price: how well the motion itself is denoised.",
    )  # fmt: skip


def _tabulate_distances(runs: Mapping[Arm, Sequence[Measured]], groups: Groups) -> BenchTable:
    rows = []
    for group in (*GROUPS, *NAMED):
        for arm, items in runs.items():
            found = mean_distance(items, groups.select(items[0], group))
            if found is not None:
                rows.append([group, arm.label, *(f"{m:.2f} ({a:.2f}, {b:.2f})" for m, a, b in found.values())])
    return BenchTable(
        "Generated beside recorded motion of the test captions: joint accelerations",
        ["group", "arm", "Wasserstein-1 [m/s²]", "spectrum [log10]", "peak ratio p95", "peak ratio p99"],
        rows,
        "Mean over seeds (least, greatest); the original has one. 0 is best for the distances, 1 for the ratios.",
    )
