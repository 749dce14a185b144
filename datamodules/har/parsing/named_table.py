"""Read columns of a CSV with a header by their names, numbers and labels alike."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamodules.har.parsing.number_table import MISSING
from datamodules.har.parsing.table_layout import DOWNLOAD, as_utf8, check_counts, without_trailing_delimiter
from datamodules.har.parsing.units import unit_factor
from sim.names import suggest

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|NaN|inf)")

ISO = "iso"
"""Unit of time that stands for dates with times (ISO 8601)."""


class NamedTable:
    """Columns of one table; names are matched exactly, else whatever their capitals and the spaces or quotes around.

    Args:
        frame: the table, its rows numbered from 0.
        where: what to call it in messages.
        first_line: line of the first row, for messages.
        twice: names that the header has more than once.
    """

    def __init__(
        self, frame: pd.DataFrame, where: str, first_line: int = 2, twice: frozenset[str] = frozenset()
    ) -> None:
        self._frame = frame.set_axis([_bare(name) for name in frame.columns], axis=1)
        self._where, self._first_line, self._twice = where, first_line, twice

    def __len__(self) -> int:
        return len(self._frame)

    def __contains__(self, name: str) -> bool:
        """Whether there is a column of that name, in any capitals."""
        return name.strip().lower() in {str(one).lower() for one in self._frame.columns}

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
                text = str(series.iloc[row])
                comma = re.fullmatch(r"[-+]?\d+,\d+", text.strip()) is not None
                hint = "; with a decimal comma, set decimal: ','" if comma else ""
                raise ValueError(
                    f"{self._where}, line {self.line(row)}, column {name} is {text!r}, expected a number{hint}"
                )
            columns.append(values.to_numpy(dtype=np.float64, na_value=np.nan))
        return np.stack(columns, axis=1)

    def triples(self, name: str) -> NDArray[np.float64]:
        """A column whose cells hold three numbers each, such as ``[0.1, 0.2, 9.8]`` ``(T, 3)``.

        Raises:
            ValueError: the column is not there, or a cell holds something else; names the line.
        """
        cells = self._column(name)
        values = np.full((len(cells), 3), np.nan)
        for row, cell in enumerate(cells):
            if isinstance(cell, np.ndarray | list | tuple):
                words = [str(one) for one in cell]
            else:
                text = "" if pd.isna(cell) else str(cell)
                words = _NUMBER.findall(text)
                if not text.strip():
                    continue
            if len(words) != 3:
                raise ValueError(
                    f"{self._where}, line {self.line(row)}, column {name} is {str(cell)!r:.60}, expected three numbers"
                )
            values[row] = [float(word) for word in words]
        return values

    def seconds(self, name: str, unit: str, *, since_epoch: bool = False) -> NDArray[np.float64]:
        """A column of time stamps ``(T,)`` [s]; from the first one on where they are dates.

        Args:
            name: of the column.
            unit: unit of numbers, or ``iso`` for dates with times, such as ``2024-05-01T10:00:00.250+02:00``.
            since_epoch: count dates from 1970 on, so that those of several tables are on one clock.

        Raises:
            ValueError: the column is not there or holds something else; names the line.
        """
        if unit != ISO:
            return self.numbers([name])[:, 0] * unit_factor(unit, "time")
        series = self._column(name)
        if pd.api.types.is_string_dtype(series) or series.dtype == object:
            # ISO 8601 allows the comma, and logging of Python writes it.
            series = series.str.replace(r"(:\d\d),(\d+)", r"\1.\2", regex=True)
        times = pd.to_datetime(series, utc=True, format="ISO8601", errors="coerce")
        if times.isna().any():
            row = int(np.asarray(times.isna()).argmax())
            raise ValueError(
                f"{self._where}, line {self.line(row)}, column {name} is {str(series.iloc[row])!r}, expected a "
                "date with time such as 2024-05-01T10:00:00.250"
            )
        origin = pd.Timestamp(0, tz="UTC") if since_epoch else times.iloc[0]
        return np.asarray((times - origin).dt.total_seconds(), dtype=np.float64)

    def line(self, row: int) -> int:
        """Line of the file that a row stands on."""
        return int(self._frame.index[row]) + self._first_line

    def rows(self, chosen: NDArray[np.int64]) -> NamedTable:
        """Some of the rows; messages keep the lines of the file."""
        return NamedTable(self._frame.iloc[chosen], self._where, self._first_line, self._twice)

    def texts(self, name: str) -> NDArray[np.str_]:
        """A column of labels ``(T,)``; empty string where missing.

        Raises:
            ValueError: the column is not there.
        """
        series = self._column(name)
        if pd.api.types.is_float_dtype(series) and (series.dropna() % 1 == 0).all():
            series = series.astype("Int64")
        texts = series.astype("string").fillna("").str.strip()
        whole = texts.str.fullmatch(r"-?\d+\.0+") | (texts == "")
        # Codes that a program wrote as numbers with a point; 01 stays 01.
        texts = texts.str.replace(r"\.0+$", "", regex=True) if bool(whole.all()) else texts
        return np.asarray(texts.to_numpy(dtype=np.str_))

    def _column(self, name: str) -> pd.Series:
        wanted, columns = name.strip(), list(self._frame.columns)
        found = [one for one in columns if one == wanted] or [one for one in columns if one.lower() == wanted.lower()]
        if not found:
            known = {one.lower(): one for one in columns}
            hint = suggest(name.lower(), known, shown_as=known, quoted=False)
            raise ValueError(f"{self._where} has no column {name!r}, found {columns}{hint}")
        if len(found) > 1 or found[0] in self._twice:
            which = found if len(set(found)) > 1 else [found[0], found[0]]
            raise ValueError(
                f"{self._where} has several columns for {name!r}: {which}, expected one; name it as it is written, or "
                "rename one"
            )
        series: pd.Series = self._frame[found[0]]
        return series


def _bare(name: object) -> str:
    return str(name).strip().strip('"')


def parse_named_table(
    data: bytes,
    where: str,
    *,
    delimiter: str | None = ",",
    header: bool = True,
    decimal: str = ".",
    skip_lines: Sequence[int] = (),
    text: Sequence[str] = (),
    own: bool = False,
) -> NamedTable:
    """Parse a CSV.

    Args:
        data: content of the file; CRLF, a byte order mark and blank lines are allowed.
        where: what to call it in messages.
        delimiter: one character, or None for runs of spaces and tabs.
        header: whether the first line names the columns; without, they are called ``0``, ``1``, ...
        decimal: the decimal sign.
        skip_lines: numbers of lines to leave out, from 1.
        text: columns of labels, whose cells stay as they are written.
        own: whether it is a user's own file, for messages.

    Raises:
        ValueError: the file is empty, or a line has another number of columns than the first; names the line.
    """
    data = _without_lines(as_utf8(data, where), skip_lines)
    remedy = "fill it or leave it out" if own else DOWNLOAD
    if not data.strip():
        raise ValueError(f"{where} is empty, expected a table; {remedy}")
    data = without_trailing_delimiter(data, delimiter, header=header)
    inked = (number for number, line in enumerate(io.BytesIO(data)) if line.strip())
    first = next(inked, 0)
    first_line = 1 + (next(inked, first) if header else first)
    check_counts(data, where, delimiter, header=header, own=own)
    names = _header_names(data, delimiter) if header else []
    wanted = {name.strip().lower() for name in text}
    try:
        frame = pd.read_csv(
            io.BytesIO(data),
            sep=r"\s+" if delimiter is None else delimiter,
            header=0 if header else None,
            dtype={column: str for column in names if _bare(column).lower() in wanted}
            if header
            else {int(name): str for name in wanted if name.isdigit()},
            decimal=decimal,
            engine="c",
            skipinitialspace=True,
            keep_default_na=False,
            na_values=list(MISSING),
            encoding_errors="replace",
        )
    except (ValueError, pd.errors.ParserError) as error:
        raise ValueError(f"{where} is no table ({' '.join(str(error).split())}); {remedy}") from None
    if frame.empty:
        raise ValueError(f"{where} has a header and no samples; {remedy}")
    bare = [_bare(name) for name in names]
    return NamedTable(frame, where, first_line, frozenset(name for name in bare if name and bare.count(name) > 1))


def _header_names(data: bytes, delimiter: str | None) -> list[str]:
    """The columns as the first line with ink names them."""
    line = next((one for one in io.BytesIO(data) if one.strip()), b"").decode("utf-8", "replace").strip("\r\n")
    if delimiter is None:
        return line.split()
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def _without_lines(data: bytes, numbers: Sequence[int]) -> bytes:
    """Blank lines in place of some, so that the numbers of the others stay true."""
    if not numbers:
        return data
    lines = data.split(b"\n", max(numbers))
    for number in numbers:
        if number <= len(lines):
            lines[number - 1] = b""
    return b"\n".join(lines)
