"""A part of a data set: a few people, what they do, what their sensors read, whole and in windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, NamedTuple, NotRequired, TypedDict, cast

import pandas as pd
import torch

from datamodules.har import WindowSet, windows_from_imu
from datamodules.har.windows.views import concatenate
from datamodules.har.windows.window_tables import write_windows
from experiments.dataset.config import DatasetConfig
from experiments.dataset.motions import MOTIONS, ChunkReport, MakeMotions, Slot, read_slots
from experiments.dataset.people import PersonFacts, Worn, device_of, wear
from experiments.dataset.plan import Part, Person, motion_number, pool_of, seed_of, sides_of
from experiments.pipeline.files import as_json, read_json, write_json
from experiments.pipeline.tasks import Inputs, Task
from sim.body import Body
from sim.files import whole_file
from sim.imu import simulate
from sim.motion import Motion
from sim.recording import ImuRecording
from sim.recording_files import AXES

RECORDINGS, WINDOWS, REPORT = "recordings.parquet", "windows.parquet", "part.json"
LETTERS: Final = 5
"""Frames of a motion that the picture of it shows."""


class RecordingFacts(TypedDict):
    """What is known of a recording besides its samples; ``motion`` is the same for those that show the same motion."""

    recording: str
    subject: str
    label: str
    split: str
    motion: str
    prompt: str
    source: str
    device: str


class PartReport(TypedDict):
    """What is in a part; ``chunks`` say what became of its motions, ``files`` are hashes of its tables."""

    number: int
    stem: str
    hash: str
    people: list[PersonFacts]
    recordings: list[RecordingFacts]
    lacking: dict[str, int]
    windows: dict[str, int]
    chunks: dict[str, ChunkReport]
    figures: dict[str, list[list[list[float]]]]
    commit: NotRequired[str]
    files: NotRequired[dict[str, str]]


@dataclass(frozen=True)
class MakePart(Task):
    """``recordings.parquet``, ``windows.parquet`` and ``part.json`` of a few people; their motions where asked for.

    Attributes:
        config: of the data set.
        part: who.
        motions: the chunks that the part needs.
        of: hash of the specification and of all that it names.
    """

    stage: ClassVar[str] = "recordings"
    stage_title: ClassVar[str] = "simulating sensors"
    config: DatasetConfig
    part: Part
    motions: tuple[MakeMotions, ...]
    of: str

    @property
    def title(self) -> str:
        """The side and the number."""
        return self.part.stem

    def run(self, inputs: Inputs, output: Path) -> None:
        """Simulate each person's recordings at once."""
        chunks = {task.chunk.name: _Chunk.open(inputs[task]) for task in self.motions}
        found = {
            (slot["label"], slot["number"]): (chunk, slot)
            for chunk in chunks.values()
            for slot in chunk.report["slots"]
        }
        report: PartReport = {
            "number": self.part.number,
            "stem": self.part.stem,
            "hash": self.of,
            "people": [],
            "recordings": [],
            "lacking": dict.fromkeys(self.config.activities, 0),
            "windows": dict.fromkeys(self.config.activities, 0),
            "chunks": {name: chunk.report for name, chunk in chunks.items()},
            "figures": {},
        }
        tables: list[pd.DataFrame] = []
        windows: list[WindowSet] = []
        names: list[str] = []
        moved: list[Motion] = []
        for person in self.part.people:
            worn = wear(self.config, person, self.part.side)
            report["people"].append(worn.facts)
            mine = list(self._recordings_of(person, found, report))
            if not mine:
                continue
            motion = _stack([chunk.motion(slot) for chunk, slot, _ in mine])
            facts = [fact for _, _, fact in mine]
            recording = self._simulate(person, worn, motion)
            tables.append(tabulate(recording, facts))
            windows.append(self._cut(recording, facts))
            names += [facts[number]["recording"] for number in windows[-1].recording.tolist()]
            report["recordings"] += facts
            moved.append(motion)
            _draw(report, motion, facts)
        self._write(output, report, tables, (windows, names), moved)

    def _recordings_of(
        self, person: Person, found: Mapping[tuple[str, int], tuple[_Chunk, Slot]], report: PartReport
    ) -> Iterator[tuple[_Chunk, Slot, RecordingFacts]]:
        config, side = self.config, self.part.side
        pool = pool_of(config, len(sides_of(config)[side]))
        for label in config.activities:
            for turn in range(config.recordings_each):
                chunk, slot = found[label, motion_number(config, pool, person, turn)]
                if slot["row"] is None:
                    report["lacking"][label] += 1
                    continue
                yield (
                    chunk,
                    slot,
                    {
                        "recording": f"{person.name}_{label}_{turn:03d}",
                        "subject": person.name,
                        "label": label,
                        "split": side,
                        "motion": f"{side}_{label}_{slot['number']:05d}",
                        "prompt": slot["prompt"],
                        "source": slot["source"],
                        "device": device_of(config, person).preset,
                    },
                )

    def _simulate(self, person: Person, worn: Worn, motion: Motion) -> ImuRecording:
        return simulate(
            motion,
            worn.body,
            worn.placements,
            rate_hz=self.config.rate_hz,
            errors=device_of(self.config, person).make(),
            generator=torch.Generator().manual_seed(seed_of(self.config.seed, "noise", person.number)),
            cutoff_hz=self.config.cutoff_hz,
        )

    def _cut(self, recording: ImuRecording, facts: list[RecordingFacts]) -> WindowSet:
        how = self.config.windows
        windows, _ = windows_from_imu(
            recording,
            [fact["label"] for fact in facts],
            classes=list(self.config.activities),
            subjects=[fact["subject"] for fact in facts],
            window_s=how.seconds,
            overlap=how.overlap,
            rate_hz=self.config.rate_hz,
            channels=how.channels,
        )
        return windows

    def _write(
        self,
        output: Path,
        report: PartReport,
        tables: list[pd.DataFrame],
        windows: tuple[list[WindowSet], list[str]],
        moved: list[Motion],
    ) -> None:
        if tables:
            with whole_file(output / RECORDINGS) as path:
                pd.concat(tables, ignore_index=True).to_parquet(path, index=False)
            cut = concatenate(windows[0])
            write_windows(output / WINDOWS, cut, windows[1])
            report["windows"] = dict(zip(cut.classes, cut.counts().tolist(), strict=True))
            if self.config.keep_motions:
                _stack(moved, joined=True).save(output / MOTIONS)
        write_json(as_json(report), output / REPORT)


