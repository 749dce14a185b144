"""The page on data sets does what it says: its YAML is a specification, its Python runs, its files are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiments.dataset.checks import load_spec

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "datasets.md").read_text(encoding="utf-8")


def test_its_yaml_is_a_specification(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    config = load_spec(path)
    assert config.recordings == 20 * 3 * 4
    assert config.activities["upstairs"].tell == ["stairs_up"]


def test_its_python_runs_in_the_folder_of_the_data_set(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(made.parent)
    exec(compile(code, "datasets.md", "exec"), {})
    out = capsys.readouterr().out
    assert "of the test people's windows" in out
    assert re.search(r"walking +4", out)


def test_it_names_what_is_written(made: Path) -> None:
    assert [path.name for path in made.iterdir() if f"`{path.name}" not in PAGE and path.name != "parts"] == []
