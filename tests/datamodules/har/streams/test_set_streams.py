"""Sets packed once: anew when a file, an option or the reader changes, and never by halves."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datamodules.har import RealIMUDataModule, Recordings, load_recordings
from datamodules.har.recordings.reading import Reading
from datamodules.har.streams import channel_names, groups_and_sites, stream_of_recording
from datamodules.har.streams.set_streams import RealStreams, is_packed, pack_streams

DESCRIPTION = """
files: '(?P<subject>s[0-9]+)_(?P<activity>[a-z]+)\\.csv'
rate_hz: 50
units: {accel: g, gyro: deg/s}
gravity: included
sensors:
  waist: {accel: [ax, ay, az], gyro: [gx, gy, gz]}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "imuforge.yaml").write_text(DESCRIPTION)
    rng = np.random.default_rng(0)
    for number in range(4):
        for label in ("walking", "standing"):
            _write(folder / f"s{number}_{label}.csv", rng.standard_normal((300, 6)))
    return folder


def _write(path: Path, table: np.ndarray) -> None:
    np.savetxt(path, table, delimiter=",", header="ax,ay,az,gx,gy,gz", comments="")


def _source(root: Path) -> RealStreams:
    return RealStreams("csv_folder", root, 50.0, ("accel", "gyro"), ("waist",), "error", 0.25)


def test_a_pack_holds_what_the_reader_reads(root: Path, tmp_path: Path) -> None:
    shards = pack_streams(_source(root), tmp_path / "cache")
    recordings = list(load_recordings("csv_folder", root))
    assert shards.trials.tolist() == [recording.trial for recording in recordings]
    for number, recording in enumerate(recordings):
        expected = stream_of_recording(recording, ("accel", "gyro"), ("waist",)).values
        begin, end = shards.start[number], shards.start[number] + shards.runs.lengths[number]
        np.testing.assert_array_equal(shards.map(int(shards.shard[number]))[begin:end], expected.astype(np.float32))
    assert "8 recordings, 2400 samples" in shards.notes[0]


def test_a_set_is_read_once(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pack_streams(_source(root), tmp_path / "cache")
    monkeypatch.setattr(
        "datamodules.har.streams.set_streams.load_recordings", lambda *_, **__: pytest.fail("read again")
    )
    again = pack_streams(_source(root), tmp_path / "cache")
    assert again.folder == first.folder
    assert again.trials.tolist() == first.trials.tolist()


def test_the_cache_may_lie_below_the_home_folder(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert pack_streams(_source(root), "~/cache").folder.parent == tmp_path / "home" / "cache"
    assert is_packed(_source(root), "~/cache")


def test_a_file_that_was_touched_or_removed_is_noticed(root: Path) -> None:
    keys = [_source(root).key()]
    os.utime(root / "s0_walking.csv", (1, 1))
    keys.append(_source(root).key())
    (root / "s0_walking.csv").unlink()
    keys.append(_source(root).key())
    assert len(set(keys)) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"rate_hz": 25.0},
        {"channels": ("gyro",)},
        {"placements": ("chest",)},
        {"on_bad_file": "skip"},
        {"max_gap_s": 0.5},
    ],
)
def test_every_option_has_a_pack_of_its_own(root: Path, change: dict) -> None:
    assert replace(_source(root), **change).key() != _source(root).key()


def test_a_change_of_the_files_or_of_the_reader_is_noticed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [_source(root).key()]
    assert _source(root).key() == keys[0]
    _write(root / "s0_walking.csv", np.zeros((300, 6)))
    keys.append(_source(root).key())
    _write(root / "s9_walking.csv", np.zeros((300, 6)))
    keys.append(_source(root).key())
    (root / "imuforge.yaml").write_text(DESCRIPTION.replace("deg/s", "rad/s"))
    keys.append(_source(root).key())
    monkeypatch.setattr("datamodules.har.streams.set_streams.reader_version", lambda: "another")
    keys.append(_source(root).key())
    assert len(set(keys)) == 5


def test_a_bad_file_among_good_ones_is_named_and_leaves_nothing(root: Path, tmp_path: Path) -> None:
    (root / "s2_walking.csv").write_text("ax,ay,az,gx,gy,gz\n1,2,3,4,5,6\n1,2,3\n")
    with pytest.raises(ValueError, match=r"s2_walking\.csv, line 3 has 3 columns, expected 6"):
        pack_streams(_source(root), tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]
    shards = pack_streams(replace(_source(root), on_bad_file="skip"), tmp_path / "cache")
    assert len(shards) == 7
    assert "1 files left out" in shards.notes[0]
    assert "s2_walking.csv" in shards.notes[0]


