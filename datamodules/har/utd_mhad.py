"""UTD-MHAD: one unit on the right wrist (21 actions) or the right thigh (6 actions) of eight people, 50 Hz.

Chen, Jafari, Kehtarnavaz 2015, UTD-MHAD: a multimodal dataset for human action recognition utilizing a depth camera and
a wearable inertial sensor, doi:10.1109/ICIP.2015.7350781. Depth and skeleton files are left alone.
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

RATE_HZ = 50.0
LABELS = (
    *("swipe_left", "swipe_right", "wave", "clap", "throw", "cross_arms", "basketball_shoot", "draw_x"),
    *("draw_circle_clockwise", "draw_circle_counter_clockwise", "draw_triangle", "bowling", "boxing"),
    *("baseball_swing", "tennis_swing", "arm_curl", "tennis_serve", "push", "knock", "catch", "pick_up_and_throw"),
    *("jogging", "walking", "sit_to_stand", "stand_to_sit", "lunge", "squat"),
)
"""Names of the actions 1 to 27; from 22 on the unit is on the thigh."""

FIRST_ON_THIGH = 22
MOUNTING = "strapped on; the axes are not documented, read them off gravity"
SOURCE = "https://personal.utdallas.edu/~kehtar/UTD-MHAD.html"


def read_utd_mhad(root: Path | None = None, options: ReadOptions = DEFAULT_OPTIONS) -> Iterator[Recording]:
    """Read the inertial part of UTD-MHAD: ``d_iner``, acceleration in g with gravity, rate in deg/s.

    Args:
        root: folder that holds ``Inertial/aA_sS_tT_inertial.mat``, or the files.
        options: what to do about bad files.

    Yields:
        One recording for each file; its one site is the right wrist or the right thigh.

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: a file is damaged, or its name states an unknown action.
    """
    account = ReadingAccount("utd_mhad")
    patterns = [f"{folder}a*_s*_t*_inertial.mat" for folder in ("Inertial/", "", "*/Inertial/", "*/")]
    files = find_files(root, patterns, set_name="UTD-MHAD", layout="Inertial/aA_sS_tT_inertial.mat", source=SOURCE)
    yield from read_each(files, _read_trial, options, account)


def _read_trial(path: Path) -> Iterator[Recording]:
    name = re.fullmatch(r"a(\d+)_s(\d+)_t(\d+)_inertial", path.stem)
    code = int(name.group(1)) if name else 0
    if name is None or not 1 <= code <= len(LABELS):
        raise ValueError(f"{path} is called {path.name}, expected aA_sS_tT_inertial.mat, A to {len(LABELS)}")
    rows = read_matlab_array(path, "d_iner", num_columns=6)
    yield Recording(
        accel=(rows[:, None, :3] * STANDARD_GRAVITY).astype(np.float32),
        gyro=np.deg2rad(rows[:, None, 3:]).astype(np.float32),
        gravity_included=True,
        rate_hz=RATE_HZ,
        labels=LABELS[code - 1],
        subject=name.group(2),
        trial=f"utd_mhad/{name.group(2)}/a{code}t{name.group(3)}",
        placements=("right_thigh" if code >= FIRST_ON_THIGH else "right_wrist",),
        mounting=MOUNTING,
    )
