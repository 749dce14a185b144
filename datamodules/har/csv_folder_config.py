"""The description of a folder of tables, as YAML: what :mod:`datamodules.har.csv_folder` reads by."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from datamodules.typed_config import read_typed
from sim.conventions import STANDARD_GRAVITY

ACCEL_UNITS: Final = {"m/s^2": 1.0, "g": STANDARD_GRAVITY, "mg": STANDARD_GRAVITY / 1000}
GYRO_UNITS: Final = {"rad/s": 1.0, "deg/s": math.pi / 180, "mrad/s": 1e-3, "mdeg/s": math.pi / 180_000}
TIME_UNITS: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
FORMATS: Final = ("csv", "tsv", "parquet")
GRAVITY: Final = ("included", "removed")


@dataclass(frozen=True)
class SiteColumns:
    """The columns of one sensor.

    Attributes:
        placement: where it is worn, by preferences a name of ``sim.placements``.
        accel: three columns of acceleration.
        gyro: three columns of angular rate; none if there is no gyroscope.
        axes: where the sensor's x, y and z come from: each one of x, y, z, -x, -y, -z of the columns.
    """

    placement: str = ""
    accel: list[str] = field(default_factory=list)
    gyro: list[str] = field(default_factory=list)
    axes: list[str] = field(default_factory=lambda: ["x", "y", "z"])

    @property
    def turn(self) -> list[tuple[float, int]]:
        """Sign and column of each axis."""
        return [(-1.0 if axis.startswith("-") else 1.0, "xyz".index(axis[-1])) for axis in self.axes]


@dataclass(frozen=True)
class OtherColumns:
    """Columns that all sensors of a file share.

    Attributes:
        time: of the time stamp; null where samples are even.
        label: of the activity; null where the file's name says it.
    """

    time: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Units:
    """Units of the columns: keys of :data:`ACCEL_UNITS` and :data:`GYRO_UNITS`."""

    accel: str = "m/s^2"
    gyro: str = "rad/s"


@dataclass(frozen=True)
class CsvFolder:
    """A folder of tables.

    Attributes:
        files: which files: a path below the folder with ``{subject}``, ``{activity}``, ``{trial}`` and ``*`` in it.
        format: one of :data:`FORMATS`.
        separator: between the cells of a CSV.
        sites: the sensors of each file.
        columns: time and label.
        units: of the columns.
        rate_hz: samples per second; with time stamps, what samples are brought to [Hz].
        time_unit: a key of :data:`TIME_UNITS`.
        repeated_stamps: whether a stamp may repeat; the first sample counts.
        gravity: whether the acceleration has gravity in it: ``included`` or ``removed``.
        labels: name in the files -> activity; empty takes them as they are.
        unlabelled: names that stand for no activity.
        subject: who wore the sensors, where the files' names do not say.
        mounting: how the axes lie on the body, in words.
    """

    files: str = ""
    format: str = "csv"
    separator: str = ","
    sites: list[SiteColumns] = field(default_factory=list)
    columns: OtherColumns = field(default_factory=OtherColumns)
    units: Units = field(default_factory=Units)
    rate_hz: float = 0.0
    time_unit: str = "s"
    repeated_stamps: bool = False
    gravity: str = "included"
    labels: dict[str, str] = field(default_factory=dict)
    unlabelled: list[str] = field(default_factory=list)
    subject: str | None = None
    mounting: str = "not stated"
    folder: str = "."

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What the path of a file below the folder must match, with the named groups."""
        parts = re.split(r"(\{\w+\}|\*)", self.files)
        spoken = {"*": "[^/]*", "{subject}": "(?P<subject>[^/]+?)", "{activity}": "(?P<activity>[^/]+?)"}
        spoken["{trial}"] = "(?P<trial>[^/]+?)"
        return re.compile("".join(spoken.get(part, re.escape(part)) for part in parts))

    @property
    def value_columns(self) -> tuple[str, ...]:
        """Every column of acceleration and rate, once."""
        return tuple(dict.fromkeys(name for site in self.sites for name in (*site.accel, *site.gyro)))

    @property
    def all_columns(self) -> tuple[str, ...]:
        """Every column that is read."""
        others = [name for name in (self.columns.time, self.columns.label) if name is not None]
        return tuple(dict.fromkeys((*others, *self.value_columns)))


def read_config(path: Path) -> CsvFolder:
    """Read a description and check it.

    Raises:
        ValueError: a key is unknown or missing, or a value is none of those there are; names the key.
    """
    config = replace(read_typed(CsvFolder, path), folder=str(path.parent))
    choices = {
        "format": (config.format, FORMATS),
        "gravity": (config.gravity, GRAVITY),
        "units.accel": (config.units.accel, tuple(ACCEL_UNITS)),
        "units.gyro": (config.units.gyro, tuple(GYRO_UNITS)),
        "time_unit": (config.time_unit, tuple(TIME_UNITS)),
    }
    for key, (value, valid) in choices.items():
        if value not in valid:
            raise ValueError(f"{path}: {key} is {value!r}, must be one of {list(valid)}")
    if not config.files or not config.sites:
        raise ValueError(f"{path} gives no {'files' if not config.files else 'sites'}, which it must")
    odd = re.findall(r"\{(?!subject\}|activity\}|trial\})[^}]*\}", config.files)
    if odd or any(config.files.count(f"{{{name}}}") > 1 for name in ("subject", "activity", "trial")):
        raise ValueError(f"{path}: files is {config.files!r}, expected {{subject}}, {{activity}}, {{trial}}, each once")
    if not config.rate_hz > 0:
        raise ValueError(f"{path}: rate_hz is {config.rate_hz}, expected above 0 samples per second")
    for site in config.sites:
        _check_site(site, path)
    return config


def _check_site(site: SiteColumns, path: Path) -> None:
    if not site.placement or len(site.accel) != 3 or len(site.gyro) not in (0, 3):
        raise ValueError(
            f"{path}: a site has placement {site.placement!r}, accel {site.accel} and gyro {site.gyro}, expected a "
            "name, three columns, and three or none"
        )
    letters = [axis[-1:] for axis in site.axes]
    if sorted(letters) != ["x", "y", "z"] or any(axis.removeprefix("-") not in ("x", "y", "z") for axis in site.axes):
        raise ValueError(
            f"{path}: axes of {site.placement} are {site.axes}, expected x, y and z once each, with or without a minus"
        )
