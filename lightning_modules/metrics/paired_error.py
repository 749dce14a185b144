"""The paired acceleration error: how far a prediction's accelerations are from the clip it should denoise.

docs/architecture.md, science rule 1: one-step x0 prediction on held-out clips at fixed time steps, RMSE and MSE in SI
units, over all activities, for each, and by dynamics. Exact under any batching and any number of processes; each clip
counts once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_modules.metrics.clip_metric import ClipMetric

PAIRED_FRACTIONS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Where on the schedule predictions are compared, as fractions from the least to the most noisy step."""


def sum_squared_distances(predicted: Tensor, target: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the sum of squared distances of each clip's vectors and their number, each ``(B,)`` in float64.

    Args:
        predicted: vectors ``(B, T, ..., K)``; the last axis is the vector's.
        target: vectors of the same shape.
        mask: ``(B, T)``, true where a time step counts; None counts all.

    Raises:
        ValueError: shapes differ.
    """
    if predicted.shape != target.shape or predicted.ndim < 3:
        raise ValueError(
            f"predicted {tuple(predicted.shape)} and target {tuple(target.shape)} differ or are not (B, T, ..., K)"
        )
    squared = (predicted.detach().double() - target.detach().double()).square().sum(dim=-1)
    weight = torch.ones_like(squared)
    if mask is not None:
        weight = weight * mask.reshape(*mask.shape, *[1] * (squared.ndim - mask.ndim))
    # torch.where and not a product: what lies beyond a clip's end may be inf or nan and must not count.
    squared = torch.where(weight > 0, squared, torch.zeros_like(squared))
    return squared.flatten(1).sum(dim=1), weight.flatten(1).sum(dim=1)


class PairedAccelerationError(ClipMetric):
    """Mean squared and root-mean-square distance of acceleration vectors, by activity, noise level and dynamics.

    ``compute`` returns a flat dict of scalars: ``mse`` [(m/s^2)^2] and ``rmse`` [m/s^2] over everything, then
    ``rmse/t25`` for each noise level (percent of the schedule), ``rmse/<activity>`` for each activity and
    ``rmse/<group>`` for each group, and the same with ``mse``. An activity of which no clip was seen is nan: named, not
    dropped. The root is taken after the mean over all vectors, so batching does not change it.

    Args:
        activities: names, in the order of the indices that ``update`` gets.
        fractions: noise levels as fractions of the schedule, in the order of ``level``.
        groups: names of a second way to group clips, in the order of the indices that ``update`` gets as ``group``.

    Examples:
        >>> import torch
        >>> metric = PairedAccelerationError(["walk", "run"], fractions=[0.5])
        >>> target = torch.zeros(2, 4, 22, 3)
        >>> predicted = target + torch.tensor([1.0, 3.0])[:, None, None, None] * torch.tensor([0.0, 1.0, 0.0])
        >>> metric.update(predicted, target, activity=torch.tensor([0, 1]), level=0)
        >>> {name: round(value.item(), 3) for name, value in metric.compute().items() if name.startswith("rmse")}
        {'rmse': 2.236, 'rmse/t50': 2.236, 'rmse/walk': 1.0, 'rmse/run': 3.0}
    """

    higher_is_better = False
    is_differentiable = False

    def __init__(
        self,
        activities: Sequence[str],
        fractions: Sequence[float] = PAIRED_FRACTIONS,
        groups: Sequence[str] = (),
    ) -> None:
        super().__init__(["activity", "group", "squares", "vectors"])
        if not activities or not fractions:
            raise ValueError(f"got {len(activities)} activities and {len(fractions)} fractions, expected one at least")
        self.activities = tuple(activities)
        self.fractions = tuple(fractions)
        self.groups = tuple(groups)

    def update(
        self,
        predicted: Tensor,
        target: Tensor,
        *,
        activity: Tensor,
        level: int,
        mask: Tensor | None = None,
        group: Tensor | None = None,
        sample_id: Tensor | None = None,
    ) -> None:
        """Add clips of one noise level.

        Args:
            predicted: accelerations ``(B, T, J, 3)`` [m/s^2].
            target: accelerations of the same shape [m/s^2], same frame.
            activity: index into ``activities`` ``(B,)``.
            level: index into ``fractions``.
            mask: ``(B, T)``, true where the whole stencil lies inside the clip; None counts all.
            group: index into ``groups`` ``(B,)``; required if there are any.
            sample_id: number of each clip ``(B,)``, by which a clip that comes twice counts once; None counts all.

        Raises:
            ValueError: shapes differ, or an index is out of range.
        """
        if not 0 <= level < len(self.fractions):
            raise ValueError(f"level is {level}, expected an index into fractions {list(self.fractions)}")
        _check_indices(activity, self.activities, "activity")
        if group is None and self.groups:
            raise ValueError(f"group is missing, expected an index into {list(self.groups)} for each clip")
        group = torch.zeros_like(activity) if group is None else group
        if self.groups:
            _check_indices(group, self.groups, "group")
        sums, counts = sum_squared_distances(predicted, target, mask)
        columns = {"activity": activity, "group": group, "squares": sums, "vectors": counts}
        self.add_rows(columns, slot=level, sample_id=sample_id)

    def compute(self) -> dict[str, Tensor]:
        """Return the errors by name (see the class)."""
        rows = self.gather_rows()
        everything = torch.zeros_like(rows["slot"])
        errors = {"": self._average(rows, everything, 1)[0]}
        by_level = self._average(rows, rows["slot"], len(self.fractions))
        errors |= {f"/t{100 * f:02.0f}": error for f, error in zip(self.fractions, by_level, strict=True)}
        for names, column in ((self.activities, "activity"), (self.groups, "group")):
            by_name = self._average(rows, rows[column], len(names))
            errors |= {f"/{name}": error for name, error in zip(names, by_name, strict=True)}
        mse = {f"mse{name}": error.float() for name, error in errors.items()}
        return mse | {f"rmse{name}": error.sqrt().float() for name, error in errors.items()}

    def _average(self, rows: dict[str, Tensor], group: Tensor, count: int) -> Tensor:
        """Return the mean squared distance in each of ``count`` groups, nan where nothing was counted."""
        if not count:
            return torch.empty(0)
        index = group.long()
        sums, counts = (rows[name].new_zeros(count).index_add(0, index, rows[name]) for name in ("squares", "vectors"))
        return torch.where(counts > 0, sums / counts.clamp_min(1), torch.full_like(sums, torch.nan))


def _check_indices(index: Tensor, names: Sequence[str], what: str) -> None:
    if index.numel() and (int(index.min()) < 0 or int(index.max()) >= len(names)):
        raise ValueError(f"{what} index {index.tolist()} is outside [0, {len(names)}); pass all {what} names")
