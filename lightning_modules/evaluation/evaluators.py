"""Text-motion evaluators: the one interface, and which file becomes which evaluator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from torch import Tensor

from lightning_modules.contrastive_evaluator import ContrastiveEvaluator
from lightning_modules.evaluation.guo import GuoEvaluator


class Evaluator(Protocol):
    """Embeds texts and motions in one space."""

    @property
    def name(self) -> str:
        """What numbers that rest on it are called."""
        ...

    @property
    def notes(self) -> list[str]:
        """What a reader of its numbers has to know."""
        ...

    def embed_motions(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Return embeddings ``(B, D)`` of de-normalised features ``(B, T, 263)`` of ``lengths (B,)`` frames."""
        ...

    def embed_texts(self, captions: Sequence[str]) -> Tensor:
        """Return embeddings ``(B, D)`` of captions."""
        ...


def load_evaluator(path: str | Path, *, data: object, cache_dir: str) -> GuoEvaluator | ContrastiveEvaluator:
    """Load an evaluator.

    Args:
        path: a checkpoint of :class:`ContrastiveEvaluator`, or the folder of the published evaluators (or its
            ``finest.tar``).
        data: the data module at hand, which may know evaluation statistics and tokens of captions.
        cache_dir: where text embeddings are kept.

    Raises:
        FileNotFoundError: there is no such file, or a file of the published evaluators is absent.
        ValueError: a file is damaged, would execute code, or is of another model.
    """
    place = Path(path)
    if place.is_dir():
        return GuoEvaluator(place, data=data)
    if place.suffix == ".tar":
        return GuoEvaluator(place.parent, data=data)
    return ContrastiveEvaluator.load(place, cache_dir=cache_dir)
