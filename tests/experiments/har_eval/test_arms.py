"""Arms, what is compared and the device's errors are said in YAML alone: names of one's own change nothing else."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from experiments.har_eval.checks import DEFAULT_CONFIG, load_config
from experiments.har_eval.command import main, run_experiment
from experiments.har_eval.config import HarEvalConfig
from experiments.har_eval.plan import make_plan
from experiments.har_eval.report.text import state_findings
from experiments.har_eval.results import REPORT, HarEvalResults, read_results
from experiments.pipeline.tasks import task_key
from sim.sensor_errors import SensorErrors

ROOT = Path(__file__).resolve().parents[3]
NEW_NAMES = {"original": "base", "acc": "refined", "mocap": "clips", "real": "people"}


def rename(values: object) -> object:
    """Return the content of a YAML with every arm called otherwise, wherever its name stands by itself."""
    if isinstance(values, dict):
        return {NEW_NAMES.get(key, key): value if key == "weights" else rename(value) for key, value in values.items()}
    if isinstance(values, list):
        return [rename(value) for value in values]
    return NEW_NAMES.get(values, values) if isinstance(values, str) else values


@pytest.fixture(scope="module")
def renamed(make_config, weights: Path, sizes: list[str], tmp_path_factory: pytest.TempPathFactory) -> HarEvalResults:
    """Results of the same experiment with other names."""
    content = yaml.safe_load(DEFAULT_CONFIG.read_text(encoding="utf-8"))
    content |= {key: rename(content[key]) for key in ("arms", "primary", "comparisons")}
    for arm in ("original", "continued", "acc"):
        content["arms"][NEW_NAMES.get(arm, arm)]["weights"] = str(weights / f"{arm}.safetensors")
    path = tmp_path_factory.mktemp("renamed") / "renamed.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    config = make_config(path=path, instead_of=["arms.four_hours=null", *sizes])
    folder = run_experiment(config, console=Console(quiet=True))
    assert (folder / REPORT).stat().st_size > 100_000
    return read_results(folder)


def test_other_names_give_the_same_numbers(run: Path, renamed: HarEvalResults) -> None:
    shipped = read_results(run)

    def with_new_names(entries: list[dict[str, object]]) -> list[dict[str, object]]:
        turned = [{key: NEW_NAMES.get(str(value), value) for key, value in entry.items()} for entry in entries]
        for entry in turned:
            for key in ("relative_rmse", "relative_mse"):
                if key in entry:
                    entry[key] = {NEW_NAMES.get(name, name): value for name, value in entry[key].items()}
        return turned

    for part in ("scores", "summaries", "comparisons", "paired", "distances", "motions"):
        assert renamed[part] == with_new_names(shipped[part]), part
    assert len(renamed["comparisons"]) == 3 * 3
    assert renamed["id"] != shipped["id"]


def test_the_main_comparison_keeps_its_place_under_another_name(renamed: HarEvalResults) -> None:
    first = renamed["comparisons"][0]
    assert (first["arm"], first["against"], first["primary"]) == ("refined", "continued", True)
    assert [entry["primary"] for entry in renamed["comparisons"][3:]] == [False] * 6
    findings = state_findings(renamed)
    assert findings[0].startswith("hapt: training on refined rather than its matched control (continued) changes")
    told = " ".join(findings)
    assert "Paired acceleration error of refined" in told
    assert "real people (ceiling)" in told
    assert not re.search(r"\b(acc|original|mocap)\b", told)


def test_two_arms_with_the_same_weights_differ_by_nothing(make_config, weights: Path, tmp_path: Path) -> None:
    config = make_config(
        f"arms.twin.weights={weights / 'acc.safetensors'}",
        "comparisons=[{arm: twin, against: acc}]",
        f"output={tmp_path}",
    )
    results = read_results(run_experiment(config, console=Console(quiet=True)))
    twin = [entry for entry in results["comparisons"] if entry["arm"] == "twin"]
    assert len(twin) == 3
    assert all(entry["absolute"] == {"mean": 0.0, "low": 0.0, "high": 0.0} for entry in twin)
    assert [entry["relative_rmse"]["acc"]["mean"] for entry in results["paired"] if entry["arm"] == "twin"] == [0.0]
    assert {entry["arm"] for entry in results["scores"]} == {*config.arms}


def test_an_arm_is_left_out_by_null_and_the_rest_stays(make_config) -> None:
    plan = make_plan(make_config("arms.mocap=null", "arms.real=null"))
    assert {arm for arm, *_ in plan.classify} == {"original", "continued", "acc"}
    assert {arm for arm, _ in plan.motions} == {"original", "continued", "acc"}


def test_the_older_form_of_overrides_is_understood(make_config, weights: Path) -> None:
    other = weights / "continued.safetensors"
    with pytest.warns(FutureWarning, match=r"arms.checkpoints.acc is an older form; write arms.acc.weights="):
        older = make_config(f"arms.checkpoints.acc={other}", "arms.retrain=true", "arms.steps=3", "arms.mocap=false")
    newer = make_config(
        f"arms.acc.weights={other}", "fine_tuning.retrain=true", "fine_tuning.steps=3", "arms.mocap=null"
    )
    assert older == newer
    assert [older.trains(arm) for arm in older.arms] == [False, True, True, False]


def test_the_yaml_of_a_trained_arm_may_be_the_packaged_one(
    make_config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    task = make_plan(make_config("arms.retrain=true")).motions["acc", 0].checkpoint
    assert task.config == ROOT / "experiments" / "finetune_acc.yaml"


def test_the_older_form_of_a_file_is_refused_with_the_new_one(tmp_path: Path) -> None:
    content = yaml.safe_load(DEFAULT_CONFIG.read_text(encoding="utf-8"))
    content["arms"] = {"checkpoints": {"base": "prior"}, "retrain": False, "mocap": None}
    path = tmp_path / "older.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ValueError, match=r"arms.checkpoints is an older form; .* arms: \{base: \{weights: prior\}\}"):
        load_config(path)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["primary.arm=ac"], "unknown arm in primary.arm 'ac', expected one of .*did you mean acc"),
        (["arms.acc=null"], "unknown arm in primary.arm 'acc'"),
        (["comparisons=[{arm: acc, against: prior}]"], r"unknown arm in comparisons\[0\].against 'prior'"),
        (["comparisons=[{arm: acc}]"], r"unknown arm in comparisons\[0\].against ''"),
        (["comparisons=[{arm: acc, against: acc}]"], "compares 'acc' with itself"),
        (["comparisons=[{arm: acc, against: continued}]"], "as one before it does; leave one out"),
        (["arms.acc.weights=nowhere.ckpt"], "arms.acc: weights nowhere.ckpt not found"),
        (["arms.mine={title: mine}"], "arms.mine names nothing to train on, expected one of .*weights"),
        (["arms.acc.recorded=true"], "arms.acc names weights and config and recorded, expected one of them"),
        (["arms.real.recorded=true"], "arms.real names recorded and real_people, expected one"),
        (["arms.mocap=true"], "arms.mocap is True, expected what it is trained on, such as {weights: FILE}"),
        (["arms.acc.start=orignal"], "unknown arm in arms.acc.start 'orignal'.*did you mean original"),
        (["arms.acc.start=mocap"], "arms.acc.start is 'mocap', which has no weights"),
        (["arms.acc.start=null"], "arms.acc names a config but no start"),
        (["arms.acc.config=null"], "arms.acc names a start but no config"),
        (
            ["arms.original.start=acc", "arms.original.config=experiments/finetune_acc.yaml"],
            "start from one another in a circle: original <- acc <- original",
        ),
        (["arms.acc.start=acc"], "in a circle: acc <- acc"),
        (["arms.acc.colour=orange"], "arms.acc.colour is 'orange', expected six hexadecimal digits"),
        (["arms.acc.wieghts=acc"], "unknown key 'arms.acc.wieghts'.*nearest valid one is 'arms.acc.weights'"),
        (["arms.checkpoints.ac=prior"], "unknown arm in arms.checkpoints 'ac'.*did you mean acc"),
        (["arms.retrain=true", "arms.acc.config=no.yaml"], "arms.acc: configuration no.yaml not found"),
        (["arms.retrain=true", "arms.steps=0"], "fine_tuning.steps is 0, expected at least 1"),
        (
            ["arms.retrain=true", "arms.acc.config=null", "arms.acc.start=null"],
            "primary compares 'acc', whose weights are one file, with 'continued', which is trained here",
        ),
        (["simulation.errors=smartfone"], "simulation.errors: unknown sensor preset 'smartfone'"),
        (["simulation.errors.acel.bias_std=1"], "unknown key 'simulation.errors.acel'.*'simulation.errors.accel'"),
        (["simulation.errors.gyro.bias=1"], "simulation.errors: unknown figure of gyro 'bias'.*did you mean bias_std"),
        (["simulation.errors.accel.bias_std=-1"], "simulation.errors: accel.bias_std is -1.0, expected >= 0"),
        (["simulation.errors.timing.fill=zero"], "simulation.errors: timing.fill is 'zero', expected one of"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_before_any_work(
    overrides: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as leaving:
        main([*overrides, f"cache={tmp_path / 'cache'}", f"output={tmp_path / 'runs'}"])
    error = capsys.readouterr().err
    assert leaving.value.code == 2
    assert len(error.splitlines()) == 1
    assert re.search(message, error), error
    assert not list(tmp_path.iterdir())


def test_sensor_errors_come_from_figures(make_config) -> None:
    config: HarEvalConfig = make_config(
        "simulation.errors.preset=smartphone",
        "simulation.errors.accel.noise_density=0.02",
        "simulation.errors.gyro={bias_std: 0.03, low_pass_hz: 20}",
        "simulation.errors.timing={drop_rate: 0, jitter_std_s: 0.001, fill: nan}",
    )
    phone = SensorErrors.preset("smartphone")
    by_hand = SensorErrors(
        accel=dataclasses.replace(phone.accel, noise_density=0.02),
        gyro=dataclasses.replace(phone.gyro, bias_std=0.03, low_pass_hz=20.0),
        timing=dataclasses.replace(phone.timing, jitter_std_s=0.001, fill="nan"),
    )
    assert config.simulation.errors.make() == by_hand
    assert make_config("simulation.errors=bmi270").simulation.errors.make() == SensorErrors.preset("bmi270")


def test_a_figure_changes_what_is_simulated_and_nothing_before(make_config) -> None:
    plans = [make_plan(make_config(*more)) for more in ((), ("simulation.errors.accel.noise_density=0.02",))]
    simulated, classified = (
        [{task_key(task) for task in group.values()} for group in groups]
        for groups in ([plan.windows for plan in plans], [plan.classify for plan in plans])
    )
    assert not simulated[0] & simulated[1]
    assert {task_key(task) for task in plans[0].motions.values()} == {
        task_key(task) for task in plans[1].motions.values()
    }
    # The ceiling knows no virtual sensors.
    of_people = {task_key(task) for (arm, *_), task in plans[0].classify.items() if arm == "real"}
    assert classified[0] & classified[1] == of_people


def names_in(text: str, names: set[str]) -> set[str]:
    """Return the names that a string is, or is put together from, as ``arms.acc`` is; prose may use the words."""
    return names & set(re.split(r"[^a-z_]+", text)) if " " not in text.strip() else set()


def test_no_arm_of_the_shipped_yaml_is_named_in_code() -> None:
    names = {*yaml.safe_load(DEFAULT_CONFIG.read_text(encoding="utf-8"))["arms"]}
    assert names >= {"original", "continued", "acc", "mocap", "real"}
    assert names_in("arms.acc", names) == {"acc"}
    found = []
    for folder in ("har_eval", "arms"):
        for path in sorted((ROOT / "experiments" / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                said = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
                found += [f"{path.name}:{node.lineno}: {name}" for name in names_in(said, names)]
    assert not found


def test_results_say_what_the_yaml_said_of_the_arms(run: Path) -> None:
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    shipped = yaml.safe_load(DEFAULT_CONFIG.read_text(encoding="utf-8"))["arms"]
    del shipped["four_hours"]  # which the run leaves out
    assert [arm["name"] for arm in results["arms"]] == list(shipped)
    for arm in results["arms"]:
        assert arm["colour"] == shipped[arm["name"]]["colour"]
        assert arm["start"] == shipped[arm["name"]].get("start")
        assert arm["title"] == shipped[arm["name"]].get("title", "")
        assert not arm["trained_here"]
    assert [arm["kind"] for arm in results["arms"]] == ["prior"] * 3 + ["recorded", "real_people"]
