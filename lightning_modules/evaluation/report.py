"""The report of an evaluation: means with intervals over replications, as a table, Markdown and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats

from sim.files import whole_file

CONFIDENCE: Final = 0.95

_LEAST_WIDTH: Final = 110


@dataclass(frozen=True)
class Score:
    """A number of generated motion, repeated, beside that of real motion.

    Attributes:
        name: what it is, see docs/evaluation.md.
        values: one for each replication.
        real: the same number of the real motions, where there is such a one.
    """

    name: str
    values: tuple[float, ...]
    real: float | None = None

    @property
    def mean(self) -> float:
        """Mean over the replications."""
        return float(np.mean(self.values))

    @property
    def half_width(self) -> float | None:
        """Half the width of the 95% interval of the mean (Student's t); None for a single replication.

        It covers what differs between replications, which is what was generated, not the choice of clips.
        """
        count = len(self.values)
        if count < 2:
            return None
        quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1))
        return float(quantile * np.std(self.values, ddof=1) / math.sqrt(count))


def summarise(scores: Mapping[int, Mapping[str, float]], *, real: int, prefix: str) -> list[Score]:
    """Turn scores by slot into one score a name, in the order of the first replication's names.

    Args:
        scores: numbers by name, for each replication (slots from 0 on) and for the real motions.
        real: slot of the real motions.
        prefix: put before each name.
    """
    slots = sorted(slot for slot in scores if slot != real)
    names = list(dict.fromkeys(name for slot in slots for name in scores[slot]))
    theirs = scores.get(real, {})
    return [
        Score(
            f"{prefix}/{name}",
            tuple(scores[slot][name] for slot in slots if name in scores[slot]),
            theirs.get(name),
        )
        for name in names
    ]


@dataclass(frozen=True)
class EvaluationReport:
    """All of an evaluation.

    Attributes:
        scores: of generated motion.
        paired: one-step errors of the model by name, without replications; empty for a folder of motions.
        facts: what was evaluated, and how.
        notes: what a reader has to know.
    """

    scores: Sequence[Score]
    paired: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, str | int | float | None] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def print(self, console: Console | None = None) -> None:
        """Print the scores as a table."""
        table = Table(title="evaluation")
        for number, column in enumerate(("score", "generated", "± 95%", "real")):
            table.add_column(column, justify="right" if number else "left", no_wrap=True)
        for row in self._rows():
            table.add_row(*row)
        # Names are long, and a cut number is worse than a wrapped line.
        (console or Console(width=max(_LEAST_WIDTH, Console().width))).print(table)

    def to_markdown(self) -> str:
        """Return the report as Markdown."""
        lines = ["# Evaluation", ""]
        lines += [f"- {name}: {value}" for name, value in self.facts.items()]
        lines += ["", *(f"Note: {note}." for note in self.notes)]
        lines += ["", "| score | generated | ± 95% | real |", "|---|---:|---:|---:|"]
        lines += [f"| {' | '.join(row)} |" for row in self._rows()]
        if self.paired:
            lines += ["", "| one-step error | |", "|---|---:|"]
            lines += [f"| {name} | {_show(value)} |" for name, value in self.paired.items()]
        return "\n".join(lines) + "\n"

    def to_json(self) -> str:
        """Return the report as JSON; a number that does not exist is null."""
        scores = {
            score.name: {
                "mean": _plain(score.mean),
                "half_width": _plain(score.half_width),
                "real": _plain(score.real),
                "values": [_plain(value) for value in score.values],
            }
            for score in self.scores
        }
        paired = {name: _plain(value) for name, value in self.paired.items()}
        content = {"facts": dict(self.facts), "notes": list(self.notes), "scores": scores, "paired": paired}
        return json.dumps(content, indent=1, allow_nan=False) + "\n"

    def write(self, folder: Path) -> None:
        """Write ``evaluation.json`` and ``evaluation.md``."""
        for name, text in (("evaluation.json", self.to_json()), ("evaluation.md", self.to_markdown())):
            with whole_file(folder / name) as part:
                part.write_text(text, encoding="utf-8")

    def _rows(self) -> list[tuple[str, str, str, str]]:
        return [(score.name, _show(score.mean), _show(score.half_width), _show(score.real)) for score in self.scores]


def _show(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _plain(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
