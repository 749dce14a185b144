"""What the report says of given results, and that its page is whole and opens offline."""

import copy
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from experiments.har_eval.report.page import render_report
from experiments.har_eval.report.text import describe_change, describe_difference, judge, list_limits, state_findings
from experiments.har_eval.report.write import write_report
from experiments.har_eval.results import PICTURES, REPORT, RESULTS, SCHEMA, read_results
from experiments.har_eval.scores import as_relative_entry
from experiments.pipeline.intervals import difference_interval, draw_resampling

ARMS = ("original", "continued", "acc")
CLASSES = ("walking", "standing", "lying")


def _interval(mean, half):
    return {"mean": mean, "low": mean - half, "high": mean + half}


def _score(arm, set_name, seed, hits):
    confusion = [[hits, 10 - hits, 0], [2, 8, 0], [0, 0, 10]]
    return {
        "arm": arm,
        "set": set_name,
        "classifier": "forest",
        "seed": seed,
        "macro_f1": 0.5,
        "accuracy": 0.6,
        "per_class_f1": {"walking": hits / 10, "standing": 0.8, "lying": 1.0},
        "support": dict.fromkeys(CLASSES, 10),
        "confusion": confusion,
        "confusion_by_subject": {"2": confusion},
    }


def _summary(arm, set_name, value, known):
    return {
        "arm": arm,
        "set": set_name,
        "classifier": "forest",
        "macro_f1": value,
        "accuracy": value,
        "seed_low": value - 0.1,
        "seed_high": value + 0.1,
        "interval": _interval(value, 0.05) if known else None,
    }


def _set(name, known):
    return {
        "name": name,
        "classes": list(CLASSES),
        "channels": ["accel_x", "accel_y", "accel_z"],
        "rate_hz": 50.0 if known else 10.0,
        "window_s": 1.0,
        "placements": ["waist"],
        "mounting": "declared",
        "mounting_knowledge": f"what is known of {name}",
        "subject_independent": known,
        "train_subjects": ["1", "3"],
        "test_subjects": ["2"],
        "train_windows": dict.fromkeys(CLASSES, 20),
        "test_windows": dict.fromkeys(CLASSES, 10),
        "train_windows_per_class": 15,
    }


def _paired(arm, mse, against):
    error = {"rmse": mse**0.5, "mse": mse, "windows": 12}
    return {
        "arm": arm,
        "seed": None,
        "recordings": 8,
        "all": error,
        "by_activity": {"walking": error},
        "by_level": {"5": error, "50": error},
        "relative_rmse": {other: _interval(-0.1, 0.05) for other in against},
        "relative_mse": {other: _interval(-0.19, 0.05) for other in against},
    }


def _distance(arm, activity, ratio):
    peak = 5.0 if activity == "walking" else 0.1
    return {
        "arm": arm,
        "set": "hapt",
        "seed": 0,
        "activity": activity,
        "wasserstein_m_s2": 0.5,
        "psd_log10": 0.3,
        "peak_m_s2": ratio * peak,
        "real_peak_m_s2": peak,
        "peak_ratio": ratio,
    }


