"""Layers over the main experiment: each can be run, alone and as `make har-eval-full` combines them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from experiments.har_eval.checks import DEFAULT_CONFIG, load_config
from experiments.har_eval.command import main
from experiments.har_eval.config import HarEvalConfig
from experiments.har_eval.plan import make_plan
from experiments.har_eval.stages.generate import Generate
from experiments.pipeline.tasks import task_key
from lightning_modules.weights import find_weights

ROOT = Path(__file__).resolve().parents[3]
LAYERS = {path.stem: path for path in sorted((ROOT / "experiments" / "har_eval" / "layers").glob("*.yaml"))}


def lay(*names: str, over: tuple[str, ...] = ()) -> HarEvalConfig:
    return load_config([DEFAULT_CONFIG, *(LAYERS[name] for name in names)], over)


@pytest.fixture
def baselines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Weights where `make baselines` leaves them; what is in them does not matter to a plan."""
    monkeypatch.setenv("IMUFORGE_RUNS", str(tmp_path))
    (tmp_path / "weights").mkdir()
    for name in ("motiondiffuse", "latent_diffusion"):
        shutil.copy(find_weights("detail"), tmp_path / "weights" / f"{name}.safetensors")


@pytest.mark.usefixtures("baselines")
def test_every_layer_says_how_it_is_run_and_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMUFORGE_MOCAP", raising=False)
    assert len(LAYERS) >= 8
    for name, path in LAYERS.items():
        command = re.sub(r"\\\n#", "", path.read_text(encoding="utf-8"))
        files = re.findall(r"-c (\S+\.yaml)", command)
        assert files[0] == "experiments/har_eval.yaml", name
        assert files[-1] == path.relative_to(ROOT).as_posix(), name
        plan = make_plan(load_config([ROOT / file for file in files]))
        assert plan.classify, name


def test_sets_with_one_sensor_share_virtual_windows() -> None:
    plan = make_plan(lay())
    keys = {name: task_key(plan.windows["original", name, 0]) for name in lay().sets}
    assert len(set(keys.values())) == 3
    assert keys["dynamic_chest"] == keys["six_chest"] == keys["postures_chest"] != keys["six_right_wrist"]
    shared = plan.windows["original", "dynamic_chest", 0]
    assert set(shared.activities) == {"walking", "running", "jumping", "standing", "sitting", "lying_on_back"}


@pytest.mark.usefixtures("baselines")
def test_baselines_are_sampled_as_they_were_made_for() -> None:
    plan = make_plan(lay("baselines"))
    assert {
        arm: (task.config.sampler, task.config.steps)
        for (arm, _), task in plan.motions.items()
        if isinstance(task, Generate)
    } == {"four_hours": ("dpm++", 20), "motion_diffuse": ("ddim", 50), "latent_diffusion": ("ddim", 50)}


def test_baselines_that_were_not_trained_are_missed_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IMUFORGE_RUNS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"arms\.motion_diffuse: .*motiondiffuse\.safetensors"):
        lay("baselines")


def test_stairs_are_asked_of_arms_that_know_them_alone() -> None:
    config = lay("stairs")
    assert [arm for arm, entry in config.arms.items() if entry.kind == "prior"] == ["four_hours"]
    for entry in config.sets.values():
        assert {"stairs_up", "stairs_down"} <= set(entry.classes)
        assert set(entry.label_map.values()) == {"stairs_up", "stairs_down"}
    assert len(config.generation.prompts["stairs_up"]) >= 10


def test_a_device_of_its_own_belongs_to_a_set() -> None:
    config = lay("hapt")
    plan = make_plan(config)
    presets = {
        name: (task.sensor.errors or task.config.errors).preset
        for (arm, name, seed), task in plan.windows.items()
        if (arm, seed) == ("original", 0)
    }
    assert presets["hapt"] == "smartphone"
    assert {preset for name, preset in presets.items() if name != "hapt"} == {"none"}


