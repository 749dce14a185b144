"""WindowDataModule: windows as batches that are augmented and normalised on the device, the base of all IMU modules."""

from __future__ import annotations

from functools import partial

import lightning
import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch.utils.data import DataLoader, DistributedSampler, Sampler

from datamodules.batches import IMUBatch
from datamodules.har.recordings.recording import UNKNOWN_SUBJECT
from datamodules.har.windows.augmentation import Augmentation
from datamodules.har.windows.loading import WindowDataset, make_loader
from datamodules.har.windows.moments import ChannelStatistics, Moments
from datamodules.har.windows.splitting import split_off_validation
from datamodules.har.windows.turning import Turning, draw_turns
from datamodules.har.windows.views import TurnedWindows
from datamodules.har.windows.window_set import Windows
from datamodules.training_position import ResumedSampler, find_position


class WindowDataModule(lightning.LightningDataModule):
    """Windows as batches: what experiments and notebooks train on directly.

    Mean and standard deviation of each channel are fitted on the training windows, after validation is split off, and
    applied to every split. Loaders give windows as they were recorded; a batch is augmented and normalised once it is
    on the device of the model (:meth:`on_after_batch_transfer`, which the Trainer calls). Whoever iterates over a
    loader without a Trainer calls :meth:`normalise`.

    Args:
        train: windows to train on; validation is split off by subject where subjects are known.
        test: windows to test on, or None; never looked at before the test.
        batch_size: windows per batch.
        val_fraction: share of the training subjects held out for validation, in [0, 1); 0 for none.
        turning: how to turn the axes of training windows, where the mounting is unknown.
        turned_copies: turned copies of each training window.
        augment: random changes of training windows; None for none.
        num_workers: processes that load; 0 loads in this one, which is fastest for windows in memory or mapped.
        seed: decides the validation split, the turns, the augmentation and the order of batches.

    Raises:
        ValueError: training and test windows differ in classes, channels, rate or length, or there are none, or a
            number is out of range.
    """

    train_windows: Windows
    val_windows: Windows
    test_windows: Windows | None
    statistics: ChannelStatistics

    def __init__(
        self,
        train: Windows | None = None,
        test: Windows | None = None,
        *,
        batch_size: int = 64,
        val_fraction: float = 0.15,
        turning: Turning = "none",
        turned_copies: int = 4,
        augment: Augmentation | None = None,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1 or num_workers < 0:
            raise ValueError(
                f"batch_size is {batch_size} and num_workers {num_workers}, expected at least 1 window and 0 processes"
            )
        self._given = (train, test)
        self._batch_size, self._val_fraction, self._num_workers, self._seed = (
            batch_size,
            val_fraction,
            num_workers,
            seed,
        )
        self._turning: Turning = turning
        self._turned_copies = turned_copies
        self._augment = augment or Augmentation()
        self._ready = False

    def load_windows(self) -> tuple[Windows, Windows | None]:
        """Training and test windows, raw; subclasses read them here.

        Raises:
            ValueError: no training windows were given.
        """
        train, test = self._given
        if train is None:
            raise ValueError("no training windows, expected train=WindowSet(...)")
        return train, test

    def split_validation(self, windows: Windows) -> tuple[Windows, Windows]:
        """Training and validation windows out of those to train on."""
        return split_off_validation(windows, fraction=self._val_fraction, seed=self._seed)

    def fit_moments(self, windows: Windows) -> Moments:
        """What the normalisation is made of, from the training windows alone."""
        return windows.moments()

    def make_sampler(self, windows: Windows, *, ranks: int, rank: int) -> DistributedSampler[int]:
        """The order of training windows: shuffled, by the seed and the epoch alone."""
        # Lightning tells a DistributedSampler the epoch, which a plain shuffled loader never learns.
        return DistributedSampler(WindowDataset(windows), num_replicas=ranks, rank=rank, shuffle=True, seed=self._seed)

    def setup(self, stage: str | None = None) -> None:
        """Load, split, fit the normalisation on the training windows, and say what there is."""
        if self._ready:
            return
        given, test = self.load_windows()
        if test is not None:
            given.check_compatible(test)
        if len(given) == 0:
            raise ValueError(
                f"no training window of {', '.join(given.classes)}; see what was dropped and why in the log, and check "
                "classes, window_s and placements"
            )
        train, self.val_windows = self.split_validation(given)
        self.test_windows = test
        self._describe(train)
        if self._turning != "none":
            train = self._turn(train)
        self.train_windows = train
        self.statistics = self.fit_moments(train).statistics()
        self._ready = True

    def _turn(self, windows: Windows) -> Windows:
        if self._turned_copies < 1:
            raise ValueError(f"turned_copies is {self._turned_copies}, expected at least 1")
        copies = windows.select(np.tile(np.arange(len(windows)), self._turned_copies))
        generator = np.random.default_rng(self._seed)
        return TurnedWindows.of(copies, draw_turns(self._turning, len(copies), generator=generator))

    def _describe(self, train: Windows) -> None:
        absent = [name for name, count in zip(train.classes, train.counts(), strict=True) if count == 0]
        if absent:
            rank_zero_warn(f"no training window of {', '.join(absent)}: they count as never recognised")
        for name, windows in (("training", train), ("validation", self.val_windows), ("test", self.test_windows)):
            if windows is not None and len(windows):
                rank_zero_info(describe_windows(name, windows))

    def state_dict(self) -> dict[str, torch.Tensor | list[str] | float]:
        """What a checkpoint keeps: the normalisation that its weights were trained with, and what windows it is of."""
        windows = self.train_windows
        return {
            "mean": torch.from_numpy(self.statistics.mean),
            "std": torch.from_numpy(self.statistics.std),
            "channels": list(windows.channels),
            "classes": list(windows.classes),
            "rate_hz": float(windows.rate_hz),
            "samples": int(windows.num_samples),
        }

    def load_state_dict(self, state_dict: dict[str, torch.Tensor | list[str] | float]) -> None:
        """Normalise as the checkpoint's weights were trained, also where other people are tested on.

        Raises:
            ValueError: the checkpoint is of other channels.
        """
        kept, here = state_dict["channels"], list(self.train_windows.channels)
        if kept != here:
            raise ValueError(f"the checkpoint was trained on channels {kept}, expected {here} as the data have")
        mean, std = (np.asarray(state_dict[name], dtype=np.float32) for name in ("mean", "std"))
        same = np.allclose(mean, self.statistics.mean, rtol=1e-4) and np.allclose(std, self.statistics.std, rtol=1e-4)
        if not same:
            rank_zero_warn(
                "the data's own mean and standard deviation differ from the checkpoint's; the checkpoint's are used, "
                "as its weights were trained with them"
            )
        self.statistics = ChannelStatistics(mean, std)

    def class_counts(self) -> list[int]:
        """Training windows of each class, in the order of the classes; valid after ``setup``."""
        return [int(count) for count in self.train_windows.counts()]

    def normalise(self, batch: IMUBatch) -> IMUBatch:
        """``(x - mean) / std`` per channel, by the statistics of the training windows; valid after ``setup``."""
        mean, std = self._scales(batch)
        return batch._replace(signals=(batch.signals - mean) / std)

    def _scales(self, batch: IMUBatch) -> tuple[torch.Tensor, torch.Tensor]:
        mean, std = torch.from_numpy(self.statistics.mean), torch.from_numpy(self.statistics.std)
        return mean.to(batch.signals, non_blocking=True), std.to(batch.signals, non_blocking=True)

    def on_after_batch_transfer(self, batch: IMUBatch, dataloader_idx: int) -> IMUBatch:
        """Augment a training batch, normalise any; the Trainer calls this on the device of the model."""
        if self._augment.is_none or self.trainer is None or not self.trainer.training:
            return self.normalise(batch)
        mean, std = self._scales(batch)
        # Windows and step decide the draws, so that a resumed run draws what the whole one would have.
        key = [self._seed, self.trainer.global_step, *batch.sample_id[:4].tolist()]
        state = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)
        generator = torch.Generator(device=batch.signals.device).manual_seed(state)
        signals = self._augment.apply(
            batch.signals, channels=self.train_windows.channels, mean=mean, std=std, generator=generator
        )
        return self.normalise(batch._replace(signals=signals))

    def train_dataloader(self) -> DataLoader[IMUBatch]:
        """Shuffled training batches; seed and epoch alone decide the order, and a resumed run goes on within it."""
        ranks, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        order = self.make_sampler(self.train_windows, ranks=ranks, rank=rank)
        position = partial(find_position, self.trainer, batch_size=self._batch_size)
        return self._loader(self.train_windows, ResumedSampler(order, position=position))

    def val_dataloader(self) -> list[DataLoader[IMUBatch]]:
        """Validation batches in order; no loader where nothing was held out."""
        return [self._loader(self.val_windows)] if len(self.val_windows) else []

    def test_dataloader(self) -> DataLoader[IMUBatch]:
        """Test batches in order.

        Raises:
            ValueError: there are no test windows.
        """
        if self.test_windows is None:
            raise ValueError("no test windows: the data module was set up with training windows only")
        return self._loader(self.test_windows)

    def predict_dataloader(self) -> DataLoader[IMUBatch]:
        """The test batches again."""
        return self.test_dataloader()

    def _loader(self, windows: Windows, sampler: Sampler[int] | None = None) -> DataLoader[IMUBatch]:
        dataset = WindowDataset(windows)
        return make_loader(dataset, batch_size=self._batch_size, sampler=sampler, workers=self._num_workers)


def describe_windows(name: str, windows: Windows) -> str:
    """Say how many people there are, and how many windows of each class, in one line."""
    known = np.unique(windows.subjects[windows.subjects != UNKNOWN_SUBJECT])
    people = f" of {len(known)} people" if len(known) else ""
    shares = ", ".join(
        f"{label} {count} ({count / max(1, len(windows)):.0%})"
        for label, count in zip(windows.classes, windows.counts(), strict=True)
    )
    return f"{name}: {len(windows)} windows{people}: {shares}"
