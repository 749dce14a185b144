"""OPPORTUNITY: five Xsens units on back and arms of 4 people in a kitchen, modes of locomotion, 30 Hz.

Roggen et al. 2010, Collecting complex activity datasets in highly rich networked sensor environments,
doi 10.1109/INSS.2010.5573462; Chavarriaga et al. 2013, The Opportunity challenge, doi 10.1016/j.patrec.2012.12.014; UCI
data set 226, CC BY 4.0. The user downloads it. Columns and units: the set's column_names.txt and label_legend.txt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from datamodules.har.parsing.label_codes import name_codes
from datamodules.har.parsing.number_table import read_number_table
from datamodules.har.parsing.units import unit_factor
from datamodules.har.recordings.building import RecordingFacts, SensorTrack, record_tracks
from datamodules.har.recordings.reading import Reading, SetFiles
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.recordings.recording import Recording
from datamodules.har.recordings.stamps import ClockRule

CLOCK = ClockRule(rate_hz=30.0)

PLACEMENTS = ("back", "right_upper_arm", "right_forearm", "left_upper_arm", "left_forearm")
"""BACK, RUA, RLA, LUA, LLA in file order."""

ACTIVITIES: Mapping[str, str] = {"0": "", "1": "standing", "2": "walking", "4": "sitting", "5": "lying"}
"""Column Locomotion -> activity (label_legend.txt); 0 is none of them."""

MOUNTING = (
    "Xsens MTx units in a motion jacket on the back, the upper arms and the lower arms (column_names.txt); *how their "
    "axes lie has not been verified: read it off gravity with imuforge recordings inspect opportunity ROOT"
)

FILES = SetFiles(
    r"s(\d+)-(adl\d+|drill)\.dat",
    "dataset/S1-ADL1.dat of OPPORTUNITY",
    "https://archive.ics.uci.edu/dataset/226/opportunity+activity+recognition",
)

_COLUMNS, _FIRST_UNIT, _UNIT_WIDTH, _LOCOMOTION = 250, 37, 13, 243
"""Each unit has acceleration, gyroscope, magnetometer and a quaternion; twelve bare accelerometers lie before them."""


def is_test(recording: Recording) -> bool:
    """Whether a recording belongs to the challenge's test set: ADL4 and ADL5 of subjects 2 and 3."""
    return re.match(r"opportunity/[23]/adl[45]", recording.trial) is not None


def read_opportunity(root: Path | None, reading: Reading) -> Iterator[Recording]:
    """Read OPPORTUNITY: lines of 250 columns, the first the time in ms, missing packets as NaN.

    Acceleration of the units comes as ``value / 9.8 * 1000`` in milli-g, so it is taken times 9.8 / 1000 to give back
    the unit's own m/s^2; gravity is included. The gyroscope comes as ``value * 1000`` of a unit that the set calls
    unknown; *it is taken as rad/s, which is what Xsens' MTx gives. The label is that of the column Locomotion. The
    bare accelerometers, the shoes and the sensors of the room are left out.

    Args:
        root: folder that holds the ``.dat`` files.
        reading: rules of this pass.

    Yields:
        One recording for each file, or several where packets are missing for longer than ``max_gap_s``.

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: a line does not hold 250 columns of numbers.
    """
    yield from reading.each(FILES.find(root), lambda found: _parse(*found, reading), lambda found: str(found[0]))


def _parse(path: Path, match: re.Match[str], reading: Reading) -> list[Recording]:
    firsts = [_FIRST_UNIT + _UNIT_WIDTH * index for index in range(len(PLACEMENTS))]
    take = [0, *(column for first in firsts for column in range(first, first + 6)), _LOCOMOTION]
    table = read_number_table(path, columns=_COLUMNS, take=take)
    time_s = table[:, 0] * unit_factor("ms", "time")
    tracks = []
    for index, placement in enumerate(PLACEMENTS):
        first = 1 + 6 * index
        tracks.append(SensorTrack(placement, "accel", time_s, table[:, first : first + 3] * (9.8 / 1000)))
        rate = table[:, first + 3 : first + 6] * unit_factor("mrad/s", "gyro")
        tracks.append(SensorTrack(placement, "gyro", time_s, rate))
    subject, run = match.group(1), match.group(2).lower()
    facts = RecordingFacts(subject, f"opportunity/{subject}/{run}", MOUNTING, str(path))
    labels = name_codes(table[:, -1], ACTIVITIES, str(path))
    return record_tracks(tracks, np.asarray(labels), facts, CLOCK, reading)


SET = RealSet(read_opportunity, ACTIVITIES, PLACEMENTS, is_test=is_test, subject_independent=False)