def test_mixed_arms_share_what_is_simulated_and_differ_in_people() -> None:
    plan = make_plan(lay("mixed"))
    arms = ("four_hours", "mixed_1", "mixed_2", "mixed_4")
    assert len({task_key(plan.windows[arm, "dynamic_chest", 0]) for arm in arms}) == 1
    assert [plan.classify[arm, "dynamic_chest", "forest", 0].people for arm in arms] == [None, 1, 2, 4]
    assert len({task_key(plan.classify[arm, "dynamic_chest", "forest", 0]) for arm in arms}) == 4
    alone = plan.classify["real_2", "dynamic_chest", "forest", 0]
    assert (alone.virtual, alone.people) == (None, 2)


def test_calibrated_arms_stand_beside_the_same_without() -> None:
    plan = make_plan(lay("calibrated"))
    assert task_key(plan.windows["mapped", "six_chest", 0]) == task_key(plan.windows["four_hours", "six_chest", 0])
    parts = [plan.classify[arm, "six_chest", "forest", 0].calibrate for arm in ("four_hours", "turned", "mapped")]
    assert parts == [(), ("turn",), ("turn", "quantiles")]
    assert all(not entry.calibrate for entry in lay().arms.values())


def test_full_takes_five_seeds_and_every_classifier() -> None:
    config = lay("full", "controls", "hapt", "basic_motions")
    assert config.seeds == [0, 1, 2, 3, 4]
    assert {len(config.classifiers_of(name)) for name in config.sets} == {3}
    assert {"smoothed", "original_positions", "original_again"} <= {*config.arms}


