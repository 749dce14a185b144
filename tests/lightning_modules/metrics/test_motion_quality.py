"""Jerk, acceleration and skating of motions that are known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter1d
from scipy.stats import wasserstein_distance

from lightning_modules.metrics.motion_quality import REAL, SENSOR_JOINTS, MotionQuality, measure_skating
from sim.conventions import JOINT_INDEX, NUM_JOINTS
from sim.features import features_to_joints, joints_to_features
from sim.skeleton_t2m import retarget

FPS = 20.0
FEET = [JOINT_INDEX["left_foot"], JOINT_INDEX["right_foot"]]


def bob(amplitude_m: float, *, frames: int = 61, clips: int = 2) -> torch.Tensor:
    """Features ``(clips, frames - 1, 263)`` of a body that bobs up and down as one, once a second."""
    rest = retarget(torch.randn(1, NUM_JOINTS, 3, generator=torch.Generator().manual_seed(0)))[0]
    joints = rest + torch.zeros(clips, frames, 1, 3)
    joints[..., 1] += (amplitude_m * torch.sin(2 * math.pi * torch.arange(frames) / FPS))[:, None]
    return joints_to_features(joints)


def score(generated: torch.Tensor, real: torch.Tensor, *, lengths: list[int]) -> dict[int, dict[str, float]]:
    metric = MotionQuality()
    ids, group = torch.arange(len(lengths)), torch.arange(len(lengths)) % 2
    for slot, features in ((REAL, real), (0, generated)):
        metric.update(features, torch.tensor(lengths), sample_id=ids, group=group, slot=slot)
    return metric.compute()


def test_bobbing_half_as_far_halves_everything() -> None:
    scores = score(bob(0.1), bob(0.2), lengths=[60, 60])
    ours, real = scores[0], scores[REAL]
    factor = 2 * math.sin(math.pi / FPS)  # a difference multiplies a sine of 1 Hz by it
    times = np.abs(np.sin(2 * math.pi * np.arange(1, 59) / FPS))
    assert real["acceleration_m_s2"] == pytest.approx(0.2 * factor**2 * FPS**2 * times.mean(), rel=0.01)
    half_step = np.abs(np.cos(2 * math.pi * (np.arange(1, 58) + 0.5) / FPS))
    assert real["jerk_m_s3"] == pytest.approx(0.2 * factor**3 * FPS**3 * half_step.mean(), rel=0.01)
    for name in ("acceleration_m_s2", "jerk_m_s3"):
        assert ours[name] == pytest.approx(0.5 * real[name], rel=0.01)
    assert ours["peak_ratio_p95"] == pytest.approx(0.5, rel=0.01)
    assert ours["acceleration_wasserstein_m_s2"] == pytest.approx(0.5 * real["acceleration_m_s2"], rel=0.01)
    assert ours["jerk_wasserstein_m_s3"] == pytest.approx(0.5 * real["jerk_m_s3"], rel=0.01)
    assert "peak_ratio_p95" not in real
    assert ours["clips"] == 2
    assert ours["clips/high_dynamics"] == 1


def test_distances_equal_those_of_joints_taken_by_hand() -> None:
    generator = torch.Generator().manual_seed(2)
    real, made = (
        joints_to_features((torch.randn(2, 41, NUM_JOINTS, 3, generator=generator) * size).cumsum(dim=1) * 0.1)
        for size in (1.0, 2.0)
    )
    lengths = [40, 25]
    scores = score(made, real, lengths=lengths)[0]

    def pool(features: torch.Tensor, order: int) -> np.ndarray:
        joints = features_to_joints(features).numpy()[:, :, [JOINT_INDEX[name] for name in SENSOR_JOINTS]]
        pieces = [
            np.linalg.norm(np.diff(clip[:length].astype(np.float64), n=order, axis=0), axis=-1) * FPS**order
            for clip, length in zip(joints, lengths, strict=True)
        ]
        return np.concatenate([piece.ravel() for piece in pieces])

    for name, order in (("acceleration_wasserstein_m_s2", 2), ("jerk_wasserstein_m_s3", 3)):
        expected = wasserstein_distance(pool(made, order), pool(real, order))
        assert scores[name] == pytest.approx(expected, rel=1e-4)
    assert scores["peak_ratio_p99"] == pytest.approx(
        np.percentile(pool(made, 2), 99) / np.percentile(pool(real, 2), 99), rel=1e-4
    )


def test_skating_of_a_dragged_foot() -> None:
    joints = torch.ones(1, 41, NUM_JOINTS, 3)
    joints[:, :, FEET[0], 1] = 0.02
    joints[0, 10:, FEET[0], 0] += 0.05 * torch.arange(31)  # 1 m/s from frame 10 on
    skating = measure_skating(joints, torch.tensor([41]))
    # Sliding steps are 10 to 39. The mean of five is above 0.5 m/s where three of them slide.
    assert (skating.sliding.item(), skating.contact.item(), skating.steps.item()) == (30, 40, 40)
    short = measure_skating(joints, torch.tensor([21]))
    assert (short.sliding.item(), short.contact.item(), short.steps.item()) == (10, 20, 20)
    joints[..., FEET[0], 1] = 0.06
    lifted = measure_skating(joints, torch.tensor([41]))
    assert (lifted.sliding.item(), lifted.contact.item()) == (0, 0)


def test_a_slow_foot_and_a_single_slip_do_not_skate() -> None:
    joints = torch.zeros(2, 41, NUM_JOINTS, 3)
    joints[0, :, FEET[1], 2] = 0.02 * torch.arange(41)  # 0.4 m/s
    joints[1, 20:, FEET[1], 2] = 0.1  # one step of 2 m/s, 0.4 m/s in the mean
    assert measure_skating(joints, torch.tensor([41, 41])).sliding.tolist() == [0, 0]


def test_skating_equals_a_filter_of_scipy() -> None:
    """The reference averages speeds with scipy's uniform filter, zero beyond the ends."""
    generator = np.random.default_rng(0)
    joints = np.cumsum(generator.normal(0, 0.02, (3, 60, NUM_JOINTS, 3)), axis=1)
    joints[..., 1] = generator.uniform(0, 0.07, joints.shape[:-1])
    feet = joints[:, :, FEET]
    speed = np.linalg.norm(np.diff(feet[..., [0, 2]], axis=1), axis=-1) * FPS
    mean = uniform_filter1d(speed, size=5, axis=1, mode="constant")
    down = (feet[:, :-1, :, 1] < 0.05) & (feet[:, 1:, :, 1] < 0.05)
    expected = (down & (speed > 0.5) & (mean > 0.5)).any(axis=-1).sum(axis=1)
    found = measure_skating(torch.from_numpy(joints), torch.tensor([60, 60, 60]))
    assert found.sliding.tolist() == expected.tolist()
    assert 0 < expected.sum() < 3 * 59


def test_rows_count_once_and_short_clips_are_refused() -> None:
    metric = MotionQuality()
    features, ids = bob(0.2), torch.tensor([4, 9])
    for slot, size in ((REAL, 0.2), (0, 0.1), (0, 0.4)):  # the last come from another process, padded in
        metric.update(bob(size), torch.tensor([60, 60]), sample_id=ids, group=ids % 2, slot=slot)
    assert metric.compute()[0]["peak_ratio_p95"] == pytest.approx(0.5, rel=0.01)
    with pytest.raises(ValueError, match="a clip has 9 frames, expected at least 10"):
        metric.update(features, torch.tensor([60, 9]), sample_id=ids, group=ids % 2, slot=0)
