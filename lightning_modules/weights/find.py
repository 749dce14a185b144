"""Where weights lie: packaged, a file, a folder (a run, a Hugging Face download) or a repository of the hub."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Final

from sim.files import read_text_file

HUB: Final = "hf:"
"""What the name of a repository on the Hugging Face hub begins with; nothing else is ever fetched."""

CONFIG: Final = "config.json"
"""Beside a ``.safetensors`` that says nothing of itself: its format, constructor arguments and card."""

_REPOSITORY: Final = re.compile(r"hf:(?P<id>[\w.-]+/[\w.-]+)(?:/(?P<file>[\w./-]+))?(?:@(?P<revision>[\w./-]+))?")
_PATTERNS: Final = ("*.safetensors", "*.ckpt", "model*.pt")
"""What weights in a folder are called; the first that there is is taken."""
_USUAL: Final = ("model.safetensors", "last.ckpt")
_BESIDE: Final = ("*.json", "*.npy")


def find_weights(name: str | Path) -> Path:
    """Return the file of the weights of that name.

    A bare name works from any working directory, which a YAML's relative path does not.

    Args:
        name: packaged weights (``prior``); a file; a folder that holds one file of weights, such as a run of
            ``lightning fit`` or a Hugging Face download; or ``hf:owner/name``, ``hf:owner/name/FILE`` and
            ``hf:owner/name@REVISION``, which huggingface_hub fetches unless it has it.

    Raises:
        FileNotFoundError: there is none, or the hub cannot be reached.
        ValueError: a folder holds several, or what follows ``hf:`` names no repository.
    """
    if str(name).startswith(HUB):
        return _fetch(str(name))
    assets = Path(str(resources.files("lightning_modules"))) / "assets"
    for candidate in (assets / f"{name}.safetensors", Path(name)):
        if candidate.is_file():
            return candidate
    if Path(name).is_dir():
        return _choose(Path(name), str(name))
    packaged = sorted(path.stem for path in assets.glob("*.safetensors"))
    raise FileNotFoundError(
        f"weights {name} not found, neither packaged ({packaged}) nor a file or folder; check the path, write "
        "hf:owner/name for a repository of the Hugging Face hub, or train a prior with `make prior`"
    )


def read_config(path: Path) -> dict[str, str]:
    """Return what a ``config.json`` beside a ``.safetensors`` says of it, as metadata; nothing where there is none.

    Raises:
        ValueError: it is no JSON object.
    """
    beside = path.with_name(CONFIG)
    if not beside.is_file():
        return {}
    try:
        content = json.loads(read_text_file(beside))
    except json.JSONDecodeError as error:
        raise ValueError(f"{beside} is no JSON ({error}); copy or download it again") from None
    if not isinstance(content, dict):
        raise ValueError(f"{beside} holds a {type(content).__name__}, expected an object; copy or download it again")
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in {"hyper_parameters": {}, "card": {}, **content}.items()
    }


def _choose(folder: Path, name: str) -> Path:
    for place in (folder, folder / "checkpoints"):
        for pattern in _PATTERNS:
            found = sorted(place.glob(pattern))
            usual = [path for path in found if path.name in _USUAL]
            if len(found) == 1 or usual:
                return (usual or found)[0]
            if found:
                raise ValueError(
                    f"{name} holds {len(found)} files of weights, expected one, or one called {' or '.join(_USUAL)}; "
                    f"name the file, such as {name}/{found[0].name}"
                )
    raise FileNotFoundError(
        f"{name} holds no file of weights, expected one of {', '.join(_PATTERNS)}; give the file, or the folder of a "
        "finished `lightning fit`"
    )


def _fetch(name: str) -> Path:
    asked = _REPOSITORY.fullmatch(name)
    if asked is None:
        raise ValueError(f"{name!r} names no repository, expected hf:owner/name, hf:owner/name/FILE or ...@REVISION")
    file, revision = asked["file"], asked["revision"]
    if file is not None:
        folder = _download(name, asked["id"], revision, [file, *_beside(file)])
        if (folder / file).is_file():
            return folder / file
        raise FileNotFoundError(f"{asked['id']} on the Hugging Face hub has no {file}; check the name")
    for pattern in _PATTERNS:
        folder = _download(name, asked["id"], revision, [pattern, *_BESIDE])
        if any(folder.glob(pattern)):
            return _choose(folder, name)
    raise FileNotFoundError(
        f"{asked['id']} on the Hugging Face hub holds no file of weights, expected one of {', '.join(_PATTERNS)}"
    )


def _beside(file: str) -> list[str]:
    folder = file.rpartition("/")[0]
    return [f"{folder}/{pattern}" if folder else pattern for pattern in _BESIDE]


def _download(name: str, repository: str, revision: str | None, patterns: Sequence[str]) -> Path:
    try:
        from huggingface_hub import constants, snapshot_download
    except ImportError:
        raise FileNotFoundError(
            f"{name} needs huggingface_hub, which is not installed; pip install huggingface_hub, or give a local file"
        ) from None
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(patterns)))
    except Exception as error:  # the hub's errors share no base class but Exception
        if constants.HF_HUB_OFFLINE:
            why = "HF_HUB_OFFLINE is set and it is not in the hub's cache"
        else:
            why = f"{type(error).__name__}: {(str(error).strip().splitlines() or ['no reason given'])[0]}"
        raise FileNotFoundError(
            f"{name} could not be had from the Hugging Face hub ({why}); check the name and the network, or give the "
            "folder of a download"
        ) from None
