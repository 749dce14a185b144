"""Exponential maps against an example worked by hand with scipy, and against the same recording as ASF/AMC."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from datamodules.formats.acclaim import read_acclaim
from datamodules.formats.expmap import read_expmap

ROOT_AXES = ("yxz", "xyz")


def write_small(folder: Path, rows: list[list[float]]) -> tuple[Path, Path]:
    skeleton = {
        "names": ["Hips", "Leg", "Leg_end"],
        "parents": [-1, 0, 1],
        "offsets_asf_units": [[0, 0, 0], [1, 0, 0], [0, -1, 0]],
        "metres_per_unit": 0.5,
        "missing_thorax_offset": {"joints": ["Leg"], "add": [0, 1, 0]},
    }
    (folder / "skeleton.json").write_text(json.dumps(skeleton))
    (folder / "a.txt").write_text("\n".join(",".join(map(str, row)) for row in rows))
    return folder / "a.txt", folder / "skeleton.json"


def test_worked_example(tmp_path: Path) -> None:
    quarter = np.pi / 2
    paths = write_small(tmp_path, [[9] * 12, [0, 2, 0, 0, 0, quarter, 0, 0, 0, 0, 0, 0]])
    motion = read_expmap(*paths, fps=120.0, drop_first=1)
    # Row vectors: a positive exponential map about z turns x to -y.
    assert np.allclose(motion.positions[0], [[0, 1, 0], [0.5, 0.5, 0], [0, 0.5, 0]])


def test_same_recording_as_acclaim_once_the_root_is_put_right(shared: Path) -> None:
    mocap = shared / "data" / "mocap"
    amc = read_acclaim(mocap / "cmu_asfamc/11_01.amc.xz", mocap / "cmu_asfamc/11.asf", fps=120.0)
    paths = mocap / "cmu_expmap8/test/soccer/soccer_1.txt.xz", mocap / "cmu_expmap8/skeleton.json"
    for axes, limit in ((ROOT_AXES, 0.05), (None, 20.0)):
        motion = read_expmap(*paths, fps=120.0, drop_first=1, root_axes=axes)
        for theirs, ours in (("root", "Hips"), ("lfemur", "LeftUpLeg"), ("rhumerus", "RightArm"), ("head", "Head")):
            between = amc.rotations[:, amc.index(theirs)].transpose(0, 2, 1) @ motion.rotations[:, motion.index(ours)]
            angle = np.rad2deg(Rotation.from_matrix(between).magnitude())
            assert angle.max() < limit, (theirs, axes)
    # Without the correction the root is more than 10 degrees off where the player turns.
    assert angle.max() > 10


def test_wrong_width_is_named_with_its_row(tmp_path: Path) -> None:
    paths = write_small(tmp_path, [[0] * 12, [0] * 11])
    with pytest.raises(ValueError, match=r"line 2 \(data row 2\) has 11 values, expected 12"):
        read_expmap(*paths, fps=120.0)
    with pytest.raises(ValueError, match="no row left after the first 5"):
        read_expmap(*write_small(tmp_path, [[0] * 12]), fps=120.0, drop_first=5)


@pytest.mark.parametrize(
    ("skeleton", "message"), [("{", "JSONDecodeError"), ('{"names": []}', "KeyError"), ("[1]", "TypeError")]
)
def test_a_broken_skeleton_is_named(tmp_path: Path, skeleton: str, message: str) -> None:
    table, path = write_small(tmp_path, [[0.0] * 12])
    path.write_text(skeleton)
    with pytest.raises(ValueError, match=rf"{path.name}: {message}.*expected JSON with names"):
        read_expmap(table, path, fps=30.0)
