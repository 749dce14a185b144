"""WindowSet: labelled windows of sensor channels as one frozen value, and the loader that turns it into batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from datamodules.batches import IMUBatch

UNKNOWN_SUBJECT = ""
"""What ``subjects`` holds where a set does not say who wore the sensors."""


@dataclass(frozen=True)
class ChannelStatistics:
    """Mean and standard deviation of each channel, fitted on training windows and on nothing else.

    Attributes:
        mean: ``(C,)`` in the channel's unit.
        std: ``(C,)`` in the channel's unit; one where a channel does not vary.
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32]


@dataclass(frozen=True)
class WindowSet:
    """Windows of equal length with a class, a wearer and a recording each.

    Attributes:
        signals: raw channels ``(N, T, C)``, float32, in SI units (m/s^2, rad/s), sensor frame.
        labels: index into ``classes`` ``(N,)``, int64.
        subjects: who wore the sensors ``(N,)``; empty string where the set does not say.
        recording: running number of the recording a window was cut from ``(N,)``; windows of one recording may
            overlap, so a split must keep them together.
        classes: names of all classes, whether or not a window of each is present.
        channels: name of each channel, such as ``accel_x``, or ``chest.accel_x`` where there are several sites.
        rate_hz: samples per second [Hz].

    Raises:
        ValueError: shapes do not fit together, or a label is not an index into ``classes``.
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

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def num_channels(self) -> int:
        """C, the number of channels."""
        return len(self.channels)

    def counts(self) -> NDArray[np.int64]:
        """Number of windows of each class ``(K,)``, zero where a class is absent."""
        return np.bincount(self.labels, minlength=len(self.classes)).astype(np.int64)

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> WindowSet:
        """The windows named by a mask ``(N,)`` or by indices ``(M,)``, in that order."""
        return replace(
            self,
            signals=self.signals[chosen],
            labels=self.labels[chosen],
            subjects=self.subjects[chosen],
            recording=self.recording[chosen],
        )

    def statistics(self) -> ChannelStatistics:
        """Per-channel mean and standard deviation over all windows and samples.

        Raises:
            ValueError: there is no window to fit them on.
        """
        if len(self) == 0:
            raise ValueError("no window to fit mean and standard deviation on; give training windows")
        flat = self.signals.reshape(-1, self.num_channels).astype(np.float64)
        mean, std = flat.mean(axis=0), flat.std(axis=0)
        # A channel that never moves carries nothing: leave it at zero rather than blow its rounding noise up.
        std = np.where(std < 1e-6, 1.0, std)
        return ChannelStatistics(mean.astype(np.float32), std.astype(np.float32))

    def normalised(self, statistics: ChannelStatistics) -> WindowSet:
        """The same windows, ``(x - mean) / std`` per channel."""
        return replace(self, signals=(self.signals - statistics.mean) / statistics.std)

    def check_compatible(self, other: WindowSet, what: str = "test") -> None:
        """Make sure that a classifier of these windows can be applied to others.

        Args:
            other: windows to compare with.
            what: what to call ``other`` in the message.

        Raises:
            ValueError: classes, channels, rate or window length differ.
        """
        mine = (self.classes, self.channels, self.rate_hz, self.signals.shape[1])
        theirs = (other.classes, other.channels, other.rate_hz, other.signals.shape[1])
        for name, a, b in zip(("classes", "channels", "rate_hz", "samples per window"), mine, theirs, strict=True):
            if a != b:
                raise ValueError(f"{name} of the {what} windows are {b}, expected {a} like the training windows")


def concatenate(sets: Sequence[WindowSet]) -> WindowSet:
    """Join window sets of equal classes, channels, rate and length; recordings are renumbered so none coincide.

    Raises:
        ValueError: the list is empty, or the sets differ.
    """
    if not sets:
        raise ValueError("no window set to join, expected at least one")
    recording: list[NDArray[np.int64]] = []
    offset = 0
    for each in sets:
        sets[0].check_compatible(each, "joined")
        recording.append(each.recording + offset)
        offset += int(each.recording.max(initial=-1)) + 1
    return replace(
        sets[0],
        signals=np.concatenate([each.signals for each in sets]),
        labels=np.concatenate([each.labels for each in sets]),
        subjects=np.concatenate([each.subjects for each in sets]),
        recording=np.concatenate(recording),
    )


class WindowDataset(Dataset[IMUBatch]):
    """Windows as a map-style dataset that fetches a whole batch in one indexing operation.

    Args:
        windows: what to serve; its signals are served as they are, so normalise first.
    """

    def __init__(self, windows: WindowSet) -> None:
        self.signals = torch.from_numpy(np.ascontiguousarray(windows.signals))
        self.labels = torch.from_numpy(windows.labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> IMUBatch:
        """One window, without a batch dimension."""
        return IMUBatch(self.signals[index], self.labels[index], torch.tensor(index))

    def __getitems__(self, indices: list[int]) -> IMUBatch:
        """Many windows at once: what DataLoader calls where it exists; ten times faster than collating."""
        chosen = torch.tensor(indices, dtype=torch.int64)
        return IMUBatch(self.signals[chosen], self.labels[chosen], chosen)


def _joined(batch: IMUBatch | list[IMUBatch]) -> IMUBatch:
    if isinstance(batch, IMUBatch):
        return batch
    signals, labels, sample_ids = zip(*batch, strict=True)
    return IMUBatch(torch.stack(signals), torch.stack(labels), torch.stack(sample_ids))


def make_loader(
    dataset: WindowDataset, *, batch_size: int, sampler: Sampler[int] | None = None, workers: int = 0
) -> DataLoader[IMUBatch]:
    """A DataLoader of :class:`IMUBatch`, in the order of ``sampler``, or in order where there is none."""
    return DataLoader(dataset, batch_size=batch_size, sampler=sampler, num_workers=workers, collate_fn=_joined)
