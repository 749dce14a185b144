"""From predictions to scores, summaries over seeds, and differences between arms with their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.har_eval.arm_config import ComparisonConfig
from experiments.har_eval.rank_tests import correct_by_holm, people_differ
from experiments.har_eval.results import (
    MEAN,
    ComparisonEntry,
    IntervalEntry,
    RelativeEntry,
    ScoreEntry,
    SummaryEntry,
)
from experiments.har_eval.stages.classify import PREDICTIONS, VIRTUAL
from experiments.pipeline.intervals import (
    Interval,
    Resampling,
    difference_interval,
    draw_resampling,
    macro_f1,
    score_interval,
)
from lightning_modules.har.metrics import Predictions, score

Counts = NDArray[np.int64]


def score_predictions(
    folder: Path, classes: Sequence[str], *, arm: str, set_name: str, classifier: str, seed: int
) -> ScoreEntry:
    """Score what a Classify task wrote."""
    with np.load(folder / PREDICTIONS, allow_pickle=False) as data:
        found = Predictions(data["labels"], data["predictions"], data["subjects"], tuple(classes))
    scores = score(found)
    by_subject: dict[str, list[list[int]]] = {}
    for subject in np.unique(found.subjects):
        mine = found.subjects == subject
        counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
        np.add.at(counts, (found.labels[mine], found.predictions[mine]), 1)
        by_subject[str(subject)] = counts.tolist()
    return {
        "arm": arm,
        "set": set_name,
        "classifier": classifier,
        "seed": seed,
        "macro_f1": scores.macro_f1,
        "accuracy": scores.accuracy,
        "per_class_f1": dict(scores.per_class_f1),
        "support": dict(scores.support),
        "confusion": scores.confusion.tolist(),
        "confusion_by_subject": by_subject,
    }


def summarise(
    scores: Sequence[ScoreEntry], *, with_intervals: Mapping[str, bool], resamples: int
) -> list[SummaryEntry]:
    """Summarise each arm, set and classifier over seeds, and each arm and set over classifiers too.

    Args:
        scores: all of them.
        with_intervals: for each set whether its test subjects are known, so that an interval means something; arms
            that are tested on virtual sensors get none.
        resamples: bootstrap resamples.
    """
    virtual = {(entry["arm"], entry["set"]) for entry in scores if VIRTUAL in entry["confusion_by_subject"]}
    summaries: list[SummaryEntry] = []
    for set_name, known in with_intervals.items():
        for arm, classifier, counts in _cells(scores, set_name):
            by_seed = macro_f1(counts.sum(axis=-3)).reshape(-1, counts.shape[-4]).mean(axis=0)
            pooled = counts.sum(axis=-3)
            accuracy = np.trace(pooled, axis1=-2, axis2=-1) / pooled.sum(axis=(-2, -1))
            with_people = known and (arm, set_name) not in virtual
            interval = score_interval(counts, _resampling(counts, resamples)) if with_people else None
            summaries.append(
                {
                    "arm": arm,
                    "set": set_name,
                    "classifier": classifier,
                    "macro_f1": float(by_seed.mean()),
                    "accuracy": float(accuracy.mean()),
                    "seed_low": float(by_seed.min()),
                    "seed_high": float(by_seed.max()),
                    "interval": None if interval is None else as_entry(interval),
                }
            )
    return summaries


def compare(
    scores: Sequence[ScoreEntry],
    comparisons: Sequence[ComparisonConfig],
    *,
    primary: ComparisonConfig | None,
    with_intervals: Mapping[str, bool],
    resamples: int,
) -> list[ComparisonEntry]:
    """Compare arms on sets whose test subjects are known.

    Args:
        scores: all of them.
        comparisons: which arms, in the order of the entries within a set.
        primary: the one of them that the experiment is about.
        with_intervals: for each set whether its test subjects are known.
        resamples: bootstrap resamples.
    """
    entries: list[ComparisonEntry] = []
    for set_name in (name for name, known in with_intervals.items() if known):
        cells = {(arm, classifier): counts for arm, classifier, counts in _cells(scores, set_name)}
        classifiers = list(dict.fromkeys(classifier for _, classifier in cells))
        for comparison in comparisons:
            for classifier in classifiers:
                first, second = cells[comparison.arm, classifier], cells[comparison.against, classifier]
                resampling = _resampling(first, resamples)
                entries.append(
                    {
                        "arm": comparison.arm,
                        "against": comparison.against,
                        "role": comparison.role,
                        "primary": comparison == primary,
                        "set": set_name,
                        "classifier": classifier,
                        "absolute": as_entry(difference_interval(first, second, resampling)),
                        "relative": as_relative_entry(difference_interval(first, second, resampling, relative=True)),
                        "wilcoxon_p": people_differ(first, second),
                    }
                )
    for group in {(entry["set"], entry["classifier"]) for entry in entries}:
        family = [entry for entry in entries if (entry["set"], entry["classifier"]) == group]
        corrected = correct_by_holm([entry["wilcoxon_p"] for entry in family])
        for entry, value in zip(family, corrected, strict=True):
            entry["holm_p"] = value
    return entries


def as_entry(interval: Interval) -> IntervalEntry:
    """Return an interval in the form of results.json."""
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def as_relative_entry(interval: Interval) -> RelativeEntry:
    """Return a relative change in the form of results.json: None where a score of zero was divided by."""
    mean, low, high = (value if math.isfinite(value) else None for value in interval)
    return {"mean": mean, "low": low, "high": high}


def _cells(scores: Sequence[ScoreEntry], set_name: str) -> list[tuple[str, str, Counts]]:
    """Confusion matrices ``(S, U, K, K)`` of each arm and classifier of a set, then ``(C, S, U, K, K)`` of each arm."""
    mine = [entry for entry in scores if entry["set"] == set_name]
    classifiers = list(dict.fromkeys(entry["classifier"] for entry in mine))
    cells: list[tuple[str, str, Counts]] = []
    for arm in dict.fromkeys(entry["arm"] for entry in mine):
        per_classifier = [
            np.stack([_counts(entry) for entry in mine if (entry["arm"], entry["classifier"]) == (arm, classifier)])
            for classifier in classifiers
        ]
        cells += [(arm, name, counts) for name, counts in zip(classifiers, per_classifier, strict=True)]
        if len(classifiers) > 1:
            cells.append((arm, MEAN, np.stack(per_classifier)))
    return cells


def _counts(entry: ScoreEntry) -> Counts:
    by_subject = entry["confusion_by_subject"]
    return np.array([by_subject[subject] for subject in sorted(by_subject)], dtype=np.int64)


def _resampling(counts: Counts, resamples: int) -> Resampling:
    # One fixed seed: all arms meet the same resamples, and the report says the same when it is made again.
    return draw_resampling(*counts.shape[-4:-2], resamples=resamples, generator=np.random.default_rng(20240))
