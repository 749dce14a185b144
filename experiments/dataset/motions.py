"""The motions of a data set: generated or recorded, each looked at, and drawn anew where it fails its check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Final, Protocol, TypedDict, cast

import torch

from experiments.dataset.config import DatasetConfig
from experiments.dataset.judge import check_motion, is_twin, print_of
from experiments.dataset.plan import Chunk, seed_of, slots_of
from experiments.dataset.recorded import Drawn, RecordedMotions, frames_of
from experiments.dataset.wording import Saying, rule_for
from experiments.pipeline.files import as_json, read_json, write_json
from experiments.pipeline.tasks import Inputs, Task
from lightning_modules.checkpoints import load_prior
from lightning_modules.sampling.motion_generator import MotionGenerator
from lightning_modules.text.encoders import text_encoder
from sim.conventions import FEATURE_FPS
from sim.features import check_decoder, features_to_motion
from sim.motion import Motion

BATCH: Final = 32
"""Motions generated at a time."""

MOTIONS, SLOTS = "motions.npz", "motions.json"


class Slot(TypedDict):
    """A motion that was asked for: ``row`` in ``motions.npz``, or None where none passed."""

    label: str
    number: int
    row: int | None
    prompt: str
    source: str
    tries: int


class ChunkReport(TypedDict):
    """What became of the motions of a chunk; ``dropped`` counts by label and reason."""

    slots: list[Slot]
    dropped: dict[str, dict[str, int]]


class Source(Protocol):
    """Something that motions are drawn from."""

    def draw(self, slots: Sequence[tuple[str, int]], side: str, attempt: int) -> list[Drawn]:
        """Return a motion for each slot; another one for another attempt."""
        ...


@dataclass(frozen=True)
class MakeMotions(Task):
    """The motions of a chunk: ``motions.npz``, a Motion ``(M, T, ...)`` at 20 fps, and ``motions.json``.

    Attributes:
        config: of the data set; what concerns sensors and bodies is at its defaults.
        chunk: which motions.
        sayings: sentences of each label, and what the weights are told beside them.
        weights: file; None where nothing is generated.
        recorded: digest of the folders of motion.
        device: where.
        cache_dir: folder that keeps embeddings of texts.
    """

    stage: ClassVar[str] = "motions"
    stage_title: ClassVar[str] = "making motions"
    config: DatasetConfig
    chunk: Chunk
    sayings: Mapping[str, tuple[Saying, ...]]
    weights: Path | None
    recorded: str
    device: str = field(metadata={"key": False})
    cache_dir: Path = field(metadata={"key": False})

    @property
    def title(self) -> str:
        """The side and the first number."""
        return self.chunk.name

    def run(self, inputs: Inputs, output: Path) -> None:
        """Draw, look, and draw anew."""
        del inputs
        sources = self._sources()
        looked = _Looked(self)
        waiting = list(slots_of(self.chunk, self.config))
        for attempt in range(self.config.motion.tries):
            for source in dict.fromkeys(sources.values()):
                mine = [slot for slot in waiting if sources[slot[0]] is source]
                for slot, drawn in zip(mine, source.draw(mine, self.chunk.side, attempt), strict=True):
                    looked.take(slot, drawn, attempt)
            waiting = [slot for slot in waiting if slot not in looked.kept]
            if not waiting:
                break
        looked.write(output, waiting)

    def _sources(self) -> dict[str, Source]:
        generated = GeneratedMotions(self) if self.weights is not None else None
        sources: dict[str, Source] = {}
        for label in self.config.activities:
            if self.config.generates(label) and generated is not None:
                sources[label] = generated
            else:
                sources[label] = RecordedMotions(self.config, label)
        return sources


class _Looked:
    """What was drawn, looked at and kept."""

    def __init__(self, task: MakeMotions) -> None:
        self._task = task
        self._prints: dict[str, list[torch.Tensor]] = {label: [] for label in task.config.activities}
        self._dropped: dict[str, Counter[str]] = {label: Counter() for label in task.config.activities}
        self.kept: dict[tuple[str, int], tuple[Motion, Slot]] = {}

    def take(self, wanted: tuple[str, int], drawn: Drawn, attempt: int) -> None:
        """Keep a motion, or count why not."""
        label, number = wanted
        sayings = self._task.sayings[label]
        if drawn.motion is None:
            self._dropped[label][drawn.lacks] += 1
            return
        rule = rule_for(label, self._task.config.activities[label], sayings[number % len(sayings)].told)
        reasons = check_motion(drawn.motion, rule)
        seen = print_of(drawn.motion)
        if not reasons and is_twin(seen, self._prints[label]):
            reasons = ["seen before"]
        if reasons:
            self._dropped[label][reasons[0]] += 1
            return
        self._prints[label].append(seen)
        slot: Slot = {
            "label": label,
            "number": number,
            "row": len(self.kept),
            "prompt": drawn.prompt,
            "source": drawn.source,
            "tries": attempt + 1,
        }
        self.kept[wanted] = drawn.motion, slot

    def write(self, output: Path, lacking: Sequence[tuple[str, int]]) -> None:
        """Write the motions, and what became of each slot."""
        tries = self._task.config.motion.tries
        slots = [slot for _, slot in self.kept.values()]
        for label, number in lacking:
            slots.append({"label": label, "number": number, "row": None, "prompt": "", "source": "", "tries": tries})
        if self.kept:
            each = [motion for motion, _ in self.kept.values()]
            Motion(
                torch.stack([motion.rotations for motion in each]),
                torch.stack([motion.translation for motion in each]),
                FEATURE_FPS,
                text=[slot["prompt"] for _, slot in self.kept.values()],
            ).save(output / MOTIONS)
        report: ChunkReport = {"slots": slots, "dropped": {label: dict(n) for label, n in self._dropped.items()}}
        write_json(as_json(report), output / SLOTS)


class GeneratedMotions:
    """Motions of a prior."""

    def __init__(self, task: MakeMotions) -> None:
        self._task = task

    def draw(self, slots: Sequence[tuple[str, int]], side: str, attempt: int) -> list[Drawn]:
        """Generate in batches; text, seed and length decide each motion, whatever else is in the batch."""
        drawn: list[Drawn] = []
        for start in range(0, len(slots), BATCH):
            drawn += self._draw_batch(slots[start : start + BATCH], side, attempt)
        return drawn

    def _draw_batch(self, slots: Sequence[tuple[str, int]], side: str, attempt: int) -> list[Drawn]:
        task, how = self._task, self._task.config.motion
        model = _load_model(str(task.weights), task.device, str(task.cache_dir))
        sayings = [task.sayings[label][number % len(task.sayings[label])] for label, number in slots]
        seeds = [seed_of(task.config.seed, "motion", side, label, number, attempt) for label, number in slots]
        features = model.generate(
            [saying.text for saying in sayings],
            num_frames=frames_of(how.seconds) + 2 * frames_of(how.trim_s),
            guidance=how.guidance,
            sampler=how.sampler,
            steps=how.steps,
            seeds=seeds,
            activities=[saying.told for saying in sayings],
        ).cpu()
        with torch.no_grad():
            motion = features_to_motion(
                features, text="", decoder=check_decoder(how.decoder), std=model.statistics.std.cpu()
            )
        cut = frames_of(how.trim_s)
        motion = motion.frames(cut, cut + frames_of(how.seconds))
        return [
            Drawn(Motion(motion.rotations[row], motion.translation[row], motion.fps), saying.text, f"seed {seed}")
            for row, (saying, seed) in enumerate(zip(sayings, seeds, strict=True))
        ]


def read_slots(folder: Path) -> ChunkReport:
    """Return what :class:`MakeMotions` says of its motions."""
    return cast(ChunkReport, read_json(folder / SLOTS))


@lru_cache(maxsize=1)
def _load_model(weights: str, device: str, cache_dir: str) -> MotionGenerator:
    model = load_prior(weights)
    model.texts.attach(text_encoder(str(model.arguments["text_encoder"]), Path(cache_dir)))
    return model.to(device)
