"""BVH against an example worked by hand and against pybvh on real recordings; broken files are named."""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pybvh
import pytest

from datamodules.formats.bvh import read_bvh

SMALL = """HIERARCHY
ROOT Hips
{
  OFFSET 0 100 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT Arm
  {
    OFFSET 10 0 0
    CHANNELS 6 Xposition Yposition Zposition Yrotation Xrotation Zrotation
    End Site
    {
      OFFSET 5 0 0
    }
  }
}
MOTION
Frames: 2
Frame Time: .0083333
0 100 0 0 0 0 10 0 0 0 0 0
1 100 0 90 0 0 20 0 0 90 0 0
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_worked_example_with_position_channels(tmp_path: Path) -> None:
    motion = read_bvh(write(tmp_path / "a.bvh", SMALL), unit_m=0.01)
    assert motion.names == ("Hips", "Arm", "Arm_end")
    assert motion.parents == (-1, 0, 1)
    assert motion.fps == 120.0
    assert np.allclose(motion.positions[0], [[0, 1, 0], [0.1, 1, 0], [0.15, 1, 0]])
    # The root turns x to y, the arm is 20 cm out and turns x to -z: world position by hand.
    assert np.allclose(motion.positions[1], [[0.01, 1, 0], [0.01, 1.2, 0], [0.01, 1.2, -0.05]])


@pytest.mark.parametrize("name", ["cmu_16_15/16_15", "cmu_cgspeed_bvh/131_03", "cmu_daz_bvh_dance_martial/salsa/10"])
def test_agrees_with_pybvh(shared: Path, tmp_path: Path, name: str) -> None:
    packed = shared / "data" / "mocap" / f"{name}.bvh.xz"
    text = lzma.decompress(packed.read_bytes()).decode()
    other = pybvh.read_bvh_file(write(tmp_path / "a.bvh", text), world_up="+y")
    motion = read_bvh(packed, unit_m=1.0)
    assert motion.fps == pytest.approx(other.fps, rel=1e-6)
    ours = [name for name in motion.names if not name.endswith("_end")]
    assert ours == other.joint_names
    indices = [motion.index(name) for name in ours]
    scale = np.abs(other.joint_positions()).max()
    assert np.abs(motion.positions[:, indices] - other.joint_positions()).max() < 1e-6 * scale


def test_position_channels_of_reactidle_equal_the_offsets(shared: Path) -> None:
    # pybvh refuses this file; its README says that all positions but the root's repeat the offsets.
    motion = read_bvh(shared / "data/mocap/reactidle_bvh/genuine/003_genuine.bvh.xz", unit_m=1.0)
    assert motion.fps == 24.0
    for joint, parent in enumerate(motion.parents):
        if parent >= 0:
            length = np.linalg.norm(motion.positions[:, joint] - motion.positions[:, parent], axis=-1)
            assert np.abs(length - np.linalg.norm(motion.offsets[joint])).max() < 2e-3, motion.names[joint]


def test_frame_rate_and_first_frames_are_the_callers(tmp_path: Path) -> None:
    motion = read_bvh(write(tmp_path / "a.bvh", SMALL), unit_m=0.01, fps=60.0, drop_first=1)
    assert motion.fps == 60.0
    assert len(motion.positions) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("MOTION", "MOTIF"), "no line MOTION"),
        (("Frames: 2", "Frames: 3"), "holds 2 frames, its header says 3"),
        (("1 100 0 90 0 0 20", "1 100 0 90 0 0"), "line 20 .data row 2. has 11 values, expected 12"),
        (("1 100 0 90", "1 100 0 nan"), r"line \d+ \(data row 2\) holds NaN"),
        (("1 100 0 90", "1 100 0 x"), "expected numbers only"),
        (("CHANNELS 6 Xposition", "CHANNELS 5 Xposition"), "expected OFFSET or CHANNELS"),
        (("Frame Time: .0083333", "Frame Time: 0"), "frame time is 0"),
        (("  }\n}\nMOTION", "  }\nMOTION"), "1 joints open"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_bvh(write(tmp_path / "broken.bvh", SMALL.replace(*change)), unit_m=0.01)


def test_half_a_download_is_named(tmp_path: Path) -> None:
    whole = lzma.compress(SMALL.encode() * 50)
    (tmp_path / "half.bvh.xz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"half\.bvh\.xz could not be read"):
        read_bvh(tmp_path / "half.bvh.xz", unit_m=0.01)
    with pytest.raises(FileNotFoundError):
        read_bvh(tmp_path / "absent.bvh", unit_m=0.01)


def test_a_hierarchy_is_one_of_words(tmp_path: Path) -> None:
    base = read_bvh(write(tmp_path / "base.bvh", SMALL), unit_m=0.01)
    head, rows = SMALL.split("MOTION")
    for number, text in enumerate(
        (
            head.replace("Hips\n{", "Hips {").replace("Arm\n  {", "Arm {").replace("Site\n    {", "Site {"),
            head.replace("End Site", "END SITE").replace("OFFSET", "Offset"),
            head.replace("10 0 0\n", "10\n 0 0\n").replace("CHANNELS 6 X", "CHANNELS\n6 X"),
            " ".join(head.replace("Hips\n", "Hips {").replace("{\n  OFFSET 0", " OFFSET 0").split("\n")),
        )
    ):
        read = read_bvh(write(tmp_path / f"{number}.bvh", f"{text}\nMOTION{rows}"), unit_m=0.01)
        assert read.names == base.names
        np.testing.assert_array_equal(read.positions, base.positions)


def test_frames_may_be_wrapped_over_lines(tmp_path: Path) -> None:
    head, rows = SMALL.split(".0083333\n")
    wrapped = rows.replace("0 0 0 10", "0 0 0\n10").replace("0 90 0 0 20", "0 90 0\n0 20")
    read = read_bvh(write(tmp_path / "a.bvh", f"{head}.0083333\n{wrapped}"), unit_m=0.01)
    np.testing.assert_array_equal(read.positions, read_bvh(write(tmp_path / "b.bvh", SMALL), unit_m=0.01).positions)


def test_rows_beyond_the_header_are_told(tmp_path: Path) -> None:
    rows = SMALL.splitlines()[-1] + "\n"
    read = read_bvh(write(tmp_path / "a.bvh", SMALL + rows * 3), unit_m=0.01)
    assert len(read.positions) == 2
    assert read.notes == ("suspicious: the header says Frames: 2, the file has 5 rows; the first 2 are taken",)
    assert read_bvh(write(tmp_path / "b.bvh", SMALL), unit_m=0.01).notes == ()


def test_of_two_roots_the_persons_is_taken(tmp_path: Path) -> None:
    head, rows = SMALL.split("MOTION")
    prop = "ROOT Sword\n{\n OFFSET 0 0 0\n CHANNELS 1 Xrotation\n JOINT Tip\n {\n  OFFSET 1 0 0\n  CHANNELS 0\n" + (
        "  JOINT Top\n  {\n   OFFSET 1 0 0\n   CHANNELS 0\n  }\n }\n}\n"
    )
    lines = rows.strip().splitlines()
    moved = "\n".join([*lines[:2], *(f"5 {line}" for line in lines[2:])]) + "\n"
    text = head.replace("HIERARCHY\n", f"HIERARCHY\n{prop}") + "MOTION\n" + moved
    read = read_bvh(write(tmp_path / "a.bvh", text), unit_m=0.01)
    base = read_bvh(write(tmp_path / "b.bvh", SMALL), unit_m=0.01)
    assert (read.names, read.parents) == (base.names, base.parents)
    np.testing.assert_array_equal(read.positions, base.positions)
    assert read.notes == ("2 roots; Hips, the person's, taken, Sword left out",)


def test_the_line_at_fault_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"line 8: OFFSET '10 0 CHANNELS'.*three numbers"):
        read_bvh(write(tmp_path / "a.bvh", SMALL.replace("OFFSET 10 0 0", "OFFSET 10 0")), unit_m=0.01)
    with pytest.raises(ValueError, match=r"line 9: CHANNELS '6 Xposition.*expected a count"):
        read_bvh(
            write(tmp_path / "b.bvh", SMALL.replace("Yrotation Xrotation Zrotation", "Wrotation X Z")), unit_m=0.01
        )
