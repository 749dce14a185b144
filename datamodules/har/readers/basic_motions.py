"""BasicMotions: a smart watch worn by four students, four activities, 10 s at 10 Hz each; UEA archive.

Bagnall et al. 2018, The UEA multivariate time series classification archive, arXiv 1811.00075; the ``.ts`` files come
with the pip package aeon. **Not subject-independent**: the files do not say who wore the watch, and all four may be
on both sides of the official split, so no claim about new people can rest on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from datamodules.har.parsing.packages import locate_in_package
from datamodules.har.recordings.building import RecordingFacts, record_even
from datamodules.har.recordings.reading import Reading
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.recordings.recording import Recording
from datamodules.har.recordings.sources import packaged_files

RATE_HZ = 10.0
"""One sample every tenth of a second, as the header of the files says [Hz]."""

LABELS = ("standing", "walking", "running", "badminton")

ACTIVITIES: Mapping[str, str] = {label: label for label in LABELS}
"""Label of the files, in small letters -> activity."""

MOUNTING = (
    "smart watch on a wrist; which wrist and how the axes lie is not documented, and without gravity in the "
    "accelerometer it cannot be read off the data: treat all axis permutations as equally likely"
)

list_sources = packaged_files("aeon", "BasicMotions_TRAIN.ts", "BasicMotions_TEST.ts")


def is_test(recording: Recording) -> bool:
    """Whether a recording belongs to the official test split."""
    return recording.trial.startswith("basic_motions/test/")


def read_basic_motions(root: Path | None, reading: Reading) -> Iterator[Recording]:
    """Read BasicMotions: 40 training and 40 test series of 100 samples, ten for each activity and split.

    The six dimensions are accelerometer x, y, z and gyroscope x, y, z. No unit is stated; the acceleration is
    gravity-free and fits m/s^2 (median norm 0.56 standing, 3.2 walking, 16.8 running in the training files, where
    anything with gravity in it would show 9.8 or 1 at rest), the gyroscope fits rad/s (medians 0.23, 1.4, 5.1).
    About one sample in ten repeats the one before it: the watch was polled faster than it delivered.

    Args:
        root: folder with ``BasicMotions_TRAIN.ts`` and ``BasicMotions_TEST.ts``; None finds the installed package's.
        reading: rules of this pass.

    Yields:
        Training series, then test series; ``trial`` starts with ``basic_motions/train`` or ``basic_motions/test``.

    Raises:
        FileNotFoundError: the package is not installed, or ``root`` lacks a file.
        ValueError: a line of a file is not a labelled series of six dimensions.
    """
    for split in ("train", "test"):
        path = _locate(root, f"BasicMotions_{split.upper()}.ts")
        text = path.read_text(encoding="utf-8")
        lines = [line for line in text.partition("@data")[2].splitlines() if line.strip()]
        if not lines:
            raise ValueError(f"{path} holds no series after @data, expected 40; reinstall the package aeon")
        for number, line in enumerate(lines):
            values, label = _parse_series(line, f"{path.name}, series {number + 1}")
            facts = RecordingFacts(
                None, f"basic_motions/{split}/{number}", MOUNTING, f"{path} series {number + 1}", False
            )
            yield record_even(
                values[:, None, :3],
                values[:, None, 3:],
                label,
                facts,
                placements=("right_wrist",),
                rate_hz=RATE_HZ,
                reading=reading,
            )


def _parse_series(line: str, where: str) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float32]], str]:
    """One line of a ``.ts`` file: dimensions parted by ``:``, samples by ``,``, the label last -> ``(T, 6)``, label."""
    *dimensions, label = line.strip().split(":")
    lengths = {dimension.count(",") + 1 for dimension in dimensions}
    if len(dimensions) != 6 or len(lengths) != 1 or label.lower() not in LABELS:
        raise ValueError(
            f"{where} has {len(dimensions)} dimensions of lengths {sorted(lengths)} and label {label!r}, expected 6 of "
            f"one length and a label of {list(LABELS)}; reinstall the package aeon"
        )
    samples = np.array([dimension.split(",") for dimension in dimensions], dtype=np.float32)
    return samples.T.copy(), label.lower()


def _locate(root: Path | None, file_name: str) -> Path:
    if root is None:
        return locate_in_package("aeon", file_name)
    if not (root / file_name).is_file():
        raise FileNotFoundError(
            f'{file_name} not found in {root}; give root=None and install it with: pip install "imuforge[har]"'
        )
    return root / file_name


SET = RealSet(
    read_basic_motions, ACTIVITIES, ("right_wrist",), is_test=is_test, subject_independent=False, sources=list_sources
)
