"""What looks wrong with a motion: an embedded walk is well, and each thing done to it is told, at every door."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from datamodules.clips.embedded import load_embedded
from datamodules.motion_files import read_motion
from datamodules.motion_files.motion_file import MotionFile, ReadOptions
from datamodules.motion_files.plausibility import check_rate, find_held, judge_motion
from experiments.cli import main
from sim import Body, Motion
from sim.conventions import MIRROR
from sim.features import joints_to_features

BODY = Body.default()


@pytest.fixture(scope="module")
def walk() -> Motion:
    return next(clip.motion for clip in load_embedded() if clip.name.endswith("walk"))


@pytest.fixture(scope="module")
def joints(walk: Motion) -> np.ndarray:
    return BODY.joints(walk).double().numpy()


def judge(motion: Motion, joints: np.ndarray, fps: float | None = None, notes: tuple[str, ...] = ()) -> list[str]:
    moved = Motion(motion.rotations, motion.translation, motion.fps if fps is None else fps)
    return judge_motion(MotionFile(moved, "made", "made", joints, notes, up="y"))


def test_a_recording_is_well(walk: Motion, joints: np.ndarray) -> None:
    assert judge(walk, joints) == []


def test_every_embedded_clip_is_right_handed_and_holds_no_frame() -> None:
    for clip in load_embedded():
        found = judge(clip.motion, BODY.joints(clip.motion).double().numpy())
        assert not [line for line in found if "backwards" in line or "repeat" in line], clip.name


@pytest.mark.parametrize("times", [2, 3, 4])
def test_repeated_frames_are_told_with_their_true_rate(joints: np.ndarray, times: int) -> None:
    (line,) = find_held(np.repeat(joints, times, axis=0), 60.0 * times)
    assert f"most frames come {times} times" in line
    assert "of about 60 Hz" in line


def test_a_fifth_frame_that_repeats_is_told(joints: np.ndarray) -> None:
    kept = np.arange(len(joints)) % 5 != 4
    stretched = joints[np.maximum.accumulate(np.where(kept, np.arange(len(joints)), 0))]
    (line,) = find_held(stretched, 60.0)
    assert "repeat" in line
    assert "of about 48" in line


def test_standing_still_holds_no_frame(joints: np.ndarray) -> None:
    assert find_held(np.repeat(joints[:1], 200, axis=0), 60.0) == []
    still = np.concatenate([joints, np.repeat(joints[-1:], 120, axis=0)])
    assert find_held(still, 60.0) == []


def test_a_mirrored_body_is_told(walk: Motion, joints: np.ndarray) -> None:
    assert any("knees bend backwards" in line for line in judge(walk, joints * [-1.0, 1.0, 1.0]))
    # With left and right exchanged as well it is a person again.
    assert judge(walk, joints[:, list(MIRROR)] * [-1.0, 1.0, 1.0]) == []


def test_a_wrong_rate_shows_in_the_pelvis(walk: Motion, joints: np.ndarray) -> None:
    assert any("faster than a sprinter" in line for line in judge(walk, joints, fps=walk.fps * 15))
    assert any("fps, expected 5 to 1000" in line for line in judge(walk, joints, fps=2.0))


def test_a_gap_shows_in_the_pelvis(walk: Motion, joints: np.ndarray) -> None:
    cut = joints.copy()
    cut[20:] += [1.0, 0.0, 0.0]
    assert any("the pelvis accelerates" in line for line in judge(walk, cut))


def test_advice_names_the_other_axis(walk: Motion, joints: np.ndarray) -> None:
    lying = joints @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    for used, other in (("y", "z"), ("z", "y")):
        found = judge_motion(MotionFile(walk, "made", "made", lying, up=used))
        assert any(f"pass --up {other}" in line for line in found)
    assert not any("--up" in line for line in judge_motion(MotionFile(walk, "made", "made", lying)))


def test_what_a_reader_found_suspicious_is_kept(walk: Motion, joints: np.ndarray) -> None:
    assert judge(walk, joints, notes=("fine", "suspicious: odd")) == ["suspicious: odd"]


@pytest.mark.parametrize(("period", "advice"), [(16.6667, "--fps 60 if the number is milliseconds"), (60, "or 60 if")])
def test_impossible_rates_are_refused_with_what_may_be_meant(period: float, advice: str) -> None:
    with pytest.raises(ValueError, match=r"walk\.bvh says .* fps") as caught:
        check_rate(1 / period, Path("walk.bvh"))
    assert advice in str(caught.value)
    for rate in (5.0, 24.0, 1000.0):
        check_rate(rate, Path("walk.bvh"))


def write_joints(path: Path, joints: np.ndarray, fps: float) -> Path:
    np.savez(path, joints=joints.astype(np.float32), fps=fps)
    return path


def test_synth_and_show_warn(tmp_path: Path, joints: np.ndarray, caplog: pytest.LogCaptureFixture) -> None:
    path = write_joints(tmp_path / "a.npz", joints[:30] * [-1.0, 1.0, 1.0], 60.0)
    for command in (
        ["synth", "--motion", str(path), "--placement", "left_ankle", "--out", str(tmp_path / "a.csv")],
        ["show", str(path), "--placements", "left_ankle", "--out", str(tmp_path / "a.html")],
    ):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert main(command) == 0
        assert any("knees bend backwards" in message for message in caplog.messages), command


def test_options_reach_every_command_that_opens_a_motion(tmp_path: Path, joints: np.ndarray) -> None:
    z_up = joints[:30] @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    path = write_joints(tmp_path / "a.npz", z_up * 100, 60.0)
    options = ["--up", "z", "--unit-m", "0.01", "--drop-first", "10", "--fps", "30"]
    motion = tmp_path / "m.npz"
    out = ["--placement", "left_ankle", "--out", str(tmp_path / "a.csv"), "--motion-out", str(motion)]
    assert main(["synth", "--motion", str(path), *out, *options]) == 0
    read = Motion.load(motion)
    assert (read.num_frames, read.fps) == (20, 30.0)
    assert 0.7 < float(BODY.joints(read)[:, 0, 1].min()) < 1.1
    assert main(["show", str(path), "--out", str(tmp_path / "a.html"), *options]) == 0
    assert main(["inspect", str(path), *options]) == 0


def test_options_of_another_format_are_refused(tmp_path: Path, joints: np.ndarray, walk: Motion) -> None:
    path = write_joints(tmp_path / "a.npz", joints[:30], 60.0)
    with pytest.raises(ValueError, match=r"is joint positions, to which --asf does not apply, expected .*--up"):
        read_motion(path, ReadOptions(asf=tmp_path / "x.asf"))
    walk.save(tmp_path / "b.npz")
    with pytest.raises(ValueError, match=r"is Motion\.save, to which --unit-m, --up does not apply"):
        read_motion(tmp_path / "b.npz", ReadOptions(unit_m=0.01, up="z"))


def test_nothing_left_after_the_first_frames_is_said(tmp_path: Path, joints: np.ndarray, walk: Motion) -> None:
    walk.save(tmp_path / "b.npz")
    for path in (write_joints(tmp_path / "a.npz", joints[:30], 60.0), tmp_path / "b.npz"):
        with pytest.raises(ValueError, match="none left after the first 1000 were dropped"):
            read_motion(path, ReadOptions(drop_first=1000))


def test_show_refuses_normalised_features_and_warns_of_joints(
    tmp_path: Path,
    walk: Motion,
    joints: np.ndarray,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    features = joints_to_features(BODY.joints(walk)).numpy()
    np.save(tmp_path / "a.npy", (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-3))
    with pytest.raises(SystemExit):
        main(["show", str(tmp_path / "a.npy"), "--out", str(tmp_path / "a.html")])
    assert "normalised ones, expected metres" in capsys.readouterr().err
    np.save(tmp_path / "b.npy", joints[:30] * [-1.0, 1.0, 1.0])
    with caplog.at_level(logging.WARNING):
        assert main(["show", str(tmp_path / "b.npy"), "--fps", "60", "--out", str(tmp_path / "b.html")]) == 0
    assert any("knees bend backwards" in message for message in caplog.messages)
