"""Was it produced? Recorded clips show what they are called, and nothing else that a rule tells apart."""

from __future__ import annotations

import pytest
import torch

from datamodules.clips.clip import LYING, Clip
from datamodules.clips.shown import RULES, shows
from datamodules.clips.sources import list_items

NAMES = ("walking", "running", "jumping", "standing", "sitting", *LYING, "stairs_up", "stairs_down")


@pytest.fixture(scope="module")
def clips() -> dict[str, list[Clip]]:
    """At most six embedded clips of each activity with a rule."""
    found: dict[str, list[Clip]] = {name: [] for name in NAMES}
    for item in list_items("embedded"):
        for clip in item.load():
            if len(found.get(clip.activity, [None] * 6)) < 6:
                found[clip.activity].append(clip)
    return found


def test_recorded_clips_show_what_they_are_called(clips: dict[str, list[Clip]]) -> None:
    for name, mine in clips.items():
        shown = [shows(name, clip.motion) for clip in mine]
        assert sum(map(bool, shown)) >= 0.6 * len(mine), (name, shown)


def test_postures_and_ways_of_moving_are_not_taken_for_one_another(clips: dict[str, list[Clip]]) -> None:
    for name in ("standing", "walking", "running", "sitting", *LYING):
        others = [clip for other, mine in clips.items() if other != name for clip in mine]
        taken = [clip.activity for clip in others if shows(name, clip.motion)]
        assert len(taken) <= 0.15 * len(others), (name, taken)


def test_lying_is_any_of_the_four_ways(clips: dict[str, list[Clip]]) -> None:
    for name in LYING:
        for clip in clips[name]:
            assert shows("lying", clip.motion) == any(shows(side, clip.motion) for side in LYING)


def test_somebody_who_is_turned_over_lies_otherwise(clips: dict[str, list[Clip]]) -> None:
    clip = next(clip for clip in clips["lying_on_back"] if shows("lying_on_back", clip.motion))
    # Half a turn about the body's long axis, which is the root's own y.
    turn = torch.diag(torch.tensor([-1.0, 1.0, -1.0], dtype=clip.motion.rotations.dtype))
    rotations = clip.motion.rotations.clone()
    rotations[:, 0] = rotations[:, 0] @ turn
    over = type(clip.motion)(rotations, clip.motion.translation, clip.motion.fps)
    assert shows("lying_face_down", over)
    assert not shows("lying_on_back", over)


def test_where_there_is_no_rule_nothing_is_said(clips: dict[str, list[Clip]]) -> None:
    assert "dancing" not in RULES
    assert shows("dancing", clips["walking"][0].motion) is None
