"""DSADS: Daily and Sports Activities, five Xsens MTx units, 19 activities, 8 people, 25 Hz.

Altun, Barshan, Tunçel 2010, Comparative study on classifying human activities with miniature inertial and magnetic
sensors, doi 10.1016/j.patcog.2010.04.019; UCI data set 256, CC BY 4.0. The user downloads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from datamodules.har.reading import DEFAULT_OPTIONS, ReadingAccount, ReadOptions, find_files, read_each
from datamodules.har.recording import Recording
from datamodules.har.tables import read_numbers

RATE_HZ = 25.0
"""Sampling rate according to the set's page [Hz]."""

PLACEMENTS = ("chest", "right_wrist", "left_wrist", "right_thigh", "left_thigh")
"""Torso, right arm, left arm, right leg, left leg: on the chest, the wrists and beside the knees, in file order.

The leg units ride on the thighs: their gravity turns by 90 deg from standing to sitting.
"""

LABELS = (
    *("sitting", "standing", "lying_on_back", "lying_on_right_side", "ascending_stairs", "descending_stairs"),
    *("standing_in_elevator", "moving_in_elevator", "walking", "walking_on_treadmill_flat"),
    *("walking_on_treadmill_inclined", "running", "stepper", "cross_trainer", "cycling_horizontal"),
    *("cycling_vertical", "rowing", "jumping", "basketball"),
)
"""Names of the activities a01 to a19; a12 is running on a treadmill at 8 km/h."""

MOUNTING = (
    "chest: x up, z forward; wrists: x towards the elbow; thighs, on the outer side: x down the thigh, z outward. "
    "Read off gravity in standing (x near +9.0 to +9.5 on the chest and wrists, -9.7 on the thighs), lying on the back "
    "(z +9.7 on the chest) and lying on the right side (z -9.8 right thigh, +9.5 left thigh) of subjects p1 and p2; "
    "single readings differ by up to 30 deg"
)

DOWNLOAD = "https://archive.ics.uci.edu/dataset/256/daily+and+sports+activities"


def read_dsads(root: Path | None = None, options: ReadOptions = DEFAULT_OPTIONS) -> Iterator[Recording]:
    """Read DSADS: files of 5 s, 125 rows of 45 columns, nine for each unit (acc m/s^2, gyro rad/s, magnetometer).

    Each file is a recording of its own. The files of one person and activity follow on one another, but the steps
    from one file to the next are up to twice those within a file, so samples are missing there and nothing is joined;
    windows must be 5 s or shorter. The accelerometers include gravity. The magnetometers are left out.

    Args:
        root: folder that holds ``data/aNN/pN/sNN.txt``, or ``aNN/pN/sNN.txt``.
        options: what to do about bad files.

    Yields:
        One recording for each file, by activity, person and segment.

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: a file does not hold 45 columns of numbers.
    """
    patterns = ["data/a??/p?/s??.txt", "a??/p?/s??.txt", "*/data/a??/p?/s??.txt"]
    files = find_files(root, patterns, set_name="DSADS", layout="data/aNN/pN/sNN.txt", source=DOWNLOAD)
    yield from read_each(files, _read_segment, options, ReadingAccount("dsads"))


def _read_segment(path: Path) -> Iterator[Recording]:
    subject, segment = path.parent.name, path.stem
    match = re.fullmatch(r"a(\d\d)", path.parent.parent.name)
    activity = int(match.group(1)) if match else 0
    if not 1 <= activity <= len(LABELS):
        raise ValueError(f"{path} lies in activity folder {path.parent.parent.name}, expected a01 to a19")
    units = _load_units(path)
    yield Recording(
        accel=units[:, :, 0:3],
        gyro=units[:, :, 3:6],
        gravity_included=True,
        rate_hz=RATE_HZ,
        labels=LABELS[activity - 1],
        subject=subject,
        trial=f"dsads/a{activity:02d}/{subject}/{segment}",
        placements=PLACEMENTS,
        mounting=MOUNTING,
    )


def _load_units(path: Path) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
    """Columns of one file by unit: ``(T, 5, 9)``."""
    rows = read_numbers(path, where=str(path), num_columns=9 * len(PLACEMENTS))
    return rows.astype(np.float32).reshape(len(rows), len(PLACEMENTS), 9)
