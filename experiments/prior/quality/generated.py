"""Motions of a prior, kept by what they were made of: an interrupted page goes on where it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from datamodules.prompts import Prompt
from experiments.pipeline.tasks import Cache, Inputs, Task, execute
from lightning_modules.checkpoints import load_prior
from lightning_modules.sampling.motion_generator import MotionGenerator
from lightning_modules.sampling.normalised import SamplingOptions
from lightning_modules.training.randomness import derive_seed
from sim.conventions import FEATURE_FPS
from sim.files import whole_file

BATCH = 32
"""Motions generated at a time."""

_FILE = "motions.npz"


def generate_prompts(model: MotionGenerator, prompts: Sequence[Prompt], sampling: SamplingOptions) -> Tensor:
    """Generate a motion for each prompt: raw features ``(B, T, 263)``, zero beyond each length.

    All that a page asks a prior for goes through here.
    """
    return model.generate(
        [prompt.text for prompt in prompts],
        num_frames=[prompt.frames for prompt in prompts],
        seeds=[prompt.seed for prompt in prompts],
        activities=[prompt.activity for prompt in prompts],
        **asdict(sampling),
    )


def make_prompts(activity: str, texts: Sequence[str], count: int, *, seconds: float, seed: int) -> tuple[Prompt, ...]:
    """Return ``count`` prompts of an activity, its sentences in turn."""
    salt = int.from_bytes(activity.encode()[:8], "big")
    return tuple(
        Prompt(
            texts[number % len(texts)],
            round(seconds * FEATURE_FPS),
            derive_seed(seed, salt, number) % 2**62,
            number,
            activity,
        )
        for number in range(count)
    )


class Motions(NamedTuple):
    """Generated or recorded motions.

    Attributes:
        features: raw features ``(N, T, 263)``, zero beyond each length.
        lengths: frames ``(N,)``, int64.
    """

    features: Tensor
    lengths: Tensor

    def clips(self) -> list[Tensor]:
        """Return features of each ``(T_i, 263)``."""
        return [motion[:length] for motion, length in zip(self.features, self.lengths.tolist(), strict=True)]

    @classmethod
    def of(cls, clips: Sequence[Tensor]) -> Motions:
        """Put clips ``(T_i, 263)`` together."""
        lengths = torch.tensor([len(clip) for clip in clips])
        return cls(torch.nn.utils.rnn.pad_sequence(list(clips), batch_first=True), lengths)


@dataclass(frozen=True)
class GenerateMotions(Task):
    """Motions of a few prompts.

    Attributes:
        weights: the prior's file.
        prompts: what is asked for.
        sampling: how.
        name: for the reader.
    """

    stage: ClassVar[str] = "quality"
    stage_title: ClassVar[str] = "generating motions"
    weights: Path
    prompts: tuple[Prompt, ...]
    sampling: SamplingOptions
    name: str = field(metadata={"key": False})

    @property
    def title(self) -> str:
        """What is generated."""
        return self.name

    def run(self, inputs: Inputs, output: Path) -> None:
        """Generate, and write features and lengths."""
        model = load_once(self.weights)
        parts = [
            list(Motions(generate_prompts(model, part, self.sampling).cpu(), _lengths(part)).clips())
            for part in (self.prompts[start : start + BATCH] for start in range(0, len(self.prompts), BATCH))
        ]
        motions = Motions.of([clip for part in parts for clip in part])
        with whole_file(output / _FILE) as path, path.open("wb") as file:
            np.savez(file, features=motions.features.numpy(), lengths=motions.lengths.numpy())

    def fetch(self, cache_dir: str | Path) -> Motions:
        """Return the motions, generated now or in an earlier run."""
        folder = Cache(Path(cache_dir)).folder(self)
        execute(self, folder, Inputs([]))
        with np.load(folder / _FILE, allow_pickle=False) as data:
            return Motions(torch.from_numpy(data["features"]), torch.from_numpy(data["lengths"]))


@lru_cache(maxsize=1)
def load_once(weights: Path) -> MotionGenerator:
    """Load a prior, once for all that is asked of it."""
    return load_prior(weights)


def _lengths(prompts: Sequence[Prompt]) -> Tensor:
    return torch.tensor([prompt.frames for prompt in prompts])
