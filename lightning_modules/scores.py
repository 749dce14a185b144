"""What validation and test add up over clips: every loss, over all clips and for each activity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from lightning_modules.losses import Prediction, stencil_mask
from lightning_modules.metrics import PairedAccelerationError

PAIRED_FRACTIONS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Where on the schedule predictions are compared, as fractions from the least to the most noisy step."""


class GroupedMean(Metric):
    """Means of named values over all clips and over the clips of each group; exact under any batching.

    Args:
        names: what the values are called.
        groups: what the groups are called, in the order of their indices.
    """

    full_state_update = False
    sums: Tensor
    counts: Tensor

    def __init__(self, names: Sequence[str], groups: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        self.groups = tuple(groups)
        self.add_state("sums", torch.zeros(len(names), len(groups), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(len(groups), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, values: Mapping[str, Tensor], group: Tensor) -> None:
        """Add values of clips.

        Args:
            values: one number per clip ``(B,)`` for each name.
            group: index of each clip's group ``(B,)``.
        """
        stacked = torch.stack([values[name] for name in self.names]).to(self.sums)
        self.sums.index_add_(1, group, stacked)
        self.counts.index_add_(0, group, torch.ones_like(stacked[0]))

    def compute(self) -> dict[str, Tensor]:
        """Return ``{name: mean}`` and ``{name/group: mean}``; nan for a group without clips."""
        means = {name: total.sum() / self.counts.sum() for name, total in zip(self.names, self.sums, strict=True)}
        for name, totals in zip(self.names, self.sums, strict=True):
            means |= {f"{name}/{group}": mean for group, mean in zip(self.groups, totals / self.counts, strict=True)}
        return {name: mean.float() for name, mean in means.items()}


class DenoisingScores(nn.Module):
    """Losses and paired errors, of joints and of sensors, of one-step predictions at :data:`PAIRED_FRACTIONS`.

    Args:
        losses: names of the losses that are added up; ``loss``, the weighted sum, joins them.
        activities: names, in the order of the indices in the batches.
        fractions: noise levels as fractions of the schedule.
    """

    def __init__(
        self, losses: Sequence[str], activities: Sequence[str], fractions: Sequence[float] = PAIRED_FRACTIONS
    ) -> None:
        super().__init__()
        self.means = GroupedMean(["loss", *losses], activities)
        self.paired = PairedAccelerationError(activities, fractions=fractions)
        self.paired_accel = PairedAccelerationError(activities, fractions=fractions)
        self.paired_gyro = PairedAccelerationError(activities, fractions=fractions)

    def update(
        self, prediction: Prediction, terms: Mapping[str, Tensor], total: Tensor, *, activity: Tensor, level: int
    ) -> None:
        """Add the predictions of one batch at one noise level.

        Args:
            prediction: prediction and truth ``(B, T, 263)``.
            terms: each loss ``(B,)``.
            total: the weighted sum ``(B,)``.
            activity: index of each clip's activity ``(B,)``.
            level: index into the fractions.
        """
        self.means.update({"loss": total, **terms}, activity)
        self.paired.update(
            prediction.predicted_acceleration,
            prediction.target_acceleration,
            activity=activity,
            level=level,
            mask=stencil_mask(prediction.mask, 2),
        )
        predicted, true = prediction.decoded.readings, prediction.truth.readings
        for metric, one, other in (
            (self.paired_accel, predicted.accel, true.accel),
            (self.paired_gyro, predicted.gyro, true.gyro),
        ):
            metric.update(one, other, activity=activity, level=level, mask=true.inside)

    def compute(self) -> dict[str, Tensor]:
        """Return all scores by name.

        Those of joint accelerations begin with ``paired_acc/``, those of the sensors with ``paired_sensors_accel/``
        (specific force) and ``paired_sensors_gyro/`` (angular rate [rad/s]); each sensor's vector counts alike.
        """
        scores = self.means.compute()
        for prefix, metric in self._paired.items():
            scores |= {f"{prefix}/{name}": value for name, value in metric.compute().items()}
        return scores

    def reset(self) -> None:
        """Start from nothing."""
        self.means.reset()
        for metric in self._paired.values():
            metric.reset()

    @property
    def _paired(self) -> dict[str, PairedAccelerationError]:
        return {
            "paired_acc": self.paired,
            "paired_sensors_accel": self.paired_accel,
            "paired_sensors_gyro": self.paired_gyro,
        }
