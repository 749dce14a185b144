"""The list of simulated recordings: what is written comes back, and a row that lacks something is named by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamodules.har.streams.manifest import MANIFEST, add_to_manifest, read_manifest

HEAD = "file,label,subject,split\n"


def test_what_is_listed_comes_back(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("x")
        add_to_manifest(tmp_path / name, label=" walking ", subject="v1")
    add_to_manifest(tmp_path / "b.csv", label="running", split="test")
    table = read_manifest(tmp_path)
    assert table.to_numpy().tolist() == [["a.csv", "walking", "v1", "train"], ["b.csv", "running", "virtual", "test"]]


def test_a_byte_order_mark_and_missing_subjects_are_no_matter(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / MANIFEST).write_bytes(b"\xef\xbb\xbf" + f"{HEAD}a.csv,walking,,\n".encode())
    assert read_manifest(tmp_path).to_numpy().tolist() == [["a.csv", "walking", "virtual", "train"]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a.csv,walking,v,train\nb.csv,,v,train\n", r"manifest\.csv, line 3 has no label"),
        ("a.csv,  ,v,train\n", r"manifest\.csv, line 2 has no label"),
        ("a.csv,NA,v,train\n", r"manifest\.csv, line 2 has the label NA"),
        (",walking,v,train\n", r"manifest\.csv, line 2 has no file"),
        ("a.csv,walking,v,train\na.csv,running,v,train\n", r"manifest\.csv, line 3: a\.csv is listed twice"),
        ("a.csv,walking,v,train\n./a.csv,running,v,train\n", r"manifest\.csv, line 3: \./a\.csv is listed twice"),
        ("a.csv,walking,v,train,more\n", r"manifest\.csv is no table|manifest\.csv"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, rows: str, message: str) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("x")
    (tmp_path / MANIFEST).write_text(HEAD + rows)
    with pytest.raises(ValueError, match=message):
        read_manifest(tmp_path)


def test_an_empty_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text("")
    with pytest.raises(ValueError, match=r"manifest\.csv is empty"):
        read_manifest(tmp_path)
