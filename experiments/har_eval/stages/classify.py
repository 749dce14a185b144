"""Train a classifier on virtual or real windows, test it on real people (TSTR, TRTR)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.har.registry import READERS
from datamodules.har.windows.augmentation import Augmentation, add_changed
from datamodules.har.windows.calibration import fit_calibration
from datamodules.har.windows.splitting import check_apart, choose_fold, choose_people, draw_validation, list_subjects
from datamodules.har.windows.turning import turned_copies
from datamodules.har.windows.views import concatenate
from datamodules.har.windows.window_set import WindowSet
from experiments.har_eval.config import ClassifierConfig
from experiments.har_eval.stages.real import RealWindows, draw_per_class, load_real
from experiments.har_eval.stages.simulate import Simulate, load_virtual
from experiments.pipeline.files import Json, save_arrays, write_json
from experiments.pipeline.tasks import Inputs, Task
from lightning_modules.har_evaluation import Predictions, train_and_predict
from lightning_modules.training.randomness import derive_seed

PREDICTIONS = "predictions.npz"
CALIBRATION = "calibration.json"
VIRTUAL = "virtual"
"""Stands for the wearer of virtual windows that are tested on."""


@dataclass(frozen=True)
class Classify(Task):
    """What one classifier says of the test people: ``predictions.npz`` with labels, predictions and subjects.

    Attributes:
        classifier: name of the classifier.
        config: how it is trained.
        real: the real set; its test windows are what is predicted.
        virtual: what to train on; None trains on the real set's training people instead, where
            everybody is tested on all others.
        people: how many real training people are trained on; None is all of them without ``virtual``, none beside it.
        protocol: one of :data:`experiments.har_eval.arm_config.PROTOCOLS`, where there are both.
        calibrate: what of ``virtual`` is calibrated, by ``people`` of the training people or, for None, by all;
            ``calibration.json`` says by whom, and how far sites were turned.
        augment: how ``windows_per_class`` changed copies of people's windows are made beside them; None for none.
        windows_per_class: training windows of each class; None for all.
        copies: copies of each virtual window, each turned by an axis permutation; 0 leaves the axes as they are.
        seed: of the experiment.
    """

    stage: ClassVar[str] = "classify"
    stage_title: ClassVar[str] = "training classifiers"
    classifier: str
    config: ClassifierConfig
    real: RealWindows
    virtual: Simulate | None
    windows_per_class: int | None
    copies: int
    seed: int
    people: int | None = None
    protocol: str = "mixed"
    calibrate: tuple[str, ...] = ()
    augment: Augmentation | None = None
    label: str = field(default="", metadata={"key": False})

    @property
    def title(self) -> str:
        """The set, the arm, the classifier and the seed."""
        return f"{self.label or self.real.title} {self.classifier} seed {self.seed}"

    def run(self, inputs: Inputs, output: Path) -> None:
        """Train and predict; whatever is fitted is fitted on training windows."""
        train, test = load_real(inputs[self.real])
        virtual = None if self.virtual is None else load_virtual(inputs[self.virtual], self.real.classes)
        fitted: list[Json] = []
        if virtual is not None and self.protocol == "trts":
            found = [self._predict(None, self._draw_people(train), _without_names(virtual))]
        elif virtual is not None and not self.people and not self.calibrate and self.real.fold is None:
            found = [self._predict(virtual, None, test)]
        else:
            found = []
            for others, tested in self._folds(train, test):
                people = self._draw_people(others)
                calibrated = virtual if virtual is None else self._calibrate(virtual, people, tested, fitted)
                trained_on = people if virtual is None or self.people else None
                found.append(self._predict(calibrated, trained_on, tested))
        if self.calibrate:
            write_json(fitted, output / CALIBRATION)
        save_arrays(
            output / PREDICTIONS,
            {
                name: np.concatenate([getattr(predictions, name) for predictions in found])
                for name in ("labels", "predictions", "subjects")
            },
        )

    def _folds(self, train: WindowSet, test: WindowSet) -> Iterator[tuple[WindowSet, WindowSet]]:
        """Whom something may be fitted on, and whom it is tested on, in turn."""
        if not self.real.in_turn:
            yield train, test
            return
        everybody = list_subjects(test.subjects, what=self.real.name)
        chosen = range(self.real.folds or len(everybody)) if self.real.fold is None else [self.real.fold]
        for fold in chosen:
            away = sorted(choose_fold(everybody, fold=fold, num_folds=self.real.folds, seed=self.seed))
            yield train.select(~np.isin(train.subjects, away)), test.select(np.isin(test.subjects, away))

    def _calibrate(self, virtual: WindowSet, people: WindowSet, tested: WindowSet, fitted: list[Json]) -> WindowSet:
        """Calibrate virtual windows, if that is wanted, and note in ``fitted`` by whom."""
        if not self.calibrate:
            return virtual
        check_apart(people, tested, what="calibration")
        calibration = fit_calibration(virtual, people, self.calibrate)
        fitted.append(
            {
                "tested": list_subjects(tested.subjects, what=self.real.name),
                "fitted_on": list(calibration.people),
                "turn_deg": calibration.turn_deg,
            }
        )
        return calibration.apply(virtual)

    def _draw_people(self, train: WindowSet) -> WindowSet:
        """Keep as many training people as are wanted: with more of them those of fewer stay."""
        if self.people is None:
            return train
        people = choose_people(list_subjects(train.subjects, what=self.real.name), self.people, seed=self.seed)
        return train.select(np.isin(train.subjects, people))

    def _predict(self, virtual: WindowSet | None, people: WindowSet | None, test: WindowSet) -> Predictions:
        if people is not None and READERS[self.real.name].subject_independent:
            check_apart(people, test, what=f"the {self.classifier}")
        first = None
        parts = [
            self._training_windows(part, copies=copies)
            for part, copies in ((virtual, self.copies), (people, self.copies if virtual is None else 0))
            if part is not None
        ]
        if len(parts) == 2 and self.protocol == "pretrain_then_finetune":
            first = parts.pop(0)
        windows = concatenate(parts)
        return train_and_predict(
            self.classifier,
            windows,
            test,
            seed=self.seed,
            budget=self.config.budget,
            held_out=self._hold_out(windows),
            first=first,
            first_held_out=[] if first is None else self._hold_out(first),
        )

    def _hold_out(self, windows: WindowSet) -> list[NDArray[np.bool_]]:
        return [
            draw_validation(windows, fraction=self.config.val_fraction, seed=self.seed, turn=turn)
            for turn in range(self.config.networks)
        ]

    def _training_windows(self, windows: WindowSet, *, copies: int) -> WindowSet:
        generator = np.random.default_rng([self.seed, 7])
        if copies:
            windows = turned_copies(windows, "axis_permutations", copies=copies, generator=generator)
        drawn = draw_per_class(windows, self.windows_per_class, generator=generator)
        if self.augment is None:
            return drawn
        draws = torch.Generator().manual_seed(derive_seed(self.seed, 8))
        return add_changed(drawn, self.augment, per_class=self.windows_per_class, generator=draws)


def _without_names(virtual: WindowSet) -> WindowSet:
    """The same windows of :data:`VIRTUAL`: whoever moves so is no person, and nobody is resampled."""
    return WindowSet(
        virtual.signals,
        virtual.labels,
        np.full(len(virtual), VIRTUAL),
        virtual.recording,
        virtual.classes,
        virtual.channels,
        virtual.rate_hz,
    )
