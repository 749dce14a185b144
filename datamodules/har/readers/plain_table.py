"""One table of sensor columns that nothing describes: what its header names is taken, what it leaves open is told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from datamodules.har.parsing.units import unit_factor
from datamodules.har.readers.csv_description import describe
from datamodules.har.readers.csv_folder import read_described
from datamodules.har.recordings.reading import Reading
from datamodules.har.recordings.recording import Recording
from sim.files import read_text_file, refuse_pointer_file
from sim.names import check_name
from sim.placements.presets import PRESETS

SUFFIXES: Final = (".csv", ".tsv", ".txt", ".dat", ".log", ".parquet")

_SPELLINGS: Final = {
    "accel": ("accel", "acc", "a", "accelerometer", "acceleration"),
    "gyro": ("gyro", "gyr", "g", "gyroscope", "angularvelocity", "rotationrate"),
    "linear_accel": ("linearaccel", "linacc", "linearacceleration", "useracceleration"),
}
"""What headers call a sensor, its axis left out: letters and digits alone, in small letters."""

_CLOCKS: Final = {
    "times": "s", "timems": "ms", "timeus": "us", "timens": "ns", "time": None, "t": None, "timestamp": None,
    "timestamps": "s", "timestampms": "ms", "seconds": "s", "secondselapsed": "s",
}  # fmt: skip
"""What headers call time, and the unit where the name says it."""

_ANY_SITE: Final = next(iter(PRESETS))
"""Channels of one site carry no site's name, and a description wants one."""

_REST_G: Final = (4.0, 25.0)
"""Median length of what an accelerometer with gravity reads on a person [m/s^2]; outside it the unit is another."""

_SAME_RATE: Final = 0.05
"""Share by which a rate that is given may differ from that of the stamps."""

_SLOWEST_HZ, _QUICKEST_HZ = 1.0, 20_000.0
"""Rates of samples that recordings of people have [Hz]; outside them stamps are of another unit."""

_FASTEST: Final = 35.0
"""What gyroscopes of 2000 deg/s read at most [rad/s]; beyond it the unit is another."""


@dataclass(frozen=True)
class TableFacts:
    """What a table does not say of itself.

    Attributes:
        rate_hz: samples per second [Hz]; None where a column of time tells.
        accel_unit: of the accelerometer; None takes m/s^2. What cannot be of the unit is refused, unless m/s^2 is said.
        gyro_unit: of the gyroscope; None takes rad/s. What cannot be of the unit is refused, unless rad/s is said.
        time_unit: of the column of time; None goes by its name, else s.
    """

    rate_hz: float | None = None
    accel_unit: str | None = None
    gyro_unit: str | None = None
    time_unit: str | None = None

    def __post_init__(self) -> None:
        """Check the rate.

        Raises:
            ValueError: no recording of a person has it.
        """
        if self.rate_hz is not None and not _SLOWEST_HZ <= self.rate_hz <= _QUICKEST_HZ:
            raise ValueError(
                f"rate_hz is {self.rate_hz:g}, expected {_SLOWEST_HZ:g} to {_QUICKEST_HZ:g} samples per second"
            )


