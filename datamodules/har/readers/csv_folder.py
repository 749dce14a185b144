"""Any folder of tables as a data set: a YAML says what its files and columns are, and no code is needed.

docs/own_recordings.md shows a whole description.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamodules.har.activities import find_activity
from datamodules.har.parsing.label_codes import unknown_label
from datamodules.har.parsing.named_table import NamedTable, parse_named_table
from datamodules.har.parsing.units import unit_factor
from datamodules.har.readers.csv_description import read_description
from datamodules.har.readers.csv_facts import FROM_PATH, WHITESPACE, FolderDescription
from datamodules.har.readers.csv_spans import Spans, read_spans
from datamodules.har.readers.csv_trials import TrialFile, join_files
from datamodules.har.recordings.building import RecordingFacts, SensorTrack, record_even, record_tracks
from datamodules.har.recordings.reading import Reading, natural_key
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.recordings.recording import Recording
from datamodules.har.recordings.sources import files_below
from datamodules.har.recordings.stamps import ClockRule
from sim.files import list_files, refuse_pointer_file
from sim.recording_files import refuse_long_table


def list_sources(root: Path | None) -> list[Path]:
    """The description, and all files of the folder that it describes."""
    about = read_description(root)
    spans = [] if about.spans is None else [about.spans.path]
    return list(dict.fromkeys([about.path, *spans, *files_below(about.root)]))


def list_sites(root: Path | None) -> tuple[str, ...]:
    """The placements that a description names."""
    return read_description(root).sites


def read_csv_folder(root: Path | None, reading: Reading) -> Iterator[Recording]:
    """Read a folder of CSV, TSV or Parquet that a YAML describes.

    Args:
        root: the YAML, or a folder with an ``imuforge.yaml`` in it.
        reading: rules of this pass; ``max_gap_s`` of the YAML goes before.

    Yields:
        One recording for each file, or for each subject and trial that its columns name; several where samples are
        missing for longer than ``max_gap_s``.

    Raises:
        FileNotFoundError: there is no description, or no file of its pattern.
        ValueError: the description or a file is not what it should be.
    """
    yield from read_described(read_description(root), reading)


def read_described(about: FolderDescription, reading: Reading) -> Iterator[Recording]:
    """Read the tables of a description that has been checked; yields and raises as :func:`read_csv_folder`."""
    if about.max_gap_s is not None:
        reading.max_gap_s = about.max_gap_s
    found = []
    for path in list_files(about.root):
        match = about.pattern.fullmatch(path.relative_to(about.root).as_posix())
        if match:
            found.append((path, match))
    if not found:
        inside_root = ", ".join(path.name for path in sorted(about.root.iterdir())[:5]) or "nothing"
        raise FileNotFoundError(
            f"no file below {about.root} matches files: {about.pattern.pattern!r} of {about.path} (it holds "
            f"{inside_root}); correct the pattern, which has to match the whole path with / between folders"
        )
    found.sort(key=lambda item: natural_key(item[0].relative_to(about.root).as_posix()))
    spans = None if about.spans is None else read_spans(about.spans)
    trials = join_files(found, about, reading)
    yield from reading.each(trials, lambda each: _parse(each, about, reading, spans), lambda each: str(each[0].path))


def _parse(files: list[TrialFile], about: FolderDescription, reading: Reading, spans: Spans | None) -> list[Recording]:
    if len(files) > 1 and about.time_column is None:
        raise ValueError(
            f"{files[0].path} and {files[1].path} are of one trial, which needs time stamps; name them under time: in "
            f"{about.path}"
        )
    parts: dict[tuple[str, ...], list[_Part]] = {}
    for file in files:
        table = _open(file.path, about)
        for part, groups, where in _parts(table, file.groups, str(file.path), about):
            parts.setdefault(tuple(groups.values()), []).append(_Part(part, groups, where, file.site, file.kind))
    return [recording for each in parts.values() for recording in _record(each, about, reading, spans)]


@dataclass(frozen=True)
class _Part:
    """Rows of one subject and trial in one file."""

    table: NamedTable
    groups: Mapping[str, str]
    where: str
    site: str | None
    kind: str | None

    def clock_column(self, column: str) -> str:
        """Column of time stamps; where only the accelerometer's is known, a gyroscope's file may have its like."""
        like = column.replace("accel", "gyro").replace("acc", "gyr")
        return like if self.kind == "gyro" and column not in self.table and like in self.table else column

    def sensors(self, about: FolderDescription, kind: str) -> dict[str, tuple[str, ...]]:
        """Columns of each placement, of one kind of sensor."""
        if self.kind not in (None, kind):
            return {}
        columns = about.accel if kind == "accel" else about.gyro
        return {self.site if site == FROM_PATH and self.site else site: names for site, names in columns.items()}


def _parts(
    table: NamedTable, groups: Mapping[str, str], where: str, about: FolderDescription
) -> Iterator[tuple[NamedTable, Mapping[str, str], str]]:
    """Rows of one subject and trial each, where columns tell them apart.

    Without time stamps, rows that do not follow on one another are recordings of their own.
    """
    columns = {"subject": about.subject_column, "trial": about.trial_column}
    columns = {name: column for name, column in columns.items() if column is not None}
    if not columns:
        yield table, groups, where
        return
    keys = np.stack([table.texts(column) for column in columns.values() if column is not None], axis=1)
    whose, number = np.unique(keys, axis=0, return_inverse=True)
    number = number.reshape(-1)
    for index in dict.fromkeys(number.tolist()):
        found = {**groups, **dict(zip(columns, map(str, whose[index]), strict=True))}
        said = f"{where} ({', '.join(f'{name} {found[name]}' for name in columns)})"
        rows = np.flatnonzero(number == index)
        runs = [rows] if about.time_column else np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
        for place, run in enumerate(runs):
            more = {"part": str(place)} if len(runs) > 1 else {}
            yield table.rows(run), {**found, **more}, said + (f" part {place}" if more else "")


def _record(parts: list[_Part], about: FolderDescription, reading: Reading, spans: Spans | None) -> list[Recording]:
    first = next((part for part in parts if part.sensors(about, "accel")), None)
    if first is None:
        raise ValueError(f"{parts[0].where} has no file of an accelerometer beside it, expected one for each trial")
    groups, where = first.groups, first.where
    said = (groups[name] for name in ("subject", "activity", "trial", "part") if name in groups)
    facts = RecordingFacts(
        groups.get("subject"), "/".join([about.name, *said]), about.mounting, where, about.gravity_included
    )
    if about.time_column is None:
        labels = _labels(first.table, groups, where, about)
        return [_record_rows(first, labels, facts, about, reading)]
    tracks: list[SensorTrack] = []
    # Labels are those of the first track's samples.
    for part in [first, *(one for one in parts if one is not first)]:
        clocks: dict[str, NDArray[np.float64]] = {}
        for kind, column in (("accel", about.time_column), ("gyro", about.gyro_time_column)):
            for site, columns in part.sensors(about, kind).items():
                clock = part.clock_column(str(column))
                if clock not in clocks:
                    clocks[clock] = part.table.seconds(clock, about.time_unit, since_epoch=True)
                values = _sensor(part.table, columns, about, kind)
                tracks.append(SensorTrack(site, "accel" if kind == "accel" else "gyro", clocks[clock], values))
    if spans is None:
        labels = _labels(first.table, groups, where, about)
    else:
        labels = _name_all(spans.label_samples(tracks[0].time_s, groups), where, about)
    rule = ClockRule(about.rate_hz, stamps=about.stamps, duplicates=about.duplicates, backwards=about.backwards)
    return record_tracks(tracks, labels, facts, rule, reading)


def _record_rows(
    part: _Part, labels: NDArray[np.str_] | str, facts: RecordingFacts, about: FolderDescription, reading: Reading
) -> Recording:
    """A recording of rows that are even in time."""
    sites, rates = part.sensors(about, "accel"), part.sensors(about, "gyro")
    accel = np.stack([_sensor(part.table, columns, about, "accel") for columns in sites.values()], axis=1)
    gyro = None
    if rates:
        blank = np.full((len(part.table), 3), np.nan)
        each = [_sensor(part.table, rates[site], about, "gyro") if site in rates else blank for site in sites]
        gyro = np.stack(each, axis=1)
    names = tuple(sites)
    return record_even(accel, gyro, labels, facts, placements=names, rate_hz=about.rate_hz, reading=reading)


def _sensor(table: NamedTable, columns: tuple[str, ...], about: FolderDescription, kind: str) -> NDArray[np.float64]:
    """A sensor in SI units and in the axes that the description asks for."""
    values = (table.triples(columns[0]) if len(columns) == 1 else table.numbers(columns)) @ about.axes.T
    if kind == "gyro":
        return values * (unit_factor(about.gyro_unit, "gyro") * about.gyro_scale)
    return values * (unit_factor(about.accel_unit, "accel") * about.accel_scale * about.rest_sign)


def _labels(
    table: NamedTable, groups: Mapping[str, str], where: str, about: FolderDescription
) -> NDArray[np.str_] | str:
    if about.label_column is None:
        return _activity(groups["activity"], where, about) if "activity" in groups else ""
    texts = table.texts(about.label_column)
    unique, first, inverse = np.unique(texts, return_index=True, return_inverse=True)
    names = [
        _activity(str(text), f"{where}, line {table.line(int(row))}", about)
        for text, row in zip(unique, first, strict=True)
    ]
    return np.asarray(np.array(names, dtype=np.str_)[inverse])


def _name_all(texts: NDArray[np.str_], where: str, about: FolderDescription) -> NDArray[np.str_]:
    unique, inverse = np.unique(texts, return_inverse=True)
    names = [_activity(str(text), where, about) for text in unique]
    return np.asarray(np.array(names, dtype=np.str_)[inverse])


def _activity(text: str, where: str, about: FolderDescription) -> str:
    """Canonical name of a label of the files."""
    if text in about.unlabelled:
        return ""
    if about.labels:
        # 01 is 1 where only 1 is known.
        plain = str(int(text)) if text.isdigit() else text
        if text not in about.labels and plain in {**about.labels, **dict.fromkeys(about.unlabelled - {""})}:
            return _activity(plain, where, about)
        if text not in about.labels:
            raise ValueError(f"{where} has {unknown_label(text, about.labels)}; add it to labels: or unlabelled:")
        return about.labels[text]
    try:
        return find_activity(text)
    except ValueError as error:
        raise ValueError(f"{where}: label {error}; add labels: to {about.path}") from None


def _open(path: Path, about: FolderDescription) -> NamedTable:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        refuse_pointer_file(path)
        refuse_long_table(path)
        try:
            frame = pd.read_parquet(path)
        except Exception as error:  # pyarrow's errors share no base class but Exception
            raise ValueError(f"{path} is no whole Parquet file ({' '.join(str(error).split())})") from None
        if frame.empty:
            raise ValueError(f"{path} holds no samples, expected some")
        # What pandas wrote as an index, of time or of subjects, is a column like any other.
        return NamedTable(frame.reset_index(drop=frame.index.names == [None]), str(path), 1)
    if suffix not in (".csv", ".tsv", ".txt", ".dat", ".log"):
        raise ValueError(f"{path} ends in {suffix!r}, expected .csv, .tsv, .txt, .dat, .log or .parquet")
    delimiter = about.delimiter or ("\t" if suffix == ".tsv" else ",")
    return parse_named_table(
        path.read_bytes(),
        str(path),
        delimiter=None if delimiter == WHITESPACE else delimiter,
        header=about.header,
        decimal=about.decimal,
        skip_lines=about.skip_lines,
        text=about.text_columns,
        own=True,
    )


SET = RealSet(read_csv_folder, {}, (), sources=list_sources, sites=list_sites)