def test_a_dry_run_counts_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = [f"cache={tmp_path / 'cache'}", f"output={tmp_path / 'runs'}"]
    assert main(["-c", str(DEFAULT_CONFIG), "-c", str(LAYERS["mixed"]), "--dry-run", *places]) == 0
    said = capsys.readouterr().err
    assert "8 arms, 3 sets, seeds [0, 1, 2]" in said
    assert re.search(r"generating motions\s+3\s+0", said)
    assert re.search(r"training classifiers\s+96\s+0", said)  # 8 arms, 4 of set and classifier, 3 seeds
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("baselines")
@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make on this machine")
def test_make_har_eval_full_lays_what_there_is(tmp_path: Path) -> None:
    """The target, run with a Python that prints its arguments."""
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text('#!/bin/sh\necho "run $IMUFORGE_MOCAP $*"\n')
    python.chmod(0o755)
    stamp = tmp_path / ".imuforge-installed"
    stamp.touch()
    common = [f"VENV={tmp_path}", f"MOCAP={tmp_path}", "ARGS=--dry-run", "-o", str(stamp)]
    ran = {
        weights: subprocess.run(
            ["make", "har-eval-full", f"WEIGHTS={weights}", *common],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for weights in (tmp_path, tmp_path / "weights")
    }
    assert "baselines.yaml" not in ran[tmp_path]
    lines = [line for line in ran[tmp_path / "weights"].splitlines() if line.startswith("run ")]
    assert len(lines) == 11
    for line in lines:
        assert line.startswith(f"run {tmp_path} -m experiments.har_eval -c experiments/har_eval.yaml")
        assert line.endswith("--dry-run")
        files = re.findall(r"-c (\S+)", line)
        assert files[1] == "experiments/har_eval/layers/full.yaml"
        make_plan(load_config([ROOT / file for file in files]))
    assert {Path(file).stem for line in lines for file in re.findall(r"-c (\S+)", line)} == {"har_eval", *LAYERS}


@pytest.mark.parametrize(
    ("layers", "override", "message"),
    [
        ((), "arms.four_hours.smooth_hz=12", r"arms\.four_hours\.smooth_hz: cutoff_hz is 12\.0, expected .* 10 Hz"),
        ((), "arms.real.smooth_hz=4", r"arms\.real\.smooth_hz is 4, but real people's data stay as they are"),
        ((), "arms.mocap.draw=1", r"arms\.mocap\.draw is 1, expected 0 or, for a prior"),
        ((), "arms.real.people=0", r"arms\.real\.people is 0, expected at least 1, or null"),
        ((), "arms.acc.people=-1", r"arms\.acc\.people is -1, expected at least 0"),
        ((), "arms.acc.protocol=mixt", r"unknown protocol in arms\.acc\.protocol 'mixt'.*did you mean mixed"),
        ((), "arms.acc.protocol=pretrain_then_finetune", r"expected virtual sensors and people to train on after them"),
        (
            ("mixed",),
            "arms.mixed_1.protocol=pretrain_then_finetune",
            r"which a forest cannot do; .*classifiers\.forest",
        ),
        ((), "arms.others={generated: nowhere}", r"generated: 'nowhere' and licence: '', expected both or neither"),
        (
            (),
            "arms.others={generated: nowhere, licence: CC0}",
            r"arms\.others: motion source 'nowhere' is not a folder",
        ),
        ((), "arms.acc.licence=CC0", r"arms\.acc has generated: None and licence: 'CC0', expected both or neither"),
        ((), "sets.six_chest.classifiers=[forrest]", r"unknown classifier in sets\.six_chest\.classifiers 'forrest'"),
        ((), "sets.six_chest.errors=xsns", r"sets\.six_chest\.errors: unknown sensor preset 'xsns'"),
        (("basic_motions",), "arms.real.people=1", r"basic_motions does not say who wore the sensors, so arms\.real"),
        ((), "arms.acc.calibrate=[quantile]", r"unknown calibration in arms\.acc\.calibrate 'quantile'.*quantiles"),
        ((), "arms.real.calibrate=[turn]", r"arms\.real\.calibrate is \['turn'\], but real people's data stay"),
        (
            ("basic_motions",),
            "arms.acc.calibrate=[turn]",
            r"sets\.basic_motions does not keep people apart, so arms\.acc",
        ),
        (("calibrated",), "sets.six_chest.channels=[gyro]", r"holds turn, which gravity tells, but .*are \['gyro'\]"),
        (
            ("calibrated",),
            ["arms.turned.calibrate=[quantiles]", "sets.six_chest.mounting=axis_permutations"],
            r"arms\.turned\.calibrate is \['quantiles'\], but the axes of sets\.six_chest are unknown",
        ),
        (
            ("trts",),
            "comparisons=[{arm: mocap_tested, against: mocap}]",
            r"'mocap_tested' is tested on virtual sensors",
        ),
        ((), "arms.real.protocol=trts", r"arms\.real\.protocol is trts, expected virtual sensors to test on"),
        (("trts",), "arms.mocap_tested.calibrate=[turn]", r"calibrate is \['turn'\] beside protocol: trts"),
        ((), "sets.six_chest.split=kfold", r"sets\.six_chest: folds is None and split kfold, expected folds: N"),
        (("kfold",), "sets.six_chest.folds=1", r"sets\.six_chest: folds is 1, expected at least 2 groups"),
        ((), "sets.six_chest.folds=3", r"sets\.six_chest: folds is 3 and split loso"),
        (
            ("worn_together",),
            "sets.six_together.recorded_at=[right_wrist,chest,right_thigh]",
            r"sets\.six_together\.worn are \['chest', 'right_wrist', 'right_thigh'\].*expected the same names",
        ),
        (
            ("worn_together",),
            "sets.six_together.mounting=axis_permutations",
            r"sets\.six_together\.worn\.chest is axis_permutations, expected known axes",
        ),
        (
            ("worn_together",),
            "sets.six_together.worn.chest.mounting=x_sideways",
            r"sets\.six_together\.worn\.chest\.mounting: .*x_sideways",
        ),
        ((), "arms.acc.augment={jitter: 0.1}", r"arms\.acc\.augment is .*jitter=0\.1.*of an arm of real_people"),
        ((), "arms.real.augment={}", r"arms\.real\.augment is .*expected one strength above 0"),
        ((), "arms.real.augment={jitter: -1}", r"augment\.jitter is -1\.0, expected >= 0"),
        ((), "generation.prompts.walking=[packaged/wlking]", r"packaged sentences in prompts\.walking 'wlking'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    layers: tuple[str, ...], override: str | list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [word for path in (DEFAULT_CONFIG, *(LAYERS[name] for name in layers)) for word in ("-c", str(path))]
    with pytest.raises(SystemExit) as left:
        main([*files, *([override] if isinstance(override, str) else override)])
    error = capsys.readouterr().err
    assert left.value.code == 2
    assert len(error.splitlines()) == 1
    assert re.search(message, error), error
