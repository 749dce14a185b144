"""The whole experiment on tiny priors: what is scored, compared, kept in the cache and refused."""

import dataclasses
import json
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
import yaml
from lightning.pytorch import Trainer
from rich.console import Console
from sklearn.metrics import f1_score

from datamodules.motion import MotionDataModule
from experiments.arms.fine_tune import WEIGHTS
from experiments.har_eval.checks import DEFAULT_CONFIG, load_config
from experiments.har_eval.command import main, run_experiment
from experiments.har_eval.plan import make_plan
from experiments.har_eval.report.text import describe_decoding
from experiments.har_eval.results import read_results
from experiments.har_eval.stages.generate import Recorded, load_motions
from experiments.har_eval.stages.paired import paired_errors
from experiments.har_eval.stages.real import draw_per_class, load_real
from experiments.pipeline.runner import Runner
from experiments.pipeline.tasks import Cache, task_key
from lightning_modules.checkpoints import load_prior
from sim.conventions import DECODERS

ARMS = ("original", "continued", "acc")


@pytest.fixture(scope="module")
def results(run):
    return read_results(run)


def test_every_arm_set_classifier_and_seed_is_scored(results):
    cells = Counter((entry["arm"], entry["set"], entry["classifier"]) for entry in results["scores"])
    sets = {"hapt", "basic_motions"}
    assert set(cells) == {(a, s, c) for a in (*ARMS, "mocap", "real") for s in sets for c in ("cnn", "forest")}
    assert set(cells.values()) == {2}


def test_scores_follow_from_their_confusion_matrices(results):
    for entry in results["scores"]:
        confusion = np.array(entry["confusion"])
        truth, guess = (np.repeat(np.indices(confusion.shape)[axis].ravel(), confusion.ravel()) for axis in (0, 1))
        expected = f1_score(truth, guess, labels=range(len(confusion)), average="macro", zero_division=0)
        assert entry["macro_f1"] == pytest.approx(expected)
        assert entry["accuracy"] == pytest.approx(np.trace(confusion) / confusion.sum())
        assert list(entry["support"].values()) == confusion.sum(axis=1).tolist()
        assert np.sum(list(entry["confusion_by_subject"].values()), axis=0).tolist() == entry["confusion"]


def test_real_people_are_recognised_by_real_people(results):
    scores = [e["macro_f1"] for e in results["scores"] if (e["arm"], e["classifier"]) == ("real", "forest")]
    assert min(scores) > 0.7


def test_subjects_of_the_official_split_stay_apart(results):
    hapt, basic_motions = results["sets"]
    assert set(hapt["test_subjects"]) == {"2", "4", "9", "10", "12", "13", "18", "20", "24"}
    assert len(hapt["train_subjects"]) == 21
    assert not set(hapt["train_subjects"]) & set(hapt["test_subjects"])
    assert not basic_motions["subject_independent"]
    for entry in results["scores"]:
        if entry["set"] == "hapt":
            assert set(entry["confusion_by_subject"]) == set(hapt["test_subjects"])


def test_only_sets_with_known_subjects_carry_intervals(results):
    assert {entry["set"] for entry in results["comparisons"]} == {"hapt"}
    pairs = {(entry["arm"], entry["against"]) for entry in results["comparisons"]}
    assert pairs == {("continued", "original"), ("acc", "original"), ("acc", "continued")}
    for entry in results["summaries"]:
        assert (entry["interval"] is None) == (entry["set"] == "basic_motions")
        if entry["interval"] is not None:
            assert entry["interval"]["low"] <= entry["macro_f1"] <= entry["interval"]["high"]


