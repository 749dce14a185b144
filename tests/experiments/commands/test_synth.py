"""What ``imuforge synth`` and ``show`` refuse in one line before anything is made, and what they warn of."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.har.readers.plain_table import TableFacts
from datamodules.motion_files import read_motion
from datamodules.motion_files.floor import find_sinking
from datamodules.motion_files.motion_file import ReadOptions
from datamodules.motion_files.plausibility import judge_motion
from experiments.cli import main
from experiments.commands.synth import load_motion
from sim import Body, ImuRecording, Motion, Placement, simulate


@pytest.fixture
def still(tmp_path: Path) -> Path:
    """Two seconds of somebody who stands."""
    joints = Body.default().rest_joints
    height = float(joints[0, 1] - joints[:, 1].min())
    where = torch.tensor([0.0, height, 0.0]).expand(41, 3).clone()
    Motion(torch.eye(3).expand(41, 22, 3, 3).clone(), where, 20.0, "stands").save(tmp_path / "still.npz")
    return tmp_path / "still.npz"


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as stopped:
        main([str(one) for one in arguments])
    error = capsys.readouterr().err
    assert stopped.value.code == 2
    assert len(error.splitlines()) == 1, error
    return error


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--rate-hz", "1e9"], "rate_hz is 1000000000.0 Hz, expected 0.001 to 1e+06 Hz"),
        (["--rate-hz", "inf"], "rate_hz is inf, expected a positive number"),
        (["--rate-hz", "nan"], "rate_hz is nan, expected a positive number"),
        (["--seed", "-1"], "seed is -1, expected a whole number from 0"),
        (["--seed", "99999999999999999999"], "seed is 99999999999999999999, expected a whole number from 0"),
        (["--mounting", "smartwatch", "--mounting", "x_up_z_out"], "--mounting is given 2 times"),
        (["--subject", "anna"], "--subject is written into manifest.csv beside a label"),
        (["--fps", "30"], "is a Motion and carries its own rate; leave --fps out"),
    ],
)
def test_a_motion_is_not_simulated_by_what_cannot_be(
    still: Path, tmp_path: Path, more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out" / "a.parquet"
    assert said in refused(capsys, "synth", "--motion", still, "--placement", "left_wrist", "--out", out, *more)
    assert not out.parent.exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--seconds", "1e9"], "seconds is 1000000000.0, expected 1 to 60"),
        (["--seconds", "nan"], "seconds is nan, expected 1 to 60"),
        (["--steps", "0"], "steps is 0, expected 1 to 1000"),
        (["--steps", "1000000000"], "steps is 1000000000, expected 1 to 1000"),
        (["--guidance", "nan"], "guidance is nan"),
    ],
)
def test_nothing_is_generated_by_what_cannot_be(
    tmp_path: Path, more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    prompt = ("--prompt", "a person walks", "--placement", "left_wrist", "--out", tmp_path / "a.parquet")
    assert said in refused(capsys, "synth", *prompt, *more)


@pytest.mark.parametrize(("more", "said"), [(["--rate-hz", "1e9"], "rate_hz is"), (["--seed", "-1"], "seed is -1")])
def test_no_page_is_made_by_what_cannot_be(
    still: Path, more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(capsys, "show", still, *more)
    assert not still.with_suffix(".html").exists()


def test_no_more_is_simulated_than_memory_may_hold(still: Path) -> None:
    motion = Motion.load(still)
    slow = Motion(motion.rotations, motion.translation, fps=0.001)  # eleven hours
    with pytest.raises(ValueError, match=r"400,000,001 samples of 1 sensors at 10000 Hz are asked for"):
        simulate(slow, Body.default(), [Placement.preset("chest")], rate_hz=1e4)


@pytest.mark.parametrize("option", [{"fps": 1e9}, {"fps": float("nan")}, {"unit_m": 1e9}, {"fps": 0.0}])
def test_nobody_means_such_a_rate_or_unit(option: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(option))} is .*expected"):
        ReadOptions(**option)


def test_joints_that_are_no_body_or_of_another_unit_are_told(still: Path, tmp_path: Path) -> None:
    joints = Body.default().joints(Motion.load(still)).numpy()
    path = tmp_path / "joints.npy"
    np.save(path, joints * 0)
    with pytest.raises(ValueError, match=f"{path}: all joints lie at one point"):
        read_motion(path, ReadOptions(fps=20.0))
    np.save(path, joints * 1000)
    assert any(
        "legs of" in line and "pass --unit-m" in line for line in judge_motion(read_motion(path, ReadOptions(fps=20.0)))
    )
    assert judge_motion(read_motion(path, ReadOptions(fps=20.0, unit_m=0.001))) == []


@pytest.mark.parametrize("rate_hz", [0.0, -5.0, 1e9, float("nan"), float("inf")])
def test_a_table_has_a_rate_that_people_are_recorded_at(rate_hz: float) -> None:
    with pytest.raises(ValueError, match=r"rate_hz is .*expected 1 to 20000 samples per second"):
        TableFacts(rate_hz=rate_hz)


def test_a_recording_is_no_motion(still: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.csv"
    simulate(Motion.load(still), Body.default(), [Placement.preset("chest")], rate_hz=50).save(out)
    assert ImuRecording.load(out).names == ("chest",)
    said = refused(capsys, "synth", "--motion", out, "--placement", "chest", "--out", tmp_path / "b.csv")
    assert f"{out} is a recording of sensors, expected a motion" in said


def test_feet_below_the_floor_are_told(still: Path, caplog: pytest.LogCaptureFixture) -> None:
    motion = Motion.load(still)
    joints = Body.default().joints(motion).double().numpy()
    assert find_sinking(joints) == []
    joints[10:20] -= np.array([0.0, 0.107, 0.0])
    (line,) = find_sinking(joints)
    assert "the body goes 0.107 m below the floor (y = 0), at frame 10" in line
    assert "more than 0.08 m in 24% of the frames" in line
    sunk = Motion(motion.rotations, motion.translation - torch.tensor([0.0, 0.2, 0.0]), motion.fps)
    sunk.save(still)
    with caplog.at_level(logging.WARNING):
        load_motion(still)
    assert "m below the floor" in caplog.text


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith("imuforge ")
