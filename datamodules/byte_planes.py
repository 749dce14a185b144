"""Tables of 16-bit whole numbers as planes of bytes, which compress well: how embedded recordings are kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def spread_bytes(values: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Part a table ``(T, C)`` into high and low bytes ``(2, C, T)``: what is alike lies together."""
    columns = np.ascontiguousarray(values.T).view(np.uint16)
    return np.stack([(columns >> 8).astype(np.uint8), columns.astype(np.uint8)])


def gather_bytes(planes: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Put a table ``(T, C)`` together again from its bytes ``(2, C, T)``."""
    words = (planes[0].astype(np.uint16) << 8) | planes[1]
    return np.ascontiguousarray(words.view(np.int16).T)
