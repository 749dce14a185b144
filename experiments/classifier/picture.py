"""The timeline of classified files: a band of what is done when, and below it how sure the classifier is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sim.files import whole_file

MOST: Final = 12
"""Files in one picture."""


def draw_timeline(table: pd.DataFrame, classes: Sequence[str], path: Path) -> None:
    """Draw windows over time, a row for each of the first :data:`MOST` files.

    Args:
        table: of :class:`experiments.classifier.classify.Classified`.
        classes: names of all classes, each of which keeps its colour.
        path: ``.png``, ``.pdf`` or ``.svg``.

    Raises:
        ValueError: the path ends otherwise.
    """
    check_picture(path)
    names = list(dict.fromkeys(table["file"]))[:MOST]
    figure = Figure(figsize=(9, 1.0 + 1.5 * len(names)), layout="constrained")
    axes = figure.subplots(len(names), 1, squeeze=False)[:, 0]
    for axis, name in zip(axes, names, strict=True):
        _draw_file(axis, table[table["file"] == name], list(classes))
        axis.set_title(Path(name).name, loc="left", fontsize=9)
    axes[-1].set_xlabel("time [s]")
    handles = [Patch(color=_colour(index), label=name) for index, name in enumerate(classes)]
    figure.legend(handles=handles, loc="outside upper right", ncols=min(6, len(classes)), frameon=False, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        figure.savefig(part, dpi=110, format=path.suffix[1:])


def check_picture(path: Path) -> None:
    """Raise a ValueError if the path ends in no format of pictures."""
    if path.suffix not in (".png", ".pdf", ".svg"):
        raise ValueError(f"{path} ends in {path.suffix!r}, expected .png, .pdf or .svg; rename it")


def _colour(index: int) -> tuple[float, float, float, float]:
    red, green, blue, opacity = colormaps["tab10" if index < 10 else "tab20"](index % 20)
    return red, green, blue, opacity


def _draw_file(axis: Axes, rows: pd.DataFrame, classes: list[str]) -> None:
    starts, ends = rows["start_s"].to_numpy(), rows["end_s"].to_numpy()
    # Windows overlap: each is drawn up to where the next begins, unless a gap lies between.
    until = np.minimum(ends, np.append(starts[1:], ends[-1:]))
    until = np.where(until > starts, until, ends)
    index = [classes.index(name) for name in rows["label"]]
    axis.bar(
        starts, 0.18, until - starts, bottom=1.06, align="edge", color=[_colour(one) for one in index], linewidth=0
    )
    centres, gaps = (starts + ends) / 2, np.flatnonzero(starts[1:] > ends[:-1]) + 1
    centres = np.insert(centres, gaps, np.nan)
    for number, name in enumerate(classes):
        values = np.insert(rows[f"p_{name}"].to_numpy().astype(np.float64), gaps, np.nan)
        axis.plot(centres, values, color=_colour(number), linewidth=1.2, marker="." if len(rows) < 3 else "")
    axis.set(xlim=(starts.min(), ends.max()), ylim=(-0.03, 1.28), yticks=[0, 0.5, 1], ylabel="probability")
    axis.spines[["top", "right"]].set_visible(False)
