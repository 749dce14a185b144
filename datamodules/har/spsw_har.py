"""SP-SW-HAR: phone in the trouser pocket and watch on the wrist of 23 people, five activities, about 100 Hz.

Matey-Sanz, Casteleyn, Granell 2023, Dataset of inertial measurements of smartphones and smartwatches for human activity
recognition, doi:10.1016/j.dib.2023.109809, CC BY 4.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from datamodules.har.reading import DEFAULT_OPTIONS, ReadingAccount, ReadOptions, find_files, read_each
from datamodules.har.recording import Recording
from datamodules.har.tables import read_named, to_numbers
from datamodules.har.timing import resample_stamped

RATE_HZ = 100.0
"""What samples are brought to; the devices wrote about 103.6 a second, stamped to the millisecond [Hz]."""

COLUMNS = ("x_acc", "y_acc", "z_acc", "x_gyro", "y_gyro", "z_gyro", "timestamp")
LABELS = ("sitting", "stand_up", "walking", "turning", "sit_down")
NAMES = dict(zip(("SEATED", "STANDING_UP", "WALKING", "TURNING", "SITTING_DOWN"), LABELS, strict=True))
DEVICES = {"sp": "left_pocket", "sw": "left_wrist"}
"""Which side is not stated for the phone, and follows the dominant hand for the watch; the names stand for either."""

MOUNTING = "axes of Android: x to the right of the screen, y to its top, z out of it; the phone lies either way round"
SOURCE = "https://doi.org/10.5281/zenodo.8398688"


def read_spsw_har(root: Path | None = None, options: ReadOptions = DEFAULT_OPTIONS) -> Iterator[Recording]:
    """Read SP-SW-HAR: one file for each person, execution and device; m/s^2 with gravity, rad/s.

    Stamps come in bursts (up to 50 ms apart, then 1 ms); samples are brought to an even 100 Hz.

    Args:
        root: folder that holds ``DATA/sXX/sXX_YY_sp.csv``, or the folders of people.
        options: what to do about bad files and gaps.

    Yields:
        One recording for each file, more where it has a gap: of the pocket (``sp``) or of the wrist (``sw``).

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: a file is damaged, holds an unknown label, or time goes back in it.
    """
    account = ReadingAccount("spsw_har")
    patterns = [f"{folder}s??/s*_*_s?.csv" for folder in ("DATA/", "*/DATA/", "", "*/")]
    files = find_files(root, patterns, set_name="SP-SW-HAR", layout="DATA/sXX/sXX_YY_sp.csv", source=SOURCE)
    yield from read_each(files, partial(_read_file, options=options, account=account), options, account)


def _read_file(path: Path, *, options: ReadOptions, account: ReadingAccount) -> Iterator[Recording]:
    table = read_named(path, where=str(path), columns=(*COLUMNS, "label"))
    name = re.fullmatch(r"(s\d+)_(\d+)_(sp|sw)", path.stem)
    if name is None:
        raise ValueError(f"{path} is called {path.name}, expected sXX_YY_sp.csv or sXX_YY_sw.csv; rename or remove it")
    told = table["label"].astype(str).str.strip()
    unknown = ~told.isin(list(NAMES))
    if unknown.any():
        row = int(unknown.to_numpy().argmax())
        raise ValueError(f"{path}, line {row + 2}: label {told.iloc[row]!r} is unknown, expected {list(NAMES)}")
    labels = told.map(NAMES).to_numpy(dtype=np.str_)
    rows = to_numbers(table[list(COLUMNS)], where=str(path))
    subject, trial, device = name.groups()
    for piece in resample_stamped(
        rows[:, -1] / 1000, rows[:, :-1], rate_hz=RATE_HZ, options=options, account=account, where=str(path)
    ):
        yield Recording(
            accel=piece.values[:, None, :3].astype(np.float32),
            gyro=piece.values[:, None, 3:].astype(np.float32),
            gravity_included=True,
            rate_hz=RATE_HZ,
            labels=labels[piece.source],
            subject=subject,
            trial=f"spsw_har/{subject}/{trial}_{device}/{piece.start_s - rows[0, -1] / 1000:.0f}",
            placements=(DEVICES[device],),
            mounting=MOUNTING,
        )
