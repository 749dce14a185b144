"""Take values out of a YAML one by one, each checked against what it may be, mistakes named in one line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from datamodules.har.parsing.units import unit_factor
from sim.names import suggest

MOST: Final = 1e5
"""Rates [Hz] and durations [s] beyond this are slips."""


class YamlChecks:
    """Values of one YAML by key.

    Args:
        path: the YAML, for messages.
        content: its keys and values.
        keys: keys that it may have.

    Raises:
        ValueError: there is another key; each method raises it for a value that cannot be.
    """

    def __init__(self, path: Path, content: Mapping[str, object], keys: Sequence[str]) -> None:
        self._path, self._content = path, content
        self._known(content, keys, "")

    def _error(self, key: str, found: object, expected: str) -> ValueError:
        what = "is missing" if found is None else f"is {found!r}"
        return ValueError(f"{key} {what} in {self._path}, expected {expected}")

    def _known(self, content: Mapping[str, object], valid: Sequence[str], inside: str) -> None:
        for key in content:
            if key not in valid:
                hint = suggest(key, valid, quoted=False)
                raise ValueError(f"unknown key {inside}{key} in {self._path}, expected one of {list(valid)}{hint}")

    def _mapping(self, key: str, valid: Sequence[str]) -> dict[str, object]:
        value = self._content.get(key, {})
        if not isinstance(value, dict):
            raise self._error(key, value, f"keys {list(valid)}")
        self._known({str(name): each for name, each in value.items()}, valid, f"{key}.")
        return {str(name): each for name, each in value.items()}

    def _text_of(self, value: object, key: str) -> str:
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise self._error(key, value, "a text")
        return str(value)

    def _text(self, key: str, default: str) -> str:
        return self._text_of(self._content.get(key, default), key)

    def _list(self, key: str) -> list[object]:
        value = self._content.get(key, [])
        if not isinstance(value, list):
            raise self._error(key, value, "a list")
        return value

    def _flag(self, key: str, default: bool) -> bool:
        value = self._content.get(key, default)
        if not isinstance(value, bool):
            raise self._error(key, value, "true or false")
        return value

    def _number(self, key: str) -> float:
        value = self._content.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= MOST:
            raise self._error(key, value, f"a number above 0 and at most {MOST:g}")
        return float(value)

    def _choice(self, key: str, valid: Sequence[str], default: str | None) -> str:
        value = self._content.get(key, default)
        if value not in valid:
            raise self._error(key, value, f"one of {list(valid)}")
        return str(value)

    def _unit(self, value: object, quantity: Literal["accel", "gyro", "time"]) -> None:
        if value is None:
            raise self._error("time.unit" if quantity == "time" else f"units.{quantity}", None, "a unit")
        try:
            unit_factor(str(value), quantity)
        except ValueError as error:
            raise ValueError(f"{self._path}: {error}") from None

    def _axes(self) -> NDArray[np.float64]:
        """Rotation that ``axes`` asks for, such as ``[y, -x, z]``."""
        given = self._content.get("axes", ["x", "y", "z"])
        words = [str(word) for word in given] if isinstance(given, list) else []
        rows = np.zeros((3, 3))
        for row, word in enumerate(words[:3]):
            if re.fullmatch(r"[+-]?[xyz]", word):
                rows[row, "xyz".index(word[-1])] = -1.0 if word.startswith("-") else 1.0
        if len(words) != 3 or not np.isclose(np.linalg.det(rows), 1.0):
            raise self._error(
                "axes",
                self._content.get("axes"),
                "three of x, y, z, each once and with or without a minus, right-handed",
            )
        return rows
