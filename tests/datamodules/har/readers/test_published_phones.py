"""Sets of phones that cannot be had here: signals known in SI units, written in exactly the published layout."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from datamodules.har import load_recordings

G = 9.80665
UP = np.array([[0.0, 0.0, G], [G, 0.0, 0.0], [0.0, -G, 0.0], [0.0, 0.6 * G, 0.8 * G], [0.8 * G, 0.0, -0.6 * G]])
TURN = np.array([[0.1, 0.2, 0.3], [-0.4, 0.5, 0.6], [0.7, -0.8, 0.9], [1.0, 1.1, -1.2], [1.3, 1.4, 1.5]])
DEG = np.pi / 180


def test_motionsense_turns_the_sense_of_coremotion_round(tmp_path):
    """An iPhone on its back reads gravity (0, 0, -1) g; pushed upwards, specific force along +z grows."""
    folder = tmp_path / "A_DeviceMotion_data" / "A_DeviceMotion_data" / "std_6"
    folder.mkdir(parents=True)
    header = ",attitude.roll,attitude.pitch,attitude.yaw,gravity.x,gravity.y,gravity.z,"
    header += "rotationRate.x,rotationRate.y,rotationRate.z,userAcceleration.x,userAcceleration.y,userAcceleration.z"
    lines = [f"{i},0,0,0,0,0,-1,0.1,0.2,0.3,0,0,-0.5" for i in range(100)]
    (folder / "sub_3.csv").write_text("\n".join([header, *lines]))
    other = tmp_path / "B_Accelerometer_data" / "B_Accelerometer_data" / "std_6"
    other.mkdir(parents=True)
    (other / "sub_3.csv").write_text(",x,y,z\n0,1,2,3\n")
    (recording,) = load_recordings("motionsense", tmp_path)
    np.testing.assert_allclose(recording.accel[:, 0], np.tile([0, 0, 1.5 * G], (100, 1)), rtol=1e-6)
    np.testing.assert_allclose(recording.gyro[0, 0], [0.1, 0.2, 0.3], rtol=1e-6)
    assert (recording.subject, recording.labels, recording.rate_hz) == ("3", "standing", 50)


def _android_csv(time_s, values):
    lines = [
        f"{i + 1},{round(1000 * t)},{x},{y},{z}" for i, (t, (x, y, z)) in enumerate(zip(time_s, values, strict=True))
    ]
    return "\n".join(["id,attr_time,attr_x,attr_y,attr_z", *lines]) + "\n"


def _realworld_zip(kind, activity, positions, start=1435000000.0, suffix=""):
    data = io.BytesIO()
    prefix = {"acc": "acc", "gyr": "Gyroscope"}[kind]
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("readMe", "frequency: 50.0 Hz")
        for index, position in enumerate(positions):
            time_s = start + 0.01 * index + np.arange(400) / 50
            values = np.tile((UP if kind == "acc" else TURN)[index], (400, 1))
            archive.writestr(f"{prefix}_{activity}_{position}{suffix}.csv", _android_csv(time_s, values))
    return data.getvalue()


def test_realworld2016(tmp_path, caplog, expect_still):
    folder = tmp_path / "realworld2016_dataset" / "proband3" / "data"
    folder.mkdir(parents=True)
    positions = ("chest", "forearm", "head", "shin", "thigh")
    (folder / "acc_climbingup_csv.zip").write_bytes(_realworld_zip("acc", "climbingup", positions))
    (folder / "gyr_climbingup_csv.zip").write_bytes(_realworld_zip("gyr", "climbingup", positions))
    (folder / "mag_climbingup_csv.zip").write_bytes(b"not looked at")
    recordings = list(load_recordings("realworld2016", tmp_path))
    assert len(recordings) == 1
    expect_still(recordings[0], UP[:5], TURN[:5], labels=["walking_upstairs"], subject="3")
    assert recordings[0].placements == ("chest", "left_forearm", "head", "left_shank", "left_thigh")
    assert len(recordings[0].accel) == 398  # what all seven clocks cover


def test_realworld2016_parts_and_a_missing_gyroscope(tmp_path, caplog):
    folder = tmp_path / "proband4" / "data"
    folder.mkdir(parents=True)
    for kind, positions in (("acc", ("chest", "waist")), ("gyr", ("chest",))):
        with zipfile.ZipFile(folder / f"{kind}_jumping_csv.zip", "w") as outer:
            for part in (1, 2):
                inner = _realworld_zip(kind, "jumping", positions, start=1.0e9 + 100 * part)
                outer.writestr(f"{kind}_jumping_{part}_csv.zip", inner)
    first, second = load_recordings("realworld2016", tmp_path)
    assert (first.trial, second.trial) == ("realworld2016/4/jumping_1", "realworld2016/4/jumping_2")
    assert first.placements == ("chest", "waist")
    np.testing.assert_allclose(second.accel[:, 1], np.tile(UP[1], (len(second.accel), 1)), rtol=1e-5)
    assert np.isnan(first.gyro[:, 1]).all()
    assert np.isfinite(first.gyro[:, 0]).all()
    assert "no gyroscope at waist" in caplog.text


def test_realworld2016_parts_as_archives_of_their_own_and_unpacked(tmp_path):
    folder = tmp_path / "proband7" / "data"
    folder.mkdir(parents=True)
    for part in (1, 2):
        data = _realworld_zip("acc", "walking", ("chest",), start=1.0e9 + 100 * part)
        (folder / f"acc_walking_{part}_csv.zip").write_bytes(data)
    with zipfile.ZipFile(io.BytesIO(_realworld_zip("acc", "sitting", ("waist",)))) as archive:
        archive.extractall(folder / "acc_sitting_csv")
    recordings = list(load_recordings("realworld2016", tmp_path))
    assert sorted(r.trial for r in recordings) == [
        "realworld2016/7/sitting_1",
        "realworld2016/7/walking_1",
        "realworld2016/7/walking_2",
    ]
    assert {r.gyro for r in recordings} == {None}


def test_realworld2016_names_that_the_download_has(tmp_path, expect_still):
    """Proband 4: the gyroscope's first archive has no number, files of the second have; walking is only _2."""
    folder = tmp_path / "proband4" / "data"
    folder.mkdir(parents=True)
    for kind in ("acc", "gyr"):
        with zipfile.ZipFile(folder / f"{kind}_climbingdown_csv.zip", "w") as outer:
            for part in (1, 2):
                inner = _realworld_zip(
                    kind, "climbingdown" if part == 1 else "climbingdown_2", ("chest", "head"), start=1.0e9 + 100 * part
                )
                number = "" if (kind, part) == ("gyr", 1) else f"_{part}"
                outer.writestr(f"{kind}_climbingdown{number}_csv.zip", inner)
        (folder / f"{kind}_walking_csv.zip").write_bytes(_realworld_zip(kind, "walking_2", ("chest",)))
    first, second, walk = load_recordings("realworld2016", tmp_path)
    assert (first.trial, second.trial) == ("realworld2016/4/climbingdown_1", "realworld2016/4/climbingdown_2")
    for recording in (first, second):
        expect_still(recording, UP[:2], TURN[:2], labels=["walking_downstairs"], subject="4")
    expect_still(walk, UP[:1], TURN[:1], labels=["walking"], subject="4")


