"""Sliding windows with a label each, by majority with a purity threshold, and an account of what is left out.

The custom of the field: Bulling, Blanke and Schiele 2014, A tutorial on human activity recognition using body-worn
inertial sensors, doi 10.1145/2499621, section 3.3.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datamodules.har.activities import broaden
from datamodules.har.streams import Stream, resample_stream
from datamodules.har.streams.label_runs import LabelRuns
from datamodules.har.windows.cut_options import CutOptions
from datamodules.har.windows.window_set import WindowSet

logger = logging.getLogger(__name__)

NOT_FINITE, IMPURE, OTHER_LABEL = "not finite", "impure", "other label"
_REASONS: Final = (NOT_FINITE, IMPURE, OTHER_LABEL)


@dataclass(frozen=True)
class WindowReport:
    """How many windows were kept, and what was left out for which reason.

    Attributes:
        kept: windows of each class.
        dropped: windows left out, by reason: ``impure`` (no label reaches the purity), ``other label`` (its label is
            not among the classes, or missing), ``not finite`` (holds NaN or infinity).
        short_recordings: recordings shorter than one window; they give none.
        other_labels: of the windows of other labels, how many each of these labels has; the empty one is unlabelled.
    """

    kept: Mapping[str, int]
    dropped: Mapping[str, int]
    short_recordings: int
    other_labels: Mapping[str, int]

    def __str__(self) -> str:
        kept = ", ".join(f"{name} {count}" for name, count in self.kept.items())
        dropped = ", ".join(f"{reason} {count}" for reason, count in sorted(self.dropped.items())) or "none"
        others = ", ".join(f"{name or 'unlabelled'} {count}" for name, count in self.other_labels.items())
        note = f" ({others})" if others else ""
        return (
            f"windows kept: {kept}; dropped: {dropped}{note}; recordings shorter than a window: {self.short_recordings}"
        )


@dataclass(frozen=True)
class FoundWindows:
    """Where windows with a class begin.

    Attributes:
        recording: number of the recording ``(W,)``.
        begin: first sample, counted over all recordings ``(W,)``.
        label: index into the classes ``(W,)``.
    """

    recording: NDArray[np.int64]
    begin: NDArray[np.int64]
    label: NDArray[np.int64]


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
    broader: bool = False

    @classmethod
    def of(
        cls,
        options: CutOptions,
        classes: Iterable[str],
        *,
        label_map: Mapping[str, str] | None = None,
        broader: bool = False,
    ) -> Cutter:
        """Return the cutter of a data module's options; channels and sites are chosen before anything is cut."""
        return cls(
            tuple(classes), label_map or {}, options.window_s, options.overlap, options.rate_hz, options.purity, broader
        )

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

    def class_of(self, label: str) -> int | None:
        """Index of a label's class: by the map, by name, or, where asked for, by its broader name."""
        name = self.label_map.get(label, label)
        if self.broader and label not in self.label_map:
            name = broaden(name, self.classes)
        return self.classes.index(name) if name in self.classes else None

    def find(self, runs: LabelRuns) -> tuple[FoundWindows, WindowReport]:
        """Judge every window of recordings by their runs.

        Returns:
            Where those with a class begin, recording by recording, and the report of the others.
        """
        per_recording = np.maximum((runs.lengths - self.samples) // self.step + 1, 0)
        recording = np.repeat(np.arange(len(runs.lengths)), per_recording)
        first = np.cumsum(per_recording) - per_recording
        place = np.arange(len(recording)) - first[recording]
        begin = (np.cumsum(runs.lengths) - runs.lengths)[recording] + self.step * place
        most = np.zeros(len(begin), dtype=np.int64)
        majority = np.zeros(len(begin), dtype=np.int64)
        classes = self._classes_of(runs.names)
        # Labels of one class count together: a window of two of them is a pure window of that class.
        together = np.where(classes >= 0, classes, len(self.classes) + np.arange(len(classes)))
        for group in dict.fromkeys(together.tolist()):
            codes = np.flatnonzero(together == group)
            count = runs.count(np.isin(runs.label, codes), begin, begin + self.samples)
            majority[count > most] = codes[0]
            most = np.maximum(count, most)
        label = classes[majority]
        # Reasons are given in this order: the first that holds.
        reason = np.select(
            [
                runs.count(~runs.finite, begin, begin + self.samples) > 0,
                # The small allowance is for products such as 0.55 * 20, which come out above the whole number.
                most < self.purity * self.samples - 1e-6,
                label < 0,
            ],
            [0, 1, 2],
            default=-1,
        )
        kept = reason < 0
        report = WindowReport(
            dict(zip(self.classes, np.bincount(label[kept], minlength=len(self.classes)).tolist(), strict=True)),
            {name: int((reason == code).sum()) for code, name in enumerate(_REASONS) if (reason == code).any()},
            int((per_recording == 0).sum()),
            {
                runs.names[code]: int(count)
                for code, count in enumerate(np.bincount(majority[reason == 2], minlength=len(runs.names)))
                if count
            },
        )
        return FoundWindows(recording[kept], begin[kept], label[kept]), report

    def _classes_of(self, names: tuple[str, ...]) -> NDArray[np.int64]:
        found = [self.class_of(name) for name in names]
        return np.array([-1 if index is None else index for index in found], dtype=np.int64)

    def __call__(self, streams: Iterable[Stream]) -> tuple[WindowSet, WindowReport]:
        """Cut all streams.

        Raises:
            ValueError: there is no stream, or streams differ in their channels.
        """
        parts: list[tuple[NDArray[np.float32], FoundWindows, str]] = []
        reports: list[WindowReport] = []
        names: tuple[str, ...] | None = None
        for number, stream in enumerate(streams):
            if names not in (None, stream.names):
                raise ValueError(f"recording {number} has channels {stream.names}, the ones before it {names}")
            names = stream.names
            resampled = resample_stream(stream, rate_hz=self.rate_hz)
            runs = LabelRuns.of(resampled.labels, np.asarray(np.isfinite(resampled.values).all(axis=1)))
            found, report = self.find(runs)
            values = resampled.values.astype(np.float32)
            parts.append((values[found.begin[:, None] + np.arange(self.samples)], found, stream.subject))
            reports.append(report)
        if names is None:
            raise ValueError("no recording to cut windows from, expected at least one; check split and root")
        windows = WindowSet(
            signals=np.concatenate([values for values, _, _ in parts]),
            labels=np.concatenate([found.label for _, found, _ in parts]),
            subjects=np.concatenate([np.full(len(found.label), subject) for _, found, subject in parts]),
            recording=np.repeat(np.arange(len(parts)), [len(found.label) for _, found, _ in parts]),
            classes=self.classes,
            channels=names,
            rate_hz=self.rate_hz,
        )
        report = _sum_reports(reports)
        logger.info("%s", report)
        return windows, report


def _sum_reports(reports: list[WindowReport]) -> WindowReport:
    def total(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
        summed: Counter[str] = Counter()
        for each in counts:
            summed.update(each)
        return dict(summed)

    return WindowReport(
        total(report.kept for report in reports),
        total(report.dropped for report in reports),
        sum(report.short_recordings for report in reports),
        total(report.other_labels for report in reports),
    )
