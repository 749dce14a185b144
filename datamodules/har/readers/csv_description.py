"""The YAML that describes a folder of tables: read, checked, and every mistake named in one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from numpy.typing import NDArray

from datamodules.har.activities import find_activity, normalise
from datamodules.har.parsing.named_table import ISO
from datamodules.har.parsing.yaml_checks import YamlChecks
from sim.files import read_text_file
from sim.placements.presets import find_preset

_KEYS = (
    *("name", "root", "files", "delimiter", "decimal", "header", "rate_hz", "time", "units", "gravity", "rest_reads"),
    *("sensors", "axes", "mounting", "label_column", "labels", "unlabelled", "own_activities", "max_gap_s"),
    *("duplicates", "backwards", "subject_column", "trial_column", "skip_lines", "stamps"),
)
DEFAULT_NAME = "imuforge.yaml"
WHITESPACE = "whitespace"
"""Delimiter that stands for any run of blanks."""


@dataclass(frozen=True)
class FolderDescription:
    """What a description says, checked; docs/own_recordings.md explains each key.

    Attributes:
        path: the YAML.
        name: of the set.
        root: folder that the pattern starts from.
        pattern: of the files, with groups ``subject``, ``activity``, ``trial``.
        delimiter: between columns, ``whitespace`` for any run of blanks; None to go by the file's suffix.
        skip_lines: numbers of lines to leave out, from 1.
        decimal: decimal sign.
        header: whether the first line names the columns.
        rate_hz: of the recordings [Hz].
        time_column: column of time stamps; None where samples are even.
        time_unit: its unit, or ``iso`` for dates with times.
        accel_unit: unit of the accelerometers.
        gyro_unit: unit of the gyroscopes.
        gravity_included: whether acceleration carries gravity.
        rest_sign: 1 where a sensor at rest reads +g along its up axis, -1 where it reads -g.
        accel: placement -> three columns.
        gyro: placement -> three columns, for those that have one.
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
    time_unit: str
    accel_unit: str
    gyro_unit: str
    gravity_included: bool
    rest_sign: float
    accel: Mapping[str, tuple[str, ...]]
    gyro: Mapping[str, tuple[str, ...]]
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


def read_description(root: Path | None) -> FolderDescription:
    """Read and check a description.

    Args:
        root: the YAML, or a folder with an ``imuforge.yaml`` in it.

    Raises:
        FileNotFoundError: there is none.
        ValueError: a key is unknown, missing or has a value that cannot be; names it.
    """
    path = root / DEFAULT_NAME if root is not None and root.is_dir() else root
    if path is None or not path.is_file():
        raise FileNotFoundError(f"no description {path}; give a YAML, or a folder with {DEFAULT_NAME} in it, as root")
    try:
        content = yaml.safe_load(read_text_file(path))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, expected keys such as files: and sensors:")
    return _Checker(path, {str(key): value for key, value in content.items()}, _KEYS).description()


