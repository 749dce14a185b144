"""Embeddings of texts that were encoded before: a training step looks them up and never runs an encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_modules.text_encoders import TextEncoder, text_encoder


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
                f"text_dim={self._dim}; use the encoder that the model was trained with"
            )
        self._encoder = encoder
        self._embeddings = {}
        return encoder

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Return embeddings ``(B, dim)`` on the CPU.

        Raises:
            ValueError: there is no text, or the encoder is unknown, not installed or of another width.
        """
        if not texts:
            raise ValueError("the list of prompts is empty, expected at least one; give one such as 'a person walks'")
        missing = [text for text in dict.fromkeys(texts) if text not in self._embeddings]
        if missing:
            encoder = self._encoder or self.attach(text_encoder(self._name, self._cache_dir))
            self._embeddings |= zip(missing, encoder.encode(missing), strict=True)
        return torch.stack([self._embeddings[text] for text in texts])
