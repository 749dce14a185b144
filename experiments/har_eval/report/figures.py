"""Figures of the report, as the data that one inlined plotly draws."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from experiments.har_eval.report.arms import INK, PALETTE, colour_of, find_arm, name_arm
from experiments.har_eval.report.drawings import SetPictures, Spectrum
from experiments.har_eval.results import MEAN, HarEvalResults, SummaryEntry

AXIS_COLOURS = dict(zip("xyz", PALETTE, strict=False))
NYQUIST_HZ = 10.0
"""Half of the 20 frames a second that motions come at."""


def error_bars(entries: Sequence[SummaryEntry]) -> dict[str, object]:
    """Return plotly's error bars of macro-F1: the 95% interval, or the lowest and highest seed where there is none."""
    ends = [
        (entry["interval"]["low"], entry["interval"]["high"])
        if entry["interval"] is not None
        else (entry["seed_low"], entry["seed_high"])
        for entry in entries
    ]
    scores = [entry["macro_f1"] for entry in entries]
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - score for (_, high), score in zip(ends, scores, strict=True)],
        "arrayminus": [score - low for (low, _), score in zip(ends, scores, strict=True)],
        "thickness": 1.2,
    }


def to_html(figure: go.Figure, *, height: int, label: str, min_width: int = 0) -> str:
    """Return a figure as its data: the page's own script draws it in the theme's colours when it comes into view.

    Args:
        figure: to draw; :data:`INK` in it becomes the theme's.
        height: [px].
        label: what it shows, for those who do not see it.
        min_width: below it the figure scrolls on its own [px].
    """
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 56, "r": 16, "t": 64 if min_width else 48, "b": 44},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.09, "x": 0},
    )
    content = json.dumps(_short(json.loads(figure.to_json())), separators=(",", ":")).replace("<", "\\u003c")
    named = f'aria-label="{escape(label)}"'
    return (
        f'<div class="scroll" tabindex="0" role="region" {named}>'
        f'<div class="figure" style="height:{height}px;min-width:{min_width}px" role="img" {named}>'
        f'<script type="application/json">{content}</script></div></div>'
    )


def _short(value: object) -> object:
    """Round numbers to what a picture shows."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    return [_short(item) for item in value] if isinstance(value, list) else value


def draw_scores(results: HarEvalResults, set_name: str) -> str:
    """Draw macro-F1 of each arm and classifier with its interval (or its range over seeds)."""
    mine = [entry for entry in results["summaries"] if entry["set"] == set_name]
    figure = go.Figure()
    for arm in dict.fromkeys(entry["arm"] for entry in mine):
        entries = [entry for entry in mine if entry["arm"] == arm]
        figure.add_bar(
            name=name_arm(results, arm),
            x=[f"<b>{e['classifier']}</b>" if e["classifier"] == MEAN else e["classifier"] for e in entries],
            y=[entry["macro_f1"] for entry in entries],
            error_y={**error_bars(entries), "width": 4, "color": INK},
            marker_color=colour_of(results, arm),
            marker_opacity=0.9 if find_arm(results, arm)["kind"] == "prior" else 0.45,
        )
    figure.update_layout(barmode="group", bargap=0.25)
    figure.update_yaxes(title="macro-F1", range=[0, 1.02])
    return to_html(figure, height=360, label=f"macro-F1 of each arm on {set_name}")


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
    return to_html(
        figure,
        height=150 * len(groups) + 80,
        label=f"a typical window of {activity}, real and virtual",
        min_width=150 * len(windows),
    )


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
    return to_html(figure, height=340, label="spectra of each activity", min_width=170 * len(classes))


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
    return to_html(figure, height=320, label="paired acceleration error over noise level")
