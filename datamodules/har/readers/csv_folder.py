"""Any folder of tables as a data set: a YAML says what its files and columns are, and no code is needed.

docs/own_recordings.md shows a whole description.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamodules.har.activities import find_activity
from datamodules.har.parsing.label_codes import unknown_label
from datamodules.har.parsing.named_table import NamedTable, parse_named_table
from datamodules.har.parsing.units import unit_factor
from datamodules.har.readers.csv_description import WHITESPACE, FolderDescription, read_description
from datamodules.har.recordings.building import RecordingFacts, SensorTrack, record_even, record_tracks
from datamodules.har.recordings.reading import Reading, natural_key
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.recordings.recording import Recording
from datamodules.har.recordings.sources import files_below
from datamodules.har.recordings.stamps import ClockRule
from sim.files import list_files


def list_sources(root: Path | None) -> list[Path]:
    """The description, and all files of the folder that it describes."""
    about = read_description(root)
    return [about.path, *files_below(about.root)]


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
    about = read_description(root)
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
    yield from reading.each(found, lambda each: _parse(*each, about, reading), lambda each: str(each[0]))


def _parse(path: Path, match: re.Match[str], about: FolderDescription, reading: Reading) -> list[Recording]:
    table = _open(path, about)
    groups = {name: text or "" for name, text in match.groupdict().items()}
    if not groups and not about.trial_column:
        groups["trial"] = path.relative_to(about.root).with_suffix("").as_posix()
    recordings = []
    for part, found, where in _parts(table, groups, str(path), about):
        recordings += _record(part, found, where, about, reading)
    return recordings


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


def _record(
    table: NamedTable, groups: Mapping[str, str], where: str, about: FolderDescription, reading: Reading
) -> list[Recording]:
    labels = _labels(table, groups, where, about)
    parts = (groups[name] for name in ("subject", "activity", "trial", "part") if name in groups)
    facts = RecordingFacts(
        groups.get("subject"), "/".join([about.name, *parts]), about.mounting, where, about.gravity_included
    )
    if about.time_column is None:
        accel = np.stack([_sensor(table, columns, about, "accel") for columns in about.accel.values()], axis=1)
        gyro = None
        if about.gyro:
            blank = np.full((len(table), 3), np.nan)
            rates = [_sensor(table, about.gyro[s], about, "gyro") if s in about.gyro else blank for s in about.accel]
            gyro = np.stack(rates, axis=1)
        sites = tuple(about.accel)
        return [record_even(accel, gyro, labels, facts, placements=sites, rate_hz=about.rate_hz, reading=reading)]
    time_s = table.seconds(about.time_column, about.time_unit)
    tracks = [SensorTrack(s, "accel", time_s, _sensor(table, c, about, "accel")) for s, c in about.accel.items()]
    tracks += [SensorTrack(s, "gyro", time_s, _sensor(table, c, about, "gyro")) for s, c in about.gyro.items()]
    rule = ClockRule(about.rate_hz, stamps=about.stamps, duplicates=about.duplicates, backwards=about.backwards)
    return record_tracks(tracks, labels, facts, rule, reading)


def _sensor(table: NamedTable, columns: tuple[str, ...], about: FolderDescription, kind: str) -> NDArray[np.float64]:
    """A sensor in SI units and in the axes that the description asks for."""
    values = table.numbers(columns) @ about.axes.T
    if kind == "gyro":
        return values * unit_factor(about.gyro_unit, "gyro")
    return values * (unit_factor(about.accel_unit, "accel") * about.rest_sign)


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


def _activity(text: str, where: str, about: FolderDescription) -> str:
    """Canonical name of a label of the files."""
    if text in about.unlabelled:
        return ""
    if about.labels:
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
    )


SET = RealSet(read_csv_folder, {}, (), sources=list_sources)
