"""The text encoders that MDM's published models were trained with: CLIP's text tower and DistilBERT.

CLIP ViT-B/32 (Radford et al. 2021, arXiv:2103.00020) gives one embedding a text, DistilBERT (Sanh et al. 2019,
arXiv:1910.01108) one a word piece. Both are read by transformers, from a folder or from the hub.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

import torch
from torch import Tensor, nn

from lightning_modules.text.pretrained import PretrainedText, check_texts, load_pretrained, read_config

MAX_CLIP_WORDS: Final = 20
"""Word pieces of a caption that MDM shows to CLIP, besides the start and the end token."""

CLIP_CONTEXT: Final = 77


class _PretrainedEncoder(ABC):
    """What CLIP and DistilBERT have in common; the network is loaded at the first text.

    Args:
        folder: a Hugging Face model folder; None takes the published model from the hub, or from the local hub cache.
        batch_size: texts encoded at a time.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: the folder holds another kind of model.
    """

    kind: ClassVar[str]
    hub_name: ClassVar[str]
    hub_dim: ClassVar[int]
    model_types: ClassVar[tuple[str, ...]]
    network_class: ClassVar[str]

    def __init__(self, *, folder: str | Path | None = None, batch_size: int = 64) -> None:
        self._folder = None if folder is None else Path(folder)
        self._batch_size = batch_size
        self._config: dict[str, object] = {}
        if self._folder is not None:
            self._config = read_config(self._folder, encoder=self.kind, model_types=self.model_types)

    @cached_property
    def name(self) -> str:
        """``clip`` for the published model, ``clip-<digest of its files>`` for a folder: it keys the cache."""
        if self._folder is None:
            return self.kind
        digest = hashlib.sha256()
        for path in sorted(path for path in self._folder.iterdir() if path.is_file()):
            digest.update(path.name.encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return f"{self.kind}-{digest.hexdigest()[:16]}"

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self.hub_dim if self._folder is None else self._read_dim(self._config)

    @abstractmethod
    def _read_dim(self, config: dict[str, object]) -> int:
        """Return the width that a model folder's configuration states."""

    @cached_property
    def _pretrained(self) -> PretrainedText:
        return load_pretrained(self._folder or self.hub_name, encoder=self.kind, network_class=self.network_class)

    def _batches(self, texts: list[str]) -> list[list[str]]:
        return [texts[start : start + self._batch_size] for start in range(0, len(texts), self._batch_size)]


class ClipEncoder(_PretrainedEncoder):
    """CLIP's text tower as MDM feeds it: at most 20 word pieces, filled up with zeros to a context of 77.

    The embedding is the projected state at the end token, which is the token of the highest number, as in OpenAI's
    ``encode_text``; not of unit length. MDM runs the tower in half precision, this runs it in single precision.
    """

    kind = "clip"
    hub_name = "openai/clip-vit-base-patch32"
    hub_dim = 512
    model_types = ("clip", "clip_text_model")
    network_class = "CLIPTextModelWithProjection"

    def _read_dim(self, config: dict[str, object]) -> int:
        text = config.get("text_config") or config
        return int(text.get("projection_dim", self.hub_dim)) if isinstance(text, dict) else self.hub_dim

    def tokenize(self, texts: list[str]) -> Tensor:
        """Return token numbers ``(B, 77)``, int64: start, at most 20 word pieces, end, zeros."""
        limit = MAX_CLIP_WORDS + 2
        tokens = self._pretrained.tokenizer(texts, padding=True, truncation=True, max_length=limit, return_tensors="pt")
        ids = torch.where(tokens["attention_mask"] > 0, tokens["input_ids"], 0)
        return nn.functional.pad(ids, (0, CLIP_CONTEXT - ids.shape[1]))

    @torch.no_grad()
    def encode(self, texts: list[str]) -> Tensor:
        """Return embeddings ``(B, 512)``, float32 on the CPU.

        Raises:
            ValueError: no text, a blank text, transformers is not installed, or the model's files are damaged.
            FileNotFoundError: the model is neither on this machine nor reachable.
        """
        check_texts(texts)
        network = self._pretrained.network
        pooled = []
        for batch in self._batches(texts):
            ids = self.tokenize(batch)
            hidden: Tensor = network(input_ids=ids).last_hidden_state
            at_end = hidden[torch.arange(len(ids)), ids.argmax(dim=1)]
            pooled.append(network.get_submodule("text_projection")(at_end).float())
        return torch.cat(pooled)


class DistilBertEncoder(_PretrainedEncoder):
    """DistilBERT's last hidden states: one embedding for each word piece, those of start and end among them."""

    kind = "distilbert"
    hub_name = "distilbert-base-uncased"
    hub_dim = 768
    model_types = ("distilbert",)
    network_class = "DistilBertModel"

    def _read_dim(self, config: dict[str, object]) -> int:
        return int(str(config.get("dim", self.hub_dim)))

    @torch.no_grad()
    def encode(self, texts: list[str]) -> list[Tensor]:
        """Return the states ``(L_i, 768)`` of each text, without padding, float32 on the CPU; at most 512 of them.

        Raises:
            ValueError: no text, a blank text, transformers is not installed, or the model's files are damaged.
            FileNotFoundError: the model is neither on this machine nor reachable.
        """
        check_texts(texts)
        tokenizer, network = self._pretrained.tokenizer, self._pretrained.network
        limit = int(str(self._config.get("max_position_embeddings", 512)))
        states: list[Tensor] = []
        for batch in self._batches(texts):
            tokens = tokenizer(batch, padding=True, truncation=True, max_length=limit, return_tensors="pt")
            ids, mask = tokens["input_ids"], tokens["attention_mask"]
            hidden: Tensor = network(input_ids=ids, attention_mask=mask).last_hidden_state.float()
            states += [row[valid].clone() for row, valid in zip(hidden, mask.bool(), strict=True)]
        return states
