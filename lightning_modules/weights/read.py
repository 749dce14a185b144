"""Read denoiser weights from safetensors, Lightning and published MDM files; no code in a file is ever executed."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from lightning_modules.networks.denoiser import is_decoder, read_dimensions
from lightning_modules.training.flat_names import MOTION_DIFFUSION
from lightning_modules.training.window_length import window_of_card, window_of_checkpoint
from lightning_modules.weights.find import find_weights, read_config
from lightning_modules.weights.kinds import class_of, say_class
from lightning_modules.weights.mdm_args import read_mdm_args, read_mdm_statistics
from sim.conventions import NUM_FEATURES
from sim.files import refuse_pointer_file
from sim.options import flatten

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"
"""What JSON can hold, and ``weights_only`` loading lets through."""

PRIOR_FORMAT: Final = "imuforge-prior-1"
LATENT_FORMAT: Final = "imuforge-latent-prior-1"
VAE_FORMAT: Final = "imuforge-vae-1"

_CLASSES: Final = {
    PRIOR_FORMAT: "MotionDiffusion",
    LATENT_FORMAT: "LatentMotionDiffusion",
    VAE_FORMAT: "MotionVAE",
}
"""Whose weights a format holds."""

_LOGGER = logging.getLogger(__name__)
_PARALLEL: Final = "module."  # what DataParallel and DDP put before each name
_EXTRA_PREFIXES: Final = ("clip_model.", "bert.")  # text encoders, which some MDM files hold as well


@dataclass(frozen=True)
class Weights:
    """What a file holds of a MotionDiffusion.

    Attributes:
        parameters: the denoiser's state dict, averaged weights where the file has them.
        hyper_parameters: constructor arguments of MotionDiffusion that the file states.
        mean: of the normalisation ``(263,)``, or None.
        std: of the normalisation ``(263,)``, or None.
        card: where the weights come from, in the writer's words.
        window_frames: frames of the windows they were trained on, or None where the file does not say.
    """

    parameters: dict[str, Tensor]
    hyper_parameters: dict[str, Plain]
    mean: Tensor | None = None
    std: Tensor | None = None
    card: dict[str, Plain] = field(default_factory=dict)
    window_frames: int | None = None


def read_weights(name: str | Path) -> Weights:
    """Read a file by its suffix: ``.safetensors`` (save_prior), ``.ckpt`` (Lightning) or ``.pt`` (MDM).

    Args:
        name: anything that :func:`find_weights` finds.

    Raises:
        FileNotFoundError: there is no such file, or an MDM file has no ``args.json`` beside it.
        ValueError: the suffix is another one, or the file is damaged or of another model.
    """
    path = find_weights(name)
    readers: dict[str, Callable[[Path], Weights]] = {
        ".safetensors": read_prior, ".ckpt": read_checkpoint, ".pt": read_mdm,
    }  # fmt: skip
    if path.suffix not in readers:
        raise ValueError(f"weights {path} end in {path.suffix!r}, expected one of {sorted(readers)}")
    return readers[path.suffix](path)


def read_prior(path: Path) -> Weights:
    """Read a file written by :func:`lightning_modules.checkpoints.save_prior`.

    Raises:
        ValueError: the file is damaged or was not written by it.
    """
    metadata, tensors = read_safetensors(path, PRIOR_FORMAT, writer="save_prior")
    mean, std = tensors.pop("mean"), tensors.pop("std")
    card: dict[str, Plain] = json.loads(metadata["card"])
    return Weights(
        parameters={key.removeprefix("denoiser."): value.float() for key, value in tensors.items()},
        hyper_parameters=json.loads(metadata["hyper_parameters"]),
        mean=mean,
        std=std,
        card=card,
        window_frames=window_of_card(card),
    )


def read_safetensors(path: Path, file_format: str, *, writer: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return metadata and tensors of a safetensors file of that format.

    Raises:
        ValueError: the file is damaged, or ``writer`` did not write it.
    """
    metadata = read_metadata(path)
    found = metadata.get("format")
    if found != file_format:
        owner = f"; it is of a {_CLASSES[found]}, give it to one" if found in _CLASSES else ""
        raise ValueError(f"{path} has format {found!r}, expected {file_format!r}, as {writer} writes{owner}")
    try:
        with safe_open(path, framework="pt") as file:
            return metadata, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise _unreadable(path, error) from None


def read_metadata(path: Path) -> dict[str, str]:
    """Return what a safetensors file says of itself, or ``config.json`` beside it where it says nothing.

    Raises:
        ValueError: the file is damaged.
    """
    refuse_pointer_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
    except SafetensorError as error:
        raise _unreadable(path, error) from None
    return metadata if "format" in metadata else metadata | read_config(path)


