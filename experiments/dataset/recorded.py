"""Recorded motions, or those of another generator: crops of motion files, each clip on one side of the split."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from datamodules.clips.clip import includes
from datamodules.clips.sources import list_items
from datamodules.generated_motion import GeneratedMotionDataModule
from datamodules.motion_files import terms_of_folder
from datamodules.motion_files.joint_files import PROMPTS
from experiments.dataset.config import DatasetConfig
from experiments.dataset.plan import seed_of
from experiments.pipeline.code_version import file_hash
from sim.conventions import FEATURE_FPS
from sim.motion import Motion
from sim.trajectory import resample_motion

EMBEDDED: Final = "embedded"


class Drawn(NamedTuple):
    """A motion ``(T, 22, 3, 3)``, its sentence and where it is from; or no motion, and why."""

    motion: Motion | None
    prompt: str
    source: str
    lacks: str = ""


class RecordedMotions:
    """Crops of the motion files of one activity; each clip in turn, from a place of its own."""

    def __init__(self, config: DatasetConfig, label: str) -> None:
        self._config = config
        told = config.activities[label].tell or [label]
        own = config.activities[label].motions
        clips = load_clips(own or str(config.motion.folder))
        self._clips = [clip for clip in clips if own or any(includes(name, clip.activity) for name in told)]

    def draw(self, slots: Sequence[tuple[str, int]], side: str, attempt: int) -> list[Drawn]:
        """Return a crop for each slot."""
        return [self._crop(label, number, side, attempt) for label, number in slots]

    def _crop(self, label: str, number: int, side: str, attempt: int) -> Drawn:
        frames = frames_of(self._config.motion.seconds)
        mine = clips_of_side([clip.name for clip in self._clips], self._config, label)[side]
        if not mine:
            return Drawn(None, "", "", "no clip on this side")
        clip = self._clips[mine[(number + attempt) % len(mine)]]
        if clip.motion.num_frames < frames:
            return Drawn(None, clip.text, clip.name, "too short")
        generator = np.random.default_rng(seed_of(self._config.seed, "crop", side, label, number, attempt))
        start = int(generator.integers(clip.motion.num_frames - frames + 1))
        where = f"{clip.name} at {start / FEATURE_FPS:g} s"
        return Drawn(clip.motion.frames(start, start + frames), clip.text, where)


class Recorded(NamedTuple):
    """A recorded clip at 20 fps."""

    name: str
    activity: str
    text: str
    motion: Motion


def clips_of_side(names: Sequence[str], config: DatasetConfig, label: str) -> dict[str, list[int]]:
    """Deal clips to the sides of the split by share, each to one side; train first where there are few."""
    order = np.random.default_rng(seed_of(config.seed, "clips", label)).permutation(len(names)).tolist()
    val, test = (
        max(1, round(share * len(order))) if share > 0 else 0 for share in (config.people.val, config.people.test)
    )
    train = max(len(order) - val - test, min(1, len(order)))
    return {"train": order[:train], "val": order[train : train + val], "test": order[train + val :]}


def frames_of(seconds: float) -> int:
    """Return the frames of a motion of that length."""
    return round(seconds * FEATURE_FPS)


@lru_cache(maxsize=8)
def load_clips(folder: str) -> tuple[Recorded, ...]:
    """Read all motions of a folder, of ``embedded``, or of joint files with a table of prompts, at 20 fps.

    Raises:
        FileNotFoundError: there is no such folder, or it holds no motion.
        ValueError: a file is damaged.
    """
    if (Path(folder).expanduser() / PROMPTS).is_file():
        data = GeneratedMotionDataModule(folder)
        data.setup()
        clips = data.clips("test")
    else:
        clips = [clip for item in list_items(folder) for clip in item.load()]
    return tuple(
        Recorded(clip.name, clip.activity, clip.captions[0], resample_motion(clip.motion, fps=FEATURE_FPS))
        for clip in clips
    )


def folders_of(config: DatasetConfig) -> list[str]:
    """Return every folder of motions that a specification names, ``embedded`` among them."""
    folders = [config.motion.folder, *(activity.motions for activity in config.activities.values())]
    return list(dict.fromkeys(folder for folder in folders if folder is not None))


def licences_of(config: DatasetConfig) -> list[str]:
    """Return what is known of the terms of all motion files that a specification names, each once."""
    folders = (Path(folder).expanduser() for folder in folders_of(config) if folder != EMBEDDED)
    return list(dict.fromkeys(words for folder in folders for words in terms_of_folder(folder)))


def digest_folders(config: DatasetConfig) -> str:
    """Name what lies in the folders of motion, without reading it all."""
    lines: list[str] = []
    for folder in folders_of(config):
        root = Path(folder).expanduser()
        if (root / PROMPTS).is_file():
            lines += [f"{path.name} {file_hash(path)}" for path in sorted(root.iterdir()) if path.is_file()]
        else:
            lines += [f"{item.name} {item.key}" for item in list_items(folder)]
    return "\n".join(lines)
