"""What is known of each window apart from its samples: class, wearer, recording, and the channels' names and rate."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class WindowIndex:
    """N windows of equal length, without their samples.

    Attributes:
        labels: index into ``classes`` ``(N,)``, int64.
        subjects: who wore the sensors ``(N,)``; empty string where the set does not say.
        recording: running number of the recording a window was cut from ``(N,)``; windows of one recording may
            overlap, so a split must keep them together.
        classes: names of all classes, whether or not a window of each is present.
        channels: name of each channel, such as ``accel_x``, or ``chest.accel_x`` where there are several sites.
        rate_hz: samples per second [Hz].

    Raises:
        ValueError: the arrays differ in length, or a label is not an index into ``classes``.
    """

    labels: NDArray[np.int64]
    subjects: NDArray[np.str_]
    recording: NDArray[np.int64]
    classes: tuple[str, ...]
    channels: tuple[str, ...]
    rate_hz: float

    def __post_init__(self) -> None:
        for name in ("labels", "subjects", "recording"):
            found = getattr(self, name).shape
            if found != self.labels.shape[:1]:
                raise ValueError(f"{name} have shape {found}, expected {self.labels.shape[:1]}: one for each window")
        if len(self.labels) and not (self.labels.min() >= 0 and self.labels.max() < len(self.classes)):
            raise ValueError(
                f"labels run from {self.labels.min()} to {self.labels.max()}, expected indices into the "
                f"{len(self.classes)} classes {list(self.classes)}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> WindowIndex:
        """Those named by a mask ``(N,)`` or by indices ``(M,)``, in that order."""
        return replace(
            self, labels=self.labels[chosen], subjects=self.subjects[chosen], recording=self.recording[chosen]
        )
