"""What a network's output stands for: the clean signal itself, the noise that was added to it, or v between the two.

Predicting the noise is Ho et al. 2020 (arXiv:2006.11239, eq. 15), the clean signal MDM (Tevet et al. 2022,
arXiv:2209.14916, section 3), v = a eps - s x_0 Salimans and Ho 2022 (arXiv:2202.00512, appendix D): the clean signal is
a x_t - s v, which is the preconditioning of Karras et al. 2022 (arXiv:2206.00364, table 1) for data of unit variance.
Every network here returns the clean signal, converted at its end if need be, so that losses, samplers and guidance
know of one kind only. A skip (:mod:`lightning_modules.networks.skip`) acts behind that.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.diffusion import Schedule, expand
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.networks.skip import Skip
from sim.names import check_name

PREDICTS: Final = ("clean", "noise", "v")


class Condition(NamedTuple):
    """What a prediction is conditioned on beside the time step.

    Attributes:
        text: embeddings of captions ``(B, D)`` or of their words ``(B, L, D)``.
        text_mask: which words are no padding ``(B, L)``, bool; None is all.
        lengths: valid frames of each clip ``(B,)``.
    """

    text: Tensor
    text_mask: Tensor | None
    lengths: Tensor

    def caption(self) -> Tensor:
        """Return one embedding a caption ``(B, D)``, the mean of its words'."""
        if self.text.ndim == 2:
            return self.text
        if self.text_mask is None:
            return self.text.mean(dim=1)
        seen = self.text_mask[..., None].to(self.text)
        return (self.text * seen).sum(dim=1) / seen.sum(dim=1).clamp_min(1)

    def frames(self, num_frames: int) -> Tensor:
        """Return which of so many frames are inside each clip ``(B, T)``, bool."""
        return mask_frames_of(self.lengths, num_frames)


class Coarse(NamedTuple):
    """What a skip starts from.

    Attributes:
        predicted: the network's own prediction of the clean motion ``(B, T, F)``.
        told: how much the skip takes it to leave out, see :mod:`lightning_modules.networks.skip.detail_skip`.
    """

    predicted: Tensor
    told: Tensor | None


class Parameterisation(nn.Module):
    """Turns a network's output into the clean signal; its only parameters are those of its skip.

    Args:
        predicts: one of :data:`PREDICTS`.
        schedule: the process that the network is trained on; not needed where the clean signal is predicted.
        skip: what adds to the prediction from the noisy signal, or None.

    Raises:
        ValueError: ``predicts`` is unknown, or noise or v is to be predicted without a schedule.
    """

    noisy_factor: Tensor
    noise_factor: Tensor

    def __init__(self, predicts: str = "clean", schedule: Schedule | None = None, skip: Skip | None = None) -> None:
        super().__init__()
        check_name(predicts, PREDICTS, "kind of prediction (predicts)")
        self.predicts = predicts
        self.skip = skip
        if predicts == "clean":
            return
        if schedule is None:
            raise ValueError(f"predicts is {predicts!r} without a schedule, expected the one of the training; pass it")
        level = schedule.alphas_cumprod
        factors = (level.rsqrt(), (1 / level - 1).sqrt()) if predicts == "noise" else (level.sqrt(), (1 - level).sqrt())
        self.register_buffer("noisy_factor", factors[0].float(), persistent=False)
        self.register_buffer("noise_factor", factors[1].float(), persistent=False)

    def forward(
        self,
        output: Tensor,
        noisy: Tensor,
        timesteps: Tensor,
        condition: Condition | None = None,
        *,
        coarse: list[Coarse] | None = None,
    ) -> Tensor:
        """Return the clean signal ``(B, ...)``.

        Args:
            output: what the network computed ``(B, ...)``.
            noisy: what it was given, x_t, same shape.
            timesteps: time step of the trained process, per sample ``(B,)``, int64.
            condition: captions and lengths, which a skip needs.
            coarse: given a list, what a skip starts from is appended to it.

        Raises:
            ValueError: there is a skip, and no condition.
        """
        predicted = output if self.predicts == "clean" else self._convert(output, noisy, timesteps)
        if self.skip is None:
            return predicted
        if condition is None:
            raise ValueError("the skip is given no captions and lengths, expected a Condition; pass it")
        mask = condition.frames(noisy.shape[1])
        told = self.skip.tell(predicted, timesteps, condition.caption(), mask)
        if coarse is not None:
            coarse.append(Coarse(predicted, told))
        detailed: Tensor = self.skip(predicted, noisy, timesteps, mask, told)
        return detailed

    def _convert(self, output: Tensor, noisy: Tensor, timesteps: Tensor) -> Tensor:
        # For noise the factors reach 1000 at the noisiest step: half precision would leave nothing of the difference.
        with torch.autocast(output.device.type, enabled=False):
            return (
                expand(self.noisy_factor[timesteps], noisy) * noisy.float()
                - expand(self.noise_factor[timesteps], noisy) * output.float()
            )
