"""What more real people bring, and which activities gain: two figures out of the scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from experiments.har_eval.report.arms import INK, PALETTE, colour_of, find_arm, find_summary, name_arm
from experiments.har_eval.report.figures import error_bars, to_html
from experiments.har_eval.results import ArmEntry, HarEvalResults, SetEntry, SummaryEntry
from experiments.pipeline.intervals import draw_resampling, f1_per_class

RESAMPLES: Final = 500
"""Behind the interval of one activity's gain."""


def draw_learning_curve(results: HarEvalResults, real: SetEntry) -> str:
    """Draw macro-F1 over how many real people are trained on: they alone, and beside each source of virtual sensors.

    Empty unless some arm trains on some real people.
    """
    lines: dict[str, list[tuple[int, SummaryEntry]]] = {}
    for arm in results["arms"]:
        entry = find_summary(results, real["name"], arm["name"])
        if entry is None or arm.get("protocol") == "trts":
            continue
        for line in _lines_of(results, arm):
            lines.setdefault(line, []).append((_people(arm, real), entry))
    if all(arm.get("people") is None for arm in results["arms"]):
        return ""
    figure = go.Figure()
    for line, points in lines.items():
        if len({count for count, _ in points}) < 2:
            continue
        points.sort(key=lambda point: point[0])
        entries = [entry for _, entry in points]
        arm_name = points[-1][1]["arm"]
        figure.add_scatter(
            name=line,
            x=[count for count, _ in points],
            y=[entry["macro_f1"] for entry in entries],
            mode="lines+markers",
            marker={"size": 8},
            line={"width": 2, "color": INK if line == ALONE else colour_of(results, arm_name)},
            error_y=error_bars(entries),
        )
    if not figure.data:
        return ""
    figure.update_xaxes(title="real people trained on", rangemode="tozero", dtick=1)
    figure.update_yaxes(title="macro-F1", rangemode="normal")
    return to_html(figure, height=360, label=f"macro-F1 over real people trained on, {real['name']}")


ALONE: Final = "real people alone"


def _lines_of(results: HarEvalResults, arm: ArmEntry) -> list[str]:
    """The lines that an arm is a point of: the source, and how people join it; without people it begins each."""
    if arm["kind"] == "real_people":
        return [ALONE]
    source = _source(results, arm["name"])
    if arm.get("people"):
        return [f"{source}, {arm.get('protocol', 'mixed').replace('_', ' ')}"]
    joined = [other for other in results["arms"] if other.get("people") and _source(results, other["name"]) == source]
    protocols = dict.fromkeys(other.get("protocol", "mixed") for other in joined if other["kind"] == arm["kind"])
    return [f"{source}, {protocol.replace('_', ' ')}" for protocol in protocols]


def _source(results: HarEvalResults, name: str) -> str:
    arms = results["config"].get("arms")
    entry = arms.get(name) if isinstance(arms, Mapping) else None
    if not isinstance(entry, Mapping):
        return name
    return str(entry.get("weights") or entry.get("generated") or find_arm(results, name)["kind"])


def _people(arm: ArmEntry, real: SetEntry) -> int:
    if (count := arm.get("people")) is not None:
        return count
    if arm["kind"] != "real_people":
        return 0
    alone = real["train_subjects"] == real["test_subjects"] and real.get("folds") is None
    return len(real["train_subjects"]) - int(alone)


def draw_gains(results: HarEvalResults, real: SetEntry) -> str:
    """Draw the change of F1 of each activity in every comparison, with 95% intervals over people and seeds.

    Empty where nobody is known by whom to resample.
    """
    pairs = list(
        dict.fromkeys(
            (entry["arm"], entry["against"]) for entry in results["comparisons"] if entry["set"] == real["name"]
        )
    )
    figure = go.Figure()
    for number, (arm, against) in enumerate(pairs):
        first, second = (_counts(results, real["name"], name) for name in (arm, against))
        if first.shape != second.shape or not first.size:
            continue
        change, low, high = _gain(first, second)
        figure.add_bar(
            name=f"{name_arm(results, arm)} against {name_arm(results, against)}",
            x=[name.replace("_", " ") for name in real["classes"]],
            y=(100 * change).tolist(),
            marker_color=PALETTE[(1 + number) % len(PALETTE)],
            marker_opacity=0.9 if (arm, against) == pairs[0] else 0.45,
            error_y={
                "type": "data",
                "symmetric": False,
                "array": (100 * (high - change)).tolist(),
                "arrayminus": (100 * (change - low)).tolist(),
                "thickness": 1.2,
                "width": 4,
                "color": INK,
            },
        )
    if not figure.data:
        return ""
    figure.update_layout(barmode="group", bargap=0.3)
    figure.update_yaxes(title="change of F1 [points]", zeroline=True)
    return to_html(figure, height=320, label=f"change of F1 of each activity, {real['name']}")


def _counts(results: HarEvalResults, set_name: str, arm: str) -> NDArray[np.int64]:
    """Confusion matrices ``(C, S, U, K, K)`` of an arm: classifiers, seeds, people."""
    mine = [entry for entry in results["scores"] if (entry["set"], entry["arm"]) == (set_name, arm)]
    return np.array(
        [
            [
                [entry["confusion_by_subject"][who] for who in sorted(entry["confusion_by_subject"])]
                for entry in mine
                if entry["classifier"] == classifier
            ]
            for classifier in dict.fromkeys(entry["classifier"] for entry in mine)
        ],
        dtype=np.int64,
    )


def _gain(
    first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Change of F1 of each class ``(K,)`` and the ends of its interval: seeds and people resampled, paired."""
    draws = draw_resampling(*first.shape[1:3], resamples=RESAMPLES, generator=np.random.default_rng(20240))

    def by_class(counts: NDArray[np.int64]) -> NDArray[np.float64]:
        scores = f1_per_class(np.einsum("bu,csukl->bcskl", draws.subjects, counts))
        weights = draws.seeds / draws.seeds.sum(axis=1, keepdims=True)
        resampled: NDArray[np.float64] = np.einsum("bs,bcsk->bck", weights, scores).mean(axis=1)
        return resampled

    def overall(counts: NDArray[np.int64]) -> NDArray[np.float64]:
        scores: NDArray[np.float64] = f1_per_class(counts.sum(axis=2)).mean(axis=(0, 1))
        return scores

    low, high = np.quantile(by_class(first) - by_class(second), (0.025, 0.975), axis=0)
    return overall(first) - overall(second), low, high
