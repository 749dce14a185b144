"""GeneratedMotionEvaluator: what `lightning test` runs where there are motions in a folder and no model."""

from __future__ import annotations

from typing import Final

from lightning import LightningModule

from datamodules.batches import MotionBatch

GENERATED_LOADER: Final = 0
"""Number of the data loader that holds generated motions; any other holds real ones."""


class GeneratedMotionEvaluator(LightningModule):
    """A module without weights: the ``MotionEvaluation`` callback evaluates the motions that the data bring.

    Of ``GeneratedMotionDataModule``'s loaders the first holds generated motions, the second the real ones beside them.
    """

    def test_step(self, batch: MotionBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Do nothing; the callback sees the batch."""
