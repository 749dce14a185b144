"""Read columns of a CSV with a header by their names, numbers and labels alike."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamodules.har.parsing.number_table import MISSING, check_table
from datamodules.har.parsing.units import unit_factor
from sim.names import suggest

ISO = "iso"
"""Unit of time that stands for dates with times (ISO 8601)."""


class NamedTable:
    """Columns of one table; names are matched whatever their capitals and the spaces or quotes around them.

    Args:
        frame: the table, its rows numbered from 0.
        where: what to call it in messages.
        first_line: line of the first row, for messages.
    """

    def __init__(self, frame: pd.DataFrame, where: str, first_line: int = 2) -> None:
        self._frame = frame.set_axis([str(name).strip().strip('"') for name in frame.columns], axis=1)
        self._where, self._first_line = where, first_line
        self._names = {name.lower(): name for name in self._frame.columns}

    def __len__(self) -> int:
        return len(self._frame)

    def numbers(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Columns of numbers ``(T, len(names))``.

        Raises:
            ValueError: a column is not there or holds something else; names the line.
        """
        columns = []
        for name in names:
            series = self._column(name)
            values = pd.to_numeric(series, errors="coerce")
            bad = np.asarray(values.isna() & series.notna())
            if bad.any():
                row = int(bad.argmax())
                raise ValueError(
                    f"{self._where}, line {self.line(row)}, column {name} is {str(series.iloc[row])!r}, expected a "
                    "number"
                )
            columns.append(values.to_numpy(dtype=np.float64, na_value=np.nan))
        return np.stack(columns, axis=1)

    def seconds(self, name: str, unit: str) -> NDArray[np.float64]:
        """A column of time stamps ``(T,)`` [s]; from the first one on where they are dates.

        Args:
            name: of the column.
            unit: unit of numbers, or ``iso`` for dates with times, such as ``2024-05-01T10:00:00.250+02:00``.

        Raises:
            ValueError: the column is not there or holds something else; names the line.
        """
        if unit != ISO:
            return self.numbers([name])[:, 0] * unit_factor(unit, "time")
        series = self._column(name)
        times = pd.to_datetime(series, utc=True, format="ISO8601", errors="coerce")
        if times.isna().any():
            row = int(np.asarray(times.isna()).argmax())
            raise ValueError(
                f"{self._where}, line {self.line(row)}, column {name} is {str(series.iloc[row])!r}, expected a "
                "date with time such as 2024-05-01T10:00:00.250"
            )
        return np.asarray((times - times.iloc[0]).dt.total_seconds(), dtype=np.float64)

    def line(self, row: int) -> int:
        """Line of the file that a row stands on."""
        return int(self._frame.index[row]) + self._first_line

    def rows(self, chosen: NDArray[np.int64]) -> NamedTable:
        """Some of the rows; messages keep the lines of the file."""
        return NamedTable(self._frame.iloc[chosen], self._where, self._first_line)

    def texts(self, name: str) -> NDArray[np.str_]:
        """A column of labels ``(T,)``; empty string where missing.

        Raises:
            ValueError: the column is not there.
        """
        series = self._column(name)
        if pd.api.types.is_float_dtype(series) and (series.dropna() % 1 == 0).all():
            series = series.astype("Int64")
        return np.asarray(series.astype("string").fillna("").str.strip().to_numpy(dtype=np.str_))

    def _column(self, name: str) -> pd.Series:
        actual = self._names.get(name.strip().lower())
        if actual is None:
            hint = suggest(name.lower(), self._names, shown_as=self._names, quoted=False)
            raise ValueError(f"{self._where} has no column {name!r}, found {list(self._frame.columns)}{hint}")
        return self._frame[actual]


def parse_named_table(
    data: bytes,
    where: str,
    *,
    delimiter: str | None = ",",
    header: bool = True,
    decimal: str = ".",
    skip_lines: Sequence[int] = (),
) -> NamedTable:
    """Parse a CSV.

    Args:
        data: content of the file; CRLF, a byte order mark and blank lines are allowed.
        where: what to call it in messages.
        delimiter: one character, or None for runs of spaces and tabs.
        header: whether the first line names the columns; without, they are called ``0``, ``1``, ...
        decimal: the decimal sign.
        skip_lines: numbers of lines to leave out, from 1.

    Raises:
        ValueError: the file is empty, or a line has another number of columns than the first; names the line.
    """
    data = _without_lines(data.removeprefix(b"\xef\xbb\xbf"), skip_lines)
    if not data.strip():
        raise ValueError(f"{where} is empty, expected a table; download it anew")
    inked = (number for number, line in enumerate(io.BytesIO(data)) if line.strip())
    first = next(inked, 0)
    first_line = 1 + (next(inked, first) if header else first)
    if delimiter is not None and b'"' in data:
        _check_quoted(data, where, delimiter)
    else:
        top = next((line for line in io.BytesIO(data) if line.strip()), b"")
        columns = len(top.split()) if delimiter is None else top.count(delimiter.encode()) + 1
        data = check_table(data, where, columns=columns, delimiter=delimiter)
    try:
        frame = pd.read_csv(
            io.BytesIO(data),
            sep=r"\s+" if delimiter is None else delimiter,
            header=0 if header else None,
            decimal=decimal,
            engine="c",
            skipinitialspace=True,
            keep_default_na=False,
            na_values=list(MISSING),
            encoding_errors="replace",
        )
    except (ValueError, pd.errors.ParserError) as error:
        raise ValueError(f"{where} is no table ({' '.join(str(error).split())}); download it anew") from None
    if frame.empty:
        raise ValueError(f"{where} has a header and no samples; download it anew")
    return NamedTable(frame, where, first_line)


def _without_lines(data: bytes, numbers: Sequence[int]) -> bytes:
    """Blank lines in place of some, so that the numbers of the others stay true."""
    if not numbers:
        return data
    lines = data.split(b"\n", max(numbers))
    for number in numbers:
        if number <= len(lines):
            lines[number - 1] = b""
    return b"\n".join(lines)


def _check_quoted(data: bytes, where: str, delimiter: str) -> None:
    """As ``check_table`` where delimiters may stand inside quotes, which only a slow reader tells."""
    columns = 0
    for row, fields in enumerate(csv.reader(io.StringIO(data.decode("utf-8", "replace")), delimiter=delimiter)):
        columns = columns or len(fields)
        if fields and len(fields) != columns:
            raise ValueError(
                f"{where}, line {row + 1} has {len(fields)} columns, expected {columns}; the file is damaged, download "
                "it anew"
            )
