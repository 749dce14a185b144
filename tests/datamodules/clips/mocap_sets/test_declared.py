"""Rules of the sets on the files themselves: sizes, rates, speeds, persons, terms, and what is left out."""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from datamodules.clips.breaks import cut_at_breaks, settle_pieces
from datamodules.clips.labels import label_of
from datamodules.clips.mocap_sets import CMU, MOCAP_SETS, MocapFile
from datamodules.retargeting.retarget import SIDES, retarget
from sim import Body
from sim.conventions import JOINT_INDEX

BODY = Body.default()


@cache
def list_files(mocap: Path) -> dict[str, MocapFile]:
    """All files of the declared sets that are there, by name."""
    return {
        file.name: file
        for rules in MOCAP_SETS
        if (mocap / rules.folder).is_dir()
        for file in rules.list_files(mocap / rules.folder)
    }


def person_of(name: str) -> str | None:
    """Who moves in a file, by its labels."""
    folder, _, inside = name.partition("/")
    return label_of(folder, inside).person


@pytest.fixture
def files(shared: Path) -> dict[str, MocapFile]:
    return list_files(shared / "data" / "mocap")


def test_every_file_of_the_collection_is_listed_once_with_its_terms(shared: Path, files: dict[str, MocapFile]) -> None:
    with (shared / "data" / "mocap" / "clips_more.tsv").open(encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table, delimiter="\t") if (shared / "data/mocap" / row["set"]).is_dir()]
    told = {f"{row['set']}/{row['file'].split('.')[0]}" for row in rows}
    assert len(told) > 700
    # Its root's height is wrong.
    assert told - set(files) == {"snu_tiling/2/itonic3_wd2_crawltowalk_1"}
    for name in told & set(files):
        assert ("Copyright" in files[name].licence) or ("mocap.cs.cmu.edu" in files[name].licence), name


@pytest.mark.parametrize(
    ("name", "person", "group", "trial"),
    [
        ("cmu_amc/16/16_35", "cmu/16", "cmu/16_35", "16_35"),
        # CMU numbers one person twice.
        ("cmu_amc/14/14_12", "cmu/13", "cmu/14_12", "14_12"),
        ("cmu_misc/bvh/13_12", "cmu/13", "cmu/13_12", "13_12"),
        ("snu_interactive_tennis_walk/cmu69_retargeted/69_01_1", "cmu/69", "cmu/69_01", "69_01"),
        ("snu_tiling/3/throw", "snu/woody2", "snu_tiling/3/throw", None),
        ("snu_vsports_basketball/motion/s_009_1_3", "vsports/009", "snu_vsports_basketball/s_009_1", None),
        ("snu_timecritical_martial/motion/s_018_1_2", "timecritical/018", "snu_timecritical_martial/s_018_1", None),
    ],
)
def test_persons_and_what_was_recorded_together(
    files: dict[str, MocapFile], name: str, person: str, group: str, trial: str | None
) -> None:
    assert (person_of(name), files[name].group, files[name].trial) == (person, group, trial)


@pytest.mark.parametrize(
    "name",
    [
        "cmu_amc/127/127_08",
        "cmu_misc/91_amc/91_04",
        "cmu_cgspeed_bvh_01_06_07_08/07/07_05",
        "snu_ys2010/walking_raw/rawmotion/woddy2_walk_straight_fast",
        "snu_ys2010/woody2/Physics2/wd2_WalkForwardNormal00",
        "snu_ys2010/woody2/VideoMotion/wd2_spiral_walk01",
        "snu_tiling/2/itonic3_wd2_walktorun",
        "snu_interactive_tennis_walk/cmu69_retargeted/69_11_1",
        "snu_interactive_tennis_walk/tennis/tennis_KangTennisF19",
        "snu_vsports_basketball/motion/s_003_6_1",
        "snu_timecritical_martial/motion/s_005_3_1",
    ],
)
def test_unit_and_rate_give_the_speed_that_is_known(shared: Path, files: dict[str, MocapFile], name: str) -> None:
    with (shared / "data" / "mocap" / "clips_more.tsv").open(encoding="utf-8") as table:
        (row,) = (
            row for row in csv.DictReader(table, delimiter="\t") if f"{row['set']}/{row['file'].split('.')[0]}" == name
        )
    source, skeleton = files[name].read(), files[name].skeleton
    assert source.fps == pytest.approx(float(row["fps"]), rel=1e-3)
    assert 0 <= int(row["frames"]) - len(source.positions) <= 2
    hips = np.mean([source.positions[:, source.index(skeleton.joints[f"{side}_hip"])] for side in SIDES], axis=0)
    speed = float(np.median(np.linalg.norm(np.diff(hips[:, [0, 2]], axis=0), axis=1)) * source.fps)
    assert speed == pytest.approx(float(row["v50_mps"]), rel=0.1, abs=0.03)
    joints = BODY.joints(retarget(source, skeleton)).double().numpy()
    # Upright for most of the time, left on the left, feet on the floor.
    assert np.median(joints[:, JOINT_INDEX["neck"], 1] - joints[:, 0, 1]) > 0.3
    assert np.quantile(joints[..., 1].min(axis=1), 0.02) == pytest.approx(0.03, abs=0.05)


def test_one_recording_in_two_dialects_is_one_motion(files: dict[str, MocapFile]) -> None:
    """AMC in inches over an .asf, and BVH in inches: the authors wrote both."""
    one, other = (
        retarget(files[name].read(), files[name].skeleton)
        for name in ("snu_tiling/1/walk_left_45degree", "snu_ys2010/woody2/motion_edit/walk_left_45degree")
    )
    joints = [BODY.joints(motion).double().numpy() for motion in (one, other)]
    apart = np.linalg.norm((joints[0] - joints[0][:, :1]) - (joints[1] - joints[1][:, :1]), axis=-1)
    assert np.median(apart) < 0.01


def test_a_lost_root_is_cut_out_and_the_rest_stands_on_one_floor(files: dict[str, MocapFile]) -> None:
    file = files["snu_vsports_basketball/motion/s_006_6_2"]
    motion = retarget(file.read(), file.skeleton)
    pieces = settle_pieces(cut_at_breaks(motion), motion)
    assert len(pieces) > 1
    assert sum(piece.num_frames for piece in pieces) < motion.num_frames
    for piece in pieces:
        joints = BODY.joints(piece).double().numpy()
        assert 0.75 < np.median(joints[:, 0, 1]) < 0.95
        assert np.linalg.norm(np.diff(joints[:, 0], axis=0), axis=-1).max() * piece.fps < 8


def test_who_gets_up_ends_on_the_floor_and_began_on_it(files: dict[str, MocapFile]) -> None:
    file = files["snu_ys2010/woody2/Physics2/wd2_Physics_Raise03"]
    joints = BODY.joints(retarget(file.read(), file.skeleton)).double().numpy()
    assert joints[:30, 0, 1].max() < 0.2
    assert np.median(joints[-30:, 0, 1]) == pytest.approx(0.87, abs=0.05)


def test_the_notice_names_every_set_with_its_copyright() -> None:
    notice = resources.files("datamodules").joinpath("assets/NOTICE.md").read_text(encoding="utf-8")
    for rules in MOCAP_SETS:
        if rules.licence == CMU:
            assert rules.folder.startswith("cmu")
            continue
        terms, repository = rules.licence.removesuffix(")").split(" (github.com/")
        assert f"`{rules.folder}` | github.com/{repository}" in notice
        assert terms.partition(", ")[2].removeprefix("Copyright (c) 2020 ") in notice, rules.folder
