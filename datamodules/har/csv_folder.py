"""Any folder of CSV, TSV or Parquet files that a YAML describes: a set of one's own, without code.

``load_recordings("csv_folder", "my_set/dataset.yaml")``; docs/csv_folder.md shows a description line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamodules.har.csv_folder_config import ACCEL_UNITS, GYRO_UNITS, TIME_UNITS, CsvFolder, SiteColumns, read_config
from datamodules.har.reading import DEFAULT_OPTIONS, ReadingAccount, ReadOptions, read_each
from datamodules.har.recording import Recording
from datamodules.har.tables import read_named, to_numbers
from datamodules.har.timing import Floats, Piece, bridge_missing, resample_stamped

DESCRIPTION: Final = "dataset.yaml"


def read_csv_folder(root: Path | None = None, options: ReadOptions = DEFAULT_OPTIONS) -> Iterator[Recording]:
    """Read the files that a description names.

    Args:
        root: the YAML, or a folder that holds it as ``dataset.yaml``; its files lie below the YAML's folder.
        options: what to do about bad files and gaps.

    Yields:
        One recording for each file, more where its time stamps have a gap.

    Raises:
        FileNotFoundError: there is no description, or no file fits its pattern.
        ValueError: the description or a file is wrong; says which key or line.
    """
    path = None if root is None else root / DESCRIPTION if root.is_dir() else root
    if path is None or not path.is_file():
        raise FileNotFoundError(
            f"no {DESCRIPTION} in root {root}; give a folder that holds one, or the YAML that describes the files "
            "(docs/csv_folder.md)"
        )
    config = read_config(path)
    account = ReadingAccount(f"csv_folder {path}")
    matched = {
        file: found
        for file in sorted(path.parent.rglob("*"))
        if file.is_file() and (found := config.pattern.fullmatch(file.relative_to(path.parent).as_posix())) is not None
    }
    if not matched:
        raise FileNotFoundError(
            f"no file below {path.parent} fits files: {config.files!r} of {path}; check the pattern"
        )
    _refuse_twins(matched, path)
    parse = partial(_read_file, matched=matched, config=config, options=options, account=account)
    yield from read_each(matched, parse, options, account)


def _refuse_twins(matched: dict[Path, re.Match[str]], path: Path) -> None:
    seen: dict[tuple[str | None, ...], Path] = {}
    for file, found in matched.items():
        groups = found.groupdict()
        key = tuple(groups.get(name) for name in ("subject", "activity", "trial"))
        if any(part is not None for part in key) and key in seen and "trial" in groups:
            raise ValueError(
                f"{file} and {seen[key]} are of the same subject, activity and trial {key}, expected one file each; "
                f"correct files: in {path}"
            )
        seen[key] = file


def _read_file(
    file: Path,
    *,
    matched: dict[Path, re.Match[str]],
    config: CsvFolder,
    options: ReadOptions,
    account: ReadingAccount,
) -> Iterator[Recording]:
    names = matched[file].groupdict()
    table = _read_table(file, config)
    values = to_numbers(table[list(config.value_columns)], where=str(file))
    if not len(values):
        raise ValueError(f"{file} has no row below its header; remove it, or set on_bad_file: skip")
    labels = _find_labels(file, table, names.get("activity"), config)
    for piece in _find_pieces(file, table, values, config, options, account):
        accel, gyro = _convert(piece.values, config)
        own = labels if isinstance(labels, str) else labels[piece.source]
        yield Recording(
            accel=accel,
            gyro=gyro,
            gravity_included=config.gravity == "included",
            rate_hz=config.rate_hz,
            labels=own,
            subject=names.get("subject", config.subject),
            trial=f"{file.relative_to(config.folder).as_posix()}/{piece.start_s:g}",
            placements=[site.placement for site in config.sites],
            mounting=config.mounting,
        )


def _read_table(file: Path, config: CsvFolder) -> pd.DataFrame:
    if config.format != "parquet":
        separator = "\t" if config.format == "tsv" else config.separator
        return read_named(file, where=str(file), columns=config.all_columns, separator=separator)
    try:
        table = pd.read_parquet(file)
    except (ValueError, OSError) as error:  # pyarrow's own errors are of these two
        raise ValueError(f"{file} is no readable Parquet file ({str(error).splitlines()[0]})") from None
    missing = [name for name in config.all_columns if name not in table.columns]
    if missing:
        raise ValueError(f"{file} lacks the columns {missing}, it has {list(table.columns)[:30]}; check the YAML")
    return table[list(config.all_columns)]


def _find_labels(
    file: Path, table: pd.DataFrame, activity: str | None, config: CsvFolder
) -> str | np.ndarray[tuple[int], np.dtype[np.str_]]:
    if config.columns.label is None:
        if activity is None:
            raise ValueError(
                f"{file}: nothing says its activity; give columns.label, or an {{activity}} in files: of the YAML"
            )
        return _map_label(activity, config, str(file))
    told = table[config.columns.label].astype("string").str.strip().fillna("")
    known = {
        name: _map_label(name, config, f"{file}, line {int((told == name).to_numpy().argmax()) + 2}")
        for name in told.unique()
    }
    return told.map(known).to_numpy(dtype=np.str_)


def _map_label(name: str, config: CsvFolder, where: str) -> str:
    if not name or name in config.unlabelled:
        return ""
    if config.labels and name not in config.labels:
        raise ValueError(
            f"{where}: label {name!r} is not in the map, expected one of {list(config.labels)}; add it to labels: or "
            "to unlabelled:"
        )
    return config.labels.get(name, name)


def _find_pieces(
    file: Path, table: pd.DataFrame, values: Floats, config: CsvFolder, options: ReadOptions, account: ReadingAccount
) -> Iterator[Piece]:
    if config.columns.time is None:
        mended = bridge_missing(values, rate_hz=config.rate_hz, options=options, account=account)
        yield Piece(0.0, mended, np.arange(len(values)))
        return
    stamps = to_numbers(table[[config.columns.time]], where=str(file))[:, 0] * TIME_UNITS[config.time_unit]
    repeated = np.diff(stamps) == 0
    if repeated.any() and not config.repeated_stamps:
        row = int(repeated.argmax())
        raise ValueError(
            f"{file}, line {row + 3}: the time stamp {stamps[row + 1]:g} s repeats the one before it, expected rising "
            "stamps; correct the file, or allow it with repeated_stamps: true"
        )
    yield from resample_stamped(
        stamps - stamps[0], values, rate_hz=config.rate_hz, options=options, account=account, where=str(file)
    )


def _convert(values: Floats, config: CsvFolder) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return accelerations and rates ``(T, S, 3)`` in SI units and the axes asked for."""
    index = {name: place for place, name in enumerate(config.value_columns)}

    def pick(site: SiteColumns, names: list[str], factor: float) -> Floats:
        picked = values[:, [index[name] for name in names]] * factor
        return np.stack([sign * picked[:, axis] for sign, axis in site.turn], axis=-1)

    accel = np.stack([pick(site, site.accel, ACCEL_UNITS[config.units.accel]) for site in config.sites], axis=1)
    if not any(site.gyro for site in config.sites):
        return accel.astype(np.float32), None
    gyro = [
        pick(site, site.gyro, GYRO_UNITS[config.units.gyro]) if site.gyro else np.full((len(values), 3), np.nan)
        for site in config.sites
    ]
    return accel.astype(np.float32), np.stack(gyro, axis=1).astype(np.float32)
