"""Kills at random moments: a program that writes whole files passes, one that does not is found out."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from experiments.tools.kill_tests import Subject, compare, find_cut_off, kill_and_compare, read_files

WRITER = """\
import sys, time
from pathlib import Path
folder, careful = Path(sys.argv[1]), sys.argv[2] == "careful"
for number in range(20):
    path = folder / f"{number}.json"
    if careful and path.is_file():
        continue
    if not careful and (folder / "0.json").is_file() and number == 0:
        number = 1000  # a run that was killed leaves a trace
        path = folder / "again.json"
    part = path.with_suffix(".part") if careful else path
    part.write_text(str(number))
    time.sleep(0.02)
    part.replace(path)
"""


def writer(kind: str) -> Subject:
    return Subject(lambda folder, caches: (sys.executable, "-c", WRITER, str(folder), kind), read_files)


@pytest.mark.parametrize(("kind", "differs"), [("careful", False), ("careless", True)])
def test_what_survives_kills_is_told_from_what_does_not(tmp_path: Path, kind: str, differs: bool) -> None:
    outcome = kill_and_compare(writer(kind), kills=3, folder=tmp_path, rng=random.Random(1))
    assert outcome.kills == 3
    assert outcome.compared >= 1
    assert bool(outcome.different) is differs


def test_names_and_contents_are_compared() -> None:
    assert compare({"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"}) == ["b", "c"]


def test_an_archive_that_is_cut_off_is_found(tmp_path: Path) -> None:
    (tmp_path / "half.npz").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / ".hidden.npz").write_bytes(b"PK")
    assert find_cut_off(tmp_path) == ["half.npz"]


def test_a_program_that_fails_by_itself_is_shown(tmp_path: Path) -> None:
    failing = Subject(lambda folder, caches: (sys.executable, "-c", "raise SystemExit('out of paper')"), read_files)
    with pytest.raises(RuntimeError, match="out of paper"):
        kill_and_compare(failing, kills=1, folder=tmp_path, rng=random.Random(0))
