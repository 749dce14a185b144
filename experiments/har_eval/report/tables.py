"""Tables of the report as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from statistics import fmean

import numpy as np

from experiments.har_eval.report.arms import name_arm
from experiments.har_eval.report.text import describe_change, describe_rank_test, describe_score, judge
from experiments.har_eval.results import MEAN, HarEvalResults, MotionEntry, SetEntry

FULL = 0.55
"""Share from which a cell of a confusion matrix is dark."""


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """Return a table; the first ``left`` columns hold words, the others numbers. Cells are escaped here."""

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f'<{tag} class="{"word" if index < left else "number"}">{escape(cell)}</{tag}>'
            for index, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    head = f"<thead><tr>{cells('th', header)}</tr></thead>"
    return _scrolling(f"<table>{head}<tbody>{body}</tbody></table>", "table")


def _scrolling(content: str, label: str) -> str:
    """Let what is wider than the page scroll on its own, by the keyboard too."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">{content}</div>'


def tabulate_scores(results: HarEvalResults, set_name: str) -> str:
    """Macro-F1 of each arm and classifier with its interval."""
    mine = [entry for entry in results["summaries"] if entry["set"] == set_name]
    classifiers = list(dict.fromkeys(entry["classifier"] for entry in mine))
    rows = []
    for arm in dict.fromkeys(entry["arm"] for entry in mine):
        cells = {entry["classifier"]: describe_score(entry) for entry in mine if entry["arm"] == arm}
        rows.append([name_arm(results, arm), *(cells[classifier] for classifier in classifiers)])
    return table(["trained on", *("all classifiers" if name == MEAN else name for name in classifiers)], rows)


def tabulate_classes(results: HarEvalResults, real: SetEntry) -> str:
    """F1 of each class, mean over seeds and classifiers."""
    rows = []
    for arm in _arms_of(results, real["name"]):
        mine = [entry for entry in results["scores"] if (entry["set"], entry["arm"]) == (real["name"], arm)]
        scores = [fmean(entry["per_class_f1"][name] for entry in mine) for name in real["classes"]]
        rows.append([name_arm(results, arm), *(f"{score:.3f}" for score in scores)])
    support = ", ".join(f"{name} {count}" for name, count in real["test_windows"].items())
    return table(["F1 of each class, mean over seeds and classifiers", *real["classes"]], rows) + (
        f'<p class="note">Test windows: {escape(support)}.</p>'
    )


def tabulate_comparisons(results: HarEvalResults, set_name: str) -> str:
    """Differences between arms, absolute and relative, each named as such; single classifiers behind a fold."""
    rows: dict[bool, list[list[str]]] = {True: [], False: []}
    for entry in results["comparisons"]:
        if entry["set"] == set_name:
            absolute = entry["absolute"]
            rows[entry["classifier"] == MEAN].append(
                [
                    f"{entry['arm']} against {entry['against']}",
                    "all classifiers" if entry["classifier"] == MEAN else entry["classifier"],
                    f"{100 * absolute['mean']:+.1f} [{100 * absolute['low']:+.1f}, {100 * absolute['high']:+.1f}]",
                    describe_change(entry["relative"]),
                    judge(absolute),
                    describe_rank_test(entry),
                ]
            )
    header = [
        "difference",
        "classifier",
        "absolute gain [points of macro-F1]",
        "relative gain",
        "",
        "p over people (Holm)",
    ]
    single = table(header, rows[False], left=2) if rows[False] else ""
    if not rows[True]:
        return single
    return f"{table(header, rows[True], left=2)}<details><summary>By classifier</summary>{single}</details>"


def draw_confusions(results: HarEvalResults, real: SetEntry) -> str:
    """Confusion matrices of each arm, all seeds and classifiers added up, as shares of the true class."""
    blocks = []
    for arm in _arms_of(results, real["name"]):
        mine = [entry for entry in results["scores"] if (entry["set"], entry["arm"]) == (real["name"], arm)]
        counts = np.sum([entry["confusion"] for entry in mine], axis=0)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        head = "".join(f"<th>{escape(name)}</th>" for name in real["classes"])
        rows = "".join(
            f"<tr><th>{escape(name)}</th>{''.join(_shaded(float(share)) for share in row)}</tr>"
            for name, row in zip(real["classes"], shares, strict=True)
        )
        shown = f'<table class="confusion"><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>'
        caption = f"<figcaption>{escape(name_arm(results, arm))}</figcaption>"
        blocks.append(f"<figure>{caption}{_scrolling(shown, 'confusion matrix')}</figure>")
    return f'<div class="confusions">{"".join(blocks)}</div>'


def _shaded(share: float) -> str:
    full = ' class="full"' if share > FULL else ""
    return f'<td{full} style="--share:{100 * share:.0f}">{100 * share:.0f}</td>'


