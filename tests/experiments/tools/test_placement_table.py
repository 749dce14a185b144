"""The table of presets is made from the presets; the truth is how a person in the rest pose would say the axes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiments.tools.placement_table import BEGIN, END, list_pages, main, table_of_presets, write_anew
from sim import PLACEMENT_NAMES

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("page", list_pages(ROOT), ids=lambda page: page.name)
def test_the_documentation_says_what_the_presets_are(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == write_anew(text), "run python -m experiments.tools.placement_table"


def test_the_table_stands_in_the_documentation() -> None:
    assert table_of_presets() in (ROOT / "docs" / "placements.md").read_text(encoding="utf-8")


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


def test_what_stands_around_the_table_stays_and_counts_are_set_right(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    readme, page = tmp_path / "README.md", tmp_path / "docs" / "page.md"
    readme.write_text("(3 sites, [pictures](page.md)) of 3 sites", encoding="utf-8")
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    main([str(tmp_path)])
    assert readme.read_text(encoding="utf-8") == f"({len(PLACEMENT_NAMES)} sites, [pictures](page.md)) of 3 sites"
    assert page.read_text(encoding="utf-8") == f"before\n{table_of_presets()}\nafter\n"


def test_a_page_that_lost_the_end_of_its_section_is_refused() -> None:
    with pytest.raises(ValueError, match="put the two lines back"):
        write_anew(f"before\n{BEGIN}\nold\n")
