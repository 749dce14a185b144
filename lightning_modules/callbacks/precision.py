"""``trainer.precision: auto``: bfloat16 where the processor gains by it, float32 everywhere else; threads likewise."""

from __future__ import annotations

import sys
from typing import Final, Literal

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins import MixedPrecision
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy

from lightning_modules.callbacks.checkpoint_file import WholeCheckpointIO
from lightning_modules.training.precision import (
    MIXED,
    SINGLE,
    Choice,
    choose_precision,
    has_bfloat16,
    usual_width,
)
from lightning_modules.training.threads import choose_threads

AUTO: Final = "auto"

PrecisionName = Literal[
    "auto",
    "transformer-engine",
    "transformer-engine-float16",
    "16-true",
    "16-mixed",
    "bf16-true",
    "bf16-mixed",
    "32-true",
    "64-true",
    "64",
    "32",
    "16",
    "bf16",
]


class ChoosePrecision(Callback):
    """Chooses the precision of a training run by its device, once, and says which.

    The first process decides for all. A resumed run keeps what its checkpoint was trained in, so that it goes on as if
    it had not stopped, unless the device it resumes on lacks the units. Validation, test and prediction outside a fit
    stay in float32.
    """

    def __init__(self) -> None:
        self._resumed: str | None = None
        self.choice: Choice | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose; the checkpoint, if there is one, was read just before."""
        own = self._choose(trainer, pl_module) if trainer.is_global_zero else Choice(SINGLE, "")
        self.choice = Choice(*trainer.strategy.broadcast(own))
        if self.choice.precision == MIXED:
            trainer.strategy.precision_plugin = MixedPrecision("bf16-mixed", trainer.strategy.root_device.type)
        if trainer.is_global_zero:
            sys.stderr.write(f"precision: {self.choice.precision}, {self.choice.reason}\n")

    def state_dict(self) -> dict[str, str]:
        """Return the precision of the run."""
        return {} if self.choice is None else {"precision": self.choice.precision}

    def load_state_dict(self, state_dict: dict[str, str]) -> None:
        """Take over the precision of the run that is resumed."""
        self._resumed = state_dict.get("precision")

    def _choose(self, trainer: Trainer, pl_module: LightningModule) -> Choice:
        strategy = trainer.strategy
        if type(strategy) not in (SingleDeviceStrategy, DDPStrategy):
            return Choice(SINGLE, f"{type(strategy).__name__} has a precision of its own; give trainer.precision")
        device = strategy.root_device
        if self._resumed == SINGLE or (self._resumed == MIXED and has_bfloat16(device)):
            return Choice(MIXED if self._resumed == MIXED else SINGLE, "as in the run that is resumed")
        return choose_precision(device, width=usual_width(pl_module))


class ChooseThreads(Callback):
    """Takes one thread on a CPU where more of them are slower, and says so (:func:`choose_threads`).

    A run of several processes is left alone.
    """

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose, before the precision is measured."""
        if trainer.world_size > 1 or trainer.strategy.root_device.type != "cpu":
            return
        threads = choose_threads(width=usual_width(pl_module))
        if threads.reason:
            torch.set_num_threads(threads.number)
            sys.stderr.write(f"threads: {threads.number}, {threads.reason}\n")


class AutoTrainer(Trainer):
    """Lightning's Trainer, which takes ``precision: auto`` too (:class:`ChoosePrecision`) and chooses threads on a CPU.

    Its checkpoints are written whole or not at all (:class:`WholeCheckpointIO`).

    Args:
        precision: one of Lightning's, taken as it is, or ``auto``.
        callbacks: as Lightning's.
        kwargs: as Lightning's.
    """

    def __init__(
        self,
        *,
        precision: Literal[64, 32, 16] | PrecisionName | None = None,
        callbacks: list[Callback] | Callback | None = None,
        **kwargs: object,
    ) -> None:
        given = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or [])
        given.append(ChooseThreads())
        if precision == AUTO:
            super().__init__(precision=None, callbacks=[*given, ChoosePrecision()], **kwargs)  # type: ignore[arg-type]
        else:
            super().__init__(precision=precision, callbacks=given, **kwargs)  # type: ignore[arg-type]
        if type(self.strategy.checkpoint_io) is TorchCheckpointIO:
            self.strategy.checkpoint_io = WholeCheckpointIO()
