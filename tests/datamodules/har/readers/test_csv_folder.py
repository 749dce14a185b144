"""A user's own folder: read through a YAML against known signals, and each mistake named in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from datamodules import RealIMUDataModule
from datamodules.har import load_recordings
from datamodules.har.activities import broaden, find_activity
from datamodules.har.parsing.units import unit_factor

G = 9.80665


def _describe(folder, **changes):
    about = {
        "name": "mine",
        "files": r"(?P<subject>s\d+)/(?P<activity>\w+)_(?P<trial>\d+)\.csv",
        "rate_hz": 50,
        "units": {"accel": "g", "gyro": "deg/s"},
        "gravity": "included",
        "sensors": {"right_wrist": {"accel": ["ax", "ay", "az"], "gyro": ["gx", "gy", "gz"]}},
        **changes,
    }
    path = folder / "imuforge.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in about.items() if value is not None}, sort_keys=False))
    return path


def _frame(count=100, **columns):
    still = {"ax": 0.6, "ay": 0.0, "az": 0.8, "gx": 90.0, "gy": 0.0, "gz": -180.0}
    return pd.DataFrame({**{name: np.full(count, value) for name, value in still.items()}, **columns})


def _write(root, name="s1/walk_1.csv", frame=None, **options):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    (_frame() if frame is None else frame).to_csv(path, index=False, **options)
    return path


def test_units_groups_and_synonyms(tmp_path):
    _write(tmp_path)
    _write(tmp_path, "s10/Stairs_Up_2.csv")
    (tmp_path / "notes.txt").write_text("not data")
    _describe(tmp_path)
    walk, up = load_recordings("csv_folder", tmp_path)
    assert (walk.subject, walk.labels, walk.trial) == ("s1", "walking", "mine/s1/walk/1")
    assert (up.subject, up.labels) == ("s10", "walking_upstairs")
    np.testing.assert_allclose(walk.accel[:, 0], np.tile([0.6 * G, 0, 0.8 * G], (100, 1)), rtol=1e-6)
    np.testing.assert_allclose(walk.gyro[:, 0], np.tile([np.pi / 2, 0, -np.pi], (100, 1)), rtol=1e-6)
    assert walk.placements == ("right_wrist",)


def test_axes_sense_and_gravity(tmp_path):
    _write(tmp_path)
    _describe(
        tmp_path, axes=["z", "x", "y"], rest_reads="-g", gravity="removed", units={"accel": "m/s^2", "gyro": "rad/s"}
    )
    (recording,) = load_recordings("csv_folder", tmp_path)
    assert not recording.gravity_included
    np.testing.assert_allclose(recording.accel[0, 0], [-0.8, -0.6, 0.0], rtol=1e-6)
    np.testing.assert_allclose(recording.gyro[0, 0], [-180, 90, 0], rtol=1e-6)


def test_time_column_label_column_and_two_sites(tmp_path):
    stamps = np.arange(100) * 20.0
    stamps[60:] += 3000
    frame = _frame(100, t=stamps, what=np.repeat([1, 0, 2, 9], 25), cx=np.full(100, 1.0), cy=0.0, cz=0.0)
    _write(tmp_path, "s1.tsv", frame, sep="\t")
    _describe(
        tmp_path,
        files=r"(?P<subject>s\d+)\.tsv",
        time={"column": "t", "unit": "ms"},
        label_column="what",
        labels={1: "walking", 2: "hammering", 9: "Sitting"},
        own_activities=["hammering"],
        unlabelled=["0"],
        sensors={
            "right_wrist": {"accel": ["ax", "ay", "az"], "gyro": ["gx", "gy", "gz"]},
            "chest": {"accel": ["cx", "cy", "cz"]},
        },
    )
    first, second = load_recordings("csv_folder", tmp_path / "imuforge.yaml")
    assert list(dict.fromkeys(first.labels)) == ["walking", "", "hammering"]
    assert list(dict.fromkeys(second.labels)) == ["hammering", "sitting"]
    assert (len(first.accel), len(second.accel)) == (60, 40)
    np.testing.assert_allclose(first.accel[0, 1], [G, 0, 0], rtol=1e-6)
    assert np.isnan(first.gyro[:, 1]).all()


def test_parquet_semicolons_decimal_commas_and_no_header(tmp_path):
    (tmp_path / "s1").mkdir()
    _frame().to_parquet(tmp_path / "s1" / "walk_1.parquet")
    _describe(tmp_path, files=r"(?P<subject>s\d+)/(?P<activity>\w+)_\d+\.parquet")
    (parquet,) = load_recordings("csv_folder", tmp_path)
    _write(tmp_path, sep=";", decimal=",", header=False)
    columns = {"right_wrist": {"accel": [0, 1, 2], "gyro": [3, 4, 5]}}
    _describe(tmp_path, delimiter=";", decimal=",", header=False, sensors=columns)
    (text,) = load_recordings("csv_folder", tmp_path)
    np.testing.assert_array_equal(parquet.accel, text.accel)
    np.testing.assert_array_equal(parquet.gyro, text.gyro)


def _many(clock=None):
    """Two people in one table: ann walks, bob sits, ann climbs stairs; two seconds each at 50 Hz."""
    parts = [("ann", "Walking", 0.0), ("bob", "Sitting", 1.0), ("ann", "Stairs Up", 10.0)]
    frames = [
        _frame(100, who=who, what=what, t=start + np.arange(100) / 50, ax=np.full(100, float(place)))
        for place, (who, what, start) in enumerate(parts)
    ]
    frame = pd.concat(frames, ignore_index=True)
    if clock is not None:
        frame["t"] = clock(frame["t"])
    return frame


def test_one_table_of_many_people(tmp_path):
    _write(tmp_path, "all.csv", _many())
    _describe(tmp_path, files=r"all\.csv", subject_column="who", label_column="what")
    first, second, bob = load_recordings("csv_folder", tmp_path)
    # Rows of ann that do not follow on one another are not one recording: without time stamps nobody knows the gap.
    assert [(r.subject, set(r.labels)) for r in (first, second, bob)] == [
        ("ann", {"walking"}),
        ("ann", {"walking_upstairs"}),
        ("bob", {"sitting"}),
    ]
    np.testing.assert_allclose([r.accel[0, 0, 0] for r in (first, second, bob)], [0, 2 * G, G], rtol=1e-6)
    assert len({r.trial for r in (first, second, bob)}) == 3
    _describe(tmp_path, files=r"all\.csv", subject_column="who", trial_column="what", label_column="what")
    assert [r.trial for r in load_recordings("csv_folder", tmp_path)] == [
        "mine/ann/Walking",
        "mine/bob/Sitting",
        "mine/ann/Stairs Up",
    ]
    _write(tmp_path, "more/all.csv", _many())
    _describe(tmp_path, files=r"(more/)?all\.csv", subject_column="who", trial_column="what", label_column="what")
    with pytest.raises(ValueError, match=r"more/all\.csv \(subject ann, trial Walking\) and .* trial mine/ann/W"):
        list(load_recordings("csv_folder", tmp_path))


@pytest.mark.parametrize(
    ("unit", "clock"),
    [
        ("s", lambda t: t),
        ("ms", lambda t: ((1.7e9 + t) * 1e3).round().astype("int64")),
        ("us", lambda t: ((1.7e9 + t) * 1e6).round().astype("int64")),
        ("ns", lambda t: 1_700_000_000_000_000_000 + (t * 1e9).round().astype("int64")),
        ("iso", lambda t: pd.to_datetime(1.7e9 + t, unit="s").dt.strftime("%Y-%m-%dT%H:%M:%S.%f+02:00")),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "txt", "parquet"])
def test_clocks_and_kinds_of_files_give_the_same(tmp_path, unit, clock, kind):
    """Stamps since 1970 as well: nothing may be interpolated only because a double is short of digits."""
    frame = _many(clock)
    changes = {"subject_column": "who", "label_column": "what", "time": {"column": "t", "unit": unit}}
    if kind == "parquet":
        frame.set_index("t").to_parquet(tmp_path / "all.parquet")
    elif kind == "csv":
        _write(tmp_path, "all.csv", frame)
    else:
        frame["what"] = frame["what"].str.replace(" ", "_")
        (tmp_path / "all.txt").write_text("made by hand\n" + frame.to_string(index=False) + "\n")
        changes |= {"delimiter": "whitespace", "skip_lines": 1}
    _describe(tmp_path, files=r"all\..*", **changes)
    recordings = list(load_recordings("csv_folder", tmp_path))
    assert [(r.subject, len(r.accel), *set(r.labels)) for r in recordings] == [
        ("ann", 100, "walking"),
        ("ann", 100, "walking_upstairs"),
        ("bob", 100, "sitting"),
    ]
    assert not any(r.timing.resampled for r in recordings)
    assert recordings[0].timing.gap_s == pytest.approx(8.02, abs=1e-5)


def test_a_wrong_unit_of_time_is_named(tmp_path):
    _write(tmp_path, frame=_frame(100, t=20.0 * np.arange(100)))
    _describe(tmp_path, time={"column": "t", "unit": "s"})
    with pytest.raises(
        ValueError, match=r"walk_1\.csv are 20 s apart, expected at most max_gap_s = 0\.25; check their un"
    ):
        list(load_recordings("csv_folder", tmp_path))


def test_lines_to_leave_out_and_lines_in_messages(tmp_path):
    """A table as gaitmap and Shimmer's program write it: a line too many above the names, and one of units below."""
    text = "sep=,\nax,ay,az\ng,g,g\n" + "0.6,0,0.8\n" * 10
    path = tmp_path / "s1.csv"
    path.write_text(text)
    sensors = {"chest": {"accel": ["ax", "ay", "az"]}}
    _describe(tmp_path, files=r"(?P<subject>s\d+)\.csv", skip_lines=[1, 3], sensors=sensors)
    (recording,) = load_recordings("csv_folder", tmp_path)
    np.testing.assert_allclose(recording.accel[:, 0], np.tile([0.6 * G, 0, 0.8 * G], (10, 1)), rtol=1e-6)
    path.write_text(text + "0.6,oops,0.8\n")
    with pytest.raises(ValueError, match=r"s1\.csv, line 14, column ay is 'oops', expected a number"):
        list(load_recordings("csv_folder", tmp_path))
    path.write_text(text + "0.6,0.8\n")
    with pytest.raises(ValueError, match=r"s1\.csv, line 14 has 2 columns, expected 3"):
        list(load_recordings("csv_folder", tmp_path))
    path.write_text("0.6,0,0.8\n0.6,0,oops\n")
    sensors = {"chest": {"accel": [0, 1, 2]}}
    _describe(tmp_path, files=r"(?P<subject>s\d+)\.csv", header=False, sensors=sensors)
    with pytest.raises(ValueError, match=r"s1\.csv, line 2, column 2 is 'oops'"):
        list(load_recordings("csv_folder", tmp_path))


