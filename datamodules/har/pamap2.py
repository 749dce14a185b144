"""PAMAP2: three Colibri units (hand, chest, ankle) on nine people, 18 activities, 100 Hz.

Reiss and Stricker 2012, Introducing a new benchmarked dataset for activity monitoring, doi:10.1109/ISWC.2012.13; UCI
data set 231. Columns, units and codes after its ``DataCollectionProtocol`` and ``readme`` documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from datamodules.har.reading import DEFAULT_OPTIONS, ReadingAccount, ReadOptions, find_files, read_each
from datamodules.har.recording import Recording
from datamodules.har.tables import read_numbers
from datamodules.har.timing import bridge_missing, resample_stamped

RATE_HZ = 100.0
"""Of the inertial units [Hz]."""

COLUMNS = 54
"""Time [s], activity, heart rate, then 17 of each unit: temperature, two accelerometers, gyroscope, and others."""

PLACEMENTS = ("right_wrist", "chest", "right_ankle")
"""Wrist of the dominant arm, chest, ankle of that side; right for all but subject108, the readme's left-hander, whose
sites are named alike here so that a set has one list of them."""

ACTIVITIES = {
    1: "lying", 2: "sitting", 3: "standing", 4: "walking", 5: "running", 6: "cycling", 7: "nordic_walking",
    9: "watching_tv", 10: "computer_work", 11: "car_driving", 12: "ascending_stairs", 13: "descending_stairs",
    16: "vacuum_cleaning", 17: "ironing", 18: "folding_laundry", 19: "house_cleaning", 20: "playing_soccer",
    24: "rope_jumping",
}  # fmt: skip
"""Names of the codes; 0 is what lies between activities, unlabelled here."""

LABELS = tuple(ACTIVITIES.values())
MOUNTING = "not documented beyond the limb: a unit strapped to wrist, chest and ankle; read the axes off gravity"
SOURCE = "https://archive.ics.uci.edu/dataset/231/pamap2+physical+activity+monitoring"


def read_pamap2(root: Path | None = None, options: ReadOptions = DEFAULT_OPTIONS) -> Iterator[Recording]:
    """Read PAMAP2: one file for each person, the accelerometer of 16 g range (the one of 6 g saturates in running).

    Accelerations come in m/s^2 with gravity, rates in rad/s. Samples that the wireless units lost are NaN in the
    files: short runs are interpolated, longer ones stay NaN, and windows that hold them are left out.

    Args:
        root: folder that holds ``Protocol/subject10N.dat``, or the files; ``Optional`` files are read if it is that.
        options: what to do about bad files and gaps.

    Yields:
        One recording for each person, more where its time stamps have a gap.

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: a row has not 54 numbers, or an unknown activity.
    """
    account = ReadingAccount("pamap2")
    patterns = ["Protocol/subject*.dat", "PAMAP2_Dataset/Protocol/subject*.dat", "*/Protocol/subject*.dat"]
    files = find_files(
        root, [*patterns, "subject*.dat"], set_name="PAMAP2", layout="Protocol/subject10N.dat", source=SOURCE
    )
    yield from read_each(files, partial(_read_person, options=options, account=account), options, account)


def _read_person(path: Path, *, options: ReadOptions, account: ReadingAccount) -> Iterator[Recording]:
    rows = read_numbers(path, where=str(path), num_columns=COLUMNS, separator=r"\s+")
    codes = rows[:, 1].astype(int)
    unknown = sorted(set(codes.tolist()) - set(ACTIVITIES) - {0})
    if unknown:
        row = int(np.isin(codes, unknown).argmax())
        raise ValueError(
            f"{path}, line {row + 1}: activity {codes[row]} is unknown, expected 0 or {sorted(ACTIVITIES)}"
        )
    labels = np.array([ACTIVITIES.get(code, "") for code in range(25)])[codes]
    # Per unit: temperature, accelerometer of 16 g, that of 6 g, gyroscope; columns count from 0 here.
    columns = [first + offset for first in (3, 20, 37) for offset in (1, 2, 3, 7, 8, 9)]
    values = bridge_missing(rows[:, columns], rate_hz=RATE_HZ, options=options, account=account)
    stamps = {"rate_hz": RATE_HZ, "options": options, "account": account, "where": str(path)}
    # The stamps part the file at gaps; values that are missing stay, so they do not count as gaps themselves.
    found = re.search(r"subject\d+", path.stem)
    subject = path.stem if found is None else found.group()
    for piece in resample_stamped(rows[:, 0], np.nan_to_num(values, nan=0.0), **stamps):  # type: ignore[arg-type]
        lost = np.isnan(values[piece.source])
        units = np.where(lost, np.nan, piece.values).reshape(-1, 3, 2, 3).astype(np.float32)
        yield Recording(
            accel=units[:, :, 0],
            gyro=units[:, :, 1],
            gravity_included=True,
            rate_hz=RATE_HZ,
            labels=labels[piece.source],
            subject=subject,
            trial=f"pamap2/{path.parent.name}/{subject}/{piece.start_s:.0f}",
            placements=PLACEMENTS,
            mounting=MOUNTING,
        )
