"""WISDM 2019: phone in the pocket and watch on the dominant hand of 51 people, 18 activities, 20 Hz.

Weiss, Yoneda, Hayajneh 2019, Smartphone and smartwatch-based biometrics using activities of daily living,
doi:10.1109/ACCESS.2019.2940729; UCI data set 507. Layout and codes after its description; the older WISDM v1.1 (one
file, accelerometer only) is another set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from datamodules.har.reading import DEFAULT_OPTIONS, ReadingAccount, ReadOptions, find_files, read_each
from datamodules.har.recording import Recording
from datamodules.har.timing import align_streams

RATE_HZ = 20.0
ACTIVITIES = {
    "A": "walking", "B": "jogging", "C": "stairs", "D": "sitting", "E": "standing", "F": "typing",
    "G": "brushing_teeth", "H": "eating_soup", "I": "eating_chips", "J": "eating_pasta", "K": "drinking",
    "L": "eating_sandwich", "M": "kicking_ball", "O": "catching_ball", "P": "dribbling_basketball", "Q": "writing",
    "R": "clapping", "S": "folding_clothes",
}  # fmt: skip
"""Names of the codes; there is no N."""

LABELS = tuple(ACTIVITIES.values())
DEVICES = {"phone": "right_pocket", "watch": "right_wrist"}
"""Which side is not stated; the watch is on the dominant hand."""

MOUNTING = "axes of Android: x to the right of the screen, y to its top, z out of it; the phone lies either way round"
SOURCE = "https://archive.ics.uci.edu/dataset/507/wisdm+smartphone+and+smartwatch+activity+and+biometrics+dataset"


def read_wisdm(root: Path | None = None, options: ReadOptions = DEFAULT_OPTIONS) -> Iterator[Recording]:
    """Read WISDM: accelerometer (m/s^2 with gravity) and gyroscope (rad/s) files of each person and device.

    The two sensors have stamps of their own (ns) and are brought to an even 20 Hz, activity by activity; gaps stay
    missing. Stamps out of order, which the collecting app wrote, are put in order and counted.

    Args:
        root: folder that holds ``raw/DEVICE/accel/data_NNNN_accel_DEVICE.txt``.
        options: what to do about bad files and gaps.

    Yields:
        One recording for each person, device and activity.

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: a line is damaged or holds an unknown activity; names it.
    """
    account = ReadingAccount("wisdm")
    patterns = [f"{folder}raw/*/accel/data_*_accel_*.txt" for folder in ("", "wisdm-dataset/", "*/")]
    layout = "raw/phone/accel/data_1600_accel_phone.txt"
    files = find_files(root, patterns, set_name="WISDM", layout=layout, source=SOURCE)
    yield from read_each(files, partial(_read_person, options=options, account=account), options, account)


def _read_person(path: Path, *, options: ReadOptions, account: ReadingAccount) -> Iterator[Recording]:
    name = re.fullmatch(r"data_(\d+)_accel_(phone|watch)", path.stem)
    if name is None:
        raise ValueError(f"{path} is called {path.name}, expected data_1600_accel_phone.txt; rename or remove it")
    subject, device = name.groups()
    other = path.parents[1] / "gyro" / f"data_{subject}_gyro_{device}.txt"
    if not other.is_file():
        raise ValueError(f"{other} not found beside {path.name}; the download is not complete, get it from {SOURCE}")
    tables = [_read_lines(file) for file in (path, other)]
    for code in tables[0]["code"].unique():
        parts = [table[table["code"] == code] for table in tables]
        if any(len(part) < 2 for part in parts):
            account.add("activities with one sensor only left out")
            continue
        streams = [(part["time"].to_numpy() / 1e9, part[["x", "y", "z"]].to_numpy()) for part in parts]
        _, values = align_streams(
            streams, rate_hz=RATE_HZ, options=options, account=account, where=f"{path}, activity {code}"
        )
        yield Recording(
            accel=values[:, None, :3].astype(np.float32),
            gyro=values[:, None, 3:].astype(np.float32),
            gravity_included=True,
            rate_hz=RATE_HZ,
            labels=ACTIVITIES[code],
            subject=subject,
            trial=f"wisdm/{subject}/{device}/{code}",
            placements=(DEVICES[device],),
            mounting=MOUNTING,
        )


def _read_lines(path: Path) -> pd.DataFrame:
    """Read lines ``subject,code,stamp,x,y,z;`` into columns code, time [ns], x, y and z."""
    lines = [line.strip().rstrip(";") for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    rows = [line.split(",") for line in lines]
    for number, row in enumerate(rows, start=1):
        if row == [""]:
            continue
        if len(row) != 6 or row[1].strip() not in ACTIVITIES:
            raise ValueError(
                f"{path}, line {number} is {lines[number - 1][:60]!r}, expected subject,code,stamp,x,y,z with a "
                f"code of {', '.join(ACTIVITIES)}; download it anew"
            )
    table = pd.DataFrame([row[1:] for row in rows if len(row) == 6], columns=["code", "time", "x", "y", "z"])
    if table.empty:
        raise ValueError(f"{path} is empty, expected lines of subject,code,stamp,x,y,z; download it anew")
    numbers = pd.DataFrame({name: pd.to_numeric(table[name], errors="coerce") for name in ("time", "x", "y", "z")})
    if numbers.isna().to_numpy().any():
        bad = int(numbers.isna().to_numpy().any(axis=1).argmax())
        raise ValueError(f"{path}, line {bad + 1} holds something that is no number; download it anew")
    return numbers.assign(code=table["code"].str.strip())
