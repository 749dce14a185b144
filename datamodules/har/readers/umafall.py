"""UMAFall: phone in the pocket and four SensorTags on chest, waist, wrist and ankle of 19 people, falls and daily life.

Casilari, Santoyo-Ramón, Cano-García 2017, UMAFall: a multisensor dataset for the research on automatic fall detection,
doi 10.1016/j.procs.2017.06.110. The user downloads it. Layout, sensor numbers and units: the set's description and the
headers of its files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.har.parsing.label_codes import name_one
from datamodules.har.parsing.number_table import parse_numbers
from datamodules.har.parsing.units import unit_factor
from datamodules.har.recordings.building import RecordingFacts, SensorTrack, drop_short_tracks, record_tracks
from datamodules.har.recordings.reading import Reading, SetFiles
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.recordings.recording import Recording
from datamodules.har.recordings.stamps import ClockRule

CLOCK = ClockRule(rate_hz=20.0, stamps="arrival", backwards="sort")
"""The SensorTags' rate; the phone's 200 Hz are low-passed to it.

Stamps are in whole ms and tell arrival: a file of the published set starts with 30 samples of the phone within 2 ms,
and SensorTags come 4, 18, 60 and 140 ms apart, yet their count stays on a line of 20 Hz.
"""

PLACEMENTS = ("right_pocket", "chest", "waist", "right_wrist", "right_ankle")
"""Sensor ID 0 to 4: RIGHTPOCKET, CHEST, WAIST, WRIST, ANKLE in the headers; *the side of the last two is not stated."""

ACTIVITIES: Mapping[str, str] = {
    **{"aplausing": "clapping", "applauding": "clapping", "handsup": "hands_up", "makingacall": "making_a_call"},
    **{"openingdoor": "opening_door", "sittinggettinguponachair": "sitting_down_and_getting_up"},
    **{"walking": "walking", "bending": "bending", "hopping": "hopping", "jogging": "jogging"},
    **{"lyingdown": "lying_down_and_getting_up", "lyingdownonabed": "lying_down_and_getting_up"},
    **{"godownstairs": "walking_downstairs", "goupstairs": "walking_upstairs"},
    **{"backwardfall": "fall_backward", "forwardfall": "fall_forward", "lateralfall": "fall_lateral"},
}
"""Movement in the name of a file, in small letters without underscores -> activity."""

MOUNTING = (
    "phone in the right trouser pocket, SensorTags on elastic bands (the set's description, figure 1); how their axes "
    "lie has not been verified*: read it off gravity with imuforge recordings inspect umafall ROOT. The SensorTags' "
    "gyroscopes are turned by diag(-1, 1, -1) into the axes of their accelerometers"
)

FILES = SetFiles(
    r"umafall_subject_(\d+)_(adl|fall)_([a-z_]+?)_(\d+)_([\d-]+_[\d-]+)\.csv",
    "UMAFall_Subject_01_ADL_Walking_1_DATE_TIME.csv of UMAFall",
    "https://doi.org/10.6084/m9.figshare.4214283",
)

TAG_GYRO = np.array([-1.0, 1.0, -1.0])
"""What a SensorTag's gyroscope is multiplied by to share the axes of its accelerometer.

In the published files gravity turns as the gyroscope says only with x and z turned round: r 0.80 at the chest, 0.18
as they are, and likewise at every SensorTag. (Which of the two sensors the program turned is not stated; turning the
accelerometer's x and z instead would be the same sensor, mounted half a turn about y.)
"""

_ACCEL, _GYRO = 0, 1
"""Sensor Type; 2 is the magnetometer."""


def read_umafall(root: Path | None, reading: Reading) -> Iterator[Recording]:
    """Read UMAFall: lines ``time [ms]; sample; x; y; z; sensor type; sensor ID`` after a header of lines with ``%``.

    Acceleration comes in g with gravity, angular rate in deg/s (headers of the files). The phone's rate is NaN where
    it recorded none. The SensorTags' gyroscopes are turned into the axes of their accelerometers (:data:`TAG_GYRO`). A
    sensor that fell silent in the first half of a file is left out and named in the log. 20 files of subject 13 went
    through a spreadsheet that took the decimal point for a thousands sign (``1.012.598.156.929.010``): their values
    cannot be had back, so they count as bad files.

    Args:
        root: folder that holds the files.
        reading: rules of this pass.

    Yields:
        One recording for each file, or several where samples are missing for longer than ``max_gap_s``.

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: a line does not hold 7 numbers, or a movement is unknown.
    """
    yield from reading.each(FILES.find(root), lambda found: _parse(*found, reading), lambda found: str(found[0]))


def _parse(path: Path, match: re.Match[str], reading: Reading) -> list[Recording]:
    subject, kind, movement, trial, stamp = match.groups()
    subject = str(int(subject))
    data = path.read_bytes()
    end = b"\n" if data.endswith(b"\n") else b""  # a file that ends within a line is cut off
    # Blank lines in place of the header keep the numbers of lines in messages true.
    body = (
        b"\n".join(b"" if re.match(rb"\s*(%|[A-Za-z])", line) else line.rstrip(b"; \t\r") for line in data.splitlines())
        + end
    )
    grouped = re.search(rb"\d\.\d{3}\.\d{3}", body)
    if grouped:
        row = body.count(b"\n", 0, grouped.start())
        raise ValueError(
            f"{path}, line {row + 1} has {_field_around(body, grouped.start())!r}, expected a number: a spreadsheet "
            "took the decimal point for a thousands sign and the value is lost; leave the file out with on_bad_file: "
            "skip"
        )
    table = parse_numbers(body, str(path), columns=7, take=range(7), delimiter=";")
    tracks = []
    for number, placement in enumerate(PLACEMENTS):
        for sensor in (_ACCEL, _GYRO):
            rows = table[(table[:, 5] == sensor) & (table[:, 6] == number)]
            if len(rows) > 1:
                tracks.append(_track(rows, placement, sensor))
    if not any(track.kind == "accel" for track in tracks):
        raise ValueError(f"{path} holds no accelerometer of sensor ID 0 to 4; download it anew")
    activity = name_one(movement.lower().replace("_", ""), ACTIVITIES, str(path))
    facts = RecordingFacts(subject, f"umafall/{subject}/{kind.lower()}_{movement}_{trial}/{stamp}", MOUNTING, str(path))
    tracks = drop_short_tracks(tracks, str(path))
    return record_tracks(tracks, activity, facts, CLOCK, reading)


def _field_around(body: bytes, at: int) -> str:
    begin = max(body.rfind(b";", 0, at), body.rfind(b"\n", 0, at)) + 1
    return re.split(rb"[;\n]", body[begin : begin + 100])[0].decode("utf-8", "replace").strip()


def _track(rows: NDArray[np.float64], placement: str, sensor: int) -> SensorTrack:
    time_s = rows[:, 0] * unit_factor("ms", "time")
    if sensor == _ACCEL:
        return SensorTrack(placement, "accel", time_s, rows[:, 2:5] * unit_factor("g", "accel"), rows[:, 1])
    rates = rows[:, 2:5] * unit_factor("deg/s", "gyro")
    return SensorTrack(placement, "gyro", time_s, rates if placement == PLACEMENTS[0] else rates * TAG_GYRO, rows[:, 1])


# In part of the recordings the phone has no gyroscope; all four SensorTags together are whole in two thirds only.
SET = RealSet(read_umafall, ACTIVITIES, ("chest", "right_wrist"))
