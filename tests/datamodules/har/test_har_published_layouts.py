"""Sets that cannot be had here, written in their published layouts with signals that are known."""

import io
import zipfile
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.io import savemat

from datamodules import load_recordings
from sim.conventions import STANDARD_GRAVITY

G = STANDARD_GRAVITY
COUNT = 300


def upright(count=COUNT, *, unit=1.0):
    """A sensor at rest, x up: acceleration along x, a rate of 0.5 rad/s about z."""
    accel = np.tile([1.0 / unit, 0.0, 0.0], (count, 1)) * G
    return accel, np.tile([0.0, 0.0, 0.5], (count, 1))


def check_upright(recording, *, sites: Sequence[int] = (0,)):
    assert recording.gravity_included
    for site in sites:
        np.testing.assert_allclose(np.nanmedian(recording.accel[:, site], axis=0), [G, 0, 0], rtol=2e-3, atol=1e-4)
        np.testing.assert_allclose(np.nanmedian(recording.gyro[:, site], axis=0), [0, 0, 0.5], rtol=2e-3, atol=1e-4)


def write_uci_har(root, *, runs=((1, 5, 3), (1, 4, 2), (3, 5, 2))):
    """Windows of (subject, label, number of windows); within a run they overlap by half."""
    folder = root / "UCI HAR Dataset" / "train"
    (folder / "Inertial Signals").mkdir(parents=True)
    rows = {f"{kind}_{axis}": [] for kind in ("total_acc", "body_gyro") for axis in "xyz"}
    codes, people = [], []
    for number, (subject, label, windows) in enumerate(runs):
        accel, gyro = upright(64 * (windows + 1), unit=G)
        accel = accel + np.linspace(0, 1e-5, len(accel))[:, None] * (number + 1)
        for window in range(windows):
            part = slice(64 * window, 64 * window + 128)
            for axis in range(3):
                rows[f"total_acc_{'xyz'[axis]}"].append(accel[part, axis])
                rows[f"body_gyro_{'xyz'[axis]}"].append(gyro[part, axis])
            codes.append(label)
            people.append(subject)
    for name, values in rows.items():
        np.savetxt(folder / "Inertial Signals" / f"{name}_train.txt", values, fmt="%18.10e")
    np.savetxt(folder / "y_train.txt", codes, fmt="%d")
    np.savetxt(folder / "subject_train.txt", people, fmt="%d")
    return folder


def test_uci_har_joins_windows_that_overlap(tmp_path):
    write_uci_har(tmp_path)
    recordings = list(load_recordings("uci_har", tmp_path))
    assert [(r.subject, r.labels, len(r.accel)) for r in recordings] == [
        ("1", "standing", 256), ("1", "sitting", 192), ("3", "standing", 192),
    ]  # fmt: skip
    check_upright(recordings[0])
    # Each sample once, in order: the small drift of x rises all the way.
    drift = recordings[0].accel[:, 0, 0]
    assert (np.diff(drift) >= 0).all()
    assert drift[-1] - drift[0] == pytest.approx(1e-5 * G, rel=0.05)


