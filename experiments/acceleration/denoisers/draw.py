"""The figure of the comparison of denoisers: errors over the noise level."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.acceleration.draw import COLOURS, RECORDED
from lightning_modules.metrics.denoising_scores import PAIRED_FRACTIONS

_LINES = ("-", "--", ":", "-.")


def draw_levels(errors: Mapping[str, tuple[Mapping[str, NDArray[np.float64]], str]], nothing: str) -> Figure:
    """Draw a panel for each space: the mean over seeds as a line, least and greatest as bars.

    Args:
        errors: by words for the space, errors ``(seeds, L)`` by arm, and their unit.
        nothing: name of the arm that has learned nothing.
    """
    figure = Figure(figsize=(11, 8), layout="constrained")
    panels = figure.subplots(2, (len(errors) + 1) // 2, squeeze=False).flat
    levels = 100 * np.array(PAIRED_FRACTIONS)
    for axes, (words, (arms, unit)) in zip(panels, errors.items(), strict=False):
        others = [name for name in arms if name != nothing]
        for name, values in arms.items():
            place = others.index(name) if name in others else 0
            colour = COLOURS[place % len(COLOURS)] if name in others else RECORDED
            mean = values.mean(axis=0)
            axes.errorbar(
                levels, mean, yerr=[mean - values.min(axis=0), values.max(axis=0) - mean], capsize=2, color=colour,
                linestyle=_LINES[place // len(COLOURS) % len(_LINES)], linewidth=1.4 if name in others else 2.6,
                label=name,
            )  # fmt: skip
        axes.set(xlabel="noise level [% of the schedule]", ylabel=f"{words} [{unit}]", yscale="log")
        axes.set_xticks(levels)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=8)
    return figure
