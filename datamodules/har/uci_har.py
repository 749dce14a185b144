"""UCI HAR: smartphone on the waist of 30 people, six activities, 50 Hz; the older cut of what HAPT holds whole.

Anguita, Ghio, Oneto, Parra, Reyes-Ortiz 2013, A public domain dataset for human activity recognition using
smartphones, ESANN; UCI data set 240. Its windows overlap by half, so each sample is in the files twice; here they are
joined again. Training and test people are those of HAPT.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.har import hapt
from datamodules.har.reading import DEFAULT_OPTIONS, ReadingAccount, ReadOptions, find_files, read_each
from datamodules.har.recording import Recording
from datamodules.har.tables import read_numbers
from sim.conventions import STANDARD_GRAVITY

LABELS = hapt.LABELS[:6]
SAMPLES, STEP = 128, 64
SOURCE = "https://archive.ics.uci.edu/dataset/240/human+activity+recognition+using+smartphones"


def read_uci_har(root: Path | None = None, options: ReadOptions = DEFAULT_OPTIONS) -> Iterator[Recording]:
    """Read UCI HAR from its inertial signals: ``total_acc`` in g (with gravity), ``body_gyro`` in rad/s.

    Windows that follow one another in a file, of one person and activity, whose halves agree become one recording.

    Args:
        root: the folder ``UCI HAR Dataset``, or one that holds it.
        options: what to do about bad files.

    Yields:
        One recording for each run of windows, training people first.

    Raises:
        FileNotFoundError: the files are not there; says where to get them.
        ValueError: a file is damaged, or files do not hold the same number of windows.
    """
    account = ReadingAccount("uci_har")
    patterns = [f"{folder}t*/y_t*.txt" for folder in ("", "UCI HAR Dataset/", "*/")]
    files = find_files(root, patterns, set_name="UCI HAR", layout="train/y_train.txt", source=SOURCE)
    yield from read_each([*reversed(files)], _read_split, options, account)


def _read_split(labels_file: Path) -> Iterator[Recording]:
    folder, split = labels_file.parent, labels_file.stem.removeprefix("y_")
    names = [f"{kind}_{axis}_{split}" for kind in ("total_acc", "body_gyro") for axis in "xyz"]
    columns = [_read(folder / "Inertial Signals" / f"{name}.txt", SAMPLES) for name in names]
    codes, subjects = (_read(folder / f"{name}_{split}.txt", 1)[:, 0].astype(int) for name in ("y", "subject"))
    counts = {len(item) for item in (*columns, codes, subjects)}
    if len(counts) != 1:
        raise ValueError(f"files of {folder} hold {sorted(counts)} windows, expected as many each; download it anew")
    if not set(codes.tolist()) <= set(range(1, len(LABELS) + 1)):
        raise ValueError(f"{labels_file} holds labels {sorted(set(codes.tolist()))}, expected 1 to {len(LABELS)}")
    windows = np.stack(columns, axis=-1)
    for number, (first, last) in enumerate(_find_runs(windows, codes, subjects)):
        joined = np.concatenate([windows[first], *windows[first + 1 : last, STEP:]])
        yield Recording(
            accel=(joined[:, None, :3] * STANDARD_GRAVITY).astype(np.float32),
            gyro=joined[:, None, 3:].astype(np.float32),
            gravity_included=True,
            rate_hz=hapt.RATE_HZ,
            labels=LABELS[codes[first] - 1],
            subject=str(subjects[first]),
            trial=f"uci_har/{split}/{subjects[first]}/{number}",
            placements=("waist",),
            mounting=hapt.MOUNTING,
        )


def _find_runs(
    windows: NDArray[np.float64], codes: NDArray[np.int64], subjects: NDArray[np.int64]
) -> Iterator[tuple[int, int]]:
    """Yield first and one past the last window of each run that goes on: same person and label, halves that agree."""
    agree = np.isclose(windows[:-1, STEP:], windows[1:, :STEP], atol=1e-6).all(axis=(1, 2))
    goes_on = agree & (codes[1:] == codes[:-1]) & (subjects[1:] == subjects[:-1])
    starts = [0, *(np.flatnonzero(~goes_on) + 1).tolist()]
    yield from zip(starts, [*starts[1:], len(windows)], strict=True)


def _read(path: Path, num_columns: int) -> NDArray[np.float64]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} of UCI HAR not found; the download is not complete, get it anew from {SOURCE}")
    return read_numbers(path, where=str(path), num_columns=num_columns, separator=r"\s+")
