"""Parse tables of numbers fast, and name the line where one is not what it should be.

Arrow's parser is strict about the fields of a line, and twice as fast as that of pandas, but knows neither runs of
blanks nor blanks at the ends of lines. What it refuses goes to the C parser of pandas, which fills short lines with
missing values in silence; so the fields of every line are counted before.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from sim.files import refuse_pointer

_BLOCK = 1 << 24
_NEWLINE, _SPACE = 10, 32
MISSING = ("", "nan", "NaN", "NAN", "null", "NULL", "NA", "N/A", "n/a", "-nan", "#N/A")
"""What stands for a missing value."""


def read_number_table(
    path: Path, *, columns: int, take: Sequence[int], delimiter: str | None = None
) -> NDArray[np.float64]:
    """Read columns of a text file of numbers without a header.

    Args:
        path: the file; CRLF, blank lines and spaces at the ends of lines are allowed.
        columns: fields that each line must have.
        take: which of them to return, ascending, from 0.
        delimiter: one character, or None for runs of spaces and tabs.

    Returns:
        ``(T, len(take))``, NaN where the file says so.

    Raises:
        ValueError: the file is empty or cut off, a line has another number of fields, or a field is not a number;
            names the line.
    """
    return parse_numbers(path.read_bytes(), str(path), columns=columns, take=take, delimiter=delimiter)


def parse_numbers(
    data: bytes, where: str, *, columns: int, take: Sequence[int], delimiter: str | None = None
) -> NDArray[np.float64]:
    """As :func:`read_number_table`, from bytes; ``where`` names them in messages."""
    refuse_pointer(data, where)
    found = _parse_strictly(data, columns, take, delimiter)
    if found is not None:
        return found
    data = check_table(data, where, columns=columns, delimiter=delimiter)
    try:
        frame = pd.read_csv(
            io.BytesIO(data),
            sep=r"\s+" if delimiter is None else delimiter,
            header=None,
            names=list(range(columns)),
            usecols=list(take),
            dtype=np.float64,
            engine="c",
            skipinitialspace=True,
            keep_default_na=False,
            na_values=list(MISSING),
        )
    except (ValueError, pd.errors.ParserError):
        raise ValueError(_first_word(data, where, take, delimiter)) from None
    return np.asarray(frame[list(take)].to_numpy(dtype=np.float64))


def _parse_strictly(
    data: bytes, columns: int, take: Sequence[int], delimiter: str | None
) -> NDArray[np.float64] | None:
    """The columns if each line has so many fields parted by single delimiters, else None."""
    # Between blanks, nothing is no missing value but a second blank.
    missing = [text for text in MISSING if text or delimiter is not None]
    if delimiter is None:
        delimiter = "\t" if b"\t" in data[:1000] else " "
    names = [str(column) for column in range(columns)]
    taken = [names[column] for column in take]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(data),
            read_options=arrow_csv.ReadOptions(use_threads=False, column_names=names),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, quote_char=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(taken, pa.float64()), include_columns=taken, null_values=missing
            ),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows == 0:
        return None
    return np.stack([table.column(name).to_numpy() for name in taken], axis=1)


def check_table(data: bytes, where: str, *, columns: int, delimiter: str | None) -> bytes:
    """Make sure that every line has so many fields.

    Returns:
        The data without a byte order mark.

    Raises:
        ValueError: there is no line, or one has more or fewer fields; names the first.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data or data.isspace():
        raise ValueError(f"{where} is empty, expected lines of {columns} numbers; download it anew")
    line = 0
    for counts in fields_per_line(data, delimiter):
        wrong = (counts != columns) & (counts != 0)
        if wrong.any():
            first = int(wrong.argmax())
            is_last = not data.endswith(b"\n") and line + first == data.count(b"\n")
            cut = "the file is cut off there" if is_last and counts[first] < columns else "the file is damaged"
            raise ValueError(
                f"{where}, line {line + first + 1} has {counts[first]} columns, expected {columns}; {cut}, download it "
                "anew"
            )
        line += len(counts)
    return data


def fields_per_line(data: bytes, delimiter: str | None) -> Iterator[NDArray[np.int64]]:
    """Fields of each line, block by block; 0 for a blank line."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", min(start + _BLOCK, len(data)))
        end = len(data) if end < 0 else end + 1
        block = np.frombuffer(data, np.uint8, end - start, start)
        ends = np.flatnonzero(block == _NEWLINE)
        if block[-1] != _NEWLINE:
            ends = np.append(ends, len(block))
        ink = block > _SPACE
        # Fields are counted by where they start; looking line ends up among the starts is much faster than adding up.
        first = np.flatnonzero(np.concatenate([ink[:1], ink[1:] & ~ink[:-1]]))
        words = np.diff(np.searchsorted(first, ends), prepend=0)
        if delimiter is None:
            counts = words
        else:
            marks = np.diff(np.searchsorted(np.flatnonzero(block == ord(delimiter)), ends), prepend=0)
            counts = np.where(words > 0, marks + 1, 0)
        yield counts
        start = end


def _first_word(data: bytes, where: str, take: Sequence[int], delimiter: str | None) -> str:
    """Name the first field that is not a number."""
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines()):
        fields = line.split(delimiter) if line.strip() else []
        for column in take:
            text = fields[column].strip() if column < len(fields) else ""
            if text not in MISSING and not _is_number(text):
                return f"{where}, line {number + 1}, column {column + 1} is {text!r}, expected a number"
    return f"{where} holds something that is not a number, expected numbers only; download it anew"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
