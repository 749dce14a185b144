"""Low-rank adaptation (LoRA, Hu et al. 2021, arXiv:2106.09685): attention that learns W + B A beside a frozen W.

Written here and not taken from ``peft``, which adapts whole ``nn.Linear`` modules and not the stacked projections of
an attention block, and keeps a file format of its own.

Code name to symbol: ``up`` B, ``down`` A, ``rank`` r. The paper's factor alpha / r is 1 (alpha = r, as its section 4.1
sets it once and tunes the learning rate instead). Query, key, value and output each have a B and an A.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

_MARK: Final = "parametrizations."
_BASE: Final = ".original"


class LowRankUpdate(nn.Module):
    """Adds B A to a weight, or to each of several square ones that are stacked; B starts at 0.

    Args:
        weight: the frozen weight ``(n D, D)``, n projections below each other.
        rank: r.
        generator: draws A.

    Raises:
        ValueError: ``rank`` is not from 1 to D.
    """

    def __init__(self, weight: Tensor, *, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        rows, width = weight.shape
        if not 1 <= rank <= width:
            raise ValueError(f"lora_rank is {rank}, expected 1 to {width}, the width of the attention")
        bound = 1 / math.sqrt(width)  # the uniform law of the authors' loralib, that of a linear layer
        drawn = torch.empty(rows // width, rank, width).uniform_(-bound, bound, generator=generator)
        self.down = nn.Parameter(drawn.to(weight))
        self.up = nn.Parameter(weight.new_zeros(rows // width, width, rank))

    def forward(self, weight: Tensor) -> Tensor:
        """Return ``weight`` with the update added."""
        return weight + (self.up @ self.down).view_as(weight)


def add_adapters(network: nn.Module, *, rank: int, seed: int) -> None:
    """Freeze a network and put adapters on the projections of all its attention blocks, in place.

    Its output stays the same, bit for bit, until it is trained.

    Args:
        network: holds attention blocks with the parameter names of ``torch.nn.MultiheadAttention``.
        rank: r of each update.
        seed: of the adapters' starting values.

    Raises:
        ValueError: ``rank`` is out of range, or there is no attention.
    """
    generator = torch.Generator().manual_seed(seed)
    network.requires_grad_(False)
    blocks = [module for module in network.modules() if isinstance(getattr(module, "in_proj_weight", None), Tensor)]
    if not blocks:
        raise ValueError("trainable is 'lora', but the network has no attention to adapt; use 'all'")
    for block in blocks:
        projections = [(block, "in_proj_weight")]
        if hasattr(block, "out_proj"):  # MotionDiffuse's linear attention has none
            projections.append((block.get_submodule("out_proj"), "weight"))
        for module, name in projections:
            update = LowRankUpdate(getattr(module, name), rank=rank, generator=generator)
            parametrize.register_parametrization(module, name, update)


def merge_state(network: nn.Module) -> dict[str, Tensor]:
    """Return the state dict that the network would have without adapters, their updates added to the weights."""
    merged: dict[str, Tensor] = {}
    for key, value in network.state_dict().items():
        if _MARK not in key:
            merged[key] = value
        elif key.endswith(_BASE):
            plain = _plain_name(key)
            owner, _, name = plain.rpartition(".")
            merged[plain] = getattr(network.get_submodule(owner), name).detach()
    return merged


def load_merged_state(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load weights of the plain layout; adapters, if there are any, start again from no update.

    Raises:
        RuntimeError: a parameter is missing, unknown or of another shape.
    """
    own = network.state_dict()
    stored = {_plain_name(key): key for key in own if _MARK in key and key.endswith(_BASE)}
    updates = {key: value for key, value in own.items() if _MARK in key and not key.endswith(_BASE)}
    cleared = {key: torch.zeros_like(value) if key.endswith(".up") else value for key, value in updates.items()}
    network.load_state_dict({stored.get(key, key): value for key, value in state.items()} | cleared)


def _plain_name(key: str) -> str:
    return key.replace(_MARK, "").removesuffix(_BASE)
