"""Read a pretrained text network through transformers: from a folder or the Hugging Face hub, quietly, or not at all.

transformers itself fills parameters that a folder lacks with random numbers and goes on; here that is an error.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, cast

from torch import Tensor, nn

INSTALL_HINT: Final = 'pip install "imuforge[text]"'


class Tokenizer(Protocol):
    """What we use of a transformers tokenizer."""

    def __call__(
        self, texts: list[str], *, padding: bool, truncation: bool, max_length: int, return_tensors: str
    ) -> dict[str, Tensor]:
        """Return ``input_ids`` and ``attention_mask``, both ``(B, L)``, int64."""
        ...


@dataclass(frozen=True)
class PretrainedText:
    """A tokenizer and a frozen network in evaluation mode."""

    tokenizer: Tokenizer
    network: nn.Module


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


def read_config(folder: Path, *, encoder: str, model_types: Sequence[str]) -> dict[str, object]:
    """Return the ``config.json`` of a Hugging Face model folder.

    Args:
        folder: the model's folder.
        encoder: our name of the encoder, for messages.
        model_types: kinds of model that will do.

    Raises:
        FileNotFoundError: there is no such folder, or no ``config.json`` in it.
        ValueError: the configuration is damaged, or of another kind of model.
    """
    path = folder / "config.json"
    if not path.is_file():
        what = f"folder {folder} holds no config.json" if folder.is_dir() else f"there is no folder {folder}"
        raise FileNotFoundError(
            f"text encoder {encoder!r}: {what}, expected a Hugging Face model folder with config.json, tokenizer and "
            "weights; check the path"
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}); copy or download the folder again") from None
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind not in model_types:
        raise ValueError(
            f"{folder} holds a model of type {kind!r}, but text encoder {encoder!r} needs one of {list(model_types)}; "
            "give the folder of such a model"
        )
    return cast("dict[str, object]", config)


def load_pretrained(source: str | Path, *, encoder: str, network_class: str = "AutoModel") -> PretrainedText:
    """Load tokenizer and network; a folder is never looked up on the network.

    Args:
        source: a folder, or the name of a model on the hub (taken from the local hub cache if it is there).
        encoder: our name of the encoder, for messages.
        network_class: class of ``transformers`` that reads the network.

    Raises:
        FileNotFoundError: the hub's model is neither in the local cache nor reachable.
        ValueError: transformers is not installed, or the files are damaged, incomplete or of another model.
    """
    if importlib.util.find_spec("transformers") is None:
        raise ValueError(f"the text encoder {encoder!r} needs transformers, which is not installed; {INSTALL_HINT}")
    # The tokenizer's threads and a DataLoader's forks do not mix; transformers would warn at every fork.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    local = isinstance(source, Path)
    try:
        tokenizer, network, missing = _read_quietly(source, network_class, local=local)
    except Exception as error:  # transformers, tokenizers and safetensors raise whatever a damaged file provokes
        reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        if not local and isinstance(error, OSError):
            raise FileNotFoundError(
                f"text encoder {encoder!r}: {source} is neither in the Hugging Face cache nor reachable ({reason}); "
                f"run `hf download {source} --local-dir FOLDER` where there is a network, copy the folder here and use "
                f"the text encoder '{encoder}:FOLDER'"
            ) from error
        raise ValueError(
            f"text encoder {encoder!r}: {source} cannot be loaded ({reason}), expected a Hugging Face model with "
            "config.json, tokenizer and weights; copy or download it again"
        ) from error
    if missing:
        raise ValueError(
            f"text encoder {encoder!r}: the weights in {source} lack {len(missing)} parameters ({missing[0]}, ...), "
            "so they are cut or of another model; copy or download them again"
        )
    return PretrainedText(tokenizer, network.eval().requires_grad_(False))


def _read_quietly(source: str | Path, network_class: str, *, local: bool) -> tuple[Tokenizer, nn.Module, list[str]]:
    """Return tokenizer, network and the parameters that its files lack, without a word on the terminal."""
    import transformers
    from transformers.utils import logging

    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    # A report of unused parameters (CLIP's half for pictures) would be printed otherwise.
    logging.set_verbosity_error()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, local_files_only=local)
        load: Callable[..., tuple[nn.Module, dict[str, Sequence[str]]]] = getattr(
            transformers, network_class
        ).from_pretrained
        network, found = load(source, local_files_only=local, output_loading_info=True)
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
    return cast("Tokenizer", tokenizer), network, sorted(found["missing_keys"])
