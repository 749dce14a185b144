"""Sets that cannot be had here: files written in exactly the published layout, with signals known in SI units.

A still sensor reads gravity along a chosen axis and turns at a chosen rate; each test writes it in the set's own
units and order of columns and expects m/s^2 and rad/s back.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from datamodules.har import READERS, load_recordings
from datamodules.har.activities import ACTIVITIES
from sim.placements.presets import PLACEMENT_NAMES

G = 9.80665
UP = np.array([[0.0, 0.0, G], [G, 0.0, 0.0], [0.0, -G, 0.0], [0.0, 0.6 * G, 0.8 * G], [0.8 * G, 0.0, -0.6 * G]])
TURN = np.array([[0.1, 0.2, 0.3], [-0.4, 0.5, 0.6], [0.7, -0.8, 0.9], [1.0, 1.1, -1.2], [1.3, 1.4, 1.5]])
DEG = np.pi / 180


def test_the_registry_speaks_the_common_vocabulary():
    for name, real in READERS.items():
        assert set(real.labels) <= set(ACTIVITIES), name
        assert set(real.placements) <= set(PLACEMENT_NAMES), name


@pytest.mark.parametrize("name", [name for name in READERS if name not in ("hapt", "basic_motions", "csv_folder")])
def test_an_empty_folder_says_where_to_get_the_set(name, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the folder is empty.*https?://") as caught:
        list(load_recordings(name, tmp_path))
    assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        list(load_recordings(name, tmp_path / "nowhere"))


# --- PAMAP2


def _pamap2_rows(count=500, start=5.0):
    rows = np.full((count, 54), np.nan)
    rows[:, 0] = start + np.arange(count) / 100
    rows[:, 1] = np.where(np.arange(count) < count // 2, 0, 4)
    rows[::11, 2] = 100
    for unit, first in enumerate((3, 20, 37)):
        rows[:, first] = 33.0
        rows[:, first + 1 : first + 4] = UP[unit]
        rows[:, first + 4 : first + 7] = UP[unit] + 0.5  # the accelerometer of +-6 g
        rows[:, first + 7 : first + 10] = TURN[unit]
        rows[:, first + 10 : first + 13] = 20.0
        rows[:, first + 13 : first + 17] = (1, 0, 0, 0)
    return rows


def _write_dat(path, rows, end="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [" ".join("NaN" if np.isnan(v) else f"{v:.10g}" for v in row) for row in rows]
    path.write_bytes((end.join(lines) + end).encode())


def test_pamap2(tmp_path, expect_still):
    root = tmp_path / "PAMAP2_Dataset"
    _write_dat(root / "Protocol" / "subject101.dat", _pamap2_rows())
    _write_dat(root / "Optional" / "subject101.dat", _pamap2_rows(), end=" \r\n")
    (root / "readme.txt").write_text("not data")
    optional, protocol = load_recordings("pamap2", tmp_path)
    assert (protocol.trial, optional.trial) == ("pamap2/protocol/101", "pamap2/optional/101")
    for recording in (protocol, optional):
        expect_still(recording, UP[:3], TURN[:3], labels=["", "walking"], subject="101")
        assert recording.rate_hz == 100
        assert recording.timing is not None
        assert not recording.timing.resampled


def test_pamap2_drops(tmp_path):
    rows = _pamap2_rows()
    rows[100, 3:20] = np.nan  # one packet of the hand
    rows[200:300, 37:54] = np.nan  # one second of the ankle
    _write_dat(tmp_path / "subject102.dat", rows)
    recordings = load_recordings("pamap2", tmp_path)
    (recording,) = recordings
    assert (recording.timing.filled, recording.timing.missing) == (2, 200)  # of two sensors
    assert np.isfinite(recording.accel[:, :2]).all()
    assert np.isnan(recording.accel[200:300, 2]).all()
    assert "2 missing samples filled; 200 missing samples left as NaN" in recordings.summary()


def test_pamap2_gap_splits(tmp_path, caplog):
    rows = _pamap2_rows()
    _write_dat(tmp_path / "subject103.dat", np.delete(rows, slice(100, 150), axis=0))
    with caplog.at_level("INFO"):
        first, second = load_recordings("pamap2", tmp_path)
    assert (len(first.accel), len(second.accel)) == (100, 350)
    assert (first.trial, second.trial) == ("pamap2/protocol/103/0", "pamap2/protocol/103/1")
    assert first.timing.gaps == 1
    assert "split at 1 gaps of 0.5 s in all" in caplog.text
    (whole,) = load_recordings("pamap2", tmp_path, max_gap_s=1.0)
    assert len(whole.accel) == 500


def test_bad_files_are_named_and_skipped_only_if_asked(tmp_path, caplog):
    _write_dat(tmp_path / "Protocol" / "subject101.dat", _pamap2_rows())
    _write_dat(tmp_path / "Protocol" / "subject102.dat", _pamap2_rows()[:, :53])
    (tmp_path / "Protocol" / "subject103.dat").write_text("")
    whole = (tmp_path / "Protocol" / "subject101.dat").read_bytes()
    (tmp_path / "Protocol" / "subject104.dat").write_bytes(whole[:-100])
    unknown = _pamap2_rows()
    unknown[300, 1] = 99
    _write_dat(tmp_path / "Protocol" / "subject105.dat", unknown)
    backwards = _pamap2_rows()
    backwards[10, 0] = 0.0
    _write_dat(tmp_path / "Protocol" / "subject106.dat", backwards)
    with pytest.raises(ValueError, match=r"subject102\.dat, line 1 has 53 columns, expected 54"):
        list(load_recordings("pamap2", tmp_path))
    recordings = load_recordings("pamap2", tmp_path, on_bad_file="skip")
    assert len(list(recordings)) == 1
    reasons = list(recordings.skipped.values())
    for reason, expected in zip(
        reasons,
        ("53 columns", "is empty", "cut off", "line 301 has label 99", "run backwards at sample 11"),
        strict=True,
    ):
        assert expected in reason
        assert "\n" not in reason
    assert "5 files left out" in recordings.summary()
    assert "subject103.dat" in caplog.text


def test_all_files_bad_is_an_error_even_if_skipping(tmp_path):
    (tmp_path / "subject101.dat").write_text("1 2 3\n")
    with pytest.raises(ValueError, match="none of 1 files could be read"):
        list(load_recordings("pamap2", tmp_path, on_bad_file="skip"))


def test_two_files_of_the_same_trial(tmp_path):
    for folder in ("a", "b"):
        _write_dat(tmp_path / folder / "Protocol" / "subject101.dat", _pamap2_rows())
    with pytest.raises(
        ValueError, match=r"b/Protocol/subject101\.dat and .*a/Protocol.* same trial pamap2/protocol/101"
    ):
        list(load_recordings("pamap2", tmp_path))
    recordings = load_recordings("pamap2", tmp_path, on_bad_file="skip")
    assert len(list(recordings)) == 1
    assert len(recordings.skipped) == 1


# --- mHealth, OPPORTUNITY


def test_mhealth(tmp_path, caplog):
    rows = np.zeros((300, 24))
    for first, site in ((0, 0), (5, 1), (14, 2)):
        rows[:, first : first + 3] = UP[site]
    for first in (8, 17):
        rows[:, first : first + 3] = [0.6, 0.0, 0.8]  # a direction, as the published files have in place of a rate
    rows[:, 23] = np.repeat([0, 1, 5], 100)
    path = tmp_path / "MHEALTHDATASET" / "mHealth_subject7.log"
    path.parent.mkdir()
    np.savetxt(path, rows, fmt="%.8g", delimiter="\t")
    (recording,) = load_recordings("mhealth", tmp_path)
    assert recording.placements == ("chest", "left_ankle", "right_wrist")
    assert np.isnan(recording.gyro).all()
    assert "hold no angular rate" in caplog.text
    np.testing.assert_allclose(recording.accel, np.broadcast_to(UP[:3], (300, 3, 3)), rtol=1e-6)
    assert recording.labels[[0, 100, 299]].tolist() == ["", "standing", "climbing_stairs"]


def test_opportunity(tmp_path, expect_still):
    rows = np.full((300, 250), np.nan)
    rows[:, 0] = np.round(np.arange(300) * 1000 / 30)
    for unit in range(5):
        first = 37 + 13 * unit
        rows[:, first : first + 3] = np.round(UP[unit] / 9.8 * 1000)
        rows[:, first + 3 : first + 6] = np.round(TURN[unit] * 1000)
    rows[:, 243] = np.repeat([1, 2, 4], 100)
    _write_dat(tmp_path / "OpportunityUCIDataset" / "dataset" / "S2-ADL4.dat", rows)
    _write_dat(tmp_path / "OpportunityUCIDataset" / "dataset" / "S1-Drill.dat", rows)
    drill, adl = load_recordings("opportunity", tmp_path)
    for recording, subject in ((drill, "1"), (adl, "2")):
        expect_still(recording, UP[:5], TURN[:5], labels=["standing", "walking", "sitting"], subject=subject, rtol=2e-3)
        assert recording.placements[0] == "back"
        assert not recording.timing.resampled
    is_test = READERS["opportunity"].is_test
    assert (is_test(drill), is_test(adl)) == (False, True)


# --- MATLAB files


def test_usc_had(tmp_path, expect_still):
    readings = np.concatenate([np.tile(UP[0] / G, (200, 1)), np.tile(TURN[0] / DEG, (200, 1))], axis=1)
    folder = tmp_path / "USC-HAD" / "Subject13"
    folder.mkdir(parents=True)
    savemat(folder / "a10t2.mat", {"sensor_readings": readings, "activity_numbr": "10", "title": "USC"})
    (recording,) = load_recordings("usc_had", tmp_path)
    expect_still(recording, UP[:1], TURN[:1], labels=["sleeping"], subject="13")
    assert recording.rate_hz == 100
    savemat(folder / "a13t1.mat", {"sensor_readings": readings})
    with pytest.raises(ValueError, match=r"a13t1\.mat has label '13', which is not in the label map"):
        list(load_recordings("usc_had", tmp_path))
    savemat(folder / "a13t1.mat", {"readings": readings})
    with pytest.raises(ValueError, match=r"sensor_readings in .*a13t1\.mat has no array, expected \(T, 6\)"):
        list(load_recordings("usc_had", tmp_path))


def test_utd_mhad(tmp_path, expect_still):
    readings = np.concatenate([np.tile(UP[0] / G, (150, 1)), np.tile(TURN[0] / DEG, (150, 1))], axis=1)
    (tmp_path / "Inertial").mkdir()
    for action in (3, 27):
        savemat(tmp_path / "Inertial" / f"a{action}_s4_t1_inertial.mat", {"d_iner": readings})
    wave, squat = load_recordings("utd_mhad", tmp_path)
    expect_still(wave, UP[:1], TURN[:1], labels=["hand_wave"], subject="4")
    expect_still(squat, UP[:1], TURN[:1], labels=["squatting"], subject="4")
    assert (wave.placements, squat.placements) == (("right_wrist",), ("right_thigh",))
    assert READERS["utd_mhad"].is_test(wave)
