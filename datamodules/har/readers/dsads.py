"""DSADS: Daily and Sports Activities, five Xsens MTx units, 19 activities, 8 people, 25 Hz.

Altun, Barshan, Tunçel 2010, Comparative study on classifying human activities with miniature inertial and magnetic
sensors, doi 10.1016/j.patcog.2010.04.019; UCI data set 256, CC BY 4.0. Nine of the activities, of all eight people,
come with this package (:mod:`datamodules.har.readers.dsads_pack`); the whole set the user downloads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.har.parsing.number_table import read_number_table
from datamodules.har.readers.dsads_pack import EMBEDDED, EMBEDDED_ACTIVITIES, UNITS, find_pack, read_pack
from datamodules.har.recordings.building import RecordingFacts, record_even
from datamodules.har.recordings.reading import Reading, SetFiles
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.recordings.recording import Recording
from datamodules.har.recordings.sources import embedded_file

RATE_HZ = 25.0
"""Sampling rate according to the set's page [Hz]."""

PLACEMENTS = ("chest", "right_wrist", "left_wrist", "right_thigh", "left_thigh")
"""Torso, right arm, left arm, right leg, left leg: on the chest, the wrists and beside the knees, in file order.

The leg units ride on the thighs: their gravity turns by 90 deg from standing to sitting.
"""

LABELS = (
    *("sitting", "standing", "lying_on_back", "lying_on_right_side", "walking_upstairs", "walking_downstairs"),
    *("standing_in_elevator", "moving_in_elevator", "walking", "walking_on_treadmill_flat"),
    *("walking_on_treadmill_inclined", "running", "stepper", "cross_trainer", "cycling_horizontal"),
    *("cycling_vertical", "rowing", "jumping", "basketball"),
)
"""Names of the activities a01 to a19; a12 is running on a treadmill at 8 km/h."""

ACTIVITIES: Mapping[str, str] = {f"a{number + 1:02d}": label for number, label in enumerate(LABELS)}
"""Folder -> activity."""

MOUNTING = (
    "chest: x up, z forward; wrists: x towards the elbow, y towards the thumb on the right and away from it on the "
    "left, so that z points to the palm's side; thighs, on the outer side: x down the thigh, z outward. Read off "
    "gravity in standing (x near +9.0 to +9.5 on the chest and wrists, -9.7 on the thighs), running with bent arms, "
    "thumbs up (y +9 to +12 right wrist, -9 to -11 left), lying on the back (z +9.7 on the chest) and lying on the "
    "right side (z -9.8 right thigh, +9.5 left thigh) of subjects p1 and p2; single readings differ by up to 30 deg"
)

FILES = SetFiles(
    r"a(\d+)/(p\d+)/(s\d+)\.txt",
    "data/aNN/pN/sNN.txt and no dsads*.npz of DSADS",
    "https://archive.ics.uci.edu/dataset/256/daily+and+sports+activities",
)


def read_dsads(root: Path | None, reading: Reading) -> Iterator[Recording]:
    """Read DSADS: files of 5 s, 125 rows of 45 columns, nine for each unit (acc m/s^2, gyro rad/s, magnetometer).

    Each file is a recording of its own. The files of one person and activity follow on one another, but the steps
    from one file to the next are up to twice those within a file, so samples are missing there and nothing is joined;
    windows must be 5 s or shorter. The accelerometers include gravity. The magnetometers are left out.

    Args:
        root: folder that holds ``data/aNN/pN/sNN.txt``, or ``aNN/pN/sNN.txt``; or a ``dsads*.npz`` of segments, or the
            folder that holds one; None for the embedded part: every other segment of walking, running, jumping, stairs
            up and down, standing, sitting, lying on the back and on the right side.
        reading: rules of this pass.

    Yields:
        One recording for each file or segment, by activity, person and segment.

    Raises:
        FileNotFoundError: there is neither; says where to get them.
        ValueError: a file does not hold 45 columns of numbers, or the arrays that belong together.
    """
    pack = find_pack(root, FILES)
    if pack is not None:

        def record(
            accel: NDArray[np.float64], gyro: NDArray[np.float64], folder: str, subject: str, segment: str, file: str
        ) -> Recording:
            return _record(accel, gyro, folder, subject, segment, f"{file}, {folder}/{subject}/{segment}", reading)

        yield from read_pack(pack, reading, rate_hz=RATE_HZ, record=record)
    else:
        yield from reading.each(FILES.find(root), lambda found: [_parse(*found, reading)], lambda found: str(found[0]))


def _parse(path: Path, match: re.Match[str], reading: Reading) -> Recording:
    folder = f"a{int(match.group(1)):02d}"
    table = read_number_table(path, columns=9 * len(UNITS), take=range(9 * len(UNITS)), delimiter=",")
    units = table.reshape(len(table), len(UNITS), 9)
    return _record(units[:, :, 0:3], units[:, :, 3:6], folder, match.group(2), match.group(3), str(path), reading)


def _record(
    accel: NDArray[np.float64],
    gyro: NDArray[np.float64],
    folder: str,
    subject: str,
    segment: str,
    source: str,
    reading: Reading,
) -> Recording:
    if folder not in ACTIVITIES:
        raise ValueError(f"{source} lies in activity folder {folder}, expected a01 to a19")
    facts = RecordingFacts(subject, f"dsads/{folder}/{subject}/{segment}", MOUNTING, source)
    return record_even(accel, gyro, ACTIVITIES[folder], facts, placements=PLACEMENTS, rate_hz=RATE_HZ, reading=reading)


SET = RealSet(read_dsads, ACTIVITIES, PLACEMENTS, sources=embedded_file(EMBEDDED), embedded=EMBEDDED_ACTIVITIES)
