"""Figures of the report, as plotly fragments that share one inlined script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from experiments.har_eval.report.arms import INK, PALETTE, colour_of, find_arm, name_arm
from experiments.har_eval.results import MEAN, HarEvalResults

AXIS_COLOURS = dict(zip("xyz", PALETTE, strict=False))
NYQUIST_HZ = 10.0
"""Half of the 20 frames a second that motions come at."""

Points = Sequence[Sequence[float]]


class Side(TypedDict):
    """Windows of real training people, or of one arm.

    Projected ones: ``points (N, 2)`` (or 1) and the class of each; ``signals`` is a typical window ``(T, C)`` of each
    activity that there is one of.
    """

    labels: list[int]
    points: list[list[float]]
    signals: dict[str, list[list[float]]]


class SetPictures(TypedDict):
    """What :class:`experiments.har_eval.stages.pictures.Pictures` wrote."""

    classes: list[str]
    channels: list[str]
    rate_hz: float
    people: Side
    arms: dict[str, Side]


class Spectrum(TypedDict):
    """Power spectral density of acceleration magnitude [(m/s^2)^2/Hz]."""

    frequency_hz: list[float]
    virtual_density: list[float]
    real_density: list[float]


class Drawings(TypedDict):
    """The whole of pictures.json."""

    sets: dict[str, SetPictures]
    spectra: dict[str, dict[str, dict[str, Spectrum | None]]]


def to_html(figure: go.Figure, *, height: int) -> str:
    """Return a figure as a fragment of HTML that needs the inlined script."""
    figure.update_layout(
        template="plotly_white",
        height=height,
        margin={"l": 56, "r": 16, "t": 44, "b": 44},
        font={"family": "system-ui, sans-serif", "size": 12, "color": INK},
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
            name=name_arm(results, arm),
            x=[f"<b>{e['classifier']}</b>" if e["classifier"] == MEAN else e["classifier"] for e in entries],
            y=scores,
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [high - score for (_, high), score in zip(ends, scores, strict=True)],
                "arrayminus": [score - low for (low, _), score in zip(ends, scores, strict=True)],
                "thickness": 1.2,
                "width": 4,
                "color": INK,
            },
            marker_color=colour_of(results, arm),
            marker_opacity=0.9 if find_arm(results, arm)["kind"] == "prior" else 0.45,
        )
    figure.update_layout(barmode="group", bargap=0.25)
    figure.update_yaxes(title="macro-F1", range=[0, 1.02])
    return to_html(figure, height=360)


def draw_signals(pictures: SetPictures, activity: str) -> str:
    """Draw one typical window of an activity: real at the left, then each arm; acceleration above angular rate."""
    sides = {"real (training person)": pictures["people"], **pictures["arms"]}
    windows = {name: side["signals"][activity] for name, side in sides.items() if activity in side["signals"]}
    groups = list(dict.fromkeys(channel.rsplit("_", 1)[0] for channel in pictures["channels"]))
    figure = make_subplots(
        rows=len(groups),
        cols=len(windows),
        shared_yaxes=True,
        shared_xaxes=True,
        horizontal_spacing=0.015,
        vertical_spacing=0.08,
        column_titles=list(windows),
    )
    for column, window in enumerate(windows.values(), start=1):
        times = [index / pictures["rate_hz"] for index in range(len(window))]
        for number, channel in enumerate(pictures["channels"]):
            group, axis = channel.rsplit("_", 1)
            figure.add_scatter(
                x=times,
                y=[sample[number] for sample in window],
                name=axis,
                legendgroup=axis,
                showlegend=column == 1 and group == groups[0],
                line={"color": AXIS_COLOURS[axis], "width": 1.3},
                row=groups.index(group) + 1,
                col=column,
            )
    for row, group in enumerate(groups, start=1):
        unit = "rad/s" if group == "gyro" else "m/s²"
        figure.update_yaxes(title=f"{group.replace('_', ' ')} [{unit}]", row=row, col=1)
    figure.update_xaxes(title="s", row=len(groups))
    return to_html(figure, height=170 * len(groups) + 60)


def draw_embedding(pictures: SetPictures) -> str:
    """Draw each arm's windows on the axes that tell the real activities apart; real windows stay faint behind."""
    arms, people = pictures["arms"], pictures["people"]
    figure = make_subplots(
        rows=1,
        cols=max(1, len(arms)),
        shared_yaxes="all",
        shared_xaxes="all",
        horizontal_spacing=0.015,
        column_titles=list(arms),
    )
    frame = _frame_of(people["points"])
    for column, side in enumerate(arms.values(), start=1):
        for whose, shown, opacity, symbol in (("real people", people, 0.22, "circle"), ("virtual", side, 0.85, "x")):
            for label, activity in enumerate(pictures["classes"]):
                chosen = [p for p, own in zip(shown["points"], shown["labels"], strict=True) if own == label]
                figure.add_scatter(
                    x=[_within(point[0], frame[0]) for point in chosen],
                    y=[_within(point[1], frame[1]) if len(point) > 1 else 0.0 for point in chosen],
                    mode="markers",
                    name=f"{activity}, {whose}",
                    legendgroup=f"{activity} {whose}",
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
    results: HarEvalResults,
    spectra: Mapping[str, Mapping[str, Spectrum | None]],
    classes: Sequence[str],
    *,
    highest_hz: float,
) -> str:
    """Draw the spectrum of acceleration magnitude of each activity, virtual against real training people."""
    figure = make_subplots(
        rows=1, cols=len(classes), shared_yaxes=True, horizontal_spacing=0.015, column_titles=list(classes)
    )
    for column, activity in enumerate(classes, start=1):
        found = {arm: entry for arm, by_activity in spectra.items() if (entry := by_activity.get(activity)) is not None}
        lines = [
            (name_arm(results, arm), entry["frequency_hz"], entry["virtual_density"], _line_of(results, arm))
            for arm, entry in found.items()
        ]
        for entry in list(found.values())[:1]:  # real people are the same beside every arm
            lines.insert(0, ("real people", entry["frequency_hz"], entry["real_density"], {"color": INK, "width": 2.2}))
        for name, frequency, density, line in lines:
            figure.add_scatter(
                x=frequency[1:],
                y=[max(value, 1e-8) for value in density[1:]],
                name=name,
                mode="lines",
                legendgroup=name,
                showlegend=column == 1,
                line=line,
                row=1,
                col=column,
            )
        if highest_hz > NYQUIST_HZ:
            figure.add_vline(x=NYQUIST_HZ, line={"color": "#8a96a3", "width": 1, "dash": "dash"}, row=1, col=column)
    figure.update_yaxes(type="log")
    figure.update_yaxes(title="(m/s²)²/Hz", row=1, col=1)
    figure.update_xaxes(title="Hz")
    return to_html(figure, height=340)


def _line_of(results: HarEvalResults, arm: str) -> dict[str, str | float]:
    dash = "dot" if find_arm(results, arm)["kind"] == "recorded" else "solid"
    return {"color": colour_of(results, arm), "width": 1.4, "dash": dash}


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
            line={"color": colour_of(results, entry["arm"])},
        )
    figure.update_xaxes(title="noise level [% of the schedule]")
    figure.update_yaxes(title="RMSE [m/s²]", rangemode="tozero")
    return to_html(figure, height=320)
