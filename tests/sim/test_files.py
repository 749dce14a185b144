"""Files appear whole or not at all; the truth is the folder afterwards, with a full device and a real kill."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sim.files import clear_left_overs, whole_file


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(path: Path, content: str, *, then: Exception | None = None) -> None:
    with whole_file(path) as part:
        part.write_text(content, encoding="utf-8")
        if then is not None:
            raise then


def write_to_a_full_disk(path: Path) -> None:
    with whole_file(path) as part:
        part.symlink_to("/dev/full")
        with part.open("wb") as file:
            np.savez(file, values=np.zeros(100_000))


def test_a_file_appears_only_once_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.txt"
    with whole_file(path) as part:
        part.write_text("whole", encoding="utf-8")
        assert not path.exists()
    assert path.read_text(encoding="utf-8") == "whole"
    assert names_in(path.parent) == ["table.txt"]


def test_a_binary_archive_keeps_its_name_and_its_arrays(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.npz") as part, part.open("wb") as file:
        np.savez(file, values=np.arange(3))
    assert names_in(tmp_path) == ["a.npz"]
    with np.load(tmp_path / "a.npz") as data:
        np.testing.assert_array_equal(data["values"], [0, 1, 2])


def test_what_was_there_stays_when_the_writer_fails(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    write(path, "before")
    with pytest.raises(KeyError):
        write(path, "after", then=KeyError("a writer's own trouble"))
    assert path.read_text(encoding="utf-8") == "before"
    assert names_in(tmp_path) == ["table.txt"]


def test_what_was_there_stays_when_the_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    write(path, "before")
    writer = (
        "import os, signal, sys; from pathlib import Path; from sim.files import clear_left_overs, whole_file\n"
        "with whole_file(Path(sys.argv[1])) as part:\n"
        "    part.write_text('after'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", writer, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text(encoding="utf-8") == "before"


def test_the_bytes_are_on_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, flushed, flush = tmp_path / "table.txt", [], os.fsync

    def watch(handle: int) -> None:
        flushed.append((os.fstat(handle).st_ino, path.exists()))
        flush(handle)

    monkeypatch.setattr(os, "fsync", watch)
    write(path, "whole")
    assert flushed == [(path.stat().st_ino, False)]


def test_two_writers_of_one_process_do_not_share_a_place(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    with whole_file(path) as first, whole_file(path) as second:
        first.write_text("first", encoding="utf-8")
        second.write_text("second", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == "first"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_a_full_disk_is_one_line_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "table.npz"
    with pytest.raises(OSError) as refused:
        write_to_a_full_disk(path)
    assert str(refused.value) == (
        f"{path} cannot be written ({os.strerror(errno.ENOSPC)}), expected a file in a folder that takes it; "
        "choose another"
    )
    assert names_in(tmp_path) == []


def test_a_file_in_the_folders_place_is_one_line_of_the_systems_class(tmp_path: Path) -> None:
    write(tmp_path / "taken", "")
    with pytest.raises(FileExistsError, match=r"taken/a\.txt cannot be written \(File exists\)"):
        write(tmp_path / "taken" / "a.txt", "")


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="the system has no folder that nobody may write to")
def test_a_read_only_folder_is_one_line() -> None:
    said = r"/sys/kernel/a\.txt cannot be written \((Permission denied|Read-only file system)\)"
    with pytest.raises(OSError, match=said):
        write(Path("/sys/kernel/a.txt"), "")


def test_trouble_with_another_file_is_told_as_it_is(tmp_path: Path) -> None:
    trouble = FileNotFoundError(errno.ENOENT, "No such file or directory", str(tmp_path / "source.txt"))
    with pytest.raises(FileNotFoundError) as refused:
        write(tmp_path / "a.txt", "", then=trouble)
    assert refused.value is trouble


def test_old_left_overs_of_killed_writers_go_and_fresh_ones_stay(tmp_path: Path) -> None:
    names = (".old.npz.1-0.part", ".fresh.npz.1-0.part", "kept.npz")
    for name in names:
        (tmp_path / name).write_text("x", encoding="utf-8")
    os.utime(tmp_path / names[0], (0, 0))
    os.utime(tmp_path / names[2], (0, 0))
    clear_left_overs(tmp_path)
    assert names_in(tmp_path) == sorted(names[1:])
