"""RealWorld 2016: seven phones and watches on 15 people, eight activities, 50 Hz, each with stamps of its own.

Sztyler and Stuckenschmidt 2016, On-body localization of wearable devices: an investigation of position-aware activity
recognition, doi:10.1109/PERCOM.2016.7456521. Android's units (m/s^2 with gravity, rad/s) and axes.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from datamodules.har.reading import DEFAULT_OPTIONS, ReadingAccount, ReadOptions, find_files, read_each
from datamodules.har.recording import Recording
from datamodules.har.tables import read_named, to_numbers
from datamodules.har.timing import Floats, align_streams

RATE_HZ = 50.0
ACTIVITIES = {
    "climbingdown": "descending_stairs", "climbingup": "ascending_stairs", "jumping": "jumping", "lying": "lying",
    "running": "running", "sitting": "sitting", "standing": "standing", "walking": "walking",
}  # fmt: skip
LABELS = tuple(ACTIVITIES.values())
POSITIONS = {
    "chest": "chest", "forearm": "left_forearm", "head": "head", "shin": "left_shank", "thigh": "left_thigh",
    "upperarm": "left_upper_arm", "waist": "waist",
}  # fmt: skip
"""Names of the positions, and the sites they stand for; which side is not stated in the files."""

PLACEMENTS = tuple(POSITIONS.values())
MOUNTING = "not stated and not the same for all people; axes of Android: x right, y to the top, z out of the screen"
SOURCE = "https://www.uni-mannheim.de/dws/research/projects/activity-recognition/dataset/dataset-realworld/"
MAX_BYTES = 2 << 30
"""Most that one archive may unpack to."""

_FILE = re.compile(r"(acc|gyr)[a-z]*_([a-z]+)(?:_(\d+))?_([a-z]+)(?:_(\d+))?\.csv", re.IGNORECASE)


def read_realworld2016(root: Path | None = None, options: ReadOptions = DEFAULT_OPTIONS) -> Iterator[Recording]:
    """Read RealWorld 2016 from its archives, accelerometer and gyroscope of all positions together.

    Positions are brought to one even 50 Hz over the time that all that are there cover; a position without a file, and
    samples in gaps, are NaN. Nothing is unpacked to disk.

    Args:
        root: folder that holds ``probandN/data/acc_ACTIVITY_csv.zip``; archives inside archives are looked into.
        options: what to do about bad files and gaps.

    Yields:
        One recording for each person, activity and part.

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: an archive is damaged, unpacks to too much, or a table in it is damaged.
    """
    account = ReadingAccount("realworld2016")
    patterns = [f"{folder}proband*/data/acc_*_csv.zip" for folder in ("", "realworld2016_dataset/", "*/")]
    files = find_files(
        root, patterns, set_name="RealWorld 2016", layout="probandN/data/acc_walking_csv.zip", source=SOURCE
    )
    yield from read_each(files, partial(_read_activity, options=options, account=account), options, account)


def _read_activity(path: Path, *, options: ReadOptions, account: ReadingAccount) -> Iterator[Recording]:
    other = path.with_name(path.name.replace("acc_", "gyr_", 1))
    parts: dict[str, dict[tuple[str, str], tuple[Floats, Floats]]] = {}
    activity = ""
    for archive in (path, *([other] if other.is_file() else [])):
        for name, content in _list_tables(archive):
            found = _FILE.fullmatch(name)
            if found is None or found.group(2).lower() not in ACTIVITIES or found.group(4).lower() not in POSITIONS:
                account.add("tables of other names left out")
                continue
            sensor, activity = found.group(1).lower(), ACTIVITIES[found.group(2).lower()]
            where = f"{archive}: {name}"
            columns = ("attr_time", "attr_x", "attr_y", "attr_z")
            rows = to_numbers(read_named(content, where=where, columns=columns), where=where)
            part = found.group(3) or found.group(5) or "1"
            parts.setdefault(part, {})[sensor, found.group(4).lower()] = (rows[:, 0] / 1000, rows[:, 1:])
    subject = path.parent.parent.name.removeprefix("proband")
    for part, streams in parts.items():
        keys = [key for key, (time_s, _) in streams.items() if len(time_s) > 1]
        _, values = align_streams(
            [streams[key] for key in keys], rate_hz=RATE_HZ, options=options, account=account, where=f"{path}, {part}"
        )
        units = np.full((len(values), 2, len(POSITIONS), 3), np.nan, dtype=np.float32)
        for index, (sensor, position) in enumerate(keys):
            site = list(POSITIONS).index(position)
            units[:, ("acc", "gyr").index(sensor), site] = values[:, 3 * index : 3 * index + 3]
        yield Recording(
            accel=units[:, 0],
            gyro=units[:, 1],
            gravity_included=True,
            rate_hz=RATE_HZ,
            labels=activity,
            subject=subject,
            trial=f"realworld2016/{subject}/{activity}_{part}",
            placements=PLACEMENTS,
            mounting=MOUNTING,
        )


def _list_tables(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each table of an archive, also of those in archives inside it."""
    try:
        yield from _walk(archive.read_bytes(), str(archive), depth=0)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, zipfile.LargeZipFile) as error:
        raise ValueError(f"{archive} is no readable archive ({error}); download it anew") from None


def _walk(content: bytes, where: str, *, depth: int) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            path = PurePosixPath(entry.filename.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"{where} has an entry {entry.filename!r} that leads out of it; do not use this file")
            if entry.file_size > MAX_BYTES:
                raise ValueError(f"{where}: {entry.filename} unpacks to {entry.file_size} bytes, expected far less")
            if path.suffix == ".csv" and "__MACOSX" not in path.parts:
                yield path.name, archive.read(entry)
            elif path.suffix == ".zip" and depth < 1:
                yield from _walk(archive.read(entry), f"{where}: {entry.filename}", depth=depth + 1)
