"""RealWorld 2016: seven phones and watches on the bodies of 15 people, 8 activities, 50 Hz.

Sztyler, Stuckenschmidt 2016, On-body localization of wearable devices, doi 10.1109/PERCOM.2016.7456521. The user
downloads it. Layout: the archives themselves (``readMe`` in each states the devices and their rates).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from datamodules.har.parsing.archives import read_zip
from datamodules.har.parsing.named_table import parse_named_table
from datamodules.har.parsing.units import unit_factor
from datamodules.har.recordings.building import RecordingFacts, SensorTrack, drop_short_tracks, record_tracks
from datamodules.har.recordings.reading import Reading, SetFiles
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.recordings.recording import Recording
from datamodules.har.recordings.stamps import ClockRule

logger = logging.getLogger(__name__)

CLOCK = ClockRule(rate_hz=50.0, duplicates="average", backwards="sort")

SITES: Mapping[str, str] = {
    **{"chest": "chest", "forearm": "left_forearm", "head": "head", "shin": "left_shank", "thigh": "left_thigh"},
    **{"upperarm": "left_upper_arm", "waist": "waist"},
}
"""Position in the names of files -> placement; *the side of the limbs is shown in the paper's figure only."""

ACTIVITIES: Mapping[str, str] = {
    **{"climbingdown": "walking_downstairs", "climbingup": "walking_upstairs", "jumping": "jumping"},
    **{"lying": "lying", "running": "running", "sitting": "sitting", "standing": "standing", "walking": "walking"},
}
"""Activity in the names of files -> activity."""

MOUNTING = (
    "Android devices fixed at the sites; axes: x to the right of the screen, y to its top, z out of it. How each was "
    "turned is not documented*: read it off gravity with imuforge recordings inspect realworld2016 ROOT"
)

FILES = SetFiles(
    r"proband(\d+)/(?:data/)?(?:.*/)?(acc|gyr)_([a-z]+)(?:_\d+)?_csv(?:\.zip|/(?:acc|gyroscope|gyr)_[a-z]+_.*\.csv)",
    "probandN/data/acc_walking_csv.zip of RealWorld 2016",
    "https://www.uni-mannheim.de/dws/research/projects/activity-recognition/dataset/dataset-realworld/",
)

_ENTRY = re.compile(r"(acc|gyroscope|gyr)_([a-z]+)_(?:(\d+)_)?([a-z]+?)(?:_(\d+))?\.csv", re.IGNORECASE)


def read_realworld2016(root: Path | None, reading: Reading) -> Iterator[Recording]:
    """Read RealWorld 2016: for each activity an archive of accelerometer and one of gyroscope files, one a position.

    A file has ``id,attr_time,attr_x,attr_y,attr_z``: ms, and m/s^2 (gravity included) or rad/s, as Android gives them.
    Each has stamps of its own; all positions are brought onto one grid of 50 Hz over the time that all cover. An
    activity done in several parts comes as archives inside the archive. Unpacked archives are read as well. A position
    without a gyroscope's file has NaN there, one that fell silent in the first half is left out; the log names both.

    Args:
        root: folder that holds ``proband1`` to ``proband15``.
        reading: rules of this pass.

    Yields:
        One recording for each person, activity and part, or several where samples are missing for long.

    Raises:
        FileNotFoundError: there are no such archives; says where to get them.
        ValueError: an archive or a file in it is damaged.
    """
    trials: dict[tuple[str, str], list[Path]] = {}
    for path, match in FILES.find(root):
        trials.setdefault((match.group(1), match.group(3).lower()), []).append(path)
    yield from reading.each(
        trials.items(), lambda each: _parse(*each[0], each[1], reading), lambda each: str(each[1][0])
    )


def _parse(subject: str, activity: str, paths: list[Path], reading: Reading) -> Iterator[Recording]:
    if activity not in ACTIVITIES:
        raise ValueError(f"{paths[0]} is of activity {activity!r}, expected one of {list(ACTIVITIES)}")
    parts: dict[str, dict[tuple[str, str], SensorTrack]] = {}
    origin: dict[tuple[str, str, str], str] = {}
    for path in paths:
        for name, data in _contents(path):
            entry = _ENTRY.fullmatch(name.replace("\\", "/").split("/")[-1].split("!")[-1])
            if entry is None or entry.group(4).lower() not in SITES:
                continue
            kind, site = "accel" if entry.group(1).lower() == "acc" else "gyro", SITES[entry.group(4).lower()]
            part = entry.group(3) or entry.group(5) or _part_of(f"{path.name}!{name}") or "1"
            where = f"{path}, {name}"
            if (part, site, kind) in origin:
                reading.refuse_twin(where, origin[part, site, kind], f"{activity}_{part} of proband{subject}")
                continue
            origin[part, site, kind] = where
            parts.setdefault(part, {})[site, kind] = _track(data, where, site, kind)
    if not parts:
        raise ValueError(f"{paths[0]} holds no acc_{activity}_POSITION.csv; download it anew")
    for part, sensors in sorted(parts.items()):
        sites = [site for site in SITES.values() if (site, "accel") in sensors]
        if not sites:
            raise ValueError(f"part {part} of {activity} of proband{subject} has no accelerometer; download it anew")
        bare = [site for site in sites if (site, "gyro") not in sensors]
        if bare:
            logger.warning("realworld2016 proband%s %s: no gyroscope at %s", subject, activity, ", ".join(bare))
        tracks = [sensors[site, kind] for site in sites for kind in ("accel", "gyro") if (site, kind) in sensors]
        tracks = drop_short_tracks(tracks, f"proband{subject} {activity}_{part}")
        source = " and ".join(str(path) for path in paths[:2]) + (f" part {part}" if len(parts) > 1 else "")
        facts = RecordingFacts(subject, f"realworld2016/{subject}/{activity}_{part}", MOUNTING, source)
        yield from record_tracks(tracks, ACTIVITIES[activity], facts, CLOCK, reading)


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.suffix.lower() == ".zip":
        yield from read_zip(path, suffixes=(".csv",))
    else:
        yield f"{path.parent.name}/{path.name}", path.read_bytes()


def _part_of(name: str) -> str | None:
    """Part of an activity as the archive or folder around a file names it: ``acc_climbingup_2_csv``."""
    match = re.search(r"_(\d+)_csv", name)
    return match.group(1) if match else None


def _track(data: bytes, where: str, site: str, kind: str) -> SensorTrack:
    table = parse_named_table(data, where)
    time_s = table.numbers(["attr_time"])[:, 0] * unit_factor("ms", "time")
    values = table.numbers(["attr_x", "attr_y", "attr_z"])
    return SensorTrack(site, "accel" if kind == "accel" else "gyro", time_s, values)


SET = RealSet(read_realworld2016, ACTIVITIES, tuple(SITES.values()))
