"""PromptDataModule: sentences to generate motions from, a seed and a length for each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from datamodules.batches import PromptBatch, check_seconds
from datamodules.clips.captions import load_paraphrases
from datamodules.motion_windows import hash_sample
from sim.conventions import FEATURE_FPS
from sim.files import parse_yaml, read_text_file


class Prompt(NamedTuple):
    """One motion to generate."""

    text: str
    frames: int
    seed: int
    number: int
    activity: str


def collate_prompts(prompts: Sequence[Prompt]) -> PromptBatch:
    """Stack prompts to a batch."""
    return PromptBatch(
        texts=[prompt.text for prompt in prompts],
        lengths=torch.tensor([prompt.frames for prompt in prompts]),
        seeds=[prompt.seed for prompt in prompts],
        index=torch.tensor([prompt.number for prompt in prompts]),
        activities=[prompt.activity for prompt in prompts],
    )


class PromptDataModule(LightningDataModule):
    """Prompts of each activity in turn, as many motions of each as asked for.

    The seed of a motion follows from ``seed``, its activity and its number within the activity, so motions stay the
    same when activities are added or the batch size changes.

    Args:
        prompts: sentences of each activity, or a YAML file of that; None takes the packaged paraphrases.
        activities: keep only these; None keeps all.
        motions_per_activity: motions to generate of each activity; its prompts are used in turn.
        seconds: length of each motion, 1 to 60 [s].
        batch_size: prompts in a batch.
        seed: decides the seeds of all motions.

    Raises:
        ValueError: there are no prompts, or none for an activity; a parameter is out of range.
        FileNotFoundError: there is no such YAML file.
    """

    def __init__(
        self,
        prompts: dict[str, list[str]] | str | None = None,
        *,
        activities: list[str] | None = None,
        motions_per_activity: int = 8,
        seconds: float = 6.0,
        batch_size: int = 32,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if motions_per_activity < 1 or batch_size < 1:
            raise ValueError(
                f"motions_per_activity {motions_per_activity} and batch_size {batch_size} must be at least 1"
            )
        check_seconds(seconds)
        table = _read_table(prompts)
        unknown = sorted(set(activities or []) - set(table))
        if unknown:
            raise ValueError(f"no prompts for the activities {unknown}; there are some for {', '.join(table)}")
        names = list(table) if activities is None else activities
        self.prompts = [
            Prompt(
                text=table[name][number % len(table[name])],
                frames=round(seconds * FEATURE_FPS),
                seed=hash_sample(seed, name, number),
                number=position * motions_per_activity + number,
                activity=name,
            )
            for position, name in enumerate(names)
            for number in range(motions_per_activity)
        ]
        self.batch_size = batch_size
        self.find_done: Callable[[], Collection[int]] | None = None
        self.save_hyperparameters()

    def captions(self) -> list[str]:
        """Return every sentence that is used, sorted."""
        return sorted({prompt.text for prompt in self.prompts})

    def predict_dataloader(self) -> DataLoader[Prompt]:
        """All prompts in order, without those that are done (:class:`datamodules.batches.SkipsPrompts`)."""
        done = frozenset() if self.find_done is None else frozenset(self.find_done())
        left = [prompt for prompt in self.prompts if prompt.number not in done]
        # Lightning's sampler wants one for each process, or none at all; the same motion twice is the same motion.
        left += left[-1:] * ((self.trainer.world_size if self.trainer else 1) - len(left))
        # A list is a map-style data set; only the stub of DataLoader does not know it.
        return DataLoader(left, batch_size=self.batch_size, collate_fn=collate_prompts)  # type: ignore[arg-type]


def _read_table(prompts: dict[str, list[str]] | str | None) -> dict[str, list[str]]:
    if prompts is None:
        return {name: list(sentences) for name, sentences in load_paraphrases().items()}
    origin = "prompts"
    if isinstance(prompts, str):
        origin, path = prompts, Path(prompts)
        if not path.is_file():
            raise FileNotFoundError(f"prompts file {prompts!r} not found; give a YAML file of activity: [sentences]")
        given = parse_yaml(read_text_file(path), path)
        prompts = given if isinstance(given, dict) else None
    if not isinstance(prompts, dict) or not prompts:
        raise ValueError(
            f"{origin} holds no prompts, expected sentences per activity, e.g. {{walking: [a person walks]}}"
        )
    for name, sentences in prompts.items():
        if not isinstance(sentences, list) or not [text for text in sentences if str(text).strip()]:
            raise ValueError(f"{origin} has no sentence for {name!r}, expected a list with at least one")
    return {str(name): [str(text) for text in sentences] for name, sentences in prompts.items()}