def test_realworld2016_bad_archives(tmp_path):
    folder = tmp_path / "proband1" / "data"
    folder.mkdir(parents=True)
    path = folder / "acc_walking_csv.zip"
    path.write_bytes(_realworld_zip("acc", "walking", ("chest",))[:-300])
    with pytest.raises(ValueError, match=r"acc_walking_csv\.zip is no whole zip archive"):
        list(load_recordings("realworld2016", tmp_path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../acc_walking_chest.csv", "id")
    with pytest.raises(ValueError, match="outside its folder"):
        list(load_recordings("realworld2016", tmp_path))


def test_uci_har_joins_its_windows(tmp_path):
    generator = np.random.default_rng(0)
    root = tmp_path / "UCI HAR Dataset"
    people, stretches = [1, 1, 3], [generator.normal(size=(64 * n, 6)) for n in (5, 3, 4)]
    windows = np.concatenate([[s[64 * i : 64 * i + 128] for i in range(len(s) // 64 - 1)] for s in stretches])
    subjects = np.repeat(people, [len(s) // 64 - 1 for s in stretches])
    codes = np.array([5, 5, 1, 1, 2, 2, 6, 6, 6])
    inertial = root / "train" / "Inertial Signals"
    inertial.mkdir(parents=True)
    for group, name in enumerate(("total_acc", "body_gyro")):
        for axis, letter in enumerate("xyz"):
            np.savetxt(inertial / f"{name}_{letter}_train.txt", windows[:, :, 3 * group + axis], fmt="% .8e")
    np.savetxt(root / "train" / "y_train.txt", codes, fmt="%d")
    np.savetxt(root / "train" / "subject_train.txt", subjects, fmt="%d")
    first, second, third = load_recordings("uci_har", tmp_path)
    assert [r.subject for r in (first, second, third)] == ["1", "1", "3"]
    for recording, stretch in zip((first, second, third), stretches, strict=True):
        np.testing.assert_allclose(recording.accel[:, 0], stretch[:, :3] * G, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(recording.gyro[:, 0], stretch[:, 3:], rtol=1e-5, atol=1e-6)
    assert first.labels[::64].tolist() == ["standing", "standing", "", "walking", "walking"]
    (root / "train" / "y_train.txt").unlink()
    with pytest.raises(ValueError, match=r"y_train\.txt is missing"):
        list(load_recordings("uci_har", tmp_path))


def test_hapt_raw_layout(tmp_path, expect_still):
    raw = tmp_path / "HAPT Data Set" / "RawData"
    raw.mkdir(parents=True)
    for experiment, user in ((1, 1), (2, 1), (3, 2)):
        np.savetxt(raw / f"acc_exp{experiment:02d}_user{user:02d}.txt", np.tile(UP[1] / G, (300, 1)), fmt="% .16e")
        np.savetxt(raw / f"gyro_exp{experiment:02d}_user{user:02d}.txt", np.tile(TURN[1], (300, 1)), fmt="% .16e")
    (raw / "labels.txt").write_text("1 1 5 101 200\n2 1 4 1 300\n3 2 12 1 10\n")
    one, two, three = load_recordings("hapt", tmp_path)
    expect_still(one, UP[1:2], TURN[1:2], labels=["", "standing"], subject="1")
    assert np.flatnonzero(one.labels == "standing").tolist() == list(range(100, 200))
    assert [r.trial for r in (one, two, three)] == ["hapt/1/0", "hapt/1/1", "hapt/2/0"]
    assert set(two.labels) == {"sitting"}
    assert (three.labels == "lie_to_stand").sum() == 10


def _hapt_raw(root, labels):
    raw = root / "RawData"
    raw.mkdir(parents=True)
    for sensor, value in (("acc", UP[1] / G), ("gyro", TURN[1])):
        np.savetxt(raw / f"{sensor}_exp01_user01.txt", np.tile(value, (300, 1)))
    (raw / "labels.txt").write_text(labels)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("1 1 5 1 100\n1 1 13 101 200\n", r"labels\.txt, experiment 1, line 2 has label 13, expected one of"),
        ("1 1 5 1 900\n", r"acc_exp01_user01\.txt has 300 samples, expected 900 or more by labels\.txt; .* cut off"),
    ],
)
def test_hapt_labels_that_do_not_fit_are_named(tmp_path, labels, message):
    _hapt_raw(tmp_path, labels)
    with pytest.raises(ValueError, match=message) as caught:
        list(load_recordings("hapt", tmp_path))
    assert "\n" not in str(caught.value)


def test_second_copies_are_named_and_left_out_only_if_asked(tmp_path):
    """Sets whose files are put together before they are read notice a second copy as well."""
    for copy in ("a", "b"):
        _hapt_raw(tmp_path / "hapt" / copy, "1 1 5 1 100\n")
        folder = tmp_path / "realworld2016" / copy / "proband1" / "data"
        folder.mkdir(parents=True)
        for kind in ("acc", "gyr"):
            (folder / f"{kind}_walking_csv.zip").write_bytes(_realworld_zip(kind, "walking", ("chest",)))
        inertial = tmp_path / "uci_har" / copy / "train" / "Inertial Signals"
        inertial.mkdir(parents=True)
        for name in ("total_acc", "body_gyro"):
            for letter in "xyz":
                np.savetxt(inertial / f"{name}_{letter}_train.txt", np.ones((2, 128)))
        for name in ("y", "subject"):
            (inertial.parent / f"{name}_train.txt").write_text("1\n1\n")
    for name, left_out in (("hapt", 2), ("realworld2016", 2), ("uci_har", 1)):
        with pytest.raises(ValueError, match="of the same trial") as caught:
            list(load_recordings(name, tmp_path / name))
        assert "\n" not in str(caught.value)
        recordings = load_recordings(name, tmp_path / name, on_bad_file="skip")
        assert len(list(recordings)) == 1
        assert len(recordings.skipped) == left_out


def test_hapt_truncated_package_is_named(tmp_path):
    (tmp_path / "HAPT.pkl.gz").write_bytes(b"\x1f\x8b\x08\x00rest")
    with pytest.raises(ValueError, match=r"HAPT\.pkl\.gz is no whole gzipped pickle"):
        list(load_recordings("hapt", tmp_path))