def test_paired_errors_agree_with_the_metric_of_the_module(weights, cache_dir, results):
    model = load_prior(weights / "original.safetensors")
    data = MotionDataModule(["embedded"], window_s=4.0, mirror=False, cache_dir=str(cache_dir / "motion"))
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    [metrics] = trainer.test(model, data, verbose=False)
    [original] = [entry for entry in results["paired"] if entry["arm"] == "original"]
    assert original["all"]["rmse"] == pytest.approx(metrics["test/paired_acc/rmse"], rel=1e-4)
    assert original["all"]["mse"] == pytest.approx(metrics["test/paired_acc/mse"], rel=1e-4)
    by_positions = original["all"]["rmse_positions"]
    assert by_positions == pytest.approx(metrics["test/paired_acc_positions/rmse"], rel=1e-4)
    assert by_positions > original["all"]["rmse"]
    for activity, error in original["by_activity"].items():
        assert error["rmse"] == pytest.approx(metrics[f"test/paired_acc/rmse/{activity}"], rel=1e-4)
    for level, error in original["by_level"].items():
        assert error["rmse"] == pytest.approx(metrics[f"test/paired_acc/rmse/t{int(level):02d}"], rel=1e-4)


def test_paired_noise_is_the_same_for_every_arm(weights, cache_dir):
    data = MotionDataModule(["embedded"], mirror=False, cache_dir=str(cache_dir / "motion"))
    data.setup("test")
    batch = next(iter(data.test_dataloader()))
    once, again = (paired_errors(load_prior(weights / "acc.safetensors"), batch) for _ in range(2))
    other = paired_errors(load_prior(weights / "original.safetensors"), batch)
    for space in ("acc_joints", "acc_joints_positions"):
        assert torch.equal(once[space].sums, again[space].sums)
        assert not torch.equal(once[space].sums, other[space].sums)


def test_relative_errors_are_relative_to_what_an_arm_is_compared_with(results):
    by_arm = {entry["arm"]: entry for entry in results["paired"]}
    assert [list(by_arm[arm]["relative_rmse"]) for arm in ARMS] == [[], ["original"], ["continued", "original"]]
    for reference in ("original", "continued"):
        ratio = by_arm["acc"]["all"]["mse"] / by_arm[reference]["all"]["mse"]
        assert by_arm["acc"]["relative_mse"][reference]["mean"] == pytest.approx(ratio - 1)
        assert by_arm["acc"]["relative_rmse"][reference]["mean"] == pytest.approx(ratio**0.5 - 1)


def test_every_activity_stays_in_the_tables(results):
    hapt = [entry for entry in results["distances"] if (entry["set"], entry["arm"]) == ("hapt", "acc")]
    assert {entry["activity"] for entry in hapt} == {"walking", "standing", "sitting", "lying"}
    assert all(entry["wasserstein_m_s2"] is not None for entry in hapt)
    assert {entry["activity"] for entry in results["motions"]} == {"walking", "running", *(e["activity"] for e in hapt)}
    lying = [e for e in results["motions"] if (e["arm"], e["activity"]) == ("mocap", "lying")]
    assert all(entry["trunk_tilt_deg"] > 60 for entry in lying)


def test_provenance_names_versions_weights_and_stages(results):
    origin = results["provenance"]
    assert origin["versions"]["torch"] == torch.__version__
    assert set(origin["weights"]) == set(ARMS)
    assert origin["cards"]["acc"] == {"arm": "acc", "window_s": 4.0}
    assert {entry["stage"] for entry in results["stages"]} >= {
        "generate",
        "simulate",
        "classify",
        "paired",
        "real_windows",
    }


def test_a_second_run_finds_everything_and_a_change_redoes_only_what_it_touches(run, make_config, cache_dir):
    again = run_experiment(make_config(), console=Console(quiet=True))
    assert again == run
    stages = {entry["stage"]: entry for entry in read_results(again)["stages"]}
    assert all(entry["cached"] == entry["tasks"] for entry in stages.values())
    changed = make_config()
    changed.classifiers["forest"] = type(changed.classifiers["forest"])(steps=7)
    outcomes = {task_key(task): task for task in make_plan(changed).tasks()}
    cache = Cache(cache_dir)
    missing = {task.stage for task in outcomes.values() if cache.lookup(task) is None}
    assert missing == {"classify"}


def test_the_cache_notices_other_weights_but_not_other_names(make_config, weights):
    plan = make_plan(make_config())
    same = make_plan(make_config(f"arms.acc.weights={weights / 'continued.safetensors'}"))
    assert task_key(plan.motions["acc", 0]) != task_key(same.motions["acc", 0])
    assert task_key(same.motions["acc", 0]) == task_key(same.motions["continued", 0])


