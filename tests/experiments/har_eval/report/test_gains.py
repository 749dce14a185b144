"""The learning curve and the gains of activities say what the scores say."""

import json
import re

import pytest

from experiments.har_eval.report.gains import draw_gains, draw_learning_curve
from experiments.har_eval.report.headline import render_headline


def traces(html):
    return json.loads(re.search(r"<script type=.application/json.>(.*?)</script>", html)[1])["data"]


def test_people_are_counted_and_virtual_sensors_alone_begin_the_curve(results):
    real = results["sets"][0]
    assert draw_learning_curve(results, real) == ""
    results["config"]["arms"] = {name: {"weights": "w"} for name in ("base", "refined")}
    arms = {arm["name"]: arm for arm in results["arms"]}
    arms["refined"] |= {"people": 1, "protocol": "mixed"}
    found = {trace["name"]: trace for trace in traces(draw_learning_curve(results, real))}
    assert set(found) == {"w, mixed"}  # the ceiling alone is one point, no line
    assert found["w, mixed"]["x"] == [0, 1]
    assert found["w, mixed"]["y"] == pytest.approx([0.3, 0.5])


def test_the_gain_of_an_activity_is_the_change_of_its_f1(results):
    for entry in results["scores"]:
        if entry["arm"] == "refined":
            entry["confusion_by_subject"] = {"2": [[10, 0, 0], [0, 10, 0], [0, 0, 10]]}
    # Of walking before: 5 hits, 10 true, 7 said; of standing 8, 10, 13.
    expected = [100 * (1 - 10 / 17), 100 * (1 - 16 / 23), 0.0]
    trace = traces(draw_gains(results, results["sets"][0]))[0]
    assert trace["y"] == pytest.approx(expected, abs=0.01)


def test_the_first_screen_names_the_comparison_both_gains_people_and_seeds(results):
    shown = render_headline(results)
    for expected in (
        "<b>refined</b>",
        "<b>control</b>, its matched control",
        "+2.0 [-1.0, +5.0]",
        "+5.0% [+2.0%, +8.0%]",
    ):
        assert expected in shown
    assert "2 seeds, an indication: a claim takes 5" in shown
    assert "walking, standing and lying" in shown
    results["comparisons"] = []
    assert "No comparison was chosen beforehand" in render_headline(results)
