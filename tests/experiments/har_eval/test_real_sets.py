"""Several questions of one real set: whose reader, at which site, mounted how, and everybody tested by the others."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.clips.clip import LYING
from datamodules.har.windows.window_set import WindowSet
from experiments.arms.clips import load_clips
from experiments.har_eval.checks import load_config
from experiments.har_eval.classifier_table import main as rate
from experiments.har_eval.command import main
from experiments.har_eval.config import HarEvalConfig
from experiments.har_eval.plan import make_plan
from experiments.har_eval.stages import classify
from experiments.har_eval.stages.generate import Recorded
from experiments.har_eval.stages.real import RealWindows, load_real
from experiments.har_eval.stages.simulate import WINDOWS, Sensor, Simulate
from experiments.pipeline.files import load_windows
from experiments.pipeline.tasks import Inputs
from lightning_modules.har_evaluation import Predictions
from sim.motion import Motion

DSADS = Path(__file__).parents[3] / "experiments" / "dsads.yaml"
PEOPLE = ("p1", "p2", "p3")
FOLDERS = ("a01", "a02", "a03", "a09", "a12", "a18")


@pytest.fixture(scope="module")
def pack(write_pack: Callable[..., Path]) -> Path:
    """Three people, six activities, two segments of each; every number says of which unit it is."""
    return write_pack(PEOPLE, FOLDERS)


@pytest.fixture(scope="module")
def config(pack: Path) -> HarEvalConfig:
    return load_config(DSADS, [f"roots.dsads={pack}"])


def test_no_path_takes_the_embedded_people_and_a_path_goes_before(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMUFORGE_DSADS", raising=False)
    assert {RealWindows.of(name, load_config(DSADS)).root for name in ("six_chest", "postures_chest")} == {None}
    monkeypatch.setenv("IMUFORGE_DSADS", str(pack))
    assert RealWindows.of("six_chest", load_config(DSADS)).root == pack


def test_the_shipped_questions_are_of_one_set(config: HarEvalConfig) -> None:
    tasks = {name.split("_")[0] for name in config.sets}
    assert tasks == {"six", "dynamic", "postures"}
    assert len(config.sets) == 9
    for name, entry in config.sets.items():
        assert config.reader(name) == "dsads"
        assert entry.placements == entry.recorded_at
        assert name.endswith(entry.placements[0])
        assert len(config.generation.prompts["jumping"]) >= 3
    plan = make_plan(config)
    # One motion for each arm and seed serves all nine.
    assert len(plan.motions) == (len(config.arms) - 1) * len(config.seeds)
    decoders = {arm: plan.motions[arm, 0].config.decoder for arm in ("original", "original_positions")}
    assert decoders == {"original": "consistent", "original_positions": "positions"}
    assert {task.name for task in plan.real.values()} == {"dsads"}


def test_everybody_is_tested_at_the_chosen_site(config: HarEvalConfig, tmp_path: Path) -> None:
    RealWindows.of("six_right_wrist", config).run(Inputs([]), tmp_path)
    train, test = load_real(tmp_path)
    assert set(test.subjects) == set(train.subjects) == set(PEOPLE)
    assert len(test) == 2 * len(PEOPLE) * len(FOLDERS) * 2  # two windows of 2.56 s in a segment of 5 s
    assert test.counts().tolist() == [12] * 6
    assert test.num_channels == 6
    assert np.unique(test.signals[..., :3]) == pytest.approx([1.0])  # the right arm's 250 steps of 0.004 m/s^2


def test_nobody_is_predicted_by_a_classifier_that_saw_them(
    config: HarEvalConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(config)
    real = plan.real["six_chest"]
    real.run(Inputs([]), tmp_path)
    seen: list[tuple[set[str], set[str]]] = []

    def predict(_: str, train: WindowSet, test: WindowSet, **options: Any) -> Predictions:
        seen.append((set(train.subjects), set(test.subjects)))
        return Predictions(test.labels, test.labels, test.subjects, test.classes)

    monkeypatch.setattr(classify, "train_and_predict", predict)
    plan.classify["real", "six_chest", "forest", 0].run(Inputs([(real, tmp_path)]), tmp_path)
    assert seen == [(set(PEOPLE) - {person}, {person}) for person in PEOPLE]
    with np.load(tmp_path / classify.PREDICTIONS) as found:
        assert sorted(found["subjects"].tolist()) == sorted(load_real(tmp_path)[1].subjects.tolist())
    # What was trained on virtual sensors predicts all of them at once.
    seen.clear()
    virtual = plan.windows["mocap", "six_chest", 0]
    (tmp_path / WINDOWS).write_bytes((tmp_path / "train.npz").read_bytes())
    plan.classify["mocap", "six_chest", "forest", 0].run(Inputs([(real, tmp_path), (virtual, tmp_path)]), tmp_path)
    assert [test for _, test in seen] == [set(PEOPLE)]


@pytest.mark.parametrize(
    ("site", "caption", "axis", "least"),
    [
        ("chest", "a person stands", "x", 8.0),
        ("chest", "a person is lying on the back.", "z", 7.0),
        ("chest", "a person is lying on the right side.", "-y", 7.0),
        ("right_wrist", "a person stands", "x", 7.0),  # towards the elbow, arms hanging
        ("right_thigh", "a person stands", "-x", 8.0),
        ("right_thigh", "a person sits", "y", 7.0),  # the front of the thigh is up
        ("right_thigh", "a person is lying on the right side.", "-z", 6.0),  # its outside is down
    ],
)
def test_virtual_boxes_lie_as_the_reader_says(
    config: HarEvalConfig, tmp_path: Path, site: str, caption: str, axis: str, least: float
) -> None:
    """What gravity reads in constructed postures is what the reader says of people p1 and p2."""
    clip = next(
        clip for clip in load_clips() if clip.constructed and any(map(re.compile(caption).match, clip.captions))
    )
    activity = "lying" if clip.activity in LYING else clip.activity
    motions = Recorded("mocap", 0, 4.0, 1, (activity,))
    Motion(clip.motion.rotations[None, :90], clip.motion.translation[None, :90], clip.motion.fps).save(
        tmp_path / f"{activity}.npz"
    )
    ideal = replace(config.simulation, repeats=1, mountings=1, along_mm=0.0, around_deg=0.0, rotation_deg=0.0)
    sensor = Sensor.of(config.sets[f"postures_{site}"])
    Simulate(motions, site, sensor, (activity,), ideal, 0).run(Inputs([(motions, tmp_path)]), tmp_path)
    force = load_windows(tmp_path / WINDOWS).signals[..., :3].mean(axis=(0, 1))
    assert force["xyz".index(axis[-1])] * (-1 if axis[0] == "-" else 1) > least


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "roots.dsads=nowhere",
            r"sets\.dynamic_chest: no data/aNN.* in root nowhere .*archive\.ics\.uci.*roots\.dsads=PATH",
        ),
        ("sets.six_chest.split=people", r"unknown sets\.six_chest\.split 'people', expected one of"),
        ("sets.six_chest.split=official", r"sets\.six_chest: dsads has no official split; give split: loso"),
        ("sets.six_chest.recorded_at=[chst]", r"unknown placement 'chst'.*did you mean chest"),
        ("sets.six_chest.mounting=x_upp_z_out", r"sets\.six_chest\.mounting: .*'upp'.*did you mean 'up'.*declared"),
        ("sets.six_chest.reader=dsad", r"unknown data set.*'dsad'.*did you mean dsads"),
        ("arms.detail.motion_root=clips", r"arms\.detail names a motion_root but does not say recorded: true"),
        ("arms.mocap.motion_root=clips", r"motion source 'clips' is not a folder"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    pack: Path, override: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["-c", str(DSADS), f"roots.dsads={pack}", override])
    error = capsys.readouterr().err
    assert left.value.code == 2
    assert len(error.splitlines()) == 1
    assert re.search(message, error), error


def test_people_who_are_not_named_cannot_be_left_out(layered: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*layered, "sets.basic_motions.split=loso"])
    assert "basic_motions does not say who wore the sensors" in capsys.readouterr().err


def test_what_cannot_be_told_apart_is_recognised_by_chance(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = [f"roots.dsads={pack}", "classifiers.cnn.steps=2", "classifiers.cnn.networks=1"]
    chosen = ["--sets", "six_chest", "--classifiers", "forest", "cnn"]
    assert rate(["-c", str(DSADS), *chosen, "--overrides", *small]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| six_chest")]
    # All windows are alike, so one of six classes is predicted throughout.
    assert [re.findall(r"[\w.]+", row)[1:3] for row in rows] == [["forest", "0.167"], ["cnn", "0.167"]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sets", "six_chst"], r"unknown entry of sets 'six_chst'.*did you mean six_chest"),
        (["--classifiers", "cn"], r"unknown classifier 'cn'.*did you mean cnn"),
        (["--overrides", "classifiers.cnn.patience=0"], r"classifiers\.cnn\.patience is 0, expected > 0"),
        (["--overrides", "classifiers.cnn.val_fraction=1"], r"classifiers\.cnn\.val_fraction is 1.*share in \[0, 1\)"),
    ],
)
def test_a_table_of_what_there_is_not_is_refused(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        rate(["-c", str(DSADS), *options])
    error = capsys.readouterr().err
    assert left.value.code == 2
    assert len(error.splitlines()) == 1
    assert re.search(message, error), error


def test_who_stops_the_networks_is_never_who_is_tested(
    config: HarEvalConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(config)
    real = plan.real["six_chest"]
    real.run(Inputs([]), tmp_path)
    stoppers: list[tuple[str, list[set[str]]]] = []

    def predict(_: str, train: WindowSet, test: WindowSet, **options: Any) -> Predictions:
        stoppers.append((str(test.subjects[0]), [set(train.subjects[mask]) for mask in options["held_out"]]))
        return Predictions(test.labels, test.labels, test.subjects, test.classes)

    monkeypatch.setattr(classify, "train_and_predict", predict)
    plan.classify["real", "six_chest", "forest", 0].run(Inputs([(real, tmp_path)]), tmp_path)
    for person, held_out in stoppers:
        others = set(PEOPLE) - {person}
        assert len(held_out) == 3
        # One of the two others each time, and both of them in turn.
        assert all(len(each) == 1 and each < others for each in held_out)
        assert set().union(*held_out) == others
