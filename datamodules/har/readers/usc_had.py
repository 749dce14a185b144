"""USC-HAD: MotionNode at the front right hip of 14 people, 12 activities, 100 Hz.

Zhang, Sawchuk 2012, USC-HAD: a daily activity dataset for ubiquitous activity recognition using wearable sensors,
doi 10.1145/2370216.2370438. The user downloads it. Layout, units (g, deg/s) and activity numbers: the set's Readme.txt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from datamodules.har.parsing.label_codes import name_one
from datamodules.har.parsing.mat_files import read_mat
from datamodules.har.parsing.units import unit_factor
from datamodules.har.recordings.building import RecordingFacts, record_even
from datamodules.har.recordings.reading import Reading, SetFiles
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.recordings.recording import Recording

RATE_HZ = 100.0

PLACEMENTS = ("right_hip",)

ACTIVITIES: Mapping[str, str] = {
    **{"1": "walking", "2": "walking_left", "3": "walking_right", "4": "walking_upstairs"},
    **{"5": "walking_downstairs", "6": "running", "7": "jumping", "8": "sitting", "9": "standing"},
    **{"10": "sleeping", "11": "elevator_up", "12": "elevator_down"},
}
"""Number after ``a`` in the name of a file -> activity (Readme.txt)."""

MOUNTING = (
    "MotionNode in a mobile phone pouch at the front right hip (sensor_location in the files); *the paper is said to "
    "point x to the ground, while standing is said to read about +1 g along x: check the sign with imuforge recordings "
    "inspect usc_had ROOT"
)

FILES = SetFiles(r"subject(\d+)/a(\d+)t(\d+)\.mat", "SubjectN/aNtN.mat of USC-HAD", "https://sipi.usc.edu/had/")


def read_usc_had(root: Path | None, reading: Reading) -> Iterator[Recording]:
    """Read USC-HAD: MATLAB files with ``sensor_readings`` (T, 6), acceleration in g with gravity, rate in deg/s.

    Subject and activity come from the names: the variable with the activity is misspelt in some files
    (``activity_numbr``) and text in others.

    Args:
        root: folder that holds ``Subject1`` to ``Subject14``.
        reading: rules of this pass.

    Yields:
        One recording for each file.

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: a file is damaged or holds something else.
    """
    yield from reading.each(FILES.find(root), lambda found: _parse(*found, reading), lambda found: str(found[0]))


def _parse(path: Path, match: re.Match[str], reading: Reading) -> list[Recording]:
    subject, activity, trial = (str(int(text)) for text in match.groups())
    values = read_mat(path, ["sensor_readings"]).get("sensor_readings")
    if values is None or values.ndim != 2 or values.shape[1] != 6:
        shape = "no array" if values is None else f"shape {values.shape}"
        raise ValueError(f"sensor_readings in {path} has {shape}, expected (T, 6); download it anew")
    facts = RecordingFacts(subject, f"usc_had/{subject}/a{activity}t{trial}", MOUNTING, str(path))
    return [
        record_even(
            values[:, None, :3] * unit_factor("g", "accel"),
            values[:, None, 3:] * unit_factor("deg/s", "gyro"),
            name_one(activity, ACTIVITIES, str(path)),
            facts,
            placements=PLACEMENTS,
            rate_hz=RATE_HZ,
            reading=reading,
        )
    ]


SET = RealSet(read_usc_had, ACTIVITIES, PLACEMENTS)
