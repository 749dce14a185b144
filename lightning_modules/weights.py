"""Read denoiser weights from safetensors, Lightning and published MDM files; no code in a file is ever executed."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Final, TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from lightning_modules.denoiser import read_dimensions

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"
"""What JSON can hold, and ``weights_only`` loading lets through."""

PRIOR_FORMAT: Final = "imuforge-prior-1"

_LOGGER = logging.getLogger(__name__)
_MDM_NUM_HEADS: Final = 4  # in MDM's code, not in its args.json
_MDM_TEXT_ENCODERS: Final = {"bert": "distilbert", "clip": "clip"}
_MDM_KNOWN_ARGS: Final = {
    "arch", "latent_dim", "layers", "diffusion_steps", "noise_schedule", "mask_frames", "text_encoder_type",
    "cond_mask_prob", "dataset", "num_heads",
}  # fmt: skip


@dataclass(frozen=True)
class Weights:
    """What a file holds of a MotionDiffusion.

    Attributes:
        parameters: the denoiser's state dict, averaged weights where the file has them.
        hyper_parameters: constructor arguments of MotionDiffusion that the file states.
        mean: of the normalisation ``(263,)``, or None.
        std: of the normalisation ``(263,)``, or None.
        card: where the weights come from, in the writer's words.
    """

    parameters: dict[str, Tensor]
    hyper_parameters: dict[str, Plain]
    mean: Tensor | None = None
    std: Tensor | None = None
    card: dict[str, Plain] = field(default_factory=dict)


def find_weights(name: str | Path) -> Path:
    """Return the packaged weights of that name (``prior``), or else ``name`` as the path of a file.

    A bare name works from any working directory, which a YAML's relative path does not.

    Raises:
        FileNotFoundError: there is neither.
    """
    assets = Path(str(resources.files("lightning_modules"))) / "assets"
    for candidate in (assets / f"{name}.safetensors", Path(name)):
        if candidate.is_file():
            return candidate
    packaged = sorted(path.stem for path in assets.glob("*.safetensors"))
    raise FileNotFoundError(
        f"weights {name} not found, neither packaged ({packaged}) nor a file; "
        "check the path, or train a prior with `make prior`"
    )


def read_weights(name: str | Path) -> Weights:
    """Read a file by its suffix: ``.safetensors`` (save_prior), ``.ckpt`` (Lightning) or ``.pt`` (MDM).

    Args:
        name: a path, or the name of packaged weights (:func:`find_weights`).

    Raises:
        FileNotFoundError: there is no such file, or an MDM file has no ``args.json`` beside it.
        ValueError: the suffix is another one, or the file is damaged or of another model.
    """
    path = find_weights(name)
    readers = {".safetensors": read_prior, ".ckpt": read_checkpoint, ".pt": read_mdm}
    if path.suffix not in readers:
        raise ValueError(f"weights {path} end in {path.suffix!r}, expected one of {sorted(readers)}")
    return readers[path.suffix](path)


def read_prior(path: Path) -> Weights:
    """Read a file written by :func:`lightning_modules.checkpoints.save_prior`.

    Raises:
        ValueError: the file is damaged or was not written by it.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            tensors: dict[str, Tensor] = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is not a readable safetensors file ({error}); copy or download it again") from None
    if metadata.get("format") != PRIOR_FORMAT:
        raise ValueError(
            f"{path} has format {metadata.get('format')!r}, expected {PRIOR_FORMAT!r}, as save_prior writes"
        )
    mean, std = tensors.pop("mean"), tensors.pop("std")
    return Weights(
        parameters={key.removeprefix("denoiser."): value.float() for key, value in tensors.items()},
        hyper_parameters=json.loads(metadata["hyper_parameters"]),
        mean=mean,
        std=std,
        card=json.loads(metadata["card"]),
    )


