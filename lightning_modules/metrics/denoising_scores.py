"""What validation and test add up over clips: every loss, over all clips, for each activity and by dynamics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from lightning_modules.losses import Prediction, stencil_mask
from lightning_modules.metrics.clip_metric import ClipMetric
from lightning_modules.metrics.dynamics import DYNAMICS_GROUPS, HIGH_DYNAMICS_M_S2, group_dynamics, peak_of_acceleration
from lightning_modules.metrics.paired_error import PAIRED_FRACTIONS, PairedAccelerationError

__all__ = ["PAIRED_FRACTIONS", "DenoisingScores", "GroupedMean"]


class GroupedMean(ClipMetric):
    """Means of named values over all clips and over the clips of each group; exact under any batching.

    Args:
        names: what the values are called.
        groups: what the groups are called, in the order of their indices.
    """

    def __init__(self, names: Sequence[str], groups: Sequence[str]) -> None:
        super().__init__(["group", "values"])
        self.names = tuple(names)
        self.groups = tuple(groups)

    def update(
        self, values: Mapping[str, Tensor], group: Tensor, *, slot: int = 0, sample_id: Tensor | None = None
    ) -> None:
        """Add values of clips.

        Args:
            values: one number per clip ``(B,)`` for each name.
            group: index of each clip's group ``(B,)``.
            slot: tells values of the same clips apart that all count.
            sample_id: number of each clip ``(B,)``, by which a clip that comes twice counts once; None counts all.
        """
        stacked = torch.stack([values[name] for name in self.names], dim=1).double()
        self.add_rows({"group": group, "values": stacked}, slot=slot, sample_id=sample_id)

    def compute(self) -> dict[str, Tensor]:
        """Return ``{name: mean}`` and ``{name/group: mean}``; nan for a group without clips."""
        rows = self.gather_rows()
        values, group = rows["values"].reshape(-1, len(self.names)), rows["group"].long()
        sums = values.new_zeros(len(self.groups), len(self.names)).index_add(0, group, values)
        counts = values.new_zeros(len(self.groups)).index_add(0, group, torch.ones_like(values[:, 0]))
        means = dict(zip(self.names, sums.sum(dim=0) / counts.sum(), strict=True))
        for name, by_group in zip(self.names, (sums / counts[:, None]).T, strict=True):
            means |= {f"{name}/{label}": mean for label, mean in zip(self.groups, by_group, strict=True)}
        return {name: mean.float() for name, mean in means.items()}


class DenoisingScores(nn.Module):
    """Losses and paired errors of one-step predictions at :data:`PAIRED_FRACTIONS`.

    Paired errors are of each loss space: second differences of normalised features, accelerations of joints, and
    specific force and angular rate of the sensors. Joints are decoded consistently whatever the losses do, so that runs
    compare; beside them stand accelerations by positions alone.

    Args:
        losses: names of the losses that are added up; ``loss``, the weighted sum, joins them.
        activities: names, in the order of the indices in the batches.
        fractions: noise levels as fractions of the schedule.

    Attributes:
        high_dynamics_m_s2: peak acceleration of the true clip from which on it is of high dynamics [m/s^2], see
            :mod:`lightning_modules.metrics.dynamics`.
    """

    def __init__(
        self, losses: Sequence[str], activities: Sequence[str], fractions: Sequence[float] = PAIRED_FRACTIONS
    ) -> None:
        super().__init__()
        self.high_dynamics_m_s2 = HIGH_DYNAMICS_M_S2
        self.means = GroupedMean(["loss", *losses], activities)
        self.paired_features = PairedAccelerationError(activities, fractions=fractions, groups=DYNAMICS_GROUPS)
        self.paired = PairedAccelerationError(activities, fractions=fractions, groups=DYNAMICS_GROUPS)
        self.paired_positions = PairedAccelerationError(activities, fractions=fractions, groups=DYNAMICS_GROUPS)
        self.paired_accel = PairedAccelerationError(activities, fractions=fractions, groups=DYNAMICS_GROUPS)
        self.paired_gyro = PairedAccelerationError(activities, fractions=fractions, groups=DYNAMICS_GROUPS)

    def update(
        self,
        prediction: Prediction,
        terms: Mapping[str, Tensor],
        total: Tensor,
        *,
        activity: Tensor,
        level: int,
        sample_id: Tensor | None = None,
    ) -> None:
        """Add the predictions of one batch at one noise level.

        Args:
            prediction: prediction and truth ``(B, T, 263)``.
            terms: each loss ``(B,)``.
            total: the weighted sum ``(B,)``.
            activity: index of each clip's activity ``(B,)``.
            level: index into the fractions.
            sample_id: number of each clip ``(B,)``, by which a clip that comes twice counts once; None counts all.
        """
        self.means.update({"loss": total, **terms}, activity, slot=level, sample_id=sample_id)
        ours, theirs = prediction.decoded, prediction.truth
        peaks = peak_of_acceleration(theirs.consistent.acceleration, prediction.mask.sum(dim=1))
        group = group_dynamics(peaks, self.high_dynamics_m_s2)
        inside = stencil_mask(prediction.mask, 2)
        predicted, true = ours.consistent.readings, theirs.consistent.readings
        # Each number of the features is a vector of its own: they have no unit in common.
        features = (prediction.predicted.diff(n=2, dim=1)[..., None], prediction.target.diff(n=2, dim=1)[..., None])
        for metric, one, other, mask in (
            (self.paired_features, *features, inside),
            (self.paired, ours.consistent.acceleration, theirs.consistent.acceleration, inside),
            (self.paired_positions, ours.by_positions.acceleration, theirs.by_positions.acceleration, inside),
            (self.paired_accel, predicted.accel, true.accel, true.inside),
            (self.paired_gyro, predicted.gyro, true.gyro, true.inside),
        ):
            metric.update(one, other, activity=activity, level=level, mask=mask, group=group, sample_id=sample_id)

    def compute(self) -> dict[str, Tensor]:
        """Return all scores by name.

        Those of features begin with ``paired_features/`` (per frame squared, normalised), those of joint accelerations
        with ``paired_acc/`` (decoded consistently) and ``paired_acc_positions/`` (by positions alone), those of the
        sensors with ``paired_sensors_accel/`` (specific force) and ``paired_sensors_gyro/`` (angular rate [rad/s]);
        each sensor's vector counts alike.
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
            "paired_features": self.paired_features,
            "paired_acc": self.paired,
            "paired_acc_positions": self.paired_positions,
            "paired_sensors_accel": self.paired_accel,
            "paired_sensors_gyro": self.paired_gyro,
        }
