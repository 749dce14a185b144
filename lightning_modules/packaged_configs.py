"""YAML that ships with the package: ``experiments/finetune_acc.yaml`` is found from any folder, and a line says so."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

from lightning_modules.own_packages import ROOT
from sim.names import nearest_name

FOLDER = "experiments"


def find_config(path: str | Path) -> Path:
    """Return the file of that name or, where there is none, the packaged one, which a line on stderr tells.

    Args:
        path: as a user gives it; packaged are names such as ``experiments/har.yaml``.

    Raises:
        FileNotFoundError: there is neither; the nearest packaged one is named.
    """
    given = Path(path)
    if given.exists():
        return given
    packaged = list_configs()
    if Path(os.path.normpath(given)).as_posix() in packaged:
        found = ROOT / os.path.normpath(given)
        _announce(given, found)
        return found
    raise FileNotFoundError(
        f"configuration {path} not found; the nearest packaged one is {_nearest(given, packaged)}, or check the path"
    )


@cache
def list_configs() -> tuple[str, ...]:
    """Return the names of all packaged YAML, such as ``experiments/sets/dsads.yaml``."""
    return tuple(sorted(file.relative_to(ROOT).as_posix() for file in (ROOT / FOLDER).rglob("*.yaml")))


@cache
def _announce(given: Path, found: Path) -> None:
    """Tell it once, however many seeds and arms name the file."""
    sys.stderr.write(f"note: {given} is the packaged one, {found}\n")


def _nearest(given: Path, packaged: tuple[str, ...]) -> str:
    """Return the packaged name whose end, as many folders deep as the wrong one, is most like it."""
    depth = len(given.parts)
    ends = {"/".join(name.split("/")[-depth:]): name for name in packaged}
    return ends[nearest_name(given.as_posix(), ends, cutoff=0.0) or next(iter(ends))]
