"""The networks that a diffusion prior can be made of, by the name that YAML uses."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import Final, TypeAlias

from lightning_modules.networks.conformer import Conformer
from lightning_modules.networks.denoiser import ARCHITECTURES, DENOISER_ARGUMENTS, Denoiser
from lightning_modules.networks.latent import LatentDenoiser
from lightning_modules.networks.motiondiffuse import MotionDiffuse
from lightning_modules.networks.own import OwnNetwork
from lightning_modules.networks.parameterisation import Parameterisation
from sim.names import suggest

MotionNetwork: TypeAlias = Denoiser | Conformer | MotionDiffuse | OwnNetwork
"""A denoiser of features ``(B, T, 263)``; see :meth:`lightning_modules.networks.denoiser.Denoiser.forward`."""

Network: TypeAlias = MotionNetwork | LatentDenoiser
"""A denoiser of features, or of latents by the same door."""

NETWORKS: Final = (*ARCHITECTURES, Conformer.arch, MotionDiffuse.arch)
"""Every value of ``arch``; all but the last two are MDM's."""


@dataclass(frozen=True)
class NetworkOptions:
    """A denoiser that the project brings.

    Attributes:
        arch: one of :data:`NETWORKS`.
        width: width of the transformer.
        num_layers: transformer layers.
        num_heads: attention heads; divides ``width``.
        feedforward: hidden width of the layers.
        dropout: of the sequence, the residual branches and the hidden parts.
        attention_dropout: of the attention weights; MDM uses ``dropout`` there too, 0 lets fused kernels be used.
            ``motiondiffuse`` has no such weights.
        text_dim: width of the text encoder's embeddings; also of those that a network of the user's own is given.
        activities: names of activities that the network is told beside the text, each by a number of its own behind the
            text's; None tells none (:mod:`lightning_modules.text.activities`).
        mask_frames: hide padding from the attention.
        skip: a road from the noisy motion to the output: ``none``, ``filter`` or ``detail``
            (:mod:`lightning_modules.networks.skip`). It changes nothing until it is trained. Networks of the user's own
            take it, too.
        skip_frames: taps of a ``filter`` (7), frames of the windows of ``detail`` (32).
        skip_until: share of the schedule, from its clean end, in which the skip acts.
    """

    arch: str = "trans_enc"
    width: int = 192
    num_layers: int = 4
    num_heads: int = 4
    feedforward: int = 384
    dropout: float = 0.1
    attention_dropout: float = 0.0
    text_dim: int = 384
    activities: list[str] | None = None
    mask_frames: bool = True
    skip: str = "none"
    skip_frames: int | None = None
    skip_until: float = 1.0

    @property
    def condition_dim(self) -> int:
        """Width of what the network is told of a motion: its text's embedding, and its activity."""
        return self.text_dim + len(self.activities or [])


_LOGGER = logging.getLogger(__name__)
_MOTIONDIFFUSE_ARGUMENTS: Final = (
    "width", "num_layers", "num_heads", "feedforward", "text_dim", "dropout", "mask_frames",
)  # fmt: skip


def build_network(options: NetworkOptions, parameterisation: Parameterisation) -> MotionNetwork:
    """Build the network that ``arch`` names; one log line warns where it is too narrow for the noise to be predicted.

    Args:
        options: which network, and its sizes.
        parameterisation: what the output head computes.

    Raises:
        ValueError: ``arch`` is unknown, or sizes do not fit each other.
    """
    arch, values = options.arch, {**asdict(options), "text_dim": options.condition_dim}
    if arch not in NETWORKS:
        raise ValueError(f"arch is {arch!r}, must be one of {list(NETWORKS)}{suggest(arch, NETWORKS)}")
    maker: type[Denoiser] | type[Conformer] | type[MotionDiffuse] = Denoiser
    names: tuple[str, ...] = DENOISER_ARGUMENTS
    if arch == Conformer.arch:
        maker, names = Conformer, (*_MOTIONDIFFUSE_ARGUMENTS, "attention_dropout")
    elif arch == MotionDiffuse.arch:
        maker, names = MotionDiffuse, _MOTIONDIFFUSE_ARGUMENTS
    network: MotionNetwork = maker(**{name: values[name] for name in names}, parameterisation=parameterisation)
    width, features = options.width, network.num_features
    if parameterisation.predicts != "clean" and width < features:
        _LOGGER.warning(
            "width is %d, but %s of %d features is to be predicted: in at least %d directions none can be, and "
            "sampling %s what it leaves there (docs/decisions/019); use a width of at least %d, or predicts='clean'",
            width, parameterisation.predicts, features, features - width,
            "multiplies" if parameterisation.predicts == "noise" else "keeps", features,
        )  # fmt: skip
    return network
