"""Trials of several files, counts, cells of three numbers, labels from spans: against the signal that was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from datamodules import RealIMUDataModule
from datamodules.har import load_recordings

RATE = 50.0
TIME = np.arange(300) / RATE


def accel(time: np.ndarray = TIME) -> np.ndarray:
    return np.stack([np.sin(time), np.cos(time), 9.8 + 0.0 * time], axis=1)


def gyro(time: np.ndarray = TIME) -> np.ndarray:
    return np.stack([0.5 * np.cos(2 * time), 0.1 + 0.0 * time, 0.2 * np.sin(time)], axis=1)


def describe(folder: Path, **changes: object) -> Path:
    about = {
        "name": "mine",
        "files": r"(?P<activity>\w+)/(?P<subject>U\d+)_(?P<trial>R\d+)_(?P<sensor>accel|gyro)\.csv",
        "rate_hz": RATE,
        "time": {"accel": "accel_t", "gyro": "gyro_t", "unit": "s"},
        "units": {"accel": "m/s^2", "gyro": "rad/s"},
        "gravity": "included",
        "sensors": {"right_wrist": {"accel": ["x", "y", "z"], "gyro": ["x", "y", "z"]}},
        **changes,
    }
    (folder / "imuforge.yaml").write_text(yaml.safe_dump({key: one for key, one in about.items() if one is not None}))
    return folder


def write(path: Path, values: np.ndarray, **columns: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({**columns, **dict(zip("xyz", values.T, strict=True))}).to_csv(path, index=False)
    return path


def test_sensors_in_files_of_their_own_with_their_own_clocks(tmp_path: Path) -> None:
    later = TIME + 0.007
    for trial in ("R01", "R02"):
        write(tmp_path / f"walking/U01_{trial}_accel.csv", accel(), accel_t=TIME)
        write(tmp_path / f"walking/U01_{trial}_gyro.csv", gyro(later), gyro_t=later)
    first, second = load_recordings("csv_folder", describe(tmp_path))
    assert (first.trial, second.trial) == ("mine/U01/walking/R01", "mine/U01/walking/R02")
    assert (first.subject, first.labels) == ("U01", "walking")
    count = len(first.accel)
    assert count >= 298
    start = 0.007
    np.testing.assert_allclose(first.accel[:, 0], accel(start + np.arange(count) / RATE), atol=1e-4)
    np.testing.assert_allclose(first.gyro[:, 0], gyro(start + np.arange(count) / RATE), atol=1e-4)


def test_columns_may_tell_subjects_of_joined_files(tmp_path: Path) -> None:
    twice = np.concatenate([TIME, TIME])
    who = ["a"] * len(TIME) + ["b"] * len(TIME)
    write(tmp_path / "Phones_accelerometer.csv", np.concatenate([accel(), accel() + 1]), t=twice, User=who)
    write(tmp_path / "Phones_gyroscope.csv", np.concatenate([gyro(), gyro() + 1]), t=twice, User=who)
    about = describe(
        tmp_path,
        files=r"Phones_(?P<sensor>accelerometer|gyroscope)\.csv",
        time={"column": "t", "unit": "s"},
        subject_column="user",
    )
    first, second = load_recordings("csv_folder", about)
    assert (first.subject, second.subject) == ("a", "b")
    np.testing.assert_allclose(second.accel[:, 0], accel() + 1, atol=1e-5)
    np.testing.assert_allclose(second.gyro[:, 0], gyro() + 1, atol=1e-5)


def test_placements_come_from_the_path(tmp_path: Path) -> None:
    for number, place in enumerate(("Wrist", "chest")):
        write(tmp_path / f"U01/{place}/acc_walking.csv", accel() + number, t=TIME)
        write(tmp_path / f"U01/{place}/gyr_walking.csv", gyro() + number, t=TIME)
    about = describe(
        tmp_path,
        files=r"(?P<subject>U\d+)/(?P<placement>\w+)/(?P<sensor>acc|gyr)_(?P<activity>\w+)\.csv",
        time={"column": "t", "unit": "s"},
        sensors={"path": {"accel": ["x", "y", "z"], "gyro": ["x", "y", "z"]}},
        placements={"wrist": "right_wrist", "chest": "chest"},
    )
    (recording,) = load_recordings("csv_folder", about)
    assert set(recording.placements) == {"right_wrist", "chest"}
    for number, place in enumerate(("right_wrist", "chest")):
        index = recording.placements.index(place)
        np.testing.assert_allclose(recording.accel[:, index], accel() + number, atol=1e-5)
        np.testing.assert_allclose(recording.gyro[:, index], gyro() + number, atol=1e-5)
    describe(tmp_path, **{**yaml.safe_load((tmp_path / "imuforge.yaml").read_text()), "placements": {"chest": "chest"}})
    with pytest.raises(ValueError, match=r"Wrist.*add 'Wrist' to placements:"):
        list(load_recordings("csv_folder", tmp_path))


def one_file(folder: Path, **changes: object) -> Path:
    defaults = {
        "files": r"(?P<subject>s\d+)_(?P<activity>\w+)\.csv",
        "time": {"column": "t", "unit": "s"},
        "units": {"accel": "m/s^2"},
        "sensors": {"right_wrist": {"accel": ["x", "y", "z"]}},
    }
    return describe(folder, **{**defaults, **changes})


@pytest.mark.parametrize("scale", [0.00390625, "32/8192"])
def test_counts_become_units(tmp_path: Path, scale: object) -> None:
    write(tmp_path / "s1_walking.csv", np.tile([0.0, 128.0, 256.0], (300, 1)), t=TIME)
    (recording,) = load_recordings("csv_folder", one_file(tmp_path, units={"accel": "g"}, scale={"accel": scale}))
    np.testing.assert_allclose(recording.accel[:, 0], np.tile([0.0, 0.5 * 9.80665, 9.80665], (300, 1)), rtol=1e-6)


@pytest.mark.parametrize("scale", [0, -1, "a", "1/0", "1/2/3", True])
def test_a_scale_that_is_none_is_named(tmp_path: Path, scale: object) -> None:
    write(tmp_path / "s1_walking.csv", accel(), t=TIME)
    with pytest.raises(ValueError, match=r"scale\.accel is .*expected units a count"):
        list(load_recordings("csv_folder", one_file(tmp_path, scale={"accel": scale})))


@pytest.mark.parametrize("form", ["[{}, {}, {}]", "{};{};{}", "({} {} {})"])
def test_three_numbers_in_one_cell(tmp_path: Path, form: str) -> None:
    cells = [form.format(*(f"{value:.6f}" for value in row)) for row in accel()]
    pd.DataFrame({"t": TIME, "acc": cells}).to_csv(tmp_path / "s1_walking.csv", index=False)
    about = one_file(tmp_path, sensors={"right_wrist": {"accel": "acc"}})
    (recording,) = load_recordings("csv_folder", about)
    np.testing.assert_allclose(recording.accel[:, 0], accel(), atol=1e-5)
    cells[7] = "[1, 2]"
    pd.DataFrame({"t": TIME, "acc": cells}).to_csv(tmp_path / "s1_walking.csv", index=False)
    with pytest.raises(ValueError, match=r"line 9, column acc is '\[1, 2\]', expected three numbers"):
        list(load_recordings("csv_folder", about))


def test_labels_come_from_a_table_of_spans(tmp_path: Path) -> None:
    for who in ("s1", "s2"):
        write(tmp_path / f"{who}_free.csv", accel(), t=TIME)
    spans = "who,from,to,what\ns1,0,2,walk\ns1,2,4.001,run\ns2,1,3,walk\n"
    (tmp_path / "spans.csv").write_text(spans)
    about = one_file(
        tmp_path,
        files=r"(?P<subject>s\d+)_free\.csv",
        labels={"walk": "walking", "run": "running"},
        spans={"file": "spans.csv", "start": "from", "end": "to", "label": "what", "subject": "who"},
    )
    first, second = load_recordings("csv_folder", about)
    assert [first.labels[index] for index in (0, 99, 100, 200, 201)] == ["walking", "walking", "running", "running", ""]
    assert [second.labels[index] for index in (49, 50, 149, 150)] == ["", "walking", "walking", ""]
    (tmp_path / "spans.csv").write_text(spans.replace("s1,2,4.001", "s1,4,2"))
    with pytest.raises(ValueError, match=r"spans\.csv, line 3 has a span from 4 to 2 s"):
        list(load_recordings("csv_folder", about))
    (tmp_path / "spans.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"spans\.csv not found"):
        list(load_recordings("csv_folder", about))


def test_twins_are_found_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "s1_walking.csv").write_text("broken")
    (tmp_path / "a" / "s1_walking.csv").write_text("broken too")
    about = one_file(tmp_path, files=r"(?:a/)?(?P<subject>s\d+)_(?P<activity>\w+)\.csv")
    with pytest.raises(ValueError, match=r"are of the same trial mine/s1/walking"):
        list(load_recordings("csv_folder", about))


def test_sites_of_the_description_need_no_naming(tmp_path: Path) -> None:
    for who in ("s1", "s2"):
        write(tmp_path / f"{who}_walking.csv", accel(), t=TIME)
    module = RealIMUDataModule(
        "csv_folder",
        str(one_file(tmp_path)),
        classes=["walking"],
        split="subjects",
        test_subjects=["s2"],
        cut={"rate_hz": RATE, "channels": ["accel"]},
        cache_dir=str(tmp_path / "cache"),
    )
    assert module.source.placements == ("right_wrist",)


def test_a_sensor_may_be_told_by_a_group_without_a_name(tmp_path: Path) -> None:
    for kind, values in (("accel", accel()), ("gyro", gyro())):
        write(tmp_path / f"walking/U01_R01_{kind}.csv", values, **{f"{kind}_time_list": TIME})
    about = describe(
        tmp_path,
        files=r"(?P<activity>\w+)/(?P<subject>U\d+)_(?P<trial>R\d+)_(accel|gyro)\.csv",
        time={"column": "accel_time_list", "unit": "s"},
    )
    (recording,) = load_recordings("csv_folder", about)
    np.testing.assert_allclose(recording.gyro[:, 0], gyro(), atol=1e-5)
