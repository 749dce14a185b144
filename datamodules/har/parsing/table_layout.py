"""Bring the bytes of a table with a header into one shape, and say in which way they are of another one.

Users' files come with preambles, footers, another delimiter than was said, one at the end of every line, and in other
encodings; each is mended where that can be done without guessing, and named with its remedy elsewhere.
"""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datamodules.har.parsing.number_table import fields_per_line
from sim.files import refuse_pointer

logger = logging.getLogger(__name__)

DOWNLOAD: Final[str] = "download it anew"
"""What to do about a damaged file of a published set."""

_MARK: Final[bytes] = b"\xef\xbb\xbf"
_UTF16: Final[tuple[bytes, ...]] = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS: Final[dict[str, str]] = {";": '";"', "\t": '"\\t"', ",": '","', "|": '"|"'}
_TOP: Final[int] = 4096
_MANY: Final[int] = 20


def as_utf8(data: bytes, where: str) -> bytes:
    """Return the bytes of a table as UTF-8 without a byte order mark; Windows-1252 is taken where they are none.

    Raises:
        ValueError: they are UTF-16 or a pointer of Git LFS.
    """
    refuse_pointer(data, where)
    if data.startswith(_UTF16) or b"\0" in data[:_TOP]:
        raise ValueError(f"{where} is UTF-16 (Excel's 'Unicode text'?), expected UTF-8; save it as CSV UTF-8")
    data = data.removeprefix(_MARK)
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")  # lines of old Macs, which some devices still write
    if data.isascii():
        return data
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        logger.warning("%s, line %d is no UTF-8; taken as Windows-1252, save it as UTF-8 to be sure", where, line)
        return data.decode("cp1252", "replace").encode()
    return data


def without_trailing_delimiter(data: bytes, delimiter: str | None, *, header: bool) -> bytes:
    """Return a table without the delimiter, or the semicolon, that ends every line of samples."""
    lines = [line.rstrip() for line in data[:_TOP].split(b"\n")[:-1] or [data] if line.strip()]
    rows = lines[1:] if header else lines
    for mark in dict.fromkeys((b";", (delimiter or ";").encode())):
        if not rows or not all(row.endswith(mark) for row in rows):
            continue
        own = mark == (delimiter or "").encode()
        # Without a header, or with one that ends so as well, an empty last column is a column like any other.
        if own and (not header or rows[0].count(mark) != lines[0].count(mark) + 1):
            continue
        whole = data.split(b"\n")
        return b"\n".join(line.rstrip().removesuffix(mark) if line.rstrip().endswith(mark) else line for line in whole)
    return data


def count_fields(data: bytes, delimiter: str | None) -> NDArray[np.int64]:
    """Return the number of fields of each line, 0 for a blank one; delimiters in quotes part none."""
    if delimiter is not None and b'"' in data:
        # Only a slow reader tells.
        rows = csv.reader(io.StringIO(data.decode("utf-8", "replace")), delimiter=delimiter)
        counts: list[int] = []
        for row in rows:
            counts += [0] * (rows.line_num - len(counts) - 1)
            counts.append(len(row) if any(field.strip() for field in row) or len(row) > 1 else 0)
        return np.array(counts, dtype=np.int64)
    return np.concatenate([np.zeros(0, dtype=np.int64), *fields_per_line(data, delimiter)])


def check_counts(data: bytes, where: str, delimiter: str | None, *, header: bool, own: bool) -> None:
    """Make sure that every line has as many fields as the first.

    Args:
        data: the table.
        where: what to call it in messages.
        delimiter: one character, or None for runs of blanks.
        header: whether the first line names the columns.
        own: whether it is a user's own file, whose description can be mended, and no download.

    Raises:
        ValueError: one has not; names the line, and how the table seems to be laid out.
    """
    counts = count_fields(data, delimiter)
    inked = np.flatnonzero(counts)
    if not len(inked):
        return
    columns = int(counts[inked[0]])
    wrong = inked[counts[inked] != columns]
    if own and (not len(wrong) or columns == 1) and (found := _other_delimiter(data, inked, delimiter)):
        raise ValueError(
            f"{where}, line {inked[0] + 1} has no {_DELIMITERS.get(delimiter or '', 'run of blanks')} and several "
            f"{_DELIMITERS[found]}, expected columns; set delimiter: {_DELIMITERS[found]} in the description"
        )
    if not len(wrong):
        return
    line = int(wrong[0])
    text = data.split(b"\n", line + 1)[line].decode("utf-8", "replace").strip()[:40]
    said = f"{where}, line {line + 1} has {counts[line]} columns, expected {columns}"
    cut = line == inked[-1] and not data.endswith(b"\n") and counts[line] < columns
    if not own:
        raise ValueError(f"{said}; the file is {'cut off there' if cut else 'damaged'}, {DOWNLOAD}")
    raise ValueError(f"{said}{_advise(counts, inked, text, cut=cut, header=header)}")


def _advise(counts: NDArray[np.int64], inked: NDArray[np.int64], text: str, *, cut: bool, header: bool) -> str:
    """Say how a table with lines of several widths seems to be laid out, and what to put into its description."""
    usual = int(np.bincount(counts[inked]).argmax())
    wide = inked[counts[inked] == usual]
    first, last = int(wide[0]), int(wide[-1])
    if counts[inked[0]] != usual and len(wide) > 1 and (counts[inked[inked >= first]] == usual).all():
        if header and first == inked[1] and len(inked) > 2 and first == 1:
            return (
                f"; the first line has {counts[inked[0]]} columns and all others {usual}: if it is no header of them, "
                "set skip_lines: 1 (and header: false if none follows)"
            )
        return f"; the table seems to begin at line {first + 1}, after a preamble: set skip_lines: {first}"
    if cut:
        return "; the file is cut off there: take the line out, or leave it out with skip_lines"
    tail = [int(one) + 1 for one in inked[inked > last]]
    if tail and (counts[inked[inked <= last]] == usual).all():
        return f" ({text!r}); the table seems to end before it: leave it out with skip_lines: {tail}"
    others = [int(one) + 1 for one in inked[counts[inked] != usual]]
    listed = f"skip_lines: {others}" if len(others) <= _MANY else "skip_lines"
    return f" ({text!r}); put texts that hold the delimiter in quotes, or leave such lines out with {listed}"


def _other_delimiter(data: bytes, inked: NDArray[np.int64], delimiter: str | None) -> str | None:
    """Return the delimiter that the first lines share, where the one that was said parts nothing."""
    lines = data[:_TOP].split(b"\n")
    shown = [lines[int(one)] for one in inked[:_MANY] if one < len(lines) - 1] or lines[:1]
    if delimiter is not None and any(delimiter.encode() in line for line in shown[:1]):
        return None
    found: Sequence[str] = [
        mark
        for mark in _DELIMITERS
        if mark != delimiter
        and shown[0].count(mark.encode()) > 0
        and len({line.count(mark.encode()) for line in shown}) == 1
    ]
    return found[0] if found else None
