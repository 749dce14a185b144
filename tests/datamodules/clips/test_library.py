"""The library of clips: a recording from two sources counts once, and training takes what it was asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datamodules.clips.cache import CachedClip, convert, load
from datamodules.clips.embedded import load_embedded
from datamodules.clips.library import build_library
from datamodules.clips.motion_pack import list_packed
from datamodules.clips.sources import SourceItem
from datamodules.motion import MotionDataModule
from datamodules.motion_windows import SamplingPlan, TrainingWindows

CLIPS = {clip.name: clip for clip in load_embedded()}


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> list[CachedClip]:
    folder = tmp_path_factory.mktemp("library")

    def item(name: str, clip: str, *, source: str, origin: str | None) -> SourceItem:
        made = replace(CLIPS[clip], name=name, source=source)
        return SourceItem(name, name.replace("/", "_"), name, "test", lambda: [made], None, origin)

    items = [
        item("embedded/dance", "dance_a", source="embedded", origin="set/dance"),
        item("folder/dance", "dance_a", source="folder", origin=None),
        item("embedded/spin", "spin", source="embedded", origin="set/spin"),
    ]
    convert(items, folder)
    return load(items, folder)


def test_a_recording_that_a_folder_brings_too_counts_once_and_there(cached: list[CachedClip], tmp_path: Path) -> None:
    library = build_library(cached, cache_dir=tmp_path)
    assert sorted(clip.item.name for clip in library.clips) == ["embedded/spin", "folder/dance"]
    assert set(library.sides) == {"test"}  # the embedded twin's side holds for it


def test_the_folders_recording_is_taken_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = list_packed()[0]
    theirs = SourceItem(packed.origin, "key", packed.origin, None, list)
    ours = SourceItem("embedded/x", "key", "embedded/x", "train", list, None, packed.origin)
    lists = {"embedded": [ours], "folder": [theirs]}
    monkeypatch.setattr("datamodules.motion.list_items", lambda source: lists[source])
    assert MotionDataModule(["embedded", "folder"])._items() == [theirs]
    assert MotionDataModule(["embedded"])._items() == [ours]


def test_training_leaves_constructed_postures_out_where_enough_was_recorded(cache_dir: Path) -> None:
    def trained_on(**options: object) -> list[CachedClip]:
        data = MotionDataModule(cache_dir=str(cache_dir / "motion"), **options)
        data.prepare_data()
        data.setup()
        return data.training_clips

    every, some = trained_on(), trained_on(constructed_below_min=0.4)
    made = [{clip.activity for clip in clips if clip.constructed} for clips in (every, some)]
    assert "standing" in made[0] - made[1]
    assert "lying_on_left_side" in made[1]
    recorded = [[clip.name for clip in clips if not clip.constructed] for clips in (every, some)]
    assert recorded[0] == recorded[1]
    joined = trained_on(join=True)
    assert {clip.name for clip in every} < {clip.name for clip in joined}
    assert all(clip.looped for clip in joined if clip.name not in {one.name for one in every})


def test_a_mirrored_window_of_lying_is_of_the_other_side(cache_dir: Path) -> None:
    data = MotionDataModule(cache_dir=str(cache_dir / "motion"), activities=["lying"])
    data.prepare_data()
    data.setup()
    names = ["lying_face_down", "lying_on_back", "lying_on_left_side", "lying_on_right_side"]
    assert data.activities == names
    clip = next(clip for clip in data.library.side("train") if clip.activity == "lying_on_left_side")
    plan = SamplingPlan(np.ones(1), seed=0, mirror=True)
    windows = TrainingWindows([clip], activities=names, width=40, plan=plan)
    seen = {(names[window.activity], "right" in window.caption) for window in (windows[n] for n in range(30))}
    assert seen == {("lying_on_left_side", False), ("lying_on_right_side", True)}
    alone = TrainingWindows([clip], activities=["lying_on_left_side"], width=40, plan=plan)
    assert {window.activity for window in (alone[n] for n in range(30))} == {0}


def test_tempo_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"tempo is 0\.5"):
        MotionDataModule(tempo=0.5)
