"""Soles lie level where feet stand, no marker moves for it, and a calibration recording is held to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.clips.embedded import load_embedded
from datamodules.formats.trc import read_trc
from datamodules.markers.fit import fit_markers
from datamodules.markers.marker_sets import load_marker_sets
from datamodules.markers.model import MarkerModel, build_model
from datamodules.markers.soles import level_soles
from datamodules.markers.solver import Pose
from sim import Body
from sim.conventions import JOINT_INDEX
from sim.rotations import axis_angle_to_matrix

BODY = Body.default()
OPENCAP = next(one for one in load_marker_sets() if one.name == "opencap")
ANKLES = [JOINT_INDEX["left_ankle"], JOINT_INDEX["right_ankle"]]


@pytest.fixture(scope="module")
def model() -> MarkerModel:
    built = build_model(list(OPENCAP.sites.values()), BODY)
    offsets = 0.01 * torch.randn(built.offsets.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return built.shaped(betas=built.betas, offsets=offsets)


def walk() -> Pose:
    motion = next(clip.motion for clip in load_embedded() if clip.name.endswith("walk"))
    return Pose(motion.rotations.double(), motion.translation.double())


def tilt_feet(pose: Pose, radians: list[float]) -> Pose:
    rotations = pose.rotations.clone()
    rotations[:, ANKLES] = rotations[:, ANKLES] @ axis_angle_to_matrix(torch.tensor(radians, dtype=torch.float64))
    return Pose(rotations, pose.translation)


def test_tilted_feet_come_back_and_no_marker_moves(model: MarkerModel) -> None:
    straight, tilted = level_soles(model, walk(), fps=30.0)[1], tilt_feet(walk(), [0.2, 0.0, -0.15])
    levelled, pose = level_soles(model, tilted, fps=30.0)
    # A turn about the vertical cannot be told; these tilts are about axes that lie in the sole.
    angle = (straight.rotations[:, ANKLES].mT @ pose.rotations[:, ANKLES]).diagonal(dim1=-2, dim2=-1).sum(-1)
    assert float(torch.rad2deg(torch.acos(((angle - 1) / 2).clamp(-1, 1))).max()) < 3.0
    before, after = (
        model.place(tilted.rotations, tilted.translation)[0],
        levelled.place(pose.rotations, pose.translation)[0],
    )
    assert torch.allclose(before, after, atol=1e-9)
    others = [joint for joint in range(22) if joint not in ANKLES]
    assert torch.equal(pose.rotations[:, others], tilted.rotations[:, others])


def test_feet_that_never_stand_or_stand_on_their_toes_are_left_alone(model: MarkerModel) -> None:
    pose = walk()
    belt = torch.zeros_like(pose.translation)
    belt[:, 2] = torch.arange(len(belt)) * 3.0 / 30.0
    moving = Pose(pose.rotations, pose.translation + belt)
    tiptoe = tilt_feet(pose, [0.9, 0.0, 0.0])
    for one in (moving, tiptoe):
        assert torch.equal(level_soles(model, one, fps=30.0)[1].rotations, one.rotations)


@pytest.mark.parametrize(
    ("trial", "static"),
    [
        ("nimble_opencap_lab/subj4_walking1", "nimble_opencap_lab/subj4_static1"),
        ("opensim_running/motion_capture_run", "opensim_running/static_run"),
    ],
)
def test_shape_and_soles_of_a_calibration_recording_are_taken_over(shared: Path, trial: str, static: str) -> None:
    folder = shared / "data" / "mocap" / "markers"
    moving, standing = (read_trc(folder / f"{name}.trc.xz") for name in (trial, static))
    moving = replace(moving, positions=moving.positions[:120])
    alone, held, own = fit_markers(moving), fit_markers(moving, static=standing), fit_markers(standing)
    away = [float((fit.body.betas - own.body.betas).norm()) for fit in (alone, held)]
    assert away[1] < 0.5 * away[0]
    assert held.median_residual_m < 0.015
    turns = own.body.forward_kinematics(own.motion)[1][:, ANKLES].double().numpy()
    assert np.rad2deg(np.arccos(np.clip(turns[..., 1, 1], -1, 1))).max() < 2.0
