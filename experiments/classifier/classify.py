"""Activities of recorded files, window by window: what ``imuforge classify`` does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamodules.har.streams import resample_stream
from experiments.classifier.model import Classifier
from experiments.classifier.streams import Piece, SourceOptions, read_pieces
from lightning_modules.weights.classifier import ClassifierSpec
from sim.files import whole_file

TABLES: Final = (".csv", ".parquet")
"""How the file of results may end."""


@dataclass(frozen=True)
class Classified:
    """What a classifier makes of files.

    Attributes:
        table: a row for each window, in order of files and time: ``file``, ``start_s`` and ``end_s`` from the file's
            first sample [s], ``label``, ``probability`` of it, and ``p_NAME`` for each class.
        notes: what was left out, and what a reader ought to know, in words.
    """

    table: pd.DataFrame
    notes: list[str]

    def summaries(self) -> list[str]:
        """One line for each file: how many windows, and of what."""
        lines = []
        for file, rows in self.table.groupby("file", sort=False):
            counts = ", ".join(f"{name} {count}" for name, count in rows["label"].value_counts().items())
            lines.append(
                f"{file}: {len(rows)} windows over {rows['end_s'].max() - rows['start_s'].min():.1f} s: {counts}"
            )
        return lines


def classify_files(
    classifier: Classifier, files: Sequence[Path], options: SourceOptions | None = None, *, overlap: float = 0.5
) -> Classified:
    """Say what is done in each window of files.

    Channels are put in the classifier's order, brought to SI units, and resampled to its rate with an anti-alias
    filter. A window that a missing sample falls into is left out and counted.

    Args:
        classifier: see :func:`experiments.classifier.model.load_classifier`.
        files: see :func:`experiments.classifier.streams.read_pieces`.
        options: what the files do not say of themselves.
        overlap: share of a window that the next one repeats, in [0, 1).

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a file lacks a channel or is shorter than a window, or the overlap is out of range.
    """
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap is {overlap}, expected a share in [0, 1) of the window")
    spec = classifier.spec
    step = max(1, round(spec.samples * (1 - overlap)))
    parts, notes = [], []
    for path in dict.fromkeys(files):
        pieces = read_pieces(path, spec, options or SourceOptions())
        tables, lost = [], 0
        for piece in pieces:
            windows, begins = _cut(piece, spec, step)
            whole = np.isfinite(windows).all(axis=(1, 2))
            lost += int((~whole).sum())
            probabilities = classifier.predict(windows[whole])
            tables.append(_tabulate(piece, begins[whole] / spec.rate_hz, probabilities, spec))
        if not any(map(len, tables)):
            raise ValueError(_say_why_none(path, pieces, lost, spec))
        if lost:
            notes.append(f"{path}: {lost} windows left out, samples are missing in them")
        slow = min(piece.stream.rate_hz for piece in pieces)
        if slow < 0.8 * spec.rate_hz:
            notes.append(
                f"{path} was recorded at {slow:g} Hz, the classifier was trained at {spec.rate_hz:g} Hz: nothing above "
                f"{slow / 2:g} Hz is there for it to see"
            )
        parts += [table for table in tables if len(table)]
    return Classified(pd.concat(parts, ignore_index=True), notes)


def _cut(piece: Piece, spec: ClassifierSpec, step: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    values = resample_stream(piece.stream, rate_hz=spec.rate_hz).values.astype(np.float32)
    begins = np.arange(0, max(0, len(values) - spec.samples + 1), step, dtype=np.int64)
    return values[begins[:, None] + np.arange(spec.samples)], begins


def _tabulate(
    piece: Piece, times_s: NDArray[np.float64], probabilities: NDArray[np.float32], spec: ClassifierSpec
) -> pd.DataFrame:
    best = probabilities.argmax(axis=1)
    start = piece.begin_s + times_s
    columns: dict[str, Iterable[object]] = {
        "file": [piece.file] * len(best),
        "start_s": np.round(start, 6),
        "end_s": np.round(start + spec.window_s, 6),
        "label": np.array(spec.classes, dtype=object)[best],
        "probability": probabilities[np.arange(len(best)), best],
    }
    return pd.DataFrame(columns | {f"p_{name}": probabilities[:, k] for k, name in enumerate(spec.classes)})


def _say_why_none(path: Path, pieces: Sequence[Piece], lost: int, spec: ClassifierSpec) -> str:
    if lost:
        return (
            f"{path} has no whole window, {lost} have missing samples, expected one; allow longer gaps with --max-gap-s"
        )
    longest = max((len(piece.stream.values) / piece.stream.rate_hz for piece in pieces), default=0.0)
    return (
        f"{path} is {longest:.2f} s long without a gap, expected at least one window of {spec.window_s:g} s; record "
        "longer, or train on shorter windows"
    )


def save_table(table: pd.DataFrame, path: Path) -> None:
    """Write windows as ``.csv`` or ``.parquet``, whole or not at all; probabilities of a CSV with six digits.

    Raises:
        ValueError: the path ends in neither.
    """
    check_table(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        if path.suffix == ".csv":
            table.to_csv(part, index=False, float_format="%.6g")
        else:
            table.to_parquet(part, index=False)


def check_table(path: Path) -> None:
    """Raise a ValueError if the path ends in neither ``.csv`` nor ``.parquet``."""
    if path.suffix not in TABLES:
        raise ValueError(f"{path} ends in {path.suffix!r}, expected one of {', '.join(TABLES)}; rename it")
