"""WindowDataModule: windows in memory as normalised batches, the base of the data modules that read them."""

from __future__ import annotations

import logging

import lightning
import numpy as np
from torch.utils.data import DataLoader, DistributedSampler, Sampler

from datamodules.batches import IMUBatch
from datamodules.har.augmentations import Turning, turned_copies
from datamodules.har.splitting import split_off_validation
from datamodules.har.window_set import ChannelStatistics, WindowDataset, WindowSet, make_loader

logger = logging.getLogger(__name__)


class WindowDataModule(lightning.LightningDataModule):
    """Windows in memory as normalised batches: what experiments and notebooks train on directly.

    Mean and standard deviation of each channel are fitted on the training windows, after validation is split off, and
    applied to every split.

    Args:
        train: windows to train on; validation is split off by subject where subjects are known.
        test: windows to test on, or None; never looked at before the test.
        batch_size: windows per batch.
        val_fraction: share of the training subjects held out for validation, in [0, 1); 0 for none.
        turning: how to turn the axes of training windows, where the mounting is unknown.
        turned_copies: turned copies of each training window.
        num_workers: processes that load; 0 loads in this one, which is fastest for windows in memory.
        seed: decides the validation split, the turns and the order of batches.

    Raises:
        ValueError: training and test windows differ in classes, channels, rate or length.
    """

    train_windows: WindowSet
    val_windows: WindowSet
    test_windows: WindowSet | None
    statistics: ChannelStatistics

    def __init__(
        self,
        train: WindowSet | None = None,
        test: WindowSet | None = None,
        *,
        batch_size: int = 64,
        val_fraction: float = 0.15,
        turning: Turning = "none",
        turned_copies: int = 4,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self._given = (train, test)
        self._batch_size, self._val_fraction, self._num_workers, self._seed = (
            batch_size,
            val_fraction,
            num_workers,
            seed,
        )
        self._turning: Turning = turning
        self._turned_copies = turned_copies
        self._ready = False

    def load_windows(self) -> tuple[WindowSet, WindowSet | None]:
        """Training and test windows, raw; subclasses read them here.

        Raises:
            ValueError: no training windows were given.
        """
        train, test = self._given
        if train is None:
            raise ValueError("no training windows, expected train=WindowSet(...)")
        return train, test

    def setup(self, stage: str | None = None) -> None:
        """Load, split, fit the normalisation on the training windows, apply it to all."""
        if self._ready:
            return
        given, test = self.load_windows()
        if test is not None:
            given.check_compatible(test)
        train, val = split_off_validation(given, fraction=self._val_fraction, seed=self._seed)
        absent = [name for name, count in zip(train.classes, train.counts(), strict=True) if count == 0]
        if absent:
            logger.warning("no training window of %s: they count as never recognised", ", ".join(absent))
        generator = np.random.default_rng(self._seed)
        train = turned_copies(train, self._turning, copies=self._turned_copies, generator=generator)
        self.statistics = train.statistics()
        self.train_windows = train.normalised(self.statistics)
        self.val_windows = val.normalised(self.statistics)
        self.test_windows = None if test is None else test.normalised(self.statistics)
        self._ready = True

    def class_counts(self) -> list[int]:
        """Training windows of each class, in the order of the classes; valid after ``setup``."""
        return [int(count) for count in self.train_windows.counts()]

    def train_dataloader(self) -> DataLoader[IMUBatch]:
        """Shuffled training batches; the order depends on the seed and the epoch alone, so a resumed run goes on."""
        dataset = WindowDataset(self.train_windows)
        ranks, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        # Lightning tells a DistributedSampler the epoch, which a plain shuffled loader never learns.
        sampler: Sampler[int] = DistributedSampler(
            dataset, num_replicas=ranks, rank=rank, shuffle=True, seed=self._seed
        )
        return self._loader(dataset, sampler)

    def val_dataloader(self) -> list[DataLoader[IMUBatch]]:
        """Validation batches in order; no loader where nothing was held out."""
        return [self._loader(WindowDataset(self.val_windows))] if len(self.val_windows) else []

    def test_dataloader(self) -> DataLoader[IMUBatch]:
        """Test batches in order.

        Raises:
            ValueError: there are no test windows.
        """
        if self.test_windows is None:
            raise ValueError("no test windows: the data module was set up with training windows only")
        return self._loader(WindowDataset(self.test_windows))

    def predict_dataloader(self) -> DataLoader[IMUBatch]:
        """The test batches again."""
        return self.test_dataloader()

    def _loader(self, dataset: WindowDataset, sampler: Sampler[int] | None = None) -> DataLoader[IMUBatch]:
        return make_loader(dataset, batch_size=self._batch_size, sampler=sampler, workers=self._num_workers)
