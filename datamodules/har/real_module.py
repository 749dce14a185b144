"""RealIMUDataModule: windows of a real data set, split as its authors did, by named people, or in folds of people."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from lightning.pytorch.utilities import rank_zero_info
from numpy.typing import NDArray

from datamodules.har.activities import broaden
from datamodules.har.recordings.reading import OnBadFile, natural_key
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.registry import real_set
from datamodules.har.streams import checked_channels
from datamodules.har.streams.packing_progress import pack_with_progress
from datamodules.har.streams.set_streams import RealStreams, pack_streams
from datamodules.har.streams.shards import StreamShards
from datamodules.har.window_module import WindowDataModule
from datamodules.har.windows.augmentation import Augmentation
from datamodules.har.windows.cut_options import CUT_NAMES, CutOptions
from datamodules.har.windows.cutter import Cutter
from datamodules.har.windows.shard_windows import cut_shards
from datamodules.har.windows.splitting import choose_fold, list_subjects
from datamodules.har.windows.turning import Turning
from datamodules.har.windows.window_set import Windows
from sim.names import check_name
from sim.options import plain, takes_flat_names

PeopleSplit = Literal["official", "subjects", "kfold", "loso"]
SPLITS: tuple[PeopleSplit, ...] = ("official", "subjects", "kfold", "loso")


class RealIMUDataModule(WindowDataModule):
    """Windows of a real data set, tested on people who are not trained on.

    The set is read once and kept as memory-mapped files under a name that stands for the reader, the options and the
    files that it was read from; windows of any length are then cut in an instant.

    Args:
        name: one of :data:`datamodules.har.registry.READERS`.
        root: folder that holds the set; None for a set that a pip package brings.
        on_bad_file: ``error`` stops at the first file that cannot be read; ``skip`` leaves it out and says so.
        max_gap_s: longest stretch to interpolate over [s]; longer gaps in the time stamps split a recording.
        classes: activities to tell apart, by the set's names or, through ``label_map``, by your own.
        label_map: the set's label -> class, for labels that differ from the classes.
        broader: whether a label that is no class counts as its broader one, as lying_on_back does as lying; see
            :mod:`datamodules.har.activities`.
        cut: length, rate and content of the windows; its fields may be given flat, too (``window_s``).
        split: ``official``; ``subjects`` to test on ``test_subjects``; ``kfold`` to test on one of ``num_folds`` groups
            of people; ``loso`` to leave one subject out.
        test_subjects: who to test on, for ``split="subjects"``.
        fold: which group, or which person, to test on, from 0, for ``kfold`` and ``loso``.
        num_folds: number of groups, for ``kfold``; ``seed`` deals them.
        batch_size: windows per batch.
        val_fraction: share of the training subjects held out for validation.
        turning: how to turn the axes of training windows; see :class:`WindowDataModule`.
        turned_copies: turned copies of each training window.
        augment: random changes of training windows; see :class:`datamodules.har.windows.augmentation.Augmentation`.
        cache_dir: where the files are kept, four bytes a sample and channel.
        num_workers: processes that load.
        seed: decides the folds, the validation split and the order of batches.

    Raises:
        ValueError: a name is unknown (named with the nearest valid one), or the split cannot be made.
    """

    @takes_flat_names(CUT_NAMES)
    def __init__(
        self,
        name: str,
        root: str | None = None,
        *,
        on_bad_file: OnBadFile = "error",
        max_gap_s: float = 0.25,
        classes: list[str],
        label_map: dict[str, str] | None = None,
        broader: bool = False,
        cut: CutOptions = CutOptions(),
        split: PeopleSplit = "official",
        test_subjects: list[str | int] | None = None,
        fold: int = 0,
        num_folds: int = 5,
        batch_size: int = 64,
        val_fraction: float = 0.15,
        turning: Turning = "none",
        turned_copies: int = 4,
        augment: Augmentation | None = None,
        cache_dir: str = "runs/cache/recordings",
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            val_fraction=val_fraction,
            turning=turning,
            turned_copies=turned_copies,
            augment=augment,
            num_workers=num_workers,
            seed=seed,
        )
        self.save_hyperparameters(ignore=["augment"])
        self.save_hyperparameters({**self.hparams, "cut": plain(cut)})
        self._name, self._split, self._cache_dir = name, split, cache_dir
        self._fold, self._num_folds = fold, num_folds if split == "kfold" else None
        self._set = real_set(name)
        self._test_subjects = frozenset(str(person) for person in test_subjects or ())
        folder = None if root is None else Path(root).expanduser()
        names = tuple(cut.placements or self._set.placements or (self._set.sites(folder) if self._set.sites else ()))
        self._cutter = Cutter.of(cut, classes, label_map=label_map, broader=broader)
        labels = self._set.labels_at(None if root is None else Path(root))
        if labels:  # else only the files say
            _check_embedded(self._cutter, labels, self._set.labels, name)
            check_classes(self._cutter, labels)
        check_split(self._set, name, split, self._test_subjects, fold=fold)
        check_placements(names, self._set, name)
        self.source = RealStreams(
            name,
            folder,
            float(cut.rate_hz),
            checked_channels(cut.channels or ("accel", "gyro")),
            names,
            on_bad_file,
            float(max_gap_s),
        )

    @property
    def num_channels(self) -> int:
        """C, the number of channels of a window; known before ``setup``."""
        return 3 * len(self.source.channels) * len(self.source.placements)

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of their indices; known before ``setup``."""
        return list(self._cutter.classes)

    def prepare_data(self) -> None:
        """Read the set into the cache, with a progress bar; the second time there is nothing to do."""
        pack_with_progress(self.source, self._cache_dir, f"reading {self._name}")

    def load_windows(self) -> tuple[Windows, Windows]:
        """Open the set, read first if need be, and cut it, training and test people apart.

        Raises:
            FileNotFoundError: the set is not there; says where to get it.
            ValueError: a side of the split is empty, or the set does not have what was asked for.
        """
        shards = pack_streams(self.source, self._cache_dir)
        if not self._set.labels:
            check_classes(self._cutter, tuple(name for name in shards.runs.names if name))
        windows, report = cut_shards(shards, self._cutter)
        for line in (*shards.notes, str(report)):
            rank_zero_info(line)
        is_test = self._is_test(shards)
        for side, count in (("training", int((~is_test).sum())), ("test", int(is_test.sum()))):
            if count == 0:
                who = f" (people: {', '.join(sorted(set(shards.subjects.tolist())))})" if side == "test" else ""
                raise ValueError(f"no {side} recording in {self._name} with split {self._split!r}, expected some{who}")
        chosen = is_test[windows.recording]
        return windows.select(~chosen), windows.select(chosen)

    def _is_test(self, shards: StreamShards) -> NDArray[np.bool_]:
        """Whether each recording is tested on ``(N,)``."""
        if self._split == "official":
            return shards.official_test
        if self._split == "subjects":
            people, known = self._test_subjects, {str(name) for name in shards.subjects}
            for person in sorted(people):
                check_name(person, tuple(sorted(known, key=natural_key)), "test subject")
        else:
            everybody = list_subjects(shards.subjects, what=self._name)
            people = choose_fold(everybody, fold=self._fold, num_folds=self._num_folds, seed=self._seed)
        return np.isin(shards.subjects, sorted(people))