def test_recordings_of_other_sites_are_left_out_and_counted(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list(load_recordings("csv_folder", root))
    mixed = [*read[:5], *(replace(recording, placements=("chest",)) for recording in read[5:])]
    monkeypatch.setattr(
        "datamodules.har.streams.set_streams.load_recordings",
        lambda name, root, **_: Recordings(name, iter(mixed), Reading()),
    )
    shards = pack_streams(_source(root), tmp_path / "cache")
    assert len(shards) == 5
    assert shards.notes[1] == "3 recordings of other sites than waist left out"


def test_a_site_that_no_recording_has_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no recording in csv_folder, expected some; check its root, placements"):
        pack_streams(replace(_source(root), placements=("chest",)), tmp_path / "cache")


def _pack_and_tell(source: RealStreams, cache: Path, said: Path) -> None:
    shards = pack_streams(source, cache, progress=lambda done, name: time.sleep(0.01))
    (said / str(os.getpid())).write_text(str(shards.folder))


def test_several_processes_may_begin_at_once(root: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    (tmp_path / "said").mkdir()
    arguments = (_source(root), tmp_path / "cache", tmp_path / "said")
    processes = [context.Process(target=_pack_and_tell, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    told = {path.read_text() for path in (tmp_path / "said").iterdir()}
    assert [process.exitcode for process in processes] == [0] * 3
    assert told == {str(tmp_path / "cache" / _source(root).key())}


_SLOWLY = """
import sys, time
from pathlib import Path
from datamodules.har.streams.set_streams import RealStreams, pack_streams
source = RealStreams("csv_folder", Path(sys.argv[1]), 50.0, ("accel", "gyro"), ("waist",), "error", 0.25)
def progress(done, name):
    print(done, flush=True)
    time.sleep(0.2)
pack_streams(source, sys.argv[2], progress=progress)
"""


def test_a_killed_run_is_no_half_set_to_the_next(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _SLOWLY, str(root), str(tmp_path / "cache")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    while process.stdout.readline().strip() != b"3":
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not is_packed(_source(root), tmp_path / "cache")
    assert len(pack_streams(_source(root), tmp_path / "cache")) == 8
    assert not list((tmp_path / "cache").glob("*.part"))


def test_a_damaged_pack_is_named(root: Path, tmp_path: Path) -> None:
    shards = pack_streams(_source(root), tmp_path / "cache")
    with (shards.folder / "shard-00000.f32").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(ValueError, match=r"shard-00000\.f32 has 100 bytes, expected .*; delete .* to pack anew"):
        pack_streams(_source(root), tmp_path / "cache")


def test_what_was_read_and_dropped_is_said(root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _write(root / "s5_running.csv", np.ones((300, 6)))
    _write(root / "s6_walking.csv", np.ones((20, 6)))
    data = RealIMUDataModule(
        "csv_folder",
        str(root),
        classes=["walking", "standing"],
        placements=["waist"],
        split="loso",
        cache_dir=str(tmp_path / "cache"),
    )
    with caplog.at_level("INFO"):
        data.prepare_data()
        data.setup()
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert "10 recordings" in said
    assert "other label 3 (running 3)" in said
    assert "recordings shorter than a window: 1" in said
    assert "test: 6 windows of 1 people: walking 3 (50%), standing 3 (50%)" in said


def test_a_class_that_only_the_files_could_tell_is_checked_once_they_are_read(root: Path, tmp_path: Path) -> None:
    data = RealIMUDataModule(
        "csv_folder",
        str(root),
        classes=["waking"],
        placements=["waist"],
        split="loso",
        cache_dir=str(tmp_path / "cache"),
    )
    with pytest.raises(ValueError, match=r"unknown activity 'waking', expected one of .*did you mean walking"):
        data.setup()


@pytest.mark.parametrize("sites", [("",), ("left_wrist", "chest")])
@pytest.mark.parametrize("groups", [("accel", "gyro"), ("gyro",), ("linear_accel", "accel")])
def test_names_of_channels_tell_groups_and_sites(groups: tuple[str, ...], sites: tuple[str, ...]) -> None:
    names = channel_names(groups, sites)
    assert groups_and_sites(names) == (groups, None if sites == ("",) else sites)
    with pytest.raises(ValueError, match="are none that windows have"):
        groups_and_sites(names[1:])
