"""How long a network is trained: at most so many steps, and no longer than it helps held-out training windows.

Early stopping as in Prechelt 1998, Early stopping - but when?, doi 10.1007/3-540-49430-8_3: the weights that recognise
most of the windows held out of the training side are kept. What they recognise counts and not their loss, which rises
as a network gets surer of its few mistakes about a person, while it still learns.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Final

import lightning
from lightning.pytorch import Callback, Trainer
from torch import Tensor

CHANCE: Final = 0.02
"""A difference in macro-F1 that says nothing: the standard error of a share of 0.9 of the 250 windows of a person."""


@dataclass(frozen=True)
class TrainingBudget:
    """How long a network is trained, whatever it is trained on.

    Attributes:
        steps: optimiser steps, at most.
        batch_size: windows per step.
        check_every: steps from one look at the held-out windows to the next.
        patience: looks in a row that find nothing better, after which the training ends.

    Raises:
        ValueError: an attribute is below one.
    """

    steps: int = 300
    batch_size: int = 64
    check_every: int = 25
    patience: int = 6

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "check_every", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")


class KeepBest(Callback):
    """Keep the weights of the highest ``val/macro_f1``, give them back at the end, and end when they grow old.

    Of weights that differ by :data:`CHANCE` or less the later ones are kept: they have learnt for longer, at last at a
    low rate.

    Args:
        patience: looks in a row that find nothing better, after which the training ends.
    """

    def __init__(self, patience: int) -> None:
        self._patience, self._waited, self._best = patience, 0, float("-inf")
        self._weights: dict[str, Tensor] | None = None

    def on_validation_end(self, trainer: Trainer, pl_module: lightning.LightningModule) -> None:
        """Compare."""
        found = float(trainer.callback_metrics["val/macro_f1"])
        self._waited = 0 if found > self._best else self._waited + 1
        self._best = max(self._best, found)
        if found >= self._best - CHANCE:
            self._weights = deepcopy(pl_module.state_dict())
        trainer.should_stop = trainer.should_stop or self._waited >= self._patience

    def on_fit_end(self, trainer: Trainer, pl_module: lightning.LightningModule) -> None:
        """Give the best weights back."""
        if self._weights is not None:
            pl_module.load_state_dict(self._weights)
