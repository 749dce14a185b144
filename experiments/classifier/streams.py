"""Files of any kind as the channels that a classifier takes: ours, tables with a description, tables without one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from datamodules.har.readers.csv_description import DEFAULT_NAME, read_description
from datamodules.har.readers.csv_folder import read_described
from datamodules.har.readers.plain_table import TableFacts, read_plain_table
from datamodules.har.recordings.reading import Reading
from datamodules.har.recordings.recording import Recording
from datamodules.har.streams import Stream, groups_and_sites, stream_of_recording, streams_of_imu
from lightning_modules.weights.classifier import ClassifierSpec
from sim.placements.presets import find_preset
from sim.recording import ImuRecording
from sim.recording_files import is_recording


@dataclass(frozen=True)
class SourceOptions:
    """How files are to be read, where they do not say it themselves.

    Attributes:
        facts: of tables that nothing describes.
        description: YAML of own recordings (docs/own_recordings.md) that says what the columns of the tables are.
        placement: which sensor to take, where a file has several and the classifier takes one.
        max_gap_s: longest stretch to interpolate over [s].
    """

    facts: TableFacts = field(default_factory=TableFacts)
    description: Path | None = None
    placement: str | None = None
    max_gap_s: float = 0.25


@dataclass(frozen=True)
class Piece:
    """A stretch of a file without gaps.

    Attributes:
        file: where it comes from, as the user named it.
        begin_s: time of its first sample, counted from the file's first [s].
        stream: its channels, in the order of the classifier.
    """

    file: str
    begin_s: float
    stream: Stream


def read_pieces(path: Path, spec: ClassifierSpec, options: SourceOptions) -> list[Piece]:
    """Read a file, or a folder that a YAML describes, as the channels of a classifier, at the rate it was recorded at.

    Columns of labels that it may have are passed over.

    Args:
        path: a recording of ``imuforge synth``, a table, the YAML of own recordings, or a folder with an
            ``imuforge.yaml`` in it.
        spec: what the classifier takes.
        options: what the file does not say.

    Raises:
        FileNotFoundError: there is nothing at the path.
        ValueError: it lacks a channel, or several sensors could be meant; says what is there.
    """
    groups, sites = groups_and_sites(spec.channels)
    placement = None if options.placement is None else find_preset(options.placement)
    if placement is not None and sites is not None and placement not in sites:
        raise ValueError(f"placement {placement} is asked for, but the classifier takes {list(sites)}; leave it out")
    if not path.exists():
        raise FileNotFoundError(f"{path} not found; check the path")
    if path.is_dir() or path.suffix.lower() in (".yaml", ".yml"):
        return list(
            _described(path, path / DEFAULT_NAME if path.is_dir() else path, groups, sites, options, whole=True)
        )
    if options.description is not None:
        return list(_described(path, options.description, groups, sites, options, whole=False))
    if is_recording(path):
        return list(_simulated(path, groups, sites, options))
    reading = Reading(max_gap_s=options.max_gap_s)
    recordings = read_plain_table(path, groups, sites, options.facts, reading, placement=placement)
    return [Piece(str(path), each.begin_s, stream_of_recording(each, groups, sites)) for each in recordings]


def _simulated(
    path: Path, groups: Sequence[str], sites: Sequence[str] | None, options: SourceOptions
) -> Iterator[Piece]:
    recording = ImuRecording.load(path)
    wanted = _choose(path, recording.names, sites, options)
    count = int(np.prod(recording.batch_shape, dtype=np.int64))
    for number, stream in enumerate(streams_of_imu(recording, "", groups, wanted, None, None)):
        yield Piece(f"{path}#{number}" if count > 1 else str(path), 0.0, stream)


def _described(
    path: Path,
    description: Path,
    groups: Sequence[str],
    sites: Sequence[str] | None,
    options: SourceOptions,
    *,
    whole: bool,
) -> Iterator[Piece]:
    about = replace(read_description(description), label_column=None, spans=None)
    if not whole:
        if about.placements or not set(about.pattern.groupindex).isdisjoint({"placement", "sensor"}):
            raise ValueError(f"{description} goes by where files lie; give it, or its folder, in place of {path}")
        alone = re.compile(re.escape(path.name))
        about = replace(about, root=path.parent, pattern=alone, subject_column=None, trial_column=None)
    for each in read_described(about, Reading(max_gap_s=options.max_gap_s)):
        yield Piece(each.source or str(path), each.begin_s, _channels(path, each, groups, sites, options))


def _channels(
    path: Path, recording: Recording, groups: Sequence[str], sites: Sequence[str] | None, options: SourceOptions
) -> Stream:
    return stream_of_recording(recording, groups, _choose(path, recording.placements, sites, options))


def _choose(path: Path, there: Sequence[str], sites: Sequence[str] | None, options: SourceOptions) -> tuple[str, ...]:
    """Which sensors of a file the classifier takes."""
    if sites is not None:
        absent = [name for name in sites if name not in there]
        if absent:
            raise ValueError(
                f"{path} has no sensor at {', '.join(absent)}, expected {list(sites)}; it has {list(there)}"
            )
        return tuple(sites)
    if options.placement is not None:
        wanted = find_preset(options.placement)
        if wanted not in there:
            raise ValueError(f"{path} has no sensor at {wanted}; it has {list(there)}")
        return (wanted,)
    if len(there) != 1:
        raise ValueError(f"{path} has sensors at {list(there)}, the classifier takes one; say which with --placement")
    return tuple(there)
