"""DSADS as one file of arrays: the same people and numbers as the set's own text files, and what is wrong is named."""

from __future__ import annotations

import re
import tarfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from datamodules.assets.build_dsads import build
from datamodules.har import RealIMUDataModule, Recording, load_recordings
from datamodules.har.readers.dsads import ACTIVITIES, LABELS, PLACEMENTS
from datamodules.har.readers.dsads_pack import (
    EMBEDDED,
    EMBEDDED_ACTIVITIES,
    STEP_ACCEL,
    STEP_GYRO,
    UNITS,
    write_embedded,
)
from sim.conventions import STANDARD_GRAVITY

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


@pytest.fixture(scope="module")
def embedded() -> list[Recording]:
    return list(load_recordings("dsads"))


def test_nine_activities_of_eight_people_come_with_the_package(embedded: list[Recording]) -> None:
    labels = [ACTIVITIES[folder] for folder in EMBEDDED_ACTIVITIES]
    assert {"walking", "running", "jumping", "standing", "sitting"} < set(labels)
    counted = Counter((recording.labels, recording.subject) for recording in embedded)
    assert counted == dict.fromkeys(product(labels, (f"p{number}" for number in range(1, 9))), 30)
    assert {recording.trial.rpartition("/")[2] for recording in embedded} == {f"s{n:02d}" for n in range(1, 60, 2)}
    for recording in embedded:
        assert recording.accel.shape == (125, 5, 3)
        assert recording.gyro is not None
        assert recording.gyro.shape == (125, 5, 3)
        assert (recording.rate_hz, tuple(recording.placements)) == (25.0, PLACEMENTS)
        # In the set the last second of some segments is zeros, of all units: those samples are missing.
        silent = recording.timing is not None and recording.timing.dead > 0
        known = slice(0, 100) if silent else slice(None)
        assert np.isfinite(recording.accel[known]).all()
        assert np.isfinite(recording.gyro[known]).all()
        assert not silent or np.isnan(recording.accel[100:]).all()
    silent = Counter((one.labels, one.subject) for one in embedded if one.timing is not None and one.timing.dead)
    stairs = dict.fromkeys(product(("walking_upstairs", "walking_downstairs"), ("p1", "p6")), 30)
    assert silent == stairs | {("jumping", "p6"): 19}


def test_embedded_people_stand_in_gravity_and_run_in_si_units(embedded: list[Recording]) -> None:
    force: dict[str, float] = {}
    turning: dict[str, float] = {}
    for label in ("standing", "sitting", "running", "jumping"):
        mine = [recording for recording in embedded if recording.labels == label]
        force[label] = float(np.median([np.nanmean(np.linalg.norm(each.accel, axis=-1)) for each in mine]))
        turning[label] = float(np.median([np.nanmean(np.linalg.norm(each.gyro, axis=-1)) for each in mine]))  # type: ignore[arg-type]
    assert force["standing"] == pytest.approx(STANDARD_GRAVITY, abs=0.2)
    assert force["sitting"] == pytest.approx(STANDARD_GRAVITY, abs=0.2)
    assert turning["standing"] < 0.1 < 1.0 < turning["running"] < 10.0
    # Somebody who leaves the ground again and again is carried by it the harder while on it.
    peak = np.median([np.nanmax(each.accel[:, 0, 0]) for each in embedded if each.labels == "jumping"])
    assert peak > 2 * STANDARD_GRAVITY


def test_embedded_people_are_those_of_the_file(shared: Path, embedded: list[Recording], tmp_path: Path) -> None:
    whole = {recording.trial: recording for recording in load_recordings("dsads", shared / EIGHT_PEOPLE)}
    assert [recording.trial for recording in embedded] == list(whole)
    for recording in embedded:
        other = whole[recording.trial]
        assert (recording.labels, recording.subject) == (other.labels, other.subject)
        assert recording.gyro is not None
        assert other.gyro is not None
        # Half a step and what float32 adds; missing at the same places.
        np.testing.assert_allclose(recording.accel, other.accel, rtol=0, atol=STEP_ACCEL / 2 + 1e-5)
        np.testing.assert_allclose(recording.gyro, other.gyro, rtol=0, atol=STEP_GYRO / 2 + 1e-5)
    build(shared / EIGHT_PEOPLE, tmp_path / "dsads.npz")
    with np.load(tmp_path / "dsads.npz") as again, np.load(EMBEDDED) as shipped:
        for name in shipped.files:
            np.testing.assert_array_equal(again[name], shipped[name])


def test_what_is_packed_comes_out_again(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    # The largest steps up and down that sixteen bits hold: their difference does not, and wraps.
    ends = np.array([-1.0, 1.0])[generator.integers(0, 2, (20, 5, 3))]
    segments = [
        Recording(
            accel=(ends * 32767 * STEP_ACCEL).astype(np.float32),
            gyro=(generator.uniform(-20, 20, (20, 5, 3))).astype(np.float32),
            gravity_included=True,
            rate_hz=25.0,
            labels=label,
            subject="p7",
            trial=f"dsads/{folder}/p7/s05",
            placements=PLACEMENTS,
            mounting="",
        )
        for label, folder in (("running", "a12"), ("lying_on_back", "a03"))
    ]
    path = tmp_path / "dsads.npz"
    write_embedded(path, segments, {label: folder for folder, label in ACTIVITIES.items()})
    read = list(load_recordings("dsads", path))
    assert [each.trial for each in read] == [each.trial for each in segments]
    for one, other in zip(read, segments, strict=True):
        np.testing.assert_allclose(one.accel, other.accel, atol=1e-3)
        np.testing.assert_allclose(one.gyro, other.gyro, atol=STEP_GYRO / 2 + 1e-5)  # type: ignore[arg-type]
    large = [replace(segments[0], accel=segments[0].accel * 1.01)]
    with pytest.raises(ValueError, match=r"accel reaches 661\.9, too large for 16 bits in steps of 0\.02"):
        write_embedded(path, large, {"running": "a12"})


def test_an_activity_that_is_not_embedded_asks_for_the_whole_set() -> None:
    message = "rowing of dsads does not come with this package, expected some of sitting, .*; give the folder"
    with pytest.raises(ValueError, match=message):
        RealIMUDataModule("dsads", classes=["walking", "rowing"], split="loso")
    RealIMUDataModule("dsads", "anywhere", classes=["walking", "rowing"], split="loso")
