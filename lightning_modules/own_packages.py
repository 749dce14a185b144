"""Is it our own ``sim`` that Python would import? A project's folder of that name may stand before it.

docs/packaging.md says how to live with it. Nothing of ours is imported here: it might not be ours.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PACKAGES: Final = ("sim", "datamodules", "lightning_modules")
"""The packages that commands import. Not experiments: a project may keep its YAML in a folder of that name."""

STRICT: Final = "--strict-classes"
"""The option that admits no class of anybody else's."""

ADMITTED: Final = (*PACKAGES, "experiments", "lightning", "pytorch_lightning", "torch", "torchmetrics", "builtins")
"""Packages whose classes a configuration may name under :data:`STRICT`."""

ROOT: Final = Path(__file__).resolve().parents[1]
"""Where they lie side by side: the checkout, or site-packages."""


def require_own_packages() -> None:
    """Leave with code 2 and one line on stderr if one of these packages is another's, before its import fails midway.

    Raises:
        SystemExit: another module of that name stands before ours on Python's path.
    """
    for name in PACKAGES:
        fault = find_shadow(name)
        if fault is not None:
            sys.stderr.write(f"error: {fault}\n")
            raise SystemExit(2)


def find_shadow(name: str, root: Path = ROOT) -> str | None:
    """Return in one line what would be imported in place of our package, and what to do; None if it is ours.

    Args:
        name: one of :data:`PACKAGES`.
        root: folder that holds ours.
    """
    spec = importlib.util.find_spec(name)
    places = [] if spec is None else list(spec.submodule_search_locations or filter(None, [spec.origin]))
    expected = root / name
    if expected in (Path(place).resolve() for place in places):
        return None
    found = f"would be imported from {places[0]}" if places else "cannot be imported"
    return (
        f"{name} {found}, expected imuforge's own, {expected}; rename what is there, take its folder off PYTHONPATH, "
        "or run `python -P -m ...`, which leaves the current folder out (docs/packaging.md)"
    )


@contextlib.contextmanager
def only_admitted_classes() -> Iterator[None]:
    """Refuse, as long as this lasts, every class of another package that a configuration names, before its import.

    A ``class_path`` imports a module and calls what it finds there: a YAML of unknown origin is a program.

    Raises:
        ValueError: from the parser, for a class of a package that is not in :data:`ADMITTED`.
    """
    import jsonargparse._util as util

    original = util.import_object

    def refuse_others(name: str, *options: bool, **named: bool) -> object:
        package = str(name).partition(".")[0]
        if package not in ADMITTED:
            raise ValueError(
                f"class_path {name} is of {package}, expected one of {', '.join(ADMITTED[:-1])} with {STRICT}; leave "
                "the option out if you trust the configuration"
            )
        return original(name, *options, **named)

    users = [
        module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] == "jsonargparse" and vars(module).get("import_object") is original
    ]
    for module in users:
        module.import_object = refuse_others  # type: ignore[attr-defined]  # the modules that took the name
    try:
        yield
    finally:
        for module in users:
            module.import_object = original  # type: ignore[attr-defined]
