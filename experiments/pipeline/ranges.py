"""Numbers of a configuration within what can be meant: a slip is told before room is made for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

Range: TypeAlias = tuple[float, float]
"""Least and most."""

MANY: Final = 1e6
"""More than anybody asks for of whatever is counted."""


def find_beyond(values: object, ranges: Mapping[str, Range], where: str = "") -> Iterator[str]:
    """Yield each field that lies outside its range or is no number, in a line; None passes.

    Args:
        values: a dataclass.
        ranges: field -> range, ends included.
        where: what stands before the field's name, such as ``people.``.
    """
    for name, (least, most) in ranges.items():
        value = getattr(values, name)
        if value is not None and not least <= value <= most:
            yield f"{where}{name} is {value:g}, expected {least:g} to {most:,.10g}"
