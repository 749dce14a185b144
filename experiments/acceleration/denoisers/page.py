"""The page of the comparison of denoisers: what each costs, its one-step errors by noise level, and what it samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datamodules.clips.clip import LYING
from experiments.acceleration.denoisers.config import DenoisersConfig
from experiments.acceleration.denoisers.draw import draw_levels
from experiments.acceleration.denoisers.plan import Budget, InputErrors
from experiments.acceleration.distribution_page import list_ratios
from experiments.acceleration.distributions import ACTIVITIES, compare_run, judge_arms
from experiments.acceleration.levels import level_rmse
from experiments.acceleration.measure import Measured
from experiments.acceleration.plan import Arm
from experiments.arms.paired_errors import SPACES
from experiments.pipeline.files import Json, write_json, write_text
from experiments.pipeline.provenance import describe_commit
from experiments.pipeline.tables import BenchTable
from lightning_modules.metrics.denoising_scores import PAIRED_FRACTIONS
from lightning_modules.metrics.sensor_quantities import DECIDING
from sim.files import whole_file

PAGE: Final = "denoisers.md"
NUMBERS: Final = "denoisers.json"
PICTURE: Final = "denoisers.png"
SCALED: Final = "a x_t"
SHOWN: Final = {
    "reconstruction": "normalised features",
    "acc_joints": "joint accelerations",
    "sensors_accel": "specific force of the sensors",
    "sensors_gyro": "angular rate of the sensors",
}
"""Spaces that the page has, in words; units are those of :data:`SPACES`."""

POSTURES: Final = ("standing", "sitting", "lying")
_EMBEDDED: Final = "embedded/"  # how recordings are named that come with the package
DYNAMIC: Final = "unseen dynamic clips"
ALL: Final = "all test windows"

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Denoiser:
    """What was found of an arm.

    Attributes:
        name: of the arm.
        budget: what it was given; None where it was not trained here.
        seconds: what each training took [s].
        runs: measurements, one a seed.
    """

    name: str
    budget: Budget | None
    seconds: Sequence[float]
    runs: Sequence[Measured]


def select_groups(measured: Measured) -> dict[str, NDArray[np.bool_]]:
    """Return which windows ``(N,)`` belong to each group; a group without windows is left out."""
    moving = ~np.isin(measured.activity, (*POSTURES, *LYING)) & np.char.startswith(measured.recording, _EMBEDDED)
    groups = {DYNAMIC: moving, ALL: np.ones(len(moving), dtype=bool)}
    return {name: windows for name, windows in groups.items() if windows.any()}


def collect_levels(
    denoisers: Sequence[Denoiser], scaled: InputErrors, space: str, windows: NDArray[np.bool_]
) -> dict[str, Array]:
    """Return errors ``(seeds, L)`` of the scaled input and of each arm."""
    errors = {SCALED: np.stack([level_rmse(scaled, space, windows)])}
    return errors | {arm.name: np.stack([level_rmse(run, space, windows) for run in arm.runs]) for arm in denoisers}


def write_page(config: DenoisersConfig, denoisers: Sequence[Denoiser], scaled: InputErrors, *, folder: Path) -> Path:
    """Write the page, its picture and its numbers into the folder, and return the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    groups = select_groups(denoisers[0].runs[0])
    found = {
        group: {space: collect_levels(denoisers, scaled, space, windows) for space in SPACES}
        for group, windows in groups.items()
    }
    first = next(iter(found))
    figure = draw_levels({words: (found[first][space], SPACES[space]) for space, words in SHOWN.items()}, SCALED)
    with whole_file(folder / PICTURE) as part:
        figure.savefig(part, format="png", dpi=110)
    closeness = {arm.name: [compare_run(run).summary() for run in arm.runs] for arm in denoisers}
    tables = [
        _tabulate_costs(denoisers),
        _tabulate_sampled(config, denoisers, closeness),
        *(
            _tabulate_levels(f"{words.capitalize()} [{SPACES[space]}], {group} ({windows.sum()})", found[group][space])
            for group, windows in groups.items()
            for space, words in SHOWN.items()
        ),
    ]
    lines = [
        *_introduce(config),
        "",
        *[f"- {sentence}" for sentence in _state_wins(found, denoisers)],
        "",
        f"![Errors over the noise level, {first}]({PICTURE})",
        "",
        *[table.to_markdown() for table in tables],
    ]
    write_json(_list_numbers(denoisers, found, closeness), folder / NUMBERS)
    page = folder / PAGE
    write_text("\n".join(lines), page)
    return page


def _introduce(config: DenoisersConfig) -> list[str]:
    return [
        "# Denoisers on equal compute",
        "",
        "Written by `python -m experiments.acceleration.denoisers -c experiments/denoisers.yaml` "
        f"({describe_commit()}).",
        f"Seeds {list(config.seeds)}, test windows of {config.window_s:g} s. Every arm that is trained gets what"
        f" {config.steps} steps of `{config.reference}` cost in floating-point operations; what weights that it starts"
        " from cost before is not counted. Predictions in one step at so much of the schedule, the same noise for all,"
        f" decoded consistently. `{SCALED}` has learned nothing: the noisy input times a = sqrt(alpha-bar_t).",
        f"{DYNAMIC.capitalize()}: the embedded test clips but for {', '.join(POSTURES)}. Arms are spelt out in"
        " `experiments/denoisers.yaml`.",
    ]