def test_an_arm_may_decode_otherwise_than_the_rest(make_config, results):
    assert {arm["name"]: arm["decoder"] for arm in results["arms"]} == {
        **dict.fromkeys(ARMS, "consistent"), "mocap": None, "real": None
    }  # fmt: skip
    assert describe_decoding(results).endswith("positions and steps together (consistent).")
    plan, mixed = make_plan(make_config()), make_plan(make_config("arms.acc.decoder=positions"))
    changed = {
        arm for (arm, seed), task in plan.motions.items() if task_key(task) != task_key(mixed.motions[arm, seed])
    }
    assert changed == {"acc"}
    assert mixed.motions["acc", 0].config.decoder == "positions"
    everything = make_plan(make_config("generation.decoder=positions", "arms.acc.decoder=consistent"))
    assert task_key(everything.motions["acc", 0]) == task_key(plan.motions["acc", 0])
    assert everything.motions["original", 0].config.decoder == "positions"


def test_motions_are_decoded_as_the_arm_says(tmp_path, make_config):
    for decoder in DECODERS:
        task = make_plan(make_config(f"generation.decoder={decoder}")).motions["original", 0]
        folder = tmp_path / decoder
        folder.mkdir()
        dataclasses.replace(task, activities=("standing",)).run({}, folder)
        assert load_motions(folder, "standing").decoder == decoder
    ours, theirs = (load_motions(tmp_path / decoder, "standing").translation for decoder in DECODERS)
    assert not torch.allclose(ours, theirs, atol=1e-4)


def test_arms_can_be_trained_live_once_for_each_seed_one_from_another(make_config, tmp_path, monkeypatch):
    monkeypatch.setenv("IMUFORGE_RUNS", str(tmp_path))
    config = make_config("arms.retrain=true", "arms.steps=2", "arms.acc.start=continued", f"cache={tmp_path}")
    plan = make_plan(config)
    assert {key for key in plan.paired if key[0] != "original"} == {(a, s) for a in ARMS[1:] for s in (0, 1)}
    assert ("original", None) in plan.paired
    task = plan.motions["acc", 1].checkpoint
    assert task.init_from == plan.motions["continued", 1].checkpoint
    outcomes = Runner(Cache(tmp_path), console=Console(quiet=True)).run([task])
    priors = [load_prior(task.init_from.init_from)]
    priors += [load_prior(outcomes[task_key(trained)].folder / WEIGHTS) for trained in (task.init_from, task)]
    assert all(prior.arguments["width"] == 32 for prior in priors)
    fit = yaml.safe_load((outcomes[task_key(task)].folder / "config.yaml").read_text())
    start = outcomes[task_key(task.init_from)].folder / WEIGHTS
    assert fit["model"]["init_args"]["init_from"] == str(start)
    for before, after in pairwise(priors):
        pairs = zip(after.average.parameters(), before.average.parameters(), strict=True)
        assert any(not torch.equal(a, b) for a, b in pairs)


def test_recorded_crops_differ_by_seed_and_name_their_clips(tmp_path):
    runner = Runner(Cache(tmp_path), console=Console(quiet=True))
    tasks = [Recorded("clips", seed, 5.0, 3, ("lying", "walking")) for seed in (0, 1)]
    outcomes = runner.run(tasks)
    first, second = (load_motions(outcomes[task_key(task)].folder, "lying") for task in tasks)
    assert first.rotations.shape == (3, 100, 22, 3, 3)
    assert not torch.equal(first.rotations, second.rotations)
    clips = json.loads((outcomes[task_key(tasks[0])].folder / "clips.json").read_text())
    assert clips["lying"]["constructed"]
    assert not clips["walking"]["constructed"]


