"""Track row column files of optical markers (.trc, .trc.xz) -> MarkerRecording.

OpenSim's and Motion Analysis's text layout: five lines of header (rates, counts and unit in the third, marker names in
the fourth, ``X1 Y1 Z1 ...`` in the fifth), then a frame number, a time and three coordinates a marker in each row,
separated by tabs. An empty cell is a marker that was not seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from datamodules.formats.frame_clock import judge_numbers, judge_times
from datamodules.formats.marker_recording import MarkerRecording, mark_unseen, strip_prefix, unit_in_metres
from datamodules.formats.skeleton import FloatArray, read_text

_HEADER_LINES: Final[int] = 5
_NAMED: Final[int] = 4
_MOST_EMPTY: Final[int] = 64
"""Coordinates to a character of the file: cells may be left out at the end of a row."""
_SMALL: Final[int] = 100_000


def read_trc(path: str | Path, *, fps: float | None = None, unit_m: float | None = None) -> MarkerRecording:
    """Read a TRC file.

    Args:
        path: ``.trc`` or ``.trc.xz``.
        fps: frame rate [Hz] where the header's is known to be wrong.
        unit_m: metres per unit where the header's is known to be wrong.

    Returns:
        The markers in metres, Y up, as the format has it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not whole; the message names the line.
    """
    text = read_text(path)
    lines = text.splitlines()
    if len(lines) < _HEADER_LINES + 1 or not lines[0].startswith("PathFileType"):
        raise ValueError(f"{path} has {len(lines)} lines and begins {lines[:1]}, expected TRC (PathFileType ...)")
    header = dict(zip(lines[1].split("\t"), (cell.strip() for cell in lines[2].split("\t")), strict=False))
    names = tuple(strip_prefix([cell.strip() for cell in lines[3].split("\t")[2:] if cell.strip()]))
    if not names or len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"{path}, line 4: {f'markers {twice} twice' if twice else 'no marker'}, expected each once")
    real = _count_declared(header, lines[4], len(names))
    computed, names = names[real:], names[:real]
    if 3 * len(names) * len(lines) > _MOST_EMPTY * len(text) + _SMALL:
        raise ValueError(
            f"{path} names {len(names)} markers for {len(lines)} lines of {len(text) // len(lines)} characters, "
            "expected three coordinates of most of them; leave out the markers that are never seen"
        )
    numbers, times, positions = _parse_rows(lines, len(names), path, more=bool(computed))
    stated = header.get("NumFrames", "")
    if not text.endswith(("\n", "\r")) and stated.isdigit() and int(stated) > len(times):
        raise ValueError(
            f"{path} ends within line {len(lines)}, row {len(times)} of {stated}, expected a whole file; fetch it again"
        )
    scale = unit_m if unit_m is not None else unit_in_metres(header.get("Units", ""), path)
    notes = _contradictions(header, times, names)
    if computed:
        named = ", ".join(computed[:_NAMED]) + (" ..." if len(computed) > _NAMED else "")
        notes.append(f"left out {len(computed)} computed points after the {real} markers: {named}")
    rate = fps if fps is not None else _read_rate(header, times, path)
    gaps = judge_numbers(numbers, "frame numbers") or judge_times(times, "times of the frames")
    if gaps:
        # Times that skip give no rate.
        notes = [note for note in notes if "the column of times" not in note]
    notes += gaps
    return MarkerRecording(names, mark_unseen(positions) * scale, rate, "y", tuple(notes))


def _count_declared(header: dict[str, str], labels: str, named: int) -> int:
    """Return how many of the named points are markers: Cortex names its computed ones too, but labels no column."""
    labelled = sum(cell.strip().startswith("X") for cell in labels.split("\t"))
    return labelled if labelled < named and header.get("NumMarkers") == str(labelled) else named


def _parse_rows(
    lines: list[str], count: int, path: str | Path, *, more: bool
) -> tuple[FloatArray, FloatArray, FloatArray]:
    width = 2 + 3 * count
    rows = []
    for number, line in enumerate(lines[_HEADER_LINES:], start=_HEADER_LINES + 1):
        cells = [cell.strip() for cell in line.split("\t")]
        if not any(cells):
            continue
        # Cells at the end of a row may be left out, or be followed by empty ones.
        if len(cells) < 3 or (any(cells[width:]) and not more):
            raise ValueError(f"{path}, line {number} has {len(cells)} cells, expected {width} for {count} markers")
        try:
            rows.append([float(cell) if cell else np.nan for cell in (cells + [""] * width)[:width]])
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}, expected numbers between tabs") from error
    if len(rows) < 2:
        raise ValueError(f"{path} has {len(rows)} rows of data, expected at least 2; the file is cut off")
    table = np.array(rows)
    return table[:, 0], table[:, 1], table[:, 2:].reshape(len(rows), count, 3)


def _read_rate(header: dict[str, str], times: FloatArray, path: str | Path) -> float:
    try:
        rate = float(header.get("DataRate", ""))
    except ValueError:
        rate = _rate_of(times)
    if not 0 < rate < np.inf:
        raise ValueError(f"{path}: DataRate is {header.get('DataRate')!r}, expected > 0 Hz; pass fps=...")
    return rate


def _rate_of(times: FloatArray) -> float:
    # Over the whole column: its steps are rounded, 1/120 s to 0.008.
    known = times[np.isfinite(times)]
    whole = float(known[-1] - known[0]) if len(known) == len(times) else 0.0
    return (len(known) - 1) / whole if whole > 0 else float("nan")


def _contradictions(header: dict[str, str], times: FloatArray, names: tuple[str, ...]) -> list[str]:
    notes = []
    for key, found in (("NumFrames", len(times)), ("NumMarkers", len(names))):
        if header.get(key) and header[key] != str(found):
            notes.append(f"the header says {key} {header[key]}, the file has {found}")
    stated, measured = header.get("DataRate", ""), _rate_of(times)
    if stated and np.isfinite(measured) and abs(float(stated) - measured) > 0.01 * measured:
        notes.append(f"the header says {stated} Hz, the column of times {measured:.4g} Hz; give the true one with fps")
    return notes
