"""HARClassifier: recognises activities from windows of sensor channels."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import lightning
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from datamodules.batches import IMUBatch
from lightning_modules.har.metrics import MacroF1, PredictionCollector, Predictions, Scores, score
from lightning_modules.har.networks import build_classifier
from lightning_modules.training.optimisation import check_lr, make_lr_factor, make_optimiser
from lightning_modules.training.randomness import derive_seed, seeded_dropout
from sim.files import whole_file


@runtime_checkable
class CountsClasses(Protocol):
    """A data module that knows how many training windows each class has."""

    def class_counts(self) -> list[int]:
        """Training windows of each class, in the order of the classes."""
        ...


class HARClassifier(lightning.LightningModule):
    """A network from normalised windows ``(B, T, C)`` to activities, trained with weighted cross-entropy.

    After a test, ``test_predictions`` and ``test_scores`` hold each window once, sorted by sample id.

    Args:
        classes: names of the activities, in the order of their indices.
        num_channels: C, sensor channels of a window.
        network: ``deepconvlstm`` or ``cnn``.
        filters: width of the convolutions.
        units: width of the LSTM (``deepconvlstm`` only).
        layers: layers of the LSTM (``deepconvlstm`` only).
        dropout: share of values zeroed while training.
        lr: highest learning rate of AdamW; it rises over the first tenth of the steps, then falls along a cosine.
        weight_decay: of AdamW.
        class_weights: ``balanced`` (inverse to the training counts of the data module), ``none``, or one number for
            each class.
        dropout_seed: decides with the number of the step what is zeroed, so that a resumed run ends with the weights of
            an uncut one; None draws from torch's global generator.

    Raises:
        ValueError: the network is unknown (names the nearest), or sizes or weights do not fit.

    Examples:
        >>> model = HARClassifier(["walking", "standing"], num_channels=6, network="cnn", class_weights="none").eval()
        >>> windows = torch.zeros(8, 128, 6)  # normalised: 8 windows of 2.56 s at 50 Hz, accelerometer and gyroscope
        >>> model(windows).shape
        torch.Size([8, 2])
    """

    class_weight: Tensor
    test_predictions: Predictions
    test_scores: Scores

    def __init__(
        self,
        classes: list[str],
        num_channels: int = 6,
        *,
        network: str = "deepconvlstm",
        filters: int = 32,
        units: int = 64,
        layers: int = 1,
        dropout: float = 0.5,
        lr: float = 3e-3,
        weight_decay: float = 1e-3,
        class_weights: Literal["balanced", "none"] | list[float] = "balanced",
        dropout_seed: int | None = None,
    ) -> None:
        super().__init__()
        check_lr(lr)
        self.save_hyperparameters()
        self.classes = tuple(classes)
        self.network: nn.Module = build_classifier(
            network,
            num_channels=num_channels,
            num_classes=len(classes),
            filters=filters,
            units=units,
            layers=layers,
            dropout=dropout,
        )
        self._num_channels, self._lr, self._weight_decay = num_channels, lr, weight_decay
        self._dropout_seed = dropout_seed
        self._balance = class_weights == "balanced"
        weights = [1.0] * len(classes) if isinstance(class_weights, str) else list(class_weights)
        if len(weights) != len(classes):
            raise ValueError(f"{len(weights)} class_weights for {len(classes)} classes {classes}, expected one each")
        self.register_buffer("class_weight", torch.tensor(weights))
        self.val_accuracy = MulticlassAccuracy(len(classes), average="micro")
        self.val_macro_f1 = MacroF1(len(classes))
        self._collected = PredictionCollector()

    def setup(self, stage: str) -> None:
        """Take the class weights from the training counts, where they are to be balanced.

        Raises:
            ValueError: the data module does not know its class counts.
        """
        if stage != "fit" or not self._balance:
            return
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, CountsClasses):
            raise ValueError(
                "class_weights: balanced needs a data module with class_counts(), such as WindowDataModule; give "
                "class_weights: none or a list instead"
            )
        self.class_weight.copy_(torch.tensor(balanced_weights(data.class_counts())))

    def forward(self, signals: Tensor) -> Tensor:
        """Class scores (logits) ``(B, K)`` of normalised windows ``(B, T, C)``.

        Raises:
            ValueError: the windows have another number of channels.
        """
        if signals.ndim != 3 or signals.shape[2] != self._num_channels:
            raise ValueError(
                f"signals have shape {tuple(signals.shape)}, expected (B, T, {self._num_channels}); give the model "
                "num_channels of the data"
            )
        return self.network(signals)

    def training_step(self, batch: IMUBatch, batch_idx: int) -> Tensor:
        """Weighted cross-entropy of a batch."""
        with self._dropout_of_step(batch_idx):
            logits = self(batch.signals)
        loss = nn.functional.cross_entropy(logits, batch.labels, weight=self.class_weight)
        self.log("train/loss", loss, batch_size=len(batch.labels))
        return loss

    def _dropout_of_step(self, batch_idx: int) -> AbstractContextManager[None]:
        if self._dropout_seed is None:
            return nullcontext()
        seed = derive_seed(self._dropout_seed, self.trainer.global_step, batch_idx, self.global_rank)
        return seeded_dropout(seed, self.device)

    def validation_step(self, batch: IMUBatch, batch_idx: int) -> None:
        """Unweighted loss, accuracy and macro-F1."""
        logits = self(batch.signals)
        loss = nn.functional.cross_entropy(logits, batch.labels)
        self.val_accuracy.update(logits, batch.labels)
        self.val_macro_f1.update(logits, batch.labels)
        self.log("val/loss", loss, batch_size=len(batch.labels), sync_dist=True, prog_bar=True)
        self.log("val/accuracy", self.val_accuracy)
        self.log("val/macro_f1", self.val_macro_f1, prog_bar=True)

    def test_step(self, batch: IMUBatch, batch_idx: int) -> None:
        """Collect labels and predictions."""
        self._collected.update(batch.sample_id, batch.labels, self(batch.signals).argmax(dim=1))

    def on_test_epoch_end(self) -> None:
        """Score every window once, on every rank alike; the confusion matrix goes to ``test_confusion.csv``."""
        _, labels, predictions = self._collected.compute()
        self._collected.reset()
        subjects = np.full(len(labels), "", dtype=np.str_)
        self.test_predictions = Predictions(labels.numpy(), predictions.numpy(), subjects, self.classes)
        self.test_scores = score(self.test_predictions)
        self.log("test/macro_f1", self.test_scores.macro_f1, sync_dist=True)
        self.log("test/accuracy", self.test_scores.accuracy, sync_dist=True)
        for name, value in self.test_scores.per_class_f1.items():
            self.log(f"test/f1/{name}", value, sync_dist=True)
        if self.logger is not None and self.trainer.log_dir and self.trainer.is_global_zero:
            path = Path(self.trainer.log_dir) / "test_confusion.csv"
            table = pd.DataFrame(self.test_scores.confusion, index=list(self.classes), columns=list(self.classes))
            with whole_file(path) as part:
                table.to_csv(part, index_label="true class, by predicted class")

    def predict_step(self, batch: IMUBatch, batch_idx: int) -> tuple[Tensor, Tensor]:
        """Sample ids ``(B,)`` and class probabilities ``(B, K)``."""
        return batch.sample_id, self(batch.signals).softmax(dim=1)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW, and a schedule that is stepped after every batch."""
        total = float(self.trainer.estimated_stepping_batches)
        factor = make_lr_factor("cosine", warmup_steps=max(1, round(total / 10)), total_steps=total)
        optimiser, schedule = make_optimiser(
            self.network.parameters(), lr=self._lr, weight_decay=self._weight_decay, lr_factor=factor
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def balanced_weights(counts: list[int]) -> list[float]:
    """Weights inverse to the counts, of mean one over the windows; zero for a class without windows.

    Args:
        counts: training windows of each class.
    """
    present = sum(count > 0 for count in counts)
    return [sum(counts) / (present * count) if count else 0.0 for count in counts]
