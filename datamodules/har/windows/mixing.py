"""The order in which windows of two parts are drawn so that they come in a given ratio."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DistributedSampler


class MixtureSampler(DistributedSampler[int]):
    """Draws two parts in a given ratio, each in an order of its own that is begun anew when it ends.

    An epoch draws every window at least once: the part that is too small for the ratio is repeated. Seed and epoch
    alone decide the order; several ranks draw equally many, each its own.

    Args:
        first: windows of the first part, numbered from 0.
        second: windows of the second part, numbered after them.
        share: share of the second part in what is drawn, in (0, 1); None draws every window once.
        ranks: processes that draw.
        rank: which of them this is.
        seed: decides the order.
    """

    def __init__(
        self, first: int, second: int, *, share: float | None, ranks: int = 1, rank: int = 0, seed: int = 0
    ) -> None:
        self._sizes = (first, second)
        if share is None:
            self._draws = self._sizes
        else:
            total = max(math.ceil(first / (1 - share)), math.ceil(second / share))
            drawn = round(total * share)
            self._draws = (total - drawn, drawn)
        # A DistributedSampler is told the epoch by the Trainer, and is not split among the ranks once more.
        super().__init__(range(sum(self._draws)), num_replicas=ranks, rank=rank, seed=seed)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed + (self.epoch << 20))
        first = _repeat(self._sizes[0], self._draws[0], generator)
        second = _repeat(self._sizes[1], self._draws[1], generator) + self._sizes[0]
        order = torch.cat([first, second])
        order = order[torch.randperm(len(order), generator=generator)]
        # The first ones again where ranks do not divide them, as DistributedSampler has it.
        padded = torch.cat([order, order[: self.total_size - len(order)]])
        yield from padded[self.rank :: self.num_replicas].tolist()


def _repeat(size: int, draws: int, generator: torch.Generator) -> Tensor:
    """Permutations of a part, one after the other, until there are enough."""
    rounds = math.ceil(draws / size) if size else 0
    orders = [torch.randperm(size, generator=generator) for _ in range(rounds)]
    return torch.cat([torch.zeros(0, dtype=torch.int64), *orders])[:draws]
