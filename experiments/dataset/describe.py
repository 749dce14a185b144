"""What is in a data set, in a few lines: what ``imuforge inspect DIR`` prints."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from experiments.dataset.publish import DATASET, FORMAT, SPEC, Summary, count_made
from experiments.pipeline.files import read_json


def is_dataset(path: Path) -> bool:
    """Whether a folder is that of a data set, whole or begun."""
    return path.is_dir() and ((path / DATASET).is_file() or (path / SPEC).is_file())


def describe_dataset(path: Path) -> list[str]:
    """Describe a data set.

    Args:
        path: its folder.

    Raises:
        ValueError: what says what is in it is damaged, or of another format.
    """
    if not (path / DATASET).is_file():
        made, total = count_made(path)
        parts = f"{made} of {total} parts made" if total else f"{made} parts made"
        return [f"{path}: data set that was begun, {parts}; run the same command again to go on"]
    summary = cast(Summary, read_json(path / DATASET))
    if not isinstance(summary, dict) or summary.get("format") != FORMAT:
        raise ValueError(f"{path / DATASET} is of another format, expected {FORMAT!r}; make the data set anew")
    return say_summary(path, summary)


def say_summary(path: Path, summary: Summary) -> list[str]:
    """Return what a summary says, in a few lines."""
    counts = {label: sum(sides.values()) for label, sides in summary["recordings"].items()}
    done, total = summary["parts"]
    people = summary["people"]
    lines = [
        f"{path}: data set {summary['name']}, {sum(counts.values()):,} recordings of {summary['motions']:,} motions, "
        f"{sum(summary['windows'].values()):,} windows, {sum(people.values())} virtual people "
        f"(train {people['train']}, val {people['val']}, test {people['test']})"
        + ("" if done == total else f"; {done} of {total} parts, the others are still to come")
    ]
    for label, count in counts.items():
        dropped = summary["dropped"].get(label, {})
        reasons = ", ".join(f"{reason} {number}" for reason, number in sorted(dropped.items()))
        lacking = summary["lacking"].get(label, 0)
        lines.append(
            f"{label}: {count:,} recordings"
            + (f", {lacking} lacking" if lacking else "")
            + (f"; motions drawn and left out: {reasons}" if reasons else "")
        )
    origin = summary["provenance"]
    weights = ", ".join(f"{name} {value[:16]}" for name, value in origin["weights"].items())
    lines.append(
        f"specification {summary['hash']}, weights {weights or 'none'}, {'; '.join(summary['commits'])}, "
        f"{origin['created']}"
    )
    return [*lines, *(f"terms of the motions: {words}" for words in summary.get("licences", []))]
