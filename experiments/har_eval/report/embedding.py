"""Windows as points on axes that were fitted on real people only, with who and what under the pointer."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from experiments.har_eval.report.arms import PALETTE
from experiments.har_eval.report.drawings import Points, SetPictures
from experiments.har_eval.report.figures import to_html

DISCRIMINANT = "discriminant axes"
"""The embedding that every run has."""


def draw_embeddings(pictures: SetPictures) -> str:
    """Draw each arm's windows on axes fitted on real people; a button for each way of finding axes."""
    maps = {DISCRIMINANT: (pictures["people"]["points"], {a: s["points"] for a, s in pictures["arms"].items()})}
    for title in pictures["people"].get("maps", {}):
        arms = {arm: side.get("maps", {})[title] for arm, side in pictures["arms"].items()}
        maps[title] = (pictures["people"].get("maps", {})[title], arms)
    buttons = "".join(
        f'<button type="button" aria-pressed="{"true" if number == 0 else "false"}">{escape(title)}</button>'
        for number, title in enumerate(maps)
    )
    sheets = "".join(
        f"<div{'' if number == 0 else ' hidden'}>{_draw_embedding(pictures, people, arms, title)}</div>"
        for number, (title, (people, arms)) in enumerate(maps.items())
    )
    group = f'<div class="group" role="group" aria-label="embedding">{buttons}</div>' if len(maps) > 1 else ""
    return f'<div class="choice">{group}{sheets}</div>'


def _draw_embedding(pictures: SetPictures, real: Points, virtual: Mapping[str, Points], title: str) -> str:
    """Draw one map: an arm beside the other, real windows faint behind each; what is hovered says who and what."""
    figure: go.Figure = make_subplots(
        rows=1,
        cols=max(1, len(virtual)),
        shared_yaxes="all",
        shared_xaxes="all",
        horizontal_spacing=0.015,
        column_titles=list(virtual),
    )
    people, arms, frame = pictures["people"], pictures["arms"], _frame_of(real)
    for column, (arm, found) in enumerate(virtual.items(), start=1):
        sides = (("real people", people, real, 0.25, "circle"), (arm, arms[arm], found, 0.85, "x"))
        for whose, side, points, opacity, symbol in sides:
            for label, activity in enumerate(pictures["classes"]):
                chosen = [index for index, own in enumerate(side["labels"]) if own == label]
                figure.add_scatter(
                    x=[_within(points[index][0], frame[0]) for index in chosen],
                    y=[_within(points[index][1], frame[1]) if len(points[index]) > 1 else 0.0 for index in chosen],
                    mode="markers",
                    name=f"{activity}, {'people' if side is people else 'virtual'}",
                    text=[side["subjects"][index] for index in chosen] if "subjects" in side else None,
                    hovertemplate=f"{activity}<br>{whose} %{{text}}<extra></extra>",
                    legendgroup=f"{activity} {side is people}",
                    showlegend=column == 1,
                    marker={
                        "color": PALETTE[label % len(PALETTE)],
                        "opacity": opacity,
                        "size": 6,
                        "symbol": symbol,
                    },
                    row=1,
                    col=column,
                )
    figure.update_xaxes(showticklabels=False, zeroline=False)
    figure.update_yaxes(showticklabels=False, zeroline=False)
    return to_html(figure, height=400, label=f"{title} of real and virtual windows", min_width=190 * len(virtual))


def _frame_of(points: Points) -> list[tuple[float, float]]:
    """Return the range of each axis: that of real windows and as much again around it."""
    ranges = []
    for axis in range(len(points[0])):
        low, high = min(point[axis] for point in points), max(point[axis] for point in points)
        margin = 0.5 * (high - low)
        ranges.append((low - margin, high + margin))
    return ranges


def _within(value: float, ends: tuple[float, float]) -> float:
    return min(max(value, ends[0]), ends[1])
