"""har_eval on PAMAP2 and RealWorld 2016 as they are published: one person left out, two sites worn at once."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from rich.console import Console

from experiments.har_eval.checks import load_config
from experiments.har_eval.command import run_experiment
from experiments.har_eval.results import HarEvalResults, read_results
from sim.conventions import STANDARD_GRAVITY
from tests.cc0_as_smpl import cc0_as_smpl

PAGE = Path(__file__).resolve().parents[3] / "docs" / "cookbook" / "published_sets.md"
PEOPLE = ("1", "2", "3")
SECONDS = 12
SHAKING = {"standing": 0.1, "walking": 2.0}
PAMAP2_CODES = {"standing": 3, "walking": 4}
UNITS = (3, 20, 37)


def readings(rate_hz: float, activity: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, accelerometer [m/s^2] and gyroscope [rad/s] of a box whose x is up and that shakes at two hertz."""
    time_s = np.arange(round(SECONDS * rate_hz)) / rate_hz
    noise = np.random.default_rng(seed).normal(size=(len(time_s), 6)) * 0.05
    wave = SHAKING[activity] * np.sin(4 * np.pi * time_s + seed)
    accel = np.stack([STANDARD_GRAVITY + wave, 0.3 * wave, 0.2 * wave], axis=1)
    return time_s, accel + noise[:, :3], 0.3 * (accel - [STANDARD_GRAVITY, 0, 0]) + noise[:, 3:]


def write_pamap2(root: Path) -> Path:
    """``Protocol/subject10N.dat``: 54 columns with time stamps, activity numbers, three units; NaN between packets."""
    folder = root / "PAMAP2_Dataset" / "Protocol"
    folder.mkdir(parents=True)
    for person in PEOPLE:
        rows = []
        for turn, (activity, code) in enumerate(PAMAP2_CODES.items()):
            time_s, _, _ = readings(100.0, activity, 0)
            block = np.full((len(time_s), 54), np.nan)
            block[:, 0], block[:, 1] = time_s + 20 * turn, code
            for site, unit in enumerate(UNITS):
                _, accel, gyro = readings(100.0, activity, 10 * int(person) + site)
                block[:, unit + 1 : unit + 4], block[:, unit + 7 : unit + 10] = accel, gyro
            rows.append(block)
        np.savetxt(folder / f"subject10{person}.dat", np.concatenate(rows), fmt="%.5f")
    return root


def write_realworld(root: Path) -> Path:
    """``probandN/data/acc_walking_csv.zip`` with ``acc_walking_waist.csv``: ids, milliseconds, three axes."""
    for person in PEOPLE:
        folder = root / f"proband{person}" / "data"
        folder.mkdir(parents=True)
        for activity in SHAKING:
            for kind, name in (("acc", "acc"), ("gyr", "Gyroscope")):
                packed = io.BytesIO()
                with zipfile.ZipFile(packed, "w") as archive:
                    for site, position in enumerate(("waist", "thigh", "chest")):
                        time_s, accel, gyro = readings(50.0, activity, 10 * int(person) + site)
                        values = accel if kind == "acc" else gyro
                        lines = ["id,attr_time,attr_x,attr_y,attr_z"] + [
                            f"{row},{round(1435000000000 + 1000 * time)},{','.join(f'{one:.6f}' for one in value)}"
                            for row, (time, value) in enumerate(zip(time_s, values, strict=True), 1)
                        ]
                        archive.writestr(f"{name}_{activity}_{position}.csv", "\n".join(lines) + "\n")
                (folder / f"{kind}_{activity}_csv.zip").write_bytes(packed.getvalue())
    return root


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("sets")
    return {"pamap2": write_pamap2(root / "p"), "realworld2016": write_realworld(root / "r")}


