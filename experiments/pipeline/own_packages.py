"""The check of :mod:`lightning_modules.own_packages`, which answers also where lightning_modules is somebody else's."""

from __future__ import annotations

import sys
from pathlib import Path


def require_own_packages() -> None:
    """Leave with code 2 and one line on stderr if a package of ours is another's; before anything of them is imported.

    Raises:
        SystemExit: another module of that name stands before ours on Python's path.
    """
    try:
        from lightning_modules.own_packages import require_own_packages as require
    except ImportError as error:
        own = Path(__file__).resolve().parents[2] / "lightning_modules"
        sys.stderr.write(
            f"error: lightning_modules is not imuforge's own ({error}), expected {own}; rename what is there, take its "
            "folder off PYTHONPATH, or run `python -P -m ...` (docs/packaging.md)\n"
        )
        raise SystemExit(2) from error
    require()
