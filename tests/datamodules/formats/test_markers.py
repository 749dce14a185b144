"""TRC and C3D files, written here as programs write them and read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamodules.formats import c3d
from datamodules.formats.c3d import read_c3d
from datamodules.formats.trc import read_trc

TRC = """PathFileType\t4\t(X/Y/Z)\ta.trc
DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames
100\t100\t3\t2\tmm\t100\t1\t3
Frame#\tTime\tLASI\t\t\tRASI\t\t
\t\tX1\tY1\tZ1\tX2\tY2\tZ2

1\t0.00\t100\t1000\t0\t-100\t1000\t0\t
2\t0.01\t101\t1001\t1\t\t\t\t
3\t0.02\t102\t1002\t2\t0\t0\t0
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_trc_by_hand(tmp_path: Path) -> None:
    recording = read_trc(write(tmp_path / "a.trc", TRC))
    assert recording.names == ("LASI", "RASI")
    assert (recording.fps, recording.up, recording.notes) == (100.0, "y", ())
    assert np.allclose(recording.positions[:, 0], [[0.1, 1, 0], [0.101, 1.001, 0.001], [0.102, 1.002, 0.002]])
    assert np.isnan(recording.positions[1:, 1]).all()


def test_trc_of_windows_with_names_close_together(tmp_path: Path) -> None:
    text = TRC.replace("LASI\t\t\tRASI\t\t", "LASI\t\tRASI").replace("mm", "m").replace("\n", "\r\n")
    recording = read_trc(write(tmp_path / "a.trc", text), fps=60.0)
    assert recording.names == ("LASI", "RASI")
    assert recording.fps == 60.0
    assert recording.positions[0, 0, 1] == 1000.0


def test_headers_that_the_rows_contradict_are_told(tmp_path: Path) -> None:
    text = TRC.replace("100\t100\t3\t2\tmm", "120\t120\t7\t4\tmm")
    notes = read_trc(write(tmp_path / "a.trc", text)).notes
    assert "NumFrames 7, the file has 3" in notes[0]
    assert "NumMarkers 4, the file has 2" in notes[1]
    assert "120 Hz, the column of times 100 Hz" in notes[2]


def test_points_that_cortex_computed_are_left_out(tmp_path: Path) -> None:
    """They are named after the markers, but no column is labelled theirs, and rows may go on beyond them."""
    text = TRC.replace("RASI\t\t", "RASI\t\t\tV_Pelvis\t\t\tV_Knee\t\t").replace(
        "\t0\t-100\t1000\t0\t", "\t0\t-100\t1000\t0\t7\t8\t9\t5\t5\t5\t6"
    )
    recording = read_trc(write(tmp_path / "a.trc", text))
    assert recording.names == ("LASI", "RASI")
    assert recording.notes == ("left out 2 computed points after the 2 markers: V_Pelvis, V_Knee",)
    assert np.allclose(recording.positions[0], [[0.1, 1, 0], [-0.1, 1, 0]])


def test_times_rounded_to_milliseconds_contradict_no_rate(tmp_path: Path) -> None:
    rows = [f"{number + 1}\t{number / 120:.3f}\t1\t2\t3\t4\t5\t6" for number in range(60)]
    head = TRC.splitlines()[:5]
    head[2] = head[2].replace("100\t100\t3", "120\t120\t60")
    assert read_trc(write(tmp_path / "a.trc", "\n".join([*head, *rows]) + "\n")).notes == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("PathFileType", "Whatever"), "expected TRC"),
        (("\tmm\t", "\tfurlong\t"), "in units of 'furlong', expected one of mm, cm, dm, m"),
        (("RASI", "LASI"), r"line 4: markers \['LASI'\] twice"),
        (("-100\t1000", "-100\tx"), "line 7: could not convert string to float: 'x'"),
        (("2\t0.01\t101\t1001\t1\t\t\t\t", "2\t0.01\t1\t2\t3\t4\t5\t6\t7"), "line 8 has 9 cells, expected 8"),
        (("1\t0.00", ""), None),
    ],
)
def test_broken_trc_files_are_named(tmp_path: Path, change: tuple[str, str], message: str | None) -> None:
    if message is None:
        message, text = "has 1 rows of data", "\n".join(TRC.splitlines()[:7])
    else:
        text = TRC.replace(*change)
    with pytest.raises(ValueError, match=message):
        read_trc(write(tmp_path / "a.trc", text))


