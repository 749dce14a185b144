"""WISDM v1.1: accelerometer of an Android phone in the front trouser pocket of 36 people, 6 activities, 20 Hz.

Kwapisz, Weiss, Moore 2010, Activity recognition using cell phone accelerometers, doi 10.1145/1964897.1964918; layout
and units: WISDM_ar_v1.1_raw_about.txt. The user downloads it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np

from datamodules.har.parsing.units import unit_factor
from datamodules.har.recordings.building import RecordingFacts, SensorTrack, record_tracks
from datamodules.har.recordings.reading import Reading, SetFiles
from datamodules.har.recordings.recording import Recording
from datamodules.har.recordings.stamps import ClockRule

logger = logging.getLogger(__name__)

CLOCK = ClockRule(rate_hz=20.0, duplicates="average")

PLACEMENTS = ("right_pocket",)

V1_ACTIVITIES: Mapping[str, str] = {
    **{"Walking": "walking", "Jogging": "jogging", "Upstairs": "walking_upstairs"},
    **{"Downstairs": "walking_downstairs", "Sitting": "sitting", "Standing": "standing"},
}
"""Name in the file -> activity."""

MOUNTING = (
    "Android phone loose in the front trouser pocket; *which side is not stated. Axes of Android devices: x to the "
    "right of the screen, y to its top, z out of it"
)

V1_FILES = SetFiles(
    r"wisdm_ar_v1\.1_raw\.txt", "WISDM_ar_v1.1_raw.txt of WISDM", "https://www.cis.fordham.edu/wisdm/dataset.php"
)

_RECORD = re.compile(
    rb"(\d+),([A-Za-z]+),(\d+),(-?[\d.]+(?:[eE]-?\d+)?),(-?[\d.]+(?:[eE]-?\d+)?),(-?[\d.]+(?:[eE]-?\d+)?)"
)


def read_wisdm_2010(root: Path, reading: Reading) -> Iterator[Recording]:
    """Read WISDM v1.1: ``user,activity,time [ns],x,y,z;``, several of them on some lines, broken off on others.

    Acceleration comes in m/s^2 (10 stands for 1 g in the file's description) and includes gravity. Broken records and
    those with time stamp 0 are left out and counted in the log. A new recording starts where user or activity changes
    or the time runs backwards.

    Args:
        root: folder that holds the file.
        reading: rules of this pass.

    Yields:
        One recording for each go at an activity, or several where samples are missing for long.

    Raises:
        ValueError: the file holds no record, or an unknown activity.
    """
    yield from reading.each(V1_FILES.find(root), lambda found: _parse(found[0], reading), lambda found: str(found[0]))


def _parse(path: Path, reading: Reading) -> Iterator[Recording]:
    data = path.read_bytes()
    records = _RECORD.findall(data)
    if not records:
        raise ValueError(f"{path} holds no record user,activity,time,x,y,z; download it anew")
    pieces = sum(1 for piece in re.split(rb"[;\n]", data) if piece.strip(b" \t\r,"))
    users, names, stamps, *axes = zip(*records, strict=True)
    time_s = np.array(stamps, dtype=np.float64) * unit_factor("ns", "time")
    values = np.array(axes, dtype=np.float64).T
    good = time_s > 0
    logger.info("%s: %d broken records and %d without a time left out", path, pieces - len(records), int((~good).sum()))
    people, activities = np.array(users)[good], np.array(names)[good]
    time_s, values = time_s[good], values[good]
    new = (people[1:] != people[:-1]) | (activities[1:] != activities[:-1]) | (np.diff(time_s) < 0)
    edges = [0, *(np.flatnonzero(new) + 1).tolist(), len(time_s)]
    numbers: dict[str, int] = {}
    for a, b in pairwise(edges):
        name, subject = activities[a].decode(), people[a].decode()
        if name not in V1_ACTIVITIES:
            raise ValueError(f"{path} has activity {name!r}, expected one of {list(V1_ACTIVITIES)}")
        if b - a < 3 or time_s[b - 1] - time_s[a] < 0.1:
            continue
        numbers[subject] = numbers.get(subject, -1) + 1
        facts = RecordingFacts(subject, f"wisdm_2010/{subject}/{numbers[subject]}", MOUNTING, str(path))
        tracks = [SensorTrack(PLACEMENTS[0], "accel", time_s[a:b], values[a:b])]
        yield from record_tracks(tracks, V1_ACTIVITIES[name], facts, CLOCK, reading)
