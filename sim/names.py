"""Names that a user wrote: refused where they are unknown, beside the nearest valid one."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping


def check_name(name: str, valid: Collection[str], what: str) -> None:
    """Make sure that a name is among the valid ones.

    Args:
        name: what the user wrote.
        valid: what may be written.
        what: what the name is of, such as ``"data set"``.

    Raises:
        ValueError: it is not; names the nearest and all valid ones.
    """
    if name not in valid:
        hint = suggest(name, valid, quoted=False)
        raise ValueError(f"unknown {what} {name!r}, expected one of {list(valid)}{hint}")


def nearest_name(name: str, valid: Collection[str], *, cutoff: float = 0.6) -> str | None:
    """Return the valid name most like ``name``, or None if none is alike by ``cutoff`` (0 to 1: any, only itself)."""
    nearest = difflib.get_close_matches(name, valid, n=1, cutoff=cutoff)
    return nearest[0] if nearest else None


def suggest(
    name: str,
    valid: Collection[str],
    *,
    shown_as: Mapping[str, str] | None = None,
    cutoff: float = 0.6,
    quoted: bool = True,
) -> str:
    """Return ``; did you mean 'left_wrist'?`` to end a sentence with, or nothing if no valid name comes close.

    Args:
        name: what the user wrote.
        valid: what may be written.
        shown_as: what to suggest instead of some valid names, such as a synonym's proper name.
        cutoff: as in :func:`nearest_name`.
        quoted: put the suggestion in quotation marks.
    """
    nearest = nearest_name(name, valid, cutoff=cutoff)
    if nearest is None:
        return ""
    shown = (shown_as or {}).get(nearest, nearest)
    return f"; did you mean {shown!r}?" if quoted else f"; did you mean {shown}?"
