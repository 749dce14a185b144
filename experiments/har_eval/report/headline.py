"""The first screen of the report: the comparison that the run is about, set by set, with intervals."""

from __future__ import annotations

from html import escape

from experiments.har_eval.report.arms import find_summary, name_arm
from experiments.har_eval.report.text import SEEDS_FOR_A_CLAIM, describe_change, describe_score, join, judge
from experiments.har_eval.results import MEAN, ComparisonEntry, HarEvalResults, IntervalEntry, SetEntry


def render_headline(results: HarEvalResults) -> str:
    """Return the comparison chosen beforehand, a row for each set; without one, the scores of all arms."""
    primary = [entry for entry in _averaged(results) if entry["primary"]]
    people = {who for real in results["sets"] for who in real["test_subjects"]}
    activities = list(dict.fromkeys(name for real in results["sets"] for name in real["classes"]))
    count = len(results["seeds"])
    facts = [
        f"tested on {len(people)} people" if any(real["subject_independent"] for real in results["sets"]) else "",
        f"{count} seed{'s' if count > 1 else ''}"
        + ("" if count >= SEEDS_FOR_A_CLAIM else f", an indication: a claim takes {SEEDS_FOR_A_CLAIM}"),
        f"activities: {join([name.replace('_', ' ') for name in activities])}",
    ]
    shown = "".join(f"<li>{escape(fact)}</li>" for fact in facts if fact)
    body = _compared(results, primary) if primary else _scored(results)
    return f'{body}<ul class="facts">{shown}</ul>'


def _averaged(results: HarEvalResults) -> list[ComparisonEntry]:
    """Comparisons over all classifiers; of the only one where a set has no more."""
    entries = results["comparisons"]
    averaged = {entry["set"] for entry in entries if entry["classifier"] == MEAN}
    return [entry for entry in entries if entry["classifier"] == MEAN or entry["set"] not in averaged]


def _compared(results: HarEvalResults, primary: list[ComparisonEntry]) -> str:
    first = primary[0]
    arm, against = name_arm(results, first["arm"]), name_arm(results, first["against"])
    role = f", {first['role']}" if first["role"] else ""
    reach = max(max(abs(entry["absolute"]["low"]), abs(entry["absolute"]["high"])) for entry in primary) or 1.0
    found = [judge(entry["absolute"]) for entry in primary]
    counts = [f"{verdict} in {found.count(verdict)}" for verdict in dict.fromkeys(sorted(found)) if verdict]
    rows = "".join(_row(results, entry, reach) for entry in primary)
    return (
        f'<p class="claim">Training on <b>{escape(arm)}</b> rather than on <b>{escape(against)}</b>{escape(role)}: '
        f"{escape(', '.join(counts))} of {len(primary)} questions.</p>"
        '<div class="rows" role="table" aria-label="the primary comparison, set by set">'
        '<div class="row head" role="row"><span role="columnheader">asked of real people</span>'
        f'<span role="columnheader">macro-F1, {escape(first["arm"])} / {escape(first["against"])}</span>'
        '<span role="columnheader">absolute [points], 95% interval</span><span role="columnheader" class="wide"></span>'
        f'<span role="columnheader">relative</span></div>{rows}</div>'
    )


def _row(results: HarEvalResults, entry: ComparisonEntry, reach: float) -> str:
    absolute = entry["absolute"]
    scores = [find_summary(results, entry["set"], arm) for arm in (entry["arm"], entry["against"])]
    real = next(item for item in results["sets"] if item["name"] == entry["set"])
    both = " / ".join("·" if score is None else f"{score['macro_f1']:.3f}" for score in scores)
    verdict = judge(absolute)
    kind = verdict if verdict in ("better", "worse") else "open"
    points = f"{100 * absolute['mean']:+.1f} [{100 * absolute['low']:+.1f}, {100 * absolute['high']:+.1f}]"
    return (
        f'<div class="row {kind}" role="row"><span role="cell"><a href="#{escape(entry["set"])}">'
        f"{escape(_words(real))}</a></span>"
        f'<span role="cell" class="digits">{both}</span><span role="cell" class="digits"><b>{points}</b></span>'
        f'<span role="cell" class="wide">{_bar(absolute, reach)}</span>'
        f'<span role="cell" class="digits">{escape(describe_change(entry["relative"]))}</span></div>'
    )


def _words(real: SetEntry) -> str:
    return real["name"].replace("_", " ")


def _bar(interval: IntervalEntry, reach: float) -> str:
    """Draw an interval about zero as three boxes; the numbers beside it say the same."""

    def place(value: float) -> float:
        return round(50 + 48 * value / reach, 2)

    low, mean, high = (place(interval[key]) for key in ("low", "mean", "high"))
    return (
        f'<i class="bar" aria-hidden="true"><i class="zero"></i><i class="span" style="left:{low}%;width:'
        f'{round(high - low, 2)}%"></i><i class="dot" style="left:{mean}%"></i></i>'
    )


def _scored(results: HarEvalResults) -> str:
    """Say what each arm reaches on each set, where no comparison was chosen beforehand."""
    found = [
        (real, arm["name"], score)
        for real in results["sets"]
        for arm in results["arms"]
        if (score := find_summary(results, real["name"], arm["name"])) is not None
    ]
    rows = [
        f'<div class="row open" role="row"><span role="cell"><a href="#{escape(real["name"])}">'
        f"{escape(_words(real))}</a>"
        f'</span><span role="cell">{escape(name_arm(results, arm))}</span>'
        f'<span role="cell" class="digits"><b>{describe_score(score)}</b></span></div>'
        for real, arm, score in found
    ]
    return (
        '<p class="claim">No comparison was chosen beforehand: macro-F1 on real people, nothing tested.</p>'
        f'<div class="rows" role="table" aria-label="scores">{"".join(rows)}</div>'
    )
