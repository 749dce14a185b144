"""YAML that ships with the package: ``experiments/finetune_acc.yaml`` is found from any folder, and a line says so."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

from lightning_modules.own_packages import ROOT
from sim.names import nearest_name

FOLDER = "experiments"

_LIKE = 0.85
"""Share of letters from which on a name is taken for a slip in typing another."""


def find_config(path: str | Path) -> Path:
    """Return the file of that name or, where there is none, the packaged one, which a line on stderr tells.

    Args:
        path: as a user gives it; packaged are names such as ``experiments/har.yaml``.

    Raises:
        FileNotFoundError: there is neither; a packaged one is named if its name is like it.
    """
    given = Path(path)
    if given.exists():
        return given
    packaged = list_configs()
    if Path(os.path.normpath(given)).as_posix() in packaged:
        found = ROOT / os.path.normpath(given)
        _announce(given, found)
        return found
    near = _nearest(given, packaged)
    packages = f"the nearest packaged one is {near}" if near else f"packaged ones are called {FOLDER}/NAME.yaml"
    raise FileNotFoundError(f"configuration {path} not found; check the path, or name a packaged one: {packages}")


@cache
def list_configs() -> tuple[str, ...]:
    """Return the names of all packaged YAML, such as ``experiments/sets/dsads.yaml``."""
    return tuple(sorted(file.relative_to(ROOT).as_posix() for file in (ROOT / FOLDER).rglob("*.yaml")))


@cache
def _announce(given: Path, found: Path) -> None:
    """Tell it once, however many seeds and arms name the file."""
    sys.stderr.write(f"note: {given} is the packaged one, {found}\n")


def _nearest(given: Path, packaged: tuple[str, ...]) -> str | None:
    """Return the packaged name whose end, as many folders deep as the wrong one, is most like it; None if none is."""
    depth = len(given.parts)
    # Right but for the folder before it.
    whole = next((name for name in packaged if given.as_posix().endswith(f"/{name}")), None)
    if whole is not None:
        return whole
    ends = {"/".join(name.split("/")[-depth:]): name for name in packaged}
    near = nearest_name(given.as_posix(), ends, cutoff=_LIKE)
    return None if near is None else ends[near]
