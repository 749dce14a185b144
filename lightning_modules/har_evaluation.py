"""Train a classifier on some windows, predict others, score: the one evaluation that TSTR and TRTR go through.

"Train on synthetic, test on real" is due to Esteban, Hyland and Rätsch 2017, arXiv 1706.02633, section 4.1. Whatever
is fitted (normalisation, class weights, forest, network) is fitted on the training windows alone.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Callback, Trainer
from numpy.typing import NDArray
from torch.utils.data import RandomSampler

from datamodules.har.windows.loading import WindowDataset, make_loader
from datamodules.har.windows.window_set import WindowSet
from lightning_modules.har.forest import FeatureForest
from lightning_modules.har.metrics import Predictions, Scores, score
from lightning_modules.har.networks import NETWORKS
from lightning_modules.har_classifier import HARClassifier, balanced_weights
from sim.names import check_name

__all__ = ["CLASSIFIERS", "Predictions", "Scores", "score", "train_and_predict"]

CLASSIFIERS = (*NETWORKS, "forest")
"""Names that :func:`train_and_predict` knows."""


def train_and_predict(
    classifier: str,
    train: WindowSet,
    test: WindowSet,
    *,
    seed: int,
    max_epochs: int = 20,
    step_limits: tuple[int, int] = (200, 400),
    batch_size: int = 128,
    callbacks: Sequence[Callback] = (),
) -> Predictions:
    """Train one classifier and let it predict each test window.

    The result depends on the arguments alone: torch's global generator is put back as it was found.

    Args:
        classifier: one of :data:`CLASSIFIERS`.
        train: raw windows to train on; nothing else is fitted on.
        test: raw windows to predict, of the same classes, channels, rate and length.
        seed: decides initial weights, order of batches, dropout, samples of the forest.
        max_epochs: passes over the training windows, within ``step_limits``; the forest has none.
        step_limits: least and most optimiser steps, so that a small set is passed over more often and a large one
            costs no more than it must.
        batch_size: windows per step; the forest has none.
        callbacks: further Lightning callbacks, such as a progress bar.

    Returns:
        Labels, predictions and subjects of the test windows, in their order.

    Raises:
        ValueError: the classifier is unknown (names the nearest), a set is empty, or the sets do not fit together.
    """
    check_name(classifier, CLASSIFIERS, "classifier")
    for name, windows in (("training", train), ("test", test)):
        if len(windows) == 0:
            raise ValueError(f"no {name} window for classes {list(windows.classes)}, expected some")
    train.check_compatible(test)
    if classifier == "forest":
        predicted = FeatureForest(seed=seed).fit(train).predict(test)
    else:
        steps = min(max(max_epochs * math.ceil(len(train) / batch_size), step_limits[0]), step_limits[1])
        predicted = _train_network(classifier, train, test, seed, steps, batch_size, callbacks)
    return Predictions(test.labels, predicted, test.subjects, test.classes)


def _train_network(
    network: str,
    train: WindowSet,
    test: WindowSet,
    seed: int,
    steps: int,
    batch_size: int,
    callbacks: Sequence[Callback],
) -> NDArray[np.int64]:
    statistics = train.statistics()
    dataset = WindowDataset(train.normalised(statistics))
    sampler = RandomSampler(dataset, generator=torch.Generator().manual_seed(seed))
    batches = make_loader(dataset, batch_size=min(batch_size, len(train)), sampler=sampler)
    # Initial weights and dropout can draw from no generator but the global one.
    with torch.random.fork_rng(devices=[]), _quiet_lightning():
        torch.manual_seed(seed)
        model = HARClassifier(
            list(train.classes),
            train.num_channels,
            network=network,
            class_weights=balanced_weights(train.counts().tolist()),
        )
        trainer = Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=-1,
            max_steps=steps,
            callbacks=list(callbacks),
            # Inside a SLURM job this small training is still one process of its own.
            plugins=[LightningEnvironment()],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(model, train_dataloaders=batches)
    model.eval()
    with torch.inference_mode():
        signals = torch.from_numpy(test.normalised(statistics).signals)
        logits = torch.cat([model(chunk) for chunk in signals.split(1024)])
    return np.asarray(logits.argmax(dim=1).numpy(), dtype=np.int64)


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
