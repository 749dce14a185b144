"""Clips carried on by others: no jolt at the seam, and only what fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from datamodules.clips.cache import convert, load
from datamodules.clips.embedded import load_embedded
from datamodules.clips.joins import join_items, join_motions
from datamodules.clips.sources import SourceItem
from sim import Body, Motion

CLIPS = {clip.name: clip for clip in load_embedded()}
BODY = Body.default()


def accelerations(motion: Motion) -> np.ndarray:
    return BODY.joints(motion).diff(n=2, dim=0).norm(dim=-1).mean(dim=-1).numpy() * motion.fps**2


def test_a_walk_carried_on_by_another_has_no_jolt() -> None:
    walk = CLIPS["walk"].motion
    first, second = walk.frames(0, 60), walk.frames(45, 120)
    joined = join_motions(first, second)
    assert joined is not None
    assert joined.num_frames > first.num_frames + 20
    assert accelerations(joined).max() < 1.3 * accelerations(walk).max()
    speed = joined.translation.diff(dim=0)[:, [0, 2]].norm(dim=-1) * joined.fps
    assert 0.5 * float(speed.median()) < float(speed.min())
    assert float(speed.max()) < 1.6 * float(speed.median())


def test_what_does_not_fit_is_not_joined() -> None:
    assert join_motions(CLIPS["walk"].motion, CLIPS["lying/0"].motion) is None
    assert join_motions(CLIPS["walk"].motion, CLIPS["walk"].motion.frames(0, 3)) is None


def test_short_clips_of_one_person_become_long_ones(tmp_path: Path) -> None:
    walk = CLIPS["walk"]

    def item(name: str, person: str | None, start: int) -> SourceItem:
        motion = walk.motion.frames(start, start + 60)
        clip = type(walk)(name, motion, "walking", walk.captions, "test")
        return SourceItem(name, f"key{name}", name, None, lambda: [clip], person)

    items = [item("a", "p", 0), item("b", "p", 45), item("c", "q", 0), item("d", None, 0)]
    convert(items, tmp_path)
    clips = load(items, tmp_path)
    found = join_items(clips, seconds=4.0)
    assert [one.name for one in found] == ["a~joined0", "b~joined0"]
    convert(found, tmp_path)
    joined = load(found, tmp_path)
    assert all(one.looped and one.seconds > clips[0].seconds + 0.3 for one in joined)
    assert [one.name for one in joined] == ["a~joined", "b~joined"]
    assert [one.key for one in found] == [one.key for one in join_items(clips, seconds=4.0)]
