"""Windows made of other windows: several sets joined, and windows turned, without copying what they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from datamodules.har.windows.turning import turn_signals
from datamodules.har.windows.window_index import WindowIndex
from datamodules.har.windows.window_set import Windows, WindowSet


@dataclass(frozen=True)
class JoinedWindows(Windows):
    """Several window sets as one; recordings are renumbered so none coincide.

    Attributes:
        parts: the sets.
        part: which of them each window is in ``(N,)``.
        place: its index there ``(N,)``.
    """

    parts: tuple[Windows, ...]
    part: NDArray[np.int64]
    place: NDArray[np.int64]

    @classmethod
    def of(cls, parts: Sequence[Windows]) -> Self:
        """Join sets of equal classes, channels, rate and length.

        Raises:
            ValueError: the list is empty, or the sets differ.
        """
        if not parts:
            raise ValueError("no window set to join, expected at least one")
        recording: list[NDArray[np.int64]] = []
        offset = 0
        for each in parts:
            parts[0].check_compatible(each, "joined")
            recording.append(each.recording + offset)
            offset += int(each.recording.max(initial=-1)) + 1
        index = WindowIndex(
            np.concatenate([each.labels for each in parts]),
            np.concatenate([each.subjects for each in parts]),
            np.concatenate(recording),
            parts[0].classes,
            parts[0].channels,
            parts[0].rate_hz,
        )
        part = np.repeat(np.arange(len(parts)), [len(each) for each in parts])
        return cls(index, tuple(parts), part, np.concatenate([np.arange(len(each)) for each in parts]))

    @property
    def num_samples(self) -> int:
        """T, samples of a window."""
        return self.parts[0].num_samples

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> JoinedWindows:
        """The windows named by a mask ``(N,)`` or by indices ``(M,)``, in that order."""
        return JoinedWindows(self.index.select(chosen), self.parts, self.part[chosen], self.place[chosen])

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Raw channels ``(B, T, C)`` of the windows named by ``indices (B,)``."""
        part, place = self.part[indices], self.place[indices]
        result = np.empty((len(indices), self.num_samples, self.num_channels), dtype=np.float32)
        for number in np.unique(part):
            here = part == number
            result[here] = self.parts[number].read(place[here])
        return result


def concatenate(sets: Sequence[Windows]) -> WindowSet:
    """Join window sets of equal classes, channels, rate and length in memory.

    Raises:
        ValueError: the list is empty, or the sets differ.
    """
    return JoinedWindows.of(sets).in_memory()


@dataclass(frozen=True)
class TurnedWindows(Windows):
    """Windows as if each box had been mounted otherwise; see :mod:`datamodules.har.windows.turning`.

    Attributes:
        base: the windows.
        matrices: one rotation for each ``(N, 3, 3)``, new sensor frame from old.
    """

    base: Windows
    matrices: NDArray[np.float32]

    @classmethod
    def of(cls, base: Windows, matrices: NDArray[np.floating]) -> Self:
        """Turn windows, each by its own matrix ``(N, 3, 3)``."""
        return cls(base.index, base, matrices.astype(np.float32))

    @property
    def num_samples(self) -> int:
        """T, samples of a window."""
        return self.base.num_samples

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> TurnedWindows:
        """The windows named by a mask ``(N,)`` or by indices ``(M,)``, in that order."""
        return TurnedWindows.of(self.base.select(chosen), self.matrices[chosen])

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Raw channels ``(B, T, C)`` of the windows named by ``indices (B,)``, turned."""
        return turn_signals(self.base.read(indices), self.matrices[indices], self.channels)
