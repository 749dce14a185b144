"""Which label the samples of recordings carry and whether all channels are there, as runs of equal samples.

A set of ten hours holds millions of samples and some thousand runs; windows are judged by the runs alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LabelRuns:
    """Runs of equal samples, over all recordings in a row.

    Attributes:
        names: labels, sorted.
        start: first sample of each run ``(R,)``, counted over all recordings.
        label: index into ``names`` ``(R,)``.
        finite: whether every channel of its samples is a number ``(R,)``.
        lengths: samples of each recording ``(N,)``.
    """

    names: tuple[str, ...]
    start: NDArray[np.int64]
    label: NDArray[np.int64]
    finite: NDArray[np.bool_]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, labels: NDArray[np.str_], finite: NDArray[np.bool_]) -> Self:
        """Of one recording: the label ``(T,)`` of each sample, and whether it is a number in every channel ``(T,)``."""
        names, codes = np.unique(labels, return_inverse=True)
        changes = np.flatnonzero((np.diff(codes) != 0) | (np.diff(finite) != 0)) + 1
        start = np.concatenate([np.zeros(min(1, len(codes)), dtype=np.int64), changes]).astype(np.int64)
        return cls(
            tuple(str(name) for name in names),
            start,
            codes[start].astype(np.int64),
            finite[start],
            np.array([len(codes)], dtype=np.int64),
        )

    @classmethod
    def joined(cls, parts: Sequence[LabelRuns]) -> Self:
        """Of recordings in a row."""
        names = tuple(sorted({name for part in parts for name in part.names}))
        number = {name: code for code, name in enumerate(names)}
        offsets = np.cumsum([0, *(int(part.lengths.sum()) for part in parts)])
        nothing = np.zeros(0, dtype=np.int64)
        labels = [
            np.array([number[name] for name in part.names], dtype=np.int64)[part.label] if len(part.label) else nothing
            for part in parts
        ]
        return cls(
            names,
            np.concatenate([nothing, *(part.start + offset for part, offset in zip(parts, offsets, strict=False))]),
            np.concatenate([nothing, *labels]),
            np.concatenate([nothing.astype(np.bool_), *(part.finite for part in parts)]),
            np.concatenate([nothing, *(part.lengths for part in parts)]),
        )

    def count(self, chosen: NDArray[np.bool_], begin: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
        """Samples of the ``chosen (R,)`` runs in each span ``[begin, end)`` ``(W,)``."""
        stops = np.append(self.start[1:], self.lengths.sum())
        before = np.concatenate([[0], np.cumsum((stops - self.start) * chosen)]).astype(np.int64)

        def up_to(place: NDArray[np.int64]) -> NDArray[np.int64]:
            run = np.searchsorted(self.start, place, side="right") - 1
            return before[run] + (place - self.start[run]) * chosen[run]

        return up_to(end) - up_to(begin)
