"""Embeddings of texts that were encoded before: a training step looks them up and never runs an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lightning_modules.text.encoders import TextEncoder, text_encoder


@dataclass(frozen=True)
class TextBatch:
    """Embeddings of B texts, as the denoiser takes them.

    Attributes:
        embedding: one a text ``(B, D)``, or one a word ``(B, L, D)``, zero beyond each text's words.
        mask: which words are no padding ``(B, L)``, bool; None where there is one embedding a text.
    """

    embedding: Tensor
    mask: Tensor | None = None

    def to(self, device: torch.device) -> TextBatch:
        """Return the batch on that device."""
        return TextBatch(self.embedding.to(device), None if self.mask is None else self.mask.to(device))

    def drop(self, dropped: Tensor) -> TextBatch:
        """Return the batch without the condition of some texts ``(B,)``, bool: zeros, as MDM drops it."""
        shape = (-1,) + (1,) * (self.embedding.ndim - 1)
        return TextBatch(self.embedding.masked_fill(dropped.view(shape), 0.0), self.mask)

    def take(self, rows: Sequence[int]) -> TextBatch:
        """Return some of the texts."""
        return TextBatch(self.embedding[rows], None if self.mask is None else self.mask[rows])


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
    """

    def __init__(self, name: str, *, dim: int, cache_dir: str) -> None:
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

    def __call__(self, texts: Sequence[str]) -> TextBatch:
        """Return the texts' embeddings, on the CPU.

        Raises:
            ValueError: there is no text, or the encoder is unknown, not installed or of another width.
            FileNotFoundError: the encoder's weights are neither on this machine nor reachable.
        """
        if not texts:
            raise ValueError("the list of prompts is empty, expected at least one; give one such as 'a person walks'")
        missing = [text for text in dict.fromkeys(texts) if text not in self._embeddings]
        if missing:
            encoder = self._encoder or self.attach(text_encoder(self._name, self._cache_dir))
            self._embeddings |= zip(missing, encoder.encode(missing), strict=True)
        return collate_embeddings([self._embeddings[text] for text in texts])
