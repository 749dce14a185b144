"""MotionSense: an iPhone 6s in the front trouser pocket of 24 people, six activities, 50 Hz.

Malekzadeh, Clegg, Cavallaro, Haddadi 2018, Protecting sensory data against sensitive inferences,
doi:10.1145/3195258.3195260; the folder ``A_DeviceMotion_data`` of github.com/mmalekzadeh/motion-sense.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from datamodules.har.reading import DEFAULT_OPTIONS, ReadingAccount, ReadOptions, find_files, read_each
from datamodules.har.recording import Recording
from datamodules.har.tables import read_named, to_numbers
from sim.conventions import STANDARD_GRAVITY

RATE_HZ = 50.0
ACTIVITIES = {
    "dws": "descending_stairs", "ups": "ascending_stairs", "sit": "sitting", "std": "standing", "wlk": "walking",
    "jog": "jogging",
}  # fmt: skip
LABELS = tuple(ACTIVITIES.values())
COLUMNS = tuple(f"{kind}.{axis}" for kind in ("gravity", "userAcceleration", "rotationRate") for axis in "xyz")
MOUNTING = (
    "iPhone in a front trouser pocket, either way round and side not documented; axes of iOS: x to the right of the "
    "screen, y to its top, z out of it"
)
SOURCE = "https://github.com/mmalekzadeh/motion-sense"


def read_motionsense(root: Path | None = None, options: ReadOptions = DEFAULT_OPTIONS) -> Iterator[Recording]:
    """Read MotionSense: one file for each person and trial.

    iOS reports ``gravity`` as the direction of falling, in g: a phone lying face up reads -1 along z
    (developer.apple.com, CMDeviceMotion: the accelerometer measures the sum of gravity and user acceleration). That is
    the negative of specific force, so ``accel`` here is -(gravity + userAcceleration) times 9.80665 m/s^2.

    Args:
        root: folder that holds ``A_DeviceMotion_data/CODE_TRIAL/sub_N.csv``, or the folders of trials.
        options: what to do about bad files.

    Yields:
        One recording for each file.

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: a file is damaged, or its folder states an unknown activity.
    """
    account = ReadingAccount("motionsense")
    patterns = [f"{folder}*_*/sub_*.csv" for folder in ("A_DeviceMotion_data/", "*/A_DeviceMotion_data/", "", "*/")]
    files = find_files(
        root, patterns, set_name="MotionSense", layout="A_DeviceMotion_data/wlk_7/sub_1.csv", source=SOURCE
    )
    yield from read_each(files, _read_trial, options, account)


def _read_trial(path: Path) -> Iterator[Recording]:
    code, _, trial = path.parent.name.partition("_")
    if code not in ACTIVITIES:
        raise ValueError(f"{path} lies in {path.parent.name}, expected a folder of {list(ACTIVITIES)}_N; remove it")
    rows = to_numbers(read_named(path, where=str(path), columns=COLUMNS), where=str(path))
    found = re.search(r"\d+", path.stem)
    subject = path.stem if found is None else found.group()
    yield Recording(
        accel=(-STANDARD_GRAVITY * (rows[:, None, 0:3] + rows[:, None, 3:6])).astype(np.float32),
        gyro=rows[:, None, 6:9].astype(np.float32),
        gravity_included=True,
        rate_hz=RATE_HZ,
        labels=ACTIVITIES[code],
        subject=subject,
        trial=f"motionsense/{subject}/{code}_{trial}",
        placements=("left_pocket",),
        mounting=MOUNTING,
    )
