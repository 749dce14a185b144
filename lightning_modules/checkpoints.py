"""Priors in and out: MDM's published layout (``.pt`` + ``args.json``) and our own packaged float16 safetensors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save
from torch import Tensor

from lightning_modules.latent_diffusion import LatentMotionDiffusion
from lightning_modules.motion_diffusion import MotionDiffusion
from lightning_modules.motion_vae import MotionVAE
from lightning_modules.networks import OwnNetwork
from lightning_modules.networks.denoiser import ARCHITECTURES
from lightning_modules.networks.lora import merge_state
from lightning_modules.networks.positions import MAX_POSITIONS, compute_sinusoids
from lightning_modules.sampling.motion_generator import MotionGenerator
from lightning_modules.text.encoders import TextEncoder
from lightning_modules.training.trained_prior import TrainedPrior
from lightning_modules.training.window_length import window_of_card
from lightning_modules.weights import (
    PRIOR_FORMAT,
    Plain,
    Weights,
    find_weights,
    read_card,
    read_mdm,
    read_weights,
)
from lightning_modules.weights.latent import LatentWeights, is_latent_diffusion, read_latent_diffusion, read_vae
from lightning_modules.weights.mdm_args import write_mdm_args
from lightning_modules.weights.read import LATENT_FORMAT, VAE_FORMAT
from lightning_modules.weights.torch_files import save_torch
from sim.conventions import FEATURE_FPS
from sim.files import whole_file

_ARCHITECTURE_KEYS: Final[tuple[str, ...]] = (
    "arch", "width", "num_layers", "num_heads", "feedforward", "dropout", "attention_dropout", "text_dim",
    "mask_frames", "num_steps", "noise_schedule", "predicts", "cond_drop_prob", "usual_guidance",
    "text_encoder", "skip", "skip_frames", "skip_until", "activities",
)  # fmt: skip
_LATENT_KEYS: Final[tuple[str, ...]] = (
    "width", "latent_tokens", "num_layers", "num_heads", "feedforward", "dropout", "text_dim", "activities",
    "vae_layers", "vae_feedforward", "num_steps", "noise_schedule", "predicts", "cond_drop_prob",
    "usual_guidance", "text_encoder",
)  # fmt: skip
_VAE_KEYS: Final = ("width", "latent_tokens", "num_layers", "num_heads", "feedforward", "dropout", "kl_weight")
_MDM_KIND: Final = {"predicts": "clean", "noise_schedule": "cosine", "skip": "none"}
_MDM_LAYOUTS: Final = ("flat", "average")

Statistics = Tensor | npt.NDArray[np.floating] | str | Path


def load_mdm(
    path: str | Path,
    *,
    mean: Statistics | None = None,
    std: Statistics | None = None,
    text_encoder: TextEncoder | None = None,
) -> MotionDiffusion:
    """Load a published MDM checkpoint, of which there are two layouts; the averaged weights are used if there are any.

    Args:
        path: the ``.pt`` file; ``args.json`` lies beside it.
        mean: of HumanML3D's training features ``(263,)``, or the ``Mean.npy`` that holds it.
        std: the same for the standard deviation.
        text_encoder: the encoder that the checkpoint was trained with; without one, prompts cannot be encoded unless
            the encoder that ``args.json`` names is known.

    Returns:
        The model. Without statistics it denoises, but ``generate`` is a ValueError.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is damaged, would execute code or is of another model, or only one statistic is given.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"MDM checkpoint {path} not found; check the path")
    model = _build(read_mdm(path), source=str(path))
    if (mean is None) != (std is None):
        raise ValueError("only one of mean and std is given, expected both or none; HumanML3D has Mean.npy and Std.npy")
    if mean is not None and std is not None:
        model.statistics.set(_read_statistics(mean), _read_statistics(std))
    if text_encoder is not None:
        model.texts.attach(text_encoder)
    return model


