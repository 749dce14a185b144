"""Sensors worn at once share a body and a moment; each is mounted as it is alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from datamodules.har import RealIMUDataModule
from experiments.har_eval.config import ErrorsConfig, SimulationConfig, SiteConfig
from experiments.har_eval.stages.generate import Recorded
from experiments.har_eval.stages.simulate import WINDOWS, Sensor, Simulate
from experiments.pipeline.files import load_windows
from experiments.pipeline.tasks import Inputs
from sim.motion import Motion

STILL = SimulationConfig(1, 1, False, along_mm=0.0, around_deg=0.0, rotation_deg=0.0, errors=ErrorsConfig("none"))
WRIST = SiteConfig(mounting="x_proximal_z_in")
THIGH = SiteConfig(turn_about_deg=90.0, move_along_mm=120.0)


def simulate(sensor: Sensor, folder: Path, output: Path) -> np.ndarray:
    task = Simulate(Recorded("clips", 0, 4.0, 2, ("walking",), None), "one", sensor, ("walking",), STILL, 0)
    output.mkdir()
    task.run(Inputs([(task.motions, folder)]), output)
    return load_windows(output / WINDOWS)


def test_each_of_several_reads_what_it_reads_alone(tmp_path: Path) -> None:
    time = torch.arange(80) / 20.0
    rotations = torch.eye(3).repeat(1, 80, 22, 1, 1)
    swing = 0.6 * torch.sin(2 * torch.pi * time)
    rotations[0, :, 16:18, 1, 1] = rotations[0, :, 16:18, 2, 2] = swing.cos()[:, None]
    rotations[0, :, 16:18, 2, 1], rotations[0, :, 16:18, 1, 2] = swing.sin()[:, None], -swing.sin()[:, None]
    Motion(rotations, torch.zeros(1, 80, 3), 20.0).save(tmp_path / "walking.npz")
    alone = Sensor(("chest",), "declared", 0.0, 0.0, None, ("accel", "gyro"), 25.0, 2.56, 0.5, None)
    worn = (("chest", SiteConfig()), ("right_wrist", WRIST), ("right_thigh", THIGH))
    sites = tuple(site for site, _ in worn)
    together = simulate(replace(alone, placements=sites, worn=worn), tmp_path, tmp_path / "together")
    assert together.channels[:2] == ("chest.accel_x", "chest.accel_y")
    assert together.signals.shape[2] == 18
    single = (
        alone,
        replace(alone, placements=("right_wrist",), mounting="x_proximal_z_in"),
        replace(alone, placements=("right_thigh",), turn_about_deg=90.0, move_along_mm=120.0),
    )
    for number, sensor in enumerate(single):
        expected = simulate(sensor, tmp_path, tmp_path / str(number))
        found = together.signals[..., 6 * number : 6 * number + 6]
        np.testing.assert_allclose(found, expected.signals, atol=1e-4)
    assert together.signals[..., 6:12].std() > 5 * together.signals[..., :6].std(axis=1).mean()


def test_people_who_wear_several_have_the_same_channels(tmp_path: Path, write_pack) -> None:
    module = RealIMUDataModule(
        "dsads",
        str(write_pack(("p1", "p2"), ("a09", "a02"))),
        classes=["walking", "standing"],
        cut={"window_s": 2.56, "rate_hz": 25.0, "placements": ["chest", "right_wrist", "right_thigh"]},
        split="loso",
        cache_dir=str(tmp_path),
    )
    windows, _ = module.load_windows()
    names = ("chest", "right_wrist", "right_thigh")
    expected = tuple(f"{site}.{group}_{axis}" for site in names for group in ("accel", "gyro") for axis in "xyz")
    assert windows.channels == expected


def test_without_worn_placements_take_turns() -> None:
    sensor = Sensor(("left_wrist", "right_wrist"), "declared", 0.0, 0.0, None, ("accel",), 25.0, 2.56, 0.5, None)
    task = Simulate(
        Recorded("clips", 0, 4.0, 2, ("walking",), None), "x", sensor, ("walking",), replace(STILL, mountings=4), 0
    )
    drawn = list(task._placements(torch.Generator().manual_seed(0)))
    assert [len(placements) for placements in drawn] == [1, 1, 1, 1]
    assert [placements[0].name for placements in drawn] == ["left_wrist", "right_wrist"] * 2
