"""Windows that lie in memory-mapped files and are copied when a batch asks for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datamodules.har.streams.shards import StreamShards
from datamodules.har.windows.cutter import Cutter, WindowReport
from datamodules.har.windows.moments import Moments
from datamodules.har.windows.window_index import WindowIndex
from datamodules.har.windows.window_set import Windows

_BLOCK = 4096
"""Rows that statistics take at once."""


@dataclass(frozen=True)
class ShardWindows(Windows):
    """Windows of a pack.

    Attributes:
        shards: the open pack.
        row: first row of each window in its recording's file ``(N,)``.
        length: T, samples of a window.
    """

    shards: StreamShards
    row: NDArray[np.int64]
    length: int

    @property
    def num_samples(self) -> int:
        """T, samples of a window."""
        return self.length

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> ShardWindows:
        """The windows named by a mask ``(N,)`` or by indices ``(M,)``, in that order; no sample is read."""
        return ShardWindows(self.index.select(chosen), self.shards, self.row[chosen], self.length)

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Raw channels ``(B, T, C)`` of the windows named by ``indices (B,)``."""
        return self.shards.read(self.shards.shard[self.recording[indices]], self.row[indices], self.length)

    def begins_s(self) -> NDArray[np.float64]:
        """Time of the first sample of each, from the first of its recording ``(N,)`` [s]."""
        return (self.row - self.shards.start[self.recording]) / self.rate_hz

    def moments(self) -> Moments:
        """As :meth:`Windows.moments`, in one pass over the files: each row counts as often as windows cover it.

        Raises:
            ValueError: there is no window to fit them on.
        """
        if len(self) == 0:
            return super().moments()
        moments = Moments.none(self.num_channels)
        shard = self.shards.shard[self.recording]
        for number in np.unique(shard):
            rows = self.shards.map(int(number))
            begin = self.row[shard == number]
            changes = np.bincount(begin, minlength=len(rows) + 1).astype(np.int64)
            changes -= np.bincount(begin + self.length, minlength=len(rows) + 1)
            cover = np.cumsum(changes)[:-1].astype(np.float32)
            for start in range(0, len(rows), _BLOCK):
                weights = cover[start : start + _BLOCK]
                used = weights > 0
                if used.all():
                    moments = moments.joined(Moments.of(rows[start : start + _BLOCK], weights))
                elif used.any():  # rows of no window may hold NaN
                    moments = moments.joined(Moments.of(rows[start : start + _BLOCK][used], weights[used]))
        return moments


def cut_shards(shards: StreamShards, cutter: Cutter) -> tuple[ShardWindows, WindowReport]:
    """Find the windows of a pack.

    Args:
        shards: the pack, at the cutter's rate.
        cutter: how to cut.

    Raises:
        ValueError: the pack has another rate, or no window has a class and the reason is that a channel is never there.
    """
    if shards.rate_hz != cutter.rate_hz:
        raise ValueError(f"{shards.folder} is at {shards.rate_hz} Hz, expected {cutter.rate_hz} Hz as windows ask for")
    found, report = cutter.find(shards.runs)
    absent = [name for name, share in zip(shards.channels, shards.finite, strict=True) if share == 0]
    if absent and len(found.label) == 0:
        raise ValueError(
            f"no recording has values in {', '.join(absent)}, so that no window is whole; leave that sensor out of "
            "placements or channels"
        )
    first = np.cumsum(shards.runs.lengths) - shards.runs.lengths
    subjects = shards.subjects[found.recording]
    index = WindowIndex(found.label, subjects, found.recording, cutter.classes, shards.channels, shards.rate_hz)
    row = shards.start[found.recording] + found.begin - first[found.recording]
    return ShardWindows(index, shards, row, cutter.samples), report
