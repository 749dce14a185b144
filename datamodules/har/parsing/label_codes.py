"""Turn codes in files into names of activities; a code that a set does not declare is an error."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sim.names import suggest


def name_codes(
    codes: NDArray[np.float64], names: Mapping[str, str], where: str, *, first_line: int = 1
) -> NDArray[np.str_]:
    """Names of numbered activities.

    Args:
        codes: whole numbers ``(T,)``; NaN counts as unlabelled.
        names: number as text -> activity, empty string for unlabelled.
        where: file, for messages.
        first_line: line of the first code.

    Raises:
        ValueError: a number is not among the names; says where.
    """
    numbers, inverse = np.unique(np.nan_to_num(codes, nan=-1.0), return_inverse=True)
    found = []
    for index, number in enumerate(numbers):
        code = f"{number:g}"
        if number != -1.0 and code not in names:
            line = int((inverse == index).argmax()) + first_line
            raise ValueError(f"{where}, line {line} has label {code}, expected one of {list(names)}")
        found.append(names.get(code, ""))
    return np.asarray(np.array(found, dtype=np.str_)[inverse])


def name_texts(
    texts: NDArray[np.str_], names: Mapping[str, str], where: str, *, first_line: int = 2
) -> NDArray[np.str_]:
    """Names of activities that a file spells out; an empty text is unlabelled.

    Raises:
        ValueError: a text is not among the names; says where, and the nearest.
    """
    unique, inverse = np.unique(texts, return_inverse=True)
    found = []
    for index, text in enumerate(unique):
        if text and text not in names:
            line = int((inverse == index).argmax()) + first_line
            raise ValueError(f"{where}, line {line} has {unknown_label(str(text), names)}")
        found.append(names.get(str(text), ""))
    return np.asarray(np.array(found, dtype=np.str_)[inverse])


def name_one(text: str, names: Mapping[str, str], where: str) -> str:
    """Name of one activity.

    Raises:
        ValueError: it is not among the names.
    """
    if text not in names:
        raise ValueError(f"{where} has {unknown_label(text, names)}")
    return names[text]


def unknown_label(text: str, names: Mapping[str, str]) -> str:
    """What to say of a label that is not in the map."""
    hint = suggest(text, names, quoted=False)
    return f"label {text!r}, which is not in the label map, expected one of {list(names)}{hint}"
