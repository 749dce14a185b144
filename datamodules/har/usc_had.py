"""USC-HAD: one MotionNode unit on the front right hip of 14 people, 12 activities, 100 Hz.

Zhang and Sawchuk 2012, USC-HAD: a daily activity dataset for ubiquitous activity recognition using wearable sensors,
doi:10.1145/2370216.2370438. Units and codes after its Readme.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from datamodules.har.matlab import read_matlab_array
from datamodules.har.reading import DEFAULT_OPTIONS, ReadingAccount, ReadOptions, find_files, read_each
from datamodules.har.recording import Recording
from sim.conventions import STANDARD_GRAVITY

RATE_HZ = 100.0
LABELS = (
    *("walking_forward", "walking_left", "walking_right", "ascending_stairs", "descending_stairs", "running"),
    *("jumping", "sitting", "standing", "sleeping", "elevator_up", "elevator_down"),
)
"""Names of the activities 1 to 12, in the Readme's order."""

MOUNTING = "a pouch at the front right hip; x points to the ground, y forward, z to the right, as the Readme has it *"
SOURCE = "https://sipi.usc.edu/had/"


def read_usc_had(root: Path | None = None, options: ReadOptions = DEFAULT_OPTIONS) -> Iterator[Recording]:
    """Read USC-HAD: one file for each person, activity and trial; acceleration in g with gravity, rate in deg/s.

    ``*`` in the mounting: from memory of the Readme, not checked against it.

    Args:
        root: folder that holds ``SubjectN/aAtT.mat``.
        options: what to do about bad files.

    Yields:
        One recording for each file.

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: a file is damaged, or its name states an unknown activity.
    """
    account = ReadingAccount("usc_had")
    patterns = ["Subject*/a*t*.mat", "USC-HAD/Subject*/a*t*.mat", "*/Subject*/a*t*.mat"]
    files = find_files(root, patterns, set_name="USC-HAD", layout="SubjectN/aAtT.mat", source=SOURCE)
    yield from read_each(files, _read_trial, options, account)


def _read_trial(path: Path) -> Iterator[Recording]:
    name = re.fullmatch(r"a(\d+)t(\d+)", path.stem)
    code = int(name.group(1)) if name else 0
    if not 1 <= code <= len(LABELS):
        raise ValueError(f"{path} is called {path.name}, expected a1t1.mat to a{len(LABELS)}tN.mat; remove it")
    rows = read_matlab_array(path, "sensor_readings", num_columns=6)
    subject = path.parent.name.removeprefix("Subject")
    yield Recording(
        accel=(rows[:, None, :3] * STANDARD_GRAVITY).astype(np.float32),
        gyro=np.deg2rad(rows[:, None, 3:]).astype(np.float32),
        gravity_included=True,
        rate_hz=RATE_HZ,
        labels=LABELS[code - 1],
        subject=subject,
        trial=f"usc_had/{subject}/{path.stem}",
        placements=("right_pocket",),
        mounting=MOUNTING,
    )