def test_files_without_named_groups_are_trials_of_their_own(tmp_path):
    for name in ("a/one.csv", "b/one.csv"):
        _write(tmp_path, name)
    _describe(tmp_path, files=r".*\.csv")
    assert [r.trial for r in load_recordings("csv_folder", tmp_path)] == ["mine/a/one", "mine/b/one"]
    _describe(tmp_path, files=r"\w/(?P<trial>one)\.csv")
    with pytest.raises(ValueError, match=r"same trial mine/one, expected one; .* group \(\?P<trial>"):
        list(load_recordings("csv_folder", tmp_path))


def test_stamps_of_arrival_are_spread(tmp_path):
    late = np.arange(100) / 50 + np.random.default_rng(3).uniform(0, 0.015, 100)
    _write(tmp_path, frame=_frame(100, t=late, ay=np.sin(2 * np.arange(100) / 50)))
    _describe(tmp_path, time={"column": "t", "unit": "s"}, stamps="arrival")
    (recording,) = load_recordings("csv_folder", tmp_path)
    expected = G * np.sin(2 * np.arange(len(recording.accel)) / 50)
    assert np.abs(recording.accel[:, 0, 1] - expected).max() < 0.05


def test_own_classes_train(tmp_path):
    """A class of one's own from a table of many people, windows and all."""
    frames = [
        _frame(600, who=who, what=what) for who in ("ann", "bob", "cid") for what in ("Hammering", "Walking", "rest")
    ]
    _write(tmp_path, "all.csv", pd.concat(frames))
    changes = {"labels": {"Hammering": "hammering", "Walking": "walking"}, "own_activities": ["hammering"]}
    _describe(tmp_path, files=r"all\.csv", subject_column="who", label_column="what", unlabelled=["rest"], **changes)
    module = RealIMUDataModule(
        "csv_folder",
        str(tmp_path / "imuforge.yaml"),
        classes=["hammering", "walking"],
        placements=["right_wrist"],
        split="subjects",
        test_subjects=["cid"],
    )
    module.setup("fit")
    train, test = module.load_windows()
    assert test is not None
    assert set(train.subjects) == {"ann", "bob"}
    assert set(test.subjects) == {"cid"}
    assert (train.counts() > 5).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unitz": {}}, r"unknown key unitz in .*did you mean units"),
        ({"units": {"accel": "gee", "gyro": "deg/s"}}, r"unit of accel is 'gee', expected one of"),
        ({"units": {"accel": "g", "gyro": "deg/sec"}}, r"unit of gyro is 'deg/sec'.*did you mean deg/s"),
        ({"units": {"accel": "g"}}, r"units\.gyro is missing"),
        ({"gravity": None}, r"gravity is None|gravity is missing"),
        ({"rate_hz": 0}, r"rate_hz is 0 .*above 0"),
        ({"files": "(unclosed"}, r"no regular expression"),
        ({"files": r"(?P<person>\w+)\.csv"}, r"unknown key group person"),
        ({"sensors": {"wrist": {"accel": ["a", "b", "c"]}}}, r"unknown placement 'wrist'; give the side"),
        ({"sensors": {"chest": {"accel": ["a", "b"]}}}, r"sensors\.chest\.accel is .* three columns"),
        ({"axes": ["x", "z", "y"]}, r"axes is .* right-handed"),
        ({"labels": {"walk": "wlaking"}}, r"labels\.walk in .*'wlaking' is no known activity; did you mean walking"),
        ({"time": {"column": "t", "unit": "h"}}, r"unit of time is 'h'"),
        ({"root": "elsewhere"}, r"elsewhere of .* is no folder"),
        ({"files": r"nothing\.csv"}, r"no file below .* matches files: 'nothing"),
        ({"labels": {"stand": "standing"}}, r"walk_1\.csv has label 'walk', which is not in the label map"),
        ({"time": {"column": "t", "unit": "s"}}, r"walk_1\.csv has no column 't'"),
        ({"time": {"column": "ax", "unit": "iso"}}, r"walk_1\.csv, line 2, column ax is '0\.6', expected a date"),
        ({"skip_lines": -1}, r"skip_lines is -1 .*how many lines"),
        ({"skip_lines": [0]}, r"skip_lines is \[0\] .*list of their numbers"),
        ({"delimiter": "blank"}, r"delimiter is 'blank' .*or whitespace"),
        ({"subject_column": "who"}, r"walk_1\.csv has no column 'who'"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path, changes, message):
    _write(tmp_path)
    _describe(tmp_path, **changes)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        list(load_recordings("csv_folder", tmp_path))
    assert "\n" not in str(caught.value)


