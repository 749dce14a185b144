"""Which tasks make up har_eval: from a configuration to a graph, before anything is run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from experiments.arms.fine_tune import FineTune
from experiments.har_eval.config import HarEvalConfig, SetConfig
from experiments.har_eval.stages.classify import Classify
from experiments.har_eval.stages.distances import Distances
from experiments.har_eval.stages.generate import Generate, Motions, Recorded
from experiments.har_eval.stages.paired import PairedError
from experiments.har_eval.stages.pictures import Pictures
from experiments.har_eval.stages.real import RealWindows
from experiments.har_eval.stages.simulate import Simulate
from experiments.pipeline.tasks import Task
from lightning_modules.packaged_configs import find_config
from lightning_modules.weights import find_weights

MOCAP, REAL = "mocap", "real"
"""Names of the two references beside the arms: recorded clips, and real training people."""


@dataclass(frozen=True)
class Plan:
    """Every task of the experiment, by what it is for.

    Attributes:
        paired: by arm and seed; the seed is None for weights from a file, which are the same for all.
        motions: by arm and seed.
        windows: by arm, set and seed.
        real: by set.
        classify: by arm (or :data:`REAL`), set, classifier and seed.
        distances: by arm, set and seed.
        pictures: by set.
    """

    paired: dict[tuple[str, int | None], PairedError]
    motions: dict[tuple[str, int], Motions]
    windows: dict[tuple[str, str, int], Simulate]
    real: dict[str, RealWindows]
    classify: dict[tuple[str, str, str, int], Classify]
    distances: dict[tuple[str, str, int], Distances]
    pictures: dict[str, Pictures]

    def tasks(self) -> list[Task]:
        """All tasks, those that others wait for first."""
        groups = (self.real, self.paired, self.motions, self.windows, self.classify, self.distances, self.pictures)
        return [task for group in groups for task in group.values()]


def make_plan(config: HarEvalConfig) -> Plan:
    """Lay out the experiment.

    Raises:
        FileNotFoundError: weights of an arm, or a YAML to retrain it with, do not exist.
        ValueError: an arm is to be retrained and has no YAML.
    """
    activities = tuple(dict.fromkeys(name for real in config.sets.values() for name in real.classes))
    motion_root = None if config.arms.motion_root is None else Path(config.arms.motion_root)
    checkpoints = {
        (arm, seed): _checkpoint(config, arm, seed) for arm in config.arms.checkpoints for seed in config.seeds
    }
    motions: dict[tuple[str, int], Motions] = {}
    for (arm, seed), checkpoint in checkpoints.items():
        motions[arm, seed] = Generate(
            arm, seed, checkpoint, config.generation, activities, resolve_device(config.device), Path(config.cache)
        )
    if config.arms.mocap:
        for seed in config.seeds:
            count, seconds = config.generation.motions_per_activity, config.generation.seconds
            motions[MOCAP, seed] = Recorded(seed, seconds, count, activities, motion_root)
    real = {name: RealWindows.of(name, entry) for name, entry in config.sets.items()}
    windows = {
        (arm, name, seed): Simulate(task, name, entry, config.simulation, seed)
        for (arm, seed), task in motions.items()
        for name, entry in config.sets.items()
    }
    paired_root = None if config.paired.motion_root is None else Path(config.paired.motion_root)
    paired = {}
    for (arm, seed), checkpoint in checkpoints.items():
        key = (arm, seed if isinstance(checkpoint, FineTune) else None)
        paired[key] = PairedError(
            arm, checkpoint, config.paired.window_s, paired_root or motion_root, Path(config.cache)
        )
    return Plan(
        paired=paired,
        motions=motions,
        windows=windows,
        real=real,
        classify=_classify(config, real, windows),
        distances={key: Distances(task, real[key[1]]) for key, task in windows.items()},
        pictures={
            name: Pictures(
                real[name],
                tuple((arm, task) for (arm, other, seed), task in windows.items() if (other, seed) == (name, first)),
            )
            for name in config.sets
            for first in config.seeds[:1]
        },
    )


def _checkpoint(config: HarEvalConfig, arm: str, seed: int) -> Path | FineTune:
    weights = config.arms.checkpoints
    if arm == "original" or not config.retrains:
        return find_weights(weights[arm])
    if arm not in config.arms.configs:
        raise ValueError(
            f"arm {arm!r} is to be retrained but arms.configs names only {list(config.arms.configs)}; add its YAML"
        )
    yaml = find_config(config.arms.configs[arm])
    root = None if config.arms.motion_root is None else Path(config.arms.motion_root)
    return FineTune(arm, seed, find_weights(weights["original"]), yaml, config.arms.steps, root)


def _classify(
    config: HarEvalConfig, real: dict[str, RealWindows], windows: dict[tuple[str, str, int], Simulate]
) -> dict[tuple[str, str, str, int], Classify]:
    tasks = {}
    for name, entry in config.sets.items():
        for classifier, settings in config.classifiers.items():
            for seed in config.seeds:
                sources: dict[str, Simulate | None] = {
                    arm: task for (arm, other, its_seed), task in windows.items() if (other, its_seed) == (name, seed)
                }
                for arm, virtual in {**sources, REAL: None}.items():
                    tasks[arm, name, classifier, seed] = Classify(
                        classifier,
                        settings,
                        real[name],
                        virtual,
                        entry.train_windows_per_class,
                        _copies(entry, virtual),
                        seed,
                        label=f"{name}, {arm}",
                    )
    return tasks


def _copies(entry: SetConfig, virtual: Simulate | None) -> int:
    return entry.turned_copies if virtual is not None and entry.mounting == "axis_permutations" else 0


def resolve_device(device: str) -> str:
    """Return ``cpu`` or ``cuda``."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device
