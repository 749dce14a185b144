"""MotionSense: iPhone 6s in the front trouser pocket of 24 people, 6 activities, 50 Hz.

Malekzadeh, Clegg, Cavallaro, Haddadi 2019, Mobile sensor data anonymization, doi 10.1145/3302505.3310068; the set is
in the repository mmalekzadeh/motion-sense, whose README states columns and labels. The user downloads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from datamodules.har.parsing.label_codes import name_one
from datamodules.har.parsing.named_table import parse_named_table
from datamodules.har.parsing.units import unit_factor
from datamodules.har.recordings.building import RecordingFacts, record_even
from datamodules.har.recordings.reading import Reading, SetFiles
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.recordings.recording import Recording

RATE_HZ = 50.0

PLACEMENTS = ("right_pocket",)
"""The front pocket; *which side is not stated."""

ACTIVITIES: Mapping[str, str] = {
    **{"dws": "walking_downstairs", "ups": "walking_upstairs", "sit": "sitting", "std": "standing"},
    **{"wlk": "walking", "jog": "jogging"},
}
"""First part of a folder's name -> activity (README)."""

MOUNTING = (
    "iPhone 6s loose in the front trouser pocket, turned anyhow (README: handed to the participant, who put it in). "
    "Axes of the phone: x to the right of the screen, y to its top, z out of it (Apple, CMDeviceMotion)"
)

FILES = SetFiles(
    r"(dws|ups|sit|std|wlk|jog)_(\d+)/sub_(\d+)\.csv",
    "A_DeviceMotion_data/wlk_7/sub_1.csv of MotionSense",
    "https://github.com/mmalekzadeh/motion-sense (data/A_DeviceMotion_data.zip)",
)


def read_motionsense(root: Path | None, reading: Reading) -> Iterator[Recording]:
    """Read MotionSense: CSV of gravity and userAcceleration in g, rotationRate in rad/s, and attitude.

    CoreMotion counts acceleration against the sense of specific force: a phone that lies on its back reads gravity
    (0, 0, -1) (Apple, Getting raw accelerometer events; CMDeviceMotion.gravity), and total acceleration is gravity +
    userAcceleration. So specific force is ``-(gravity + userAcceleration) * 9.80665``. The rotation rate follows the
    right-hand rule and stays as it is. Folders ``B_`` and ``C_`` (raw sensors on clocks of their own) are left out.

    Args:
        root: folder that holds ``A_DeviceMotion_data``, or that folder.
        reading: rules of this pass.

    Yields:
        One recording for each file.

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: a file lacks a column or holds something that is not a number.
    """
    found = [
        (path, match)
        for path, match in FILES.find(root)
        if not any(re.match(r"[bc]_(accel|gyro)", part.lower()) for part in path.parts)
    ]
    if not found:
        raise FileNotFoundError(FILES.explain(root))
    yield from reading.each(found, lambda each: _parse(*each, reading), lambda each: str(each[0]))


def _parse(path: Path, match: re.Match[str], reading: Reading) -> list[Recording]:
    code, trial, subject = match.group(1).lower(), int(match.group(2)), str(int(match.group(3)))
    table = parse_named_table(path.read_bytes(), str(path))
    gravity, user, rate = (
        table.numbers([f"{name}.{axis}" for axis in "xyz"]) for name in ("gravity", "userAcceleration", "rotationRate")
    )
    return [
        record_even(
            -(gravity + user)[:, None] * unit_factor("g", "accel"),
            rate[:, None],
            name_one(code, ACTIVITIES, str(path)),
            RecordingFacts(subject, f"motionsense/{code}_{trial}/{subject}", MOUNTING, str(path)),
            placements=PLACEMENTS,
            rate_hz=RATE_HZ,
            reading=reading,
        )
    ]


SET = RealSet(read_motionsense, ACTIVITIES, PLACEMENTS)