def test_uci_har_that_is_half_a_download_is_refused(tmp_path):
    folder = write_uci_har(tmp_path)
    (folder / "Inertial Signals" / "body_gyro_z_train.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"body_gyro_z_train\.txt of UCI HAR not found"):
        list(load_recordings("uci_har", tmp_path))


def pamap2_rows(*, drop=slice(0, 0)):
    accel, gyro = upright()
    rows = np.full((COUNT, 54), 1.5)
    rows[:, 0] = 5.0 + np.arange(COUNT) / 100
    rows[:, 1] = 4
    rows[:50, 1] = 0
    for first in (3, 20, 37):
        rows[:, first + 1 : first + 4], rows[:, first + 7 : first + 10] = accel, gyro
    rows[drop, 3:20] = np.nan
    return rows


def write_pamap2(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [" ".join("NaN" if np.isnan(value) else f"{value:.6g}" for value in row) for row in rows]
    path.write_text("\n".join(lines) + " \n", encoding="ascii")


def test_pamap2(tmp_path):
    path = tmp_path / "PAMAP2_Dataset" / "Protocol" / "subject101.dat"
    write_pamap2(path, pamap2_rows(drop=slice(100, 104)))
    (recording,) = load_recordings("pamap2", tmp_path)
    assert (recording.subject, recording.rate_hz) == ("subject101", 100.0)
    assert recording.labels[0] == ""
    assert recording.labels[60] == "walking"
    check_upright(recording, sites=(0, 1, 2))
    assert np.isfinite(recording.accel).all()  # 40 ms without the hand are bridged

    write_pamap2(path, pamap2_rows(drop=slice(100, 140)))
    (recording,) = load_recordings("pamap2", tmp_path)
    assert np.isnan(recording.accel[105:135, 0]).all()
    assert np.isfinite(recording.accel[:, 1:]).all()
    assert np.isfinite(recording.accel[150:, 0]).all()


def test_pamap2_parts_where_its_clock_jumps(tmp_path):
    rows = pamap2_rows()
    rows[200:, 0] += 3.0
    write_pamap2(tmp_path / "Protocol" / "subject102.dat", rows)
    first, second = load_recordings("pamap2", tmp_path)
    assert (len(first.accel), len(second.accel)) == (200, 100)
    (whole,) = load_recordings("pamap2", tmp_path, max_gap_s=10.0)
    assert len(whole.accel) == 600


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text + "1 2 3\n", "line 301 has 3 columns, expected 54 parted by space"),
        (lambda text: text.replace("5.01 ", "oops ", 1), "line 2 holds 'oops', expected a number"),
        (lambda text: text.replace(" 4 ", " 23 ", 1), "line 51: activity 23 is unknown"),
        (lambda text: "", "is empty, expected rows of 54 numbers"),
        (lambda text: text.replace("5.01 ", "5.01 7 ", 1), "line 2 has 55 columns"),
    ],
)
def test_a_damaged_pamap2_file_is_named_or_skipped(tmp_path, spoil, message, caplog):
    good, bad = tmp_path / "Protocol" / "subject101.dat", tmp_path / "Protocol" / "subject102.dat"
    write_pamap2(good, pamap2_rows())
    write_pamap2(bad, pamap2_rows())
    bad.write_text(spoil(bad.read_text()))
    with pytest.raises(ValueError, match=rf"subject102\.dat.*{message}"):
        list(load_recordings("pamap2", tmp_path))
    caplog.set_level("INFO")
    assert [r.subject for r in load_recordings("pamap2", tmp_path, on_bad_file="skip")] == ["subject101"]
    assert "skipped: " in caplog.text
    assert "1 files skipped" in caplog.text


def test_mhealth(tmp_path):
    accel, gyro = upright()
    rows = np.zeros((COUNT, 24))
    for first in (0, 5, 14):
        rows[:, first : first + 3] = accel
    for first in (8, 17):
        rows[:, first : first + 3] = np.rad2deg(gyro)
    rows[100:, 23] = 4
    folder = tmp_path / "MHEALTHDATASET"
    folder.mkdir()
    for name in ("mHealth_subject2.log", "mHealth_subject10.log"):
        np.savetxt(folder / name, rows, fmt="%.6g", delimiter="\t", newline="\r\n")
    recordings = list(load_recordings("mhealth", tmp_path))
    assert [r.subject for r in recordings] == ["2", "10"]
    check_upright(recordings[0], sites=(1, 2))
    assert np.isnan(recordings[0].gyro[:, 0]).all()  # no gyroscope on the chest
    assert (recordings[0].labels[0], recordings[0].labels[-1]) == ("", "walking")


@pytest.mark.parametrize("name", ["usc_had", "utd_mhad"])
def test_sets_of_matlab_files(tmp_path, name):
    accel, gyro = upright(unit=G)
    array = np.concatenate([accel, np.rad2deg(gyro)], axis=1)
    paths = {"usc_had": "USC-HAD/Subject3/a9t2.mat", "utd_mhad": "Inertial/a23_s5_t1_inertial.mat"}
    key = {"usc_had": "sensor_readings", "utd_mhad": "d_iner"}[name]
    path = tmp_path / paths[name]
    path.parent.mkdir(parents=True)
    savemat(path, {key: array, "subject": np.array(["3"], dtype=object)})
    (recording,) = load_recordings(name, tmp_path)
    check_upright(recording)
    expected = {"usc_had": ("3", "standing", "right_pocket"), "utd_mhad": ("5", "walking", "right_thigh")}
    assert (recording.subject, recording.labels, recording.placements[0]) == expected[name]
    savemat(path, {key: np.array([[1, "two"]], dtype=object)})
    with pytest.raises(ValueError, match="expected numbers of shape"):
        list(load_recordings(name, tmp_path))
    savemat(path, {"other": array})
    with pytest.raises(ValueError, match="lacks the array"):
        list(load_recordings(name, tmp_path))
    path.write_bytes(b"MATLAB 5.0 MAT-file" + bytes(20))
    with pytest.raises(ValueError, match="no readable MATLAB file"):
        list(load_recordings(name, tmp_path))


