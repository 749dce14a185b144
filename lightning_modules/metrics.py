"""The paired acceleration error: how far a prediction's joint accelerations are from the clip it should denoise.

DESIGN.md section 5: one-step x0 prediction on held-out clips at fixed time steps, RMSE and MSE in SI units, over all
activities and for each. Sums and counts are exact under any batching and any number of processes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric


def _paired_error_update(
    predicted: Tensor, target: Tensor, *, group: Tensor, num_groups: int, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return sums of squared distances and counts of vectors, each ``(num_groups,)`` in float64.

    Args:
        predicted: vectors ``(B, ..., 3)``.
        target: vectors of the same shape.
        group: group of each of the B clips ``(B,)``, in [0, num_groups).
        num_groups: G.
        mask: ``(B, T)``, true where a time step counts; None counts all.
    """
    if predicted.shape != target.shape or predicted.shape[-1] != 3 or predicted.ndim < 3:
        raise ValueError(
            f"predicted {tuple(predicted.shape)} and target {tuple(target.shape)} differ or are not (B, T, ..., 3)"
        )
    if group.numel() and (int(group.min()) < 0 or int(group.max()) >= num_groups):
        raise ValueError(f"activity index {group.tolist()} is outside [0, {num_groups}); pass all activity names")
    squared = (predicted.detach().double() - target.detach().double()).square().sum(dim=-1)
    weight = torch.ones_like(squared)
    if mask is not None:
        weight = weight * mask.reshape(*mask.shape, *[1] * (squared.ndim - mask.ndim))
    # torch.where and not a product: what lies beyond a clip's end may be inf or nan and must not count.
    squared = torch.where(weight > 0, squared, torch.zeros_like(squared))
    sums = squared.new_zeros(num_groups).index_add(0, group, squared.flatten(1).sum(dim=1))
    counts = squared.new_zeros(num_groups).index_add(0, group, weight.flatten(1).sum(dim=1))
    return sums, counts


def _paired_error_compute(sums: Tensor, counts: Tensor) -> Tensor:
    """Return the mean squared distance, nan where nothing was counted; shapes as given."""
    return torch.where(counts > 0, sums / counts.clamp_min(1), torch.full_like(sums, torch.nan))


class PairedAccelerationError(Metric):
    """Mean squared and root-mean-square distance of acceleration vectors, by activity and by noise level.

    ``compute`` returns a flat dict of scalars: ``mse`` [(m/s^2)^2] and ``rmse`` [m/s^2] over everything, then
    ``rmse/t25`` for each noise level (percent of the schedule), and ``rmse/<activity>`` for each activity, and the
    same with ``mse``. An activity of which no clip was seen is nan: named, not dropped. The root is taken after the
    mean over all vectors, so batching does not change it.

    Args:
        activities: names, in the order of the indices that ``update`` gets.
        fractions: noise levels as fractions of the schedule, in the order of ``level``.

    Example:
        >>> import torch
        >>> metric = PairedAccelerationError(["walk", "run"], fractions=[0.5])
        >>> target = torch.zeros(2, 4, 22, 3)
        >>> predicted = target + torch.tensor([1.0, 3.0])[:, None, None, None] * torch.tensor([0.0, 1.0, 0.0])
        >>> metric.update(predicted, target, activity=torch.tensor([0, 1]), level=0)
        >>> {name: round(value.item(), 3) for name, value in metric.compute().items() if name.startswith("rmse")}
        {'rmse': 2.236, 'rmse/t50': 2.236, 'rmse/walk': 1.0, 'rmse/run': 3.0}
    """

    full_state_update = False
    higher_is_better = False
    is_differentiable = False
    sums: Tensor
    counts: Tensor

    def __init__(self, activities: Sequence[str], fractions: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95)) -> None:
        super().__init__()
        if not activities or not fractions:
            raise ValueError(f"got {len(activities)} activities and {len(fractions)} fractions, expected one at least")
        self.activities = tuple(activities)
        self.fractions = tuple(fractions)
        shape = (len(self.fractions), len(self.activities))
        self.add_state("sums", torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")

    def update(
        self, predicted: Tensor, target: Tensor, *, activity: Tensor, level: int, mask: Tensor | None = None
    ) -> None:
        """Add clips of one noise level.

        Args:
            predicted: accelerations ``(B, T, J, 3)`` [m/s^2].
            target: accelerations of the same shape [m/s^2], same frame.
            activity: index into ``activities`` ``(B,)``.
            level: index into ``fractions``.
            mask: ``(B, T)``, true where the whole stencil lies inside the clip; None counts all.

        Raises:
            ValueError: shapes differ, or an index is out of range.
        """
        if not 0 <= level < len(self.fractions):
            raise ValueError(f"level is {level}, expected an index into fractions {list(self.fractions)}")
        sums, counts = _paired_error_update(
            predicted, target, group=activity, num_groups=len(self.activities), mask=mask
        )
        self.sums[level] += sums
        self.counts[level] += counts

    def compute(self) -> dict[str, Tensor]:
        """Return the errors by name (see the class)."""
        errors = {"": _paired_error_compute(self.sums.sum(), self.counts.sum())}
        by_level = _paired_error_compute(self.sums.sum(dim=1), self.counts.sum(dim=1))
        errors |= {f"/t{100 * f:02.0f}": error for f, error in zip(self.fractions, by_level, strict=True)}
        by_activity = _paired_error_compute(self.sums.sum(dim=0), self.counts.sum(dim=0))
        errors |= {f"/{name}": error for name, error in zip(self.activities, by_activity, strict=True)}
        mse = {f"mse{name}": error.float() for name, error in errors.items()}
        return mse | {f"rmse{name}": error.sqrt().float() for name, error in errors.items()}
