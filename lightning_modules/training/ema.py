"""Exponential moving average of weights, the model that is evaluated (Ho et al. 2020, arXiv:2006.11239, appendix B)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_modules.networks.lora import merge_state


def ramp_decay(decay: float, num_updates: int) -> float:
    """Return the decay after that many updates: (1 + n) / (10 + n) until it reaches ``decay``.

    The ramp keeps random starting weights out of the average of a short run.
    """
    return min(decay, (1 + num_updates) / (10 + num_updates))


@torch.no_grad()
def update_average(average: nn.Module, source: nn.Module, decay: float) -> None:
    """Set average = decay * average + (1 - decay) * source, parameter by parameter, in place.

    A source with adapters counts with them merged, so that an average has the plain layout whatever is trained. Without
    adapters it is taken parameter by parameter as it lies here, which under FSDP is a piece of each.
    """
    targets, sources = dict(average.named_parameters()), dict[str, Tensor](source.named_parameters())
    if targets.keys() != sources.keys():
        sources = merge_state(source)
    torch._foreach_lerp_(list(targets.values()), [sources[name] for name in targets], 1.0 - decay)