def tabulate_paired(results: HarEvalResults) -> str:
    """Paired acceleration errors: all clips, relative changes, and each activity."""
    references = list(dict.fromkeys(other for entry in results["paired"] for other in entry["relative_rmse"]))
    activities = list(dict.fromkeys(name for entry in results["paired"] for name in entry["by_activity"]))
    overall, single = [], []
    for entry in results["paired"]:
        name = entry["arm"] if entry["seed"] is None else f"{entry['arm']}, seed {entry['seed']}"
        relative = [
            describe_change(entry[kind][other]) if other in entry[kind] else "·"
            for other in references
            for kind in ("relative_rmse", "relative_mse")
        ]
        by_positions = entry["all"].get("rmse_positions")
        overall.append(
            [
                name,
                f"{entry['all']['rmse']:.3f}",
                f"{entry['all']['mse']:.3f}",
                "·" if by_positions is None else f"{by_positions:.3f}",
                *relative,
            ]
        )
        single.append([name, *(f"{entry['by_activity'][activity]['rmse']:.2f}" for activity in activities)])
    header = ["arm", "RMSE [m/s²]", "MSE [(m/s²)²]", "RMSE by positions alone [m/s²]"]
    header += [f"{kind} relative to {other}" for other in references for kind in ("RMSE", "MSE")]
    by_activity = table(["RMSE [m/s²] by activity", *activities], single)
    return table(header, overall) + f"<details><summary>By activity</summary>{by_activity}</details>"


def tabulate_calibrations(results: HarEvalResults, set_name: str) -> str:
    """How far sites were turned, over seeds and who is tested, and by how many people; empty where nothing was."""
    mine = [entry for entry in results.get("calibrations", []) if entry["set"] == set_name]
    rows = []
    for arm in dict.fromkeys(entry["arm"] for entry in mine):
        found = [entry for entry in mine if entry["arm"] == arm]
        for site in dict.fromkeys(site for entry in found for site in entry["turn_deg"]):
            turns = [entry["turn_deg"][site] for entry in found]
            people = sorted({len(entry["fitted_on"]) for entry in found})
            turned = f"{fmean(turns):.1f} ({min(turns):.1f}, {max(turns):.1f})"
            rows.append([name_arm(results, arm), site or "the sensor", turned, " or ".join(map(str, people))])
    header = ["calibrated", "site", "turned by, least and most [deg]", "fitted on people"]
    return f"<h3>Calibration</h3>{table(header, rows, left=2)}" if rows else ""


def tabulate_distances(results: HarEvalResults, set_name: str) -> str:
    """Distances of magnitude distribution, spectrum and peaks, mean over seeds, for each arm and activity."""
    mine = [entry for entry in results["distances"] if entry["set"] == set_name]
    rows = []
    for activity in dict.fromkeys(entry["activity"] for entry in mine):
        for arm in dict.fromkeys(entry["arm"] for entry in mine):
            found = [entry for entry in mine if (entry["arm"], entry["activity"]) == (arm, activity)]
            values = [
                [entry["wasserstein_m_s2"] for entry in found],
                [entry["psd_log10"] for entry in found],
                [entry["peak_m_s2"] for entry in found],
                [entry["real_peak_m_s2"] for entry in found],
                [entry["peak_ratio"] for entry in found],
            ]
            rows.append([activity, name_arm(results, arm), *(_mean(column, 3) for column in values)])
    header = ["activity", "arm", "Wasserstein-1 [m/s²]", "spectrum [log10]", "peak [m/s²]", "real peak [m/s²]"]
    header.append("peak ratio")
    return table(header, rows, left=2)


def tabulate_motions(results: HarEvalResults) -> str:
    """What the motions themselves are like, mean over seeds."""
    rows = []
    for activity in dict.fromkeys(entry["activity"] for entry in results["motions"]):
        for arm in dict.fromkeys(entry["arm"] for entry in results["motions"]):
            found = [entry for entry in results["motions"] if (entry["arm"], entry["activity"]) == (arm, activity)]
            rows.append([activity, name_arm(results, arm), *_describe_motion(found)])
    header = [
        "activity",
        "arm",
        "motions",
        "of them as asked",
        "speed [m/s]",
        "height of the pelvis [m]",
        "tilt of the trunk [deg]",
    ]
    return table(header, rows, left=2)


def _describe_motion(found: Sequence[MotionEntry]) -> list[str]:
    return [
        str(sum(entry["motions"] for entry in found)),
        _count_produced(found),
        _mean([entry["speed_m_s"] for entry in found], 2),
        _mean([entry["pelvis_height_m"] for entry in found], 2),
        _mean([entry["trunk_tilt_deg"] for entry in found], 0),
    ]


def _count_produced(found: Sequence[MotionEntry]) -> str:
    counts = [entry.get("produced") for entry in found]
    known = [count for count in counts if count is not None]
    return f"{sum(known):.0f}" if known and len(known) == len(counts) else "no rule"


def _mean(values: Sequence[float | None], digits: int) -> str:
    known = [value for value in values if value is not None]
    return f"{fmean(known):.{digits}f}" if known else "no motion"


def tabulate_stages(results: HarEvalResults) -> str:
    """Wall time of each stage."""
    rows = [
        [entry["title"], str(entry["tasks"]), str(entry["cached"]), f"{entry['wall_s']:.1f}"]
        for entry in results["stages"]
    ]
    return table(["stage", "tasks", "found in the cache", "wall time, all tasks [s]"], rows)


def _arms_of(results: HarEvalResults, set_name: str) -> list[str]:
    return list(dict.fromkeys(entry["arm"] for entry in results["scores"] if entry["set"] == set_name))
