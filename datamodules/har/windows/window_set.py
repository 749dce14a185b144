"""Labelled windows of sensor channels: what all kinds of them share, and WindowSet, which holds them in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from datamodules.har.windows.moments import ChannelStatistics, Moments
from datamodules.har.windows.window_index import WindowIndex

_CHUNK = 16
"""Windows that are read at once for statistics: some thousand samples."""


@dataclass(frozen=True)
class Windows(ABC):
    """Windows of equal length with a class, a wearer and a recording each, wherever their samples lie.

    Attributes:
        index: what is known of each apart from its samples; ``labels``, ``subjects``, ``recording``, ``classes``,
            ``channels`` and ``rate_hz`` are its own.
    """

    index: WindowIndex

    @property
    def labels(self) -> NDArray[np.int64]:
        """Index into ``classes`` ``(N,)``."""
        return self.index.labels

    @property
    def subjects(self) -> NDArray[np.str_]:
        """Who wore the sensors ``(N,)``; empty string where the set does not say."""
        return self.index.subjects

    @property
    def recording(self) -> NDArray[np.int64]:
        """Running number of the recording that each was cut from ``(N,)``."""
        return self.index.recording

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of all classes."""
        return self.index.classes

    @property
    def channels(self) -> tuple[str, ...]:
        """Name of each channel."""
        return self.index.channels

    @property
    def rate_hz(self) -> float:
        """Samples per second [Hz]."""
        return self.index.rate_hz

    @property
    @abstractmethod
    def num_samples(self) -> int:
        """T, samples of a window."""

    @abstractmethod
    def select(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Self:
        """The windows named by a mask ``(N,)`` or by indices ``(M,)``, in that order."""

    @abstractmethod
    def read(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Raw channels ``(B, T, C)`` of the windows named by ``indices (B,)``, in SI units, sensor frame."""

    def __len__(self) -> int:
        return len(self.index)

    @property
    def num_channels(self) -> int:
        """C, the number of channels."""
        return len(self.channels)

    def begins_s(self) -> NDArray[np.float64] | None:
        """Time of the first sample of each, from the first of its recording ``(N,)`` [s]; None where it is not kept."""
        return None

    def counts(self) -> NDArray[np.int64]:
        """Number of windows of each class ``(K,)``, zero where a class is absent."""
        return np.bincount(self.labels, minlength=len(self.classes)).astype(np.int64)

    def moments(self) -> Moments:
        """Moments of each channel over all windows and samples; a sample in two windows counts twice.

        Raises:
            ValueError: there is no window to fit them on.
        """
        if len(self) == 0:
            raise ValueError("no window to fit mean and standard deviation on; give training windows")
        moments = Moments.none(self.num_channels)
        for start in range(0, len(self), _CHUNK):
            chunk = self.read(np.arange(start, min(start + _CHUNK, len(self))))
            moments = moments.joined(Moments.of(chunk.reshape(-1, self.num_channels)))
        return moments

    def statistics(self) -> ChannelStatistics:
        """Per-channel mean and standard deviation over all windows and samples.

        Raises:
            ValueError: there is no window to fit them on.
        """
        return self.moments().statistics()

    def in_memory(self) -> WindowSet:
        """All windows in memory."""
        return WindowSet.of(self.read(np.arange(len(self))), self.index)

    def check_compatible(self, other: Windows, what: str = "test") -> None:
        """Make sure that a classifier of these windows can be applied to others.

        Args:
            other: windows to compare with.
            what: what to call ``other`` in the message.

        Raises:
            ValueError: classes, channels, rate or window length differ.
        """
        mine = (self.classes, self.channels, self.rate_hz, self.num_samples)
        theirs = (other.classes, other.channels, other.rate_hz, other.num_samples)
        for name, a, b in zip(("classes", "channels", "rate_hz", "samples per window"), mine, theirs, strict=True):
            if a != b:
                raise ValueError(f"{name} of the {what} windows are {b}, expected {a} like the training windows")


@dataclass(frozen=True, init=False)
class WindowSet(Windows):
    """Windows in memory.

    Args:
        signals: raw channels ``(N, T, C)``, float32, in SI units (m/s^2, rad/s), sensor frame.
        labels: index into ``classes`` ``(N,)``; this and what follows as in :class:`WindowIndex`.
        subjects: who wore the sensors ``(N,)``.
        recording: running number of the recording ``(N,)``.
        classes: names of all classes.
        channels: name of each channel.
        rate_hz: samples per second [Hz].

    Raises:
        ValueError: shapes do not fit together, or a label is not an index into ``classes``.

    Examples:
        >>> signals, of = np.zeros((3, 128, 1), np.float32), np.zeros(3, np.int64)
        >>> people = np.array(["s1", "s1", "s2"])
        >>> windows = WindowSet(signals, np.array([0, 0, 1]), people, of, ("walking", "lying"), ("accel_x",), 50.0)
        >>> len(windows.select(people == "s1")), windows.counts().tolist()
        (2, [2, 1])
    """

    signals: NDArray[np.float32]

    def __init__(
        self,
        signals: NDArray[np.float32],
        labels: NDArray[np.int64],
        subjects: NDArray[np.str_],
        recording: NDArray[np.int64],
        classes: tuple[str, ...],
        channels: tuple[str, ...],
        rate_hz: float,
    ) -> None:
        if signals.ndim != 3 or signals.shape[2] != len(channels):
            raise ValueError(f"signals have shape {signals.shape}, expected (N, T, {len(channels)}) for {channels}")
        if labels.shape != signals.shape[:1]:
            raise ValueError(f"labels have shape {labels.shape}, expected {signals.shape[:1]}: one for each window")
        super().__init__(WindowIndex(labels, subjects, recording, classes, channels, rate_hz))
        object.__setattr__(self, "signals", signals)

    @classmethod
    def of(cls, signals: NDArray[np.float32], index: WindowIndex) -> Self:
        """Put samples ``(N, T, C)`` to what is known of the windows."""
        return cls(signals, index.labels, index.subjects, index.recording, index.classes, index.channels, index.rate_hz)

    @property
    def num_samples(self) -> int:
        """T, samples of a window."""
        return self.signals.shape[1]

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Raw channels ``(B, T, C)`` of the windows named by ``indices (B,)``."""
        return self.signals[indices]

    def in_memory(self) -> WindowSet:
        """Itself."""
        return self

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> WindowSet:
        """The windows named by a mask ``(N,)`` or by indices ``(M,)``, in that order."""
        return WindowSet.of(self.signals[chosen], self.index.select(chosen))

    def normalised(self, statistics: ChannelStatistics) -> WindowSet:
        """The same windows, ``(x - mean) / std`` per channel."""
        return WindowSet.of((self.signals - statistics.mean) / statistics.std, self.index)
