"""The rooms call each other in one direction only (CONTRIBUTING.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("sim", "datamodules", "lightning_modules", "experiments")
VALUE_TYPES = {"datamodules.batches", "datamodules.har.windows.loading", "datamodules.har.windows.window_set"}
"""What lightning_modules may take from datamodules: batches, windows, and the loader over them."""


def imported_modules(path: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            modules.add(node.module)
    return modules


@pytest.mark.parametrize("room", ROOMS)
def test_no_import_runs_upward(room: str) -> None:
    above = ROOMS[ROOMS.index(room) + 1 :]
    upward = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in (ROOT / room).rglob("*.py")
        for module in imported_modules(path)
        if module.split(".")[0] in above
    }
    assert not upward


def test_lightning_modules_take_only_value_types_from_datamodules() -> None:
    taken = {
        f"{path.name}: {module}"
        for path in (ROOT / "lightning_modules").rglob("*.py")
        if path.name != "cli.py"
        for module in imported_modules(path)
        if module.split(".")[0] == "datamodules" and module not in VALUE_TYPES
    }
    assert not taken


def test_sim_knows_no_lightning() -> None:
    users = {p.name for p in (ROOT / "sim").rglob("*.py") if any("lightning" in m for m in imported_modules(p))}
    assert not users