def test_training_windows_are_drawn_without_replacement(run, make_config, cache_dir):
    plan = make_plan(make_config())
    train, _ = load_real(Cache(cache_dir).folder(plan.real["hapt"]))
    drawn = draw_per_class(train, 30, generator=np.random.default_rng(0))
    assert drawn.counts().tolist() == [30] * 4
    assert len(np.unique(drawn.signals.reshape(len(drawn), -1), axis=0)) == 120
    assert draw_per_class(train, None, generator=np.random.default_rng(0)) is train


def test_the_default_configuration_holds():
    config = load_config(DEFAULT_CONFIG)
    assert config.seeds == [0, 1, 2]
    assert [arm for arm, entry in config.arms.items() if entry.kind == "prior"] == [*ARMS, "four_hours"]
    assert {config.reader(name) for name in config.sets} == {"dsads"}
    assert config.sets["dynamic_chest"].classes == ["walking", "running", "jumping", "standing"]
    assert {name: len(config.classifiers_of(name)) for name in config.sets if "dynamic" in name} == {
        "dynamic_chest": 1, "dynamic_right_wrist": 2, "dynamic_right_thigh": 1
    }  # fmt: skip
    for activity, sentences in config.generation.prompts.items():
        assert len(sentences) >= 10, activity
        assert len(set(sentences)) == len(sentences)
        # Who lies down is not lying, and the packaged prior is told the activity that a sentence speaks of.
        assert not [text for text in sentences if "lying down" in text or "lies down" in text]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("generation.secs=3", "unknown key 'generation.secs'.*nearest valid one is 'generation.seconds'"),
        ("sed=[1]", "unknown key 'sed'.*nearest valid one is 'seeds'"),
        ("sets.hapt.rate=3", "unknown key 'sets.hapt.rate'.*'sets.hapt.rate_hz'"),
        ("generation.seconds=soon", "generation.seconds: Value 'soon'"),
        ("sets.hapt.rate_hz=0", "sets.hapt.rate_hz is 0.0, expected > 0"),
        ("generation.prompts.walking=[]", "generation.prompts.walking is \\[\\], expected at least one prompt"),
        ("sets.hapt.placements=[wist]", "unknown placement.*'wist'.*waist"),
        ("sets.hapt.classes=[walking,flying]", "unknown activity.*'flying', expected one of.*walking"),
        ("sets.pamap.classes=[walking]", "unknown data set.*'pamap', expected one of"),
        ("generation.sampler=euler", "sampler 'euler' is unknown, must be one of"),
        ("generation.decoder=steps", "unknown decoder in generation.decoder 'steps', expected one of"),
        ("arms.acc.decoder=steps", "unknown decoder in arms.acc.decoder 'steps', expected one of"),
        ("arms.acc.sampler=dmp++", "arms.acc: sampler 'dmp.*' is unknown"),
        ("arms.acc.guidance=-1", "arms.acc: guidance is -1.0, expected 1"),
        ("generation.guidance=.nan", "generation: guidance is nan, expected 1"),
        ("generation.steps=0", "generation.steps is 0, expected at least 1, or null"),
        ("arms.real.steps=5", "arms.real.steps is 5, but nothing is generated for this arm"),
        ("arms.mocap.decoder=positions", "arms.mocap.decoder is 'positions', but nothing is generated for this arm"),
        ("simulation.errors=bmi", "unknown sensor preset 'bmi'"),
        ("classifiers.lstm.steps=3", "unknown classifier.*'lstm'.*'deepconvlstm'"),
        ("arms.acc.weights=nowhere.safetensors", "weights nowhere.safetensors not found"),
        (
            "paired.motion_root=nowhere",
            "motion source 'nowhere' is not a folder; give the folder of a motion collection",
        ),
        ("seeds=[]", "seeds are \\[\\], expected at least one"),
        ("nonsense", "not of the form key=value"),
    ],
)
def test_bad_input_is_one_line_and_code_2(layered, overrides, override, message, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main([*layered, *overrides, override])
    error = capsys.readouterr().err
    assert exit_info.value.code == 2
    assert len(error.splitlines()) == 1
    assert re.search(message, error), error


def test_a_missing_configuration_is_named(capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["-c", "absent.yaml"])
    assert exit_info.value.code == 2
    assert "configuration absent.yaml not found" in capsys.readouterr().err
