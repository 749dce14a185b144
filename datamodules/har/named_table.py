"""Read columns of a CSV with a header by their names, numbers and labels alike."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamodules.har.number_table import MISSING, check_table


class NamedTable:
    """Columns of one table; names are matched whatever their capitals and the spaces or quotes around them.

    Args:
        frame: the table.
        where: what to call it in messages.
    """

    def __init__(self, frame: pd.DataFrame, where: str) -> None:
        frame.columns = pd.Index([str(name).strip().strip('"') for name in frame.columns])
        self._frame, self._where = frame, where
        self._names = {name.lower(): name for name in frame.columns}

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
                    f"{self._where}, line {row + 2}, column {name} is {str(series.iloc[row])!r}, expected a number"
                )
            columns.append(values.to_numpy(dtype=np.float64, na_value=np.nan))
        return np.stack(columns, axis=1)

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
            near = difflib.get_close_matches(name.lower(), self._names, n=1)
            hint = f"; did you mean {self._names[near[0]]}?" if near else ""
            raise ValueError(f"{self._where} has no column {name!r}, found {list(self._frame.columns)}{hint}")
        return self._frame[actual]


def parse_named_table(
    data: bytes, where: str, *, delimiter: str = ",", header: bool = True, decimal: str = "."
) -> NamedTable:
    """Parse a CSV.

    Args:
        data: content of the file; CRLF, a byte order mark and blank lines are allowed.
        where: what to call it in messages.
        delimiter: one character.
        header: whether the first line names the columns; without, they are called ``0``, ``1``, ...
        decimal: the decimal sign.

    Raises:
        ValueError: the file is empty, or a line has another number of columns than the first; names the line.
    """
    if b'"' in data:
        _check_quoted(data, where, delimiter)
    else:
        first = next((line for line in data.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip()), b"")
        data = check_table(data, where, columns=first.count(delimiter.encode()) + 1, delimiter=delimiter)
    try:
        frame = pd.read_csv(
            io.BytesIO(data),
            sep=delimiter,
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
    return NamedTable(frame, where)


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
