"""Real sets and folders of simulated recordings -> packs of streams, made once and opened in an instant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd

from datamodules.har.recordings.reading import OnBadFile
from datamodules.har.recordings.sources import digest_of, reader_version, stamps_of
from datamodules.har.registry import load_recordings, real_set
from datamodules.har.streams.manifest import read_manifest
from datamodules.har.streams.shards import StreamShards, open_streams, write_streams
from datamodules.har.streams.stream import Stream, stream_of_recording, streams_of_imu
from datamodules.packs import INDEX, write_once
from sim.recording import ImuRecording

Progress = Callable[[int, str], None]
"""Called with the number of recordings done and the name of the last."""


class StreamSource(Protocol):
    """Something that recordings can be packed from."""

    def key(self) -> str:
        """A name for what its pack holds: reader, options, and size and time of each file."""

    def write(self, folder: Path, progress: Progress) -> None:
        """Write the pack into an empty folder."""


def pack_streams(source: StreamSource, cache_dir: str | Path, *, progress: Progress | None = None) -> StreamShards:
    """Open the pack of a source, made first if it is not there; safe to be called by several processes at once.

    Args:
        source: what to pack.
        cache_dir: where packs are kept.
        progress: see :data:`Progress`.

    Raises:
        FileNotFoundError: the source is not there.
        ValueError: a file is damaged, or the set does not have what was asked for; nothing is left in the cache.
    """
    report = progress or (lambda done, name: None)
    cache = Path(cache_dir).expanduser()
    return open_streams(write_once(cache, source.key(), lambda folder: source.write(folder, report)))


def is_packed(source: StreamSource, cache_dir: str | Path) -> bool:
    """Whether the pack of a source, as it is now, is there."""
    return (Path(cache_dir).expanduser() / source.key() / INDEX).is_file()


@dataclass(frozen=True)
class RealStreams:
    """A real set at one rate, with one choice of channels and sites.

    Attributes:
        name: one of :data:`datamodules.har.registry.READERS`.
        root: folder that holds it, or None.
        rate_hz: samples per second of the pack [Hz].
        channels: which of :data:`datamodules.har.streams.CHANNEL_GROUPS`.
        placements: which sites; recordings that lack one are left out and counted.
        on_bad_file: see :func:`datamodules.har.registry.load_recordings`.
        max_gap_s: as there [s].
    """

    name: str
    root: Path | None
    rate_hz: float
    channels: tuple[str, ...]
    placements: tuple[str, ...]
    on_bad_file: OnBadFile
    max_gap_s: float

    def key(self) -> str:
        """See :class:`StreamSource`.

        Raises:
            FileNotFoundError: a package that brings the set is not installed.
        """
        root = None if self.root is None else self.root.expanduser()
        options = (self.rate_hz, self.channels, self.placements, self.on_bad_file, self.max_gap_s)
        stamps = stamps_of(real_set(self.name).sources(root))
        return f"{self.name}-{digest_of([reader_version(), str(root), repr(options), *stamps])}"

    def write(self, folder: Path, progress: Progress) -> None:
        """See :class:`StreamSource`."""
        recordings = load_recordings(self.name, self.root, on_bad_file=self.on_bad_file, max_gap_s=self.max_gap_s)
        is_test = real_set(self.name).is_test or (lambda recording: False)
        elsewhere = 0

        def choose() -> Iterator[tuple[Stream, bool]]:
            nonlocal elsewhere
            for number, recording in enumerate(recordings):
                progress(number, recording.trial)
                if set(self.placements) <= set(recording.placements):
                    yield stream_of_recording(recording, self.channels, self.placements), is_test(recording)
                else:
                    elsewhere += 1

        def note() -> list[str]:
            lost = [f"{elsewhere} recordings of other sites than {', '.join(self.placements)} left out"]
            return [recordings.summary(), *(lost if elsewhere else [])]

        write_streams(choose(), folder, rate_hz=self.rate_hz, notes=note, what=self.name)


@dataclass(frozen=True)
class VirtualStreams:
    """A folder of simulated recordings; see :func:`datamodules.har.streams.manifest.read_manifest`.

    Attributes:
        root: the folder.
        rate_hz: samples per second of the pack [Hz].
        channels: which of :data:`datamodules.har.streams.CHANNEL_GROUPS`.
        placements: which sites; None takes all.
    """

    root: Path
    rate_hz: float
    channels: tuple[str, ...]
    placements: tuple[str, ...] | None

    def key(self) -> str:
        """See :class:`StreamSource`.

        Raises:
            FileNotFoundError: there is no manifest, or it lists a file that is not there.
        """
        table = read_manifest(self.root)
        options = (self.rate_hz, self.channels, self.placements)
        stamps = stamps_of(self.root / str(file) for file in table["file"])
        rows = table.to_csv(index=False)
        return f"virtual-{digest_of([reader_version(), str(self.root), repr(options), rows, *stamps])}"

    def write(self, folder: Path, progress: Progress) -> None:
        """See :class:`StreamSource`."""
        table = read_manifest(self.root)
        write_streams(
            self._streams(table, progress), folder, rate_hz=self.rate_hz, notes=lambda: [], what=str(self.root)
        )

    def _streams(self, table: pd.DataFrame, progress: Progress) -> Iterator[tuple[Stream, bool]]:
        columns: Sequence[Sequence[str]] = [table[name].tolist() for name in ("file", "label", "subject", "split")]
        for number, (file, label, subject, split) in enumerate(zip(*columns, strict=True)):
            progress(number, file)
            recording = ImuRecording.load(self.root / file)
            count = recording.accel.shape[:-3].numel()
            for stream in streams_of_imu(recording, label, self.channels, self.placements, [subject] * count, None):
                yield stream, split == "test"
