"""What the report says in words, made from the numbers whichever way they came out."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from experiments.har_eval.report.arms import arms_of_kind, find_arm, name_arm
from experiments.har_eval.results import (
    MEAN,
    ComparisonEntry,
    HarEvalResults,
    IntervalEntry,
    RelativeEntry,
    SummaryEntry,
)

SEEDS_FOR_A_CLAIM = 5
MOVING_M_S2 = 1.0
"""Activities whose real peaks are below this are still; ratios of their peaks compare noise."""


def describe_score(entry: SummaryEntry, *, digits: int = 3) -> str:
    """Return macro-F1 with its interval, or with the worst and best seed where subjects are unknown."""
    interval = entry["interval"]
    if interval is not None:
        return f"{entry['macro_f1']:.{digits}f} [{interval['low']:.{digits}f}, {interval['high']:.{digits}f}]"
    return f"{entry['macro_f1']:.{digits}f} ({entry['seed_low']:.{digits}f}, {entry['seed_high']:.{digits}f})"


def describe_difference(absolute: IntervalEntry, relative: RelativeEntry) -> str:
    """Return an absolute and a relative difference of macro-F1 in words, each named as such."""
    return (
        f"absolute {100 * absolute['mean']:+.1f} points [{100 * absolute['low']:+.1f}, {100 * absolute['high']:+.1f}], "
        f"relative {describe_change(relative)}"
    )


def describe_change(relative: RelativeEntry) -> str:
    """Return a relative change with its interval in percent; what a score of zero leaves undefined is named so."""
    mean, low, high = (
        "undefined" if value is None else f"{100 * value:+.1f}%"
        for value in (relative["mean"], relative["low"], relative["high"])
    )
    return f"{mean} [{low}, {high}]"


def describe_rank_test(entry: ComparisonEntry) -> str:
    """Return p of the signed-rank test over people and, in brackets, corrected; a dot where results have none."""
    if "wilcoxon_p" not in entry:
        return "\u00b7"
    return f"{entry['wilcoxon_p']:.3f} ({entry.get('holm_p', entry['wilcoxon_p']):.3f})"


def judge(interval: IntervalEntry | RelativeEntry, *, better: str = "better", worse: str = "worse") -> str:
    """Return what an interval of a difference says; an undefined end speaks for neither side."""
    low, high = interval["low"], interval["high"]
    if low is not None and low > 0:
        return better
    return worse if high is not None and high < 0 else "no evidence of a difference"


def state_findings(results: HarEvalResults) -> list[str]:
    """State what was found, in sentences that follow from the numbers alone.

    The primary comparison comes first, over all classifiers; it was chosen before any result was seen.
    """
    sentences = [
        *_state_comparisons(results),
        *_state_ceiling(results),
        *_state_sets_without_subjects(results),
        *_state_paired(results),
        *_state_distances(results),
        *state_failures(results),
    ]
    return [*sentences, _state_seeds(results)]


def state_failures(results: HarEvalResults) -> list[str]:
    """State what was asked for and did not come: activities that were not produced or are never recognised."""
    return [*_state_failures(results), *_state_unproduced(results)]


def _state_comparisons(results: HarEvalResults) -> list[str]:
    entries = results["comparisons"]
    averaged = any(entry["classifier"] == MEAN for entry in entries)
    shown = [entry for entry in entries if entry["classifier"] == MEAN or not averaged]
    pairs = list(dict.fromkeys((entry["arm"], entry["against"]) for entry in entries))
    sentences = []
    for entry in sorted(shown, key=lambda item: pairs.index((item["arm"], item["against"]))):
        over = "over all classifiers" if entry["classifier"] == MEAN else f"with {entry['classifier']}"
        against = f"{entry['role']} ({entry['against']})" if entry["role"] else entry["against"]
        sentences.append(
            f"{entry['set']}: training on {entry['arm']} rather than {against} changes macro-F1 {over} by "
            f"{describe_difference(entry['absolute'], entry['relative'])}: {judge(entry['absolute'])}."
        )
    return sentences


def _state_ceiling(results: HarEvalResults) -> list[str]:
    sentences = []
    for real in results["sets"]:
        scores = _overall(results, real["name"])
        generated = [arm for arm in _virtual_alone(results) if arm in scores]
        if not generated:
            continue
        best = max(generated, key=lambda arm: scores[arm])
        beside = "".join(
            f"; {name_arm(results, arm)} {scores[arm]:.3f}"
            for arm in arms_of_kind(results, "real_people", "recorded")
            if arm in scores
        )
        sentences.append(
            f"{real['name']}: trained on virtual sensors alone, the best arm ({best}) reaches macro-F1 "
            f"{scores[best]:.3f}{beside}."
        )
    return sentences


def _virtual_alone(results: HarEvalResults) -> list[str]:
    """Generated arms that no real person has a part in, by training or by calibration."""
    with_people = [
        arm["name"]
        for arm in results["arms"]
        if arm.get("people") or arm.get("calibrate") or arm.get("protocol") == "trts"
    ]
    return [arm for arm in arms_of_kind(results, "prior", "generated") if arm not in with_people]


def _state_sets_without_subjects(results: HarEvalResults) -> list[str]:
    return [
        f"{real['name']} is not subject-independent (its files do not say who wore the sensor), so its numbers carry "
        "no interval and no comparison rests on them."
        for real in results["sets"]
        if not real["subject_independent"]
    ]


def _state_paired(results: HarEvalResults) -> list[str]:
    sentences = []
    for entry in results["paired"]:
        changes = [
            f"relative to {other} {describe_change(change)} ({judge(change, better='larger', worse='smaller')})"
            for other, change in entry["relative_rmse"].items()
        ]
        if changes:
            name = entry["arm"] if entry["seed"] is None else f"{entry['arm']} (seed {entry['seed']})"
            sentences.append(
                f"Paired acceleration error of {name}, over {entry['recordings']} held-out clips: RMSE "
                f"{entry['all']['rmse']:.2f} m/s²; {'; '.join(changes)}."
            )
    return sentences


def _state_distances(results: HarEvalResults) -> list[str]:
    """Say whether a smaller paired error came with tamer peaks (docs/architecture.md, science rule 3)."""
    sentences = []
    for real in results["sets"]:
        mine = [entry for entry in results["distances"] if entry["set"] == real["name"]]
        moving = [e for e in mine if e["peak_ratio"] is not None and (e["real_peak_m_s2"] or 0.0) > MOVING_M_S2]
        activities = list(dict.fromkeys(entry["activity"] for entry in moving))
        ratios = {
            arm: fmean(entry["peak_ratio"] or 0.0 for entry in moving if entry["arm"] == arm)
            for arm in dict.fromkeys(entry["arm"] for entry in moving)
        }
        if ratios:
            listed = ", ".join(f"{name_arm(results, arm)} {ratio:.2f}" for arm, ratio in ratios.items())
            sentences.append(
                f"{real['name']}: peaks of acceleration in {join(activities)}, virtual over real (1 is right, below "
                f"1 too tame): {listed}."
            )
    return sentences


def _state_failures(results: HarEvalResults) -> list[str]:
    sentences = []
    for real in results["sets"]:
        for arm in arms_of_kind(results, "prior", "generated"):
            if find_arm(results, arm).get("protocol") == "trts":
                continue
            mine = [entry for entry in results["scores"] if (entry["set"], entry["arm"]) == (real["name"], arm)]
            never = [name for name in real["classes"] if mine and all(not e["per_class_f1"][name] for e in mine)]
            if never:
                sentences.append(
                    f"{real['name']}: trained on {arm}, no classifier and seed ever recognises {join(never)}; it "
                    "stays in the table and counts as zero."
                )
    return sentences


def _state_unproduced(results: HarEvalResults) -> list[str]:
    """Say which activities an arm asked for and mostly did not get, by posture and speed."""
    sentences = []
    for arm in arms_of_kind(results, "prior", "generated"):
        failed = []
        for activity in dict.fromkeys(entry["activity"] for entry in results["motions"]):
            found = [entry for entry in results["motions"] if (entry["arm"], entry["activity"]) == (arm, activity)]
            shown, asked = [entry.get("produced") for entry in found], sum(entry["motions"] for entry in found)
            known = [count for count in shown if count is not None]
            if known and len(known) == len(shown) and sum(known) < asked / 2:
                failed.append(f"{activity} ({sum(known):.0f} of {asked})")
        if failed:
            sentences.append(f"{name_arm(results, arm)}: less than half of the motions show {join(failed)}.")
    return sentences


def _state_seeds(results: HarEvalResults) -> str:
    count = len(results["seeds"])
    trained = [arm["name"] for arm in results["arms"] if arm["trained_here"]]
    fixed = [arm["name"] for arm in results["arms"] if arm["start"] is not None and not arm["trained_here"]]
    if not trained:
        repeated = (
            "generation, simulation and classifier, but not fine-tuning: each arm is one training run, so differences "
            "between arms include the luck of that run"
        )
    elif fixed:
        repeated = (
            f"generation, simulation and classifier, and the fine-tuning of {join(trained)}; {join(fixed)} took "
            "weights from one training run"
        )
    else:
        repeated = "fine-tuning, generation, simulation and classifier"
    few = "" if count >= SEEDS_FOR_A_CLAIM else f"; fewer than {SEEDS_FOR_A_CLAIM} seeds are an indication, not a claim"
    return f"{count} seed{'s' if count > 1 else ''}; each repeats {repeated}{few}."


def describe_decoding(results: HarEvalResults) -> str:
    """Say how each prior's features became joints; nothing of results from before there was a choice."""
    words = {"consistent": "positions and steps together (consistent)", "positions": "positions alone"}
    by_decoder: dict[str, list[str]] = {}
    for arm in results["arms"]:
        if (decoder := arm.get("decoder")) is not None:
            by_decoder.setdefault(decoder, []).append(name_arm(results, arm["name"]))
    parts = [f"{join(arms)} by {words[decoder]}" for decoder, arms in by_decoder.items()]
    return f"Generated features were decoded to joints: {'; '.join(parts)}." if parts else ""


def _overall(results: HarEvalResults, set_name: str) -> dict[str, float]:
    """Macro-F1 of each arm over all classifiers."""
    mine = [entry for entry in results["summaries"] if entry["set"] == set_name]
    averaged = [entry for entry in mine if entry["classifier"] == MEAN] or mine
    return {entry["arm"]: entry["macro_f1"] for entry in averaged}


def join(names: Sequence[str]) -> str:
    """Return names in a row as a sentence has them, the last after "and"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
