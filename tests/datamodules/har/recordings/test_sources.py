"""Which code decides what a pack holds; the truth is the import statements, followed from the module that packs."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from datamodules.har.recordings import sources
from datamodules.har.recordings.sources import reader_sources, reader_version

ROOT = Path(__file__).resolve().parents[4]
HAR = ROOT / "datamodules" / "har"


def imported_files(start: Path) -> set[Path]:
    """Modules of datamodules that a module imports, directly or through others."""
    found, waiting = set[Path](), [start]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path} imports relatively, which this test does not follow"
                names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            waiting += [file for name in names if name.startswith("datamodules.") for file in files_of(name)]
    return found


def files_of(module: str) -> list[Path]:
    path = ROOT.joinpath(*module.split("."))
    return [file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()]


def test_all_that_packing_imports_is_in_the_key() -> None:
    needed = imported_files(HAR / "streams" / "set_streams.py")
    assert len(needed) > 30
    assert needed <= set(reader_sources())


@pytest.mark.parametrize("name", ["augmentation", "turning", "cutter", "cut", "mixing", "window_set", "window_index"])
def test_how_windows_are_made_is_not_in_the_key(name: str) -> None:
    path = HAR / "windows" / f"{name}.py"
    assert path.is_file()
    assert path not in reader_sources()


def test_a_changed_reader_has_another_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = tmp_path / "reader.py"
    keys = []
    monkeypatch.setattr(sources, "reader_sources", lambda: [reader])
    for text in ("rate_hz = 50\n", "rate_hz = 100\n"):
        reader.write_text(text, encoding="utf-8")
        reader_version.cache_clear()
        keys.append(reader_version())
    reader_version.cache_clear()
    assert keys[0] != keys[1]
