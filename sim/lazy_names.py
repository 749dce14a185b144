"""Names that a package offers, imported at their first use (PEP 562): asking for help then need not wait for torch.

A package repeats its imports under ``if TYPE_CHECKING``, where type checkers and documentation look for them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec


def import_lazily(
    package: str, names: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the functions ``__getattr__`` and ``__dir__`` of a package.

    Args:
        package: its full name.
        names: module -> names that the package offers from it. Modules of the package itself are found too.

    Returns:
        A function that imports a name and raises AttributeError where there is none, and one that lists all names.
    """
    homes = {name: module for module, offered in names.items() for name in offered}

    def find(name: str) -> object:
        if name in homes:
            found = getattr(import_module(homes[name]), name)
        elif not name.startswith("__") and find_spec(f"{package}.{name}") is not None:
            found = import_module(f"{package}.{name}")
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, found)
        return found

    def list_names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return find, list_names
