"""What a network's output stands for: the clean signal itself, or the noise that was added to it.

Predicting the noise is Ho et al. 2020 (arXiv:2006.11239, eq. 15), the clean signal MDM (Tevet et al. 2022,
arXiv:2209.14916, section 3). Every network here returns the clean signal, converted at its end if need be, so that
losses, samplers and guidance know of one kind only.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from lightning_modules.diffusion import Schedule, expand

PREDICTS: Final = ("clean", "noise")


class Parameterisation(nn.Module):
    """Turns a network's output into the clean signal; holds no parameters and leaves no trace in a state dict.

    Args:
        predicts: one of :data:`PREDICTS`.
        schedule: the process that the network is trained on; only needed where noise is predicted.

    Raises:
        ValueError: ``predicts`` is unknown, or noise is to be predicted without a schedule.
    """

    noisy_factor: Tensor
    noise_factor: Tensor

    def __init__(self, predicts: str = "clean", schedule: Schedule | None = None) -> None:
        super().__init__()
        if predicts not in PREDICTS:
            raise ValueError(f"predicts is {predicts!r}, must be one of {list(PREDICTS)}")
        self.predicts = predicts
        if predicts == "noise":
            if schedule is None:
                raise ValueError("predicts is 'noise' without a schedule, expected the one of the training; pass it")
            level = schedule.alphas_cumprod
            self.register_buffer("noisy_factor", level.rsqrt().float(), persistent=False)
            self.register_buffer("noise_factor", (1 / level - 1).sqrt().float(), persistent=False)

    def forward(self, output: Tensor, noisy: Tensor, timesteps: Tensor) -> Tensor:
        """Return the clean signal ``(B, ...)``.

        Args:
            output: what the network computed ``(B, ...)``.
            noisy: what it was given, x_t, same shape.
            timesteps: time step of the trained process, per sample ``(B,)``, int64.
        """
        if self.predicts == "clean":
            return output
        # The factors reach 1000 at the noisiest step, where half precision would leave nothing of the difference.
        with torch.autocast(output.device.type, enabled=False):
            return (
                expand(self.noisy_factor[timesteps], noisy) * noisy.float()
                - expand(self.noise_factor[timesteps], noisy) * output.float()
            )
