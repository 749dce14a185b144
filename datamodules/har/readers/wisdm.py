"""WISDM 2019: phone in the pocket and watch on the dominant wrist of 51 people, 18 activities, 20 Hz.

Weiss, Yoneda, Hayajneh 2019, Smartphone and smartwatch-based biometrics using activities of daily living,
doi 10.1109/ACCESS.2019.2940729; UCI data set 507, CC BY 4.0. The user downloads it. Layout: the set's README.txt and
activity_key.txt. The accelerometer-only set of 2010 is read by :mod:`datamodules.har.readers.wisdm_2010`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.har.parsing.label_codes import name_one, name_texts
from datamodules.har.parsing.named_table import parse_named_table
from datamodules.har.parsing.units import unit_factor
from datamodules.har.readers.wisdm_2010 import V1_ACTIVITIES, V1_FILES, read_wisdm_2010
from datamodules.har.recordings.building import RecordingFacts, SensorTrack, record_tracks
from datamodules.har.recordings.missing import runs_of
from datamodules.har.recordings.reading import Reading, SetFiles
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.recordings.recording import Recording
from datamodules.har.recordings.stamps import ClockRule

logger = logging.getLogger(__name__)

CLOCK = ClockRule(rate_hz=20.0, duplicates="average", backwards="sort")

PLACEMENTS = {"phone": "right_pocket", "watch": "right_wrist"}
"""Phone in the trouser pocket, watch on the dominant hand; *which side is not stated."""

ACTIVITIES: Mapping[str, str] = {
    **{"A": "walking", "B": "jogging", "C": "climbing_stairs", "D": "sitting", "E": "standing", "F": "typing"},
    **{"G": "brushing_teeth", "H": "eating_soup", "I": "eating_chips", "J": "eating_pasta", "K": "drinking"},
    **{"L": "eating_sandwich", "M": "kicking", "O": "catching", "P": "dribbling", "Q": "writing"},
    **{"R": "clapping", "S": "folding_laundry"},
}
"""Letter in the files -> activity (activity_key.txt; there is no N)."""

MOUNTING = (
    "axes of Android devices: x to the right of the screen, y to its top, z out of it. Phone loose in the trouser "
    "pocket, watch on the dominant wrist"
)

Span = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Time stamps [s] and samples of one go at an activity."""

FILES = SetFiles(
    r"data_(\d+)_(accel|gyro)_(phone|watch)\.txt",
    "raw/phone/accel/data_1600_accel_phone.txt of WISDM",
    "https://archive.ics.uci.edu/dataset/507/wisdm+smartphone+and+smartwatch+activity+and+biometrics+dataset",
)


def read_wisdm(root: Path | None, reading: Reading) -> Iterator[Recording]:
    """Read WISDM: lines ``subject,activity,time [ns],x,y,z;`` in m/s^2 (gravity included) and rad/s.

    Phone and watch count time from different starts, so each gives recordings of its own. Accelerometer and gyroscope
    of a device are brought onto one grid of 20 Hz. Within an activity the stamps may stand out of order; they are
    sorted, and equal ones averaged. Where a gyroscope's file or its time is missing, the recording has none.

    Args:
        root: folder that holds ``raw/``; one with ``WISDM_ar_v1.1_raw.txt`` is read as the set of 2010.
        reading: rules of this pass.

    Yields:
        One recording for each person, device and activity, or several where samples are missing for long.

    Raises:
        FileNotFoundError: there are no such files; says where to get them.
        ValueError: a line is damaged or has an unknown activity.
    """
    try:
        found = FILES.find(root)
    except FileNotFoundError:
        if root is None or not V1_FILES.is_there(root):
            raise
        yield from read_wisdm_2010(root, reading)
        return
    devices: dict[tuple[str, str], dict[str, Path]] = {}
    for path, match in found:
        subject, sensor, device = (text.lower() for text in match.groups())
        sensors = devices.setdefault((device, subject), {})
        if sensor in sensors:
            reading.refuse_twin(str(path), str(sensors[sensor]), f"{subject} {device} {sensor}")
            continue
        sensors[sensor] = path
    yield from reading.each(
        devices.items(), lambda each: _parse(*each[0], each[1], reading), lambda each: " ".join(each[0])
    )


def _parse(device: str, subject: str, sensors: Mapping[str, Path], reading: Reading) -> Iterator[Recording]:
    if "accel" not in sensors:
        raise ValueError(
            f"data_{subject}_accel_{device}.txt is missing beside {sensors['gyro']}; download the set anew"
        )
    spans = {sensor: _spans(path) for sensor, path in sensors.items()}
    for (code, number), accel in spans["accel"].items():
        tracks = [SensorTrack(PLACEMENTS[device], "accel", *accel)]
        gyro = spans.get("gyro", {}).get((code, number))
        if gyro is not None and min(accel[0].max(), gyro[0].max()) - max(accel[0].min(), gyro[0].min()) > 1.0:
            tracks.append(SensorTrack(PLACEMENTS[device], "gyro", *gyro))
        else:
            logger.warning("%s has no gyroscope at the time of activity %s", sensors["accel"], code)
        facts = RecordingFacts(
            subject, f"wisdm/{subject}/{device}/{code}{number}", MOUNTING, f"{sensors['accel']} ({code})"
        )
        activity = name_one(code, ACTIVITIES, str(sensors["accel"]))
        yield from record_tracks(tracks, activity, facts, CLOCK, reading)


def _spans(path: Path) -> dict[tuple[str, int], Span]:
    """Each activity of a file; one that was done again later counts on its own."""
    table = parse_named_table(path.read_bytes().replace(b";", b""), str(path), header=False)
    codes = table.texts("1")
    name_texts(codes, ACTIVITIES, str(path), first_line=1)
    time_s = table.numbers(["2"])[:, 0] * unit_factor("ns", "time")
    values = table.numbers(["3", "4", "5"])
    found: dict[tuple[str, int], Span] = {}
    for code in dict.fromkeys(codes.tolist()):
        for number, (a, b) in enumerate(runs_of(codes == code)):
            if b - a > 1:
                found[code, number] = (time_s[a:b], values[a:b])
            else:
                logger.warning("%s, line %d: a single sample of activity %s left out", path, a + 1, code)
    return found


# The phone is in recordings of its own; those of 2010 have names of their own.
SET = RealSet(read_wisdm, {**ACTIVITIES, **V1_ACTIVITIES}, ("right_wrist",))
