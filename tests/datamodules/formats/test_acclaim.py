"""ASF/AMC against an example worked by hand, and against the same recording as BVH."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamodules.formats.acclaim import read_acclaim
from datamodules.formats.bvh import read_bvh

ASF = """:version 1.10
:name test
:units
  mass 1.0
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name thigh
     direction 0 -1 0
     length 2
     axis 0 0 90 XYZ
    dof rx
    limits (-160.0 20.0)
  end
  begin
     id 2
     name shank
     direction 0 -1 0
     length 1
     axis 0 0 0 XYZ
  end
:hierarchy
  begin
    root thigh
    thigh shank
  end
"""
AMC = ":FULLY-SPECIFIED\n:DEGREES\n1\nroot 0 4 0 0 0 0\nthigh 90\n2\nroot 0 4 0 0 90 0\nthigh 0\n"
UNIT = 0.0254 / 0.45


def read(folder: Path, *, amc: str = AMC, asf: str = ASF):
    (folder / "a.asf").write_text(asf)
    (folder / "a.amc").write_text(amc)
    return read_acclaim(folder / "a.amc", folder / "a.asf", fps=120.0)


def test_worked_example(tmp_path: Path) -> None:
    motion = read(tmp_path)
    assert motion.names == ("root", "thigh", "shank", "shank_end")
    # The thigh's own x axis is the world's y: a bone along -y does not move when it turns about it.
    assert np.allclose(motion.positions[0] / UNIT, [[0, 4, 0], [0, 4, 0], [0, 2, 0], [0, 1, 0]])
    assert np.allclose(motion.rotations[0, 1], [[0, 0, 1], [0, 1, 0], [-1, 0, 0]], atol=1e-12)
    assert np.allclose(motion.rotations[1, 2], [[0, 0, 1], [0, 1, 0], [-1, 0, 0]], atol=1e-12)


def test_same_recording_as_bvh(shared: Path) -> None:
    folder = shared / "data" / "mocap" / "cmu_16_15"
    amc = read_acclaim(folder / "16_15.amc.xz", folder / "16.asf", fps=120.0, drop_first=4)
    bvh = read_bvh(folder / "16_15.bvh.xz", unit_m=0.01, drop_first=4)
    assert len(amc.positions) == len(bvh.positions)
    for name in amc.names:
        if name in bvh.names:
            distance = np.linalg.norm(amc.positions[:, amc.index(name)] - bvh.positions[:, bvh.index(name)], axis=-1)
            # The trunk agrees to micrometres; whoever wrote the BVH smoothed the limbs of a few frames at the end.
            assert np.median(distance) < 0.005, name
            assert np.quantile(distance, 0.95) < 0.011, name
    assert np.abs(amc.positions[:, amc.index("head")] - bvh.positions[:, bvh.index("head")]).max() < 1e-4


def test_half_rate_takes_what_is_there(shared: Path) -> None:
    folder = shared / "data" / "mocap" / "cmu35_asfamc"
    motion = read_acclaim(folder / "35_17_jog_30fps.amc.xz", folder / "35.asf.xz", fps=30.0)
    # The set's README: the root stands at 1.00 m and jogs at 3.1 to 3.6 m/s.
    assert motion.positions[:, 0, 1].mean() == pytest.approx(1.0, abs=0.06)
    path = motion.positions[-1, 0] - motion.positions[0, 0]
    assert 3.1 <= np.linalg.norm(path[[0, 2]]) / ((len(motion.positions) - 1) / 30) <= 3.6


@pytest.mark.parametrize(
    ("amc", "message"),
    [
        (AMC.replace("thigh 90\n", "knee 90\n"), "line 5: 'knee' with 1 values, expected a bone of the skeleton"),
        (AMC.replace("thigh 90\n", "thigh 90 1\n"), "'thigh' with 2 values, expected 1"),
        (AMC.replace("thigh 90\n", ""), "frame 1 has 1 of 2 bones"),
        (":FULLY-SPECIFIED\n", "holds no frame"),
        (AMC.replace("thigh 90\n", "thigh nan\n"), r"line \d+ holds NaN"),
        (AMC.replace("thigh 90\n", "thigh x\n"), r"line \d+: could not convert"),
    ],
)
def test_broken_motions_are_named(tmp_path: Path, amc: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path, amc=amc)


def test_broken_skeletons_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"lacks the sections.*hierarchy"):
        read(tmp_path, asf=ASF.split(":hierarchy")[0])
    with pytest.raises(ValueError, match="the root's order"):
        read(tmp_path, asf=ASF.replace("order TX TY TZ RX RY RZ", "order TX TY TZ"))
    broken = ASF[: ASF.rindex("direction")] + "towards" + ASF[ASF.rindex("direction") + len("direction") :]
    with pytest.raises(ValueError, match=r"asf: bone \w+ lacks a whole direction"):
        read(tmp_path, asf=broken)


@pytest.mark.parametrize("angle", ["angle DEG", "Angle Deg", "angle degrees"])
def test_units_are_read_whatever_their_case(tmp_path: Path, angle: str) -> None:
    np.testing.assert_array_equal(
        read(tmp_path, asf=ASF.replace("angle deg", angle)).positions, read(tmp_path).positions
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("angle deg", "angle turns", "units have angle 'turns', expected deg or rad"),
        ("length 0.45", "length inch", "units have length 'inch', expected a number above 0"),
        ("length 0.45", "length 0", "units have length '0', expected a number above 0"),
        ("dof rx", "dof rx l", "bone thigh has the degree of freedom 'l'"),
        ("dof rx", "dof tx", "bone thigh has the degree of freedom 'tx'"),
        ("dof rx", "dof tx ty tz rx ry rz", "bone thigh has the degree of freedom 'tx'"),
        ("dof rx", "dof rx rx", "bone thigh has the degree of freedom 'rx', expected rx, ry, rz, each once"),
        ("0 0 90 XYZ", "0 0 90 XYX", "bone thigh: its axis ends in 'XYX'"),
        ("orientation 0 0 0", "orientation 0 90 0", "the root's orientation is '0 90 0'"),
    ],
)
def test_parts_of_the_format_that_are_not_understood_are_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(ValueError, match=rf"a\.asf: {message}"):
        read(tmp_path, asf=ASF.replace(old, new, 1))


def test_frame_numbers_that_skip_are_told(tmp_path: Path) -> None:
    body = AMC.split("2\n")[1]
    whole = AMC + "".join(f"{number}\n{body}" for number in range(3, 20))
    assert read(tmp_path, amc=whole).notes == ()
    skipped = AMC + "".join(f"{number}\n{body}" for number in (*range(3, 8), *range(15, 20)))
    (note,) = read(tmp_path, amc=skipped).notes
    assert note.startswith("suspicious: frame numbers skip from 7 to 15")


def test_the_motion_states_the_unit_of_its_own_angles(tmp_path: Path) -> None:
    plain = read(tmp_path)
    turned = AMC.replace(":DEGREES", ":RADIANS").replace(" 90", f" {np.pi / 2}")
    radians = read(tmp_path, amc=turned)
    np.testing.assert_allclose(radians.rotations, plain.rotations, atol=1e-12)
    assert any("the .amc says radians" in note for note in radians.notes)
    assert not any("unit of angles" in note for note in plain.notes)
