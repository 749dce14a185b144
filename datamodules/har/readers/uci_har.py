"""UCI HAR: smartphone on the waist of 30 people, six activities, 50 Hz, published as overlapping windows.

Anguita, Ghio, Oneto, Parra, Reyes-Ortiz 2013, A public domain dataset for human activity recognition using
smartphones, ESANN; UCI data set 240, CC BY 4.0. The user downloads it. Layout, units and labels: its README.txt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.har.parsing.label_codes import name_codes
from datamodules.har.parsing.number_table import read_number_table
from datamodules.har.parsing.units import unit_factor
from datamodules.har.recordings.building import RecordingFacts, record_even
from datamodules.har.recordings.reading import Reading, SetFiles
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.recordings.recording import Recording

RATE_HZ = 50.0

SAMPLES = 128
"""Samples in a window of 2.56 s; the next one starts 64 samples later."""

PLACEMENTS = ("waist",)

ACTIVITIES: Mapping[str, str] = {
    **{"1": "walking", "2": "walking_upstairs", "3": "walking_downstairs"},
    **{"4": "sitting", "5": "standing", "6": "lying"},
}
"""Number in y_train.txt -> activity (activity_labels.txt)."""

MOUNTING = (
    "phone on the waist (README.txt); the same recordings as HAPT's, where standing reads gravity along +x: x up, z "
    "outward, y horizontal"
)

FILES = SetFiles(
    r"(train|test)/inertial signals/total_acc_x_(?:train|test)\.txt",
    "train/Inertial Signals/total_acc_x_train.txt of UCI HAR",
    "https://archive.ics.uci.edu/dataset/240/human+activity+recognition+using+smartphones",
)


def is_test(recording: Recording) -> bool:
    """Whether a recording belongs to the official test split."""
    return recording.trial.startswith("uci_har/test/")


def read_uci_har(root: Path | None, reading: Reading) -> Iterator[Recording]:
    """Read UCI HAR: one file for each axis, a window of 128 samples a line; total_acc in g, body_gyro in rad/s.

    Windows of one person whose first half repeats the last half of the window before are joined again, so that no
    sample comes twice. Where the two halves' labels differ, the samples they share are unlabelled.

    Args:
        root: folder that holds ``UCI HAR Dataset``, or that folder.
        reading: rules of this pass.

    Yields:
        One recording for each stretch of joined windows.

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: files are missing, damaged or of different lengths.
    """
    found: dict[str, Path] = {}
    for path, match in FILES.find(root):
        split = match.group(1).lower()
        if split in found:
            reading.refuse_twin(str(path), str(found[split]), f"uci_har/{split}")
        found.setdefault(split, path)
    yield from reading.each(found.items(), lambda each: _parse(each[0], each[1], reading), lambda each: str(each[1]))


def _parse(split: str, total_acc_x: Path, reading: Reading) -> list[Recording]:
    folder = total_acc_x.parent
    signals = []
    for name in ("total_acc", "body_gyro"):
        axes = [
            read_number_table(_beside(folder / f"{name}_{axis}_{split}.txt"), columns=SAMPLES, take=range(SAMPLES))
            for axis in "xyz"
        ]
        if len({len(axis) for axis in axes}) > 1:
            raise ValueError(f"the axes of {name} in {folder} have {[len(a) for a in axes]} windows, expected as many")
        signals.append(np.stack(axes, axis=-1))
    accel, gyro = signals
    codes, people = (
        read_number_table(_beside(folder.parent / f"{name}_{split}.txt"), columns=1, take=[0])[:, 0]
        for name in ("y", "subject")
    )
    counts = {"total_acc": len(accel), "body_gyro": len(gyro), "y": len(codes), "subject": len(people)}
    if len(set(counts.values())) > 1:
        raise ValueError(f"files of {split} in {folder.parent} have {counts} windows, expected as many; download anew")
    labels = name_codes(codes, ACTIVITIES, str(folder.parent / f"y_{split}.txt"))
    values = np.concatenate([accel * unit_factor("g", "accel"), gyro], axis=-1)
    recordings, numbers = [], dict[int, int]()
    for a, b in _joined_runs(values, people):
        joined, names = join_windows(values[a:b], labels[a:b])
        person = int(people[a])
        numbers[person] = numbers.get(person, -1) + 1
        facts = RecordingFacts(str(person), f"uci_har/{split}/{person}/{numbers[person]}", MOUNTING, str(total_acc_x))
        recordings.append(
            record_even(
                joined[:, None, :3],
                joined[:, None, 3:],
                names,
                facts,
                placements=PLACEMENTS,
                rate_hz=RATE_HZ,
                reading=reading,
            )
        )
    return recordings


def join_windows(
    windows: NDArray[np.float64], labels: NDArray[np.str_]
) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Join windows ``(N, T, C)`` that overlap by half -> samples ``((N + 1) T / 2, C)`` and their labels."""
    half = windows.shape[1] // 2
    samples = np.concatenate([windows[0, :half], windows[:, half:].reshape(-1, windows.shape[2])])
    shared = np.where(labels[1:] == labels[:-1], labels[1:], "")
    return samples, np.repeat(np.concatenate([labels[:1], shared, labels[-1:]]), half)


def _joined_runs(windows: NDArray[np.float64], people: NDArray[np.float64]) -> list[tuple[int, int]]:
    """First and last (exclusive) of windows that follow on one another."""
    half = windows.shape[1] // 2
    follows = (people[1:] == people[:-1]) & np.isclose(windows[1:, :half], windows[:-1, half:], atol=1e-6).all(
        axis=(1, 2)
    )
    edges = [0, *(np.flatnonzero(~follows) + 1).tolist(), len(windows)]
    return list(pairwise(edges))


def _beside(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"{path} is missing beside the other files of UCI HAR; download the set anew")
    return path


SET = RealSet(read_uci_har, ACTIVITIES, PLACEMENTS, is_test=is_test)
