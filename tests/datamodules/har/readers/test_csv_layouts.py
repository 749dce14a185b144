"""Tables as other programs write them: each is read as the signal that was written, or the remedy is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from datamodules.har import load_recordings

RATE = 50.0


def signal(count: int = 200) -> np.ndarray:
    time = np.arange(count) / RATE
    return np.stack([0.3 * np.sin(time), 0.2 * np.cos(2 * time), 9.8 + 0.1 * np.sin(3 * time)], axis=1).round(6)


def describe(folder: Path, **changes: object) -> Path:
    about = {
        "name": "mine",
        "files": r"(?P<subject>s\d+)_(?P<activity>\w+)\.csv",
        "rate_hz": RATE,
        "time": {"column": "t", "unit": "s"},
        "units": {"accel": "m/s^2"},
        "gravity": "included",
        "sensors": {"right_wrist": {"accel": ["ax", "ay", "az"]}},
        **changes,
    }
    (folder / "imuforge.yaml").write_text(yaml.safe_dump({key: one for key, one in about.items() if one is not None}))
    return folder


def rows(*, delimiter: str = ",", end: str = "", decimal: str = ".", stamp: str = "{:.3f}") -> list[str]:
    time = np.arange(200) / RATE
    numbers = [[stamp.format(one), *(f"{value:.6f}" for value in row)] for one, row in zip(time, signal(), strict=True)]
    return [delimiter.join(row).replace(".", decimal) + end for row in numbers]


def write(folder: Path, lines: list[str], encoding: str = "utf-8") -> Path:
    (folder / "s1_walking.csv").write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
    return folder


def read(folder: Path) -> np.ndarray:
    return np.concatenate([one.accel[:, 0] for one in load_recordings("csv_folder", folder)])


HEAD = "t,ax,ay,az"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEAD.replace(",", ";"), *rows(delimiter=";")], r'set delimiter: ";"'),
        ([HEAD.replace(",", ";"), *rows(delimiter=";", decimal=",")], r'set delimiter: ";"'),
        ([HEAD.replace(",", "\t"), *rows(delimiter="\t")], r'set delimiter: "\\t"'),
        (["Device: x", "Start: today, now", HEAD, *rows()], "begin at line 3, after a preamble: set skip_lines: 2"),
        (["Device", HEAD, *rows()], "skip_lines: 1"),
        ([HEAD, *rows(), "# end of log"], r"line 202 .*leave it out with skip_lines: \[202\]"),
        ([HEAD, *rows()[:50], "0.1,2", *rows()[50:]], r"line 52 has 2 columns, expected 4 .*skip_lines: \[52\]"),
    ],
)
def test_another_layout_is_named_with_its_remedy(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=rf"s1_walking\.csv.*{message}") as caught:
        read(write(describe(tmp_path), lines))
    assert "download" not in str(caught.value)


def test_the_remedies_work(tmp_path: Path) -> None:
    for lines, remedy in (
        ([HEAD.replace(",", ";"), *rows(delimiter=";")], {"delimiter": ";"}),
        ([HEAD.replace(",", ";"), *rows(delimiter=";", decimal=",")], {"delimiter": ";", "decimal": ","}),
        (["Device: x", "Start: today, now", HEAD, *rows()], {"skip_lines": 2}),
        ([HEAD, *rows(), "# end of log"], {"skip_lines": [202]}),
    ):
        found = read(write(describe(tmp_path, **remedy), lines))
        np.testing.assert_allclose(found, signal(), atol=1e-6)


@pytest.mark.parametrize("end", [",", ";", ", "])
def test_a_delimiter_at_every_end_is_no_column(tmp_path: Path, end: str) -> None:
    np.testing.assert_allclose(read(write(describe(tmp_path), [HEAD, *rows(end=end)])), signal(), atol=1e-6)


def test_a_missing_last_value_is_no_trailing_delimiter(tmp_path: Path) -> None:
    lines = [HEAD, *rows()]
    lines[20] = lines[20].rpartition(",")[0] + ","
    assert len(read(write(describe(tmp_path), lines))) == 200


def test_utf16_is_named_and_windows_1252_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match=r"s1_walking\.csv is UTF-16.*save it as CSV UTF-8"):
        read(write(describe(tmp_path), [HEAD, *rows()], "utf-16"))
    about = describe(tmp_path, label_column="tätigkeit", labels={"käsen": "walking"})
    lines = [HEAD + ",tätigkeit", *(row + ",käsen" for row in rows())]
    (recording,) = load_recordings("csv_folder", write(about, lines, "cp1252"))
    assert set(recording.labels) == {"walking"}
    assert any("line 1 is no UTF-8; taken as Windows-1252" in message for message in caplog.messages)


def test_labels_stay_text(tmp_path: Path) -> None:
    words = ["01"] * 100 + ["02"] * 100
    lines = [HEAD + ",lab", *(f"{row},{word}" for row, word in zip(rows(), words, strict=True))]
    for labels in ({"01": "walking", "02": "running"}, {"1": "walking", "2": "running"}):
        about = describe(tmp_path, label_column="lab", labels=labels)
        (recording,) = load_recordings("csv_folder", write(about, lines))
        assert recording.labels[[0, -1]].tolist() == ["walking", "running"]
    lines = [HEAD + ",lab", *(f"{row},{word[1]}.0" for row, word in zip(rows(), words, strict=True))]
    (recording,) = load_recordings("csv_folder", write(about, lines))
    assert recording.labels[[0, -1]].tolist() == ["walking", "running"]


@pytest.mark.parametrize("separator", [".", ","])
def test_iso_stamps_take_either_decimal_sign(tmp_path: Path, separator: str) -> None:
    stamps = pd.date_range("2024-05-01T23:59:58", periods=200, freq="20ms").strftime("%Y-%m-%dT%H:%M:%S.%f").str[:-3]
    lines = ["t;ax;ay;az"]
    lines += [
        f"{stamp.replace('.', separator)};{row.split(';', 1)[1]}"
        for stamp, row in zip(stamps, rows(delimiter=";"), strict=True)
    ]
    about = describe(tmp_path, delimiter=";", time={"column": "t", "unit": "iso"})
    np.testing.assert_allclose(read(write(about, lines)), signal(), atol=1e-6)


def test_a_decimal_comma_in_one_column_is_named(tmp_path: Path) -> None:
    lines = ["t;ax;ay;az", *rows(delimiter=";")]
    lines[4] = lines[4].replace("0.060", "0,060")
    with pytest.raises(ValueError, match=r"line 5, column t is '0,060', expected a number; with a dec"):
        read(write(describe(tmp_path, delimiter=";"), lines))


def test_the_exact_name_comes_first_and_twins_are_refused(tmp_path: Path) -> None:
    lines = ["t,AX,ax,ay,az", *(row.replace(",", ",5,", 1) for row in rows())]
    np.testing.assert_allclose(read(write(describe(tmp_path), lines)), signal(), atol=1e-6)
    lines[0] = "t,AX,Ax,ay,az"
    with pytest.raises(ValueError, match=r"several columns for 'ax': \['AX', 'Ax'\]"):
        read(write(describe(tmp_path), lines))
    lines[0] = "t,ax,ax,ay,az"
    with pytest.raises(ValueError, match=r"several columns for 'ax'"):
        read(write(describe(tmp_path), lines))


def test_stamps_of_whole_seconds_name_the_remedy(tmp_path: Path) -> None:
    lines = [HEAD, *(f"{index // 50},{row.split(',', 1)[1]}" for index, row in enumerate(rows()))]
    with pytest.raises(ValueError, match=r"s1_walking\.csv.*same time stamp.*max_gap_s: 1\.5"):
        read(write(describe(tmp_path, stamps="arrival"), lines))
    found = read(write(describe(tmp_path, stamps="arrival", max_gap_s=1.5), lines))
    # A staircase of four steps is not quite a line.
    assert abs(len(found) - 200) <= 15


def test_a_pointer_of_git_lfs_is_named(tmp_path: Path) -> None:
    for name in ("s1_walking.csv", "s1_walking.parquet"):
        folder = describe(tmp_path, files=r"(?P<subject>s\d+)_(?P<activity>\w+)\.(csv|parquet)")
        (folder / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
        with pytest.raises(ValueError, match=rf"{name} is a pointer of Git LFS"):
            read(folder)
        (folder / name).unlink()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_any_machine_ends_them(tmp_path: Path, end: str) -> None:
    path = write(describe(tmp_path), [HEAD, *rows()])
    next(tmp_path.glob("*.csv")).write_bytes(end.join([HEAD, *rows()]).encode() + end.encode())
    np.testing.assert_allclose(read(path), signal(), atol=1e-6)


@pytest.mark.parametrize("value", [float("inf"), 1e9, float("nan"), 0])
@pytest.mark.parametrize("key", ["rate_hz", "max_gap_s"])
def test_numbers_that_cannot_be_meant_are_named_with_the_yaml(tmp_path: Path, key: str, value: float) -> None:
    path = write(describe(tmp_path, **{key: value}), [HEAD, *rows()])
    with pytest.raises(ValueError, match=rf"{key} is .*\.yaml, expected a number above 0 and at most 100000"):
        read(path)
