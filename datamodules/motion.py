"""MotionDataModule: recorded (and a few constructed) motions as windows of HumanML3D features with captions."""

from __future__ import annotations

import logging
from collections import defaultdict
from pathlib import Path

from lightning.pytorch import LightningDataModule
from rich.progress import Progress
from torch import Tensor
from torch.utils.data import DataLoader

from datamodules.batches import MotionBatch
from datamodules.clips import ACTIVITIES, Clip
from datamodules.clips.cache import CachedClip, convert, load
from datamodules.clips.joins import join_items
from datamodules.clips.library import MotionLibrary, build_library
from datamodules.clips.sources import SourceItem, list_items
from datamodules.feature_statistics import measure_statistics
from datamodules.motion_tempo import MAX_CHANGE
from datamodules.motion_windows import (
    EpochSampler,
    FixedWindows,
    MotionWindow,
    SamplingPlan,
    TrainingWindows,
    balance_clips,
    collate_windows,
)
from datamodules.splits import Split
from datamodules.training_position import find_position
from sim.conventions import FEATURE_FPS
from sim.names import check_name

log = logging.getLogger(__name__)


class MotionDataModule(LightningDataModule):
    """Clips of motion, cut into windows of features at 20 fps.

    The split is by clip, duplicates on one side (:mod:`datamodules.splits`). Embedded test clips are test clips
    whatever other sources there are.

    Training windows are drawn with more even shares of activities than were recorded; their order follows from
    ``seed`` alone, so arms of an experiment and resumed runs see the same data.

    Attributes:
        activities: names that ``MotionBatch.activity`` indexes, sorted; after ``setup()``.

    Args:
        sources: ``"embedded"``, and folders (see :func:`datamodules.clips.sources.list_items`).
        window_s: length of a window [s]; shorter clips are padded with zeros.
        batch_size: windows in a batch.
        samples_per_epoch: training windows in an epoch, over all processes.
        num_workers: worker processes of each loader.
        mirror: add mirror images to the training.
        balance: 1 draws activities in proportion to their minutes, 0 draws all alike.
        cache_dir: where converted clips are kept.
        seed: decides the order of the training data.
        activities: keep only these, ``lying`` for all four ways of lying; None keeps all.
        eval_windows_per_activity: most fixed windows of an activity in validation and test.
        ships_only: leave out clips from which no shipped weights may be trained.
        tempo: play training windows faster or slower by up to this share, but for those with a flight in them.
        body_scale: let the legs be longer or shorter by up to this share; see :mod:`datamodules.motion_tempo`.
        join: add training clips made of short ones of one activity and person; see :mod:`datamodules.clips.joins`.
        favour: activities that are drawn so many times as often as ``balance`` says.
        constructed_below_min: leave constructed training clips out of activities of which at least so many minutes were
            recorded for training [min]; None keeps them all.

    Which way a person faces is not in the features, so turning clips about the vertical would change nothing.

    Raises:
        ValueError: a parameter is out of range, or an activity is in none of the sources.
        FileNotFoundError: a source's folder is absent.
    """

    activities: list[str]

    def __init__(
        self,
        sources: list[str] | None = None,
        *,
        window_s: float = 4.0,
        batch_size: int = 64,
        samples_per_epoch: int = 8192,
        num_workers: int = 0,
        mirror: bool = True,
        balance: float = 0.5,
        cache_dir: str = "runs/cache/motion",
        seed: int = 0,
        activities: list[str] | None = None,
        eval_windows_per_activity: int | None = 40,
        ships_only: bool = False,
        tempo: float = 0.0,
        body_scale: float = 0.0,
        join: bool = False,
        constructed_below_min: float | None = None,
        favour: dict[str, float] | None = None,
    ) -> None:
        super().__init__()
        sources = ["embedded"] if sources is None else sources
        if not sources:
            raise ValueError("sources is empty, expected 'embedded' or folders of motion")
        if window_s < 1:
            raise ValueError(f"window_s is {window_s}, expected at least 1 second")
        if not 0 <= balance <= 1:
            raise ValueError(f"balance is {balance}, expected 0 (all activities alike) to 1 (as recorded)")
        if batch_size < 1 or samples_per_epoch < 1:
            raise ValueError(f"batch_size {batch_size} and samples_per_epoch {samples_per_epoch} must be at least 1")
        if not (0 <= tempo <= MAX_CHANGE and 0 <= body_scale <= MAX_CHANGE):
            raise ValueError(f"tempo is {tempo} and body_scale {body_scale}, expected 0 to {MAX_CHANGE}")
        for activity, times in (favour or {}).items():
            check_name(activity, [*ACTIVITIES, *(activities or [])], "activity in favour")
            if not times > 0:
                raise ValueError(f"favour.{activity} is {times}, expected above 0; 1 is as often as balance says")
        # A YAML whose second source falls back to "embedded" when its environment variable is unset names it twice.
        self._sources = list(dict.fromkeys(str(source) for source in sources))
        self._wanted = activities
        self._width = round(window_s * FEATURE_FPS)
        self.batch_size = batch_size
        self._samples_per_epoch = samples_per_epoch
        self._num_workers = num_workers
        self._mirror, self._balance, self._seed = mirror, balance, seed
        self._cache_dir = Path(cache_dir)
        self._eval_limit = eval_windows_per_activity
        self._ships_only = ships_only
        self._rates = (tempo, body_scale)
        self._join, self._constructed_below_min = join, constructed_below_min
        self._favour = favour or {}
        self._library: MotionLibrary | None = None
        self._training: list[CachedClip] = []
        self.save_hyperparameters()

    def prepare_data(self) -> None:
        """Convert what the cache lacks, with a progress bar; the second time there is nothing to do."""
        items = self._items()
        with Progress(transient=True) as bar:
            task = bar.add_task("converting motion", total=None)
            convert(
                items,
                self._cache_dir,
                progress=lambda done, total, name: bar.update(
                    task, completed=done, total=total, description=f"converting {name}"
                ),
            )

    def setup(self, stage: str | None = None) -> None:
        """Load the converted clips, find duplicates and split; the stage makes no difference."""
        if self._library is None:
            clips = load(self._items(), self._cache_dir)
            self._library = build_library(
                clips, cache_dir=self._cache_dir, activities=self._wanted, ships_only=self._ships_only
            )
            self.activities = self._library.activities
            self._training = self._choose_training(self._library)
            log.info("%s", self._library.describe())

    @property
    def library(self) -> MotionLibrary:
        """Clips, split and duplicates.

        Raises:
            RuntimeError: ``setup()`` has not run.
        """
        if self._library is None:
            raise RuntimeError("the data module is not set up; call prepare_data() and setup() first")
        return self._library

    @property
    def training_clips(self) -> list[CachedClip]:
        """Clips that training windows are drawn from: those of the training side, longer copies included.

        Raises:
            RuntimeError: ``setup()`` has not run.
        """
        return self._training if self.library.clips else []

    @property
    def reported_activities(self) -> list[str]:
        """Activities with recorded or constructed clips for training and for test; others are not to be reported."""
        return self.library.reported

    def clips(self, split: Split) -> list[Clip]:
        """Return the whole clips of a side, at their native rate or 60 fps, without looped copies."""
        return [clip.load_clip() for clip in self.library.side(split, looped=False)]

    def recorded_windows(self) -> MotionBatch | None:
        """Return fixed windows of the recorded training clips, looped copies left out, or None if there are none.

        Of each activity at most ``eval_windows_per_activity``.
        """
        clips = [clip for clip in self.library.side("train", looped=False) if not clip.constructed]
        windows = FixedWindows(clips, activities=self.activities, width=self._width, limit=self._eval_limit)
        return collate_windows([windows[number] for number in range(len(windows))]) if len(windows) else None

    def captions(self) -> list[str]:
        """Return every caption that can occur, mirrored ones included, sorted."""
        return self.library.captions(mirror=self._mirror)

    def feature_statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean ``(263,)`` and standard deviation ``(263,)`` of training features, as training draws them.

        See :func:`datamodules.feature_statistics.measure_statistics`.
        """
        clips = self.training_clips
        weights = balance_clips(clips, temperature=self._balance, favour=self._favour)
        return measure_statistics(clips, weights, mirror=self._mirror)

    def train_dataloader(self) -> DataLoader[MotionWindow]:
        """Windows at random offsets; see the class."""
        clips = self.training_clips
        weights = balance_clips(clips, temperature=self._balance, favour=self._favour)
        plan = SamplingPlan(weights, self._seed, self._mirror, *self._rates)
        windows = TrainingWindows(clips, activities=self.activities, width=self._width, plan=plan)
        trainer = self.trainer
        sampler = EpochSampler(
            windows,
            size=self._samples_per_epoch,
            num_replicas=trainer.world_size if trainer else 1,
            rank=trainer.global_rank if trainer else 0,
            position=lambda: find_position(self.trainer, batch_size=self.batch_size),
            block=self.batch_size,
        )
        return self._loader(windows, sampler=sampler)

    def val_dataloader(self) -> DataLoader[MotionWindow]:
        """Fixed windows of the validation clips."""
        return self._loader(self._fixed("val"))

    def test_dataloader(self) -> DataLoader[MotionWindow]:
        """Fixed windows of the test clips."""
        return self._loader(self._fixed("test"))

    def predict_dataloader(self) -> DataLoader[MotionWindow]:
        """Fixed windows of the test clips, for writing out what a model makes of them."""
        return self.test_dataloader()

    def _choose_training(self, library: MotionLibrary) -> list[CachedClip]:
        """Training clips, joined ones added and constructed ones left out as asked for."""
        clips = library.side("train")
        if self._join:
            items = join_items(clips, seconds=self._width / FEATURE_FPS)
            convert(items, self._cache_dir)
            clips = [*clips, *load(items, self._cache_dir)]
        if self._constructed_below_min is None:
            return clips
        minutes: dict[str, float] = defaultdict(float)
        for clip in clips:
            minutes[clip.activity] += 0.0 if clip.constructed or clip.looped else clip.seconds / 60
        least = self._constructed_below_min
        return [clip for clip in clips if not clip.constructed or minutes[clip.activity] < least]

    def _items(self) -> list[SourceItem]:
        items: dict[str, SourceItem] = {}
        for source in self._sources:
            for item in list_items(source):
                if item.name in items:
                    raise ValueError(f"{item.name} comes from two of the sources {self._sources}; give each once")
                items[item.name] = item
        # A recording that a folder brings, too, is the folder's: whole, and on one side.
        return [item for item in items.values() if item.origin not in items]

    def _fixed(self, split: Split) -> FixedWindows:
        clips = self.library.side(split, looped=False)
        return FixedWindows(clips, activities=self.activities, width=self._width, limit=self._eval_limit)

    def _loader(
        self, windows: TrainingWindows | FixedWindows, *, sampler: EpochSampler | None = None
    ) -> DataLoader[MotionWindow]:
        return DataLoader(
            windows,
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self._num_workers,
            collate_fn=collate_windows,
            persistent_workers=self._num_workers > 0,
        )
