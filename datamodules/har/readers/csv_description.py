"""The YAML that describes a folder of tables: read, checked, and every mistake named in one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from datamodules.har.activities import find_activity, normalise
from datamodules.har.parsing.named_table import ISO
from datamodules.har.parsing.yaml_checks import YamlChecks
from datamodules.har.readers.csv_facts import FROM_PATH, GROUPS, WHITESPACE, FolderDescription
from datamodules.har.readers.csv_spans import SpanColumns
from sim.files import parse_yaml, read_text_file
from sim.placements.presets import find_preset

_KEYS = (
    *("name", "root", "files", "delimiter", "decimal", "header", "rate_hz", "time", "units", "gravity", "rest_reads"),
    *("sensors", "axes", "mounting", "label_column", "labels", "unlabelled", "own_activities", "max_gap_s"),
    *("duplicates", "backwards", "subject_column", "trial_column", "skip_lines", "stamps", "scale", "placements"),
    "spans",
)
DEFAULT_NAME = "imuforge.yaml"


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
    content = parse_yaml(read_text_file(path), path)
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, expected keys such as files: and sensors:")
    return describe(path, {str(key): value for key, value in content.items()})


def describe(path: Path, content: Mapping[str, object]) -> FolderDescription:
    """Check what a description says.

    Args:
        path: the YAML, from whose folder ``root`` counts, and by which messages name it.
        content: its keys and values.

    Raises:
        FileNotFoundError: there is no such root.
        ValueError: as :func:`read_description`.
    """
    return _Checker(path, dict(content), _KEYS).description()


class _Checker(YamlChecks):
    """Takes a description out of the YAML."""

    def description(self) -> FolderDescription:
        """Check all of it."""
        time = self._mapping("time", ("column", "unit", "accel", "gyro"))
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
            for key in ("accel", "gyro") if "column" not in time else ("column",):
                self._text_of(time.get(key), f"time.{key}")
        scales = self._scales()
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
            time_column=str(time.get("column", time.get("accel"))) if time else None,
            gyro_time_column=str(time.get("gyro", time.get("column"))) if time else None,
            time_unit=str(time.get("unit", "s")),
            accel_unit=str(units["accel"]),
            gyro_unit=str(units.get("gyro", "rad/s")),
            accel_scale=scales["accel"],
            gyro_scale=scales["gyro"],
            gravity_included=self._choice("gravity", ("included", "removed"), None) == "included",
            rest_sign=-1.0 if self._choice("rest_reads", ("+g", "-g"), "+g") == "-g" else 1.0,
            accel=accel,
            gyro=gyro,
            placements=self._placements(),
            spans=self._spans(),
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
        self._known(dict.fromkeys(pattern.groupindex), GROUPS, "group ")
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
                site = FROM_PATH if name == FROM_PATH else find_preset(str(name))
            except ValueError as error:
                raise ValueError(f"{self._path}: {error}") from None
            if not isinstance(columns, dict) or "accel" not in columns:
                raise self._error(f"sensors.{name}", columns, "accel: [x, y, z] and perhaps gyro: [x, y, z]")
            if site in found["accel"]:
                raise self._error(f"sensors.{name}", name, f"each placement once; {site} is there already")
            self._known({str(key): None for key in columns}, ("accel", "gyro"), f"sensors.{name}.")
            for kind, names in columns.items():
                names = [names] if isinstance(names, str) else names
                if not isinstance(names, list) or len(names) not in (1, 3):
                    raise self._error(
                        f"sensors.{name}.{kind}", names, "three columns x, y, z, or one that holds three numbers"
                    )
                found[str(kind)][site] = tuple(map(str, names))
        if FROM_PATH in sensors and len(sensors) > 1:
            raise self._error(f"sensors.{FROM_PATH}", list(sensors), "no other placement beside it")
        return found["accel"], found["gyro"]

    def _placements(self) -> dict[str, str]:
        given = self._content.get("placements", {})
        grouped = "placement" in self._pattern().groupindex
        sensors = self._content.get("sensors")
        from_path = isinstance(sensors, dict) and FROM_PATH in sensors
        if not isinstance(given, dict) or grouped != from_path or (bool(given) and not grouped):
            raise self._error(
                "placements",
                given or None,
                f"what the group (?P<placement>...) of files: finds -> placement, with sensors: {{{FROM_PATH}: ...}}",
            )
        try:
            return {str(text).lower(): find_preset(str(site)) for text, site in given.items()}
        except ValueError as error:
            raise ValueError(f"placements in {self._path}: {error}") from None

    def _scales(self) -> dict[str, float]:
        given = self._mapping("scale", ("accel", "gyro"))
        return {kind: self._scale(given[kind], kind) if kind in given else 1.0 for kind in ("accel", "gyro")}

    def _scale(self, value: object, kind: str) -> float:
        words = [str(value)] if isinstance(value, bool) else str(value).split("/")
        try:
            number = float(words[0]) / float(words[1]) if len(words) == 2 else float(words[0])
        except (ValueError, ZeroDivisionError):
            number = 0.0
        if not 0 < number < np.inf or len(words) > 2:
            raise self._error(f"scale.{kind}", value, "units a count, a number above 0 or a fraction such as 32/8192")
        return number

    def _spans(self) -> SpanColumns | None:
        given = self._mapping("spans", ("file", "start", "end", "label", "unit", "subject", "trial"))
        if not given:
            return None
        words = {key: self._text_of(given.get(key), f"spans.{key}") for key in ("file", "start", "end", "label")}
        time = self._mapping("time", ("column", "unit", "accel", "gyro"))
        unit = str(given.get("unit", time.get("unit", "s")))
        if unit != ISO:
            self._unit(unit, "time")
        if not time or self._content.get("label_column") is not None:
            raise self._error("spans", list(given), "time stamps under time:, and no label_column")
        path = self._path.parent / words["file"]
        subject, trial = (None if given.get(key) is None else str(given[key]) for key in ("subject", "trial"))
        return SpanColumns(path, words["start"], words["end"], words["label"], unit, subject, trial)

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
