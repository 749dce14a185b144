"""Peak accelerations against a closed form, and the threshold against recorded walking, running and jumping."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from datamodules import MotionDataModule
from datamodules.clips.clip import LYING
from datamodules.motion_windows import FixedWindows, collate_windows
from lightning_modules.metrics.dynamics import (
    DYNAMICS_GROUPS,
    HIGH_DYNAMICS_M_S2,
    group_dynamics,
    measure_peak_acceleration,
)
from sim.conventions import NUM_JOINTS
from sim.features import joints_to_features
from sim.skeleton_t2m import retarget

FPS = 20.0


def bob(amplitude_m: float, *, frames: int = 81) -> torch.Tensor:
    """Features ``(1, frames - 1, 263)`` of a body that bobs up and down as one, once a second."""
    rest = retarget(torch.randn(1, NUM_JOINTS, 3, generator=torch.Generator().manual_seed(0)))[0]
    joints = rest + torch.zeros(1, frames, 1, 3)
    joints[..., 1] += (amplitude_m * torch.sin(2 * math.pi * torch.arange(frames) / FPS))[:, None]
    return joints_to_features(joints)


@pytest.mark.parametrize("amplitude", [0.05, 0.4])
def test_peak_of_a_bobbing_body(amplitude: float) -> None:
    features = bob(amplitude)
    step = 2 * math.pi / FPS
    # The second difference of a sine is the sine times -(2 sin(step / 2))^2; torch's quantile is numpy's linear one.
    signal = amplitude * (2 * math.sin(step / 2)) ** 2 * FPS**2 * torch.sin(step * torch.arange(1, 79)).abs().double()
    expected = torch.quantile(signal, 0.95).item()
    assert measure_peak_acceleration(features, torch.tensor([80])).item() == pytest.approx(expected, rel=2e-3)


def test_what_lies_beyond_the_clip_does_not_count() -> None:
    features = bob(0.1).repeat(3, 1, 1)
    features[0, 40:] = torch.nan
    features[1, 40:] = torch.randn(40, 263, generator=torch.Generator().manual_seed(1))
    peaks = measure_peak_acceleration(features, torch.tensor([40, 40, 2]))
    alone = measure_peak_acceleration(bob(0.1)[:, :40], torch.tensor([40]))
    torch.testing.assert_close(peaks[:2], alone.expand(2))
    assert peaks[2] == 0  # no second difference lies inside
    assert measure_peak_acceleration(bob(0.1)[:, :2], torch.tensor([2])).tolist() == [0.0]


def test_groups_by_threshold() -> None:
    groups = group_dynamics(torch.tensor([0.0, 11.9, 12.0, 60.0]), 12.0)
    assert [DYNAMICS_GROUPS[index] for index in groups] == ["low_dynamics"] * 2 + ["high_dynamics"] * 2


def test_threshold_tells_embedded_walking_from_running_and_jumping(cache_dir: Path) -> None:
    data = MotionDataModule(mirror=False, cache_dir=str(cache_dir / "motion"))
    data.prepare_data()
    data.setup()
    peaks: dict[str, list[float]] = {}
    for split in ("train", "val", "test"):
        clips = [clip for clip in data.library.side(split, looped=False) if clip.item.origin is None]
        windows = FixedWindows(clips, activities=data.activities, width=80, limit=10)
        batch = collate_windows([windows[number] for number in range(len(windows))])
        found = measure_peak_acceleration(batch.features, batch.lengths)
        for index, peak in zip(batch.activity.tolist(), found.tolist(), strict=True):
            peaks.setdefault(data.activities[index], []).append(peak)
    for name in ("walking", "standing", "sitting", *LYING, "turning"):
        assert max(peaks[name]) < HIGH_DYNAMICS_M_S2, name
    for name in ("running", "jumping", "kicking", "punching", "acrobatics"):
        assert min(peaks[name]) > HIGH_DYNAMICS_M_S2, name
