"""Labelled windows of sensor channels: what all kinds of them share, and WindowSet, which holds them in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from datamodules.har.windows.moments import ChannelStatistics, Moments

_CHUNK = 16
"""Windows that are read at once for statistics: some thousand samples."""


class Windows(ABC):
    """Windows of equal length with a class, a wearer and a recording each, wherever their samples lie.

    Attributes:
        labels: index into ``classes`` ``(N,)``, int64.
        subjects: who wore the sensors ``(N,)``; empty string where the set does not say.
        recording: running number of the recording a window was cut from ``(N,)``; windows of one recording may
            overlap, so a split must keep them together.
        classes: names of all classes, whether or not a window of each is present.
        channels: name of each channel, such as ``accel_x``, or ``chest.accel_x`` where there are several sites.
        rate_hz: samples per second [Hz].
    """

    labels: NDArray[np.int64]
    subjects: NDArray[np.str_]
    recording: NDArray[np.int64]
    classes: tuple[str, ...]
    channels: tuple[str, ...]
    rate_hz: float

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
        return len(self.labels)

    @property
    def num_channels(self) -> int:
        """C, the number of channels."""
        return len(self.channels)

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
        return WindowSet(
            self.read(np.arange(len(self))),
            self.labels,
            self.subjects,
            self.recording,
            self.classes,
            self.channels,
            self.rate_hz,
        )

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


@dataclass(frozen=True)
class WindowSet(Windows):
    """Windows in memory.

    Attributes:
        signals: raw channels ``(N, T, C)``, float32, in SI units (m/s^2, rad/s), sensor frame.
        others: as in :class:`Windows`.

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
    labels: NDArray[np.int64]
    subjects: NDArray[np.str_]
    recording: NDArray[np.int64]
    classes: tuple[str, ...]
    channels: tuple[str, ...]
    rate_hz: float

    def __post_init__(self) -> None:
        shape = self.signals.shape
        if len(shape) != 3 or shape[2] != len(self.channels):
            raise ValueError(f"signals have shape {shape}, expected (N, T, {len(self.channels)}) for {self.channels}")
        for name in ("labels", "subjects", "recording"):
            found = getattr(self, name).shape
            if found != shape[:1]:
                raise ValueError(f"{name} have shape {found}, expected {shape[:1]}: one for each window")
        if len(self.labels) and not (self.labels.min() >= 0 and self.labels.max() < len(self.classes)):
            raise ValueError(
                f"labels run from {self.labels.min()} to {self.labels.max()}, expected indices into the "
                f"{len(self.classes)} classes {list(self.classes)}"
            )

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
        return replace(
            self,
            signals=self.signals[chosen],
            labels=self.labels[chosen],
            subjects=self.subjects[chosen],
            recording=self.recording[chosen],
        )

    def normalised(self, statistics: ChannelStatistics) -> WindowSet:
        """The same windows, ``(x - mean) / std`` per channel."""
        return replace(self, signals=(self.signals - statistics.mean) / statistics.std)