@pytest.fixture
def results():
    sides = (*ARMS, "mocap", "real")
    return {
        "schema": SCHEMA,
        "id": "abc123",
        "config": {"seeds": [0, 1], "note": "<script>alert('x')</script>"},
        "seeds": [0, 1],
        "arms": list(ARMS),
        "retrained": False,
        "sets": [_set("hapt", True), _set("basic_motions", False)],
        "scores": [_score(arm, s, seed, 5) for arm in sides for s in ("hapt", "basic_motions") for seed in (0, 1)],
        "summaries": [
            _summary(arm, s, 0.3 + 0.1 * place, s == "hapt")
            for place, arm in enumerate(sides)
            for s in ("hapt", "basic_motions")
        ],
        "comparisons": [
            {
                "arm": "acc",
                "against": against,
                "set": "hapt",
                "classifier": "forest",
                "absolute": _interval(0.02, half),
                "relative": _interval(0.05, half),
            }
            for against, half in (("original", 0.01), ("continued", 0.03))
        ],
        "paired": [_paired("original", 4.0, []), _paired("acc", 3.24, ["original", "continued"])],
        "distances": [_distance(arm, a, 0.8) for arm in ARMS for a in ("walking", "standing")],
        "motions": [
            {
                "arm": "acc",
                "seed": 0,
                "activity": "lying",
                "motions": 0,
                "speed_m_s": None,
                "pelvis_height_m": None,
                "trunk_tilt_deg": None,
            }
        ],
        "clips": [{"activity": "lying", "clips": ["lying/0", "b"], "constructed": ["lying/0"], "too_short": []}],
        "stages": [{"stage": "generate", "doing": "generating motions", "tasks": 6, "cached": 2, "wall_s": 12.3}],
        "provenance": {
            "created": "2026-01-01T00:00:00+00:00",
            "git_commit": "f" * 40,
            "git_dirty": True,
            "versions": {"torch": "2.13.0"},
            "weights": {"acc": "0" * 64},
            "cards": {"acc": {"steps": 400}},
            "machine": "2 CPU cores",
            "total_wall_s": 60.0,
        },
    }


@pytest.fixture
def drawings():
    generator = np.random.default_rng(0)
    window = generator.normal(size=(20, 3)).tolist()
    picture = {
        "classes": list(CLASSES),
        "channels": ["accel_x", "accel_y", "accel_z"],
        "rate_hz": 20.0,
        "embedding": {
            side: {"labels": [0, 1, 2] * 4, "points": generator.normal(size=(12, 2)).tolist()}
            for side in ("real", *ARMS)
        },
        "signals": {activity: dict.fromkeys(("real", *ARMS), window) for activity in CLASSES},
    }
    spectrum = {"frequency_hz": [0.0, 1.0, 2.0], "virtual": [0.0, 1.0, 0.5], "real": [0.0, 2.0, 0.4]}
    spectra = {arm: {"walking": spectrum, "standing": spectrum, "lying": None} for arm in ARMS}
    return {"sets": {"hapt": picture, "basic_motions": picture}, "spectra": {"hapt": spectra}}


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
    assert page.count("plotly-graph-div") == 2 * (1 + 3 + 1 + 1) + 1


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
    assert findings[0].startswith("hapt: training on acc rather than its matched control (continued) changes macro-F1")
    assert findings[0].endswith("no evidence of a difference.")
    assert "absolute +2.0 points [-1.0, +5.0], relative +5.0% [+2.0%, +8.0%]" in findings[0]
    assert findings[1].endswith(": better.")
    turned = copy.deepcopy(results)
    for entry in turned["comparisons"]:
        entry["absolute"] = _interval(-0.2, 0.1)
    assert state_findings(turned)[0].endswith(": worse.")


def test_findings_speak_of_peaks_only_where_there_is_movement(results):
    [peaks] = [sentence for sentence in state_findings(results) if "peaks" in sentence]
    assert "in walking," in peaks
    assert "standing" not in peaks
    assert "original 0.80, continued 0.80, acc 0.80" in peaks


def test_activities_never_recognised_are_named(results):
    for entry in results["scores"]:
        if entry["arm"] == "acc":
            entry["per_class_f1"]["lying"] = 0.0
    [sentence] = [s for s in state_findings(results) if "ever recognises" in s and s.startswith("hapt")]
    assert "trained on acc, no classifier and seed ever recognises lying" in sentence


def test_the_seeds_sentence_says_what_was_repeated(results):
    assert "but not fine-tuning" in state_findings(results)[-1]
    assert "an indication, not a claim" in state_findings(results)[-1]
    results["retrained"], results["seeds"] = True, [0, 1, 2, 3, 4]
    last = state_findings(results)[-1]
    assert last == "5 seeds; each repeats fine-tuning, generation, simulation and classifier."


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
    assert not list(tmp_path.glob("*.partial"))
