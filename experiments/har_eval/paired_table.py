"""From squared errors of windows to the table of paired acceleration errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.har_eval.arm_config import ComparisonConfig
from experiments.har_eval.results import ErrorEntry, PairedEntry, RelativeEntry
from experiments.har_eval.scores import as_relative_entry
from experiments.har_eval.stages.paired import ERRORS
from experiments.pipeline.intervals import ratio_interval
from lightning_modules.metrics.denoising_scores import PAIRED_FRACTIONS

Array = NDArray[np.float64]


def tabulate_errors(
    folders: Mapping[tuple[str, int | None], Path], comparisons: Sequence[ComparisonConfig], *, resamples: int
) -> list[PairedEntry]:
    """Tabulate paired errors of all priors.

    Args:
        folders: what PairedError tasks wrote, by arm and seed.
        comparisons: which arms are set against which; those without weights have no such error and are passed over.
        resamples: bootstrap resamples of recordings behind each interval of a relative change.
    """
    tables = {key: _read(folder) for key, folder in folders.items()}
    return [
        _entry(key, tables, [item.against for item in comparisons if item.arm == key[0]], resamples) for key in tables
    ]


@dataclass(frozen=True)
class _Table:
    """Squared errors ``(N, L)`` of one arm; vectors behind each, activity and recording of each window ``(N,)``.

    ``positions`` are those by positions alone.
    """

    squared: Array
    positions: Array
    counts: Array
    activity: NDArray[np.str_]
    recording: NDArray[np.str_]

    def error(self, windows: NDArray[np.bool_], levels: slice = slice(None)) -> ErrorEntry:
        """Mean and root mean square over some windows and noise levels."""
        mse, mse_positions = (
            float(squares[windows][:, levels].mean(axis=1).sum() / self.counts[windows].sum())
            for squares in (self.squared, self.positions)
        )
        return {"rmse": mse**0.5, "mse": mse, "windows": int(windows.sum()), "rmse_positions": mse_positions**0.5}

    def of_recordings(self) -> Array:
        """Sum of squares of each recording ``(R,)``; recordings weigh by their length, as in the error itself."""
        _, index = np.unique(self.recording, return_inverse=True)
        return np.bincount(index, weights=self.squared.sum(axis=1)).astype(np.float64)


def _read(folder: Path) -> _Table:
    with np.load(folder / ERRORS, allow_pickle=False) as data:
        names = ("squared", "squared_positions", "counts", "activity", "recording")
        return _Table(*(data[name] for name in names))


def _entry(
    key: tuple[str, int | None],
    tables: Mapping[tuple[str, int | None], _Table],
    references: Sequence[str],
    resamples: int,
) -> PairedEntry:
    arm, seed = key
    table = tables[key]
    everything = np.ones(len(table.counts), dtype=np.bool_)
    relative: dict[bool, dict[str, RelativeEntry]] = {True: {}, False: {}}
    for reference in references:
        # A reference that came from a file is the same for every seed.
        other = tables.get((reference, seed)) or tables.get((reference, None))
        if other is None:
            continue
        for root, entries in relative.items():
            entries[reference] = as_relative_entry(
                ratio_interval(
                    table.of_recordings(),
                    other.of_recordings(),
                    resamples=resamples,
                    generator=np.random.default_rng(20241),
                    root=root,
                )
            )
    return {
        "arm": arm,
        "seed": seed,
        "recordings": len(np.unique(table.recording)),
        "all": table.error(everything),
        "by_activity": {str(name): table.error(table.activity == name) for name in np.unique(table.activity)},
        "by_level": {
            f"{100 * fraction:.0f}": table.error(everything, slice(level, level + 1))
            for level, fraction in enumerate(PAIRED_FRACTIONS)
        },
        "relative_rmse": relative[True],
        "relative_mse": relative[False],
    }
