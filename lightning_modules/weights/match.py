"""Whether weights fit the model that takes them, and which of them it takes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
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
_TOLD: Final = frozenset({"embed_text.weight", "posture.weight", "parameterisation.skip.tell_condition.weight"})
"""What reads a caption's embedding, and the activities behind it."""

_TEXT_PROJECTION: Final = ("embed_text.weight", "embed_text.bias", "posture.weight")
_POSTURE: Final = ("posture.weight", "posture_share.weight", "posture_share.bias")
"""What a conformer adds since docs/decisions/046: nothing, until it is trained."""


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
    known, own_known = (_activities_of(one) for one in (theirs, hyper_parameters))
    theirs["text_dim"] = dimensions["text_dim"] - len(known)
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
    if not parameters.keys() & set(_POSTURE):
        parameters |= {key: torch.zeros_like(own[key]) for key in _POSTURE if key in own}
    if known != own_known:
        _LOGGER.info("%s is told other activities; those that both know are taken over by name", source)
        parameters = _fit_activities(parameters, known, own_known)
    if theirs["skip"] == "none" != hyper_parameters["skip"]:
        _LOGGER.info("the skip starts anew, closed: %s is of a model without one", source)
        parameters |= {key: value for key, value in own.items() if key.startswith(_SKIP)}
    if encoder != own_encoder:
        _LOGGER.info(
            "embed_text starts anew: %s is of a model with the text encoder %s, this one has %s; all other parameters "
            "are taken over",
            source, encoder, own_encoder,
        )  # fmt: skip
        parameters |= {key: own[key] for key in _TEXT_PROJECTION if key in own}
    _check_shapes(parameters, own, source=source)
    return parameters


def _check_finite(parameters: Mapping[str, Tensor], *, source: str | Path) -> None:
    odd = [key for key, value in parameters.items() if value.is_floating_point() and not bool(value.isfinite().all())]
    if odd:
        raise ValueError(
            f"weights in {source} hold NaN or infinity in {odd[0]}{f' and {len(odd) - 1} more' if odd[1:] else ''}, "
            "expected finite numbers: their training diverged; take an earlier checkpoint"
        )


def _check_shapes(parameters: Mapping[str, Tensor], own: Mapping[str, Tensor], *, source: str | Path) -> None:
    shapes, expected = ({key: tuple(value.shape) for key, value in state.items()} for state in (parameters, own))
    odd = sorted(key for key in shapes.keys() | expected.keys() if shapes.get(key) != expected.get(key))
    if odd:
        raise ValueError(
            f"weights in {source} do not fit: {odd[0]} has shape {shapes.get(odd[0])}, expected "
            f"{expected.get(odd[0])} (None: no such parameter), and {len(odd) - 1} more; the file is cut or of "
            "another model"
        )
    _check_finite(parameters, source=source)


def _activities_of(arguments: Mapping[str, object]) -> list[str]:
    found = arguments.get("activities")
    return [str(name) for name in found] if isinstance(found, list) else []


def _fit_activities(parameters: Mapping[str, Tensor], known: Sequence[str], wanted: Sequence[str]) -> dict[str, Tensor]:
    """Return parameters whose last columns stand for other activities; a new one changes nothing before training."""
    fitted = dict(parameters)
    for key in _TOLD & parameters.keys():
        words, told = parameters[key].split([parameters[key].shape[1] - len(known), len(known)], dim=1)
        by_name = dict(zip(known, told.unbind(dim=1), strict=True))
        columns = [by_name.get(name, torch.zeros_like(words[:, 0])) for name in wanted]
        fitted[key] = torch.cat([words, *(column[:, None] for column in columns)], dim=1)
    return fitted


def match_same_network(
    parameters: Mapping[str, Tensor], network: nn.Module, *, source: str | Path
) -> dict[str, Tensor]:
    """Return parameters that are of a network of the very same shape.

    Raises:
        ValueError: they are of a network of other dimensions; the message names the first parameter that differs.
    """
    _check_shapes(parameters, network.state_dict(), source=source)
    return dict(parameters)


def load_same_network(parameters: Mapping[str, Tensor], networks: Iterable[nn.Module], *, source: str | Path) -> None:
    """Load parameters into networks of the very same shape, in place; raises as :func:`match_same_network`."""
    for network in networks:
        with torch.no_grad():
            network.load_state_dict(match_same_network(parameters, network, source=source))
