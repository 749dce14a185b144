"""Where a resumed run goes on in its training data."""

from __future__ import annotations

import math

from lightning.pytorch import Trainer


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
