"""The activity that a motion shows, told to a network beside the text: one number for each, behind the embedding.

A sentence encoder puts "lies on the left side" beside "lies on the right side"; whoever knows the activity says so.
Where only a sentence is known, its activity is that of the packaged sentence that says the same, if there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import Tensor

from datamodules.clips.captions import load_paraphrases

NEAR: Final = 0.8
"""Cosine of two embeddings of unit length from which on two sentences say the same."""


class ActivityNames:
    """The activities that a network knows, and what sentences speak of them.

    Args:
        names: in the order of the numbers behind the embedding.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._number = {name: number for number, name in enumerate(self.names)}
        self._spoken = {
            _plain(sentence): name
            for name, sentences in load_paraphrases().items()
            if name in self._number
            for sentence in sentences
        }
        self._sentences: Tensor | None = None

    def __len__(self) -> int:
        return len(self.names)

    def code(self, activities: Sequence[str | None]) -> Tensor:
        """Return one number for each activity of each motion ``(B, K)``: 1 for its own, all 0 where it is unknown."""
        codes = torch.zeros(len(activities), len(self.names))
        for row, name in zip(codes, activities, strict=True):
            if name in self._number:
                row[self._number[str(name)]] = 1.0
        return codes

    def find(self, texts: Sequence[str], encode: Callable[[list[str]], Tensor]) -> list[str | None]:
        """Return the activity that each text speaks of, or None.

        Args:
            texts: sentences.
            encode: returns embeddings of unit length ``(B, D)``; it is asked only where no packaged sentence is the
                very same but for case and full stop.
        """
        found = {text: self._spoken.get(_plain(text)) for text in texts}
        unknown = [text for text in dict.fromkeys(texts) if found[text] is None]
        if unknown and self._spoken:
            if self._sentences is None:
                self._sentences = encode(list(self._spoken))
            names = list(self._spoken.values())
            nearness = encode(unknown) @ self._sentences.T
            for text, row in zip(unknown, nearness, strict=True):
                best = int(row.argmax())
                found[text] = names[best] if float(row[best]) >= NEAR else None
        return [found[text] for text in texts]


def _plain(sentence: str) -> str:
    return " ".join(sentence.lower().split()).rstrip(" .!")
