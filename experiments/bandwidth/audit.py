"""The table and the picture of every stage's gain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.bandwidth.stages import Stage, list_stages
from experiments.pipeline.tables import BenchTable
from sim.files import whole_file

AT_HZ: Final = (1.0, 3.0, 5.0, 8.0)
CURVE_HZ: Final = tuple(0.5 * half for half in range(1, 20))

# Okabe and Ito's colours, which the colour-blind can tell apart (jfly.uni-koeln.de/color).
_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#1b2733")
SAME: Final = 0.01
"""Gains that differ by less than this everywhere are drawn as one line."""


class Curve(NamedTuple):
    """A stage with its gains at :data:`CURVE_HZ`."""

    stage: Stage
    gain: NDArray[np.float64]

    def at(self, frequency_hz: float) -> float:
        """Return the gain at one of :data:`CURVE_HZ`."""
        return float(self.gain[CURVE_HZ.index(frequency_hz)])


def measure_curves() -> list[Curve]:
    """Measure every stage; a minute or two."""
    frequency_hz = torch.tensor(CURVE_HZ, dtype=torch.float64)
    return [Curve(stage, stage.gain(frequency_hz).numpy()) for stage in list_stages()]


def tabulate_curves(curves: Sequence[Curve]) -> BenchTable:
    """Return the table of gains at :data:`AT_HZ`."""
    rows = [[c.stage.group, c.stage.name, *(f"{c.at(frequency):.2f}" for frequency in AT_HZ)] for c in curves]
    return BenchTable("Gain of each stage", ["stage", "of what", *(f"{frequency:g} Hz" for frequency in AT_HZ)], rows)


def draw_curves(curves: Sequence[Curve], path: Path) -> None:
    """Draw the gains over frequency: our stages on the left, what others do on the right.

    Args:
        curves: of :func:`measure_curves`.
        path: a .png file.
    """
    figure = Figure(figsize=(12, 7), layout="constrained")
    ours, others = figure.subplots(1, 2, sharey=True)
    _draw(ours, [curve for curve in curves if curve.stage.group != "elsewhere"], "from features to windows")
    _draw(others, [curve for curve in curves if curve.stage.group == "elsewhere"], "what others do to generated motion")
    ours.set_ylabel("gain: amplitude behind over amplitude put in")
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=110)


def _draw(axes: Axes, curves: Sequence[Curve], title: str) -> None:
    if not curves:
        return
    for together, colour in zip(_group(curves), _COLOURS, strict=False):
        names = [_name(curve.stage) for curve in together]
        axes.plot(CURVE_HZ, together[0].gain, color=colour, linewidth=1.8, label="\n".join(names))
    for frequency in AT_HZ:
        axes.axvline(frequency, color="0.9", linewidth=0.8, zorder=0)
    axes.set(xlabel="frequency [Hz]", title=title, xlim=(0.5, 9.5), ylim=(0, 1.05))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=7.5, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14))


def _group(curves: Sequence[Curve]) -> list[list[Curve]]:
    """Put curves together that the eye could not tell apart."""
    groups: list[list[Curve]] = []
    for curve in curves:
        near = (group for group in groups if float(np.abs(group[0].gain - curve.gain).max()) < SAME)
        group = next(near, None)
        if group is None:
            groups.append([curve])
        else:
            group.append(curve)
    return groups


def _name(stage: Stage) -> str:
    return stage.name if stage.group == "elsewhere" else f"{stage.group}, {stage.name}"