def check_classes(cutter: Cutter, labels: tuple[str, ...]) -> None:
    """Make sure that every class can come out of the set.

    Raises:
        ValueError: a class is not among its labels, mapped or as they are; names the nearest and all valid ones.
    """
    for label in cutter.label_map:
        check_name(label, labels, "label in label_map")
    reached = {cutter.class_of(label) for label in labels}
    reachable = tuple(dict.fromkeys(cutter.label_map.get(label, label) for label in labels))
    for index, name in enumerate(cutter.classes):
        if index in reached:
            continue
        finer = [label for label in labels if broaden(label, (name,)) == name]
        if finer:
            raise ValueError(
                f"activity {name!r} is in the set only as {', '.join(finer)}; give broader: true, or a label_map"
            )
        check_name(name, reachable, "activity")


def _check_embedded(cutter: Cutter, here: tuple[str, ...], everywhere: tuple[str, ...], name: str) -> None:
    reached = {cutter.class_of(label) for label in here}
    lacking = {cutter.class_of(label) for label in everywhere} - reached
    absent = [each for index, each in enumerate(cutter.classes) if index in lacking]
    if absent:
        raise ValueError(
            f"{', '.join(absent)} of {name} does not come with this package, expected some of {', '.join(here)}; give "
            "the folder of the whole set as root"
        )


def check_placements(placements: tuple[str, ...], real: RealSet, name: str) -> None:
    """Make sure that the sites can be in the set before anything is read.

    Raises:
        ValueError: none is named where only the files say, one is none of the set's, or one is named twice.
    """
    if not placements:
        raise ValueError(f"{name} does not say where its sensors sit before it is read; give placements")
    if len(set(placements)) < len(placements):
        raise ValueError(f"placements are {list(placements)}, expected each once")
    for placement in placements if real.placements else ():
        check_name(placement, real.placements, "placement")


def check_split(real: RealSet, name: str, split: str, test_subjects: frozenset[str], *, fold: int) -> None:
    """Make sure that the split can be made before anything is read.

    Raises:
        ValueError: it is none of :data:`SPLITS`, the set has no official one, no subject is named, or a fold is asked
            of a split that has none.
    """
    check_name(split, SPLITS, "split")
    if split == "official" and real.is_test is None:
        raise ValueError(
            f"{name} has no official split; give split: kfold or loso, or split: subjects and test_subjects: [...]"
        )
    if split != "subjects" and test_subjects:
        raise ValueError(f"test_subjects {sorted(test_subjects)} given with split: {split}; give split: subjects")
    if split not in ("kfold", "loso") and fold:
        raise ValueError(f"fold is {fold} with split: {split}, which has no folds; give split: kfold or loso")
    if split == "subjects" and not test_subjects:
        raise ValueError("split: subjects needs test_subjects, the people to test on; none were given")
