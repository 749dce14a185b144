"""Recordings of a set as channels in a few memory-mapped files, and an index of who, what and where.

A pack holds all samples once, at one rate, with one choice of channels; windows of any length and overlap are spans of
it. Nothing but the index is read to open one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datamodules.har.streams.label_runs import LabelRuns
from datamodules.har.streams.stream import Stream, resample_stream
from datamodules.packs import ShardWriter, check_shards, map_shard, read_index, write_index

SHARD_BYTES: Final = 1 << 28
"""A file is closed at the first recording that ends beyond this many bytes."""

_ARRAYS: Final = (
    *("about", "run_start", "run_label", "run_finite", "lengths", "place", "subjects", "trials", "official_test"),
)


@dataclass
class StreamShards:
    """An open pack. What is sent to a worker process is the file names; each process maps the files for itself.

    Attributes:
        folder: where it lies.
        channels: name of each channel.
        rate_hz: samples per second [Hz].
        runs: labels and completeness of all samples.
        shard: number of the file that holds each recording ``(N,)``.
        start: its first row in that file ``(N,)``.
        subjects: who wore the sensors ``(N,)``; empty string if unknown.
        trials: what tells recordings apart ``(N,)``.
        official_test: whether it belongs to the set's own test split ``(N,)``.
        rows: rows of each file.
        finite: share of samples that are numbers, by channel.
        notes: what was mended and left out when the set was read, in words.
    """

    folder: Path
    channels: tuple[str, ...]
    rate_hz: float
    runs: LabelRuns
    shard: NDArray[np.int64]
    start: NDArray[np.int64]
    subjects: NDArray[np.str_]
    trials: NDArray[np.str_]
    official_test: NDArray[np.bool_]
    rows: tuple[int, ...]
    finite: tuple[float, ...]
    notes: tuple[str, ...]
    _maps: dict[int, NDArray[np.float32]] = field(default_factory=dict, repr=False, compare=False)

    def __getstate__(self) -> dict[str, object]:
        """Leave the maps out: pickle would write all that they map."""
        return {**self.__dict__, "_maps": {}}

    def __len__(self) -> int:
        return len(self.shard)

    @property
    def seconds(self) -> float:
        """Length of all recordings [s]."""
        return float(self.runs.lengths.sum()) / self.rate_hz

    def map(self, shard: int) -> NDArray[np.float32]:
        """Return the rows of a file ``(rows, C)``, mapped."""
        if shard not in self._maps:
            # As a plain array: slices of np.memmap cost twice as much as the copy of a short window.
            self._maps[shard] = np.asarray(map_shard(self.folder, shard, self.rows[shard], width=len(self.channels)))
        return self._maps[shard]

    def read(self, shard: NDArray[np.int64], row: NDArray[np.int64], num_samples: int) -> NDArray[np.float32]:
        """Copy spans of equal length out of the files.

        Args:
            shard: number of the file of each span ``(B,)``.
            row: its first row there ``(B,)``.
            num_samples: T.

        Returns:
            ``(B, T, C)``.
        """
        channels = len(self.channels)
        width = channels * num_samples
        flat = {number: self.map(number).reshape(-1) for number in np.unique(shard).tolist()}
        # One copy a window into fresh memory of NumPy, which asks for huge pages: twice as fast as torch's gather.
        result = np.empty((len(row), width), dtype=np.float32)
        for place, (number, start) in enumerate(zip(shard.tolist(), (row * channels).tolist(), strict=True)):
            result[place] = flat[number][start : start + width]
        return result.reshape(len(row), num_samples, channels)


def write_streams(
    streams: Iterable[tuple[Stream, bool]],
    folder: Path,
    *,
    rate_hz: float,
    notes: Callable[[], list[str]],
    what: str,
) -> None:
    """Write a pack into an empty folder.

    Args:
        streams: recordings, and whether each belongs to the set's own test split.
        folder: where to.
        rate_hz: rate of the pack [Hz]; recordings of other rates are resampled.
        notes: called at the end: what to remember of the reading.
        what: what to call the set in messages.

    Raises:
        ValueError: there is no recording, or they differ in their channels.
    """
    writer: ShardWriter | None = None
    channels: tuple[str, ...] = ()
    runs: list[LabelRuns] = []
    places: list[tuple[int, int]] = []
    about: list[tuple[str, str, bool]] = []
    finite = np.zeros(0)
    try:
        for stream, official_test in streams:
            if writer is None:
                channels = stream.names
                rows = max(1, SHARD_BYTES // (4 * len(channels)))
                writer = ShardWriter(folder, width=len(channels), max_rows=rows)
                finite = np.zeros(len(channels))
            if stream.names != channels:
                raise ValueError(
                    f"{stream.trial} of {what} has channels {list(stream.names)}, the recordings before it "
                    f"{list(channels)}; name placements that all recordings have"
                )
            resampled = resample_stream(stream, rate_hz=rate_hz)
            good = np.isfinite(resampled.values)
            finite += good.sum(axis=0)
            runs.append(LabelRuns.of(resampled.labels, np.asarray(good.all(axis=1))))
            places.append(writer.add(resampled.values.astype(np.float32)))
            about.append((stream.subject, stream.trial, official_test))
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        raise ValueError(f"no recording in {what}, expected some; check its root, placements and channels")
    joined = LabelRuns.joined(runs)
    header = {
        "channels": channels,
        "rate_hz": rate_hz,
        "rows": writer.rows,
        "names": joined.names,
        "finite": (finite / max(1, int(joined.lengths.sum()))).tolist(),
        "notes": notes(),
    }
    write_index(folder, _index_arrays(json.dumps(header), joined, places, about))


def _index_arrays(
    header: str, runs: LabelRuns, places: list[tuple[int, int]], about: list[tuple[str, str, bool]]
) -> dict[str, NDArray[np.generic]]:
    """What :func:`open_streams` reads, by the names of :data:`_ARRAYS`."""
    return {
        "about": np.array(header),
        "run_start": runs.start,
        "run_label": runs.label,
        "run_finite": runs.finite,
        "lengths": runs.lengths,
        "place": np.array(places, dtype=np.int64),
        "subjects": np.array([subject for subject, _, _ in about], dtype=np.str_),
        "trials": np.array([trial for _, trial, _ in about], dtype=np.str_),
        "official_test": np.array([test for _, _, test in about], dtype=np.bool_),
    }


def open_streams(folder: Path) -> StreamShards:
    """Open a pack: its index is read, the samples stay on disk.

    Raises:
        ValueError: a file of the pack is damaged.
    """
    data = read_index(folder, _ARRAYS)
    about = json.loads(str(data["about"]))
    place = data["place"].astype(np.int64, copy=False)
    shards = StreamShards(
        folder,
        tuple(about["channels"]),
        float(about["rate_hz"]),
        LabelRuns(
            tuple(about["names"]),
            data["run_start"].astype(np.int64, copy=False),
            data["run_label"].astype(np.int64, copy=False),
            data["run_finite"].astype(np.bool_, copy=False),
            data["lengths"].astype(np.int64, copy=False),
        ),
        place[:, 0],
        place[:, 1],
        data["subjects"].astype(np.str_, copy=False),
        data["trials"].astype(np.str_, copy=False),
        data["official_test"].astype(np.bool_, copy=False),
        tuple(about["rows"]),
        tuple(about["finite"]),
        tuple(about["notes"]),
    )
    check_shards(folder, list(shards.rows), width=len(shards.channels))
    return shards