def test_unknown_label_is_named_with_its_line(tmp_path):
    _write(tmp_path, frame=_frame(4, what=["walk", "walk", "wakl", "sit"]))
    _describe(tmp_path, label_column="what")
    with pytest.raises(
        ValueError, match=r"walk_1\.csv, line 4: label 'wakl' is no known activity; did you mean walking"
    ):
        list(load_recordings("csv_folder", tmp_path))


def test_no_description(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no description .*imuforge\.yaml"):
        list(load_recordings("csv_folder", tmp_path))


def test_a_pickle_is_refused(tmp_path):
    (tmp_path / "s1.pkl").write_bytes(b"\x80\x04.")
    _describe(tmp_path, files=r"(?P<subject>s\d+)\.pkl")
    with pytest.raises(ValueError, match=r"s1\.pkl ends in '\.pkl', expected \.csv"):
        list(load_recordings("csv_folder", tmp_path))


def test_vocabulary():
    assert find_activity("climbingDown") == "walking_downstairs"
    assert find_activity("MakingACall") == "making_a_call"
    assert find_activity("STANDING_UP") == "sit_to_stand"
    assert broaden("lying_on_back", ("lying", "walking")) == "lying"
    assert broaden("jogging", ("walking",)) == "jogging"
    assert unit_factor(" G ", "accel") == pytest.approx(G)


def test_the_description_in_the_documentation_is_sound(tmp_path):
    text = (Path(__file__).parents[4] / "docs" / "own_recordings.md").read_text(encoding="utf-8")
    (tmp_path / "imuforge.yaml").write_text(text.split("```yaml\n")[1].split("```")[0])
    frame = _frame(50, t=20.0 * np.arange(50), cx=1.0, cy=0.0, cz=0.0, activity=np.repeat(["1", "2"], 25))
    _write(tmp_path, "data/s1/any_1.csv", frame, sep=";")
    (recording,) = load_recordings("csv_folder", tmp_path)
    assert list(dict.fromkeys(recording.labels)) == ["walking", "hammering"]
    assert recording.placements == ("right_wrist", "chest")
