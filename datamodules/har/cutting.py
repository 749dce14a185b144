"""Sliding windows with a label each, by majority with a purity threshold, and an account of what is left out.

The custom of the field: Bulling, Blanke and Schiele 2014, A tutorial on human activity recognition using body-worn
inertial sensors, doi 10.1145/2499621, section 3.3.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from datamodules.har.streams import Stream
from datamodules.har.window_set import WindowSet

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WindowReport:
    """How many windows were kept, and what was left out for which reason.

    Attributes:
        kept: windows of each class.
        dropped: windows left out, by reason: ``impure`` (no label reaches the purity), ``other label`` (its label is
            not among the classes, or missing), ``not finite`` (holds NaN or infinity).
        short_recordings: recordings shorter than one window; they give none.
    """

    kept: Mapping[str, int]
    dropped: Mapping[str, int]
    short_recordings: int

    def __str__(self) -> str:
        kept = ", ".join(f"{name} {count}" for name, count in self.kept.items())
        dropped = ", ".join(f"{reason} {count}" for reason, count in sorted(self.dropped.items())) or "none"
        return f"windows kept: {kept}; dropped: {dropped}; recordings shorter than a window: {self.short_recordings}"


@dataclass(frozen=True)
class Cutter:
    """Cuts streams into windows; the parameters are those of :func:`datamodules.har.windows.windows_from_recordings`.

    Raises:
        ValueError: a parameter is out of range.
    """

    classes: tuple[str, ...]
    label_map: Mapping[str, str]
    window_s: float
    overlap: float
    rate_hz: float
    purity: float

    def __post_init__(self) -> None:
        if not self.classes or len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes are {list(self.classes)}, expected at least one name and none twice")
        if not self.rate_hz > 0:
            raise ValueError(f"rate_hz is {self.rate_hz}, expected > 0 samples per second")
        if not 0 <= self.overlap < 1:
            raise ValueError(f"overlap is {self.overlap}, expected a share in [0, 1) of the window")
        if not 0 < self.purity <= 1:
            raise ValueError(f"purity is {self.purity}, expected a share in (0, 1] of the window")
        if self.samples < 2:
            raise ValueError(
                f"a window of {self.window_s} s at {self.rate_hz} Hz has {self.samples} samples, expected at least 2; "
                "give a longer window_s"
            )
        strangers = sorted(set(self.label_map.values()) - set(self.classes))
        if strangers:
            raise ValueError(f"label_map leads to {strangers}, expected names among the classes {list(self.classes)}")

    @property
    def samples(self) -> int:
        """T, samples per window."""
        return round(self.window_s * self.rate_hz)

    @property
    def step(self) -> int:
        """Samples from the start of a window to the start of the next."""
        return max(1, round(self.samples * (1 - self.overlap)))

    def __call__(self, streams: Iterable[Stream]) -> tuple[WindowSet, WindowReport]:
        """Cut all streams.

        Raises:
            ValueError: there is no stream, or streams differ in their channels.
        """
        signals: list[NDArray[np.float32]] = []
        labels: list[int] = []
        subjects: list[str] = []
        recording: list[int] = []
        dropped: Counter[str] = Counter()
        short = 0
        names: tuple[str, ...] | None = None
        for number, stream in enumerate(streams):
            if names not in (None, stream.names):
                raise ValueError(f"recording {number} has channels {stream.names}, the ones before it {names}")
            names = stream.names
            before = len(labels) + dropped.total()
            for window, reason in self._windows(stream):
                if isinstance(reason, str):
                    dropped[reason] += 1
                    continue
                signals.append(window)
                labels.append(reason)
                subjects.append(stream.subject)
                recording.append(number)
            short += before == len(labels) + dropped.total()
        if names is None:
            raise ValueError("no recording to cut windows from, expected at least one; check split and root")
        windows = WindowSet(
            signals=np.stack(signals) if signals else np.zeros((0, self.samples, len(names)), dtype=np.float32),
            labels=np.asarray(labels, dtype=np.int64),
            subjects=np.asarray(subjects, dtype=np.str_),
            recording=np.asarray(recording, dtype=np.int64),
            classes=self.classes,
            channels=names,
            rate_hz=self.rate_hz,
        )
        kept = dict(zip(self.classes, windows.counts().tolist(), strict=True))
        report = WindowReport(kept, dict(dropped), short)
        logger.info("%s", report)
        return windows, report

    def _windows(self, stream: Stream) -> Iterator[tuple[NDArray[np.float32], int | str]]:
        """Each window of a stream with its class index, or with the reason why it is left out."""
        values, labels = self._resampled(stream)
        names, codes = np.unique(labels, return_inverse=True)
        for start in range(0, len(values) - self.samples + 1, self.step):
            window = values[start : start + self.samples].astype(np.float32)
            counts = np.bincount(codes[start : start + self.samples])
            yield window, self._class_of(window, str(names[counts.argmax()]), int(counts.max()))

    def _class_of(self, window: NDArray[np.float32], label: str, count: int) -> int | str:
        """Class index of a window of which ``count`` samples carry the majority label, or why it is left out."""
        if not np.isfinite(window).all():
            return "not finite"
        # The small allowance is for products such as 0.55 * 20, which come out above the whole number.
        if count < self.purity * self.samples - 1e-6:
            return "impure"
        name = self.label_map.get(label, label)
        return self.classes.index(name) if name in self.classes else "other label"

    def _resampled(self, stream: Stream) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
        """Channels at ``rate_hz`` through a zero-phase anti-alias filter; labels of the nearest samples."""
        if stream.rate_hz == self.rate_hz:
            return stream.values, stream.labels
        ratio = Fraction(self.rate_hz / stream.rate_hz).limit_denominator(1000)
        # A line through the ends rather than zeros beyond them: gravity would otherwise ring at both edges.
        values = resample_poly(stream.values, ratio.numerator, ratio.denominator, axis=0, padtype="line")
        nearest = np.round(np.arange(len(values)) * float(1 / ratio)).astype(np.int64)
        return values, stream.labels[np.minimum(nearest, len(stream.labels) - 1)]
