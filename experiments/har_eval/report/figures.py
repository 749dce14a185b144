"""Figures of the report, as plotly fragments that share one inlined script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from experiments.har_eval.report.text import MEAN, name_arm
from experiments.har_eval.results import HarEvalResults

# Okabe and Ito's colours, which the colour-blind can tell apart (jfly.uni-koeln.de/color).
CLASS_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999933", "#882255")
ARM_COLOURS = {"original": "#56B4E9", "continued": "#E69F00", "acc": "#D55E00", "mocap": "#009E73", "real": "#1b2733"}
AXIS_COLOURS = ("#0072B2", "#D55E00", "#009E73")
NYQUIST_HZ = 10.0
"""Half of the 20 frames a second that motions come at."""

Points = Sequence[Sequence[float]]


class Embedding(TypedDict):
    """Projected windows of one side."""

    labels: list[int]
    points: list[list[float]]


class SetPictures(TypedDict):
    """What :class:`experiments.har_eval.stages.pictures.Pictures` wrote."""

    classes: list[str]
    channels: list[str]
    rate_hz: float
    embedding: dict[str, Embedding]
    signals: dict[str, dict[str, list[list[float]]]]


class Spectrum(TypedDict):
    """Power spectral density of acceleration magnitude [(m/s^2)^2/Hz]."""

    frequency_hz: list[float]
    virtual: list[float]
    real: list[float]


class Drawings(TypedDict):
    """The whole of pictures.json."""

    sets: dict[str, SetPictures]
    spectra: dict[str, dict[str, dict[str, Spectrum | None]]]


def colour_of(arm: str, arms: Sequence[str]) -> str:
    """Return the colour of an arm; arms with names of their own take the next of the palette."""
    return ARM_COLOURS.get(arm) or CLASS_COLOURS[list(arms).index(arm) % len(CLASS_COLOURS)]


def to_html(figure: go.Figure, *, height: int) -> str:
    """Return a figure as a fragment of HTML that needs the inlined script."""
    figure.update_layout(
        template="plotly_white",
        height=height,
        margin={"l": 56, "r": 16, "t": 44, "b": 44},
        font={"family": "system-ui, sans-serif", "size": 12, "color": "#1b2733"},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.06, "x": 0},
        hoverlabel={"font_size": 12},
    )
    fragment: str = figure.to_html(
        full_html=False, include_plotlyjs=False, config={"displayModeBar": False, "responsive": True}
    )
    return fragment


def draw_scores(results: HarEvalResults, set_name: str) -> str:
    """Draw macro-F1 of each arm and classifier with its interval (or its range over seeds)."""
    mine = [entry for entry in results["summaries"] if entry["set"] == set_name]
    figure = go.Figure()
    for arm in dict.fromkeys(entry["arm"] for entry in mine):
        entries = [entry for entry in mine if entry["arm"] == arm]
        ends = [
            (entry["interval"]["low"], entry["interval"]["high"])
            if entry["interval"] is not None
            else (entry["seed_low"], entry["seed_high"])
            for entry in entries
        ]
        scores = [entry["macro_f1"] for entry in entries]
        figure.add_bar(
            name=name_arm(arm),
            x=[f"<b>{e['classifier']}</b>" if e["classifier"] == MEAN else e["classifier"] for e in entries],
            y=scores,
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [high - score for (_, high), score in zip(ends, scores, strict=True)],
                "arrayminus": [score - low for (low, _), score in zip(ends, scores, strict=True)],
                "thickness": 1.2,
                "width": 4,
                "color": "#1b2733",
            },
            marker_color=colour_of(arm, results["arms"]),
            marker_opacity=0.45 if arm in ("mocap", "real") else 0.9,
        )
    figure.update_layout(barmode="group", bargap=0.25)
    figure.update_yaxes(title="macro-F1", range=[0, 1.02])
    return to_html(figure, height=360)


def draw_signals(pictures: SetPictures, activity: str, arms: Sequence[str]) -> str:
    """Draw one typical window of an activity: real at the left, then each arm; acceleration above angular rate."""
    sides = [side for side in ("real", *arms, "mocap") if side in pictures["signals"][activity]]
    groups = list(dict.fromkeys(channel.rsplit("_", 1)[0] for channel in pictures["channels"]))
    figure = make_subplots(
        rows=len(groups),
        cols=len(sides),
        shared_yaxes=True,
        shared_xaxes=True,
        horizontal_spacing=0.015,
        vertical_spacing=0.08,
        column_titles=["real (training person)" if side == "real" else side for side in sides],
    )
    for column, side in enumerate(sides, start=1):
        window = pictures["signals"][activity][side]
        times = [index / pictures["rate_hz"] for index in range(len(window))]
        for number, channel in enumerate(pictures["channels"]):
            group, axis = channel.rsplit("_", 1)
            figure.add_scatter(
                x=times,
                y=[sample[number] for sample in window],
                name=axis,
                legendgroup=axis,
                showlegend=column == 1 and group == groups[0],
                line={"color": AXIS_COLOURS["xyz".index(axis)], "width": 1.3},
                row=groups.index(group) + 1,
                col=column,
            )
    for row, group in enumerate(groups, start=1):
        unit = "rad/s" if group == "gyro" else "m/s²"
        figure.update_yaxes(title=f"{group.replace('_', ' ')} [{unit}]", row=row, col=1)
    figure.update_xaxes(title="s", row=len(groups))
    return to_html(figure, height=170 * len(groups) + 60)


def draw_embedding(pictures: SetPictures, arms: Sequence[str]) -> str:
    """Draw each arm's windows on the axes that tell the real activities apart; real windows stay faint behind."""
    sides = [side for side in (*arms, "mocap") if side in pictures["embedding"]]
    figure = make_subplots(
        rows=1, cols=len(sides), shared_yaxes="all", shared_xaxes="all", horizontal_spacing=0.015, column_titles=sides
    )
    frame = _frame_of(pictures["embedding"]["real"]["points"])
    for column, side in enumerate(sides, start=1):
        for name, opacity, symbol in (("real", 0.22, "circle"), (side, 0.85, "x")):
            entry = pictures["embedding"][name]
            for label, activity in enumerate(pictures["classes"]):
                chosen = [p for p, own in zip(entry["points"], entry["labels"], strict=True) if own == label]
                figure.add_scatter(
                    x=[_within(point[0], frame[0]) for point in chosen],
                    y=[_within(point[1], frame[1]) if len(point) > 1 else 0.0 for point in chosen],
                    mode="markers",
                    name=f"{activity}, {'real' if name == 'real' else 'virtual'}",
                    legendgroup=f"{activity}{name == 'real'}",
                    showlegend=column == 1,
                    marker={
                        "color": CLASS_COLOURS[label % len(CLASS_COLOURS)],
                        "opacity": opacity,
                        "size": 6,
                        "symbol": symbol,
                    },
                    row=1,
                    col=column,
                )
    return to_html(figure, height=380)


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


