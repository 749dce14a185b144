"""DeepMimic's rows: knees bend backwards and elbows forwards as on a person, and what is refused is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from datamodules.formats.deepmimic import read_deepmimic


def test_stands_upright_and_bends_as_a_person_does(tmp_path: Path) -> None:
    still = [1, 0, 0, 0]
    row = [0.0166, 1.0, 0.9, 2.0, *still, *still, *still]  # duration, place (forward, up, right), root, chest, neck
    row += [*still, -1.0, *still, *still, 1.0]  # right hip, knee, ankle, shoulder, elbow
    row += [*still, -1.0, *still, *still, 1.0]
    (tmp_path / "a.txt").write_text(json.dumps({"Loop": "none", "Frames": [row, row]}))
    motion = read_deepmimic(tmp_path / "a.txt")
    assert motion.fps == pytest.approx(60.2)
    place = dict(zip(motion.names, motion.positions[0], strict=True))
    assert np.allclose(place["root"], [-2.0, 0.9, 1.0])
    assert place["left_hip"][0] > place["right_hip"][0]
    for side in ("left", "right"):
        assert place[f"{side}_ankle"][2] < place[f"{side}_knee"][2]  # a knee bends backwards
        assert place[f"{side}_wrist"][2] > place[f"{side}_elbow"][2]  # an elbow forwards


@pytest.mark.parametrize("text", ["{", "[1]", '{"Frames": [[1, 2], [1, 2]]}', '{"Frames": [[1, 2], [1]]}'])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(ValueError, match=r"a\.txt"):
        read_deepmimic(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (0, 0.0, "a frame lasts 0 s"),
        (0, -0.03, "a frame lasts -0.03 s"),
        (3, float("nan"), "frame 1 holds NaN"),
        (4, 0.0, "frame 1 holds NaN or a quaternion of another length"),
    ],
)
def test_impossible_numbers_are_named(tmp_path: Path, column: int, value: float, message: str) -> None:
    still = [1, 0, 0, 0]
    row = [0.0166, 1.0, 0.9, 2.0, *still * 3, *(2 * [*still, -1.0, *still, *still, 1.0])]
    rows = [list(row) for _ in range(4)]
    for one in rows[:3] if column == 0 else rows[1:2]:
        one[column] = value
    (tmp_path / "a.txt").write_text(json.dumps({"Frames": rows}))
    with pytest.raises(ValueError, match=rf"a\.txt: {message}"):
        read_deepmimic(tmp_path / "a.txt")


def test_a_row_of_another_width_is_numbered(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(json.dumps({"Frames": [[1.0] * 44, [1.0] * 45]}))
    with pytest.raises(ValueError, match="frame 1 with 45 numbers found"):
        read_deepmimic(tmp_path / "a.txt")
