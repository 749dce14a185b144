"""How well activities are recognised: macro-F1 over a fixed list of classes, and predictions without double counting.

A class that is neither present nor predicted counts as zero here, so that the mean is always over all classes of the
experiment (torchmetrics' own macro average leaves such a class out).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassF1Score
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_confusion_matrix,
    multiclass_f1_score,
)
from torchmetrics.utilities import dim_zero_cat


@dataclass(frozen=True)
class Predictions:
    """What a classifier said of each test window.

    Attributes:
        labels: true class index ``(N,)``.
        predictions: predicted class index ``(N,)``.
        subjects: who wore the sensors ``(N,)``; empty string where the set does not say.
        classes: names of all classes.
    """

    labels: NDArray[np.int64]
    predictions: NDArray[np.int64]
    subjects: NDArray[np.str_]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Scores:
    """What predictions are worth.

    Attributes:
        macro_f1: mean over all classes of their F1, in [0, 1].
        accuracy: share of windows recognised, in [0, 1].
        per_class_f1: F1 of each class.
        support: test windows of each class.
        confusion: windows by true class (row) and predicted class (column), ``(K, K)``.
    """

    macro_f1: float
    accuracy: float
    per_class_f1: Mapping[str, float]
    support: Mapping[str, int]
    confusion: NDArray[np.int64]

    @property
    def balanced_accuracy(self) -> float:
        """Mean share recognised of the classes that there are test windows of, in [0, 1]."""
        there = self.confusion.sum(axis=1)
        return float(np.mean(np.diagonal(self.confusion)[there > 0] / there[there > 0]))


def score(predictions: Predictions) -> Scores:
    """Score predictions with torchmetrics.

    Raises:
        ValueError: there is no prediction, or a class index is out of range.
    """
    classes = predictions.classes
    both = np.concatenate([predictions.labels, predictions.predictions])
    if both.size == 0 or both.min() < 0 or both.max() >= len(classes):
        raise ValueError(f"{both.size // 2} predictions, expected some, all of them indices into {list(classes)}")
    target = torch.from_numpy(predictions.labels)
    predicted = torch.from_numpy(predictions.predictions)
    f1 = multiclass_f1_score(predicted, target, len(classes), average="none", zero_division=0.0).tolist()
    confusion = multiclass_confusion_matrix(predicted, target, len(classes)).numpy()
    return Scores(
        macro_f1=float(np.mean(f1)),
        accuracy=float(multiclass_accuracy(predicted, target, len(classes), average="micro")),
        per_class_f1=dict(zip(classes, f1, strict=True)),
        support=dict(zip(classes, confusion.sum(axis=1).tolist(), strict=True)),
        confusion=confusion,
    )


class MacroF1(MulticlassF1Score):
    """Macro-F1 as a metric, over all classes, absent ones included.

    Args:
        num_classes: K.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes, average="none", zero_division=0.0)

    def compute(self) -> Tensor:
        """Mean of the classes' F1, a scalar."""
        return super().compute().mean()


class PredictionCollector(Metric):
    """Keeps each window's label and prediction once, even where a distributed sampler padded with copies."""

    full_state_update = False
    sample_id: list[Tensor]
    labels: list[Tensor]
    predictions: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        for name in ("sample_id", "labels", "predictions"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, sample_id: Tensor, labels: Tensor, predictions: Tensor) -> None:
        """Add a batch; all three are ``(B,)``, int64."""
        self.sample_id.append(sample_id)
        self.labels.append(labels)
        self.predictions.append(predictions)

    def compute(self) -> tuple[Tensor, Tensor, Tensor]:
        """Sample ids in ascending order, each once, with their labels and predictions, each ``(N,)``."""
        ids = dim_zero_cat(self.sample_id).cpu().numpy()
        unique, first = np.unique(ids, return_index=True)
        rows = torch.from_numpy(first)
        return (
            torch.from_numpy(unique),
            dim_zero_cat(self.labels).cpu()[rows],
            dim_zero_cat(self.predictions).cpu()[rows],
        )