def _unreadable(path: Path, error: SafetensorError) -> ValueError:
    return ValueError(f"{path} is not a readable safetensors file ({error}); copy or download it again")


def read_card(path: Path) -> dict[str, Plain]:
    """Return the model card in a safetensors file that this project wrote.

    Raises:
        ValueError: the file is damaged or of another origin.
    """
    if path.suffix != ".safetensors":
        raise ValueError(f"{path} carries no model card, expected a .safetensors of save_prior or save_vae")
    metadata = read_metadata(path)
    if metadata.get("format") not in _CLASSES:
        raise ValueError(f"{path} has format {metadata.get('format')!r}, expected one of {sorted(_CLASSES)}")
    card: dict[str, Plain] = json.loads(metadata["card"])
    return card


def read_checkpoint(path: Path) -> Weights:
    """Read the averaged weights of a Lightning checkpoint of MotionDiffusion.

    Raises:
        ValueError: the file is damaged or of another module.
    """
    content = load_plainly(path)
    state = content.get("state_dict")
    hyper_parameters = content.get("hyper_parameters")
    ours = isinstance(state, Mapping) and class_of(content) == "MotionDiffusion"
    if not (ours and isinstance(state, Mapping) and isinstance(hyper_parameters, Mapping)):
        raise ValueError(
            f"{path} is no Lightning checkpoint of MotionDiffusion{say_class(content)}; expected one that "
            "`lightning fit` wrote"
        )
    own = {key: value for key, value in hyper_parameters.items() if not key.startswith("_")}
    prefix = "average."
    known = bool(state["statistics.known"])
    return Weights(
        parameters={key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)},
        hyper_parameters=flatten(own, MOTION_DIFFUSION),
        mean=state["statistics.mean"] if known else None,
        std=state["statistics.std"] if known else None,
        window_frames=window_of_checkpoint(content),
    )


def read_mdm(path: Path) -> Weights:
    """Read a published MDM checkpoint: a flat state dict, or ``{"model", "model_avg"}``, of which the average is taken.

    Width, layers and the like are read off the parameters; steps, masking and the rest from ``args.json`` in the same
    folder, feature statistics from HumanML3D's ``Mean.npy`` and ``Std.npy`` where they lie there, too. Positions and
    text encoders in the file are dropped.

    Raises:
        FileNotFoundError: there is no ``args.json``.
        ValueError: a file is damaged, would execute code, or is of no MDM transformer for HumanML3D's 263 features.
    """
    content = load_plainly(path)
    state = content.get("model_avg", content.get("model", content))
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path} holds no state dict, expected a flat one or {{'model', 'model_avg'}}")
    if state and all(key.startswith(_PARALLEL) for key in state):
        state = {key.removeprefix(_PARALLEL): value for key, value in state.items()}
    parameters = {
        key: value for key, value in state.items() if not key.startswith(_EXTRA_PREFIXES) and not key.endswith(".pe")
    }
    try:
        dimensions = read_dimensions(parameters)
    except ValueError as error:
        raise ValueError(f"{path} is of another model: {error}; use a checkpoint of text-to-motion MDM") from None
    if dimensions["num_features"] != NUM_FEATURES:
        raise ValueError(
            f"{path} is of a model for {dimensions['num_features']} features a frame, expected HumanML3D's "
            f"{NUM_FEATURES}; use a checkpoint that was trained on HumanML3D"
        )
    args = read_mdm_args(path.with_name("args.json"), dimensions)
    if is_decoder(parameters) != (args["arch"] != "trans_enc"):
        raise ValueError(
            f"{path.with_name('args.json')} says arch={args['arch']!r}, but the weights are of a transformer "
            f"{'decoder' if is_decoder(parameters) else 'encoder'}; copy the args.json that was published with them"
        )
    sizes = {key: dimensions[key] for key in ("width", "num_layers", "feedforward", "text_dim")}
    mean, std = read_mdm_statistics(path.parent) or (None, None)
    return Weights(parameters=parameters, hyper_parameters={**sizes, **args}, mean=mean, std=std)


def load_plainly(path: Path) -> dict[str, object]:
    """Read a dictionary that ``torch.save`` wrote; nothing in it is executed.

    Raises:
        ValueError: the file is damaged, holds more than tensors and plain values, or is no dictionary.
    """
    refuse_pointer_file(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError(
            f"{path} is damaged or holds more than tensors and plain values, so it is not loaded; copy or download it "
            "again, from a source you trust"
        ) from None
    except Exception as error:  # a damaged pickle makes torch raise anything, from KeyError to struct.error
        reason = (str(error).splitlines() or [type(error).__name__])[0].partition(". ")[0]
        raise ValueError(f"{path} cannot be read ({reason}); copy or download it again") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, expected a dictionary of parameters")
    return content
