"""Which tasks make up har_eval: from a configuration to a graph, before anything is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from experiments.arms.fine_tune import FineTune, TrainAutoencoder
from experiments.har_eval.config import HarEvalConfig, SetConfig
from experiments.har_eval.stages.bodies import Bodies
from experiments.har_eval.stages.classify import Classify
from experiments.har_eval.stages.distances import Distances
from experiments.har_eval.stages.generate import Generate, Motions, Recorded
from experiments.har_eval.stages.paired import PairedError
from experiments.har_eval.stages.pictures import Pictures
from experiments.har_eval.stages.real import RealWindows
from experiments.har_eval.stages.simulate import Sensor, Simulate
from experiments.pipeline.tasks import Task
from lightning_modules.packaged_configs import find_config
from lightning_modules.weights import find_weights


@dataclass(frozen=True)
class Plan:
    """Every task of the experiment, by what it is for.

    Keys are names, never weights: two arms may well have the same, as a control of how much is luck.

    Attributes:
        paired: by arm and seed, for priors; the seed is None for weights from a file, which are the same for all.
        motions: by arm and seed, for arms that move.
        windows: by arm, set and seed, for arms that move; sets whose sensors are alike share a task.
        real: by set.
        classify: by arm, set, classifier and seed.
        distances: by arm, set and seed, for arms that move.
        pictures: by set.
        bodies: by arm, for arms that move.
    """

    paired: dict[tuple[str, int | None], PairedError]
    motions: dict[tuple[str, int], Motions]
    windows: dict[tuple[str, str, int], Simulate]
    real: dict[str, RealWindows]
    classify: dict[tuple[str, str, str, int], Classify]
    distances: dict[tuple[str, str, int], Distances]
    pictures: dict[str, Pictures]
    bodies: dict[str, Bodies]

    def tasks(self) -> list[Task]:
        """All tasks, those that others wait for first."""
        groups = (
            self.real,
            self.paired,
            self.motions,
            self.windows,
            self.classify,
            self.distances,
            self.pictures,
            self.bodies,
        )
        return [task for group in groups for task in group.values()]


def make_plan(config: HarEvalConfig) -> Plan:
    """Lay out the experiment; the configuration has been checked.

    Raises:
        FileNotFoundError: weights of an arm do not exist.
    """
    motions: dict[tuple[str, int], Motions] = {
        (arm, seed): task for arm in config.arms for seed in config.seeds if (task := plan_motions(config, arm, seed))
    }
    real = {name: RealWindows.of(name, config) for name in config.sets}
    sensors = _by_sensor(config)
    windows = {
        (arm, name, seed): Simulate(
            task,
            ", ".join(alike),
            sensor,
            tuple(dict.fromkeys(activity for other in alike for activity in config.sets[other].classes)),
            config.simulation,
            seed,
            config.arms[arm].smooth_hz,
            _path(config.simulation.body),
        )
        for (arm, seed), task in motions.items()
        for sensor, alike in sensors
        for name in alike
    }
    return Plan(
        paired=_paired(config),
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
        bodies={
            arm: Bodies(task, tuple(sensor for sensor, _ in sensors), activities_of(config), config.arms[arm].smooth_hz)
            for (arm, seed), task in motions.items()
            if seed == config.seeds[0]
        },
    )


def activities_of(config: HarEvalConfig) -> tuple[str, ...]:
    """Return the activities that any set asks for."""
    return tuple(dict.fromkeys(name for real in config.sets.values() for name in real.classes))


def _by_sensor(config: HarEvalConfig) -> list[tuple[Sensor, list[str]]]:
    """Sets by what their sensors are like: those that are alike share virtual windows."""
    found: list[tuple[Sensor, list[str]]] = []
    for name, entry in config.sets.items():
        sensor = Sensor.of(entry)
        alike = next((names for other, names in found if other == sensor), None)
        if alike is None:
            found.append((sensor, [name]))
        else:
            alike.append(name)
    return found


def plan_motions(config: HarEvalConfig, arm: str, seed: int) -> Motions | None:
    """Return the task that gives an arm's motions; None for an arm that needs none, as real people are recorded."""
    activities = activities_of(config)
    generation = config.generation
    match config.arms[arm].kind:
        case "prior":
            checkpoint, device = plan_weights(config, arm, seed), resolve_device(config.device)
            own, draw = config.generation_of(arm), config.arms[arm].draw
            return Generate(arm, seed, checkpoint, own, activities, device, Path(config.cache), draw)
        case "recorded":
            root = config.arms[arm].motion_root or config.fine_tuning.motion_root
            count = generation.motions_per_activity
            return Recorded(arm, seed, generation.seconds, count, activities, _path(root))
        case "generated":
            folder, count = _path(config.arms[arm].generated), generation.motions_per_activity
            return Recorded(arm, seed, generation.seconds, count, activities, folder, embedded=False)
        case "real_people":
            return None


