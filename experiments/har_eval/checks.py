"""Read the configuration of har_eval and check it before anything is run: a mistake costs a line, not an hour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from datamodules.batches import LONGEST_S, check_seconds
from datamodules.clips.sources import list_items
from datamodules.har.real_module import check_placements
from datamodules.har.recordings.reading import Reading
from datamodules.har.registry import READERS
from experiments.arms.wearing import ErrorsConfig, read_body
from experiments.har_eval.arm_checks import check_arms, check_sampling
from experiments.har_eval.config import (
    MOUNTINGS,
    SPLITS,
    GenerationConfig,
    HarEvalConfig,
    SetConfig,
    SimulationConfig,
)
from experiments.har_eval.needs import check_needs
from experiments.har_eval.options import DEFAULT_CONFIG
from experiments.har_eval.short_forms import spell_out
from experiments.pipeline.executor_config import check_executor
from experiments.pipeline.ranges import MANY, find_beyond
from experiments.pipeline.typed_config import read_typed
from lightning_modules.har_evaluation import CLASSIFIERS
from sim.body import Body
from sim.checks import check_seed
from sim.names import check_name
from sim.placements import PLACEMENT_NAMES, Placement
from sim.placements.mountings import check_mounting

_SET_RANGES: Final = {
    "rate_hz": (-MANY, 1e4),
    "window_s": (-MANY, LONGEST_S),
    "overlap": (0, 0.99),
    "purity": (0, 1),
    "turn_about_deg": (-360, 360),
    "move_along_mm": (-1000, 1000),
    "around_deg": (0, 360),
    "train_windows_per_class": (1, 1e9),
    "turned_copies": (0, 1000),
    "folds": (-MANY, MANY),
}


def load_config(path: Path | Sequence[Path] = DEFAULT_CONFIG, overrides: Sequence[str] = ()) -> HarEvalConfig:
    """Read YAML, apply ``key=value`` overrides, and check all of it; raises as :func:`read_typed` and check_config."""
    config = read_typed(HarEvalConfig, path, overrides, spell_out=spell_out)
    check_config(config)
    return config


def check_config(config: HarEvalConfig) -> None:
    """Make sure that the experiment can be run before anything is.

    Raises:
        ValueError: what is wrong, what was expected, and the valid names where a name is wrong.
        FileNotFoundError: weights of an arm are absent, or a folder of motion is or holds none; says where to get some.
    """
    read = {config.reader(name) for name in config.sets}
    check_needs({kind: place for kind, place in config.needs.items() if kind in read or kind not in READERS})
    if not config.seeds or len(set(config.seeds)) != len(config.seeds):
        raise ValueError(f"seeds are {config.seeds}, expected at least one and none twice")
    for seed in config.seeds:
        check_seed(seed, "one of seeds")
    for beyond in _find_beyond(config):
        raise ValueError(beyond)
    check_arms(config)
    recorded = (arm.motion_root for arm in config.arms.values())
    for root in dict.fromkeys((config.fine_tuning.motion_root, config.paired.motion_root, *recorded)):
        if root is not None:
            list_items(root)  # only to hear now, not in the middle, that it is absent or holds no motion
    _check_generation(config.generation)
    body = _check_simulation(config.simulation)
    _check_positive("resamples", config.resamples)
    _check_positive("processes", config.processes)
    check_executor(config.executor)
    check_name(config.device, ("auto", "cpu", "cuda"), "device")
    if not config.sets or not config.classifiers:
        raise ValueError(f"{len(config.sets)} sets and {len(config.classifiers)} classifiers, expected one of each")
    for name, real in config.sets.items():
        _check_set(name, real, config.generation, body)
        _check_recordings(name, config)
        _check_classifiers(name, config)
        _check_calibration(name, config)
    for name, classifier in config.classifiers.items():
        check_name(name, CLASSIFIERS, "classifier in classifiers")
        for key in ("steps", "batch_size", "check_every", "patience", "networks"):
            _check_positive(f"classifiers.{name}.{key}", getattr(classifier, key))
        if not 0 <= (share := classifier.val_fraction) < 1:
            raise ValueError(f"classifiers.{name}.val_fraction is {share}, expected a share in [0, 1)")


def _find_beyond(config: HarEvalConfig) -> Iterator[str]:
    """Yield numbers that cannot be meant; what is merely not positive is told by the checks of each part."""
    yield from find_beyond(config, {"resamples": (-MANY, MANY), "processes": (-MANY, 1024)})
    yield from find_beyond(config.paired, {"window_s": (0.2, LONGEST_S)}, "paired.")
    of_all = {"motions_per_activity": (-MANY, MANY), "guidance": (0, 1000), "steps": (1, 1000)}
    yield from find_beyond(config.generation, of_all, "generation.")
    spreads = {"along_mm": (0, 1000), "around_deg": (0, 360), "rotation_deg": (0, 360)}
    counts = dict.fromkeys(("repeats", "mountings"), (-MANY, MANY))
    yield from find_beyond(config.simulation, {**counts, **spreads}, "simulation.")
    for name, entry in config.sets.items():
        yield from find_beyond(entry, _SET_RANGES, f"sets.{name}.")
    for name, classifier in config.classifiers.items():
        keys = ("steps", "batch_size", "check_every", "patience")
        yield from find_beyond(
            classifier, {**dict.fromkeys(keys, (-MANY, 1e9)), "networks": (-MANY, 100)}, f"classifiers.{name}."
        )


def _check_generation(generation: GenerationConfig) -> None:
    check_sampling("generation", generation)
    _check_positive("generation.motions_per_activity", generation.motions_per_activity)
    check_seconds(generation.seconds, "generation.seconds")
    for activity, prompts in generation.prompts.items():
        if not prompts or not all(prompt.strip() for prompt in prompts):
            raise ValueError(f"generation.prompts.{activity} is {prompts}, expected at least one prompt, none blank")


def _check_simulation(simulation: SimulationConfig) -> Body:
    _check_errors("simulation.errors", simulation.errors)
    for key in ("repeats", "mountings"):
        _check_positive(f"simulation.{key}", getattr(simulation, key))
    try:
        return read_body(simulation.body)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"simulation.body: {error}") from error
    except ValueError as error:
        raise ValueError(f"simulation.body: {error}") from error


def _check_errors(name: str, errors: ErrorsConfig) -> None:
    try:
        errors.make()
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _check_set(name: str, real: SetConfig, generation: GenerationConfig, body: Body) -> None:
    check_name(real.reader or name, tuple(READERS), "data set in sets")
    if len(real.classes) < 2:
        raise ValueError(f"sets.{name}.classes are {real.classes}, expected at least two activities")
    for activity in real.classes:
        check_name(activity, tuple(generation.prompts), f"activity in sets.{name}.classes without prompts:")
    if not real.placements:
        raise ValueError(f"sets.{name}.placements is empty, expected one or more of {list(PLACEMENT_NAMES)}")
    for placement in real.placements:
        check_name(placement, PLACEMENT_NAMES, f"placement in sets.{name}.placements")
        Placement.preset(placement).on(body)
    _check_mounting(f"sets.{name}.mounting", real.mounting, name)
    _check_worn(name, real)
    if real.errors is not None:
        _check_errors(f"sets.{name}.errors", real.errors)
    _check_positive(f"sets.{name}.rate_hz", real.rate_hz)
    _check_positive(f"sets.{name}.window_s", real.window_s)
    if real.window_s > generation.seconds:
        raise ValueError(
            f"sets.{name}.window_s is {real.window_s} s, expected at most generation.seconds, {generation.seconds} s"
        )


def _check_classifiers(name: str, config: HarEvalConfig) -> None:
    for classifier in config.sets[name].classifiers:
        check_name(classifier, tuple(config.classifiers), f"classifier in sets.{name}.classifiers")
    finetuned = [arm for arm, entry in config.arms.items() if entry.protocol == "pretrain_then_finetune"]
    if finetuned and "forest" in config.classifiers_of(name):
        raise ValueError(
            f"arms.{finetuned[0]}.protocol is pretrain_then_finetune, which a forest cannot do; leave it out with "
            "classifiers.forest=null, or mix"
        )


def _check_calibration(name: str, config: HarEvalConfig) -> None:
    """Make sure that what arms calibrate can be told from the training people of an entry."""
    entry, known = config.sets[name], READERS[config.reader(name)].subject_independent
    for arm, parts in ((arm, its.calibrate) for arm, its in config.arms.items() if its.calibrate):
        if not known:
            raise ValueError(
                f"sets.{name} does not keep people apart, so arms.{arm}.calibrate could reach who is tested; "
                "leave one out"
            )
        if "turn" in parts and "accel" not in entry.channels:
            raise ValueError(
                f"arms.{arm}.calibrate holds turn, which gravity tells, but sets.{name}.channels are {entry.channels}; "
                "add accel, or calibrate quantiles alone"
            )
        if "turn" not in parts and entry.mounting == "axis_permutations":
            raise ValueError(
                f"arms.{arm}.calibrate is {parts}, but the axes of sets.{name} are unknown, so that its "
                "channels are not the people's; calibrate turn, too"
            )


def _check_mounting(place: str, mounting: str, sensor: str) -> None:
    if mounting in MOUNTINGS:
        return
    try:
        check_mounting(mounting, sensor)
    except ValueError as error:
        raise ValueError(f"{place}: {error}; or {' or '.join(MOUNTINGS)}") from error


def _check_worn(name: str, real: SetConfig) -> None:
    """Make sure that sensors worn at once are those of the people, in the same order, with axes that are known."""
    if not real.worn:
        return
    sites = list(real.worn)
    if sites != real.placements or sites != real.recorded_at:
        raise ValueError(
            f"sets.{name}.worn are {sites}, placements {real.placements} and recorded_at {real.recorded_at}, expected "
            "the same names in the same order: a window holds the channels of all"
        )
    for site, entry in real.worn.items():
        mounting = entry.mounting or real.mounting
        if mounting == "axis_permutations":
            raise ValueError(
                f"the mounting of sets.{name}.worn.{site} is axis_permutations, expected known axes where several "
                "sensors are worn at once"
            )
        _check_mounting(f"sets.{name}.worn.{site}.mounting", mounting, site)


def _check_split(entry: SetConfig, reader: str) -> None:
    real = READERS[reader]
    if entry.split == "official" and real.is_test is None:
        raise ValueError(f"{reader} has no official split; give split: loso")
    if entry.split != "official" and not real.subject_independent:
        raise ValueError(f"{reader} does not say who wore the sensors, so nobody can be left out; split otherwise")
    if (entry.folds is not None) != (entry.split == "kfold"):
        raise ValueError(f"folds is {entry.folds} and split {entry.split}, expected folds: N where split: kfold")
    if entry.folds is not None and entry.folds < 2:
        raise ValueError(f"folds is {entry.folds}, expected at least 2 groups of people")
    if bool(entry.test_people) != (entry.split == "subjects"):
        raise ValueError(
            f"test_people are {entry.test_people} and split {entry.split}, expected people where split: subjects"
        )
    if entry.fold is None:
        return
    if entry.split not in ("loso", "kfold"):
        raise ValueError(f"fold is {entry.fold} and split {entry.split}, which has no folds; give split: loso or kfold")
    if entry.fold < 0 or (entry.folds is not None and entry.fold >= entry.folds):
        raise ValueError(f"fold is {entry.fold}, expected 0{f' to {entry.folds - 1}' if entry.folds else ' or more'}")


def _check_recordings(name: str, config: HarEvalConfig) -> None:
    """Make sure that the real people of an entry are there and can be parted as it says."""
    entry, reader, root = config.sets[name], config.reader(name), config.root(name)
    real = READERS[reader]
    check_name(entry.split, SPLITS, f"sets.{name}.split")
    try:
        _check_split(entry, reader)
        check_placements(tuple(entry.recorded_at) or real.placements, real, reader)
        counted = [arm for arm, its in config.arms.items() if its.people]
        if counted and not real.subject_independent:
            raise ValueError(
                f"{reader} does not say who wore the sensors, so arms.{counted[0]}.people cannot be counted out"
            )
        if not real.sources(root):
            next(iter(real.read(root, Reading())), None)  # only to hear now what the reader says of it
    except FileNotFoundError as error:
        raise FileNotFoundError(f"sets.{name}: {error}; its root is given as roots.{reader}=PATH") from error
    except ValueError as error:
        raise ValueError(f"sets.{name}: {error}") from error


def _check_positive(name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"{name} is {value}, expected > 0")
