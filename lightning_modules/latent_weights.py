"""Read the checkpoints of both stages of latent motion diffusion; no code in a file is ever executed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from lightning_modules.statistics import FeatureStatistics
from lightning_modules.weights import load_plainly

_VAE_MARK: Final = "average.distribution_tokens"
_DIFFUSION_MARK: Final = "vae.distribution_tokens"


@dataclass(frozen=True)
class LatentWeights:
    """What a checkpoint of one of the stages holds.

    Attributes:
        parameters: averaged weights of the stage's own network.
        autoencoder: averaged weights of the autoencoder: the same in stage one, the frozen one in stage two.
        latent_std: deviation of encoded clips.
        mean: of the normalisation ``(263,)``, or None where it is not known yet.
        std: of the normalisation ``(263,)``, or None.
    """

    parameters: dict[str, Tensor]
    autoencoder: dict[str, Tensor]
    latent_std: Tensor
    mean: Tensor | None
    std: Tensor | None

    def give_statistics(self, statistics: FeatureStatistics) -> None:
        """Set feature statistics, if these weights came with any."""
        if self.mean is not None and self.std is not None:
            statistics.set(self.mean, self.std)


def read_vae(path: str | Path) -> LatentWeights:
    """Read a checkpoint of MotionVAE.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, would execute code, or is of another model.
    """
    state = _read_state(path, "MotionVAE", _VAE_MARK)
    own = _take(state, "average.")
    return _gather(state, own, own)


def read_latent_diffusion(path: str | Path) -> LatentWeights:
    """Read a checkpoint of LatentMotionDiffusion; raises as :func:`read_vae`."""
    state = _read_state(path, "LatentMotionDiffusion", _DIFFUSION_MARK)
    return _gather(state, _take(state, "average."), _take(state, "vae."))


def _read_state(path: str | Path, kind: str, mark: str) -> Mapping[str, Tensor]:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint {path} of {kind} not found; check the path, or train one first")
    state = load_plainly(path).get("state_dict")
    if not isinstance(state, Mapping) or mark not in state or "latent_std" not in state:
        raise ValueError(f"{path} is no checkpoint of {kind}; expected one that `lightning fit` wrote of that class")
    return state


def _gather(state: Mapping[str, Tensor], own: dict[str, Tensor], autoencoder: dict[str, Tensor]) -> LatentWeights:
    known = bool(state["statistics.known"])
    mean, std = (state[f"statistics.{name}"] if known else None for name in ("mean", "std"))
    return LatentWeights(own, autoencoder, state["latent_std"], mean, std)


def _take(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def load_same_network(parameters: Mapping[str, Tensor], networks: Iterable[nn.Module], *, source: str | Path) -> None:
    """Load parameters into networks of the very same shape, in place.

    Raises:
        ValueError: they are of a network of other dimensions; the message names the first parameter that differs.
    """
    for network in networks:
        own = network.state_dict()
        shapes, expected = ({key: tuple(value.shape) for key, value in state.items()} for state in (parameters, own))
        odd = sorted(key for key in shapes.keys() | expected.keys() if shapes.get(key) != expected.get(key))
        if odd:
            raise ValueError(
                f"weights in {source} do not fit: {odd[0]} has shape {shapes.get(odd[0])}, expected "
                f"{expected.get(odd[0])} (None: no such parameter), and {len(odd) - 1} more; set width, tokens and "
                "layers to those it was trained with"
            )
        with torch.no_grad():
            network.load_state_dict(dict(parameters))
