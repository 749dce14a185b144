"""Files of recordings: a table in Parquet or CSV, beside it rate, names, units and frames; read back without loss.

pandas and pyarrow are imported where a file is: they would add a third to what ``import sim`` takes.
"""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final, NotRequired, TypedDict

from sim.files import read_text_file, whole_file

if TYPE_CHECKING:
    import pandas as pd

AXES: Final[dict[str, tuple[str, ...]]] = {
    "accel": ("x", "y", "z"),
    "gyro": ("x", "y", "z"),
    "linear_accel": ("x", "y", "z"),
    "orientation": tuple(f"{row}{column}" for row in "xyz" for column in "xyz"),
    "position": ("x", "y", "z"),
}
"""Quantities in the order of their columns, and the suffixes of their components."""

UNITS: Final[dict[str, str]] = {
    "time": "s",
    "accel": "m/s^2",
    "gyro": "rad/s",
    "linear_accel": "m/s^2",
    "orientation": "rotation matrix, sensor to world, row then column",
    "position": "m",
}

FRAME: Final[str] = (
    "accel: specific force in the sensor frame, at rest +9.80665 along up; gyro: rate relative to the world in the "
    "sensor frame; linear_accel: without gravity, sensor frame; position: world, Y up, right-handed"
)

FORMAT: Final[str] = "imuforge recording 1"
DTYPES: Final = ("float32", "float64")
_SUFFIXES: Final[tuple[str, ...]] = (".parquet", ".csv")
_MOST_PACKED: Final = 1000
"""Bytes of numbers that one byte of Parquet may hold; columns that never change pack to almost nothing."""
_SMALL: Final = 1 << 26


class Metadata(TypedDict):
    """What a file says of its table; in the CSV's first line, or in the Parquet schema under ``imuforge``."""

    format: str
    rate_hz: float
    names: list[str]
    placements: list[dict[str, object]]
    batch_shape: list[int]
    num_samples: int
    dtype: str
    units: dict[str, str]
    frame: str
    decoder: NotRequired[str | None]
    licence: NotRequired[str | None]


def check_suffix(path: Path) -> None:
    """Raise a ValueError if the path ends in neither ``.parquet`` nor ``.csv``."""
    if path.suffix not in _SUFFIXES:
        raise ValueError(f"{path} ends in {path.suffix!r}, expected one of {', '.join(_SUFFIXES)}; rename it")


def write_recording(path: Path, metadata: Metadata, frame: pd.DataFrame) -> None:
    """Write a table and what is said of it, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    if path.suffix == ".csv":
        with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            file.write(f"# {json.dumps(metadata)}\n")
            frame.to_csv(file, index=False)
        return
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_pandas(frame, preserve_index=False)
    fields = [field.with_metadata({"unit": _unit_of(field.name)}) for field in table.schema]
    schema = pa.schema(fields, metadata={**(table.schema.metadata or {}), b"imuforge": json.dumps(metadata)})
    with whole_file(path) as part:
        parquet.write_table(table.cast(schema), part)


def read_recording(path: Path) -> tuple[Metadata, pd.DataFrame]:
    """Read what :func:`write_recording` wrote.

    Raises:
        ValueError: the file is damaged, or was written by something else.
    """
    return _read_csv(path) if path.suffix == ".csv" else _read_parquet(path)


def refuse_long_table(path: Path) -> None:
    """Refuse a Parquet file that declares more rows than its length can hold, before room for them is made.

    What is no Parquet file is left to who reads it.

    Raises:
        ValueError: its numbers would come to more than a thousand times its length.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        about = parquet.read_metadata(path)
    except (pa.ArrowException, OSError, ValueError):
        return
    parts = (about.row_group(number).total_byte_size for number in range(about.num_row_groups))
    need, size = max(8 * about.num_rows * about.num_columns, sum(parts)), path.stat().st_size
    if need > _MOST_PACKED * size + _SMALL:
        raise ValueError(
            f"{path} declares {about.num_rows} rows of {about.num_columns} columns in {size} bytes; it is damaged or "
            "made up, fetch it again"
        )


def _unit_of(column: str) -> str:
    if column == "time_s":
        return UNITS["time"]
    # linear_accel before accel: the latter is its ending.
    for quantity in ("linear_accel", *AXES):
        if any(column.endswith(f"_{quantity}_{axis}") for axis in AXES[quantity]):
            return UNITS[quantity]
    return "1"


def _parse_metadata(text: str, path: Path) -> Metadata:
    try:
        metadata: Metadata = json.loads(text)
        known = metadata["format"] == FORMAT
    except (json.JSONDecodeError, KeyError, TypeError):
        known = False
    if not known:
        raise ValueError(f"{path} carries no {FORMAT!r} metadata, expected a file written by ImuRecording.save")
    sound = {
        "rate_hz": isinstance(metadata.get("rate_hz"), float),
        "names": _is_list_of(metadata.get("names"), str),
        "batch_shape": _is_list_of(metadata.get("batch_shape"), int) and min(metadata["batch_shape"], default=0) >= 0,
        "dtype": metadata.get("dtype") in DTYPES,
        "placements": _is_list_of(metadata.get("placements", []), dict),
        "num_samples": isinstance(metadata.get("num_samples", 0), int),
    }
    for key, fits in sound.items():
        if not fits:
            raise ValueError(
                f"{path}: metadata {key!r} is {metadata.get(key)!r}, expected what ImuRecording.save wrote; the file "
                "was changed, so save the recording anew"
            )
    return metadata


def _is_list_of(values: object, kind: type) -> bool:
    return isinstance(values, list) and all(isinstance(value, kind) for value in values)


def _read_csv(path: Path) -> tuple[Metadata, pd.DataFrame]:
    import pandas as pd

    try:
        with StringIO(read_text_file(path)) as file:
            metadata = _parse_metadata(file.readline().removeprefix("# "), path)
            # Numbers are kept as they were written; a cell that is none is refused by name.
            return metadata, pd.read_csv(file, float_precision="round_trip")
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{path} is no readable CSV ({error}); expected one written by ImuRecording.save") from error


def _read_parquet(path: Path) -> tuple[Metadata, pd.DataFrame]:
    import pyarrow as pa
    from pyarrow import parquet

    refuse_long_table(path)
    try:
        table = parquet.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(
            f"{path} is not a Parquet file ({error}); expected one written by ImuRecording.save"
        ) from error
    text = (table.schema.metadata or {}).get(b"imuforge", b"")
    return _parse_metadata(text.decode(), path), table.to_pandas()


def is_recording(path: Path) -> bool:
    """Whether a file carries the metadata that :func:`write_recording` writes; any other table, or none, is False."""
    if path.suffix == ".csv":
        with path.open("rb") as file:
            start = file.read(1000)
        return start.startswith(b"# {") and FORMAT.encode() in start
    if path.suffix != ".parquet":
        return False
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return b"imuforge" in (parquet.read_schema(path).metadata or {})
    except (pa.ArrowInvalid, OSError):
        return False
