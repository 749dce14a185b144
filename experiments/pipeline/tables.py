"""Tables that are printed and written as Markdown, and how times are taken."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable


@dataclass(frozen=True)
class BenchTable:
    """Figures of one benchmark.

    Attributes:
        title: what was measured, with units.
        header: names of the columns.
        rows: cells.
        note: what a reader has to know.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def to_markdown(self) -> str:
        """Return the table as a section of a Markdown file."""
        lines = [f"## {self.title}", "", "| " + " | ".join(self.header) + " |"]
        lines.append("|" + "---|" * len(self.header))
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join([*lines, "", self.note, ""] if self.note else [*lines, ""])

    def print(self, console: Console) -> None:
        """Print the table."""
        # Rich takes brackets for its markup.
        table = RichTable(title=escape(self.title), caption=escape(self.note) or None)
        for column in self.header:
            table.add_column(escape(column))
        for row in self.rows:
            table.add_row(*map(escape, row))
        console.print(table)


def median_seconds(work: Callable[[], object], *, repeats: int = 5, warm_up: int = 1) -> float:
    """Return the median time that ``work`` takes [s], after ``warm_up`` runs that do not count."""
    for _ in range(warm_up):
        work()
    seconds: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def time_in_turns(works: Sequence[Callable[[], object]], *, turns: int, warm_up: int = 1) -> list[list[float]]:
    """Return how long each piece of work takes in each turn [s].

    They alternate, so that whatever else the machine does falls on all of them, and ratios within a turn stay right.
    """
    for _ in range(warm_up):
        for work in works:
            work()
    return [list(times) for times in zip(*(_time_each(works) for _ in range(turns)), strict=True)]


def _time_each(works: Sequence[Callable[[], object]]) -> list[float]:
    return [median_seconds(work, repeats=1, warm_up=0) for work in works]


def describe_machine() -> str:
    """Return processor, memory and versions in one line."""
    model = platform.processor() or platform.machine()
    cpu_info, mem_info = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    if cpu_info.is_file():
        lines = cpu_info.read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        extras = [w for w in ("avx2", "avx512f") if any(line.startswith("flags") and w in line for line in lines)]
        model = f"{names[0] if names else model}, {len(names)} cores, {'/'.join(extras) or 'no AVX'}"
    if mem_info.is_file():
        kilobytes = int(mem_info.read_text(encoding="utf-8").split()[1])
        model += f", {kilobytes / 2**20:.0f} GiB"
    return f"{model}; Python {platform.python_version()}, torch {torch.__version__}, {platform.system()}"