def test_motionsense_turns_the_sign_of_ios(tmp_path):
    folder = tmp_path / "A_DeviceMotion_data" / "std_6"
    folder.mkdir(parents=True)
    names = [f"{kind}.{axis}" for kind in ("gravity", "rotationRate", "userAcceleration") for axis in "xyz"]
    # A phone with its x axis up falls along -x.
    rows = np.tile([-1.0, 0, 0, 0, 0, 0.5, 0.0, 0, 0], (COUNT, 1))
    text = ",attitude.roll," + ",".join(names) + "\n"
    text += "\n".join(f"{i},0.1," + ",".join(f"{v:g}" for v in row) for i, row in enumerate(rows))
    (folder / "sub_24.csv").write_text(text + "\n", encoding="utf-8")
    (recording,) = load_recordings("motionsense", tmp_path)
    check_upright(recording)
    assert (recording.subject, recording.labels) == ("24", "standing")
    (folder / "sub_24.csv").write_text(text.replace("0.5", "half", 1), encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 2: column rotationRate\.z holds 'half'"):
        list(load_recordings("motionsense", tmp_path))


def write_wisdm(root, *, end=";\n"):
    accel, gyro = upright()
    for sensor, values, shift in (("accel", accel, 0), ("gyro", gyro, 7_000_000)):
        folder = root / "wisdm-dataset" / "raw" / "watch" / sensor
        folder.mkdir(parents=True, exist_ok=True)
        lines = []
        for code, start in (("A", 10**15), ("E", 5 * 10**14)):  # the clock starts anew for each activity
            for index, row in enumerate(values):
                stamp = start + shift + index * 50_000_000
                lines.append(f"1600,{code},{stamp},{row[0]},{row[1]},{row[2]}")
        lines[3], lines[4] = lines[4], lines[3]  # out of order, as the app wrote some
        (folder / f"data_1600_{sensor}_watch.txt").write_text(end.join(lines) + end, encoding="ascii")
    return root / "wisdm-dataset" / "raw" / "watch"


def test_wisdm_brings_both_sensors_to_one_time(tmp_path):
    folder = write_wisdm(tmp_path)
    walking, standing = load_recordings("wisdm", tmp_path)
    assert (walking.labels, standing.labels, walking.subject) == ("walking", "standing", "1600")
    check_upright(walking)
    assert abs(len(walking.accel) - COUNT) <= 2
    gyro = folder / "gyro" / "data_1600_gyro_watch.txt"
    gyro.write_text(gyro.read_text().replace("1600,A", "1600,N", 1))
    with pytest.raises(ValueError, match=r"line 1 is .1600,N,.* expected subject,code,stamp"):
        list(load_recordings("wisdm", tmp_path))


def realworld_table(values, *, start_ms, step_ms=20.0):
    lines = ["id,attr_time,attr_x,attr_y,attr_z"]
    lines += [f"{i},{start_ms + i * step_ms:.0f},{x},{y},{z}" for i, (x, y, z) in enumerate(values)]
    return "\n".join(lines) + "\n"


def write_realworld(root, *, nested=False, name="acc_walking_chest.csv"):
    accel, gyro = upright()
    folder = root / "proband7" / "data"
    folder.mkdir(parents=True, exist_ok=True)
    for sensor, values in (("acc", accel), ("gyr", gyro)):
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as archive:
            archive.writestr(
                name if sensor == "acc" else "Gyroscope_walking_chest.csv", realworld_table(values, start_ms=10_000)
            )
            archive.writestr(f"{sensor}_walking_shin.csv", realworld_table(values, start_ms=10_400))
            archive.writestr("readMe", "text")
        path = folder / f"{sensor}_walking_csv.zip"
        if not nested:
            path.write_bytes(inner.getvalue())
            continue
        with zipfile.ZipFile(path, "w") as outer:
            outer.writestr(f"{sensor}_walking_1_csv.zip", inner.getvalue())


@pytest.mark.parametrize("nested", [False, True])
def test_realworld_brings_all_positions_to_one_time(tmp_path, nested):
    write_realworld(tmp_path, nested=nested)
    (recording,) = load_recordings("realworld2016", tmp_path)
    assert (recording.subject, recording.labels) == ("7", "walking")
    sites = [list(recording.placements).index(name) for name in ("chest", "left_shank")]
    check_upright(recording, sites=sites)
    others = [site for site in range(7) if site not in sites]
    assert np.isnan(recording.accel[:, others]).all()
    assert len(recording.accel) == 280  # the shin began 0.4 s, 20 samples, later


def test_an_archive_that_leads_out_of_its_folder_is_refused(tmp_path):
    write_realworld(tmp_path, name="../../acc_walking_chest.csv")
    with pytest.raises(ValueError, match="leads out of it"):
        list(load_recordings("realworld2016", tmp_path))
    (tmp_path / "proband7" / "data" / "acc_walking_csv.zip").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(ValueError, match="no readable archive"):
        list(load_recordings("realworld2016", tmp_path))


@pytest.mark.parametrize(
    "name",
    [
        *("dsads", "mhealth", "motionsense", "pamap2", "realworld2016", "spsw_har", "uci_har", "usc_had"),
        *("utd_mhad", "wisdm"),
    ],
)
def test_an_empty_folder_says_where_to_get_the_set(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=r"either give a different root or download it from https?://"):
        list(load_recordings(name, tmp_path))