def read_checkpoint(path: Path) -> Weights:
    """Read the averaged weights of a Lightning checkpoint of MotionDiffusion.

    Raises:
        ValueError: the file is damaged or of another module.
    """
    content = _load_plainly(path)
    state = content.get("state_dict")
    hyper_parameters = content.get("hyper_parameters")
    if not isinstance(state, Mapping) or not isinstance(hyper_parameters, Mapping) or "statistics.known" not in state:
        raise ValueError(
            f"{path} is no Lightning checkpoint of MotionDiffusion; expected one that `lightning fit` wrote"
        )
    prefix = "average."
    known = bool(state["statistics.known"])
    return Weights(
        parameters={key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)},
        hyper_parameters={key: value for key, value in hyper_parameters.items() if not key.startswith("_")},
        mean=state["statistics.mean"] if known else None,
        std=state["statistics.std"] if known else None,
    )


def read_mdm(path: Path) -> Weights:
    """Read a published MDM checkpoint: a flat state dict, or ``{"model", "model_avg"}``, of which the average is taken.

    Width, layers and the like are read off the parameters; steps and masking from ``args.json`` in the same folder.

    Raises:
        FileNotFoundError: there is no ``args.json``.
        ValueError: the file is damaged, would execute code, or is no transformer encoder for 263 features.
    """
    args_path = path.with_name("args.json")
    if not args_path.is_file():
        raise FileNotFoundError(f"{args_path} not found; MDM publishes it beside the weights, copy it there")
    args: dict[str, Plain] = json.loads(args_path.read_text(encoding="utf-8"))
    unknown = sorted(args.keys() - _MDM_KNOWN_ARGS)
    if unknown:
        _LOGGER.info("ignored keys of %s: %s", args_path, ", ".join(unknown))
    if args.get("arch", "trans_enc") != "trans_enc":
        raise ValueError(f"{args_path} says arch={args['arch']!r}, expected 'trans_enc'")
    if args.get("noise_schedule", "cosine") != "cosine":
        raise ValueError(f"{args_path} says noise_schedule={args['noise_schedule']!r}, expected 'cosine'")
    content = _load_plainly(path)
    state = content.get("model_avg", content.get("model", content))
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path} holds no state dict, expected a flat one or {{'model', 'model_avg'}}")
    foreign = ("clip_model.", "bert.")
    parameters = {key: value for key, value in state.items() if not key.startswith(foreign) and not key.endswith(".pe")}
    dimensions = read_dimensions(parameters)
    latent_dim = args.get("latent_dim", dimensions["width"])
    if latent_dim != dimensions["width"]:
        raise ValueError(
            f"{args_path} says latent_dim={latent_dim}, but the weights in {path} have {dimensions['width']}"
        )
    encoder = str(args.get("text_encoder_type", "clip"))
    hyper_parameters: dict[str, Plain] = {
        **{key: dimensions[key] for key in ("width", "num_layers", "feedforward", "text_dim")},
        "num_heads": args.get("num_heads", _MDM_NUM_HEADS),
        "num_steps": args.get("diffusion_steps", 1000),
        "mask_frames": bool(args.get("mask_frames", False)),
        "cond_drop_prob": args.get("cond_mask_prob", 0.1),
        "text_encoder": _MDM_TEXT_ENCODERS.get(encoder, encoder),
    }
    return Weights(parameters=parameters, hyper_parameters=hyper_parameters)


def _load_plainly(path: Path) -> dict[str, object]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError(f"{path} holds more than tensors and plain values, so it is not loaded") from None
    except (RuntimeError, EOFError, OSError) as error:
        raise ValueError(f"{path} cannot be read ({str(error).splitlines()[0]}); copy or download it again") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, expected a dictionary of parameters")
    return content


_MODEL_KEYS: Final = ("width", "num_layers", "num_heads", "feedforward", "text_dim", "num_steps", "mask_frames")


def check_same_model(weights: Weights, hyper_parameters: Mapping[str, object], *, source: str) -> None:
    """Refuse weights of a model of other dimensions.

    Args:
        weights: what a file holds.
        hyper_parameters: the model's own constructor arguments.
        source: the file, for the message.

    Raises:
        ValueError: it names each argument that differs, with both values.
    """
    theirs: dict[str, object] = {**weights.hyper_parameters, **read_dimensions(weights.parameters)}
    differing = [
        f"{key}={theirs[key]} (the model has {hyper_parameters[key]})"
        for key in _MODEL_KEYS
        if key in theirs and theirs[key] != hyper_parameters[key]
    ]
    if differing:
        raise ValueError(
            f"weights in {source} have {', '.join(differing)}; set the model's arguments to the weights' values"
        )
