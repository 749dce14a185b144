"""Whatever is fitted never sees who is tested: calibration and classifiers, and a leak ends the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.har.windows.augmentation import Augmentation
from datamodules.har.windows.window_set import WindowSet
from experiments.har_eval.scores import score_predictions, summarise
from experiments.har_eval.stages import classify
from experiments.har_eval.stages.classify import CALIBRATION, PREDICTIONS, VIRTUAL, Classify
from experiments.har_eval.stages.real import TEST, TRAIN
from experiments.pipeline.files import load_windows, save_windows
from lightning_modules.har_evaluation import Predictions

Seen = dict[str, WindowSet]
BOTH = ("turn", "quantiles")
PEOPLE = ("p1", "p2", "p3", "p4")
Stage = Any
"""Of conftest.py."""


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[[Stage, Classify, Path], Seen]:
    """Run a task and return what was trained on before each person was predicted."""

    def run(stage: Stage, task: Classify, output: Path) -> Seen:
        seen: Seen = {}

        def predict(_: str, train: WindowSet, test: WindowSet, **__: Any) -> Predictions:
            seen["+".join(sorted(set(test.subjects)))] = train
            return Predictions(test.labels, test.labels, test.subjects, test.classes)

        monkeypatch.setattr(classify, "train_and_predict", predict)
        output.mkdir(exist_ok=True)
        task.run(stage.inputs(), output)
        return seen

    return run


def test_without_calibration_one_training_predicts_everybody(stage: Stage, watch, tmp_path: Path) -> None:
    assert list(watch(stage, stage.task, tmp_path / "out")) == ["+".join(PEOPLE)]
    assert not (tmp_path / "out" / CALIBRATION).exists()


@pytest.mark.parametrize(("people", "fitted"), [(None, 3), (1, 1)])
def test_calibration_is_fitted_on_others_than_who_is_tested(
    stage: Stage, watch, tmp_path: Path, people: int | None, fitted: int
) -> None:
    seen = watch(stage, replace(stage.task, calibrate=BOTH, people=people), tmp_path / "out")
    assert list(seen) == list(PEOPLE)
    said = json.loads((tmp_path / "out" / CALIBRATION).read_text(encoding="utf-8"))
    assert [entry["tested"] for entry in said] == [[person] for person in PEOPLE]
    for entry in said:
        assert len(entry["fitted_on"]) == fitted
        assert not set(entry["tested"]) & set(entry["fitted_on"])
        assert set(entry["fitted_on"]) < set(PEOPLE)
        assert entry["turn_deg"].keys() == {""}
    for person, train in seen.items():
        assert person not in train.subjects
        assert bool(set(train.subjects) & set(PEOPLE)) == (people is not None)


def test_what_who_is_tested_does_changes_nothing_that_is_trained_on(stage: Stage, watch, tmp_path: Path) -> None:
    task = replace(stage.task, calibrate=BOTH)
    before = watch(stage, task, tmp_path / "before")
    everybody = load_windows(stage.real / TRAIN)
    signals = everybody.signals.copy()
    signals[everybody.subjects == "p2"] = signals[everybody.subjects == "p2"][..., [1, 2, 0, 4, 5, 3]] * 7
    for name in (TRAIN, TEST):
        save_windows(WindowSet.of(signals, everybody.index), stage.real / name)
    after = watch(stage, task, tmp_path / "after")
    np.testing.assert_array_equal(before["p2"].signals, after["p2"].signals)
    assert not np.allclose(before["p1"].signals, after["p1"].signals), "of others it is to change something"


@pytest.mark.parametrize("calibrate", [(), BOTH])
def test_somebody_on_both_sides_ends_the_run(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calibrate: tuple[str, ...]
) -> None:
    monkeypatch.setattr(Classify, "_folds", lambda self, train, test: [(train, test.select(test.subjects == "p3"))])
    task = replace(stage.task, calibrate=calibrate, people=None if calibrate else 4)
    what = "calibration" if calibrate else "the forest"
    with pytest.raises(ValueError, match=f"^{what} is fitted on p3, who are tested"):
        task.run(stage.inputs(), tmp_path)
    assert not (tmp_path / PREDICTIONS).exists()


@pytest.mark.parametrize("virtual", [True, False])
def test_an_official_split_with_somebody_on_both_sides_ends_the_run(
    stage: Stage, draw_windows, tmp_path: Path, virtual: bool
) -> None:
    official = stage.with_split("official")
    save_windows(draw_windows(("p4", "p5"), seed=3), stage.real / TEST)
    task = replace(official.task, calibrate=("turn",) if virtual else ())
    task = task if virtual else replace(task, virtual=None)
    with pytest.raises(ValueError, match="is fitted on p4, who are tested"):
        task.run(official.inputs(), tmp_path)


def test_an_official_split_is_calibrated_on_its_training_people(
    stage: Stage, watch, draw_windows, tmp_path: Path
) -> None:
    official = stage.with_split("official")
    save_windows(draw_windows(("p5", "p6"), seed=3), stage.real / TEST)
    assert list(watch(official, replace(official.task, calibrate=BOTH), tmp_path / "out")) == ["p5+p6"]
    [said] = json.loads((tmp_path / "out" / CALIBRATION).read_text(encoding="utf-8"))
    assert (said["tested"], said["fitted_on"]) == (["p5", "p6"], list(PEOPLE))


def test_a_calibrated_forest_is_grown_and_predicts(stage: Stage, tmp_path: Path) -> None:
    replace(stage.task, calibrate=BOTH).run(stage.inputs(), tmp_path)
    with np.load(tmp_path / PREDICTIONS, allow_pickle=False) as found:
        assert (found["labels"] == found["predictions"]).mean() > 0.9
        assert set(found["subjects"]) == set(PEOPLE)


def test_groups_of_people_are_tested_by_classifiers_of_the_others(stage: Stage, watch, tmp_path: Path) -> None:
    grouped = stage.with_split("kfold", folds=2)
    task = replace(grouped.task, virtual=None)
    seen = watch(grouped, task, tmp_path / "out")
    tested = [set(people.split("+")) for people in seen]
    assert [len(people) for people in tested] == [2, 2]
    assert tested[0] | tested[1] == set(PEOPLE)
    for people, train in zip(tested, seen.values(), strict=True):
        assert set(train.subjects) == set(PEOPLE) - people
    dealt = {
        frozenset(map(frozenset, (people.split("+") for people in watch(grouped, replace(task, seed=seed), tmp_path))))
        for seed in range(6)
    }
    assert len(dealt) > 1
    calibrated = watch(grouped, replace(grouped.task, calibrate=BOTH), tmp_path / "out")
    assert calibrated.keys() == seen.keys()


def test_more_groups_than_people_is_an_error(stage: Stage, tmp_path: Path) -> None:
    grouped = stage.with_split("kfold", folds=5)
    with pytest.raises(ValueError, match="5 folds of 4 people, expected 2 to 4 folds"):
        replace(grouped.task, virtual=None).run(grouped.inputs(), tmp_path)


def test_trained_on_people_and_tested_on_virtual_sensors(stage: Stage, watch, tmp_path: Path) -> None:
    task = replace(stage.task, protocol="trts")
    seen = watch(stage, task, tmp_path / "seen")
    assert list(seen) == [VIRTUAL]
    assert set(seen[VIRTUAL].subjects) == set(PEOPLE)
    task.run(stage.inputs(), tmp_path)
    entries = [
        score_predictions(folder, ("walking", "standing"), arm=arm, set_name="people", classifier="forest", seed=0)
        for arm, folder in (("tested", tmp_path), ("arm", tmp_path / "seen"))
    ]
    entries[1] = entries[1] | {"confusion_by_subject": dict.fromkeys(PEOPLE, entries[1]["confusion"])}
    assert entries[0]["support"] == {"walking": 12, "standing": 12}
    tested, arm = summarise(entries, with_intervals={"people": True}, resamples=50)
    assert (tested["arm"], tested["interval"]) == ("tested", None)
    assert arm["interval"] is not None


@pytest.mark.parametrize("count", [None, 20])
def test_changed_copies_of_people_are_as_many_as_virtual_windows(
    stage: Stage, watch, tmp_path: Path, count: int | None
) -> None:
    strength = Augmentation(jitter=0.1)
    task = replace(stage.task, virtual=None, people=2, windows_per_class=count)
    plain = watch(stage, task, tmp_path / "out")
    seen = watch(stage, replace(task, augment=strength), tmp_path / "out")
    for person, train in seen.items():
        alone = plain[person]
        assert set(train.subjects) == set(alone.subjects)
        assert person not in train.subjects
        np.testing.assert_array_equal(train.signals[: len(alone)], alone.signals)
        assert (train.counts() - alone.counts()).tolist() == [12 if count is None else count] * 2
    again = watch(stage, replace(task, augment=strength), tmp_path / "out")
    np.testing.assert_array_equal(again["p1"].signals, seen["p1"].signals)