class _Chunk(NamedTuple):
    """What :class:`MakeMotions` wrote."""

    report: ChunkReport
    motions: Motion | None

    @classmethod
    def open(cls, folder: Path) -> _Chunk:
        motions = Motion.load(folder / MOTIONS) if (folder / MOTIONS).is_file() else None
        return cls(read_slots(folder), motions)

    def motion(self, slot: Slot) -> Motion:
        if self.motions is None or slot["row"] is None:
            raise ValueError(f"no motion {slot['number']} of {slot['label']}; remove the folder .work and go on")
        row = slot["row"]
        return Motion(self.motions.rotations[row], self.motions.translation[row], self.motions.fps, text=slot["prompt"])


def read_part(folder: Path) -> PartReport:
    """Return what :class:`MakePart` says of a part."""
    return cast(PartReport, read_json(folder / REPORT))


def tabulate(recording: ImuRecording, facts: list[RecordingFacts]) -> pd.DataFrame:
    """Return recordings ``(B, T, S, 3)`` as one table: subject, recording, label, time_s, and SITE_QUANTITY_AXIS."""
    batch, samples = recording.accel.shape[:2]
    columns: dict[str, object] = {
        name: pd.Series([fact[name] for fact in facts]).repeat(samples).to_numpy()
        for name in ("subject", "recording", "label")
    }
    columns["time_s"] = recording.time_s.repeat(batch).numpy()
    for index, site in enumerate(recording.names):
        for quantity, values in (("accel", recording.accel), ("gyro", recording.gyro)):
            for axis, letter in enumerate(AXES[quantity]):
                columns[f"{site}_{quantity}_{letter}"] = values[:, :, index, axis].reshape(-1).float().numpy()
    return pd.DataFrame(columns)


def _stack(motions: list[Motion], *, joined: bool = False) -> Motion:
    put = torch.cat if joined else torch.stack
    texts = [
        text for motion in motions for text in ([motion.text] if isinstance(motion.text, str) else motion.text or [])
    ]
    return Motion(
        put([motion.rotations for motion in motions]),
        put([motion.translation for motion in motions]),
        motions[0].fps,
        text=texts,
    )


def _draw(report: PartReport, motion: Motion, facts: list[RecordingFacts]) -> None:
    """Keep a few frames' joints of the first motion of each label, for the card."""
    for row, fact in enumerate(facts):
        if fact["label"] in report["figures"]:
            continue
        joints = Body.default().joints(Motion(motion.rotations[row], motion.translation[row], motion.fps))
        frames = torch.linspace(0, len(joints) - 1, LETTERS).round().long()
        report["figures"][fact["label"]] = [
            [[round(value, 3) for value in point] for point in frame] for frame in joints[frames].tolist()
        ]
