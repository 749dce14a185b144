"""What the description of a folder of tables says, checked; docs/own_recordings.md explains each key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from datamodules.har.readers.csv_spans import SpanColumns

FROM_PATH = "path"
"""Sensor whose placement the path of a file names."""

GROUPS = ("subject", "activity", "trial", "sensor", "placement")
"""What a pattern of files may tell."""

WHITESPACE = "whitespace"
"""Delimiter that stands for any run of blanks."""


@dataclass(frozen=True)
class FolderDescription:
    """What a description says, checked; docs/own_recordings.md explains each key.

    Attributes:
        path: the YAML.
        name: of the set.
        root: folder that the pattern starts from.
        pattern: of the files, with groups ``subject``, ``activity``, ``trial``, ``sensor``, ``placement``.
        delimiter: between columns, ``whitespace`` for any run of blanks; None to go by the file's suffix.
        skip_lines: numbers of lines to leave out, from 1.
        decimal: decimal sign.
        header: whether the first line names the columns.
        rate_hz: of the recordings [Hz].
        time_column: column of time stamps; None where samples are even.
        gyro_time_column: column of the gyroscopes' own time stamps, the same where there is one clock.
        time_unit: its unit, or ``iso`` for dates with times.
        accel_unit: unit of the accelerometers.
        gyro_unit: unit of the gyroscopes.
        accel_scale: units that a count of the accelerometers stands for, 1 where the numbers are in the unit.
        gyro_scale: the same of the gyroscopes.
        gravity_included: whether acceleration carries gravity.
        rest_sign: 1 where a sensor at rest reads +g along its up axis, -1 where it reads -g.
        accel: placement -> three columns, or one whose cells hold three numbers; under :data:`FROM_PATH` for whatever
            placement the path names.
        gyro: the same for those that have one.
        placements: what the path calls a placement -> placement.
        spans: table that says what was done when; None where there is none.
        axes: rotation from the axes of the columns to those of the recording ``(3, 3)``.
        mounting: in words.
        subject_column: column that says whose row it is; None to take the group ``subject``.
        trial_column: column that says of which trial a row is; None to take the group ``trial``.
        label_column: column of labels; None to take the group ``activity``.
        labels: label of the files -> activity; empty to go by common synonyms.
        unlabelled: labels that mean none.
        max_gap_s: longest stretch to interpolate over [s]; None for the caller's.
        stamps: whether time stamps tell when a sample was taken or when it arrived.
        duplicates: what to do with equal time stamps.
        backwards: what to do with time stamps that run backwards.
    """

    path: Path
    name: str
    root: Path
    pattern: re.Pattern[str]
    delimiter: str | None
    skip_lines: tuple[int, ...]
    decimal: str
    header: bool
    rate_hz: float
    time_column: str | None
    gyro_time_column: str | None
    time_unit: str
    accel_unit: str
    gyro_unit: str
    accel_scale: float
    gyro_scale: float
    gravity_included: bool
    rest_sign: float
    accel: Mapping[str, tuple[str, ...]]
    gyro: Mapping[str, tuple[str, ...]]
    placements: Mapping[str, str]
    spans: SpanColumns | None
    axes: NDArray[np.float64]
    mounting: str
    subject_column: str | None
    trial_column: str | None
    label_column: str | None
    labels: Mapping[str, str]
    unlabelled: frozenset[str]
    max_gap_s: float | None
    stamps: Literal["sampled", "arrival"]
    duplicates: Literal["error", "average"]
    backwards: Literal["error", "sort"]

    @property
    def sites(self) -> tuple[str, ...]:
        """Every placement that the description names."""
        return tuple(dict.fromkeys(self.placements.values())) if FROM_PATH in self.accel else tuple(self.accel)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """Columns whose cells are words, whatever they look like."""
        return tuple(one for one in (self.label_column, self.subject_column, self.trial_column) if one is not None)
