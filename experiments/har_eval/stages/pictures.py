"""What the report draws: one window per activity, real beside virtual, and an embedding fitted on real people only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from datamodules.har.windows.window_set import WindowSet
from experiments.har_eval.results import PICTURES
from experiments.har_eval.stages.distances import magnitudes
from experiments.har_eval.stages.real import RealWindows, draw_per_class, load_real
from experiments.har_eval.stages.simulate import Simulate, load_virtual
from experiments.pipeline.files import Json, write_json
from experiments.pipeline.tasks import Inputs, Task
from lightning_modules.har.features import extract_features

SHOWN_PER_CLASS = 60


@dataclass(frozen=True)
class Pictures(Task):
    """Example windows and embedding of one set: ``pictures.json``.

    The embedding is linear discriminant analysis of the classical features, standardised; both are fitted on the real
    training people and then applied to virtual windows.

    Attributes:
        real: the set.
        virtual: arm and windows, for one seed.
    """

    stage: ClassVar[str] = "pictures"
    stage_title: ClassVar[str] = "preparing figures"
    real: RealWindows
    virtual: tuple[tuple[str, Simulate], ...]

    @property
    def title(self) -> str:
        """The set."""
        return self.real.title

    def run(self, inputs: Inputs, output: Path) -> None:
        """Pick typical windows and project all."""
        train, _ = load_real(inputs[self.real])
        # Two axes, fewer where there are only two classes.
        axes = min(2, len(np.unique(train.labels)) - 1)
        projection = make_pipeline(
            StandardScaler(), LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto", n_components=axes)
        )
        projection.fit(_features(train), train.labels)
        arms: dict[str, Json] = {
            arm: _draw_side(load_virtual(inputs[task], train.classes), projection) for arm, task in self.virtual
        }
        write_json(
            {
                "classes": list(train.classes),
                "channels": list(train.channels),
                "rate_hz": train.rate_hz,
                "people": _draw_side(train, projection),
                "arms": arms,
            },
            output / PICTURES,
        )


def _draw_side(windows: WindowSet, projection: Pipeline) -> Json:
    """Return the projected windows and a typical window of each class, of real people or of an arm."""
    shown = draw_per_class(windows, SHOWN_PER_CLASS, generator=np.random.default_rng(0))
    signals: dict[str, Json] = {
        activity: _round(windows.signals[index])
        for label, activity in enumerate(windows.classes)
        if (index := typical_window(windows, label)) is not None
    }
    return {
        "labels": shown.labels.tolist(),
        "points": _round(projection.transform(_features(shown))),
        "signals": signals,
    }


def typical_window(windows: WindowSet, label: int) -> int | None:
    """Return the window of a class whose acceleration magnitude varies as much as the median one's; None if absent."""
    chosen = np.flatnonzero(windows.labels == label)
    if len(chosen) == 0:
        return None
    spread = np.array([series.std() for series in magnitudes(windows, label)])
    return int(chosen[np.argsort(spread)[len(spread) // 2]])


def _features(windows: WindowSet) -> NDArray[np.float64]:
    features, _ = extract_features(windows)
    return features


def _round(values: NDArray[np.floating]) -> Json:
    rows: list[list[float]] = np.round(values.astype(np.float64), 3).tolist()
    return rows
