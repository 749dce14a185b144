"""Windows in Parquet, a row each: who, which recording, which label, and a list of T samples for each channel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypedDict

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from datamodules.har.windows.window_set import WindowSet
from sim.files import refuse_pointer_file, whole_file

FORMAT: Final = "imuforge windows 1"
COLUMNS: Final = ("subject", "recording", "label")
"""What stands in a row before its channels."""


class _Metadata(TypedDict):
    format: str
    classes: list[str]
    channels: list[str]
    rate_hz: float
    num_samples: int


def write_windows(path: Path, windows: WindowSet, recordings: Sequence[str]) -> None:
    """Write windows, whole or not at all.

    Args:
        path: the ``.parquet`` file.
        windows: N of them, in SI units, sensor frame.
        recordings: name of the recording that each window was cut from, N.

    Raises:
        OSError: the file cannot be written.
    """
    metadata: _Metadata = {
        "format": FORMAT,
        "classes": list(windows.classes),
        "channels": list(windows.channels),
        "rate_hz": float(windows.rate_hz),
        "num_samples": windows.num_samples,
    }
    columns = {
        "subject": pa.array(windows.subjects.tolist(), pa.string()),
        "recording": pa.array(list(recordings), pa.string()),
        "label": pa.array([windows.classes[number] for number in windows.labels.tolist()], pa.string()),
    }
    for index, name in enumerate(windows.channels):
        values = pa.array(np.ascontiguousarray(windows.signals[:, :, index], dtype=np.float32).reshape(-1))
        columns[name] = pa.FixedSizeListArray.from_arrays(values, windows.num_samples)
    table = pa.table(columns).replace_schema_metadata({b"imuforge": json.dumps(metadata).encode()})
    with whole_file(path) as part:
        parquet.write_table(table, part)


def read_windows(paths: Sequence[Path]) -> tuple[WindowSet, NDArray[np.str_]]:
    """Read files of :func:`write_windows` as one set.

    Args:
        paths: at least one; of one rate, length, classes and channels.

    Returns:
        The windows, their ``recording`` numbered in order of appearance, and the name of each window's recording.

    Raises:
        ValueError: no file, one that is damaged or of another program, or files that do not go together.
    """
    if not paths:
        raise ValueError("no files of windows, expected at least one")
    found = [_read(path) for path in paths]
    first = found[0][0]
    for path, (metadata, _) in zip(paths, found, strict=True):
        if metadata != first:
            raise ValueError(f"{path} holds other classes, channels, rate or length than {paths[0]}; keep one data set")
    signals = np.concatenate([_signals(table, first) for _, table in found])
    subjects, recordings, labels = (
        np.array([text for _, table in found for text in table.column(name).to_pylist()], dtype=np.str_)
        for name in COLUMNS
    )
    classes = tuple(first["classes"])
    numbers = {name: number for number, name in enumerate(classes)}
    order = {name: number for number, name in enumerate(dict.fromkeys(recordings.tolist()))}
    windows = WindowSet(
        signals,
        np.array([numbers[label] for label in labels.tolist()], dtype=np.int64),
        subjects,
        np.array([order[name] for name in recordings.tolist()], dtype=np.int64),
        classes,
        tuple(first["channels"]),
        first["rate_hz"],
    )
    return windows, recordings


def _read(path: Path) -> tuple[_Metadata, pa.Table]:
    refuse_pointer_file(path)
    try:
        table = parquet.read_table(path)
        metadata: _Metadata = json.loads((table.schema.metadata or {})[b"imuforge"])
        known = metadata["format"] == FORMAT
    except (pa.ArrowInvalid, OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no table of windows ({error}), expected one of `imuforge dataset`") from None
    if not known:
        raise ValueError(f"{path} is of format {metadata['format']!r}, expected {FORMAT!r}")
    return metadata, table


def _signals(table: pa.Table, metadata: _Metadata) -> NDArray[np.float32]:
    shape = (len(table), metadata["num_samples"])
    channels = [
        table.column(name).combine_chunks().flatten().to_numpy(zero_copy_only=False) for name in metadata["channels"]
    ]
    return np.stack([np.asarray(values, dtype=np.float32).reshape(shape) for values in channels], axis=-1)
