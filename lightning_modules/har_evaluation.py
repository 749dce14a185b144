"""Train a classifier on some windows, predict others, score: the one evaluation that TSTR and TRTR go through.

"Train on synthetic, test on real" is due to Esteban, Hyland and Rätsch 2017, arXiv 1706.02633, section 4.1. Whatever
is fitted (normalisation, class weights, forest, network) and whatever is chosen (when to stop) is on the training
windows alone.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce

import numpy as np
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Callback, Trainer
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import RandomSampler

from datamodules.har.windows.loading import WindowDataset, make_loader
from datamodules.har.windows.window_set import WindowSet
from lightning_modules.har.budget import KeepBest, TrainingBudget
from lightning_modules.har.forest import FeatureForest
from lightning_modules.har.metrics import Predictions, Scores, score
from lightning_modules.har.networks import NETWORKS
from lightning_modules.har_classifier import HARClassifier, balanced_weights
from lightning_modules.training.randomness import derive_seed
from sim.names import check_name

__all__ = ["CLASSIFIERS", "Predictions", "Scores", "score", "train_and_predict"]

CLASSIFIERS = (*NETWORKS, "forest")
"""Names that :func:`train_and_predict` knows."""

_CHUNK = 1024


def train_and_predict(
    classifier: str,
    train: WindowSet,
    test: WindowSet,
    *,
    seed: int,
    budget: TrainingBudget = TrainingBudget(),
    held_out: Sequence[NDArray[np.bool_]] = (),
    callbacks: Sequence[Callback] = (),
    first: WindowSet | None = None,
    first_held_out: Sequence[NDArray[np.bool_]] = (),
) -> Predictions:
    """Train one classifier and let it predict each test window.

    The result depends on the arguments alone: torch's global generator is put back as it was found.

    Args:
        classifier: one of :data:`CLASSIFIERS`.
        train: raw windows to train on; nothing else is fitted on.
        test: raw windows to predict, of the same classes, channels, rate and length.
        seed: decides initial weights, order of batches, dropout, samples of the forest.
        budget: how long a network is trained; the forest has none.
        held_out: for each network to be trained, whose probabilities are averaged, which of the training windows
            ``(N,)`` it is not trained on but stopped by, such as those of one person. A choice of none, or one that
            leaves a class with no window to train on, trains on all of them for all of the budget; so does the one
            network where there is no choice. The forest takes all.
        callbacks: further Lightning callbacks, such as a progress bar.
        first: windows that a network is trained on before those of ``train``, by the same budget; both together say how
            windows are normalised. A forest cannot be trained on.
        first_held_out: what of them stops that training, one choice for each of ``held_out``.

    Returns:
        Labels, predictions and subjects of the test windows, in their order.

    Raises:
        ValueError: the classifier is unknown (names the nearest), a set is empty, or the sets do not fit together; a
            forest is given windows to train on first.
    """
    check_name(classifier, CLASSIFIERS, "classifier")
    if first is not None and classifier == "forest":
        raise ValueError("a forest cannot be trained on after its first training, expected a network; mix the windows")
    for name, windows in (("training", train), ("test", test), ("first training", first)):
        if windows is not None and len(windows) == 0:
            raise ValueError(f"no {name} window for classes {list(windows.classes)}, expected some")
        if windows is not None:
            train.check_compatible(windows, name)
    if classifier == "forest":
        predicted = FeatureForest(seed=seed).fit(train).predict(test)
    else:
        parts = [[_part(train, mask)] for mask in held_out] or [[(train, None)]]
        if first is not None:
            before = [_part(first, mask) for mask in first_held_out] or [(first, None)] * len(parts)
            parts = [[one, *others] for one, others in zip(before, parts, strict=True)]
        each = [
            _train_network(classifier, stages, test, derive_seed(seed, number), budget, callbacks)
            for number, stages in enumerate(parts)
        ]
        predicted = np.asarray(np.mean(each, axis=0).argmax(axis=1), dtype=np.int64)
    return Predictions(test.labels, predicted, test.subjects, test.classes)


def _part(train: WindowSet, held_out: NDArray[np.bool_]) -> tuple[WindowSet, WindowSet | None]:
    """What to train on and what to watch; None where nothing can be held out."""
    if held_out.shape != train.labels.shape:
        raise ValueError(f"held_out has shape {held_out.shape}, expected {train.labels.shape}: one for each window")
    kept = train.select(~held_out)
    whole = bool(((kept.counts() > 0) == (train.counts() > 0)).all())
    return (kept, train.select(held_out)) if held_out.any() and whole else (train, None)


def _train_network(
    network: str,
    stages: Sequence[tuple[WindowSet, WindowSet | None]],
    test: WindowSet,
    seed: int,
    budget: TrainingBudget,
    callbacks: Sequence[Callback],
) -> NDArray[np.float32]:
    """Train one network on one set after another, each beside what stops it.

    Returns:
        The probability of each class for each test window ``(N, K)``.
    """
    moments = [train.moments() for train, _ in stages]
    statistics = reduce(lambda one, other: one.joined(other), moments).statistics()
    # Initial weights and dropout can draw from no generator but the global one.
    with torch.random.fork_rng(devices=[]), _quiet_lightning():
        torch.manual_seed(seed)
        weights: dict[str, Tensor] = {}
        for train, watched in stages:
            model = HARClassifier(
                list(train.classes),
                train.num_channels,
                network=network,
                class_weights=balanced_weights(train.counts().tolist()),
            )
            model.load_state_dict(weights, strict=False)  # none for the first; class weights stay each training's own
            _fit(
                model,
                train.normalised(statistics),
                None if watched is None else watched.normalised(statistics),
                seed,
                budget,
                callbacks,
            )
            weights = {name: value for name, value in model.state_dict().items() if name.startswith("network.")}
    model.eval()
    with torch.inference_mode():
        signals = torch.from_numpy(test.normalised(statistics).signals)
        return torch.cat([model(chunk).softmax(dim=1) for chunk in signals.split(_CHUNK)]).numpy()


def _fit(
    model: HARClassifier,
    train: WindowSet,
    watched: WindowSet | None,
    seed: int,
    budget: TrainingBudget,
    callbacks: Sequence[Callback],
) -> None:
    """Train on normalised windows."""
    dataset = WindowDataset(train)
    sampler = RandomSampler(dataset, generator=torch.Generator().manual_seed(seed))
    batches = make_loader(dataset, batch_size=min(budget.batch_size, len(train)), sampler=sampler)
    looks = None if watched is None else make_loader(WindowDataset(watched), batch_size=_CHUNK)
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=-1,
        max_steps=budget.steps,
        val_check_interval=budget.check_every,
        check_val_every_n_epoch=None,
        callbacks=[*callbacks, *([] if looks is None else [KeepBest(budget.patience)])],
        # Inside a SLURM job this small training is still one process of its own.
        plugins=[LightningEnvironment()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(model, train_dataloaders=batches, val_dataloaders=looks)


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep Lightning from saying for each of many small trainings what hardware there is and what could be tuned."""
    loggers = [logging.getLogger(f"lightning.pytorch.{name}") for name in ("utilities.rank_zero", "accelerators.cuda")]
    levels = [each.level for each in loggers]
    try:
        for each in loggers:
            each.setLevel(logging.WARNING)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            warnings.filterwarnings("ignore", message=".*GPU available but not used.*")
            warnings.filterwarnings("ignore", message=".*have no `val_dataloader`.*")
            warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
