"""DistributionTable: generated beside recorded sensor output, by activity, placement and quantity."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table

from lightning_modules.metrics.sensor_quantities import (
    DECIDING,
    FLOORS,
    QUANTITIES,
    SPECTRUM,
    SensorMagnitudes,
    compare,
    measure,
)
from sim.files import whole_file

SUMMARY: Final = "mean_abs_log_ratio"
"""Name of the one number that sums a table up."""

_LEAST_WIDTH: Final = 150
_TITLE: Final = "generated over recorded sensor output: 1 is right; of the spectrum's distance 0 dB"
_SHORT: Final = {
    "std_median": "median",
    "power_0.5_3_hz": "0.5-3 Hz",
    "power_3_8_hz": "3-8 Hz",
    "power_8_10_hz": "8-10 Hz",
    "rate_p95": "rate p95",
    SPECTRUM: "spectrum dB",
}


class DistributionRow(NamedTuple):
    """One quantity of an activity at a placement.

    Attributes:
        activity: name of the activity.
        placement: name of the placement.
        quantity: one of :data:`lightning_modules.metrics.sensor_quantities.QUANTITIES`.
        value: generated over recorded, 1 is right; of ``spectrum_db`` the distance [dB], 0 is right.
        generated: the quantity of generated motion, in its unit; nan for the distance.
        recorded: that of recorded motion.
        motions_generated: motions behind the one.
        motions_recorded: and behind the other.
        seconds_generated: their time that counted [s].
        seconds_recorded: and that of the others.
    """

    activity: str
    placement: str
    quantity: str
    value: float
    generated: float
    recorded: float
    motions_generated: int
    motions_recorded: int
    seconds_generated: float
    seconds_recorded: float


@dataclass(frozen=True)
class DistributionTable:
    """Generated beside recorded sensor output.

    Attributes:
        rows: by activity, placement and quantity.
    """

    rows: Sequence[DistributionRow]

    def value(self, activity: str, placement: str, quantity: str) -> float:
        """Return one value.

        Raises:
            KeyError: there is no such row.
        """
        for row in self.rows:
            if (row.activity, row.placement, row.quantity) == (activity, placement, quantity):
                return row.value
        raise KeyError(f"no row of {quantity} for {activity} at {placement}")

    def summary(self) -> float:
        """Return the mean of |ln ratio| over activities, placements and the quantities of ``DECIDING``; 0 is best.

        0.1 is ten percent off, up or down, on average; nan where there is no ratio.
        """
        logs = [abs(math.log(row.value)) for row in self.rows if row.quantity in DECIDING and math.isfinite(row.value)]
        return fmean(logs) if logs else math.nan

    def flatten(self) -> dict[str, float]:
        """Return ``activity/placement/quantity`` to value, what is nan left out, and the summary."""
        values = {f"{row.activity}/{row.placement}/{row.quantity}": row.value for row in self.rows}
        return {name: value for name, value in values.items() if not math.isnan(value)} | {SUMMARY: self.summary()}

    def write_csv(self, path: Path) -> None:
        """Write all rows."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(DistributionRow._fields)
            writer.writerows([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row] for row in self.rows)

    def print(self, console: Console | None = None) -> None:
        """Print one line for each activity and placement."""
        header, lines = self._tabulate()
        table = Table(title=_TITLE, caption=f"{SUMMARY} over {', '.join(DECIDING)}: {self.summary():.3f}")
        for number, column in enumerate(header):
            table.add_column(column, justify="right" if number > 1 else "left", no_wrap=True)
        for line in lines:
            table.add_row(*line)
        (console or Console(width=max(_LEAST_WIDTH, Console().width))).print(table)

    def to_markdown(self) -> str:
        """Return the same as a table in Markdown."""
        header, lines = self._tabulate()
        rule = ["---", "---", *["---:"] * (len(header) - 2)]
        return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *lines)) + "\n"

    def _tabulate(self) -> tuple[list[str], list[list[str]]]:
        header = ["activity", "placement", *(_SHORT.get(name, name) for name in QUANTITIES), "motions", "seconds"]
        places: dict[tuple[str, str], dict[str, DistributionRow]] = {}
        for row in self.rows:
            places.setdefault((row.activity, row.placement), {})[row.quantity] = row
        lines = []
        for (activity, placement), found in places.items():
            first = next(iter(found.values()))
            values = ["" if math.isnan(found[name].value) else f"{found[name].value:.2f}" for name in QUANTITIES]
            counts = f"{first.motions_generated} / {first.motions_recorded}"
            lines.append(
                [activity, placement, *values, counts, f"{first.seconds_generated:.0f} / {first.seconds_recorded:.0f}"]
            )
        return header, lines


def tabulate(
    generated: Mapping[str, SensorMagnitudes], recorded: Mapping[str, SensorMagnitudes], placements: Sequence[str]
) -> DistributionTable:
    """Compare what sensors read, activity by activity.

    Args:
        generated: by activity, the S placements in this order.
        recorded: the same of recorded motion; activities that only one side has are left out.
        placements: their names.
    """
    rows = []
    for activity in [name for name in generated if name in recorded]:
        ours, theirs = generated[activity], recorded[activity]
        if not min(ours.lengths.sum(), theirs.lengths.sum()):
            continue
        measured, reference = measure(ours), measure(theirs)
        scores = compare(measured, reference)
        motions = [int((side.lengths > 0).sum()) for side in (ours, theirs)]
        for place, placement in enumerate(placements):
            for name in QUANTITIES:
                pair = [float(m.values[name][place]) if name in FLOORS else math.nan for m in (measured, reference)]
                value = float(scores[name][place])
                row = DistributionRow(
                    activity, placement, name, value, pair[0], pair[1], motions[0], motions[1], ours.seconds,
                    theirs.seconds,
                )  # fmt: skip
                rows.append(row)
    return DistributionTable(rows)
