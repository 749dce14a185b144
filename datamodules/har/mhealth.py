"""MHEALTH: three Shimmer2 units (chest, left ankle, right lower arm) on ten people, 12 exercises, 50 Hz.

Banos et al. 2014, mHealthDroid: a novel framework for agile development of mobile health applications,
doi:10.1007/978-3-319-13105-4_14; UCI data set 319. Columns and units after its README.
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
from datamodules.har.timing import bridge_missing

RATE_HZ = 50.0
COLUMNS = 24
"""Chest accelerometer, two of ECG; accelerometer, gyroscope and magnetometer of ankle and of arm; the label."""

PLACEMENTS = ("chest", "left_ankle", "right_wrist")
"""The last is the right lower arm, worn like a watch."""

LABELS = (
    *("standing", "sitting", "lying", "walking", "ascending_stairs", "waist_bends_forward"),
    *("frontal_elevation_of_arms", "knees_bending", "cycling", "jogging", "running", "jumping_front_and_back"),
)
"""Names of the labels 1 to 12; 0 is unlabelled."""

MOUNTING = "elastic straps; the axes are not documented, read them off gravity"
SOURCE = "https://archive.ics.uci.edu/dataset/319/mhealth+dataset"


def read_mhealth(root: Path | None = None, options: ReadOptions = DEFAULT_OPTIONS) -> Iterator[Recording]:
    """Read MHEALTH: one file for each person, accelerations in m/s^2 with gravity, rates in deg/s.

    The chest unit has no gyroscope: its angular rate is NaN.

    Args:
        root: folder that holds ``mHealth_subjectN.log``.
        options: what to do about bad files and missing values.

    Yields:
        One recording for each person.

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: a row has not 24 numbers, or a label is not 0 to 12.
    """
    account = ReadingAccount("mhealth")
    patterns = ["mHealth_subject*.log", "MHEALTHDATASET/mHealth_subject*.log", "*/mHealth_subject*.log"]
    files = find_files(root, patterns, set_name="MHEALTH", layout="mHealth_subjectN.log", source=SOURCE)
    yield from read_each(files, partial(_read_person, options=options, account=account), options, account)


def _read_person(path: Path, *, options: ReadOptions, account: ReadingAccount) -> Iterator[Recording]:
    rows = read_numbers(path, where=str(path), num_columns=COLUMNS, separator=r"\s+")
    codes = rows[:, -1]
    wrong = ~np.isin(codes, range(len(LABELS) + 1))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"{path}, line {row + 1}: label {codes[row]:g} is unknown, expected 0 to {len(LABELS)}")
    rows = bridge_missing(rows[:, :-1], rate_hz=RATE_HZ, options=options, account=account)
    accel = np.stack([rows[:, first : first + 3] for first in (0, 5, 14)], axis=1)
    gyro = np.full_like(accel, np.nan)
    gyro[:, 1:] = np.deg2rad(np.stack([rows[:, first : first + 3] for first in (8, 17)], axis=1))
    found = re.search(r"subject(\d+)", path.stem)
    subject = path.stem if found is None else found.group(1)
    yield Recording(
        accel=accel.astype(np.float32),
        gyro=gyro.astype(np.float32),
        gravity_included=True,
        rate_hz=RATE_HZ,
        labels=np.array(["", *LABELS])[codes.astype(int)],
        subject=subject,
        trial=f"mhealth/{subject}",
        placements=PLACEMENTS,
        mounting=MOUNTING,
    )
