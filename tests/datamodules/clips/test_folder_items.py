"""A folder of motion files as a source: what is listed, under which name, and what a Mac or the cache leaves in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from datamodules import MotionDataModule
from datamodules.clips.embedded import load_embedded
from datamodules.clips.sources import list_items
from experiments.bandwidth.check import list_motions


@pytest.fixture(scope="module")
def motion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("motion") / "walk.npz"
    next(clip.motion for clip in load_embedded() if clip.name.endswith("walk")).save(path)
    return path


def test_files_of_a_mac_are_passed_over(tmp_path: Path, motion: Path) -> None:
    shutil.copy(motion, tmp_path / "one.npz")
    for name in ("._one.npz", "__MACOSX/._one.npz", ".trash/one.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    assert [item.name for item in list_items(str(tmp_path))] == [f"{tmp_path.name}/one"]
    assert [path.name for path in list_motions(tmp_path, 10)] == ["one.npz"]


def test_names_and_folders_with_dots_keep_them(tmp_path: Path, motion: Path) -> None:
    for name in ("run.v2/a.1.npz", "run.v2/a.2.npz", "run.v3/a.1.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(motion, tmp_path / name)
    (tmp_path / "captions.csv").write_text("file,caption\nrun.v2/a.1,she runs.\nrun.v3/a.1.npz,he runs.\n")
    items = list_items(str(tmp_path))
    assert [item.name.partition("/")[2] for item in items] == ["run.v2/a.1", "run.v2/a.2", "run.v3/a.1"]
    captions = [item.load()[0].captions for item in items]
    assert ["she runs." in one for one in captions] == [True, False, False]
    assert ["he runs." in one for one in captions] == [False, False, True]


def test_one_motion_in_two_formats_has_two_names(tmp_path: Path, motion: Path) -> None:
    shutil.copy(motion, tmp_path / "one.npz")
    (tmp_path / "one.bvh").write_text("x")
    assert [item.name.partition("/")[2] for item in list_items(str(tmp_path))] == ["one.bvh", "one.npz"]


def test_a_source_may_hold_the_cache(tmp_path: Path, motion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(motion, tmp_path / "one.npz")
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        module = MotionDataModule(["."], cache_dir="runs/cache/motion", num_workers=0)
        module.prepare_data()
        module.setup()
        assert [clip.item.name for clip in module.library.clips] == [f"{tmp_path.name}/one"]
