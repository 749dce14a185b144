"""Unknown names are refused beside the nearest valid one; the truth is what a reader of the message would pick."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from sim.names import check_name, nearest_name, suggest

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMS = ("sim", "datamodules", "lightning_modules", "experiments")


def test_an_unknown_name_is_refused_with_the_nearest_and_all_valid_ones() -> None:
    check_name("walking", ("walking", "running"), "activity")
    with pytest.raises(ValueError) as refused:
        check_name("waking", ("walking", "running"), "activity")
    assert str(refused.value) == (
        "unknown activity 'waking', expected one of ['walking', 'running']; did you mean walking?"
    )


def test_nothing_is_suggested_where_nothing_is_alike() -> None:
    assert nearest_name("zzz", ["left_wrist"]) is None
    assert suggest("zzz", ["left_wrist"]) == ""
    assert nearest_name("zzz", ["left_wrist"], cutoff=0.0) == "left_wrist"


def test_a_suggestion_can_be_shown_under_another_name() -> None:
    synonyms = {"jog": "running", "stroll": "walking"}
    assert suggest("jogg", ("running", "walking", *synonyms), shown_as=synonyms) == "; did you mean 'running'?"
    assert suggest("runing", ("running", *synonyms), shown_as=synonyms, quoted=False) == "; did you mean running?"


def test_no_other_module_looks_for_the_nearest_name_itself() -> None:
    users = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(alias.name == "difflib" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "difflib")
    }
    assert users == {"sim/names.py"}
