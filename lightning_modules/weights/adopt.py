"""The network of weights that a run starts from: what a YAML does not say of it, the weights do."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lightning_modules.diffusion import ProcessOptions
from lightning_modules.networks import NetworkOptions
from lightning_modules.networks.denoiser import read_dimensions
from lightning_modules.networks.latent import LatentDenoiserOptions
from lightning_modules.weights.latent import LatentWeights
from lightning_modules.weights.read import Weights

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_LOGGER = logging.getLogger(__name__)

_NETWORK: Final = (
    "arch", "width", "num_layers", "num_heads", "feedforward", "activities", "mask_frames", "skip", "skip_frames",
    "skip_until",
)  # fmt: skip
_PROCESS: Final = ("num_steps", "noise_schedule", "predicts", "usual_guidance")

ADOPTING: Final = ("network", "vae", "process")
"""Groups of options of which weights decide what was left at its default."""

_LATENT_NETWORK: Final = ("width", "latent_tokens", "num_layers", "num_heads", "feedforward", "activities")
_LATENT_VAE: Final = {"layers": "vae_layers", "feedforward": "vae_feedforward"}

Options = TypeVar("Options", bound="DataclassInstance")
VaeOptions = TypeVar("VaeOptions", bound="DataclassInstance")


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
    return _adopt(network, known, _named(_NETWORK)), _adopt(process, known, _named(_PROCESS))


def adopt_latent_network(
    weights: LatentWeights,
    network: LatentDenoiserOptions,
    vae: VaeOptions,
    process: ProcessOptions,
    *,
    usual: ProcessOptions,
) -> tuple[LatentDenoiserOptions, VaeOptions, ProcessOptions]:
    """Return the three groups of a LatentMotionDiffusion as :func:`adopt_network` does.

    Args:
        weights: what a file of that class holds.
        network: as asked for.
        vae: as asked for.
        process: as asked for.
        usual: the process that stands where nobody asked for one.
    """
    known = weights.hyper_parameters
    return (
        _adopt(network, known, _named(_LATENT_NETWORK)),
        _adopt(vae, known, _LATENT_VAE),
        _adopt(process, known, _named(_PROCESS), usual),
    )


def _named(names: tuple[str, ...]) -> dict[str, str]:
    return {name: name for name in names}


def _adopt(
    options: Options, stored: Mapping[str, object], names: Mapping[str, str], usual: Options | None = None
) -> Options:
    default = asdict(type(options)() if usual is None else usual)
    known = {name: stored[theirs] for name, theirs in names.items() if theirs in stored}
    taken: dict[str, Any] = {
        name: value
        for name, value in known.items()
        if getattr(options, name) == default[name] and value != default[name]
    }
    if taken:
        said = {name: f"{len(value)} names" if isinstance(value, list) else value for name, value in taken.items()}
        _LOGGER.info("as in the weights: %s", ", ".join(f"{name} {value}" for name, value in said.items()))
    return replace(options, **taken)
