"""The page of the training set: its figures are those of the library, and bad input is one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datamodules.clips.cache import CachedClip
from datamodules.clips.library import SIDES, build_library
from datamodules.clips.sources import SourceItem
from datamodules.motion import MotionDataModule
from experiments.prior.dataset import (
    LeftOut,
    find_left_out,
    main,
    tabulate_activities,
    tabulate_left_out,
    tabulate_people,
    tabulate_sets,
    write_report,
)


@pytest.fixture(scope="module")
def module(cache_dir: Path) -> MotionDataModule:
    data = MotionDataModule(cache_dir=str(cache_dir / "motion"))
    data.prepare_data()
    data.setup()
    return data


def test_minutes_add_up(module: MotionDataModule) -> None:
    table = tabulate_activities(module.library, {clip.name for clip in module.training_clips})
    rows = {row[0]: row for row in table.rows}
    assert set(rows) == {*module.activities, "all"}
    for name in module.activities:
        sides = [float(cell) for cell in rows[name][3:6]]
        assert sides == pytest.approx([module.library.minutes(side)[name] for side in SIDES], abs=0.006)
    total = sum(clip.seconds for clip in module.library.clips if not clip.looped and not clip.constructed) / 60
    assert float(rows["all"][2]) == pytest.approx(total, abs=0.3)
    assert rows["lying_face_down"][6] != "0%"


def test_every_source_states_its_terms(module: MotionDataModule) -> None:
    assert all(row[-1] for row in tabulate_sets(module.library).rows)


def test_who_is_held_out_is_said(module: MotionDataModule, tmp_path: Path) -> None:
    clips = [clip for clip in module.library.clips if clip.constructed][:2]

    def as_person(clip: CachedClip, person: str, split: str) -> CachedClip:
        item = SourceItem(f"{person}/{split}", clip.item.key, f"{person}/{split}", split, list, person)  # type: ignore[arg-type]
        return CachedClip(**{**{name: getattr(clip, name) for name in clip.__dataclass_fields__}, "item": item})

    known = [as_person(clips[0], "p", "test"), as_person(clips[1], "q", "train"), as_person(clips[0], "q", "test")]
    library = build_library(known, cache_dir=tmp_path)
    assert {row[0]: row[-1] for row in tabulate_people(library).rows} == {"p": "yes", "q": ""}


def test_the_report_is_written(module: MotionDataModule, tmp_path: Path) -> None:
    tables = [tabulate_sets(module.library), tabulate_left_out([LeftOut("set/a", "a test")])]
    page = write_report(tables, tmp_path)
    assert "| set/a | a test |" in page.read_text(encoding="utf-8")
    assert json.loads((tmp_path / "dataset.json").read_text(encoding="utf-8"))[1]["rows"] == [["set/a", "a test"]]


def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    yaml = tmp_path / "dataset.yaml"
    yaml.write_text("data: {sources: [nowhere]}\n", encoding="utf-8")
    with pytest.raises(SystemExit) as stop:
        main(["-c", str(yaml), f"output={tmp_path}"])
    assert stop.value.code == 2
    assert "'nowhere' is not a folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["-c", str(yaml), "data.tempoo=1"])
    assert "tempo" in capsys.readouterr().err


def test_files_of_a_collection_that_give_nothing_are_named_with_their_reason(
    module: MotionDataModule, shared: Path
) -> None:
    left = {one.name: one.why for one in find_left_out([str(shared / "data" / "mocap")], module.library)}
    assert "range-of-motion" in left["cmu_amc/127/127_02"]
    assert left["cmu_amc/16/16_15"] == "no unbroken second of a named activity"  # none was converted here
