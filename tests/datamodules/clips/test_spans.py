"""Spans of mixed recordings: on motions put together from the embedded clips, whose parts are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from datamodules.clips.clip import LYING
from datamodules.clips.embedded import load_embedded
from datamodules.clips.labelled import label_clips
from datamodules.clips.labels import ClipLabel
from datamodules.clips.posture import measure_posture
from datamodules.clips.spans import RULES, Span, cut_spans
from sim import Motion
from sim.trajectory import resample_motion

CLIPS = {clip.name: clip for clip in load_embedded()}


def part(name: str, seconds: float) -> Motion:
    motion = resample_motion(CLIPS[name].motion, fps=30.0)
    return motion.frames(0, round(seconds * 30))


def join(*parts: Motion, blend_s: float = 1.0) -> Motion:
    """Put motions one after another, each where the last one ended, with a turn from pose to pose between."""
    rotations, places = [parts[0].rotations], [parts[0].translation]
    steps = round(blend_s * 30)
    for piece in parts[1:]:
        last, first = rotations[-1][-1].double().numpy(), piece.rotations[0].double().numpy()
        gap = Rotation.from_matrix(last.transpose(0, 2, 1) @ first).as_rotvec()
        share = np.linspace(0, 1, steps)[:, None, None]
        turn = Rotation.from_rotvec((share * gap).reshape(-1, 3)).as_matrix().reshape(steps, 22, 3, 3)
        rotations.append(torch.from_numpy(last @ turn).float())
        start = places[-1][-1]
        goal = torch.stack([start[0], piece.translation[0, 1], start[2]])
        places.append(start + torch.linspace(0, 1, steps)[:, None] * (goal - start))
        rotations.append(piece.rotations)
        places.append(piece.translation - piece.translation[0] + goal)
    return Motion(torch.cat(rotations), torch.cat(places), 30.0)


def names(spans: list[Span]) -> list[str]:
    return [span.activity for span in spans]


def test_a_chair_makes_three_activities() -> None:
    motion = join(part("standing/0", 4), part("sitting/0", 5), part("standing/1", 4))
    spans = cut_spans(motion, ClipLabel("sitting", ("a person sits on a chair.",), cut="seat", rest="walking"))
    assert names(spans) == ["standing", "sitting_down", "sitting", "standing_up", "standing"]
    seated = spans[2]
    assert seated.start_s == pytest.approx(5.0, abs=0.8)
    assert seated.end_s == pytest.approx(10.0, abs=0.8)
    assert seated.captions == ("a person sits on a chair.",)
    assert not spans[1].captions


@pytest.mark.parametrize("number", range(4))
def test_the_side_of_a_lying_body_is_measured(number: int) -> None:
    motion = join(part("standing/0", 3), part(f"lying/{number}", 5), part("standing/1", 3), blend_s=2.0)
    spans = cut_spans(motion, ClipLabel("getting_up", cut="floor", rest=None))
    assert names(spans)[0] == names(spans)[-1] == "standing"
    assert LYING[number] in names(spans)
    assert "lying_down" in names(spans)
    assert "getting_up" in names(spans)
    assert not (set(LYING) - {LYING[number]}) & set(names(spans))


def test_lying_turned_about_the_vertical_and_mirrored_is_the_side_it_is() -> None:
    posture = measure_posture(CLIPS["lying/1"].motion)
    assert posture.lying_side(0, len(posture)) == "lying_on_left_side"
    mirrored = measure_posture(CLIPS["lying/1"].motion.mirrored())
    assert mirrored.lying_side(0, len(mirrored)) == "lying_on_right_side"


def test_a_walk_that_stops_ends_in_standing() -> None:
    spans = cut_spans(join(part("walk", 5), part("standing/0", 4)), ClipLabel("walking", cut="stops", rest="walking"))
    assert names(spans) == ["walking", "standing"]
    assert spans[0].end_s > spans[1].start_s  # a walk reaches into the rest beside it


def test_running_is_told_by_its_speed() -> None:
    motion = join(part("walk", 4), part("run", 4), part("walk", 4), blend_s=0.3)
    spans = cut_spans(motion, ClipLabel("basketball", ("a person dribbles.",), cut="fast", rest="basketball"))
    assert names(spans) == ["basketball", "running", "basketball"]
    assert "a person dribbles." not in spans[1].captions


def test_walking_backwards_is_told_from_forwards() -> None:
    walk = part("walk", 4)
    back = Motion(walk.rotations.flip(0), walk.translation.flip(0), walk.fps)
    label = ClipLabel("walking", cut="directions", rest="walking")
    assert names(cut_spans(walk, label)) == ["walking"]
    assert names(cut_spans(back, label)) == ["walking_backwards"]


def test_spans_become_clips_with_names_and_sentences_of_their_own() -> None:
    motion = join(part("standing/0", 4), part("sitting/0", 5))
    label = ClipLabel("sitting", ("a person sits on a stool.",), cut="seat", rest=None)
    clips = label_clips("set/a", motion, label, description="sit", source="set", licence="own", ships=True)
    assert [clip.activity for clip in clips] == ["standing", "sitting_down", "sitting"]
    assert len({clip.name for clip in clips}) == 3
    assert "sit" not in clips[2].captions
    assert "a person sits on a stool." in clips[2].captions
    whole = label_clips("set/a", motion, ClipLabel("sitting"), description="sit", source="set", licence="", ships=True)
    assert [clip.name for clip in whole] == ["set/a"]
    assert "sit" in whole[0].captions


def test_unknown_rules_are_named() -> None:
    with pytest.raises(ValueError, match="'halves', expected one of stops"):
        cut_spans(part("walk", 2), ClipLabel("walking", cut="halves"))
    with pytest.raises(ValueError, match="left out"):
        cut_spans(part("walk", 2), ClipLabel(None, why="no matter"))
    assert "seat" in RULES
