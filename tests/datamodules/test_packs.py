"""Folders written once: by one of several processes, whole or not at all."""

import errno
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from datamodules.packs import (
    INDEX,
    ShardWriter,
    check_shards,
    map_shard,
    read_index,
    shard_path,
    write_index,
    write_once,
)


def _write(folder, *, pause_s=0.0, log=None):
    writer = ShardWriter(folder, width=2, max_rows=3)
    for number in range(4):
        writer.add(np.full((2, 2), number, dtype=np.float32))
        time.sleep(pause_s)
    writer.close()
    write_index(folder, {"rows": np.array(writer.rows)})
    if log is not None:
        with log.open("a") as file:
            file.write(f"{os.getpid()}\n")


def test_rows_come_back_from_files_of_limited_size(tmp_path):
    target = write_once(tmp_path, "made", _write)
    with np.load(target / INDEX) as data:
        rows = data["rows"].tolist()
    assert rows == [4, 4]  # closed at the first array that ends beyond three rows
    check_shards(target, rows, width=2)
    np.testing.assert_array_equal(map_shard(target, 1, 4, width=2)[:, 0], [2, 2, 3, 3])
    assert sorted(path.name for path in target.iterdir()) == [INDEX, "shard-00000.f32", "shard-00001.f32"]


def test_rows_of_another_width_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"rows of shape \(2, 3\), expected \(T, 2\)"):
        ShardWriter(tmp_path, width=2, max_rows=3).add(np.zeros((2, 3), dtype=np.float32))


def test_what_is_mapped_cannot_be_written_to(tmp_path):
    target = write_once(tmp_path, "made", _write)
    with pytest.raises(ValueError, match="read-only"):
        map_shard(target, 0, 4, width=2)[0] = 1


def test_a_file_that_shrank_is_named(tmp_path):
    target = write_once(tmp_path, "made", _write)
    with shard_path(target, 0).open("r+b") as file:
        file.truncate(8)
    with pytest.raises(ValueError, match=r"shard-00000\.f32 has 8 bytes, expected 32; delete"):
        check_shards(target, [4, 4], width=2)


def test_an_error_leaves_nothing(tmp_path):
    def fail(folder):
        ShardWriter(folder, width=2, max_rows=3).add(np.zeros((2, 2), dtype=np.float32))
        raise ValueError("line 3 of x.csv is bad")

    with pytest.raises(ValueError, match="line 3"):
        write_once(tmp_path, "made", fail)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
    assert write_once(tmp_path, "made", _write).is_dir()


@pytest.mark.parametrize(("number", "said"), [(errno.ENOSPC, "No space left"), (errno.EROFS, "Read-only file system")])
def test_a_full_disk_is_said_in_one_line_and_leaves_nothing(tmp_path, number, said):
    def fill(folder):
        _write(folder)
        raise OSError(number, os.strerror(number))

    with pytest.raises(ValueError, match=rf"packs cannot be written in {tmp_path} \({said}.*give another cache_dir"):
        write_once(tmp_path, "made", fill)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_source_that_cannot_be_read_is_not_taken_for_a_full_disk(tmp_path):
    def fail(folder):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/elsewhere/s1.csv")

    with pytest.raises(PermissionError, match=r"s1\.csv"):
        write_once(tmp_path / "cache", "made", fail)


def test_a_file_in_place_of_the_cache_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"file is a file, expected a folder to keep packs in; give another cache_dir"):
        write_once(tmp_path / "file", "made", _write)
    with pytest.raises(ValueError, match=r"packs cannot be written in .*file/below \(Not a directory\)"):
        write_once(tmp_path / "file" / "below", "made", _write)


@pytest.mark.parametrize("kept", [0, 30, 200, None])
def test_a_damaged_index_is_named(tmp_path, kept):
    target = write_once(tmp_path, "made", _write)
    whole = (target / INDEX).read_bytes()
    (target / INDEX).write_bytes(b"no archive" if kept is None else whole[:kept])
    with pytest.raises(ValueError, match=rf"{INDEX} is damaged \(\d+ bytes\); delete {target} to pack anew"):
        read_index(target, ["rows"])


def test_an_index_without_what_is_asked_of_it_is_named(tmp_path):
    target = write_once(tmp_path, "made", _write)
    assert read_index(target, ["rows"])["rows"].tolist() == [4, 4]
    with pytest.raises(ValueError, match="is damaged"):
        read_index(target, ["rows", "columns"])


def test_a_killed_run_of_a_machine_with_dots_in_its_name_is_cleared_away(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "node1.cluster.example")

    monkeypatch.setattr("datamodules.packs.shutil.rmtree", lambda *_, **__: None)  # as SIGKILL leaves it
    with pytest.raises(ZeroDivisionError):
        write_once(tmp_path, "made", lambda folder: 1 / 0)
    monkeypatch.undo()
    monkeypatch.setattr(socket, "gethostname", lambda: "node1.cluster.example")
    assert len(list(tmp_path.glob("*.part"))) == 1
    write_once(tmp_path, "made", _write)
    assert not list(tmp_path.glob("*.part"))


def _write_slowly(cache, log):
    write_once(cache, "made", lambda folder: _write(folder, pause_s=0.02, log=log))


def test_of_several_processes_one_writes(tmp_path):
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    processes = [context.Process(target=_write_slowly, args=(tmp_path / "cache", log)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert len(log.read_text().split()) == 1


_KILLED = """
import sys, time
from pathlib import Path
from datamodules.packs import ShardWriter, write_once
import numpy as np

def write(folder):
    writer = ShardWriter(folder, width=2, max_rows=3)
    for number in range(1000):
        writer.add(np.zeros((2, 2), dtype=np.float32))
        print("wrote", flush=True)
        time.sleep(0.05)

write_once(Path(sys.argv[1]), "made", write)
"""


def test_a_killed_run_leaves_nothing_that_counts_and_the_next_clears_it_away(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", _KILLED, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "made").exists()
    assert len(list(tmp_path.glob("*.part"))) == 1
    target = write_once(tmp_path, "made", _write)
    check_shards(target, [4, 4], width=2)
    assert not list(tmp_path.glob("*.part"))


def test_what_another_machine_is_writing_is_left_alone_until_it_is_old(tmp_path):
    busy, forgotten = (tmp_path / f"made.elsewhere.{number}.part" for number in (1, 2))
    for folder in (busy, forgotten):
        folder.mkdir()
        (folder / "shard-00000.f32").touch()
    long_ago = time.time() - 3 * 24 * 3600
    os.utime(forgotten / "shard-00000.f32", (long_ago, long_ago))
    os.utime(forgotten, (long_ago, long_ago))
    write_once(tmp_path, "made", _write)
    assert busy.is_dir()
    assert not forgotten.exists()


def test_where_locks_are_not_honoured_the_first_to_finish_wins(tmp_path):
    def overtaken(folder):
        _write(folder)
        other = tmp_path / f"made.elsewhere.{socket.gethostname()}.part"
        other.mkdir()
        _write(other)
        other.rename(tmp_path / "made")

    target = write_once(tmp_path, "made", overtaken)
    check_shards(target, [4, 4], width=2)
    assert not list(tmp_path.glob("*.part"))
