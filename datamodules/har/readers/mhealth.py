"""mHealth: three Shimmer2 units on chest, left ankle and right lower arm of 10 people, 12 activities, 50 Hz.

Banos et al. 2014, mHealthDroid, doi 10.1007/978-3-319-13105-4_14; UCI data set 319, CC BY 4.0. The user downloads it.
Columns and labels: the set's README.txt; units (m/s^2, deg/s): the set's UCI page.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from datamodules.har.parsing.label_codes import name_codes
from datamodules.har.parsing.number_table import read_number_table
from datamodules.har.recordings.building import RecordingFacts, record_even
from datamodules.har.recordings.reading import Reading, SetFiles
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.recordings.recording import Recording

logger = logging.getLogger(__name__)

RATE_HZ = 50.0

PLACEMENTS = ("chest", "left_ankle", "right_wrist")

ACTIVITIES: Mapping[str, str] = {
    "0": "",
    **{"1": "standing", "2": "sitting", "3": "lying", "4": "walking", "5": "climbing_stairs"},
    **{"6": "waist_bends_forward", "7": "frontal_elevation_of_arms", "8": "knees_bending", "9": "cycling"},
    **{"10": "jogging", "11": "running", "12": "jumping_front_and_back"},
}
"""Label of the files -> activity (README.txt); 0 is the null class."""

MOUNTING = (
    "Shimmer2 units on elastic straps (README.txt); how their axes lie is not documented: read it off gravity with "
    "imuforge recordings inspect mhealth ROOT. The columns called gyroscope hold no angular rate: it is NaN"
)

FILES = SetFiles(
    r"mhealth_subject(\d+)\.log",
    "mHealth_subjectN.log of mHealth",
    "https://archive.ics.uci.edu/dataset/319/mhealth+dataset",
)

_TAKE = (0, 1, 2, *range(5, 8), *range(14, 17), 23)
"""Chest, ankle and arm acceleration; label. Between them lie two channels of ECG, the columns called gyroscope and the
magnetometers. (README.txt numbers the columns 1 to 24 and calls the twelfth 13.)"""


def read_mhealth(root: Path | None, reading: Reading) -> Iterator[Recording]:
    """Read mHealth: lines of 24 columns, no time stamps.

    The accelerometers come in m/s^2 and include gravity. The columns that README.txt calls gyroscopes (deg/s by the
    set's page) hold no angular rate: their norm is 0.9 to 1.1 at rest and constant within a posture, as of a direction.
    They are left out: angular rate is NaN, and the log says so.

    Args:
        root: folder that holds the logs.
        reading: rules of this pass.

    Yields:
        One recording for each person.

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: a line does not hold 24 columns of numbers.
    """
    yield from reading.each(FILES.find(root), lambda found: _parse(*found, reading), lambda found: str(found[0]))


def _parse(path: Path, match: re.Match[str], reading: Reading) -> list[Recording]:
    table = read_number_table(path, columns=24, take=_TAKE)
    accel = np.stack([table[:, 0:3], table[:, 3:6], table[:, 6:9]], axis=1)
    gyro = np.full_like(accel, np.nan)
    logger.warning("%s: the columns called gyroscope hold no angular rate (norm about 1 at rest); they are NaN", path)
    facts = RecordingFacts(match.group(1), f"mhealth/{match.group(1)}", MOUNTING, str(path))
    labels = name_codes(table[:, 9], ACTIVITIES, str(path))
    return [record_even(accel, gyro, labels, facts, placements=PLACEMENTS, rate_hz=RATE_HZ, reading=reading)]


SET = RealSet(read_mhealth, ACTIVITIES, PLACEMENTS)
