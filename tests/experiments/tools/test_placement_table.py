"""The table of presets is made from the presets; the truth is how a person in the rest pose would say the axes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiments.tools.placement_table import BEGIN, END, PAGE, main, put_into, table_of_presets
from sim import PLACEMENT_NAMES

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_is_what_the_presets_make_of_it() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == put_into(page), "run python -m experiments.tools.placement_table"


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("head", ["up", "right", "forwards"]),
        ("back", ["up", "left", "backwards"]),
        ("left_wrist", ["to the hand", "backwards", "up"]),
        ("right_upper_arm", ["to the hand", "forwards", "up"]),
        ("left_pocket", ["down", "backwards and left", "forwards and left"]),
        ("right_ankle", ["down", "forwards", "right"]),
        ("left_foot", ["to the toes", "left", "up"]),
    ],
)
def test_axes_are_said_as_a_person_would(name: str, axes: list[str]) -> None:
    (row,) = [line for line in table_of_presets().splitlines() if f"`{name}`" in line]
    assert [cell.strip() for cell in row.split("|")[3:6]] == axes


def test_every_preset_is_there_once() -> None:
    named = re.findall(r"`(\w+)`(?=[ ,])", table_of_presets())
    assert sorted(named) == sorted(PLACEMENT_NAMES)


def test_every_count_in_the_documentation_is_the_number_of_presets() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    counts = [
        int(count)
        for page in pages
        for count in re.findall(r"(\d+) (?:sites, \[pictures|presets\b)", page.read_text(encoding="utf-8"))
    ]
    assert set(counts) <= {len(PLACEMENT_NAMES)}


def test_what_stands_around_the_table_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    main([str(page)])
    assert page.read_text(encoding="utf-8") == f"before\n{table_of_presets()}\nafter\n"
    page.write_text("no table", encoding="utf-8")
    with pytest.raises(ValueError, match="put the two lines back"):
        main([str(page)])
