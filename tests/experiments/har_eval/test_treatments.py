"""What is done with an arm's motions and beside them: other noise, smoothing, a filter, folders, real people."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from datamodules.clips.sources import list_items
from datamodules.har.windows.window_set import WindowSet
from experiments.har_eval.checks import DEFAULT_CONFIG, load_config
from experiments.har_eval.command import run_experiment
from experiments.har_eval.plan import Plan, make_plan
from experiments.har_eval.report.limits import list_limits
from experiments.har_eval.report.text import state_findings
from experiments.har_eval.results import HarEvalResults, read_results
from experiments.har_eval.stages import classify
from experiments.har_eval.stages.generate import describe_motions, load_motions
from experiments.har_eval.stages.simulate import WINDOWS, load_virtual
from experiments.pipeline.files import load_windows
from experiments.pipeline.tasks import Cache, Inputs, task_key
from lightning_modules.har_evaluation import Predictions
from sim.motion import Motion

PEOPLE = ("p1", "p2", "p3", "p4")
MIXED = DEFAULT_CONFIG.parent / "har_eval" / "layers" / "mixed.yaml"
WALKING, STANDING, JUMPING, RUNNING = "a09", "a02", "a18", "a12"


@pytest.fixture(scope="module")
def clips() -> dict[str, Motion]:
    """A recorded clip of at least four seconds of each of some activities."""
    found: dict[str, Motion] = {}
    for clip in (clip for item in list_items("embedded") for clip in item.load()):
        if clip.activity in ("walking", "standing", "running") and clip.motion.duration_s > 4.5:
            found.setdefault(clip.activity, clip.motion)
    return found


@pytest.fixture(scope="module")
def overrides(
    weights: Path,
    clips: dict[str, Motion],
    write_pack: Callable[..., Path],
    cache_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[str]:
    """The layer `mixed` on four people, with a tiny prior in place of the packaged one, and other treatments beside."""
    folder = tmp_path_factory.mktemp("treatments")
    for activity, motion in clips.items():
        (folder / "others" / activity).mkdir(parents=True)
        replace(motion, licence="terms in the file").save(folder / "others" / activity / "one.npz")
    prior = weights / "original.safetensors"
    arms = ("four_hours", "mixed_1", "mixed_2", "again", "smoothed")
    return [
        f"roots.dsads={write_pack(PEOPLE, (WALKING, STANDING, JUMPING, RUNNING), noise=40)}",
        *(f"arms.{arm}.weights={prior}" for arm in arms),
        "arms.mixed_4=null",
        "arms.real_4=null",
        "arms.again.draw=1",
        "arms.smoothed.smooth_hz=2",
        f"arms.others={{generated: {folder / 'others'}, licence: made for this test}}",
        "comparisons=[{arm: again, against: four_hours}]",
        "sets.dynamic_chest=null",
        "sets.dynamic_right_thigh=null",
        "classifiers.deepconvlstm=null",
        "classifiers.cnn={steps: 6, networks: 1, check_every: 3}",
        "seeds=[0]",
        "generation.motions_per_activity=2",
        "generation.steps=3",
        "simulation.repeats=1",
        "simulation.mountings=2",
        "resamples=50",
        "processes=1",
        f"cache={cache_dir}",
        f"output={folder / 'runs'}",
    ]


@pytest.fixture(scope="module")
def plan(overrides: list[str]) -> Plan:
    return make_plan(load_config([DEFAULT_CONFIG, MIXED], overrides))


@pytest.fixture(scope="module")
def results(overrides: list[str]) -> HarEvalResults:
    config = load_config([DEFAULT_CONFIG, MIXED], overrides)
    return read_results(run_experiment(config, console=Console(quiet=True)))


@pytest.fixture
def cache(results: HarEvalResults) -> Cache:
    return Cache(Path(str(results["config"]["cache"])))


def test_every_treatment_is_scored_on_everybody(results: HarEvalResults) -> None:
    arms = {"four_hours", "mixed_1", "mixed_2", "again", "smoothed", "others", "real", "real_1", "real_2"}
    assert {(entry["arm"], entry["classifier"]) for entry in results["scores"]} == {
        (arm, classifier) for arm in arms for classifier in ("cnn", "forest")
    }
    assert all(set(entry["confusion_by_subject"]) == set(PEOPLE) for entry in results["scores"])


def test_another_draw_moves_otherwise_under_the_same_weights(plan: Plan, cache: Cache) -> None:
    one, other = (load_motions(cache.folder(plan.motions[arm, 0]), "walking") for arm in ("four_hours", "again"))
    assert one is not None
    assert other is not None
    assert one.rotations.shape == other.rotations.shape
    assert not torch.allclose(one.translation, other.translation, atol=1e-3)


def test_smoothing_takes_the_same_motions_and_tames_them(plan: Plan, cache: Cache) -> None:
    assert task_key(plan.motions["smoothed", 0]) == task_key(plan.motions["four_hours", 0])
    rough, smooth = (
        load_windows(cache.folder(plan.windows[arm, "dynamic_right_wrist", 0]) / WINDOWS).signals[..., :3]
        for arm in ("four_hours", "smoothed")
    )
    assert rough.shape == smooth.shape
    steps = [np.abs(np.diff(signals, axis=1)).mean() for signals in (rough, smooth)]
    assert steps[1] < 0.5 * steps[0]


def test_a_folder_of_others_is_used_alone_and_named_with_its_terms(
    plan: Plan, cache: Cache, clips: dict[str, Motion], results: HarEvalResults
) -> None:
    folder = cache.folder(plan.motions["others", 0])
    table = json.loads((folder / "clips.json").read_text(encoding="utf-8"))
    assert {name: len(entry["clips"]) for name, entry in table.items()} == {name: int(name in clips) for name in table}
    windows = load_virtual(cache.folder(plan.windows["others", "dynamic_right_wrist", 0]), ("running", "walking"))
    assert windows.classes == ("running", "walking")
    assert windows.counts().min() > 0
    assert results["clips"] == []
    terms = "made for this test; what is known of the files: terms in the file"
    assert any(terms in limit for limit in list_limits(results))
    with pytest.raises(ValueError, match=r"no motion of any of \['jumping'\]"):
        load_virtual(cache.folder(plan.windows["others", "dynamic_right_wrist", 0]), ("jumping",))


@pytest.mark.parametrize(("protocol", "together"), [("mixed", True), ("pretrain_then_finetune", False)])
def test_few_people_join_and_whoever_is_tested_does_not(
    plan: Plan, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str, together: bool
) -> None:
    seen: dict[str, tuple[set[str], set[str]]] = {}

    def predict(_: str, train: WindowSet, test: WindowSet, **options: Any) -> Predictions:
        first = options["first"]
        assert len(options["first_held_out"]) == (0 if first is None else len(options["held_out"]))
        seen[str(test.subjects[0])] = (set(train.subjects), set() if first is None else set(first.subjects))
        return Predictions(test.labels, test.labels, test.subjects, test.classes)

    monkeypatch.setattr(classify, "train_and_predict", predict)
    chosen: list[dict[str, set[str]]] = []
    for arm in ("mixed_1", "mixed_2", "real_2"):
        task = replace(plan.classify[arm, "dynamic_right_wrist", "cnn", 0], protocol=protocol)
        places = [task.real, *([] if task.virtual is None else [task.virtual])]
        task.run(Inputs([(place, cache.folder(place)) for place in places]), tmp_path)
        assert set(seen) == set(PEOPLE)
        for person, (train, first) in seen.items():
            assert person not in train | first
            virtual = {name for name in train | first if name.startswith("virtual")}
            assert bool(virtual) == (task.virtual is not None)
            assert virtual == {name for name in (train if together else first) if name.startswith("virtual")}
            assert not first & set(PEOPLE)
        chosen.append({person: train & set(PEOPLE) for person, (train, _) in seen.items()})
        seen.clear()
    one, two, alone = chosen
    assert two == alone
    for person in PEOPLE:
        assert (len(one[person]), len(two[person])) == (1, 2)
        assert one[person] < two[person]


def test_a_network_is_trained_on_people_after_virtual_sensors(plan: Plan, cache: Cache, tmp_path: Path) -> None:
    task = replace(plan.classify["mixed_1", "dynamic_right_wrist", "cnn", 0], protocol="pretrain_then_finetune")
    assert task_key(task) != task_key(plan.classify["mixed_1", "dynamic_right_wrist", "cnn", 0])
    assert task.virtual is not None
    task.run(Inputs([(place, cache.folder(place)) for place in (task.real, task.virtual)]), tmp_path)
    with np.load(tmp_path / classify.PREDICTIONS, allow_pickle=False) as found:
        assert set(found["subjects"]) == set(PEOPLE)


def test_more_people_than_there_are_is_an_error(plan: Plan, cache: Cache, tmp_path: Path) -> None:
    task = replace(plan.classify["real_1", "dynamic_right_wrist", "forest", 0], people=9)
    with pytest.raises(ValueError, match="9 people asked for, expected 0 to 3: p2, p3, p4"):
        task.run(Inputs([(task.real, cache.folder(task.real))]), tmp_path)


def test_what_was_not_produced_is_counted_and_may_be_left_out(clips: dict[str, Motion], tmp_path: Path) -> None:
    crops = [clips[name].frames(0, 80) for name in ("walking", "standing", "walking")]
    rates = {crop.fps for crop in crops}
    assert len(rates) == 1, "clips of other rates need other crops"
    asked = Motion(
        torch.stack([crop.rotations for crop in crops]), torch.stack([crop.translation for crop in crops]), *rates
    )
    for only_produced, left in ((False, 3), (True, 2)):
        asked.save(tmp_path / "walking.npz")
        asked.save(tmp_path / "sitting.npz")
        describe_motions(tmp_path, ["walking", "sitting", "dancing"], only_produced=only_produced)
        table = json.loads((tmp_path / "motions.json").read_text(encoding="utf-8"))
        assert (table["walking"]["motions"], table["walking"]["produced"]) == (3, 2)
        assert (table["sitting"]["motions"], table["sitting"]["produced"]) == (3, 0)
        assert table["dancing"] == {"motions": 0}
        kept = load_motions(tmp_path, "walking")
        assert kept is not None
        assert len(kept.rotations) == left
        assert (load_motions(tmp_path, "sitting") is None) == only_produced


def test_the_report_says_what_was_not_produced(results: HarEvalResults) -> None:
    """A prior of six steps of training runs nowhere."""
    of_prior = [entry for entry in results["motions"] if entry["arm"] == "four_hours"]
    assert {entry["activity"] for entry in of_prior} == {"walking", "running", "jumping", "standing"}
    failed = [entry["activity"] for entry in of_prior if (entry["produced"] or 0) < entry["motions"] / 2]
    assert "running" in failed
    [sentence] = [s for s in state_findings(results) if s.startswith("four_hours: less than half of the motions show")]
    assert all(activity in sentence for activity in failed)
