"""PAMAP2: three Colibri units on wrist, chest and ankle of 9 people, 18 activities, 100 Hz.

Reiss, Stricker 2012, Introducing a new benchmarked dataset for activity monitoring, doi 10.1109/ISWC.2012.13; UCI data
set 231, CC BY 4.0. The user downloads it. Columns, units and activity numbers: the set's readme.pdf.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from datamodules.har.parsing.label_codes import name_codes
from datamodules.har.parsing.number_table import read_number_table
from datamodules.har.recordings.building import RecordingFacts, SensorTrack, record_tracks
from datamodules.har.recordings.reading import Reading, SetFiles
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.recordings.recording import Recording
from datamodules.har.recordings.stamps import ClockRule

CLOCK = ClockRule(rate_hz=100.0)

PLACEMENTS = ("right_wrist", "chest", "right_ankle")
"""Hand, chest, ankle in file order: the wrist of the dominant arm and the ankle of the dominant side.

Nearly all of the nine are right-handed; subject 108, according to subjectInformation.pdf*, is not, so their sites are
the left ones in truth.
"""

ACTIVITIES: Mapping[str, str] = {
    "0": "",
    **{"1": "lying", "2": "sitting", "3": "standing", "4": "walking", "5": "running", "6": "cycling"},
    **{"7": "nordic_walking", "9": "watching_tv", "10": "computer_work", "11": "car_driving"},
    **{"12": "walking_upstairs", "13": "walking_downstairs", "16": "vacuum_cleaning", "17": "ironing"},
    **{"18": "folding_laundry", "19": "house_cleaning", "20": "playing_soccer", "24": "rope_jumping"},
}
"""Activity number -> activity; 0 is transient and counts as unlabelled."""

MOUNTING = (
    "Colibri units strapped to the wrist of the dominant arm, the chest and the ankle of the dominant side "
    "(readme.pdf). How their axes lie is not documented; read it off gravity with imuforge recordings inspect pamap2 "
    "ROOT"
)

FILES = SetFiles(
    r"(?:(protocol|optional)/)?subject(\d+)\.dat",
    "Protocol/subjectNNN.dat of PAMAP2",
    "https://archive.ics.uci.edu/dataset/231/pamap2+physical+activity+monitoring",
)

_COLUMNS = 54
_UNITS = (3, 20, 37)
"""First column of each unit: temperature, acceleration +-16 g, acceleration +-6 g, gyroscope, magnetometer, four of
an orientation that the readme declares invalid."""


def read_pamap2(root: Path | None, reading: Reading) -> Iterator[Recording]:
    """Read PAMAP2: lines of 54 columns with a time stamp, dropped packets as NaN.

    Of the two accelerometers (m/s^2, gravity included) the one of +-16 g is taken, as the readme advises: the other
    saturates in running. The gyroscope comes in rad/s. Heart rate, temperature and magnetometer are left out.

    Args:
        root: folder that holds ``Protocol/`` and perhaps ``Optional/``.
        reading: rules of this pass.

    Yields:
        One recording for each file, or several where packets are missing for longer than ``max_gap_s``.

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: a line does not hold 54 columns of numbers.
    """
    yield from reading.each(FILES.find(root), lambda found: _parse(*found, reading), lambda found: str(found[0]))


def _parse(path: Path, match: re.Match[str], reading: Reading) -> list[Recording]:
    sensors = [column for unit in _UNITS for column in (*range(unit + 1, unit + 4), *range(unit + 7, unit + 10))]
    table = read_number_table(path, columns=_COLUMNS, take=[0, 1, *sensors])
    time_s = np.ascontiguousarray(table[:, 0])
    tracks = []
    for index, placement in enumerate(PLACEMENTS):
        first = 2 + 6 * index
        tracks.append(SensorTrack(placement, "accel", time_s, table[:, first : first + 3]))
        tracks.append(SensorTrack(placement, "gyro", time_s, table[:, first + 3 : first + 6]))
    session = (match.group(1) or "protocol").lower()
    facts = RecordingFacts(match.group(2), f"pamap2/{session}/{match.group(2)}", MOUNTING, str(path))
    return record_tracks(tracks, name_codes(table[:, 1], ACTIVITIES, str(path)), facts, CLOCK, reading)


SET = RealSet(read_pamap2, ACTIVITIES, PLACEMENTS)