def write_c3d(path: Path, *, labels: list[str], unit: str = "mm", screen: str | None = None) -> Path:
    ezc3d = pytest.importorskip("ezc3d", reason="C3D needs pip install 'imuforge[c3d]'")
    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [120.0]
    file["parameters"]["POINT"]["LABELS"]["value"] = labels
    file["parameters"]["POINT"]["UNITS"]["value"] = [unit]
    if screen is not None:
        file.add_parameter("POINT", "Y_SCREEN", [screen])
    points = np.zeros((4, len(labels), 5))
    points[:3] = np.arange(3 * len(labels) * 5).reshape(3, len(labels), 5) + 1.0
    points[:3, 0, 2] = np.nan
    file["data"]["points"] = points
    file.write(str(path))
    return path


def test_c3d_is_read_in_metres_without_the_subjects_prefix(tmp_path: Path) -> None:
    recording = read_c3d(write_c3d(tmp_path / "a.c3d", labels=["bob:LASI", "bob:RASI", "bob:RASI"]))
    assert recording.names == ("LASI", "RASI")
    assert (recording.fps, recording.up) == (120.0, "z")
    assert np.allclose(recording.positions[0, :, 0], [0.001, 0.006])
    assert np.isnan(recording.positions[2, 0]).all()
    assert "1 points share a label" in recording.notes[0]
    turned = recording.turned_up()
    assert np.allclose(turned.positions[0, 0], recording.positions[0, 0][[0, 2, 1]] * [1, 1, -1])


def test_c3d_says_itself_if_y_is_up(tmp_path: Path) -> None:
    recording = read_c3d(write_c3d(tmp_path / "a.c3d", labels=["LASI"], unit="m", screen="+Y"))
    assert recording.up == "y"
    assert recording.turned_up() is recording
    assert recording.positions[0, 0, 0] == pytest.approx(1.0)


def test_broken_c3d_files_are_named(tmp_path: Path) -> None:
    whole = write_c3d(tmp_path / "a.c3d", labels=["LASI"]).read_bytes()
    for name, content in (("half.c3d", whole[:700]), ("text.c3d", b"no c3d at all" * 100)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=name):
            read_c3d(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"absent\.c3d not found"):
        read_c3d(tmp_path / "absent.c3d")


def test_a_subjects_name_is_taken_off_trc_markers_too(tmp_path: Path) -> None:
    names = TRC.splitlines()[3].split("\t")
    prefixed = "\t".join([*names[:2], *(f"bob:{name}" if name else "" for name in names[2:])])
    path = write(tmp_path / "a.trc", TRC.replace(TRC.splitlines()[3], prefixed))
    assert read_trc(path).names == read_trc(write(tmp_path / "b.trc", TRC)).names


def test_trc_frames_that_are_missing_are_told(tmp_path: Path) -> None:
    head = TRC.splitlines()[:5]
    head[2] = head[2].replace("100\t100\t3", "120\t120\t60")
    rows = [f"{number + 1}\t{number / 120:.3f}\t1\t2\t3\t4\t5\t6" for number in range(60) if not 20 <= number < 30]
    notes = read_trc(write(tmp_path / "a.trc", "\n".join([*head, *rows]) + "\n")).notes
    assert any(note.startswith("suspicious: frame numbers skip from 20 to 31") for note in notes)
    # Numbered anew, the times still tell.
    again = [f"{place}\t{row.split(chr(9), 1)[1]}" for place, row in enumerate(rows)]
    notes = read_trc(write(tmp_path / "b.trc", "\n".join([*head, *again]) + "\n")).notes
    assert any(note.startswith("suspicious: times of the frames skip from") for note in notes)
    assert not any("give the true one with fps" in note for note in notes)


def test_c3d_points_without_a_label_are_left_out_and_counted(tmp_path: Path) -> None:
    recording = read_c3d(write_c3d(tmp_path / "a.c3d", labels=["LASI", "", "RASI"]))
    assert recording.names == ("LASI", "RASI")
    assert recording.notes == ("1 of 3 points have no label; left out",)


def test_labels_go_on_beyond_255(tmp_path: Path) -> None:
    names, notes = c3d._name_points(["A", "B", "", "s:C"], 5)
    assert names == ["A", "B", "", "s:C", ""]
    assert notes == ("2 of 5 points have no label; left out",)
    point = {"LABELS": ["A"] * 255, "LABELS2": ["B"], "LABELS3": ["C"]}
    assert c3d._all_labels(point)[-3:] == ["A", "B", "C"]
