"""Traits tell activities and sides apart, whatever way a person faces; the forest's names are counted as they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules import MotionDataModule
from experiments.prior.quality.lying import name_sides
from experiments.prior.quality.recognise import Named, Recogniser, balanced_accuracy, confusion
from experiments.prior.quality.recorded import cut_recorded, swap_name
from experiments.prior.quality.traits import body_axes, measure_traits, traits_of_joints
from sim.body import Body
from sim.rotations import axis_angle_to_matrix


def rest_joints() -> Tensor:
    """A person who stands with the arms out, ``(22, 3)``."""
    return Body.default().rest_joints.float()


def turned(axis: list[float], degrees: float) -> Tensor:
    """A person who stands at rest, turned stiffly about the pelvis, 15 cm above the floor: ``(1, 40, 22, 3)``."""
    joints = rest_joints()
    rotation = axis_angle_to_matrix(torch.tensor(axis) * np.deg2rad(degrees)).float()
    lying = (joints - joints[0]) @ rotation.T
    lying[:, 1] += 0.15
    return lying.expand(1, 40, 22, 3)


SIDES = {
    "lying_on_back": ([1.0, 0.0, 0.0], -90.0),
    "lying_face_down": ([1.0, 0.0, 0.0], 90.0),
    "lying_on_left_side": ([0.0, 0.0, 1.0], -90.0),
    "lying_on_right_side": ([0.0, 0.0, 1.0], 90.0),
    "upright": ([0.0, 1.0, 0.0], 30.0),
}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("heading", [0.0, 110.0])
def test_sides_are_named_by_the_trunk(side: str, heading: float) -> None:
    about = axis_angle_to_matrix(torch.tensor([0.0, np.deg2rad(heading), 0.0])).float()
    assert name_sides(turned(*SIDES[side]) @ about.T) == [side]


def test_body_axes_are_the_persons_own() -> None:
    axes = body_axes(rest_joints())
    torch.testing.assert_close(axes @ axes.T, torch.eye(3), atol=1e-5, rtol=0)
    assert axes.diagonal().min() > 0.95  # left is +X, up +Y, ahead +Z at rest


def test_traits_know_no_heading_and_no_place() -> None:
    generator = torch.Generator().manual_seed(0)
    joints = rest_joints() + 0.1 * torch.randn(2, 40, 22, 3, generator=generator).cumsum(dim=1)
    about = axis_angle_to_matrix(torch.tensor([0.0, 1.9, 0.0])).float()
    moved = joints @ about.T + torch.tensor([3.0, 0.0, -2.0])
    np.testing.assert_allclose(traits_of_joints(joints), traits_of_joints(moved), rtol=0.01, atol=0.02)


def test_recorded_clips_are_named(recorded: MotionDataModule) -> None:
    chosen = ["walking", "sitting", "lying", "standing"]
    train = cut_recorded(recorded, "train", window_s=2.0, mirrored=True, limit=30).only(chosen)
    test = cut_recorded(recorded, "test", window_s=2.0, overlap=0.0).only(chosen)
    recogniser = Recogniser(measure_traits(train.features), train.activities)
    judged = recogniser.judge(measure_traits(test.features), test.activities)
    assert balanced_accuracy(judged) > 0.9
    shares = confusion(judged, recogniser.activities)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert shares.diagonal().mean() == pytest.approx(balanced_accuracy(judged))


def test_windows_hold_whole_clips_and_mirror_images_their_names(recorded: MotionDataModule) -> None:
    plain = cut_recorded(recorded, "train", window_s=2.0)
    both = cut_recorded(recorded, "train", window_s=2.0, mirrored=True)
    clips = {clip.name: clip for clip in recorded.library.side("train", looped=False)}
    assert set(plain.clips) <= set(clips)
    assert len(both) > len(plain)
    assert max(map(len, plain.features)) == 40
    longest = max(plain.clips, key=lambda name: len(clips[name].features))
    last = [row for row, name in enumerate(plain.clips) if name == longest][-1]
    np.testing.assert_array_equal(plain.features[last].numpy(), clips[longest].features[-40:])
    assert swap_name("lying_on_left_side") == "lying_on_right_side"
    assert swap_name("walking") == "walking"


def test_one_activity_is_nothing_to_tell_apart() -> None:
    with pytest.raises(ValueError, match=r"show \['walking'\], expected two activities"):
        Recogniser(np.zeros((3, 2), dtype=np.float32), ["walking"] * 3)
    assert np.isnan(Named("walking", {}).right)
    assert Named("walking", {"running": 3, "walking": 1}).mistakes == [("running", 3)]
