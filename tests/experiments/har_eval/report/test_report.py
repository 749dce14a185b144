"""What the report says of given results, and that its page is whole and opens offline."""

import copy
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from experiments.har_eval.report.arms import PALETTE, colour_of, name_arm
from experiments.har_eval.report.limits import list_limits
from experiments.har_eval.report.page import render_report
from experiments.har_eval.report.text import describe_change, describe_difference, judge, state_findings
from experiments.har_eval.report.write import write_report
from experiments.har_eval.results import PICTURES, REPORT, RESULTS, read_results
from experiments.har_eval.scores import as_relative_entry
from experiments.pipeline.intervals import difference_interval, draw_resampling

PEOPLE = "people"


def _interval(mean, half):
    return {"mean": mean, "low": mean - half, "high": mean + half}


class _Links(HTMLParser):
    """Collects what a page would load from elsewhere, and the tags that it opens and closes."""

    def __init__(self):
        super().__init__()
        self.loaded, self.open, self.script = [], [], 0

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.loaded += [values[key] for key in ("src", "href") if key in values and not values[key].startswith("#")]
        self.script += tag == "script"
        if tag in ("section", "table", "main", "ul", "details", "figure"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in ("section", "table", "main", "ul", "details", "figure"):
            assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(results, drawings):
    page = render_report(results, drawings)
    links = _Links()
    links.feed(page)
    assert links.loaded == []
    assert links.open == []
    assert "plotly.js v" in page
    assert not re.search(r"\$[a-z]+\b(?=[<\s])", page.split("</script>")[-1])


def test_the_page_shows_every_part(results, drawings):
    page = render_report(results, drawings)
    for expected in (
        "Embedding, fitted on real training people only",
        "0.500 [0.450, 0.550]",
        "0.500 (0.400, 0.600)",
        "+2.0 [-1.0, +5.0]",
        "The dashed line is 10 Hz, the Nyquist limit",
        "Motions at 20 frames a second carry all of it",
        "what is known of hapt",
        "f" * 40 + " with uncommitted changes",
        "&quot;steps&quot;: 400",
        "no motion",
    ):
        assert expected in page, expected
    assert page.count('class="figure"') == 2 * (1 + 3 + 1 + 1) + 1 + 1  # gains of activities where people are known


def test_text_from_outside_is_escaped(results, drawings):
    assert "<script>alert" not in render_report(results, drawings)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.01, 0.05, "better"), (-0.05, -0.01, "worse"), (-0.01, 0.05, "no evidence of a difference")],
)
def test_the_verdict_follows_from_the_interval(low, high, verdict):
    assert judge({"mean": (low + high) / 2, "low": low, "high": high}) == verdict


def test_findings_name_absolute_and_relative_gains_and_both_verdicts(results):
    findings = state_findings(results)
    assert findings[0].startswith(
        "hapt: training on refined rather than its matched control (control) changes macro-F1"
    )
    assert findings[0].endswith("no evidence of a difference.")
    assert "absolute +2.0 points [-1.0, +5.0], relative +5.0% [+2.0%, +8.0%]" in findings[0]
    assert findings[1].startswith("hapt: training on refined rather than base changes")
    assert findings[1].endswith(": better.")
    turned = copy.deepcopy(results)
    for entry in turned["comparisons"]:
        entry["absolute"] = _interval(-0.2, 0.1)
    assert state_findings(turned)[0].endswith(": worse.")


def test_findings_speak_of_peaks_only_where_there_is_movement(results):
    [peaks] = [sentence for sentence in state_findings(results) if "peaks" in sentence]
    assert "in walking," in peaks
    assert "standing" not in peaks
    assert "base 0.80, control 0.80, refined 0.80" in peaks


def test_activities_never_recognised_are_named(results):
    for entry in results["scores"]:
        if entry["arm"] == "refined":
            entry["per_class_f1"]["lying"] = 0.0
    [sentence] = [s for s in state_findings(results) if "ever recognises" in s and s.startswith("hapt")]
    assert "trained on refined, no classifier and seed ever recognises lying" in sentence


def test_the_seeds_sentence_says_what_was_repeated(results):
    assert "but not fine-tuning" in state_findings(results)[-1]
    assert "an indication, not a claim" in state_findings(results)[-1]
    results["seeds"] = [0, 1, 2, 3, 4]
    results["arms"][2]["trained_here"] = True
    assert state_findings(results)[-1] == (
        "5 seeds; each repeats generation, simulation and classifier, and the fine-tuning of refined; control took "
        "weights from one training run."
    )
    results["arms"][1]["trained_here"] = True
    last = state_findings(results)[-1]
    assert last == "5 seeds; each repeats fine-tuning, generation, simulation and classifier."


def test_the_best_arm_stands_beside_the_references_by_their_titles(results):
    [sentence] = [s for s in state_findings(results) if s.startswith("hapt: trained on virtual sensors alone")]
    assert sentence == (
        "hapt: trained on virtual sensors alone, the best arm (refined) reaches macro-F1 0.500; clips as they are "
        "0.600; the ceiling 0.700."
    )
    results["arms"] = results["arms"][:3]
    [sentence] = [s for s in state_findings(results) if s.startswith("hapt: trained on virtual sensors alone")]
    assert sentence.endswith("reaches macro-F1 0.500.")


