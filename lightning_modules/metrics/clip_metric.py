"""ClipMetric: rows of numbers of each clip, gathered from all processes and counted once.

A distributed sampler pads its share with clips that another process has as well, so sums over processes count those
twice. Rows carry the number of their clip, and of two rows of one clip the second is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat


class ClipMetric(Metric):
    """A metric that keeps columns of rows, each row belonging to a clip and a slot.

    A slot tells rows of one clip apart that all count: noise levels, or repeated generations.

    Args:
        columns: names of the columns, each a state of this metric.
        series: names of columns whose rows differ in length, such as values over time.
    """

    full_state_update = False
    sample_id: list[Tensor]
    slot: list[Tensor]

    def __init__(self, columns: Sequence[str], series: Sequence[str] = ()) -> None:
        super().__init__()
        self.columns = ("sample_id", "slot", *columns, *(f"{name}_count" for name in series))
        self.series = tuple(series)
        for name in (*self.columns, *self.series):
            self.add_state(name, [], dist_reduce_fx="cat")

    def add_rows(
        self,
        columns: Mapping[str, Tensor],
        *,
        slot: int,
        sample_id: Tensor | None,
        series: Mapping[str, Sequence[Tensor]] | None = None,
    ) -> None:
        """Add rows.

        Args:
            columns: values ``(N, ...)`` of each column.
            slot: of all of these rows.
            sample_id: number of each row's clip ``(N,)``, at least 0; None where rows cannot be told apart, so that all
                of them count.
            series: values ``(T_i, ...)`` of each of the N rows, for each series.

        Raises:
            ValueError: a column is missing or has another number of rows.
        """
        number = len(next(iter(columns.values())))
        ids = torch.full((number,), -1) if sample_id is None else sample_id
        rows = {"sample_id": ids, "slot": torch.full_like(ids, slot), **columns}
        for name, values in (series or {}).items():
            rows[f"{name}_count"] = torch.tensor([len(row) for row in values])
        counts = {name: len(values) for name, values in rows.items()}
        if set(counts) != set(self.columns) or set(counts.values()) != {number}:
            raise ValueError(f"rows are {counts}, expected {number} in each of {list(self.columns)}")
        for name, values in (series or {}).items():
            rows[name] = torch.cat(list(values))
        for name, column in rows.items():
            getattr(self, name).append(column.detach().to(self.device))

    def gather_rows(self) -> dict[str, Tensor]:
        """Return all columns in the order of clips and slots, each clip and slot once.

        Inside ``compute`` the rows are those of all processes. Empty where nothing was added.
        """
        kept = torch.from_numpy(self._find_kept())
        return {name: self._join(name)[kept.to(self.device)] for name in self.columns}

    def gather_series(self, name: str) -> list[NDArray[np.float32]]:
        """Return the series of that name, one a row, in the order of :meth:`gather_rows`."""
        ends = self._join(f"{name}_count").cpu().numpy().cumsum()
        values = self._join(name).cpu().numpy()
        return [values[(ends[row - 1] if row else 0) : ends[row]] for row in self._find_kept()]

    def _join(self, name: str) -> Tensor:
        state = getattr(self, name)
        return dim_zero_cat(state) if len(state) else torch.empty(0, dtype=torch.int64, device=self.device)

    def _find_kept(self) -> NDArray[np.int64]:
        """Return the places of the first row of each clip and slot, sorted by both, and of all rows without a clip."""
        keys = torch.stack([self._join("sample_id"), self._join("slot")], dim=1).cpu().numpy()
        nameless, named = np.flatnonzero(keys[:, 0] < 0), np.flatnonzero(keys[:, 0] >= 0)
        first = np.unique(keys[named], axis=0, return_index=True)[1]
        return np.concatenate([nameless, named[first]]).astype(np.int64)
