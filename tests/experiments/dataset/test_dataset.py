"""imuforge dataset: what is written, who reads it back, and what a kill, another shard or another YAML does to it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

import imuforge
from datamodules import load_recordings
from datamodules.har import RealIMUDataModule
from experiments.cli import main
from experiments.dataset.command import make_dataset, read_shard
from experiments.dataset.describe import describe_dataset
from experiments.dataset.make import MakePart
from experiments.dataset.motions import MakeMotions
from sim import Motion

from .conftest import SMALL, SPEC

CLASSES = ["walking", "sitting", "lying"]


def make(out: Path, *more: str, shard: str | None = None, processes: int = 1) -> list[str]:
    quiet = Console(quiet=True)
    return make_dataset(
        SPEC, out, overrides=[*SMALL, *more], shard=shard, processes=processes, device="cpu", console=quiet
    )


def test_recordings_and_windows_hold_the_same_readings(made: Path) -> None:
    table = pd.read_parquet(made / "recordings")
    assert set(table["label"]) == set(CLASSES)
    assert table["recording"].nunique() == 12
    windows = pd.read_parquet(made / "windows")
    assert len(windows) == 24  # 198 samples hold two windows of 128 that overlap by half
    first = windows.iloc[0]
    whole = table[table["recording"] == first["recording"]]
    assert whole["time_s"].to_numpy() == pytest.approx(np.arange(198) / 50)
    for site in ("left_wrist", "right_thigh"):
        for channel in ("accel_x", "gyro_z"):
            np.testing.assert_array_equal(first[f"{site}.{channel}"], whole[f"{site}_{channel}"].to_numpy()[:128])


def test_one_line_gives_arrays_for_scikit_learn(made: Path) -> None:
    x, y, groups = imuforge.load_dataset(made)
    assert x.shape == (24, 128, 12)
    assert x.dtype == np.float32
    sides = {side: set(imuforge.load_dataset(made, side).groups) for side in ("train", "val", "test")}
    assert sum(map(len, sides.values())) == len(set(groups)) == 4
    _, numbers, _ = imuforge.load_dataset(made, numbers=True)
    assert [CLASSES[number] for number in numbers] == y.tolist()

    ensemble = pytest.importorskip("sklearn.ensemble")
    means = np.stack([x.mean(axis=1), x.std(axis=1)], axis=1).reshape(len(x), -1)
    forest = ensemble.RandomForestClassifier(random_state=0).fit(means[groups != groups[0]], y[groups != groups[0]])
    assert forest.score(means[groups == groups[0]], y[groups == groups[0]]) >= 2 / 3


def test_aeon_takes_the_arrays(made: Path) -> None:
    rocket = pytest.importorskip("aeon.classification.convolution_based")
    x, y, _ = imuforge.load_dataset(made)
    classifier = rocket.RocketClassifier(n_kernels=50, random_state=0).fit(x.transpose(0, 2, 1), y)
    assert set(classifier.predict(x.transpose(0, 2, 1))) <= set(CLASSES)


def test_sktime_takes_the_arrays(made: Path) -> None:
    summary = pytest.importorskip("sktime.transformations.panel.rocket")
    x, _, _ = imuforge.load_dataset(made)
    assert len(summary.MiniRocketMultivariate(num_kernels=84).fit_transform(x.transpose(0, 2, 1))) == len(x)


def test_keras_takes_the_arrays(made: Path) -> None:
    keras = pytest.importorskip("keras")
    x, y, _ = imuforge.load_dataset(made, numbers=True)
    model = keras.Sequential([keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(3, activation="softmax")])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    assert np.isfinite(model.fit(x, y, verbose=0).history["loss"]).all()


def test_hugging_face_reads_parquet_and_the_card(made: Path) -> None:
    datasets = pytest.importorskip("datasets")
    files = {side: str(made / "windows" / f"{side}-*.parquet") for side in ("train", "test")}
    assert datasets.load_dataset("parquet", data_files=files)["train"].num_rows == 12
    assert datasets.load_dataset(str(made), "windows")["val"].num_rows == 6


def test_csv_folder_reads_it_as_a_set_of_real_people(made: Path) -> None:
    found = {recording.trial: recording for recording in load_recordings("csv_folder", made)}
    table = pd.read_parquet(made / "recordings")
    assert len(found) == 12
    for name, recording in found.items():
        whole = table[table["recording"] == name.rpartition("/")[2]]
        assert recording.subject == whole["subject"].iloc[0]
        assert set(recording.labels) == set(whole["label"])
        wrist = whole[[f"left_wrist_accel_{axis}" for axis in "xyz"]].to_numpy()
        np.testing.assert_allclose(recording.accel[:, 0], wrist, atol=1e-4)


def test_a_classifier_of_lightning_fit_takes_it(made: Path, tmp_path: Path) -> None:
    data = RealIMUDataModule(
        "csv_folder",
        str(made),
        classes=CLASSES,
        split="kfold",
        num_folds=2,
        cache_dir=str(tmp_path),
    )
    data.prepare_data()
    data.setup("fit")
    assert next(iter(data.train_dataloader())).signals.shape[1:] == (128, 12)


def test_card_tables_and_inspect_say_what_is_in_it(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = (made / "README.md").read_text(encoding="utf-8")
    assert "| walking | 2 | 1 | 1 | 8 |" in card
    assert "path: windows/train-*.parquet" in card
    for name in ("motions", "readings"):
        with Image.open(made / "pictures" / f"{name}.png") as picture:
            colours = np.asarray(picture.convert("RGB"), dtype=np.int64)
        assert (np.ptp(colours, axis=-1) > 60).mean() > 0.001

    index, people = pd.read_parquet(made / "index.parquet"), pd.read_parquet(made / "people.parquet")
    assert index["motion"].nunique() == len(index) == 12
    assert not set(index.loc[index["split"] == "test", "motion"]) & set(index.loc[index["split"] == "train", "motion"])
    assert sorted(people["device"]) == ["bmi270", "bmi270", "smartphone", "smartphone"]
    assert len({json.dumps(shape.tolist()) for shape in people["shape"]}) == 4

    said = json.loads((made / "dataset.json").read_text(encoding="utf-8"))
    assert len(said["provenance"]["weights"]["prior"]) == 64
    with pytest.raises(SystemExit):
        main(["inspect", str(next((made / "recordings").iterdir()))])
    assert "is a table of a data set; give its folder" in capsys.readouterr().err
    assert main(["inspect", str(made)]) == 0
    out = capsys.readouterr().out
    assert "12 recordings of 12 motions, 24 windows, 4 virtual people (train 2, val 1, test 1)" in out
    assert said["hash"] in out


def test_motions_are_kept_where_asked_for(made: Path) -> None:
    motion = Motion.load(made / "motions" / "train-00000.npz")
    assert motion.rotations.shape == (6, 80, 22, 3, 3)
    assert not (made / ".work").exists()


def test_shards_in_one_folder_are_the_whole(made: Path, tmp_path: Path) -> None:
    lines = make(tmp_path / "parts", shard="1/2")
    assert "2 of 3 parts" in lines[0]
    assert "**2 of 3 parts are here" in (tmp_path / "parts" / "README.md").read_text(encoding="utf-8")
    make(tmp_path / "other", shard="2/2", processes=2)
    for folder in ("parts", "recordings", "windows"):
        for path in (tmp_path / "other" / folder).iterdir():
            shutil.copy(path, tmp_path / "parts" / folder)
    lines = make(tmp_path / "parts")  # nothing to make: what stands there is counted anew
    assert "12 recordings of 12 motions" in lines[0]
    for name in ("recordings", "windows"):
        mine, whole = (pd.read_parquet(folder / name) for folder in (tmp_path / "parts", made))
        assert mine["recording"].tolist() == whole["recording"].tolist()
    # Up to a last bit: sums differ with the processor's threads.
    columns = [name for name in pd.read_parquet(made / "recordings").columns if "_accel_" in name]
    mine, whole = (pd.read_parquet(folder / "recordings")[columns] for folder in (tmp_path / "parts", made))
    np.testing.assert_allclose(mine, whole, atol=1e-2)


def test_what_was_interrupted_goes_on_without_doing_anything_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, run, done = tmp_path / "set", MakePart.run, []

    def interrupted(task: MakePart, *places: object) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(task.part.stem)
        run(task, *places)  # type: ignore[arg-type]

    monkeypatch.setattr(MakePart, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(out)
    assert not (out / "parts").exists()
    assert main(["inspect", str(out)]) == 0
    monkeypatch.setattr(MakePart, "run", lambda task, *places: (done.append(task.part.stem), run(task, *places))[0])
    monkeypatch.setattr(MakeMotions, "run", lambda *_: pytest.fail("motions were made again"))
    make(out)
    assert sorted(done) == ["test-00002", "train-00000", "val-00001"]
    monkeypatch.setattr(MakePart, "run", lambda *_: pytest.fail("a part was made again"))
    make(out)


def test_a_damaged_and_a_missing_table_are_made_again_and_nothing_else(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, run, done = tmp_path / "set", MakePart.run, []
    shutil.copytree(made, out)
    (out / "windows" / "train-00000.parquet").write_bytes(b"junk")
    (out / "recordings" / "test-00002.parquet").unlink()
    monkeypatch.setattr(MakePart, "run", lambda task, *places: (done.append(task.part.stem), run(task, *places))[0])
    make(out)
    assert sorted(done) == ["test-00002", "train-00000"]
    assert imuforge.load_dataset(out).y.tolist() == imuforge.load_dataset(made).y.tolist()
    assert len(pd.read_parquet(out / "recordings")) == len(pd.read_parquet(made / "recordings"))


def test_another_specification_is_refused_and_says_what_differs(
    made: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["dataset", str(SPEC), *SMALL, "seed=1", "--out", str(made)])
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert "seed was 0, is 1" in error
    assert error.count("\n") == 1
    (tmp_path / "letter.txt").write_text("not yours", encoding="utf-8")
    with pytest.raises(ValueError, match="holds something else"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("text", ["0/2", "3/2", "half", "1/0"])
def test_a_share_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected i/n"):
        read_shard(text)


def test_a_second_call_that_makes_nothing_leaves_date_and_commit(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    shutil.copytree(made, folder)
    path = folder / "dataset.json"
    summary = json.loads(path.read_text())
    summary["provenance"] |= {"created": "2001-01-01T00:00:00+00:00", "git_commit": "abc"}
    path.write_text(json.dumps(summary))
    make(folder)
    assert json.loads(path.read_text())["provenance"] == summary["provenance"]
    assert "2001-01-01" in (folder / "README.md").read_text()


def test_a_folder_that_was_begun_says_how_much_is_made(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "begun"
    shutil.copytree(made, folder)
    total = len(list((folder / "parts").glob("*.json")))
    (folder / "dataset.json").unlink()
    for path in (folder / "parts").glob("*.json"):
        path.unlink()
    (line,) = describe_dataset(folder)
    assert f"data set that was begun, 0 of {total} parts made; run the same command again" in line
    done = folder / ".work" / "recordings" / "0123" / "stage.json"
    done.parent.mkdir(parents=True)
    done.write_text("{}")
    assert f"1 of {total} parts made" in describe_dataset(folder)[0]


@pytest.mark.parametrize("root", [None, 3, ["a"]])
def test_what_is_no_folder_is_named(root: object) -> None:
    with pytest.raises(ValueError, match="expected the path of a folder that `imuforge dataset` wrote"):
        imuforge.load_dataset(root)  # type: ignore[arg-type]


def test_an_override_may_stand_before_the_yaml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["dataset", "people.count=0", str(SPEC), "--out", str(tmp_path / "a")])
    assert stopped.value.code == 2
    assert "people.count is 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("people.count=1000000000", "people.count is 1e+09, expected"),
        ("recordings_each=1000000000", "recordings_each is 1e+09, expected"),
        ("rate_hz=1e9", "rate_hz is 1e+09, expected"),
        ("rate_hz=.inf", "rate_hz is inf, expected"),
        ("motion.seconds=1e9", "motion.seconds is 1000000000.0, expected 1 to 60"),
        ("motion.steps=1000000", "motion.steps is 1e+06, expected"),
        ("motion.guidance=.nan", "motion.guidance is nan, expected"),
        ("seed=99999999999999999999", "seed is 1e+20, expected"),
        ("windows.seconds=.nan", "windows.seconds is nan, expected"),
        ("rate_hz=null", "rate_hz: "),
        ("people.count=null", "people.count: "),
    ],
)
def test_numbers_that_cannot_be_meant_are_told_before_any_work(tmp_path: Path, override: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        make(tmp_path / "a", override)
    assert not (tmp_path / "a").exists()
