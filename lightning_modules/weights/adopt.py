"""The network of weights that a run starts from: what a YAML does not say of it, the weights do."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final, TypeVar

from lightning_modules.diffusion import ProcessOptions
from lightning_modules.networks import NetworkOptions
from lightning_modules.networks.denoiser import read_dimensions
from lightning_modules.weights.read import Weights

_LOGGER = logging.getLogger(__name__)

_NETWORK: Final = (
    "arch", "width", "num_layers", "num_heads", "feedforward", "activities", "mask_frames", "skip", "skip_frames",
    "skip_until",
)  # fmt: skip
_PROCESS: Final = ("num_steps", "noise_schedule", "predicts")

Options = TypeVar("Options", NetworkOptions, ProcessOptions)


def adopt_network(
    weights: Weights, network: NetworkOptions, process: ProcessOptions
) -> tuple[NetworkOptions, ProcessOptions]:
    """Return both with the weights' value in each field of the network that stands at its default.

    What is said otherwise stays, and is refused where the weights are loaded if it does not fit them.

    Args:
        weights: what a file holds.
        network: as asked for.
        process: as asked for.
    """
    try:
        sizes: dict[str, object] = dict(read_dimensions(weights.parameters))
    except ValueError:  # of another model, which loading says in full
        return network, process
    known = {**sizes, **weights.hyper_parameters}
    if network.skip not in (NetworkOptions().skip, known.get("skip")):
        known = {name: value for name, value in known.items() if not name.startswith("skip")}
    return _adopt(network, known, _NETWORK), _adopt(process, known, _PROCESS)


def _adopt(options: Options, known: Mapping[str, object], names: tuple[str, ...]) -> Options:
    usual = {field.name: field.default for field in fields(options)}
    taken: dict[str, Any] = {
        name: known[name]
        for name in names
        if name in known and getattr(options, name) == usual[name] and known[name] != usual[name]
    }
    if taken:
        said = {name: f"{len(value)} names" if isinstance(value, list) else value for name, value in taken.items()}
        _LOGGER.info("as in the weights: %s", ", ".join(f"{name} {value}" for name, value in said.items()))
    return replace(options, **taken)
