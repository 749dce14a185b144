"""Tempo and body scale: what walks walks faster, what flies falls as before."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from datamodules.clips.cache import compute_features
from datamodules.clips.embedded import load_embedded
from datamodules.motion_tempo import change_rate, draw_rate, is_airborne
from datamodules.motion_windows import SamplingPlan, TrainingWindows
from sim import Motion
from sim.conventions import FEATURE_FPS
from sim.features import features_to_joints

CLIPS = {clip.name: clip for clip in load_embedded()}
G = 9.81


@dataclass(frozen=True)
class Sample:
    name: str
    activity: str
    features: NDArray[np.float32]
    captions: tuple[str, ...] = ("a person moves.",)

    @property
    def mirrored(self) -> NDArray[np.float32]:
        return self.features

    @property
    def seconds(self) -> float:
        return len(self.features) / FEATURE_FPS


def leap() -> Motion:
    """Somebody who stands and is thrown up every 1.5 s, in free fall for 0.6 s of it."""
    still = CLIPS["standing/0"].motion.frames(0, 1)
    times = np.arange(6 * 60) / 60 % 1.5
    height = np.where(times < 0.6, G / 2 * times * (0.6 - times), 0.0)
    place = still.translation + torch.from_numpy(height[:, None] * np.array([0.0, 1.0, 0.0])).float()
    return Motion(still.rotations.expand(len(times), -1, -1, -1).clone(), place, 60.0)


def flight_acceleration(features: NDArray[np.float32]) -> float:
    """Mean vertical acceleration of the pelvis in the middle of its flights [m/s^2]."""
    height = features[:, 3].astype(np.float64)
    bend = np.diff(height, n=2) * FEATURE_FPS**2
    up = height > np.quantile(height, 0.05) + 0.25
    inside = up[:-2] & up[1:-1] & up[2:]
    return float(bend[inside].mean())


def draw(sample: Sample, plan: SamplingPlan, count: int = 40) -> list[NDArray[np.float32]]:
    windows = TrainingWindows([sample], activities=[sample.activity], width=60, plan=plan)
    return [window.features[: window.length].numpy() for window in (windows[n] for n in range(count))]


PLAN = SamplingPlan(np.ones(1), seed=3, mirror=False)


def test_flights_keep_falling_at_one_g() -> None:
    sample = Sample("leap", "jumping", compute_features(leap()).numpy())
    assert flight_acceleration(sample.features) == pytest.approx(-G, abs=0.3)
    drawn = [flight_acceleration(window) for window in draw(sample, replace(PLAN, tempo=0.2, body_scale=0.2))]
    assert np.mean(drawn) == pytest.approx(-G, abs=0.3)
    # What would happen otherwise: a fifth faster falls nearly half as fast again.
    assert flight_acceleration(change_rate(sample.features, 1.2)) == pytest.approx(-G * 1.44, rel=0.05)
    assert is_airborne(compute_features(CLIPS["jump"].motion).numpy())
    assert is_airborne(compute_features(CLIPS["run"].motion).numpy())


def test_walking_changes_its_rate_and_keeps_its_steps() -> None:
    walk = CLIPS["walk"].motion
    features = compute_features(walk).numpy()
    assert not is_airborne(features)
    exact = compute_features(Motion(walk.rotations, walk.translation, walk.fps * 1.15)).numpy()
    changed = change_rate(features, 1.15)
    length = min(len(exact), len(changed)) - 2
    joints = [features_to_joints(torch.from_numpy(one[1:length])).double() for one in (changed, exact)]
    local = [one - one[:, :1] * torch.tensor([1.0, 0.0, 1.0]) for one in joints]
    # The first frame of each lies a twentieth of a second into the motion, at its own rate: 7 ms apart.
    assert float((local[0] - local[1]).norm(dim=-1).mean()) < 0.02
    paths = [float((one[-1, 0] - one[0, 0]).norm()) for one in joints]
    assert paths[0] == pytest.approx(paths[1], rel=0.02)
    bends = [float(one.diff(n=2, dim=0).norm(dim=-1).square().mean().sqrt()) for one in joints]
    assert bends[0] == pytest.approx(bends[1], rel=0.05)


def test_drawn_rates_stay_within_what_was_asked_for() -> None:
    generator = np.random.default_rng(0)
    rates = [draw_rate(generator, tempo=0.1, body_scale=0.0) for _ in range(500)]
    assert 0.9 <= min(rates) < 0.92
    assert 1.08 < max(rates) <= 1.1
    scales = [draw_rate(generator, tempo=0.0, body_scale=0.2) for _ in range(500)]
    assert min(scales) >= 1 / np.sqrt(1.2) - 1e-9
    assert max(scales) <= 1 / np.sqrt(0.8) + 1e-9


def test_what_else_is_drawn_does_not_change_and_a_resumed_run_draws_the_same() -> None:
    sample = Sample("walk", "walking", compute_features(CLIPS["walk"].motion).numpy())
    plain, changed, again = (draw(sample, replace(PLAN, tempo=tempo), 8) for tempo in (0.0, 0.15, 0.15))
    assert all(np.array_equal(one, other) for one, other in zip(changed, again, strict=True))
    assert not any(np.array_equal(one, other) for one, other in zip(plain, changed, strict=True))
    speeds = [np.abs(one[:, 2]).mean() for one in changed]
    assert np.std(speeds) > 0.02 * np.mean(speeds)
    with pytest.raises(ValueError, match="at least 4"):
        change_rate(sample.features[:3], 1.1)
