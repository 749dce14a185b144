"""Embeddings of texts that were encoded before: a training step looks them up and never runs an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch.nn.utils.rnn import pad_sequence

from lightning_modules.text.activities import ActivityNames
from lightning_modules.text.encoders import TextEncoder, text_encoder


@dataclass(frozen=True)
class TextBatch:
    """Embeddings of B texts, as the denoiser takes them.

    Attributes:
        embedding: one a text ``(B, D)``, or one a word ``(B, L, D)``, zero beyond each text's words.
        mask: which words are no padding ``(B, L)``, bool; None where there is one embedding a text.
        num_activities: how many of the last numbers of an embedding tell the activity.
    """

    embedding: Tensor
    mask: Tensor | None = None
    num_activities: int = 0

    def to(self, device: torch.device) -> TextBatch:
        """Return the batch on that device."""
        mask = None if self.mask is None else self.mask.to(device)
        return replace(self, embedding=self.embedding.to(device), mask=mask)

    def drop(self, dropped: Tensor) -> TextBatch:
        """Return the batch without the condition of some texts ``(B,)``, bool: zeros, as MDM drops it."""
        return replace(self, embedding=self.embedding.masked_fill(self._rows(dropped), 0.0))

    def drop_activity(self, dropped: Tensor) -> TextBatch:
        """Return the batch without the activity of some texts ``(B,)``, bool."""
        return self._drop_where(dropped, self._tells_activity())

    def drop_words(self, dropped: Tensor) -> TextBatch:
        """Return the batch with the activity alone of some texts ``(B,)``, bool."""
        return self._drop_where(dropped, ~self._tells_activity())

    def _drop_where(self, dropped: Tensor, numbers: Tensor) -> TextBatch:
        return replace(self, embedding=self.embedding.masked_fill(self._rows(dropped) & numbers, 0.0))

    def _rows(self, chosen: Tensor) -> Tensor:
        return chosen.view((-1,) + (1,) * (self.embedding.ndim - 1))

    def _tells_activity(self) -> Tensor:
        width = self.embedding.shape[-1]
        return torch.arange(width, device=self.embedding.device) >= width - self.num_activities

    def take(self, rows: Sequence[int]) -> TextBatch:
        """Return some of the texts."""
        return replace(self, embedding=self.embedding[rows], mask=None if self.mask is None else self.mask[rows])


def collate_embeddings(embeddings: Sequence[Tensor]) -> TextBatch:
    """Return embeddings ``(D,)`` as they are, and those of the words of each text ``(L_i, D)`` padded, with a mask."""
    if embeddings[0].ndim == 1:
        return TextBatch(torch.stack(list(embeddings)))
    lengths = torch.tensor([len(words) for words in embeddings])
    padded = pad_sequence(list(embeddings), batch_first=True)
    return TextBatch(padded, torch.arange(padded.shape[1]) < lengths[:, None])


class TextLookup:
    """Encodes each text once in the life of the object.

    Args:
        name: name of the text encoder; it is made when the first text is encoded.
        dim: width of the embeddings that the model expects.
        cache_dir: where the encoder keeps its embeddings on disk.
        activities: names of the activities that are told behind each embedding.
    """

    def __init__(self, name: str, *, dim: int, cache_dir: str, activities: Sequence[str] = ()) -> None:
        self._activities = ActivityNames(activities)
        self._name = name
        self._dim = dim
        self._cache_dir = cache_dir
        self._encoder: TextEncoder | None = None
        self._embeddings: dict[str, Tensor] = {}

    def attach(self, encoder: TextEncoder) -> TextEncoder:
        """Use this encoder from now on.

        Raises:
            ValueError: its embeddings have another width than the model expects.
        """
        if encoder.dim != self._dim:
            raise ValueError(
                f"text encoder {encoder.name!r} gives {encoder.dim} numbers per text, the model expects "
                f"text_dim={self._dim}; use the encoder that the model was trained with, or a model of that text_dim"
            )
        self._encoder = encoder
        self._embeddings = {}
        return encoder

    @property
    def activities(self) -> tuple[str, ...]:
        """Names of the activities that are told behind each embedding."""
        return self._activities.names

    @property
    def encoder_name(self) -> str:
        """Name of the text encoder."""
        return self._name

    def find_activities(self, texts: Sequence[str]) -> list[str | None]:
        """Return the activity that each text speaks of, or None; raises as calling does."""
        return self._activities.find(texts, self._encode_sentences)

    def __call__(self, texts: Sequence[str], activities: Sequence[str | None] | None = None) -> TextBatch:
        """Return the texts' embeddings, on the CPU, with the activities behind them if the model is told any.

        Args:
            texts: B sentences.
            activities: the activity of each; where there is none, or one that the model does not know, it is what the
                text speaks of.

        Raises:
            ValueError: there is no text, or the encoder is unknown, not installed or of another width.
            FileNotFoundError: the encoder's weights are neither on this machine nor reachable.
        """
        if not texts:
            raise ValueError("the list of prompts is empty, expected at least one; give one such as 'a person walks'")
        batch = collate_embeddings(self._encode(texts))
        if not self._activities.names:
            return batch
        known: list[str | None] = [None] * len(texts)
        if activities is not None:
            known = [name if name in self._activities.names else None for name in activities]
        silent = [row for row, name in enumerate(known) if name is None]
        spoken = self.find_activities([texts[row] for row in silent])
        for row, name in zip(silent, spoken, strict=True):
            known[row] = name
        codes = self._activities.code(known)
        if batch.embedding.ndim == 3:
            codes = codes[:, None].expand(-1, batch.embedding.shape[1], -1)
        return TextBatch(torch.cat([batch.embedding, codes], dim=-1), batch.mask, len(self._activities))

    def encode_ahead(self, texts: Sequence[str]) -> None:
        """Encode texts that will be asked for; raises as calling does."""
        self._encode(texts)

    def _encode(self, texts: Sequence[str]) -> list[Tensor]:
        missing = [text for text in dict.fromkeys(texts) if text not in self._embeddings]
        if missing:
            encoder = self._encoder or self.attach(text_encoder(self._name, self._cache_dir))
            self._embeddings |= zip(missing, encoder.encode(missing), strict=True)
        return [self._embeddings[text] for text in texts]

    def _encode_sentences(self, texts: list[str]) -> Tensor:
        """Return one embedding of unit length a text ``(B, D)``."""
        whole = [one if one.ndim == 1 else one.mean(dim=0) for one in self._encode(texts)]
        return normalize(torch.stack(whole), dim=-1)
