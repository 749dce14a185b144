"""The plain skip: a short temporal filter of the noisy motion, one for each time step and feature, added to the output.

At its start every filter is zero: the network computes what it did without it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.diffusion import Schedule
from lightning_modules.networks.skip.windows import acts_at


class FilterSkip(nn.Module):
    """Adds ``sum_k h[t, f, k] x_t[:, i + k, f]`` to the prediction; one tap is a gain.

    Args:
        schedule: the process that the network is trained on.
        taps: K, length of the filters, odd.
        num_features: F.
        until: share of the schedule, from its clean end, in which it acts.

    Raises:
        ValueError: ``taps`` is even or below 1.
    """

    acts: Tensor

    def __init__(self, schedule: Schedule, *, taps: int, num_features: int, until: float = 1.0) -> None:
        super().__init__()
        if taps < 1 or taps % 2 == 0:
            raise ValueError(f"skip_frames is {taps}, expected an odd number of taps, such as 7")
        self.taps = taps
        self.register_buffer("acts", acts_at(schedule.num_train_steps, until), persistent=False)
        self.kernel = nn.Parameter(torch.zeros(schedule.num_train_steps, num_features, taps))

    def tell(self, coarse: Tensor, timesteps: Tensor, text: Tensor, mask: Tensor) -> Tensor | None:
        """Return None: a plain filter depends on the time step alone."""
        return None

    def forward(self, coarse: Tensor, noisy: Tensor, timesteps: Tensor, mask: Tensor, told: Tensor | None) -> Tensor:
        """Return the prediction with the filtered input added; arguments as for :class:`DetailSkip`."""
        batch, frames, features = noisy.shape
        inside = torch.where(mask[..., None], noisy, 0.0).to(self.kernel)
        rows = inside.transpose(1, 2).reshape(1, batch * features, frames)
        kernel = (self.kernel * self.acts[:, None, None])[timesteps].reshape(batch * features, 1, self.taps)
        added = functional.conv1d(rows, kernel, padding=self.taps // 2, groups=batch * features)
        return coarse + added.view(batch, features, frames).transpose(1, 2)

    def negative_log_likelihood(
        self, coarse: Tensor, clean: Tensor, mask: Tensor, told: Tensor | None
    ) -> Tensor | None:
        """Return None: gains are learned from the losses on the prediction alone."""
        return None
