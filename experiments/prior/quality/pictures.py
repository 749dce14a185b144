"""Pictures of a quality page: a contact sheet of stick figures, and what was called what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from torch import Tensor

from experiments.pipeline.files import save_picture
from sim.conventions import JOINT_NAMES, PARENTS

NUM_FIGURES: Final = 9
"""Moments of each motion that are drawn, evenly spread."""

_STEP_M: Final = 1.5  # from one figure to the next
_VIEW_DEG: Final = 35.0  # from the side towards the front: a person faces +Z at first


def draw_contact_sheet(motions: Mapping[str, Tensor], path: Path, *, columns: int = 2) -> None:
    """Draw one motion of each name as a row of stick figures, time from left to right.

    Left limbs are blue, right ones red, seen from the person's left and a little from the front. A figure stands where
    its number puts it; how far people move is told by the path under it (in metres, same scale).

    Args:
        motions: joints ``(T, 22, 3)`` [m] by name.
        path: PNG to write.
        columns: sheets side by side.
    """
    rows = -(-len(motions) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(9.5 * columns, 1.75 * rows), squeeze=False)
    for place, panel in enumerate(axes.T.flat):
        panel.axis("off")
        if place < len(motions):
            name = list(motions)[place]
            _draw_row(panel, motions[name].double().numpy(), name)
    figure.tight_layout(pad=0.3)
    save_picture(figure, path, dpi=60)
    plt.close(figure)


def _draw_row(axes: Axes, joints: NDArray[np.float64], name: str) -> None:
    turn = np.deg2rad(_VIEW_DEG)
    across = np.array([-np.sin(turn), 0.0, np.cos(turn)])  # the way people face runs to the right
    frames = np.linspace(0, len(joints) - 1, NUM_FIGURES).round().astype(int)
    for number, frame in enumerate(frames):
        seen = joints[frame] - joints[frame, 0] * [1.0, 0.0, 1.0]
        x, y = seen @ across + number * _STEP_M, seen[:, 1]
        for joint, parent in enumerate(PARENTS):
            if parent >= 0:
                axes.plot(x[[parent, joint]], y[[parent, joint]], color=_colour(JOINT_NAMES[joint]), linewidth=2)
        axes.plot(x[JOINT_NAMES.index("head")], y[JOINT_NAMES.index("head")], "o", color="0.2", markersize=6)
    width = (NUM_FIGURES - 1) * _STEP_M
    axes.plot([-0.6, width + 0.6], [0, 0], color="0.7", linewidth=0.8)
    travelled = np.linalg.norm(np.diff(joints[:, 0, [0, 2]], axis=0), axis=1).sum()
    axes.set(xlim=(-0.9, width + 0.9), ylim=(-0.15, 2.1), aspect="equal")
    axes.set_title(f"{name}: {travelled:.1f} m travelled", fontsize=11, loc="left")


def _colour(name: str) -> str:
    return "tab:blue" if name.startswith("left") else "tab:red" if name.startswith("right") else "0.2"


def draw_confusion(
    shares: NDArray[np.float64], rows: Sequence[str], columns: Sequence[str], path: Path, *, title: str
) -> None:
    """Draw shares of names ``(rows, columns)``; a row is what was asked for, a column what it was called."""
    size = 0.32 * len(columns) + 3.2, 0.3 * len(rows) + 3.0
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=8)
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    axes.set(xlabel="called", ylabel="asked for", title=title)
    for row, column in np.argwhere(shares >= 0.095):
        value = shares[row, column]
        colour = "white" if value > 0.6 else "black"
        axes.text(column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=6, color=colour)
    save_picture(figure, path, dpi=70)
    plt.close(figure)
