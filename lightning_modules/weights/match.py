"""Whether weights fit the model that takes them, and which of them it takes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from lightning_modules.networks.denoiser import read_dimensions
from lightning_modules.weights.read import Weights

_LOGGER = logging.getLogger(__name__)

_MODEL_KEYS: Final = (
    "arch", "width", "num_layers", "num_heads", "feedforward", "text_dim", "num_steps", "noise_schedule", "predicts",
    "mask_frames", "skip", "skip_frames",
)  # fmt: skip

_SKIP: Final = "parameterisation.skip."
_TEXT_PROJECTION: Final = ("embed_text.weight", "embed_text.bias")


def match_parameters(
    weights: Weights, denoiser: nn.Module, hyper_parameters: Mapping[str, object], *, source: str
) -> dict[str, Tensor]:
    """Return the parameters to load into a denoiser, and refuse those of a model of other dimensions.

    Weights of a model with another text encoder are taken over but for ``embed_text``, which stays as the denoiser has
    it (as initialised, when a fine-tuning starts); one log line says so.

    Args:
        weights: what a file holds.
        denoiser: the network that they are meant for.
        hyper_parameters: the model's own constructor arguments.
        source: the file, for the message.

    Raises:
        ValueError: it names each argument that differs, with both values, or parameters that are missing or foreign.
    """
    try:
        dimensions = read_dimensions(weights.parameters)
    except ValueError as error:
        raise ValueError(f"{source} is of another model: {error}; give weights of a MotionDiffusion") from None
    theirs: dict[str, object] = {
        "arch": "trans_enc",
        "noise_schedule": "cosine",
        "predicts": "clean",
        "skip": "none",
        "skip_frames": None,
        **weights.hyper_parameters,
        **dimensions,
    }
    encoder, own_encoder = (
        str(arguments.get("text_encoder", hyper_parameters["text_encoder"])).partition(":")[0]
        for arguments in (theirs, hyper_parameters)
    )
    differing = [
        f"{key}={theirs[key]} (the model has {hyper_parameters[key]})"
        for key in _MODEL_KEYS
        if key in theirs
        and theirs[key] != hyper_parameters[key]
        and not (key == "text_dim" and encoder != own_encoder)
        and not (key.startswith("skip") and theirs["skip"] == "none")
    ]
    if differing:
        raise ValueError(
            f"weights in {source} have {', '.join(differing)}; set the model's arguments to the weights' values"
        )
    own, parameters = denoiser.state_dict(), dict(weights.parameters)
    if theirs["skip"] == "none" != hyper_parameters["skip"]:
        _LOGGER.info("the skip starts anew, closed: %s is of a model without one", source)
        parameters |= {key: value for key, value in own.items() if key.startswith(_SKIP)}
    if encoder != own_encoder:
        _LOGGER.info(
            "embed_text starts anew: %s is of a model with the text encoder %s, this one has %s; all other parameters "
            "are taken over",
            source, encoder, own_encoder,
        )  # fmt: skip
        parameters |= {key: own[key] for key in _TEXT_PROJECTION}
    shapes, own_shapes = ({key: tuple(value.shape) for key, value in state.items()} for state in (parameters, own))
    odd = sorted(key for key in shapes.keys() | own_shapes.keys() if shapes.get(key) != own_shapes.get(key))
    if odd:
        raise ValueError(
            f"weights in {source} do not fit: {odd[0]} has shape {shapes.get(odd[0])}, expected "
            f"{own_shapes.get(odd[0])} (None: no such parameter), and {len(odd) - 1} more; "
            "the file is cut or of another model"
        )
    return parameters


def match_same_network(
    parameters: Mapping[str, Tensor], network: nn.Module, *, source: str | Path
) -> dict[str, Tensor]:
    """Return parameters that are of a network of the very same shape.

    Raises:
        ValueError: they are of a network of other dimensions; the message names the first parameter that differs.
    """
    own = network.state_dict()
    shapes, expected = ({key: tuple(value.shape) for key, value in state.items()} for state in (parameters, own))
    odd = sorted(key for key in shapes.keys() | expected.keys() if shapes.get(key) != expected.get(key))
    if odd:
        raise ValueError(
            f"weights in {source} do not fit: {odd[0]} has shape {shapes.get(odd[0])}, expected "
            f"{expected.get(odd[0])} (None: no such parameter), and {len(odd) - 1} more; the file is cut or of "
            "another model"
        )
    return dict(parameters)


def load_same_network(parameters: Mapping[str, Tensor], networks: Iterable[nn.Module], *, source: str | Path) -> None:
    """Load parameters into networks of the very same shape, in place; raises as :func:`match_same_network`."""
    for network in networks:
        with torch.no_grad():
            network.load_state_dict(match_same_network(parameters, network, source=source))
