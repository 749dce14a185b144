"""`motions.yaml` of a folder: options, activities and sentences reach the clips; mistakes are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamodules import MotionDataModule
from datamodules.clips.embedded import load_embedded
from datamodules.clips.sources import list_items
from datamodules.motion_files.folder_rules import read_folder_rules
from sim import Body

BODY = Body.default()


def write_joints(path: Path) -> Path:
    """A walk as joints without a rate, Z up."""
    walk = next(clip.motion for clip in load_embedded() if clip.name.endswith("walk"))
    joints = BODY.joints(walk).numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, joints @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]))
    return path


RULES = """
files:
  - {match: "trials/*.npy", activity: strolling, fps: 30, up: z, drop_first: 2}
paraphrases:
  strolling: [she strolls., someone takes a stroll.]
"""


def test_options_activity_and_sentences_reach_the_clips(tmp_path: Path) -> None:
    write_joints(tmp_path / "set" / "trials" / "t1.npy")
    (tmp_path / "set" / "motions.yaml").write_text(RULES)
    module = MotionDataModule([str(tmp_path / "set")], cache_dir=str(tmp_path / "cache"), num_workers=0)
    module.prepare_data()
    module.setup()
    assert module.activities == ["strolling"]
    clip = module.library.clips[0].load_clip()
    assert clip.motion.fps == 30.0
    walk = next(one.motion for one in load_embedded() if one.name.endswith("walk"))
    assert clip.motion.num_frames == walk.num_frames - 2
    heights = BODY.joints(clip.motion)[:, 0, 1]
    assert 0.7 < float(heights.min()) < float(heights.max()) < 1.0
    assert set(clip.captions) == {"she strolls.", "someone takes a stroll."}


def test_the_cache_knows_the_rules(tmp_path: Path) -> None:
    write_joints(tmp_path / "trials" / "t1.npy")
    keys = []
    for fps in (30, 60):
        (tmp_path / "motions.yaml").write_text(RULES.replace("fps: 30", f"fps: {fps}"))
        keys.append(list_items(str(tmp_path))[0].key)
    assert keys[0] != keys[1]


def test_files_that_rules_name_are_no_motions(tmp_path: Path) -> None:
    for name in ("a.trc", "static.trc"):
        (tmp_path / name).write_text("x")
    (tmp_path / "motions.yaml").write_text('files: [{match: "a.trc", static: static.trc}]')
    assert [item.name.split("/")[1] for item in list_items(str(tmp_path))] == ["a"]
    found = read_folder_rules(tmp_path).find("a.trc").options.static
    assert found == tmp_path / "static.trc"
    assert read_folder_rules(tmp_path).find("b.trc").options.static is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("files: {", "is no YAML"),
        ("[1, 2]", "expected 'files', 'paraphrases' and 'licence' only"),
        ("file: []", "expected 'files', 'paraphrases' and 'licence' only"),
        ("files: {a: 1}", "expected a list under 'files'"),
        ("files: [{fps: 3}]", "entry 1 of files is {'fps': 3}, expected match"),
        ("files: [{match: a, fsp: 3}]", r"has \['fsp'\], did you mean fps\?"),
        ("files: [{match: a, fps: fast}]", "entry 1 of files: fps is 'fast', expected a number"),
        ("files: [{match: a, fps: 0}]", "entry 1 of files: fps is 0, expected a positive number"),
        ("files: [{match: a, up: x}]", "up is 'x' and drop_first 0, expected y or z"),
        ("files: [{match: a, drop_first: 0.5}]", "drop_first 0.5, expected y or z and a whole number"),
        ("paraphrases: {walking: she walks}", "paraphrases of walking are 'she walks', expected a list of sentences"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "motions.yaml").write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_folder_rules(tmp_path)
    assert "motions.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "motions.yaml").write_text("files: [{match: a, skeleton: mine.yaml}]")
    with pytest.raises(FileNotFoundError, match=r"entry 1 of files names .*mine\.yaml, not found"):
        read_folder_rules(tmp_path)
