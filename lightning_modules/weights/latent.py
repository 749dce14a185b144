"""Read the files of both stages of latent motion diffusion; no code in a file is ever executed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from torch import Tensor

from lightning_modules.training.feature_statistics import FeatureStatistics
from lightning_modules.training.flat_names import LATENT_MOTION_DIFFUSION, MOTION_VAE
from lightning_modules.training.window_length import window_of_card, window_of_checkpoint
from lightning_modules.weights.find import find_weights
from lightning_modules.weights.kinds import say_class
from lightning_modules.weights.read import (
    LATENT_FORMAT,
    VAE_FORMAT,
    Plain,
    load_plainly,
    read_metadata,
    read_safetensors,
)
from sim.options import FlatNames, flatten

_VAE_ARGUMENTS: Final = {
    "width": "width", "latent_tokens": "latent_tokens", "num_heads": "num_heads", "vae_layers": "num_layers",
    "vae_feedforward": "feedforward",
}  # fmt: skip
"""Arguments of LatentMotionDiffusion that its autoencoder must have been made with, and what MotionVAE calls them."""

_DIFFUSION_ARGUMENTS: Final = (
    *_VAE_ARGUMENTS, "num_layers", "feedforward", "text_dim", "text_encoder", "num_steps", "noise_schedule", "predicts",
)  # fmt: skip

_VAE_MARK: Final = "average.distribution_tokens"
_DIFFUSION_MARK: Final = "vae.distribution_tokens"


@dataclass(frozen=True)
class LatentWeights:
    """What a file of one of the stages holds.

    Attributes:
        parameters: averaged weights of the stage's own network.
        autoencoder: averaged weights of the autoencoder: the same in stage one, the frozen one in stage two.
        hyper_parameters: constructor arguments of the stage's class that the file states.
        latent_std: deviation of encoded clips.
        mean: of the normalisation ``(263,)``, or None where it is not known yet.
        std: of the normalisation ``(263,)``, or None.
        window_frames: frames of the windows they were trained on, or None where the file does not say.
    """

    parameters: dict[str, Tensor]
    autoencoder: dict[str, Tensor]
    hyper_parameters: dict[str, Plain]
    latent_std: Tensor
    mean: Tensor | None
    std: Tensor | None
    window_frames: int | None = None

    def give_statistics(self, statistics: FeatureStatistics) -> None:
        """Set feature statistics, if these weights came with any."""
        if self.mean is not None and self.std is not None:
            statistics.set(self.mean, self.std)


def read_vae(path: str | Path) -> LatentWeights:
    """Read a ``.ckpt`` of MotionVAE, or a ``.safetensors`` that ``save_vae`` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, would execute code, or is of another model.
    """
    path = _find(path, "MotionVAE")
    if path.suffix == ".safetensors":
        return _read_packed(path, VAE_FORMAT, writer="save_vae", network="average.", autoencoder="average.")
    state, arguments, window = _read_state(path, "MotionVAE", _VAE_MARK, MOTION_VAE)
    own = _take(state, "average.")
    return _gather(state, arguments, own, own, window)


def _read_packed(path: Path, file_format: str, *, writer: str, network: str, autoencoder: str) -> LatentWeights:
    metadata, tensors = read_safetensors(path, file_format, writer=writer)
    own, coder = (
        {key: value.float() for key, value in _take(tensors, prefix).items()} for prefix in (network, autoencoder)
    )
    arguments: dict[str, Plain] = json.loads(metadata["hyper_parameters"])
    window = window_of_card(json.loads(metadata["card"]))
    return LatentWeights(own, coder, arguments, tensors["latent_std"], tensors["mean"], tensors["std"], window)


def is_latent_diffusion(path: Path) -> bool:
    """Say whether a file of weights is of a LatentMotionDiffusion.

    Raises:
        ValueError: the file is damaged or would execute code.
    """
    if path.suffix == ".safetensors":
        return read_metadata(path).get("format") == LATENT_FORMAT
    if path.suffix != ".ckpt":
        return False
    state = load_plainly(path).get("state_dict")
    return isinstance(state, Mapping) and _DIFFUSION_MARK in state


def read_latent_diffusion(path: str | Path) -> LatentWeights:
    """Read a LatentMotionDiffusion: a ``.ckpt``, or a ``.safetensors`` that ``save_prior`` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, would execute code, or is of another model.
    """
    path = _find(path, "LatentMotionDiffusion")
    if path.suffix == ".safetensors":
        return _read_packed(path, LATENT_FORMAT, writer="save_prior", network="denoiser.", autoencoder="vae.")
    state, arguments, window = _read_state(path, "LatentMotionDiffusion", _DIFFUSION_MARK, LATENT_MOTION_DIFFUSION)
    return _gather(state, arguments, _take(state, "average."), _take(state, "vae."), window)


def read_start(init_from: str | None, vae_from: str | None) -> LatentWeights | None:
    """Read what a LatentMotionDiffusion starts from, if it is given anything.

    Args:
        init_from: weights of that class, packaged or a file.
        vae_from: a file of a MotionVAE.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: both are given, or a file is damaged or of another model.
    """
    if init_from is not None and vae_from is not None:
        raise ValueError(
            f"init_from and vae_from are both given, expected one: {init_from} brings its own autoencoder; "
            "set vae_from to null"
        )
    if init_from is not None:
        return read_latent_diffusion(init_from)
    return None if vae_from is None else read_vae(vae_from)


def check_start(
    stored: LatentWeights, own: Mapping[str, object], *, init_from: str | None, vae_from: str | None
) -> None:
    """Refuse what :func:`read_start` read where a model of these constructor arguments cannot start from it.

    Raises:
        ValueError: it names each argument that differs, with both values.
    """
    names = _VAE_ARGUMENTS if init_from is None else {name: name for name in _DIFFUSION_ARGUMENTS}
    check_arguments(stored, own, names, source=str(init_from or vae_from))


def _find(path: str | Path, kind: str) -> Path:
    try:
        return find_weights(path)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"checkpoint {path} of {kind} not found; check the path, or train one first (a second stage that resumes "
            "or starts from init_from needs none: set vae_from to null)"
        ) from None


def _read_state(
    path: str | Path, kind: str, mark: str, names: FlatNames
) -> tuple[Mapping[str, Tensor], dict[str, Plain], int | None]:
    content = load_plainly(_find(path, kind))
    state, arguments = content.get("state_dict"), content.get("hyper_parameters")
    ours = isinstance(state, Mapping) and mark in state and "latent_std" in state
    if not (ours and isinstance(state, Mapping) and isinstance(arguments, Mapping)):
        raise ValueError(
            f"{path} is no checkpoint of {kind}{say_class(content)}; expected one that `lightning fit` wrote of that "
            "class"
        )
    return state, flatten(arguments, names), window_of_checkpoint(content)


def _gather(
    state: Mapping[str, Tensor],
    arguments: dict[str, Plain],
    own: dict[str, Tensor],
    autoencoder: dict[str, Tensor],
    window: int | None,
) -> LatentWeights:
    known = bool(state["statistics.known"])
    mean, std = (state[f"statistics.{name}"] if known else None for name in ("mean", "std"))
    return LatentWeights(own, autoencoder, arguments, state["latent_std"], mean, std, window)


def _take(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def check_arguments(
    stored: LatentWeights, own: Mapping[str, object], names: Mapping[str, str], *, source: str | Path
) -> None:
    """Refuse weights of a model made with other arguments, some of which (heads, schedule) leave no trace in shapes.

    Args:
        stored: what a file holds.
        own: the model's constructor arguments.
        names: arguments that must agree: what the model calls them, and what the file does.
        source: the file, for the message.

    Raises:
        ValueError: it names each argument that differs, with both values.
    """
    theirs = stored.hyper_parameters
    differing = [
        f"{name}={theirs[name]} (the model has {ours}={own[ours]})"
        for ours, name in names.items()
        if name in theirs and _plain_value(name, theirs[name]) != _plain_value(name, own[ours])
    ]
    if differing:
        raise ValueError(
            f"weights in {source} have {', '.join(differing)}; set the model's arguments to the weights' values"
        )


def _plain_value(name: str, value: object) -> object:
    # The same text encoder may lie in another folder.
    return str(value).partition(":")[0] if name == "text_encoder" else value
