"""How far windows are from real people's, sensor by sensor, as a table of the report."""

from __future__ import annotations

from statistics import fmean
from typing import Final

from experiments.har_eval.report.arms import name_arm
from experiments.har_eval.report.tables import table
from experiments.har_eval.results import FidelityEntry, HarEvalResults

TITLES: Final = {
    "autocorrelation": "autocorrelation (0)",
    "cadence_ratio": "cadence ratio (1)",
    "sliced_wasserstein": "sliced Wasserstein (0)",
    "mmd": "MMD\u00b2 (0)",
    "two_sample": "told from real (0.5)",
    "nearest_ratio": "nearest real (1)",
}
"""Of each measure, with what would be right."""


def tabulate_fidelity(results: HarEvalResults, set_name: str) -> str:
    """Every activity, sensor and arm: each measure with its interval, both ends and value means over seeds."""
    cells: dict[tuple[str, str, str, str], dict[str, list[FidelityEntry]]] = {}
    for entry in results.get("fidelity", []):
        if entry["set"] == set_name:
            key = (entry["activity"], entry["placement"], entry["channels"], entry["arm"])
            cells.setdefault(key, {}).setdefault(entry["measure"], []).append(entry)
    if not cells:
        return ""
    rows = [
        [activity, f"{placement}, {channels}", name_arm(results, arm), *(_cell(found.get(name, [])) for name in TITLES)]
        for (activity, placement, channels, arm), found in cells.items()
    ]
    rows.sort(key=lambda row: row[:2])
    note = (
        "In brackets after each name: what would be right. Features in standard deviations of the real windows; 95% "
        "intervals from resampling people, means over seeds."
    )
    shown = table(["activity", "sensor", "arm", *TITLES.values()], rows, left=3)
    return f'<details><summary>Sensor by sensor</summary><p class="note">{note}</p>{shown}</details>'


def _cell(found: list[FidelityEntry]) -> str:
    values = [entry["value"] for entry in found if entry["value"] is not None]
    if not values:
        return "\u00b7"
    lows = [entry["low"] for entry in found if entry["low"] is not None]
    highs = [entry["high"] for entry in found if entry["high"] is not None]
    shown = f"{fmean(values):.2f}"
    return f"{shown} [{fmean(lows):.2f}, {fmean(highs):.2f}]" if lows and highs else shown
