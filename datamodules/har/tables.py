"""Tables of numbers from text files, fast, with the line named where something is wrong."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_SPOKEN = {",": "comma", ";": "semicolon", "\t": "tab", r"\s+": "space"}


def read_numbers(
    source: Path | bytes, *, where: str, num_columns: int, separator: str = ",", skip_rows: int = 0
) -> NDArray[np.float64]:
    r"""Read rows of numbers without a header.

    Args:
        source: the file, or its content.
        where: what to call it in messages.
        num_columns: numbers in each row; a row with fewer or more is an error.
        separator: between them; ``\s+`` is any run of blanks.
        skip_rows: lines before the first row.

    Returns:
        ``(N, num_columns)``; ``NaN`` where the file says so.

    Raises:
        ValueError: the file is empty, or a row has another number of columns or something that is no number; names the
            line.
    """
    try:
        table = pd.read_csv(
            # One column more than there are: pandas would drop what is too much in a row without a word.
            _open(source), header=None, names=range(num_columns + 1), sep=separator, skiprows=skip_rows, engine="c",
            dtype=np.float64, index_col=False, skipinitialspace=True, on_bad_lines="error",
        )  # fmt: skip
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError):
        raise ValueError(_explain(source, where, num_columns, separator, skip_rows)) from None
    if not len(table):
        raise ValueError(f"{where} is empty, expected rows of {num_columns} numbers; download it anew")
    values: NDArray[np.float64] = table.to_numpy()
    surplus, values = values[:, -1], values[:, :-1]
    # A short row comes out as missing numbers at its end, as a row does that says NaN there: count its columns.
    if np.isnan(values[:, -1]).any() or not np.isnan(surplus).all():
        trouble = _find_bad_line(source, num_columns, separator, skip_rows)
        if trouble:
            raise ValueError(f"{where}, {trouble}; download it anew")
    return values


def read_named(source: Path | bytes, *, where: str, columns: Sequence[str], separator: str = ",") -> pd.DataFrame:
    """Read the named columns of a table with a header.

    Args:
        source: the file, or its content.
        where: what to call it in messages.
        columns: those wanted; others are left out.
        separator: between them.

    Raises:
        ValueError: the file is empty or damaged, or a column is not there; names those there are.
    """
    try:
        header = pd.read_csv(_open(source), sep=separator, nrows=0, skipinitialspace=True)
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError):
        raise ValueError(f"{where} is empty or no table, expected a header with {list(columns)}") from None
    names = {str(name).strip(): name for name in header.columns}
    missing = [name for name in columns if name not in names]
    if missing:
        raise ValueError(f"{where} lacks the columns {missing}, it has {list(names)[:30]}; check the column names")
    try:
        table = pd.read_csv(
            _open(source), sep=separator, usecols=[names[name] for name in columns], skipinitialspace=True, engine="c"
        )
    except (ValueError, pd.errors.ParserError) as error:
        line = re.search(r"line (\d+)", str(error))
        raise ValueError(f"{where}{f', line {line.group(1)}' if line else ''} is damaged ({error})") from None
    return table.rename(columns={original: name for name, original in names.items()})[list(columns)]


def to_numbers(table: pd.DataFrame, *, where: str) -> NDArray[np.float64]:
    """Return the columns of a table as numbers ``(N, C)``.

    Raises:
        ValueError: a cell is no number; names its line and column.
    """
    columns = []
    for name in table.columns:
        numbers = pd.to_numeric(table[name], errors="coerce")
        wrong = (numbers.isna() & table[name].notna()).to_numpy()
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(
                f"{where}, line {row + 2}: column {name} holds {table[name].iloc[row]!r}, expected a number"
            )
        columns.append(numbers.to_numpy(dtype=np.float64))
    return np.stack(columns, axis=-1) if columns else np.zeros((len(table), 0))


def _open(source: Path | bytes) -> Path | io.BytesIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source


def _explain(source: Path | bytes, where: str, num_columns: int, separator: str, skip_rows: int) -> str:
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if not size:
        return f"{where} is empty, expected rows of {num_columns} numbers; download it anew"
    trouble = _find_bad_line(source, num_columns, separator, skip_rows)
    return f"{where}, {trouble or f'does not hold rows of {num_columns} numbers'}; download it anew"


def _find_bad_line(source: Path | bytes, num_columns: int, separator: str, skip_rows: int) -> str | None:
    """Return what is wrong with the first bad line, ``line N has ...``; None if all are well."""
    data = source if isinstance(source, bytes) else source.read_bytes()
    for number, line in enumerate(data.decode("utf-8", errors="replace").splitlines(), start=1):
        if number <= skip_rows or not line.strip():
            continue
        cells = line.split() if separator == r"\s+" else line.rstrip("\r\n").split(separator)
        if len(cells) == num_columns + 1 and not cells[-1].strip():
            cells.pop()  # a separator at the end of each line, as some sets have
        if len(cells) != num_columns:
            kind = _SPOKEN.get(separator, repr(separator))
            return f"line {number} has {len(cells)} columns, expected {num_columns} parted by {kind}"
        for cell in cells:
            try:
                float(cell or "nan")
            except ValueError:
                return f"line {number} holds {cell.strip()[:40]!r}, expected a number"
    return None