def save_mdm(model: MotionDiffusion, path: str | Path, *, layout: str = "flat") -> None:
    """Write the averaged weights in MDM's layout, ``args.json`` beside them, for tools that are built on MDM.

    Args:
        model: the prior.
        path: the ``.pt`` file to write; its folder is made.
        layout: ``flat`` (the averaged weights as one state dict) or ``average`` (``{"model", "model_avg"}``).

    Raises:
        ValueError: the layout is unknown, or the model is none of MDM's kind.
    """
    own = model.arguments
    kind = {key: own[key] for key in _MDM_KIND}
    if kind != _MDM_KIND or own["arch"] not in ARCHITECTURES or isinstance(model.average, OwnNetwork):
        raise ValueError(
            "MDM's layout holds its own architectures, which predict the clean motion under a cosine schedule, without "
            f"a skip; the model has arch={own['arch']!r}, {kind}, {type(model.average).__name__}; use save_prior"
        )
    if layout not in _MDM_LAYOUTS:
        raise ValueError(f"layout {layout!r} is unknown, must be one of {list(_MDM_LAYOUTS)}")
    path = Path(path)
    average = _to_mdm_state(model.average.state_dict())
    content = (
        average if layout == "flat" else {"model": _to_mdm_state(merge_state(model.denoiser)), "model_avg": average}
    )
    save_torch(content, path)
    write_mdm_args(path.with_name("args.json"), own)


def save_prior(model: MotionGenerator, path: str | Path, card: Mapping[str, Plain]) -> None:
    """Write the averaged weights as float16 safetensors, statistics as float32, and a model card in the metadata.

    Args:
        model: the prior; a LatentMotionDiffusion takes its autoencoder along.
        path: the ``.safetensors`` file to write; its folder is made.
        card: where the weights come from (data, minutes, steps, seed, curve, ...), plain values; ``window_s``, the
            length of the windows they were trained on [s], is added where the model knows it and the card does not.

    Raises:
        ValueError: the model has no statistics or no autoencoder, so nobody could generate with it, or a network of
            the user's own.
    """
    if isinstance(model.average, OwnNetwork):
        raise ValueError(
            f"the model's network is {type(model.average.own).__name__}, which no file can describe; keep the .ckpt of "
            "`lightning fit`, which names its class_path"
        )
    tensors = {f"denoiser.{key}": value.half() for key, value in model.average.state_dict().items()}
    if model.window_frames is not None and window_of_card(card) is None:
        card = {**card, "window_s": model.window_frames / FEATURE_FPS}
    file_format, keys = PRIOR_FORMAT, _ARCHITECTURE_KEYS
    if isinstance(model, LatentMotionDiffusion):
        model.require_autoencoder()
        file_format, keys = LATENT_FORMAT, _LATENT_KEYS
        tensors |= {f"vae.{key}": value.half() for key, value in model.vae.state_dict().items()}
        tensors |= {"latent_std": model.latent_std.float()}
    _write(model, path, tensors, file_format=file_format, keys=keys, card=card)


def save_vae(model: MotionVAE, path: str | Path, card: Mapping[str, Plain]) -> None:
    """Write the averaged autoencoder as :func:`save_prior` does; what ``vae_from`` of LatentMotionDiffusion takes.

    Args:
        model: the autoencoder.
        path: the ``.safetensors`` file to write; its folder is made.
        card: where the weights come from, plain values.

    Raises:
        ValueError: the model was never trained: it has no statistics.
    """
    tensors = {f"average.{key}": value.half() for key, value in model.average.state_dict().items()}
    tensors |= {"latent_std": model.latent_std.float()}
    _write(model, path, tensors, file_format=VAE_FORMAT, keys=_VAE_KEYS, card=card)


def load_vae(path: str | Path) -> MotionVAE:
    """Load an autoencoder written by :func:`save_vae`, or from a ``.ckpt`` of ``lightning fit``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, would execute code or is of another model.
    """
    stored = read_vae(path)
    arguments = {key: value for key, value in stored.hyper_parameters.items() if key in _VAE_KEYS}
    model = MotionVAE(**arguments)  # type: ignore[arg-type]  # JSON values; load_weights compares them
    model.load_weights(stored, source=str(path))
    return model.eval()