def test_an_arm_has_the_colour_and_the_title_that_it_was_given(results, drawings):
    page = render_report(results, drawings)
    assert "#123456" in page
    assert "clips as they are" in page
    assert colour_of(results, "refined") == "#123456"
    assert colour_of(results, "base") == PALETTE[0]
    assert [name_arm(results, arm) for arm in ("base", PEOPLE)] == ["base", "the ceiling"]


def test_limits_name_mounting_bandwidth_and_constructed_clips(results):
    limits = " ".join(list_limits(results))
    assert "carries anything above 10 Hz" in limits
    for expected in ("what is known of basic_motions", "lying (1 of 2)", "at most 15 windows"):
        assert expected in limits


def test_a_gain_over_a_score_of_zero_is_undefined_not_an_error():
    zero = np.zeros((2, 3, 2, 2), dtype=np.int64)
    zero[..., 0, 1] = zero[..., 1, 0] = 4
    right = zero[..., ::-1, :]
    resampling = draw_resampling(2, 3, resamples=50, generator=np.random.default_rng(0))
    entry = as_relative_entry(difference_interval(right, zero, resampling, relative=True))
    assert entry["high"] is None
    assert "undefined" in describe_change(entry)
    assert describe_change({"mean": 0.5, "low": 0.0, "high": None}) == "+50.0% [+0.0%, undefined]"
    assert judge({"mean": 0.5, "low": 0.0, "high": None}) == "no evidence of a difference"


def test_differences_keep_their_signs():
    text = describe_difference(_interval(-0.031, 0.01), _interval(-0.05, 0.01))
    assert text == "absolute -3.1 points [-4.1, -2.1], relative -5.0% [-6.0%, -4.0%]"


def test_a_report_can_be_written_again_from_its_folder(results, drawings, tmp_path):
    (tmp_path / RESULTS).write_text(json.dumps(results))
    with pytest.raises(FileNotFoundError, match="written beside results"):
        write_report(tmp_path)
    (tmp_path / PICTURES).write_text(json.dumps(drawings))
    assert write_report(tmp_path) == tmp_path / REPORT
    first = (tmp_path / REPORT).read_text()
    assert write_report(tmp_path / RESULTS) == tmp_path / REPORT
    # Figures carry random names; all else is the same.
    assert len((tmp_path / REPORT).read_text()) == len(first)
    assert read_results(tmp_path)["id"] == "abc123"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([RESULTS, PICTURES, REPORT])


def test_what_was_calibrated_is_told_and_is_no_virtual_sensor_alone(results, drawings):
    refined = next(arm for arm in results["arms"] if arm["name"] == "refined")
    assert any("the best arm (refined)" in finding for finding in state_findings(results))
    assert "Calibration" not in render_report(results, drawings)
    refined["calibrate"] = ["turn", "quantiles"]
    results["calibrations"] = [
        {"arm": "refined", "set": "hapt", "seed": 0, "tested": [who], "fitted_on": others, "turn_deg": {"": turn}}
        for who, others, turn in (("1", ["2", "3"], 10.0), ("2", ["1", "3"], 14.0))
    ]
    page = render_report(results, drawings)
    assert '<td class="number">12.0 (10.0, 14.0)</td><td class="number">2</td>' in page
    assert any(
        "refined: virtual windows are calibrated (turn and quantiles) by training" in x for x in list_limits(results)
    )
    assert any("the best arm (control)" in finding for finding in state_findings(results))


def test_who_is_tested_in_groups_or_wears_several_is_told(results, drawings):
    results["sets"][0] |= {"folds": 4, "together": True, "placements": ["chest", "right_wrist"]}
    page = render_report(results, drawings)
    assert "1 people in 4 groups, dealt by each seed" in page
    assert "sensors on chest and right_wrist, worn together" in page


def test_an_arm_tested_on_virtual_sensors_is_no_virtual_sensor_alone(results):
    refined = next(arm for arm in results["arms"] if arm["name"] == "refined")
    refined["protocol"] = "trts"
    assert any("the best arm (control)" in finding for finding in state_findings(results))
    assert any("refined: trained on all real training people and tested on virtual" in x for x in list_limits(results))


def test_fidelity_is_a_row_for_each_sensor(results, drawings):
    assert "Sensor by sensor" not in render_report(results, drawings)
    ends = {0: (0.1, 0.3), 1: (0.3, 0.5)}
    row = {"arm": "refined", "set": "hapt", "activity": "walking", "placement": "waist", "channels": "gyro"}
    results["fidelity"] = [
        {**row, "seed": seed, "measure": "mmd", "value": 0.2 + 0.2 * seed, "low": low, "high": high}
        for seed, (low, high) in ends.items()
    ] + [{**row, "seed": 0, "measure": "cadence_ratio", "value": None, "low": None, "high": None}]
    page = render_report(results, drawings)
    assert page.count("Sensor by sensor") == 1
    assert '<td class="word">waist, gyro</td>' in page
    assert '<td class="number">0.30 [0.20, 0.40]</td>' in page


def test_the_rank_test_stands_beside_the_interval(results, drawings):
    assert '<td class="number">0.008 (0.016)</td>' not in render_report(results, drawings)
    for entry in results["comparisons"]:
        entry |= {"wilcoxon_p": 0.0078, "holm_p": 0.0156}
    assert render_report(results, drawings).count('<td class="number">0.008 (0.016)</td>') == 2
