"""The documentation keeps to the code: the README runs, lists are whole, pictures are what their scripts draw."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiments.tools.check_site import main as check_site
from experiments.tools.decision_index import list_decisions
from experiments.tools.draw_data_way import FILE, draw
from sim import PLACEMENT_NAMES
from sim.sensor_errors import SENSOR_NAMES

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("sim", "datamodules", "lightning_modules", "experiments")


def read(*parts: str) -> str:
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def test_python_of_the_readme_prints_sensor_readings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", read("README.md"), re.DOTALL)
    assert len(code.splitlines()) <= 16
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    table = capsys.readouterr().out
    assert "left_wrist_accel_x" in table
    assert "left_wrist_gyro_z" in table
    assert len(re.findall(r"^1\.0\d ", table, re.MULTILINE)) == 5


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    text = read("README.md")
    prose = re.sub(r"```.*?```|^ {4}.*?$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert len(prose.split()) < 550
    paths = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def test_architecture_names_every_family() -> None:
    text = read("docs", "architecture.md")
    families = [
        f"{path.name}/"
        for room in ROOMS
        for path in (ROOT / room).iterdir()
        if path.is_dir() and any(file.suffix in (".py", ".yaml") for file in path.iterdir())
    ]
    assert len(families) > 30
    assert [name for name in families if f"`{name}`" not in text] == []


def test_the_picture_of_the_data_is_what_its_script_draws() -> None:
    assert FILE.read_text(encoding="utf-8") == draw(), "run python -m experiments.tools.draw_data_way"


def test_the_list_of_decisions_is_whole() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "index.md").read_text(encoding="utf-8")
    assert listed == list_decisions(folder), "run python -m experiments.tools.decision_index"


def test_decisions_have_numbers_of_their_own(tmp_path: Path) -> None:
    for name in ("001-one.md", "001-other.md"):
        (tmp_path / name).write_text("# 001 Title\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"001-other.md and 001-one.md have one number"):
        list_decisions(tmp_path)
    (tmp_path / "001-other.md").write_text("Title\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"expected '# 001 Title'"):
        list_decisions(tmp_path)


def test_pages_name_every_placement_and_device() -> None:
    placements, simulator = read("docs", "placements.md"), read("docs", "simulator.md")
    assert [name for name in PLACEMENT_NAMES if f"`{name}`" not in placements] == []
    assert [name for name in SENSOR_NAMES if name != "none" and name not in simulator] == []


def test_every_file_that_a_page_tells_to_touch_is_there() -> None:
    for page in (ROOT / "docs" / "extend").glob("*.md"):
        named = re.findall(r"`((?:sim|datamodules|lightning_modules|experiments|tests)/[\w/.]+)`", read(str(page)))
        missing = [name for name in named if "my_set" not in name and not (ROOT / name).exists()]
        assert named or page.stem == "network", page.name
        assert missing == [], page.name


def test_a_page_that_fetches_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "index.html").write_text(
        '<link rel="canonical" href="https://example.org/"><a href="https://arxiv.org/">paper</a>'
        '<img src="road.png"><script src="assets/a.js"></script>',
        encoding="utf-8",
    )
    assert check_site([str(tmp_path)]) == 0
    for page in (
        '<link rel="stylesheet" href="https://fonts.example.org/css">',
        '<script src="//cdn.example.org/a.js"></script>',
        '<img src="a.png" srcset="https://cdn.example.org/a.png 2x">',
        '<p style="background: url(https://cdn.example.org/a.png)"></p>',
    ):
        (tmp_path / "other.html").write_text(page, encoding="utf-8")
        assert check_site([str(tmp_path)]) == 2
        assert "example.org" in capsys.readouterr().err
    (tmp_path / "other.html").unlink()
    (tmp_path / "a.css").write_text('@import "https://cdn.example.org/b.css";', encoding="utf-8")
    assert check_site([str(tmp_path)]) == 2


def test_no_page_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_site([str(tmp_path)]) == 2
    assert "run make docs" in capsys.readouterr().err


def test_roles_in_docstrings_become_links() -> None:
    griffe = pytest.importorskip("griffe", reason="the documentation's packages are not installed; run make docs")
    from experiments.tools.docstring_roles import link_roles

    module = griffe.load("sim.motion", search_paths=[ROOT])
    text = link_roles(
        "Of :class:`Motion`, :meth:`~sim.motion.Motion.save`, :mod:`sim.body` and :data:`NOWHERE`.", module
    )
    assert text == (
        'Of <autoref optional identifier="sim.motion.Motion"><code>Motion</code></autoref>, '
        '<autoref optional identifier="sim.motion.Motion.save"><code>save</code></autoref>, '
        '<autoref optional identifier="sim.body"><code>sim.body</code></autoref> and '
        '<autoref optional identifier="NOWHERE"><code>NOWHERE</code></autoref>.'
    )