def read_plain_table(
    path: Path,
    groups: Sequence[str],
    sites: Sequence[str] | None,
    facts: TableFacts,
    reading: Reading,
    *,
    placement: str | None = None,
) -> list[Recording]:
    """Read a table whose header names sensors and axes: ``accel_x``, ``ax``, ``left_wrist_gyro_z`` and the like.

    Columns may stand in any order, in any capitals, beside others. Nothing is taken for a label.

    Args:
        path: ``.csv`` and its kin, or ``.parquet``.
        groups: which of ``accel``, ``gyro``, ``linear_accel`` it has to have.
        sites: placements that its columns have to name; None where one sensor is wanted, wherever it is worn.
        facts: what it does not say of itself.
        reading: rules of this pass.
        placement: where the one sensor that is wanted is worn, if columns name places; None: there is only one.

    Returns:
        One recording, or several where gaps in the time stamps split it, in SI units.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a column is not there, the rate is not known, or the values cannot be of the unit.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} not found; check the path")
    check_name(path.suffix.lower(), SUFFIXES, "suffix")
    header, delimiter = _read_header(path)
    sensors = {
        site or _ANY_SITE: {
            "gyro" if group == "gyro" else "accel": _find_columns(path, header, site, group) for group in groups
        }
        for site in (sites or [placement if placement and _names_places(header) else ""])
    }
    clock = next((name for name in header if _plain(name) in _CLOCKS), None)
    if clock is None and facts.rate_hz is None:
        raise ValueError(f"{path} has no column of time ({_list(header)}) and no rate was given; give --rate-hz")
    unit = None if clock is None else facts.time_unit or _CLOCKS[_plain(clock)] or "s"
    content = {
        "files": re.escape(path.name),
        "rate_hz": facts.rate_hz
        if clock is None or unit is None
        else _rate(path, clock, unit, delimiter, facts.rate_hz),
        "units": {"accel": facts.accel_unit or "m/s^2", "gyro": facts.gyro_unit or "rad/s"},
        "gravity": "removed" if "linear_accel" in groups else "included",
        "sensors": sensors,
        "duplicates": "average",
        **({} if clock is None else {"time": {"column": clock, "unit": unit}}),
        **({} if delimiter is None else {"delimiter": delimiter}),
    }
    recordings = list(read_described(replace(describe(path, content), name=path.stem), reading))
    if "accel" in groups and facts.accel_unit != "m/s^2":
        _check_gravity(path, recordings)
    if "gyro" in groups and facts.gyro_unit != "rad/s":
        _check_rates(path, recordings)
    return recordings


def _read_header(path: Path) -> tuple[list[str], str | None]:
    if path.suffix.lower() == ".parquet":
        from pyarrow import ArrowInvalid, parquet

        refuse_pointer_file(path)
        try:
            return list(parquet.read_schema(path).names), None
        except (ArrowInvalid, OSError) as error:
            raise ValueError(f"{path} is no whole Parquet file ({' '.join(str(error).split())})") from None
    first = (read_text_file(path).lstrip("\ufeff").splitlines() or [""])[0]
    delimiter = max((",", ";", "\t"), key=first.count)
    return [name.strip().strip("\"'") for name in first.split(delimiter)], delimiter


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _names_places(header: Sequence[str]) -> bool:
    """Whether a column of a sensor says where that is worn."""
    places, words = (
        "|".join(names) for names in (map(_plain, PRESETS), (w for each in _SPELLINGS.values() for w in each))
    )
    return any(re.fullmatch(f"(?:{places})(?:{words})[xyz]", _plain(name)) for name in header)


def _find_columns(path: Path, header: Sequence[str], site: str, group: str) -> list[str]:
    known = {_plain(name): name for name in header}
    prefixes = [_plain(site)] if site else ["", *(_plain(name) for name in PRESETS)]
    found = [
        [known[f"{prefix}{word}{axis}"] for axis in "xyz"]
        for prefix in prefixes
        for word in _SPELLINGS[group]
        if all(f"{prefix}{word}{axis}" in known for axis in "xyz")
    ]
    named = f"{site}_{group}" if site else group
    if not found:
        present = [
            {axis for axis in "xyz" if f"{prefix}{word}{axis}" in known}
            for prefix in prefixes
            for word in _SPELLINGS[group]
        ]
        lacking = sorted(set("xyz") - max(present, key=len))
        raise ValueError(
            f"{path} has no column {' nor '.join(f'{named}_{axis}' for axis in lacking)} (it has {_list(header)}); "
            "rename its columns, or describe them in a YAML"
        )
    if len(found) > 1:
        raise ValueError(
            f"{path} has several sensors of {group}: {found[0][0]} and {found[1][0]}, expected one; describe in a YAML "
            "which is meant"
        )
    return found[0]


def _list(header: Sequence[str]) -> str:
    return ", ".join(header[:8]) + (", ..." if len(header) > 8 else "")


def _rate(path: Path, clock: str, unit: str, delimiter: str | None, given_hz: float | None) -> float:
    """Return the rate that a column of time tells; one that was given stands in where it tells none [Hz]."""
    import pandas as pd

    if path.suffix.lower() == ".parquet":
        stamps = pd.read_parquet(path, columns=[clock])[clock]
    else:
        stamps = pd.read_csv(path, sep=delimiter, usecols=lambda name: name.strip().strip("\"'") == clock).iloc[:, 0]
    if not len(stamps):
        raise ValueError(f"{path} has a header and no samples; fill it or leave it out")
    steps = np.diff(np.sort(pd.to_numeric(stamps, errors="coerce").to_numpy(dtype=np.float64)))
    usual = float(np.median(steps[steps > 0])) * unit_factor(unit, "time") if (steps > 0).any() else 0.0
    if not usual > 0:
        if given_hz is not None:
            return given_hz
        raise ValueError(f"{path}: column {clock} does not tell a rate, expected times that go on; give --rate-hz")
    if not _SLOWEST_HZ <= 1 / usual <= _QUICKEST_HZ:
        raise ValueError(
            f"{path}: by column {clock}, taken as {unit}, samples come at {1 / usual:.3g} Hz, expected "
            f"{_SLOWEST_HZ:g} to {_QUICKEST_HZ:g} Hz; give its unit with --time-unit"
        )
    if given_hz is not None and abs(given_hz * usual - 1) > _SAME_RATE:
        raise ValueError(
            f"{path}: column {clock}, taken as {unit}, tells {1 / usual:.4g} Hz, and --rate-hz {given_hz:g}; leave "
            "that out, or give the unit with --time-unit"
        )
    return float(f"{1 / usual:.4g}")


def _check_rates(path: Path, recordings: Sequence[Recording]) -> None:
    found = np.concatenate([np.abs(each.gyro).ravel() for each in recordings if each.gyro is not None] or [np.zeros(0)])
    fast = float(np.nanquantile(found, 0.99)) if np.isfinite(found).any() else 0.0
    if fast > _FASTEST:
        raise ValueError(
            f"angular rates of {path} go up to {fast:.3g}, expected at most {_FASTEST:g} rad/s; give --gyro-unit "
            "deg/s, or rad/s if they are that all the same"
        )


def _check_gravity(path: Path, recordings: Sequence[Recording]) -> None:
    lengths = np.concatenate([np.linalg.norm(each.accel, axis=-1).ravel() for each in recordings] or [np.zeros(0)])
    if not np.isfinite(lengths).any():
        raise ValueError(
            f"accelerations of {path} are zero or missing throughout, expected about 9.81 m/s^2 at rest; look whether "
            "its columns of the accelerometer are filled"
        )
    usual = float(np.nanmedian(lengths))
    if not _REST_G[0] <= usual <= _REST_G[1]:
        hint = "g" if 0.4 < usual < 2.5 else "mg" if 400 < usual < 2500 else "m/s^2 if they are that all the same"
        raise ValueError(
            f"accelerations of {path} have a median length of {usual:.3g}, expected about 9.81 m/s^2; give "
            f"--accel-unit {hint}"
        )
