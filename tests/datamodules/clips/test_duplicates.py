"""Duplicates: copies shifted, moved, resampled and mirrored here are found, different recordings of CMU's are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.clips.duplicates import RATE_HZ, Duplicate, find_duplicates, group_duplicates
from datamodules.clips.embedded import load_embedded
from datamodules.clips.mocap_sets import MOCAP_SETS
from datamodules.formats.acclaim import read_acclaim
from datamodules.retargeting.retarget import retarget
from datamodules.retargeting.skeleton_maps import ACCLAIM
from sim import Body, Motion
from sim.trajectory import resample_motion

CLIPS = {clip.name: clip.motion for clip in load_embedded() if not clip.constructed}


def joints_of(motion: Motion) -> NDArray[np.float32]:
    return Body.default().joints(resample_motion(motion, fps=RATE_HZ)).float().numpy()


def moved(motion: Motion) -> Motion:
    """The motion at another place, facing another way."""
    turn = torch.tensor([[0.6, 0.0, 0.8], [0.0, 1.0, 0.0], [-0.8, 0.0, 0.6]])
    rotations = motion.rotations.clone()
    rotations[:, 0] = turn @ rotations[:, 0]
    return Motion(rotations, motion.translation @ turn.T + torch.tensor([3.0, 0.0, -2.0]), motion.fps)


def test_finds_what_was_shifted_moved_and_resampled() -> None:
    dance = CLIPS["dance_b"]
    part = moved(resample_motion(dance, fps=55.0).frames(28, 128))
    clips = [joints_of(motion) for motion in (dance, CLIPS["spin"], part, CLIPS["cartwheel"])]
    (pair,) = find_duplicates(clips)
    assert (pair.first, pair.second, pair.mirrored) == (2, 0, False)
    assert abs(pair.shift_s - 28 / 55.0) <= 0.025
    assert pair.distance_m < 0.01


def test_finds_mirror_images() -> None:
    clips = [joints_of(motion) for motion in (CLIPS["dance_b"], CLIPS["dance_b"].mirrored(), CLIPS["crawl"])]
    (pair,) = find_duplicates(clips)
    assert {pair.first, pair.second} == {0, 1}
    assert pair.mirrored


def test_different_motions_are_no_duplicates() -> None:
    assert find_duplicates([joints_of(motion) for motion in CLIPS.values()]) == []


def test_different_walks_of_one_person_are_no_duplicates(shared: Path) -> None:
    folder = shared / "data" / "mocap" / "cmu35_asfamc"
    paths = sorted(folder.glob("35_0*_walk_30fps.amc.xz"))
    walks = [retarget(read_acclaim(path, folder / "35.asf.xz", fps=30.0), ACCLAIM) for path in paths]
    assert len(walks) == 9
    assert find_duplicates([joints_of(walk) for walk in walks]) == []
    # The same walk that starts 1.2 s later is one.
    late = walks[0].frames(36)
    assert len(find_duplicates([joints_of(motion) for motion in (*walks, late)])) == 1


def test_stillness_and_skipped_clips_are_left_out() -> None:
    still = np.repeat(joints_of(CLIPS["walk"])[:1], 80, axis=0)
    assert find_duplicates([still, still.copy()]) == []
    dance = joints_of(CLIPS["dance_b"])
    assert find_duplicates([dance, dance.copy()], skip=[False, True]) == []
    assert find_duplicates([]) == []


def test_groups_follow_chains() -> None:
    pairs = [Duplicate(0, 2, 0.0, 0.0, False), Duplicate(2, 4, 0.0, 0.0, True)]
    groups = group_duplicates(5, pairs)
    assert groups[0] == groups[2] == groups[4]
    assert len({groups[0], groups[1], groups[3]}) == 3


def test_known_twins_of_the_collection_are_found_across_sets(shared: Path) -> None:
    """What the collection's notes say is one recording: exponential maps and .amc, two BVHs, .amc and BVH."""
    twins = [
        ("cmu_expmap8/test/jumping/jumping_1", "cmu_amc/49/49_02"),
        ("cmu_expmap8/test/running/running_1", "cmu_amc/16/16_35"),
        ("cmu_expmap8/train/running/running_2", "cmu_amc/16/16_36"),
        ("cmu_cgspeed_bvh/01_01", "cmu_cgspeed_bvh_01_06_07_08/01/01_01"),
        ("snu_ys2010/woody2/motion_edit/walk_left_45degree", "snu_tiling/1/walk_left_45degree"),
    ]
    others = ["cmu_amc/16/16_37", "cmu_amc/16/16_38", "snu_tiling/1/walk_left_45degree_1"]
    mocap = shared / "data" / "mocap"
    wanted = [*dict.fromkeys(name for pair in twins for name in pair), *others]
    files = {
        file.name: file
        for rules in MOCAP_SETS
        for file in rules.list_files(mocap / rules.folder)
        if file.name in wanted
    }
    clips = [joints_of(retarget(files[name].read(), files[name].skeleton)) for name in wanted]
    found = {frozenset((wanted[pair.first], wanted[pair.second])) for pair in find_duplicates(clips)}
    assert found == {frozenset(pair) for pair in twins}
