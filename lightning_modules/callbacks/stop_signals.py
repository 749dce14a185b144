"""SIGTERM and SIGUSR1 while training: finish the step, write ``last.ckpt``, leave."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Final

import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException

from lightning_modules.callbacks.checkpoint_file import LAST

_Handler = Callable[[int, FrameType | None], object] | int | None

_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name)
)  # Windows has no SIGUSR1


class StopSignals(Callback):
    """Writes ``last.ckpt`` on SIGTERM or SIGUSR1 and leaves with 128 plus the signal's number.

    A signal is noted, and acted on before the next batch, where a checkpoint holds whole steps: all processes of a run
    agree on that batch, whichever of them was told. A validation that runs is finished first. SIGUSR1 under SLURM is
    Lightning's own (``hpc_ckpt_N.ckpt`` and a re-queue). A run whose last step was taken ends as if nothing had come.

    Raises:
        SystemExit: from the hook, once the checkpoint is written.
    """

    def __init__(self) -> None:
        self._received = 0
        self._before: dict[int, _Handler] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the signals over; Lightning's own handler of SIGTERM leaves without a checkpoint."""
        self._received = 0
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            if number != signal.SIGTERM and SLURMEnvironment.detect():
                continue
            self._before[number] = signal.signal(number, self._note)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        """Write the checkpoint and leave, if any process was told to; not among batches that make one step."""
        if batch_idx % trainer.accumulate_grad_batches:
            return
        number = self._received
        if trainer.world_size > 1:
            told = trainer.strategy.reduce(torch.tensor(float(number), device=pl_module.device), reduce_op="max")
            number = int(told)
        if not number:
            return
        name = signal.Signals(number).name
        path = _find_target(trainer)
        if path is None:
            said = "nothing is written, since the run has no ModelCheckpoint"
        else:
            trainer.save_checkpoint(path)
            said = f"{path} is written; go on with --ckpt_path last"
        if trainer.is_global_zero:
            sys.stderr.write(f"stopped by {name} at step {trainer.global_step}: {said}\n")
        raise SystemExit(128 + number)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the signals back."""
        self._give_back()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Give the signals back."""
        self._give_back()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._received = number

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            with contextlib.suppress(ValueError):  # not in the main thread
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}


def _find_target(trainer: Trainer) -> Path | None:
    """Return where the run's last checkpoint belongs: beside that of the callback that writes it, else of the first."""
    callbacks = [one for one in trainer.checkpoint_callbacks if isinstance(one, ModelCheckpoint)]
    if not callbacks:
        return None
    chosen = next((one for one in callbacks if one.save_last or (one.filename or "").startswith(LAST)), callbacks[0])
    folder = Path(chosen.dirpath or Path(trainer.log_dir or trainer.default_root_dir) / "checkpoints")
    return folder / f"{LAST}.ckpt"


@contextlib.contextmanager
def signals_as_exit_codes() -> Iterator[None]:
    """Leave with 128 + the signal's number; Lightning leaves with 0 after SIGTERM, as if the run were done."""
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
    except SIGTERMException:
        raise SystemExit(128 + signal.SIGTERM) from None
