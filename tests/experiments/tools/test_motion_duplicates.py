"""The table of duplicates of a folder: what lies in what, from when on."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamodules.clips.embedded import load_embedded
from experiments.tools.motion_duplicates import main


def test_a_clip_and_its_part_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = {clip.name: clip.motion for clip in load_embedded() if not clip.constructed}
    for folder in ("one", "other"):
        (tmp_path / "motions" / folder).mkdir(parents=True)
    clips["dance_b"].save(tmp_path / "motions" / "one" / "whole.npz")
    clips["dance_b"].frames(30, 120).save(tmp_path / "motions" / "other" / "part.npz")
    clips["spin"].save(tmp_path / "motions" / "other" / "spin.npz")
    main([str(tmp_path / "motions"), "--cache", str(tmp_path / "cache")])
    out = capsys.readouterr().out
    assert "other/part = one/whole from 0.50 s on" in out
    assert "1 pairs among 3 clips" in out
