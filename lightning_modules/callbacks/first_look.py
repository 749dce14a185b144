"""An early first validation, and what is left out of what Lightning says."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from lightning.pytorch import Callback, LightningModule, Trainer


class FirstLook(Callback):
    """Validates after the first epoch of a new run, whatever ``check_val_every_n_epoch`` says of the later ones.

    A run of a few steps then has its scores, and a mistake shows before an hour has passed.
    """

    def __init__(self) -> None:
        self._usual: int | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ask for a validation after this epoch; a run that goes on had its own."""
        if trainer.global_step == 0 and trainer.check_val_every_n_epoch is not None:
            self._usual = trainer.check_val_every_n_epoch
            trainer.check_val_every_n_epoch = 1

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go on as usual."""
        if self._usual is not None and not trainer.sanity_checking:
            trainer.check_val_every_n_epoch, self._usual = self._usual, None


@contextlib.contextmanager
def without_adverts() -> Iterator[None]:
    """Leave out what Lightning says of other products of its makers."""
    # Which of the two speaks depends on what was imported last.
    said = [logging.getLogger(f"lightning.{part}.utilities.rank_zero") for part in ("pytorch", "fabric")]

    def keep(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("💡 Tip")

    for each in said:
        each.addFilter(keep)
    try:
        yield
    finally:
        for each in said:
            each.removeFilter(keep)