def write_experiment(path: Path, sets: dict[str, Path], cache_dir: Path) -> Path:
    """The page's YAML, without the prior and the network, at its smallest."""
    experiment = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1])
    experiment["arms"].pop("prior")
    experiment.pop("primary")
    experiment |= {
        "seeds": [0],
        "generation": {"motions_per_activity": 2, "seconds": 4.0},
        "simulation": {"repeats": 1, "mountings": 1},
        "roots": {name: str(root) for name, root in sets.items()},
        "classifiers": {"forest": {}},
        "resamples": 20,
        "processes": 1,
        "cache": str(cache_dir),
        "output": str(path.parent / "runs"),
    }
    path.write_text(yaml.safe_dump(experiment, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def experiment(sets: dict[str, Path], cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_experiment(tmp_path_factory.mktemp("published") / "mine.yaml", sets, cache_dir)


def run(experiment: Path, *overrides: str) -> HarEvalResults:
    return read_results(run_experiment(load_config(experiment, list(overrides)), console=Console(quiet=True)))


def test_two_sites_are_worn_at_once_and_everybody_is_left_out_once(experiment: Path) -> None:
    config = load_config(experiment)
    assert config.simulation.errors.preset == "smartphone"
    assert config.sets["realworld2016"].errors == replace(config.simulation.errors, preset="bmi270")
    results = run(experiment)
    found = {entry["name"]: entry for entry in results["sets"]}
    assert {name: len(entry["channels"]) for name, entry in found.items()} == {"pamap2": 12, "realworld2016": 12}
    assert found["pamap2"]["channels"][:6:3] == ["right_wrist.accel_x", "right_wrist.gyro_x"]
    assert all(entry["together"] for entry in found.values())
    for entry in results["scores"]:
        people = set(found[entry["set"]]["test_subjects"])
        assert len(people) == 3
        assert set(entry["confusion_by_subject"]) == people
    real = {entry["set"]: entry["macro_f1"] for entry in results["scores"] if entry["arm"] == "real"}
    assert real == {"pamap2": 1.0, "realworld2016": 1.0}  # shaking is shaking, whoever wears the sensor


def test_the_page_itself_is_sound(sets: dict[str, Path], tmp_path: Path) -> None:
    said = re.search(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert said is not None
    (tmp_path / "mine.yaml").write_text(said[1], encoding="utf-8")
    config = load_config(tmp_path / "mine.yaml", [f"roots.{name}={root}" for name, root in sets.items()])
    assert (
        list(config.sets["realworld2016"].worn) == config.sets["realworld2016"].recorded_at == ["waist", "left_thigh"]
    )


def test_one_fold_and_named_people_are_tested_alone(experiment: Path, sets: dict[str, Path]) -> None:
    one = "sets.pamap2=null"
    results = run(experiment, one, "sets.realworld2016.fold=1")
    assert {tuple(entry["confusion_by_subject"]) for entry in results["scores"]} == {("2",)}
    named = ["sets.realworld2016.split=subjects", "sets.realworld2016.test_people=['3','1']"]
    results = run(experiment, one, *named)
    assert {tuple(sorted(entry["confusion_by_subject"])) for entry in results["scores"]} == {("1", "3")}
    assert results["sets"][0]["train_subjects"] == ["2"]


def test_another_body_wears_the_sensors(experiment: Path, tmp_path: Path) -> None:
    model = tmp_path / "SMPL_NEUTRAL.npz"
    cc0_as_smpl(model)
    config = load_config(experiment, ["sets.pamap2=null", f"body={model}"])
    assert config.simulation.body == str(model)
    results = run(experiment, "sets.pamap2=null", f"body={model}")
    assert {entry["arm"] for entry in results["scores"]} == {"clips", "real"}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sets.pamap2.fold=7", None),
        ("sets.pamap2.fold=-1", "fold is -1, expected 0 or more"),
        ("sets.pamap2.split=subjects", r"test_people are \[\] and split subjects, expected people"),
        ("sets.pamap2.test_people=['101']", "and split loso, expected people where split: subjects"),
        ("sets.pamap2.split=official", "pamap2 has no official split"),
        ("body=nowhere.npz", r"simulation\.body: .*nowhere\.npz"),
        ("sensor_errors=smartfone", r"simulation\.errors: .*'smartfone'.*did you mean 'smartphone'"),
        ("sets.pamap2.sensor_errors=xsense", r"sets\.pamap2\.errors: unknown"),
        ("roots.pamap2=nowhere", r"sets\.pamap2: .*PAMAP2.*roots\.pamap2=PATH"),
        ("sets.pamap2.recorded_at=[waist,chest]", r"worn are .*expected the same names in the same order"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(experiment: Path, override: str, message: str | None) -> None:
    if message is None:  # how many people there are only the files say; reading them is the first thing that is done
        with pytest.raises(Exception, match="fold is 7, expected 0 to 2"):
            run(experiment, override)
        return
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        load_config(experiment, [override])
    assert re.search(message, str(error.value)), str(error.value)


def test_the_shared_words_go_before_a_parts_own(experiment: Path) -> None:
    config = load_config(experiment, ["sensor_errors={preset: bmi270, accel: {noise_density: 0.004}}"])
    assert (config.simulation.errors.preset, config.simulation.errors.accel) == ("bmi270", {"noise_density": 0.004})
