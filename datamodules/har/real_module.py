"""RealIMUDataModule: windows of a real data set, split as its authors did or by named subjects."""

from __future__ import annotations

import logging
from typing import Literal

from datamodules.har.augmentations import Turning
from datamodules.har.reading import OnBadFile
from datamodules.har.recording import Recording
from datamodules.har.registry import RealSet, check_name, load_recordings, real_set
from datamodules.har.window_module import WindowDataModule
from datamodules.har.window_set import WindowSet
from datamodules.har.windows import windows_from_recordings

log = logging.getLogger(__name__)


class RealIMUDataModule(WindowDataModule):
    """Windows of a real data set, split as its authors did or by subjects that you name.

    Args:
        name: one of :data:`datamodules.har.registry.READERS`.
        root: folder that holds the set; None for a set that a pip package brings.
        on_bad_file: ``error`` stops at the first file that cannot be read; ``skip`` leaves it out and says so.
        classes: activities to tell apart, by the set's names or, through ``label_map``, by your own.
        label_map: the set's label -> class, for labels that differ from the classes.
        window_s: length of a window [s].
        overlap: share of a window that the next one repeats.
        rate_hz: samples per second of the windows [Hz].
        channels: which of ``accel``, ``gyro``, ``linear_accel``.
        placements: which sensor sites; None takes all of the set's.
        purity: share of a window's samples that must carry its label.
        split: ``official``, or ``subjects`` to test on ``test_subjects``.
        test_subjects: who to test on, for ``split="subjects"``.
        batch_size: windows per batch.
        val_fraction: share of the training subjects held out for validation.
        turning: how to turn the axes of training windows; see :class:`WindowDataModule`.
        turned_copies: turned copies of each training window.
        num_workers: processes that load.
        seed: decides the validation split and the order of batches.

    Raises:
        ValueError: a name is unknown (named with the nearest valid one), or the split cannot be made.
    """

    def __init__(
        self,
        name: str,
        root: str | None = None,
        *,
        on_bad_file: OnBadFile = "error",
        classes: list[str],
        label_map: dict[str, str] | None = None,
        window_s: float = 2.56,
        overlap: float = 0.5,
        rate_hz: float = 50.0,
        channels: list[str] | None = None,
        placements: list[str] | None = None,
        purity: float = 0.9,
        split: Literal["official", "subjects"] = "official",
        test_subjects: list[str] | None = None,
        batch_size: int = 64,
        val_fraction: float = 0.15,
        turning: Turning = "none",
        turned_copies: int = 4,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            val_fraction=val_fraction,
            turning=turning,
            turned_copies=turned_copies,
            num_workers=num_workers,
            seed=seed,
        )
        self.save_hyperparameters()
        self._name, self._root, self._split, self._on_bad_file = name, root, split, on_bad_file
        self._set = real_set(name)
        self._test_subjects = frozenset(test_subjects or ())
        self._label_map = dict(label_map or {})
        self._classes = tuple(classes)
        check_classes(self._classes, self._set, self._label_map)
        check_split(self._set, name, split, self._test_subjects)
        self._window_s, self._overlap, self._rate_hz, self._purity = window_s, overlap, rate_hz, purity
        self._channels = tuple(channels or ("accel", "gyro"))
        self._placements = tuple(placements or self._set.placements)
        check_placements(self._placements, self._set, name)

    @property
    def num_channels(self) -> int:
        """C, the number of channels of a window; known before ``setup``."""
        return 3 * len(self._channels) * len(self._placements)

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of their indices; known before ``setup``."""
        return list(self._classes)

    def load_windows(self) -> tuple[WindowSet, WindowSet | None]:
        """Read the set and cut it, training and test people apart from the start.

        Raises:
            FileNotFoundError: the set is not there; says where to get it.
            ValueError: a side of the split is empty, or the set does not have what was asked for.
        """
        sides: tuple[list[Recording], list[Recording]] = ([], [])
        elsewhere = 0
        for recording in load_recordings(self._name, self._root, on_bad_file=self._on_bad_file):
            if set(self._placements) <= set(recording.placements):
                sides[self._is_test(recording)].append(recording)
            else:
                elsewhere += 1
        if elsewhere:
            log.info("%s: %d recordings of other sites than %s left out", self._name, elsewhere, self._placements)
        for side, recordings in zip(("training", "test"), sides, strict=True):
            if not recordings:
                raise ValueError(f"no {side} recording in {self._name} with split {self._split!r}, expected some")
        cut = []
        for recordings in sides:
            windows, _ = windows_from_recordings(
                recordings,
                classes=self._classes,
                label_map=self._label_map,
                window_s=self._window_s,
                overlap=self._overlap,
                rate_hz=self._rate_hz,
                channels=self._channels,
                placements=self._placements,
                purity=self._purity,
            )
            cut.append(windows)
        return cut[0], cut[1]

    def _is_test(self, recording: Recording) -> bool:
        if self._split == "official" and self._set.is_test is not None:
            return self._set.is_test(recording)
        return recording.subject in self._test_subjects


def check_classes(classes: tuple[str, ...], real: RealSet, label_map: dict[str, str]) -> None:
    """Make sure that every class can come out of the set.

    Raises:
        ValueError: a class is not among its labels, mapped or as they are; names the nearest and all valid ones.
    """
    if not real.labels:  # only the files say
        return
    for label in label_map:
        check_name(label, real.labels, "label in label_map")
    reachable = tuple(dict.fromkeys(label_map.get(label, label) for label in real.labels))
    for name in classes:
        check_name(name, reachable, "activity")


def check_placements(placements: tuple[str, ...], real: RealSet, name: str) -> None:
    """Make sure that the sites can be in the set before anything is read.

    Raises:
        ValueError: none is named where only the files say, or one is none of the set's.
    """
    if not placements:
        raise ValueError(f"{name} does not say where its sensors sit before it is read; give placements")
    for placement in placements if real.placements else ():
        check_name(placement, real.placements, "placement")


def check_split(real: RealSet, name: str, split: str, test_subjects: frozenset[str]) -> None:
    """Make sure that the split can be made before anything is read.

    Raises:
        ValueError: it is neither ``official`` nor ``subjects``, the set has no official one, or no subject is named.
    """
    check_name(split, ("official", "subjects"), "split")
    if split == "official" and real.is_test is None:
        raise ValueError(f"{name} has no official split; give split: subjects and test_subjects: [...]")
    if split == "official" and test_subjects:
        raise ValueError(f"test_subjects {sorted(test_subjects)} given with split: official; give split: subjects")
    if split == "subjects" and not test_subjects:
        raise ValueError("split: subjects needs test_subjects, the people to test on; none were given")
