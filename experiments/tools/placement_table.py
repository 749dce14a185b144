"""Write what the documentation says of placement presets: ``python -m experiments.tools.placement_table``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from experiments.pipeline.files import write_text
from sim.body import Body
from sim.conventions import NUM_JOINTS
from sim.motion import Motion
from sim.placements import Placement, resolve_all, site_poses
from sim.placements.presets import PLACES

ROOT: Final = Path(__file__).resolve().parents[2]
BEGIN: Final = "<!-- presets: written by python -m experiments.tools.placement_table -->"
END: Final = "<!-- end of presets -->"

_COUNT: Final = re.compile(r"\d+(?= sites, \[pictures)")
_DIRECTIONS: Final = (
    "Directions are those of a person in the rest pose: arms stretched out sideways, palms down; left is their own."
)
_WORDS: Final = {1: ("up", "down"), 2: ("forwards", "backwards"), 0: ("left", "right")}
"""World axis, in the order of speaking -> what its two senses are called, of a person who faces +Z."""

_NEARLY_AS_LARGE: Final = 0.72
_ALONG: Final = {"arm": "to the hand", "wrist": "to the hand", "foot": "to the toes"}
"""Ending of a name -> what x is called where the rest pose stretches a limb out."""


def table_of_presets() -> str:
    """Return the section of the page: how many presets there are, and which way the axes of each point, as Markdown."""
    names = list(PLACES)
    frames = dict(zip(names, _rest_frames(names), strict=True))
    rows, written = [], set[str]()
    for name in names:
        if name in written:
            continue
        axes, where = _axes_in_words(name, frames[name]), PLACES[name]
        title = f"`{name}`"
        other = name.replace("left_", "right_")
        if other != name and axes == _axes_in_words(other, frames[other]):
            title += f", `{other}`"
            written.add(other)
        elif name.startswith("right_") and where == PLACES.get(name.replace("right_", "left_")):
            where = "the same on the right"
        rows.append(f"| {title} | {where} | {' | '.join(axes)} |")
    head = ["| Name | Where | x | y | z |", "|---|---|---|---|---|"]
    return "\n".join([BEGIN, "", f"There are {len(names)}. {_DIRECTIONS}", "", *head, *rows, "", END])


def write_anew(text: str) -> str:
    """Return a page with the number of presets, and the section of presets if it has one, as the presets are now.

    Raises:
        ValueError: of the two comments between which the section stands the page has only one, or one twice.
    """
    text = _COUNT.sub(str(len(PLACES)), text)
    if BEGIN not in text and END not in text:
        return text
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise ValueError(f"the page has no section from {BEGIN!r} to {END!r}, expected one; put the two lines back")
    return text[: text.index(BEGIN)] + table_of_presets() + text[text.index(END) + len(END) :]


def list_pages(root: Path) -> list[Path]:
    """Return the README and every page of the documentation."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def _rest_frames(names: Sequence[str]) -> Tensor:
    """Return the site frames ``(N, 3, 3)`` on the built-in body in the rest pose; columns are x, y, z in the world."""
    body = Body.default().to(dtype=torch.float64)
    turns = torch.eye(3, dtype=torch.float64).expand(1, NUM_JOINTS, 3, 3)
    rest = Motion(turns, body.rest_joints[None, 0], fps=20.0)
    _, frames = site_poses(body, rest, resolve_all([Placement.preset(name) for name in names], body))
    return frames[0]


def _axes_in_words(name: str, frame: Tensor) -> list[str]:
    along = next((word for ending, word in _ALONG.items() if name.endswith(ending)), None)
    said = [_direction_in_words(frame[:, axis]) for axis in range(3)]
    return [along or said[0], *said[1:]]


def _direction_in_words(direction: Tensor) -> str:
    largest = float(direction.abs().max())
    return " and ".join(
        words[0] if direction[axis] > 0 else words[1]
        for axis, words in _WORDS.items()
        if float(direction[axis].abs()) >= _NEARLY_AS_LARGE * largest
    )


def main(args: Sequence[str] | None = None) -> None:
    """Write every page anew that says something else."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.tools.placement_table",
        description="Write the table of placement presets and their number into README.md and docs/.",
    )
    parser.add_argument("root", nargs="?", type=Path, default=ROOT, help="folder of README.md and docs/")
    for page in list_pages(parser.parse_args(args).root):
        text = page.read_text(encoding="utf-8")
        written = write_anew(text)
        if written != text:
            write_text(written, page)


if __name__ == "__main__":
    main()
