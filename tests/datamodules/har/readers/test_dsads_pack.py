"""DSADS as one file of arrays: the same people and numbers as the set's own text files, and what is wrong is named."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datamodules.har import load_recordings
from datamodules.har.readers.dsads import LABELS, PLACEMENTS
from datamodules.har.readers.dsads_pack import UNITS

EIGHT_PEOPLE = "data/imu/dsads_9activities_8people.npz"
WritePack = Callable[..., Path]


@pytest.fixture
def write_pack(tmp_path: Path) -> WritePack:
    """Write a small pack, arrays replaced or, where None is given, left out."""

    def write(name: str = "dsads_small.npz", **changes: object) -> Path:
        generator = np.random.default_rng(0)
        arrays: dict[str, object] = {
            "accel": generator.integers(-4000, 4000, (4, 125, 5, 3)).astype(np.int16),
            "gyro": generator.integers(-4000, 4000, (4, 125, 5, 3)).astype(np.int16),
            "accel_scale": np.float64(0.004),
            "gyro_scale": np.float64(0.001),
            "activity": np.array(["a09", "a12", "a18", "a03"]),
            "subject": np.array(["p1", "p1", "p2", "p2"]),
            "segment": np.array([1, 3, 1, 59]),
            "units": np.array(UNITS),
            "rate_hz": np.float64(25),
        }
        path = tmp_path / name
        np.savez(path, **{key: value for key, value in (arrays | changes).items() if value is not None})  # type: ignore[arg-type]
        return path

    return write


def test_eight_people_are_those_of_the_text_files(shared: Path, tmp_path: Path) -> None:
    packed = {recording.trial: recording for recording in load_recordings("dsads", shared / EIGHT_PEOPLE)}
    assert len(packed) == 8 * 9 * 30
    assert {recording.subject for recording in packed.values()} == {f"p{number}" for number in range(1, 9)}
    with tarfile.open(shared / "data" / "imu" / "dsads.tar.xz") as archive:
        members = [member for member in archive if re.search(r"a(03|12|18)/p[12]/s0[13]\.txt", member.name)]
        archive.extractall(tmp_path, members=members, filter="data")
    texts = list(load_recordings("dsads", tmp_path))
    assert len(texts) == 3 * 2 * 2
    for text in texts:
        pack = packed[text.trial]
        assert (pack.labels, pack.subject, pack.placements) == (text.labels, text.subject, text.placements)
        # Rounded to whole steps of 0.004 m/s^2 and 0.001 rad/s; half a step and what float32 adds.
        assert np.abs(pack.accel - text.accel).max() <= 0.00201
        assert pack.gyro is not None
        assert text.gyro is not None
        assert np.abs(pack.gyro - text.gyro).max() <= 0.000501


@pytest.mark.parametrize("by", ["file", "folder"])
def test_scales_people_and_activities_come_out(write_pack: WritePack, by: str) -> None:
    path = write_pack()
    recordings = list(load_recordings("dsads", path if by == "file" else path.parent))
    assert [recording.labels for recording in recordings] == ["walking", "running", "jumping", "lying_on_back"]
    assert [recording.trial for recording in recordings][3] == "dsads/a03/p2/s59"
    with np.load(path) as data:
        np.testing.assert_allclose(recordings[1].accel, data["accel"][1] * 0.004, atol=1e-5)
        np.testing.assert_allclose(recordings[1].gyro, data["gyro"][1] * 0.001, atol=1e-6)
    assert tuple(recordings[0].placements) == PLACEMENTS
    assert len(PLACEMENTS) == len(UNITS)


def test_the_sets_own_files_go_before_a_pack(write_pack: WritePack) -> None:
    folder = write_pack().parent / "a12" / "p3"
    folder.mkdir(parents=True)
    np.savetxt(folder / "s07.txt", np.tile(np.arange(45.0), (4, 1)), delimiter=",")
    (recording,) = load_recordings("dsads", folder.parents[1])
    assert (recording.labels, recording.subject) == (LABELS[11], "p3")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gyro": None, "segment": None}, "dsads_small.npz lacks gyro, segment, expected the arrays accel, gyro"),
        ({"gyro": np.zeros((4, 124, 5, 3))}, "has accel .4, 125, 5, 3. and gyro .4, 124, 5, 3., expected"),
        ({"subject": np.array(["p1"])}, "has subject .1,., expected one for each of 4 segments"),
        ({"units": np.array(UNITS[::-1])}, "has units .'left_leg'.* expected .'torso'"),
        ({"rate_hz": np.float64(50)}, "at 50.0 Hz, expected .* at 25 Hz"),
        ({"accel_scale": np.float64(np.nan)}, "accel_scale and gyro_scale .nan, 0.001., expected numbers > 0"),
        ({"activity": np.array(["a09", "a99", "a18", "a03"])}, "a99/p1/s03 lies in activity folder a99, expected a01"),
        ({"subject": np.array([{"p": 1}] * 4, dtype=object)}, "Object arrays cannot be loaded"),
    ],
)
def test_what_is_wrong_is_named(write_pack: WritePack, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(load_recordings("dsads", write_pack(**changes)))


def test_a_damaged_file_and_one_of_two_are_named(write_pack: WritePack, tmp_path: Path) -> None:
    path = write_pack()
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match="not a zip file"):
        list(load_recordings("dsads", path))
    write_pack("dsads_other.npz")
    with pytest.raises(ValueError, match=r"holds dsads_other\.npz, dsads_small\.npz, expected one"):
        list(load_recordings("dsads", tmp_path))


def test_another_file_says_what_was_expected(tmp_path: Path) -> None:
    path = tmp_path / "dsads.zip"
    path.write_bytes(b"PK")
    with pytest.raises(FileNotFoundError, match=r"data/aNN/pN/sNN\.txt and no dsads\*\.npz of DSADS"):
        list(load_recordings("dsads", path))