def draw_spectra(
    spectra: Mapping[str, Mapping[str, Spectrum | None]],
    classes: Sequence[str],
    arms: Sequence[str],
    *,
    highest_hz: float,
) -> str:
    """Draw the spectrum of acceleration magnitude of each activity, virtual against real training people."""
    figure = make_subplots(
        rows=1, cols=len(classes), shared_yaxes=True, horizontal_spacing=0.015, column_titles=list(classes)
    )
    for column, activity in enumerate(classes, start=1):
        drawn = False
        for arm in (arm for arm in (*arms, "mocap") if arm in spectra):
            entry = spectra[arm].get(activity)
            if entry is None:
                continue
            lines = [(arm, entry["virtual"])] if drawn else [("real", entry["real"]), (arm, entry["virtual"])]
            drawn = True
            for name, density in lines:
                figure.add_scatter(
                    x=entry["frequency_hz"][1:],
                    y=[max(value, 1e-8) for value in density[1:]],
                    name="real people" if name == "real" else name_arm(name),
                    mode="lines",
                    legendgroup=name,
                    showlegend=column == 1,
                    line={
                        "color": colour_of(name, arms),
                        "width": 2.2 if name == "real" else 1.4,
                        "dash": "dot" if name == "mocap" else "solid",
                    },
                    row=1,
                    col=column,
                )
        if highest_hz > NYQUIST_HZ:
            figure.add_vline(x=NYQUIST_HZ, line={"color": "#8a96a3", "width": 1, "dash": "dash"}, row=1, col=column)
    figure.update_yaxes(type="log")
    figure.update_yaxes(title="(m/s²)²/Hz", row=1, col=1)
    figure.update_xaxes(title="Hz")
    return to_html(figure, height=340)


def draw_paired(results: HarEvalResults) -> str:
    """Draw paired acceleration error over noise level."""
    figure = go.Figure()
    for entry in results["paired"]:
        levels = sorted(entry["by_level"], key=float)
        name = entry["arm"] if entry["seed"] is None else f"{entry['arm']} seed {entry['seed']}"
        figure.add_scatter(
            x=[float(level) for level in levels],
            y=[entry["by_level"][level]["rmse"] for level in levels],
            name=name,
            mode="lines+markers",
            line={"color": colour_of(entry["arm"], results["arms"])},
        )
    figure.update_xaxes(title="noise level [% of the schedule]")
    figure.update_yaxes(title="RMSE [m/s²]", rangemode="tozero")
    return to_html(figure, height=320)
