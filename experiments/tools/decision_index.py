"""Write docs/decisions/index.md, the list of decision records: ``python -m experiments.tools.decision_index``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from experiments.pipeline.files import write_text

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "docs" / "decisions"
INDEX: Final = "index.md"

_TITLE: Final = re.compile(r"# (\d{3}):? (.+)")
_HEAD: Final = """# Decisions

Choices that would puzzle the next reader, each with its reasons on a page. A record is not rewritten when things move
on: a later one says so. `python -m experiments.tools.decision_index` writes this list.

"""


def list_decisions(folder: Path) -> str:
    """Return the page that links to every record of a folder, in their order.

    Args:
        folder: holds records called ``NNN-title.md``, whose first line is ``# NNN Title``.

    Raises:
        ValueError: a record begins otherwise, or two have one number.
    """
    lines: list[str] = []
    seen: dict[str, str] = {}
    for path in sorted(folder.glob("[0-9]*.md")):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        match = _TITLE.fullmatch(first)
        if match is None or not path.name.startswith(f"{match[1]}-"):
            raise ValueError(f"{path} begins with {first!r}, expected '# {path.name[:3]} Title'")
        if match[1] in seen:
            raise ValueError(f"{path.name} and {seen[match[1]]} have one number, expected a free one; rename one")
        seen[match[1]] = path.name
        lines.append(f"- [{match[1]} {match[2][0].upper()}{match[2][1:]}]({path.name})")
    return _HEAD + "\n".join(lines) + "\n"


def main(args: Sequence[str] | None = None) -> None:
    """Write the list."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.tools.decision_index", description="Write the list of decision records."
    )
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    folder: Path = parser.parse_args(args).folder
    write_text(list_decisions(folder), folder / INDEX)


if __name__ == "__main__":
    main()