def _tabulate_costs(denoisers: Sequence[Denoiser]) -> BenchTable:
    rows = [
        [
            arm.name, f"{budget.cost.parameters / 1e6:.2f}", f"{budget.cost.trained / 1e6:.2f}",
            f"{budget.cost.flops / 1e9:.1f}", str(budget.steps), f"{budget.cost.flops * budget.steps / 1e12:.1f}",
            f"{fmean(arm.seconds):.0f}",
        ]
        if (budget := arm.budget) is not None
        else [arm.name, *[""] * 6]
        for arm in denoisers
    ]  # fmt: skip
    return BenchTable(
        "What each was given",
        ["arm", "parameters [M]", "trained [M]", "GFLOP a step", "steps", "TFLOP", "seconds"],
        rows,
        "Floating-point operations of products of matrices and convolutions in a training step with a batch of full "
        "clips, forwards and backwards, as `torch.utils.flop_counter` counts them. Seconds: mean over seeds, with "
        "reading the data. An empty row was not trained here.",
    )


def _tabulate_sampled(
    config: DenoisersConfig,
    denoisers: Sequence[Denoiser],
    closeness: dict[str, list[float]],
) -> BenchTable:
    judged = judge_arms({Arm(arm.name): arm.runs for arm in denoisers}, resamples=config.resamples)
    intervals = {entry.arm.name: entry.interval for entry in judged if entry.against is None}
    rows = [
        [
            arm.name,
            _spread(closeness[arm.name]),
            f"[{intervals[arm.name].low:.3f}, {intervals[arm.name].high:.3f}]",
            *(_spread([compare_run(run, (activity,)).summary() for run in arm.runs]) for activity in ACTIVITIES),
        ]
        for arm in denoisers
    ]
    how = f"{config.sampler}, {config.sampling_steps or 'all'} steps, guidance {config.guidance:g}"
    return BenchTable(
        "What is sampled: how near sensor output comes to recorded",
        ["arm", "mean abs ln ratio", "95% interval", *ACTIVITIES],
        rows,
        f"{config.samples} motions for each test window ({how}), at {', '.join(config.placements)}; generated over "
        f"recorded {', '.join(DECIDING)}. 0 is best, 0.1 is ten percent off. Mean over seeds (least, greatest); the "
        "interval resamples seeds and recordings crosswise.",
    )


def _tabulate_levels(title: str, errors: dict[str, Array]) -> BenchTable:
    nothing = errors[SCALED][0]
    rows = []
    for name, values in errors.items():
        cells = [_spread(column) for column in values.T.tolist()]
        better = np.all(values < nothing, axis=0).tolist()  # never true of the scaled input itself
        rows.append([name, *(f"**{cell}**" if wins else cell for cell, wins in zip(cells, better, strict=True))])
    return BenchTable(
        title,
        ["arm", *_percents()],
        rows,
        f"Root mean square, mean over seeds (least, greatest). Bold: lower than {SCALED} with every seed.",
    )


def _state_wins(found: dict[str, dict[str, dict[str, Array]]], denoisers: Sequence[Denoiser]) -> list[str]:
    """Say of each arm at which levels it is better than the scaled input."""
    group, spaces = next(iter(found.items()))
    sentences = []
    for arm in denoisers:
        parts = []
        for space in ("reconstruction", "acc_joints"):
            better = np.all(spaces[space][arm.name] < spaces[space][SCALED], axis=0).tolist()
            levels = [level for level, wins in zip(_percents(), better, strict=True) if wins]
            at = "every level" if all(better) else ", ".join(levels) or "no level"
            parts.append(f"{SHOWN[space]} at {at}")
        sentences.append(f"`{arm.name}`, {group}, better than {SCALED} with every seed: {'; '.join(parts)}.")
    return sentences


def _percents() -> list[str]:
    return [f"{100 * fraction:g}%" for fraction in PAIRED_FRACTIONS]


def _spread(values: Sequence[float]) -> str:
    mean = f"{fmean(values):.3g}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.3g}, {max(values):.3g})"


def _list_numbers(
    denoisers: Sequence[Denoiser],
    found: dict[str, dict[str, dict[str, Array]]],
    closeness: dict[str, list[float]],
) -> dict[str, Json]:
    return {
        "levels": list(PAIRED_FRACTIONS),
        "budgets": {
            arm.name: {**arm.budget.cost._asdict(), "steps": arm.budget.steps, "seconds": list(arm.seconds)}
            for arm in denoisers
            if arm.budget is not None
        },
        "errors": {
            group: {
                space: {name: values.tolist() for name, values in errors.items()} for space, errors in spaces.items()
            }
            for group, spaces in found.items()
        },
        "mean_abs_log_ratio": dict(closeness),
        "sensor_ratios": list_ratios({Arm(arm.name): arm.runs for arm in denoisers}),
    }
