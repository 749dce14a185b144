"""The networks that a diffusion prior can be made of, by the name that YAML uses."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final, TypeAlias

from lightning_modules.networks.denoiser import ARCHITECTURES, DENOISER_ARGUMENTS, Denoiser
from lightning_modules.networks.latent import LatentDenoiser
from lightning_modules.networks.motiondiffuse import MotionDiffuse
from lightning_modules.networks.parameterisation import Parameterisation
from sim.names import suggest

MotionNetwork: TypeAlias = Denoiser | MotionDiffuse
"""A denoiser of features ``(B, T, 263)``; see :meth:`lightning_modules.networks.denoiser.Denoiser.forward`."""

Network: TypeAlias = MotionNetwork | LatentDenoiser
"""A denoiser of features, or of latents by the same door."""

NETWORKS: Final = (*ARCHITECTURES, MotionDiffuse.arch)
"""Every value of ``arch``; all but the last are MDM's."""

_LOGGER = logging.getLogger(__name__)
_MOTIONDIFFUSE_ARGUMENTS: Final = (
    "width", "num_layers", "num_heads", "feedforward", "text_dim", "dropout", "mask_frames",
)  # fmt: skip


def build_network(hyper_parameters: Mapping[str, object], parameterisation: Parameterisation) -> MotionNetwork:
    """Build the network that ``arch`` names; one log line warns where it is too narrow for the noise to be predicted.

    Args:
        hyper_parameters: constructor arguments of MotionDiffusion.
        parameterisation: what the output head computes.

    Raises:
        ValueError: ``arch`` is unknown, or sizes do not fit each other.
    """
    arch = hyper_parameters["arch"]
    if arch not in NETWORKS:
        raise ValueError(f"arch is {arch!r}, must be one of {list(NETWORKS)}{suggest(str(arch), NETWORKS)}")
    maker, names = (
        (MotionDiffuse, _MOTIONDIFFUSE_ARGUMENTS) if arch == MotionDiffuse.arch else (Denoiser, DENOISER_ARGUMENTS)
    )
    arguments = {name: hyper_parameters[name] for name in names}
    network: MotionNetwork = maker(**arguments, parameterisation=parameterisation)  # type: ignore[arg-type]  # MotionDiffusion's
    width, features = int(str(arguments["width"])), network.num_features
    if parameterisation.predicts == "noise" and width < features:
        _LOGGER.warning(
            "width is %d, but noise of %d features is to be predicted: in at least %d directions none can be, and "
            "sampling multiplies what it leaves there (docs/decisions/019); use a width of at least %d, or "
            "predicts='clean'",
            width, features, features - width, features,
        )  # fmt: skip
    return network
