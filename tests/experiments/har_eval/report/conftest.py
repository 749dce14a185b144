"""Results of a run that never was, whose numbers are plain to see, and what is drawn of it."""

import numpy as np
import pytest

from experiments.har_eval.results import SCHEMA

PRIORS = ("base", "control", "refined")
CLIPS, PEOPLE = "clips", "people"
CLASSES = ("walking", "standing", "lying")


def _arm(name, kind, **more):
    return {"name": name, "kind": kind, "title": "", "colour": "", "start": None, "trained_here": False, **more}


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
    sides = (*PRIORS, CLIPS, PEOPLE)
    return {
        "schema": SCHEMA,
        "id": "abc123",
        "config": {"seeds": [0, 1], "note": "<script>alert('x')</script>"},
        "seeds": [0, 1],
        "arms": [
            _arm("base", "prior"),
            _arm("control", "prior", start="base"),
            _arm("refined", "prior", start="base", colour="#123456"),
            _arm(CLIPS, "recorded", title="clips as they are"),
            _arm(PEOPLE, "real_people", title="the ceiling"),
        ],
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
                "arm": "refined",
                "against": against,
                "role": "its matched control" if against == "control" else "",
                "primary": against == "control",
                "set": "hapt",
                "classifier": "forest",
                "absolute": _interval(0.02, half),
                "relative": _interval(0.05, half),
            }
            for against, half in (("control", 0.03), ("base", 0.01))
        ],
        "paired": [_paired("base", 4.0, []), _paired("refined", 3.24, ["control", "base"])],
        "distances": [_distance(arm, a, 0.8) for arm in PRIORS for a in ("walking", "standing")],
        "motions": [
            {
                "arm": "refined",
                "seed": 0,
                "activity": "lying",
                "motions": 0,
                "speed_m_s": None,
                "pelvis_height_m": None,
                "trunk_tilt_deg": None,
            }
        ],
        "clips": [{"activity": "lying", "clips": ["lying/0", "b"], "constructed": ["lying/0"], "too_short": []}],
        "stages": [{"stage": "generate", "title": "generating motions", "tasks": 6, "cached": 2, "wall_s": 12.3}],
        "provenance": {
            "created": "2026-01-01T00:00:00+00:00",
            "git_commit": "f" * 40,
            "git_dirty": True,
            "versions": {"torch": "2.13.0"},
            "weights": {"refined": "0" * 64},
            "cards": {"refined": {"steps": 400}},
            "machine": "2 CPU cores",
            "total_wall_s": 60.0,
        },
    }


@pytest.fixture
def drawings():
    generator = np.random.default_rng(0)
    window = generator.normal(size=(20, 3)).tolist()

    def side():
        return {
            "labels": [0, 1, 2] * 4,
            "points": generator.normal(size=(12, 2)).tolist(),
            "signals": dict.fromkeys(CLASSES, window),
        }

    picture = {
        "classes": list(CLASSES),
        "channels": ["accel_x", "accel_y", "accel_z"],
        "rate_hz": 20.0,
        "people": side(),
        "arms": {arm: side() for arm in (*PRIORS, CLIPS)},
    }
    spectrum = {"frequency_hz": [0.0, 1.0, 2.0], "virtual_density": [0.0, 1.0, 0.5], "real_density": [0.0, 2.0, 0.4]}
    spectra = {arm: {"walking": spectrum, "standing": spectrum, "lying": None} for arm in (*PRIORS, CLIPS)}
    return {"sets": {"hapt": picture, "basic_motions": picture}, "spectra": {"hapt": spectra}}
