"""Where a resumed run goes on in its training data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import islice

from lightning.pytorch import Trainer
from torch.utils.data import DistributedSampler


def find_position(trainer: Trainer | None, *, batch_size: int) -> tuple[int, int] | None:
    """Return epoch and samples of it that this process was trained on, by the number of optimiser steps.

    Not by Lightning's own epoch: a run that counts steps (``max_steps``) resumes with one epoch too many. None where
    there is no trainer, or the length of its epochs is not known yet.
    """
    if trainer is None or not math.isfinite(trainer.num_training_batches):
        return None
    batches_per_step = trainer.accumulate_grad_batches
    steps_per_epoch = max(1, math.ceil(trainer.num_training_batches / batches_per_step))
    epoch, steps = divmod(trainer.global_step, steps_per_epoch)
    return epoch, steps * batches_per_step * batch_size


class ResumedSampler(DistributedSampler[int]):
    """The order of another sampler, gone on with where a resumed run was, also within an epoch.

    Args:
        order: decides the order of each epoch by its number.
        position: tells the epoch and how many samples of it this rank has had; where it returns None, ``set_epoch``
            decides and the epoch starts from its beginning.
    """

    def __init__(self, order: DistributedSampler[int], *, position: Callable[[], tuple[int, int] | None]) -> None:
        super().__init__(order.dataset, num_replicas=order.num_replicas, rank=order.rank)
        self._order, self._position = order, position

    def __iter__(self) -> Iterator[int]:
        epoch, done = self._position() or (self.epoch, 0)
        self._order.set_epoch(epoch)
        return islice(iter(self._order), done, None)

    def __len__(self) -> int:
        return len(self._order)