def plan_weights(config: HarEvalConfig, arm: str, seed: int) -> Path | FineTune:
    """Return a prior's weights: a file, or the task that trains them from those of the arm that it starts from.

    Raises:
        FileNotFoundError: there is no such file.
    """
    entry, tuning = config.arms[arm], config.fine_tuning
    if entry.config is None or not config.trains(arm):
        return find_weights(str(entry.weights))
    layers, root = tuple(find_config(layer) for layer in entry.layers), _path(tuning.motion_root)
    first = entry.first_stage and TrainAutoencoder(
        arm, seed, find_config(entry.first_stage), layers, root, tuple(entry.first_stage_options)
    )
    return FineTune(
        arm,
        seed,
        None if entry.start is None else plan_weights(config, entry.start, seed),
        find_config(entry.config),
        None if entry.start is None else tuning.steps,
        root,
        tuple(entry.options),
        layers,
        first or None,
    )


def _paired(config: HarEvalConfig) -> dict[tuple[str, int | None], PairedError]:
    root = _path(config.paired.motion_root or config.fine_tuning.motion_root)
    tasks: dict[tuple[str, int | None], PairedError] = {}
    for arm in (name for name, entry in config.arms.items() if entry.kind == "prior"):
        for seed in config.seeds:
            checkpoint = plan_weights(config, arm, seed)
            key = (arm, seed if isinstance(checkpoint, FineTune) else None)
            tasks[key] = PairedError(arm, checkpoint, config.paired.window_s, root, Path(config.cache))
    return tasks


def _classify(
    config: HarEvalConfig, real: dict[str, RealWindows], windows: dict[tuple[str, str, int], Simulate]
) -> dict[tuple[str, str, str, int], Classify]:
    tasks = {}
    for name, entry in config.sets.items():
        for classifier in config.classifiers_of(name):
            settings = config.classifiers[classifier]
            for seed in config.seeds:
                for arm in config.arms:
                    virtual = windows.get((arm, name, seed))
                    tasks[arm, name, classifier, seed] = Classify(
                        classifier,
                        settings,
                        real[name],
                        virtual,
                        entry.train_windows_per_class,
                        _copies(entry, virtual, config.arms[arm].calibrate),
                        seed,
                        config.arms[arm].people or None,
                        config.arms[arm].protocol,
                        tuple(config.arms[arm].calibrate),
                        config.arms[arm].augment,
                        label=f"{name}, {arm}",
                    )
    return tasks


def _copies(entry: SetConfig, virtual: Simulate | None, calibrate: Sequence[str]) -> int:
    unknown = entry.mounting == "axis_permutations" and "turn" not in calibrate
    return entry.turned_copies if virtual is not None and unknown else 0


def _path(folder: str | None) -> Path | None:
    return None if folder is None else Path(folder).expanduser()


def resolve_device(device: str) -> str:
    """Return ``cpu`` or ``cuda``."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device
