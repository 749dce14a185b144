"""What the simulator refuses, and with which words."""

from __future__ import annotations

import math

import pytest
import torch

from experiments.bench.body import make_motion
from sim import Body, Motion, Placement, simulate, simulate_joints, simulate_rigid
from sim.imu.readings import MIN_FRAMES

WRIST_AND_CHEST = [Placement.preset("left_wrist"), Placement.preset("chest")]


def _wave(num_frames: int = 40) -> Motion:
    """One clip of a smooth walk at 20 fps, float64."""
    motion = make_motion(1, num_frames)
    return Motion(motion.rotations[0].double(), motion.translation[0].double(), motion.fps)


def test_too_few_frames_are_refused():
    for doors in (
        lambda n: simulate(_wave(n), Body.default(), WRIST_AND_CHEST, rate_hz=100),
        lambda n: simulate_rigid(torch.zeros(n, 3), torch.eye(3).expand(n, 3, 3), fps=20, rate_hz=100),
        lambda n: simulate_joints(_joints(n), fps=20, placements=WRIST_AND_CHEST, rate_hz=100),
    ):
        assert doors(MIN_FRAMES).accel.shape[-3] == 5 * (MIN_FRAMES - 1) + 1
        with pytest.raises(ValueError, match=r"the clip has 5 frames, expected at least 6.*give a longer clip"):
            doors(MIN_FRAMES - 1)


def _joints(num_frames: int) -> torch.Tensor:
    return Body.default().joints(_wave(num_frames))


@pytest.mark.parametrize("rate", [0.0, -5.0, math.nan])
def test_rejects_rates(rate):
    with pytest.raises(ValueError, match=r"rate_hz is .* expected a positive number"):
        simulate(_wave(), Body.default(), WRIST_AND_CHEST, rate_hz=rate)
    with pytest.raises(ValueError, match=r"fps is .* expected a positive number"):
        simulate_joints(torch.zeros(5, 22, 3), fps=rate, placements=WRIST_AND_CHEST, rate_hz=50)
    with pytest.raises(ValueError, match=r"fps is .* expected a positive number"):
        simulate_rigid(torch.zeros(5, 3), torch.eye(3).expand(5, 3, 3), fps=rate, rate_hz=50)


def test_rejects_placements():
    with pytest.raises(ValueError, match="no placements"):
        simulate(_wave(), Body.default(), [], rate_hz=50)
    with pytest.raises(ValueError, match=r"\['chest'\] more than once"):
        simulate(_wave(), Body.default(), [WRIST_AND_CHEST[1]] * 2, rate_hz=50)
    with pytest.raises(ValueError, match="unknown placement"):
        Placement.preset("left_wirst")
    with pytest.raises(ValueError, match=r"placements holds 'chest', expected Placement\.preset\('chest'\)"):
        simulate(_wave(), Body.default(), ["chest"], rate_hz=50)
    with pytest.raises(ValueError, match=r"placements is one Placement, expected a list"):
        simulate(_wave(), Body.default(), WRIST_AND_CHEST[0], rate_hz=50)
    with pytest.raises(ValueError, match=r"errors is 'bmi270', expected SensorErrors; use SensorErrors\.preset"):
        simulate(_wave(), Body.default(), WRIST_AND_CHEST, rate_hz=50, errors="bmi270")
    motion, shapes = _wave(8), Body.default().with_shape(torch.zeros(2, 6))
    batch = Motion(motion.rotations.expand(3, -1, -1, -1, -1), motion.translation.expand(3, -1, -1), 20.0)
    with pytest.raises(ValueError, match=r"a batch \(2,\) of shapes and the motion a batch \(3,\) of clips"):
        simulate(batch, shapes, WRIST_AND_CHEST, rate_hz=50)


@pytest.mark.parametrize("rate", [1e12, 1e300, 1e-6])
def test_rates_of_another_unit_are_refused(rate):
    with pytest.raises(ValueError, match="is it in another unit"):
        simulate(_wave(), Body.default(), WRIST_AND_CHEST, rate_hz=rate)
    with pytest.raises(ValueError, match="is it in another unit"):
        simulate_joints(torch.zeros(9, 22, 3), fps=rate, placements=WRIST_AND_CHEST, rate_hz=50)


def test_rejects_poses():
    eye = torch.eye(3).repeat(9, 1, 1)
    position = torch.zeros(9, 3)
    gap = position.clone()
    gap[4, 1] = math.nan
    with pytest.raises(ValueError, match="from frame 4 on"):
        simulate_rigid(gap, eye, fps=20, rate_hz=20)
    with pytest.raises(ValueError, match="orientation holds a matrix that is not a rotation"):
        simulate_rigid(position, 2 * eye, fps=20, rate_hz=20)
    with pytest.raises(ValueError, match="expected both float32 or both float64"):
        simulate_rigid(position, eye.double(), fps=20, rate_hz=20)
    with pytest.raises(ValueError, match=r"expected \(9, 3, 3\)"):
        simulate_rigid(position, eye[:5], fps=20, rate_hz=20)
    with pytest.raises(ValueError, match=r"expected \(\.\.\., T, 3\)"):
        simulate_rigid(torch.zeros(9, 2), eye, fps=20, rate_hz=20)
    with pytest.raises(ValueError, match="0 frames"):
        simulate_rigid(position[:0], eye[:0], fps=20, rate_hz=20)


def test_rejects_motions():
    motion = _wave()
    with pytest.raises(ValueError, match=r"motion\.rotations holds a matrix that is not a rotation"):
        simulate(Motion(1.1 * motion.rotations, motion.translation, 20.0), Body.default(), WRIST_AND_CHEST, rate_hz=50)
    gap = motion.translation.clone()
    gap[7] = math.nan
    with pytest.raises(ValueError, match=r"motion\.translation has NaN or infinite values from frame 7 on"):
        simulate(Motion(motion.rotations, gap, 20.0), Body.default(), WRIST_AND_CHEST, rate_hz=50)
