"""Labels from a table of spans: who did what from when to when, beside recordings that carry no label themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.har.parsing.named_table import parse_named_table


@dataclass(frozen=True)
class SpanColumns:
    """What ``spans:`` of a description says.

    Attributes:
        path: the table.
        start: column of the time that a span begins at, on the clock of the recordings.
        end: column of the time that it ends at.
        label: column of what was done.
        unit: unit of the times, or ``iso``.
        subject: column of the person; None where it holds for all.
        trial: column of the trial; None where it holds for all.
    """

    path: Path
    start: str
    end: str
    label: str
    unit: str
    subject: str | None = None
    trial: str | None = None


@dataclass(frozen=True)
class Spans:
    """The spans of a table.

    Attributes:
        starts: ``(N,)`` [s], as :meth:`datamodules.har.parsing.named_table.NamedTable.seconds` has it.
        ends: ``(N,)`` [s].
        labels: ``(N,)``.
        owners: what a span is of: ``subject`` and ``trial`` -> ``(N,)``.
        lines: line of the table that each stands on.
    """

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    labels: NDArray[np.str_]
    owners: Mapping[str, NDArray[np.str_]]
    lines: tuple[int, ...]

    def label_samples(self, time_s: NDArray[np.float64], groups: Mapping[str, str]) -> NDArray[np.str_]:
        """Return the label of each sample ``(T,)``; empty outside all spans.

        Args:
            time_s: when they were taken ``(T,)`` [s], on the clock of the spans.
            groups: subject and trial of the recording.
        """
        mine = np.ones(len(self.labels), dtype=bool)
        for name, values in self.owners.items():
            mine &= values == groups.get(name, "")
        width = max(1, *(len(label) for label in self.labels))
        found = np.zeros(len(time_s), dtype=f"<U{width}")
        for index in np.flatnonzero(mine):
            found[(time_s >= self.starts[index]) & (time_s < self.ends[index])] = self.labels[index]
        return found


def read_spans(columns: SpanColumns) -> Spans:
    """Read a table of spans.

    Raises:
        FileNotFoundError: there is no such table.
        ValueError: a column is missing, or a span ends before it begins; names the line.
    """
    if not columns.path.is_file():
        raise FileNotFoundError(f"spans {columns.path} not found; correct spans.file, counted from the description")
    owners = {"subject": columns.subject, "trial": columns.trial}
    named = {name: column for name, column in owners.items() if column is not None}
    table = parse_named_table(
        columns.path.read_bytes(),
        str(columns.path),
        delimiter="\t" if columns.path.suffix.lower() == ".tsv" else ",",
        text=[columns.label, *named.values()],
        own=True,
    )
    starts, ends = (table.seconds(name, columns.unit, since_epoch=True) for name in (columns.start, columns.end))
    lines = tuple(table.line(row) for row in range(len(table)))
    bad = np.flatnonzero(~(ends > starts))
    if len(bad):
        raise ValueError(
            f"{columns.path}, line {lines[bad[0]]} has a span from {starts[bad[0]]:g} to {ends[bad[0]]:g} s, expected "
            "one that ends after it begins"
        )
    return Spans(
        starts, ends, table.texts(columns.label), {name: table.texts(column) for name, column in named.items()}, lines
    )
