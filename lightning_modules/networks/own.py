"""A denoiser of the user's own: any module with the door of :class:`lightning_modules.networks.denoiser.Denoiser`."""

from __future__ import annotations

import inspect
from typing import Final

from torch import Tensor, nn

from lightning_modules.networks.parameterisation import Coarse, Condition, Parameterisation
from sim.conventions import NUM_FEATURES

_DOOR: Final = ("x", "timesteps", "text_embedding", "lengths")


class OwnNetwork(nn.Module):
    """Puts a module from outside in the place of a denoiser; YAML names it by ``class_path``.

    Its output is what ``process.predicts`` says, and is turned into the clean motion here.

    Args:
        network: a module whose ``forward(x (B, T, 263), timesteps (B,), text_embedding (B, D) or (B, L, D),
            lengths (B,), *, text_mask=None)`` returns ``(B, T, 263)``; normalised features, int64 time steps and
            lengths, a bool mask of words. Its attribute ``mask_frames``, True where it has none, says that valid frames
            do not depend on padding.
        parameterisation: what the output stands for.
        text_dim: D, width of the embeddings that it is given.

    Raises:
        ValueError: the module's ``forward`` cannot be called so.
    """

    num_features: int
    mask_frames: bool
    text_dim: int

    def __init__(self, network: nn.Module, parameterisation: Parameterisation, *, text_dim: int) -> None:
        super().__init__()
        try:
            inspect.signature(network.forward).bind(*_DOOR, text_mask=None)
        except TypeError as error:
            raise ValueError(
                f"forward of {type(network).__name__} does not fit ({error}), expected "
                f"forward({', '.join(_DOOR)}, *, text_mask=None); see docs/extend/network.md"
            ) from None
        self.own = network
        self.num_features = NUM_FEATURES
        self.text_dim = text_dim
        self.mask_frames = bool(getattr(network, "mask_frames", True))
        self.parameterisation = parameterisation

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        text_embedding: Tensor,
        lengths: Tensor,
        *,
        text_mask: Tensor | None = None,
        skip_padding: bool = False,
        coarse: list[Coarse] | None = None,
    ) -> Tensor:
        """Predict the clean motion ``(B, T, 263)``; arguments as for Denoiser; ``skip_padding`` is no use here.

        Raises:
            ValueError: the network returned another shape.
        """
        del skip_padding
        output = self.own(x, timesteps, text_embedding, lengths, text_mask=text_mask)
        if output.shape != x.shape:
            raise ValueError(
                f"{type(self.own).__name__} returned shape {tuple(output.shape)}, expected that of x, {tuple(x.shape)}"
            )
        condition = Condition(text_embedding, text_mask, lengths)
        predicted: Tensor = self.parameterisation(output, x, timesteps, condition, coarse=coarse)
        return predicted
