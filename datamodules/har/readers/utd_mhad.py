"""UTD-MHAD: one inertial unit on the right wrist or the right thigh of 8 people, 27 actions, 50 Hz.

Chen, Jafari, Kehtarnavaz 2015, UTD-MHAD: a multimodal dataset for human action recognition utilizing a depth camera
and a wearable inertial sensor, doi 10.1109/ICIP.2015.7350781. The user downloads it. Layout, units (g, deg/s), sites
and actions: the set's page and paper.
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

RATE_HZ = 50.0

FIRST_THIGH_ACTION = 22
"""Actions 1 to 21 were done with the unit on the wrist, 22 to 27 with it on the thigh."""

ACTIVITIES: Mapping[str, str] = {
    **{"1": "swipe_left", "2": "swipe_right", "3": "hand_wave", "4": "front_clap", "5": "throwing"},
    **{"6": "crossing_arms", "7": "basketball_shoot", "8": "draw_x", "9": "draw_circle_clockwise"},
    **{"10": "draw_circle_counter_clockwise", "11": "draw_triangle", "12": "bowling", "13": "boxing"},
    **{"14": "baseball_swing", "15": "tennis_forehand", "16": "arm_curl", "17": "tennis_serve"},
    **{"18": "two_hand_push", "19": "knocking", "20": "catching_object", "21": "picking_up_and_throwing"},
    **{"22": "jogging_in_place", "23": "walking_in_place", "24": "sit_to_stand", "25": "stand_to_sit"},
    **{"26": "forward_lunge", "27": "squatting"},
}
"""Number after ``a`` in the name of a file -> activity."""

MOUNTING = (
    "unit on the right wrist (actions 1 to 21) or the right thigh (22 to 27); by gravity in the published files x "
    "points to the fingers at the wrist and down the thigh at the thigh"
)

FILES = SetFiles(
    r"a(\d+)_s(\d+)_t(\d+)_inertial\.mat",
    "aN_sN_tN_inertial.mat of UTD-MHAD",
    "https://personal.utdallas.edu/~kehtar/UTD-MHAD.html",
)


def is_test(recording: Recording) -> bool:
    """Whether a recording is of an even-numbered subject, on whom the paper tests."""
    return recording.subject is not None and int(recording.subject) % 2 == 0


def read_utd_mhad(root: Path | None, reading: Reading) -> Iterator[Recording]:
    """Read UTD-MHAD: MATLAB files with ``d_iner`` (T, 6), acceleration in g with gravity, rate in deg/s.

    Args:
        root: folder that holds the ``_inertial.mat`` files.
        reading: rules of this pass.

    Yields:
        One recording for each file; its site depends on the action.

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: a file is damaged or holds something else.
    """
    yield from reading.each(FILES.find(root), lambda found: _parse(*found, reading), lambda found: str(found[0]))


def _parse(path: Path, match: re.Match[str], reading: Reading) -> list[Recording]:
    action, subject, trial = (str(int(text)) for text in match.groups())
    values = read_mat(path, ["d_iner"]).get("d_iner")
    if values is None or values.ndim != 2 or values.shape[1] != 6:
        shape = "no array" if values is None else f"shape {values.shape}"
        raise ValueError(f"d_iner in {path} has {shape}, expected (T, 6); download it anew")
    facts = RecordingFacts(subject, f"utd_mhad/{subject}/a{action}t{trial}", MOUNTING, str(path))
    return [
        record_even(
            values[:, None, :3] * unit_factor("g", "accel"),
            values[:, None, 3:] * unit_factor("deg/s", "gyro"),
            name_one(action, ACTIVITIES, str(path)),
            facts,
            placements=("right_thigh" if int(action) >= FIRST_THIGH_ACTION else "right_wrist",),
            rate_hz=RATE_HZ,
            reading=reading,
        )
    ]


# Six of the 27 actions were done with the unit on the thigh.
SET = RealSet(read_utd_mhad, ACTIVITIES, ("right_wrist",), is_test=is_test)
