"""SP-SW-HAR: phone in the trouser pocket and watch on the wrist of 23 people, short sequences of 5 activities.

Matey-Sanz, Casteleyn, Granell 2023, Dataset of inertial measurements of smartphones and smartwatches for human activity
recognition, doi 10.1016/j.dib.2023.109809, CC BY 4.0. The user downloads it. Layout: the set's README.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from datamodules.har.parsing.label_codes import name_texts
from datamodules.har.parsing.named_table import NamedTable, parse_named_table
from datamodules.har.parsing.units import unit_factor
from datamodules.har.recordings.building import RecordingFacts, SensorTrack, record_tracks
from datamodules.har.recordings.reading import Reading, SetFiles
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.recordings.recording import Recording
from datamodules.har.recordings.stamps import ClockRule

CLOCK = ClockRule(rate_hz=100.0, stamps="arrival", backwards="sort")
"""Stamps are in whole ms and tell arrival: in s01 to s06 up to 8% of the phone's repeat the one before, bursts of
1 ms steps follow pauses of 50 ms, yet the count of samples stays on a line of 102 to 104 Hz (rms 2 to 10 ms)."""

PLACEMENTS = ("left_pocket", "left_wrist")
"""Phone (sp) in a trouser pocket, watch (sw) on a wrist; *which side is not stated in the README."""

ACTIVITIES: Mapping[str, str] = {
    **{"SEATED": "sitting", "STANDING_UP": "sit_to_stand", "WALKING": "walking", "TURNING": "turning"},
    "SITTING_DOWN": "stand_to_sit",
}
"""Column label -> activity."""

MOUNTING = (
    "axes of Android devices: x to the right of the screen, y to its top, z out of it. The phone's way round in the "
    "pocket changes between executions (column orientation of executions_info.csv); seated, the watch reads gravity "
    "mostly along +z: the hand rests palm down"
)

FILES = SetFiles(
    r"(s\d+)_(\d+)_(sp|sw)\.csv",
    "sNN/sNN_NN_sp.csv of SP-SW-HAR",
    "https://github.com/GeoTecINIT/sp-sw-har-dataset or doi 10.5281/zenodo.8398688",
)


def read_spsw_har(root: Path | None, reading: Reading) -> Iterator[Recording]:
    """Read SP-SW-HAR: CSV of acceleration (m/s^2, gravity included), angular rate (rad/s), time stamp and label.

    Phone and watch of one execution are brought onto one grid of 100 Hz over the time both cover; their clocks were
    synchronised by the authors. The label is the phone's where the two differ.

    Args:
        root: folder that holds ``DATA``.
        reading: rules of this pass.

    Yields:
        One recording for each execution.

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: a file is damaged, or one of a pair is missing.
    """
    pairs: dict[tuple[str, str, str], dict[str, Path]] = {}
    for path, match in FILES.find(root):
        subject, number, device = (text.lower() for text in match.groups())
        pairs.setdefault((str(path.parent), subject, number), {})[device] = path
    yield from reading.each(
        pairs.items(), lambda pair: _parse(pair[0], pair[1], reading), lambda pair: str(next(iter(pair[1].values())))
    )


def _parse(key: tuple[str, str, str], devices: Mapping[str, Path], reading: Reading) -> list[Recording]:
    folder, subject, number = key
    tracks, labels = [], np.zeros(0, dtype=np.str_)
    for device, placement in zip(("sp", "sw"), PLACEMENTS, strict=True):
        if device not in devices:
            raise ValueError(f"{subject}_{number}_{device}.csv is missing in {folder}; download the set anew")
        table = parse_named_table(devices[device].read_bytes(), str(devices[device]))
        tracks += _sensors(table, placement)
        if device == "sp":
            labels = name_texts(table.texts("label"), ACTIVITIES, str(devices[device]))
    facts = RecordingFacts(subject, f"spsw_har/{subject}/{number}", MOUNTING, " and ".join(map(str, devices.values())))
    return record_tracks(tracks, labels, facts, CLOCK, reading)


def _sensors(table: NamedTable, placement: str) -> list[SensorTrack]:
    time_s = table.numbers(["timestamp"])[:, 0] * unit_factor("ms", "time")
    return [
        SensorTrack(placement, "accel", time_s, table.numbers(["x_acc", "y_acc", "z_acc"])),
        SensorTrack(placement, "gyro", time_s, table.numbers(["x_gyro", "y_gyro", "z_gyro"])),
    ]


SET = RealSet(read_spsw_har, ACTIVITIES, PLACEMENTS)
