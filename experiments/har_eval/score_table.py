"""Every score of a run as one tidy table: results.parquet beside results.json, for pandas and the like."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from experiments.har_eval.results import HarEvalResults, ScoreEntry
from sim.files import whole_file

if TYPE_CHECKING:
    import pandas as pd

TABLE = "results.parquet"


class ScoreRow(TypedDict):
    """One number: of one seed, or over seeds where ``seed`` is None; what does not apply to it is None."""

    run: str
    set: str
    arm: str
    classifier: str
    seed: int | None
    person: str | None
    activity: str | None
    metric: str
    value: float
    low: float | None
    high: float | None


def tabulate_scores(results: HarEvalResults) -> pd.DataFrame:
    """Return every score as a row, columns as :class:`ScoreRow`; scores are fractions of one.

    Of each seed: ``macro_f1`` and ``accuracy``, ``f1`` of each activity, ``accuracy`` of each person and ``recall`` of
    each person's activities. Over seeds: ``macro_f1`` with its 95% interval, where people are known, and ``accuracy``.
    """
    import pandas as pd

    rows = [row for entry in results["scores"] for row in _rows_of_seed(results["id"], entry, _classes(results, entry))]
    for entry in results["summaries"]:
        interval = entry["interval"]
        low, high = (None, None) if interval is None else (interval["low"], interval["high"])
        names = (results["id"], entry["set"], entry["arm"], entry["classifier"])
        rows.append(_row(names, None, "macro_f1", entry["macro_f1"], low=low, high=high))
        rows.append(_row(names, None, "accuracy", entry["accuracy"]))
    table = pd.DataFrame(rows, columns=list(ScoreRow.__annotations__))
    numbers = dict.fromkeys(("value", "low", "high"), "float64")
    words = dict.fromkeys(("run", "set", "arm", "classifier", "person", "activity", "metric"), "string")
    return table.astype({**numbers, **words, "seed": "Int64"})


def write_score_table(results: HarEvalResults, folder: Path) -> Path:
    """Write ``results.parquet`` into the folder of a run, whole or not at all; returns its path.

    Raises:
        OSError: the place cannot be written to.
    """
    path = folder / TABLE
    with whole_file(path) as part:
        tabulate_scores(results).to_parquet(part, index=False)
    return path


def _classes(results: HarEvalResults, entry: ScoreEntry) -> list[str]:
    """Return the classes of the set that a score is on."""
    return next(real["classes"] for real in results["sets"] if real["name"] == entry["set"])


def _rows_of_seed(run: str, entry: ScoreEntry, classes: list[str]) -> Iterator[ScoreRow]:
    """Yield what one classifier of one arm, set and seed scored: in all, by activity and by person."""
    names, seed = (run, entry["set"], entry["arm"], entry["classifier"]), entry["seed"]
    yield _row(names, seed, "macro_f1", entry["macro_f1"])
    yield _row(names, seed, "accuracy", entry["accuracy"])
    for activity, value in entry["per_class_f1"].items():
        yield _row(names, seed, "f1", value, activity=activity)
    for person, confusion in entry["confusion_by_subject"].items():
        hits, windows = [row[label] for label, row in enumerate(confusion)], [sum(row) for row in confusion]
        if sum(windows):
            yield _row(names, seed, "accuracy", sum(hits) / sum(windows), person=person)
        for activity, hit, count in zip(classes, hits, windows, strict=True):
            if count:
                yield _row(names, seed, "recall", hit / count, person=person, activity=activity)


def _row(
    names: tuple[str, str, str, str],
    seed: int | None,
    metric: str,
    value: float,
    *,
    person: str | None = None,
    activity: str | None = None,
    low: float | None = None,
    high: float | None = None,
) -> ScoreRow:
    """Return a row; ``names`` are those of the run, the set, the arm and the classifier."""
    run, set_name, arm, classifier = names
    return {
        "run": run,
        "set": set_name,
        "arm": arm,
        "classifier": classifier,
        "seed": seed,
        "person": person,
        "activity": activity,
        "metric": metric,
        "value": value,
        "low": low,
        "high": high,
    }
