"""HAPT as UCI publishes it: raw text of each experiment and sensor, and ``labels.txt`` beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.har.parsing.label_codes import name_codes
from datamodules.har.parsing.number_table import read_number_table
from datamodules.har.recordings.reading import Reading, SetFiles
from datamodules.har.recordings.recording import Recording

FILES = SetFiles(
    r"rawdata/(acc|gyro)_exp(\d+)_user(\d+)\.txt",
    "RawData/acc_expNN_userNN.txt of HAPT",
    "https://archive.ics.uci.edu/dataset/341/smartphone+based+recognition+of+human+activities+and+postural+transitions",
)

_BEYOND = 50
"""Samples by which labels may run beyond a file before it counts as cut off."""

Record = Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], str, int, str], Recording]
"""Makes a recording of acceleration [g], rate [rad/s], label of each sample, subject, its number and the file."""


def read_raw(root: Path, reading: Reading, activities: Mapping[str, str], record: Record) -> Iterator[Recording]:
    """Read ``RawData``: three columns for each sensor, and labels.

    A line of ``labels.txt`` is experiment, user, activity, first and last sample, counted from 1.

    Args:
        root: folder that holds ``RawData``.
        reading: rules of this pass.
        activities: number of an activity -> its name.
        record: makes a recording of what was read.

    Raises:
        ValueError: a file is missing, damaged, cut off or there twice, or a label is unknown.
    """
    pairs = _pair_files(root, reading)
    spans: dict[Path, NDArray[np.float64]] = {}
    numbers: dict[int, int] = {}
    for folder, user, _experiment in pairs:
        if not (folder / "labels.txt").is_file():
            raise ValueError(f"{folder / 'labels.txt'} is missing beside the recordings of HAPT; download the set anew")
        spans[folder] = read_number_table(folder / "labels.txt", columns=5, take=range(5))
        numbers[user] = 0

    def parse(item: tuple[tuple[Path, int, int], dict[str, Path]]) -> list[Recording]:
        (folder, user, experiment), files = item
        for sensor in ("acc", "gyro"):
            if sensor not in files:
                raise ValueError(f"{sensor}_exp{experiment:02d}_user{user:02d}.txt is missing in {folder}")
        accel, gyro = (read_number_table(files[sensor], columns=3, take=range(3)) for sensor in ("acc", "gyro"))
        if len(accel) != len(gyro):
            raise ValueError(f"{files['gyro']} has {len(gyro)} samples, expected {len(accel)} like {files['acc']}")
        own = spans[folder][(spans[folder][:, 0] == experiment) & (spans[folder][:, 1] == user)]
        name_codes(own[:, 2], activities, f"{folder}/labels.txt, experiment {experiment}")
        code = np.zeros(len(accel), dtype=np.int64)
        for _, _, activity, first, last in own:
            if last > len(code) + _BEYOND:
                raise ValueError(
                    f"{files['acc']} has {len(code)} samples, expected {int(last)} or more by labels.txt; the file is "
                    "cut off, download it anew"
                )
            code[int(first) - 1 : int(last)] = int(activity)
        numbers[user] += 1
        return [record(accel, gyro, code, str(user), numbers[user] - 1, str(files["acc"]))]

    ordered = sorted(pairs.items(), key=lambda item: (item[0][1], item[0][2]))
    yield from reading.each(ordered, parse, lambda item: str(next(iter(item[1].values()))))


def _pair_files(root: Path, reading: Reading) -> dict[tuple[Path, int, int], dict[str, Path]]:
    """Files of both sensors by folder, user and experiment; a second copy is refused."""
    pairs: dict[tuple[Path, int, int], dict[str, Path]] = {}
    known: dict[tuple[str, int, int], Path] = {}
    for path, match in FILES.find(root):
        sensor, experiment, user = match.group(1).lower(), int(match.group(2)), int(match.group(3))
        first = known.setdefault((sensor, experiment, user), path)
        if first == path:
            pairs.setdefault((path.parent, user, experiment), {})[sensor] = path
        else:
            reading.refuse_twin(str(path), str(first), f"experiment {experiment} of user {user}")
    return pairs