class _Checker(YamlChecks):
    """Takes a description out of the YAML."""

    def description(self) -> FolderDescription:
        """Check all of it."""
        time = self._mapping("time", ("column", "unit"))
        units = self._mapping("units", ("accel", "gyro"))
        accel, gyro = self._sensors()
        if gyro and "gyro" not in units:
            raise self._error("units.gyro", None, "the unit of the gyroscopes, such as rad/s or deg/s")
        for quantity in ("accel", "gyro"):
            if quantity in units or quantity == "accel":
                self._unit(units.get(quantity), "accel" if quantity == "accel" else "gyro")
        if time:
            if time.get("unit") != ISO:
                self._unit(time.get("unit"), "time")
            self._text_of(time.get("column"), "time.column")
        return FolderDescription(
            path=self._path,
            name=self._text("name", self._path.parent.name or "csv_folder"),
            root=self._root(),
            pattern=self._pattern(),
            delimiter=self._delimiter(),
            skip_lines=self._skip_lines(),
            decimal=self._choice("decimal", (".", ","), "."),
            header=self._flag("header", True),
            rate_hz=self._number("rate_hz"),
            time_column=str(time["column"]) if time else None,
            time_unit=str(time.get("unit", "s")),
            accel_unit=str(units["accel"]),
            gyro_unit=str(units.get("gyro", "rad/s")),
            gravity_included=self._choice("gravity", ("included", "removed"), None) == "included",
            rest_sign=-1.0 if self._choice("rest_reads", ("+g", "-g"), "+g") == "-g" else 1.0,
            accel=accel,
            gyro=gyro,
            axes=self._axes(),
            mounting=self._text("mounting", "not stated by the description"),
            subject_column=self._text("subject_column", "") or None,
            trial_column=self._text("trial_column", "") or None,
            label_column=self._text("label_column", "") or None,
            labels=self._labels(),
            unlabelled=frozenset(["", *map(str, self._list("unlabelled"))]),
            max_gap_s=self._number("max_gap_s") if "max_gap_s" in self._content else None,
            stamps="arrival" if self._choice("stamps", ("sampled", "arrival"), "sampled") == "arrival" else "sampled",
            duplicates="average" if self._choice("duplicates", ("error", "average"), "error") == "average" else "error",
            backwards="sort" if self._choice("backwards", ("error", "sort"), "error") == "sort" else "error",
        )

    def _root(self) -> Path:
        root = self._path.parent / self._text("root", ".")
        if not root.is_dir():
            raise FileNotFoundError(f"root {root} of {self._path} is no folder; correct root:")
        return root

    def _pattern(self) -> re.Pattern[str]:
        text = self._content.get("files")
        if not isinstance(text, str):
            raise self._error(
                "files", text, r"a pattern such as '(?P<subject>s\d+)/(?P<activity>\w+)_(?P<trial>\d+)\.csv'"
            )
        try:
            pattern = re.compile(text)
        except re.error as error:
            raise ValueError(f"files in {self._path} is no regular expression ({error}): {text!r}") from None
        self._known(dict.fromkeys(pattern.groupindex), ("subject", "activity", "trial"), "group ")
        return pattern

    def _delimiter(self) -> str | None:
        value = self._content.get("delimiter")
        if value is not None and (not isinstance(value, str) or (len(value) != 1 and value != WHITESPACE)):
            raise self._error("delimiter", value, f'one character, such as ";" or "\\t", or {WHITESPACE}')
        return value

    def _skip_lines(self) -> tuple[int, ...]:
        value = self._content.get("skip_lines", 0)
        numbers = list(range(1, value + 1)) if isinstance(value, int) and value >= 0 else value
        if (
            isinstance(value, bool)
            or not isinstance(numbers, list)
            or not all(type(n) is int and n > 0 for n in numbers)
        ):
            raise self._error("skip_lines", value, "how many lines to leave out at the top, or a list of their numbers")
        return tuple(numbers)

    def _sensors(self) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
        sensors = self._content.get("sensors")
        if not isinstance(sensors, dict) or not sensors:
            raise self._error("sensors", sensors, "placements with accel: [x, y, z] and perhaps gyro: [x, y, z]")
        found: dict[str, dict[str, tuple[str, ...]]] = {"accel": {}, "gyro": {}}
        for name, columns in sensors.items():
            try:
                site = find_preset(str(name))
            except ValueError as error:
                raise ValueError(f"{self._path}: {error}") from None
            if not isinstance(columns, dict) or "accel" not in columns:
                raise self._error(f"sensors.{name}", columns, "accel: [x, y, z] and perhaps gyro: [x, y, z]")
            if site in found["accel"]:
                raise self._error(f"sensors.{name}", name, f"each placement once; {site} is there already")
            self._known({str(key): None for key in columns}, ("accel", "gyro"), f"sensors.{name}.")
            for kind, names in columns.items():
                if not isinstance(names, list) or len(names) != 3:
                    raise self._error(f"sensors.{name}.{kind}", names, "three columns x, y, z")
                found[str(kind)][site] = tuple(map(str, names))
        return found["accel"], found["gyro"]

    def _labels(self) -> dict[str, str]:
        labels = self._content.get("labels", {})
        if not isinstance(labels, dict):
            raise self._error("labels", labels, "label of the files: activity")
        own = {normalise(str(name)) for name in self._list("own_activities")}
        named = {}
        for label, activity in labels.items():
            if isinstance(label, bool):
                raise ValueError(
                    f"labels in {self._path} has the key {label}: put yes, no, on, off, true, false in quotes"
                )
            name = normalise(str(activity))
            if name not in own:
                try:
                    name = find_activity(name)
                except ValueError as error:
                    raise ValueError(f"labels.{label} in {self._path}: {error}, or list it in own_activities") from None
            named[str(label)] = name
        return named
