"""Figures of the acceleration experiment: the sweep, distributions and spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.acceleration.choose import SweepRow
from experiments.acceleration.measure import Measured
from experiments.acceleration.plan import Arm
from experiments.acceleration.summarise import MOVING, Groups, collect_series, spectrum_of
from sim.files import whole_file

# Okabe and Ito's colours, which the colour-blind can tell apart (jfly.uni-koeln.de/color).
COLOURS: Final = ("#56B4E9", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#0072B2", "#F0E442", "#999999")
RECORDED: Final = "#1b2733"
SWEEP: Final = "acceleration_sweep.png"
DISTRIBUTIONS: Final = "acceleration_distributions.png"


def draw_results(
    runs: Mapping[Arm, Sequence[Measured]], rows: Sequence[SweepRow], groups: Groups, folder: Path, *, suffix: str = ""
) -> list[Path]:
    """Draw the sweep, if there was one, and the distributions into the folder, and return the files."""
    drawn = {SWEEP: draw_sweep(rows)} if rows else {}
    drawn[DISTRIBUTIONS] = draw_distributions(runs, groups)
    figures = {f"{Path(name).stem}{suffix}.png": figure for name, figure in drawn.items()}
    for name, figure in figures.items():
        with whole_file(folder / name) as part:
            figure.savefig(part, format="png", dpi=110)
    return [folder / name for name in figures]


def draw_sweep(rows: Sequence[SweepRow]) -> Figure:
    """Draw the paired error of each weight beside the peaks of what it generates, on validation clips."""
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys(row.arm.name for row in rows))
    for name, colour in zip(names, COLOURS, strict=False):
        mine = [row for row in rows if row.arm.name == name]
        axes.plot(
            [row.balance for row in mine], [row.rmse["acc_joints"] for row in mine], "o-", color=colour, label=name
        )
        for row in mine:
            if row.arm.weight is not None:
                place = (row.balance, row.rmse["acc_joints"])
                axes.annotate(f"{row.arm.weight:g}", place, textcoords="offset points", xytext=(5, 4), fontsize=8)
    axes.axvline(1.0, color=RECORDED, linestyle=":", linewidth=1)
    axes.set(
        xlabel="generated over recorded peaks, moving groups (1 is best)",
        ylabel="paired error of joint accelerations [m/s²]",
        title="validation clips",
        xscale="log",
    )
    axes.legend()
    return figure


def draw_distributions(runs: Mapping[Arm, Sequence[Measured]], groups: Groups) -> Figure:
    """Draw how often magnitudes are exceeded, and their spectra, for each moving group; test clips, all seeds."""
    figure = Figure(figsize=(12, 7.5), layout="constrained")
    panels = figure.subplots(2, len(MOVING))
    for column, group in enumerate(MOVING):
        exceeded, spectrum = panels[0, column], panels[1, column]
        first = next(iter(runs.values()))[0]
        windows = groups.select(first, group)
        if not windows.any():
            continue
        _draw_exceedance(exceeded, collect_series(first.recorded, windows), "recorded", RECORDED)
        spectrum.semilogy(*spectrum_of(first.recorded, windows), color=RECORDED, label="recorded", linewidth=2)
        for (arm, items), colour in zip(runs.items(), COLOURS, strict=False):
            pooled = [series for item in items for series in collect_series(item.generated, windows)]
            _draw_exceedance(exceeded, pooled, arm.label, colour)
            found = [spectrum_of(item.generated, windows) for item in items]
            spectrum.semilogy(
                found[0][0], np.mean([power for _, power in found], axis=0), color=colour, label=arm.label
            )
        exceeded.set(xlabel="|joint acceleration| [m/s²]", ylabel="share of samples above", title=f"{group} dynamics")
        spectrum.set(xlabel="frequency [Hz]", ylabel="PSD [(m/s²)²/Hz]")
        exceeded.legend(fontsize=8)
    return figure


def _draw_exceedance(
    axes: Axes, series: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.float64]]], label: str, colour: str
) -> None:
    values = np.sort(np.concatenate(series))
    shares = np.linspace(1, 0, 400, endpoint=False)
    at = values[((1 - shares) * (len(values) - 1)).astype(int)]
    width = 2 if label == "recorded" else 1.2
    axes.loglog(np.maximum(at, 0.05), np.maximum(shares, 1e-4), color=colour, label=label, linewidth=width)
