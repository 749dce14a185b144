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
