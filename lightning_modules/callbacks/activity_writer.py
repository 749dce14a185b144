"""Writes what a classifier makes of the windows of its data, each with its person and time, as one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor

from datamodules.har.windows.window_set import Windows
from sim.files import whole_file

_SUFFIXES: Final = (".csv", ".parquet")


class ActivityWriter(BasePredictionWriter):
    """Writes ``lightning predict`` of a HARClassifier to a table: ``imuforge classify`` does the same for new files.

    A row for each window: ``window`` (its number), ``subject``, ``recording``, ``start_s`` from the first sample of the
    recording where that is known, ``true`` label, ``label`` and its ``probability``, and ``p_NAME`` for each class.
    Each process writes its own windows; those of all but the first have the number of the process in the file's name.

    Args:
        file: ``.csv`` or ``.parquet``, below the run's folder unless the path is absolute.

    Raises:
        ValueError: the file ends in neither.
    """

    def __init__(self, file: str = "predictions.csv") -> None:
        super().__init__(write_interval="batch")
        self.file = Path(file)
        if self.file.suffix not in _SUFFIXES:
            raise ValueError(f"{file} ends in {self.file.suffix!r}, expected one of {', '.join(_SUFFIXES)}; rename it")
        self._found: list[tuple[Tensor, Tensor]] = []

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget what an earlier run found."""
        self._found = []

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: tuple[Tensor, Tensor],
        batch_indices: Sequence[int] | None,
        batch: object,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Keep ids and probabilities of the batch."""
        ids, probabilities = prediction
        self._found.append((ids.cpu(), probabilities.float().cpu()))

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the table and say where it is.

        Raises:
            ValueError: the data module holds no windows that were predicted.
        """
        windows = getattr(getattr(trainer, "datamodule", None), "test_windows", None)
        if not isinstance(windows, Windows):
            raise ValueError(
                "ActivityWriter found no data module of windows, expected one such as RealIMUDataModule; leave it out "
                "of the callbacks"
            )
        path = Path(trainer.log_dir or trainer.default_root_dir) / self.file
        if trainer.global_rank:
            path = path.with_stem(f"{path.stem}-{trainer.global_rank}")
        path.parent.mkdir(parents=True, exist_ok=True)
        table = tabulate(windows, *(torch.cat(part).numpy() for part in zip(*self._found, strict=True)))
        with whole_file(path) as part:
            table.to_csv(part, index=False) if path.suffix == ".csv" else table.to_parquet(part, index=False)
        rank_zero_info(f"{len(table)} windows written to {path}")


def tabulate(
    windows: Windows, ids: np.typing.NDArray[np.int64], probabilities: np.typing.NDArray[np.float32]
) -> pd.DataFrame:
    """Return the table of an :class:`ActivityWriter`, sorted by window.

    Args:
        windows: those that were predicted.
        ids: number of each in ``windows`` ``(B,)``; one that comes twice counts once.
        probabilities: of each class ``(B, K)``.
    """
    chosen, first = np.unique(ids, return_index=True)
    probabilities = probabilities[first]
    best, names, begins_s = probabilities.argmax(axis=1), np.array(windows.classes, dtype=object), windows.begins_s()
    columns: dict[str, object] = {
        "window": chosen,
        "subject": windows.subjects[chosen],
        "recording": windows.recording[chosen],
        **({} if begins_s is None else {"start_s": begins_s[chosen]}),
        "true": names[windows.labels[chosen]],
        "label": names[best],
        "probability": probabilities[np.arange(len(best)), best],
    }
    return pd.DataFrame(columns | {f"p_{name}": probabilities[:, k] for k, name in enumerate(windows.classes)})