def _write(
    model: TrainedPrior,
    path: str | Path,
    tensors: Mapping[str, Tensor],
    *,
    file_format: str,
    keys: Iterable[str],
    card: Mapping[str, Plain],
) -> None:
    model.statistics.require()
    tensors = {**tensors, "mean": model.statistics.mean.float(), "std": model.statistics.std.float()}
    metadata = {
        "format": file_format,
        "hyper_parameters": json.dumps({key: model.arguments[key] for key in keys}),
        "card": json.dumps(dict(card)),
    }
    content = save({key: value.contiguous().cpu() for key, value in tensors.items()}, metadata=metadata)
    with whole_file(Path(path)) as part:
        part.write_bytes(content)


def load_prior(name: str | Path, *, text_encoder: TextEncoder | None = None) -> MotionGenerator:
    """Load a prior, ready to generate: of :func:`save_prior`, a ``.ckpt`` of ``lightning fit``, or MDM's ``.pt``.

    Args:
        name: the name of packaged weights (``prior``), a file, a folder, or ``hf:owner/name``; see
            :func:`lightning_modules.weights.find_weights`.
        text_encoder: replaces the encoder that the prior names.

    Returns:
        A MotionDiffusion or a LatentMotionDiffusion, as the file says.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, would execute code or is of another model.
    """
    path = find_weights(name)
    stored = read_stored(path)
    model: MotionGenerator = (
        _build_latent(stored, path) if isinstance(stored, LatentWeights) else _build(stored, source=str(path))
    )
    if text_encoder is not None:
        model.texts.attach(text_encoder)
    return model


def load_motion_diffusion(name: str | Path) -> MotionDiffusion:
    """Load a prior over motion itself, for what asks its network about noisy motion; raises as :func:`load_prior`.

    Raises:
        ValueError: the weights are of a model over latents, too.
    """
    model = load_prior(name)
    if not isinstance(model, MotionDiffusion):
        raise ValueError(f"{name} is of a {type(model).__name__}, expected a prior over motion itself; give another")
    return model


def load_card(name: str | Path) -> dict[str, Plain]:
    """Return the model card of a prior or an autoencoder: a path, or the name of packaged weights.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or was written by neither ``save_prior`` nor ``save_vae``.
    """
    return read_card(find_weights(name))


def read_stored(name: str | Path) -> Weights | LatentWeights:
    """Read what a file of a prior of either class holds, packaged or at a path; raises as :func:`load_prior`."""
    path = find_weights(name)
    return read_latent_diffusion(path) if is_latent_diffusion(path) else read_weights(path)


def _build_latent(stored: LatentWeights, path: Path) -> LatentMotionDiffusion:
    arguments = {key: value for key, value in stored.hyper_parameters.items() if key in _LATENT_KEYS}
    return LatentMotionDiffusion(**arguments, init_from=str(path)).eval()  # type: ignore[arg-type]  # plain values


def _build(weights: Weights, *, source: str) -> MotionDiffusion:
    arguments = {key: value for key, value in weights.hyper_parameters.items() if key in _ARCHITECTURE_KEYS}
    model = MotionDiffusion(**arguments)  # type: ignore[arg-type]  # JSON values; match_parameters compares them
    model.load_weights(weights, source=source)
    return model.eval()


def _to_mdm_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    parameters = {key: value.detach().cpu() for key, value in state.items()}
    width = parameters["embed_text.bias"].shape[0]
    table = compute_sinusoids(MAX_POSITIONS, width)[:, None]
    return parameters | {"sequence_pos_encoder.pe": table, "embed_timestep.sequence_pos_encoder.pe": table}


def _read_statistics(values: Statistics) -> Tensor:
    if isinstance(values, (str, Path)):
        values = np.load(values, allow_pickle=False)
    return torch.as_tensor(values, dtype=torch.float32)
