"""Opening a ten-hour set from its pack and streaming its windows, beside plain NumPy that copies the same windows."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from datamodules.har.streams import Stream, channel_names
from datamodules.har.streams.shards import open_streams, write_streams
from datamodules.har.window_module import WindowDataModule
from datamodules.har.windows.cutter import Cutter
from datamodules.har.windows.shard_windows import ShardWindows, cut_shards
from experiments.bench.memory import measure_anonymous_bytes
from experiments.pipeline.tables import BenchTable, time_in_turns

HOURS: Final = 10.0
RATE_HZ: Final = 100.0
SITES: Final = ("chest", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
CLASSES: Final = ("walking", "running", "sitting", "standing")
BATCH: Final = 256
_RECORDING_S: Final = 300.0


def stream(folder: Path) -> int:
    """Open the set and stream one epoch; returns the number of windows that came."""
    return sum(len(batch.labels) for batch in open_module(folder).train_dataloader())


def _prepare_streaming(folder: Path) -> Callable[[], object]:
    return partial(stream, folder)


def open_module(folder: Path) -> WindowDataModule:
    """Open the pack, cut it, and fit the normalisation: all that comes before the first batch."""
    shards = open_streams(folder)
    windows, _ = cut_shards(shards, Cutter(CLASSES, {}, 2.56, 0.5, RATE_HZ, 0.9))
    data = WindowDataModule(windows, batch_size=BATCH, val_fraction=0.0)
    data.setup()
    return data


def write_set(folder: Path, hours: float) -> None:
    """Write made-up recordings of five minutes, one activity after the other, as a pack."""
    generator = np.random.default_rng(0)
    channels = channel_names(("accel", "gyro"), SITES)
    samples = round(_RECORDING_S * RATE_HZ)
    noise = generator.standard_normal((samples, len(channels)), dtype=np.float32)

    def streams() -> Iterator[tuple[Stream, bool]]:
        for number in range(round(hours * 3600 / _RECORDING_S)):
            labels = np.repeat(np.array(CLASSES), samples // len(CLASSES))
            values = (noise + number).astype(np.float64)
            yield Stream(values, channels, labels, RATE_HZ, f"s{number % 12}", f"made/{number}"), False

    write_streams(streams(), folder, rate_hz=RATE_HZ, notes=lambda: [], what="made-up set")


def copy_windows(windows: ShardWindows, order: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    """Copy windows from the map into one preallocated batch, as plain NumPy does it."""
    batch = np.empty((BATCH, windows.num_samples, windows.num_channels), dtype=np.float32)
    maps = [np.asarray(windows.shards.map(number)) for number in range(len(windows.shards.rows))]
    # Plain integers: picking them out of arrays one by one would cost the copy a tenth of its rate.
    shards, rows = windows.shards.shard[windows.recording[order]].tolist(), windows.row[order].tolist()
    for number, (shard, row) in enumerate(zip(shards, rows, strict=True)):
        batch[number % BATCH] = maps[shard][row : row + windows.num_samples]


def window_stream_table(hours: float = HOURS) -> BenchTable:
    """Write the set, open it, stream it and copy it in turns; the folder is removed afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_set(folder, hours)
        grown = measure_anonymous_bytes(partial(_prepare_streaming, folder))
        data = open_module(folder)
        windows = data.train_windows
        if not isinstance(windows, ShardWindows):
            raise TypeError(f"windows are a {type(windows).__name__}, expected ShardWindows")
        order = np.array(list(data.make_sampler(windows, ranks=1, rank=0)))
        opening, copying, streaming = time_in_turns(
            (
                lambda: open_module(folder),
                lambda: copy_windows(windows, order),
                lambda: sum(len(batch.labels) for batch in data.train_dataloader()),
            ),
            turns=5,
        )
        megabytes = sum(path.stat().st_size for path in folder.glob("shard-*")) / 1e6
    ratio = statistics.median(plain / ours for plain, ours in zip(copying, streaming, strict=True))
    ours, plain = (len(windows) / statistics.median(seconds) for seconds in (streaming, copying))
    return BenchTable(
        f"Windows of a {hours:g} h set, {RATE_HZ:g} Hz, {len(SITES)} sensors of 6 channels ({megabytes:.0f} MB)",
        (
            "open [s]",
            "at most",
            "loader [windows/s]",
            "NumPy copy [windows/s]",
            "ratio",
            "at least",
            "RssAnon growth [MB]",
            "at most",
        ),
        [
            (
                f"{statistics.median(opening):.2f}",
                "1",
                f"{ours:,.0f}",
                f"{plain:,.0f}",
                f"{ratio:.2f}",
                "0.8",
                f"{grown / 1e6:.0f}",
                "300",
            )
        ],
        f"{len(windows)} windows of 2.56 s, half overlapping, shuffled, batches of {BATCH}; opening includes "
        "cutting and the mean and standard deviation of every channel. Memory: a process that has imported everything, "
        "from before opening to the end of an epoch.",
    )
