"""Are the packages that Python would import ours? :mod:`lightning_modules.own_packages` for commands of this room."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from pathlib import Path
from runpy import run_path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
"""Where our packages lie side by side: the checkout, or site-packages."""


def list_shadows() -> list[str]:
    """Return one line for each package of ours that another module would be imported for, with what to do about it."""
    # By its path, as the name lightning_modules may be what somebody else has taken.
    check = run_path(str(ROOT / "lightning_modules" / "own_packages.py"))
    return [fault for name in check["PACKAGES"] if (fault := check["find_shadow"](name)) is not None]


def require_own_packages() -> None:
    """Leave with code 2 and one line on stderr if a package of ours is another's; before anything of them is imported.

    Raises:
        SystemExit: another module of that name stands before ours on Python's path.
    """
    for fault in list_shadows():
        sys.stderr.write(f"error: {fault}\n")
        raise SystemExit(2)


def list_taken(folder: Path) -> list[str]:
    """Return the packages of ours in whose place ``python -m`` would import a folder's own modules."""
    if folder.resolve() == ROOT:
        return []
    names = ("sim", "datamodules", "lightning_modules", "experiments")
    return [name for name in names if _is_taken(name, folder)]


def _is_taken(name: str, folder: Path) -> bool:
    spec = PathFinder.find_spec(name, [str(folder), *sys.path])
    if spec is None or (name == "experiments" and spec.origin is None):  # a folder of YAML is in nobody's way
        return False
    places = [*(spec.submodule_search_locations or []), *filter(None, [spec.origin])]
    return Path(places[0]).resolve().parent == folder.resolve()
