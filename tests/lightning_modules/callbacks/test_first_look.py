"""A run of a few steps is validated once, whatever its YAML says of validation; adverts of others are left out."""

from __future__ import annotations

import logging

import lightning
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_modules.callbacks.first_look import FirstLook, without_adverts


class Line(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.validated: list[int] = []

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.layer(batch[0]).square().mean()
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        if not self.trainer.sanity_checking and batch_idx == 0:
            self.validated.append(self.trainer.current_epoch + 1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize("every", [1, 3])
def test_the_first_epoch_is_validated_and_then_every_nth(every: int) -> None:
    model, loader = Line(), DataLoader(TensorDataset(torch.ones(4, 1)), batch_size=2)
    trainer = Trainer(
        accelerator="cpu", max_epochs=6, check_val_every_n_epoch=every, callbacks=[FirstLook()], logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(model, loader, loader)
    assert model.validated == sorted({1, *range(every, 7, every)})
    assert trainer.check_val_every_n_epoch == every


def test_tips_are_left_out_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    assert lightning.__version__
    with caplog.at_level(logging.INFO):
        with without_adverts():
            rank_zero_info("💡 Tip: try another product of ours")
            rank_zero_info("GPU available: False")
        rank_zero_info("💡 Tip: afterwards")
    assert [record.getMessage() for record in caplog.records] == ["GPU available: False", "💡 Tip: afterwards"]
