"""Several runs side by side: macro-F1 of each set and arm, where the runs measured the same thing."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.har_eval.report.text import describe_score
from experiments.har_eval.results import MEAN, HarEvalResults, SetEntry, read_results
from experiments.pipeline.files import write_text

ALIKE = {
    "classes": "classes",
    "train_subjects": "training people",
    "test_subjects": "test people",
    "placements": "placements",
    "channels": "channels",
    "rate_hz": "sampling rate",
    "window_s": "window length",
    "folds": "folds",
}
"""What a set must have in common for its scores to be compared, and what it is called."""
ABSENT = "-"
UNLIKE = "unlike"


@dataclass(frozen=True)
class RunTable:
    """Rows of text under headings, a column for each run, and why some scores are not compared."""

    headings: list[str]
    rows: list[list[str]]
    notes: list[str]


def compare_runs(paths: Sequence[Path]) -> RunTable:
    """Put macro-F1 of each set and arm of several runs side by side, with its interval (or worst and best seed).

    A set is compared with that of the first run that has it. Where classes, people or how it was cut differ, the cell
    says so and a note names what differs. Where classifiers differ, those in common are compared one by one, no means.

    Args:
        paths: folders of runs, or their results.json.

    Raises:
        FileNotFoundError: a folder holds no results.json.
        ValueError: a file is no results.json of this program, or a run is given twice.
    """
    folders = [(path if path.is_dir() else path.parent).resolve() for path in paths]
    for place, folder in enumerate(folders):
        if folder in folders[:place]:
            raise ValueError(f"{paths[place]} is given twice, expected runs that differ; name each run once")
    loaded = [read_results(path) for path in paths]
    short = [folder.name for folder in folders]
    names = short if len(set(short)) == len(short) else [str(path) for path in paths]
    runs = dict(zip(names, loaded, strict=True))
    notes: list[str] = []
    rows: list[list[str]] = []
    for set_name in dict.fromkeys(real["name"] for run in loaded for real in run["sets"]):
        rows += _compare_set(set_name, runs, notes)
    return RunTable(["set", "arm", "classifier", *names], rows, notes)


def _compare_set(set_name: str, runs: Mapping[str, HarEvalResults], notes: list[str]) -> list[list[str]]:
    """Return the rows of a set and add to ``notes`` what is not compared."""
    found = {name: real for name, run in runs.items() for real in run["sets"] if real["name"] == set_name}
    first, reference = next(iter(found.items()))
    differing = {name: _differences(reference, real) for name, real in found.items()}
    for name, differences in differing.items():
        if differences:
            notes.append(f"{set_name}: {name} is not compared with {first}: {'; '.join(differences)}")
    alike = [name for name, differences in differing.items() if not differences]
    scores = {
        name: {(e["arm"], e["classifier"]): describe_score(e) for e in runs[name]["summaries"] if e["set"] == set_name}
        for name in alike
    }
    classifiers = {name: list(dict.fromkeys(key[1] for key in scores[name])) for name in alike}
    chosen = [c for c in classifiers[first] if all(c in others for others in classifiers.values())]
    if any(set(others) != set(classifiers[first]) for others in classifiers.values()):
        chosen = [classifier for classifier in chosen if classifier != MEAN]
        each = "; ".join(f"{name}: {', '.join(c for c in classifiers[name] if c != MEAN)}" for name in alike)
        notes.append(f"{set_name}: classifiers differ, those in common are compared ({each})")
    elif MEAN in chosen:
        chosen = [MEAN]
    arms = dict.fromkeys(arm for name in alike for arm, _ in scores[name])
    return [
        [set_name, arm, classifier, *(_cell(name, found, scores, (arm, classifier)) for name in runs)]
        for arm in arms
        for classifier in chosen
    ]


def _cell(
    name: str, found: Mapping[str, SetEntry], scores: Mapping[str, Mapping[tuple[str, str], str]], key: tuple[str, str]
) -> str:
    """Return the score of a run, or why there is none."""
    if name in found and name not in scores:
        return UNLIKE
    return scores.get(name, {}).get(key, ABSENT)


def _differences(reference: SetEntry, other: SetEntry) -> list[str]:
    """Name what differs between two sets of the same name."""
    return [
        f"{title} {_say(reference.get(key))} against {_say(other.get(key))}"
        for key, title in ALIKE.items()
        if reference.get(key) != other.get(key)
    ]


def _say(value: object) -> str:
    """Say a value in few words."""
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def format_lines(table: RunTable) -> list[str]:
    """Return the table as lines of a terminal, columns aligned, notes below."""
    everything = [table.headings, *table.rows]
    widths = [max(map(len, column)) for column in zip(*everything, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in everything
    ]
    return [*lines, *(f"- {note}" for note in table.notes)]


def write_comparison(table: RunTable, path: Path) -> Path:
    """Write the table as Markdown (``.md``) or as a page of HTML (``.html``); returns the path.

    Raises:
        ValueError: the path ends otherwise.
        OSError: the place cannot be written to.
    """
    forms = {".md": _as_markdown, ".html": _as_html}
    if path.suffix not in forms:
        raise ValueError(f"{path} ends in {path.suffix!r}, expected .md or .html; give --out such a name")
    write_text(forms[path.suffix](table), path)
    return path


def _as_markdown(table: RunTable) -> str:
    """Return the table in Markdown."""
    rows = [table.headings, ["---"] * len(table.headings), *table.rows]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(["# Macro-F1 on real people", "", *lines, "", *(f"- {note}" for note in table.notes), ""])


def _as_html(table: RunTable) -> str:
    """Return the table as a page that loads nothing."""

    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    notes = "".join(f"<li>{html.escape(note)}</li>" for note in table.notes)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Runs compared</title>'
        '<meta name="viewport" content="width=device-width">'
        "<style>:root{color-scheme:light dark}body{font:1rem sans-serif;margin:1.5rem;overflow-x:auto}"
        "th,td{padding:.3rem .8rem;text-align:left;border-bottom:1px solid}</style></head><body>"
        f"<h1>Macro-F1 on real people</h1>\n<table><thead>{row(table.headings, 'th')}</thead><tbody>\n"
        + "\n".join(row(cells, "td") for cells in table.rows)
        + f"\n</tbody></table><ul>{notes}</ul></body></html>\n"
    )
