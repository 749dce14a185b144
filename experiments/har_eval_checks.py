"""Read the configuration of har_eval and check it before anything is run: a mistake costs a line, not an hour."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from datamodules.har.registry import READERS
from datamodules.motion_sources import list_items
from experiments.har_eval_config import MOUNTINGS, GenerationConfig, HarEvalConfig, SetConfig
from lightning_modules.har_evaluation import CLASSIFIERS
from lightning_modules.samplers import check_sampler
from sim.placements import PLACEMENT_NAMES
from sim.sensor_errors import SensorErrors

DEFAULT_CONFIG = Path(__file__).with_name("har_eval.yaml")


def load_config(path: Path = DEFAULT_CONFIG, overrides: Sequence[str] = ()) -> HarEvalConfig:
    """Read YAML, apply ``key=value`` overrides, and check all of it.

    Args:
        path: the YAML file.
        overrides: such as ``generation.seconds=4`` or ``seeds=[0,1]``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a key is unknown (named with the nearest valid one), or a value is of a wrong type or out of range.
    """
    if not path.is_file():
        raise FileNotFoundError(f"configuration {path} not found; the default one is {DEFAULT_CONFIG.name}")
    for override in overrides:
        if "=" not in override:
            raise ValueError(f"override {override!r} is not of the form key=value, such as generation.seconds=4")
    schema = OmegaConf.structured(HarEvalConfig)
    try:
        merged = OmegaConf.merge(schema, OmegaConf.load(path), OmegaConf.from_dotlist(list(overrides)))
        config = OmegaConf.to_object(merged)
    # "from None", here and below: what OmegaConf says would otherwise stand in for these lines.
    except ConfigKeyError as error:
        raise ValueError(_explain_unknown_key(error, path)) from None
    except OmegaConfBaseException as error:
        first = str(error).splitlines()[0]
        raise ValueError(f"{error.full_key or path.name}: {first}; see the comments in {DEFAULT_CONFIG.name}") from None
    if not isinstance(config, HarEvalConfig):
        raise ValueError(f"{path} holds a {type(config).__name__}, expected keys and values")
    check_config(config)
    return config


def _explain_unknown_key(error: ConfigKeyError, path: Path) -> str:
    key = str(error.full_key)
    parent, _, name = key.rpartition(".")
    valid = [entry.name for entry in fields(error.object_type)] if is_dataclass(error.object_type) else []
    near = difflib.get_close_matches(name, valid, n=1, cutoff=0.0)
    nearest = f"; the nearest valid one is {'.'.join([*parent.split('.'), near[0]]).lstrip('.')!r}" if near else ""
    return f"unknown key {key!r} in {path.name} or the overrides{nearest} (valid: {', '.join(valid)})"


def check_config(config: HarEvalConfig) -> None:
    """Make sure that the experiment can be run before anything is.

    Raises:
        ValueError: what is wrong, what was expected, and the valid names where a name is wrong.
        FileNotFoundError: a folder of motion is absent or holds none; the message says where to get some.
    """
    if not config.seeds or len(set(config.seeds)) != len(config.seeds):
        raise ValueError(f"seeds are {config.seeds}, expected at least one and none twice")
    if "original" not in config.arms.checkpoints:
        raise ValueError(f"arms.checkpoints name {list(config.arms.checkpoints)}, expected at least 'original'")
    if "mocap" in config.arms.checkpoints:
        raise ValueError("arms.checkpoints names 'mocap', which stands for the recorded clips; name the arm otherwise")
    for root in (config.arms.motion_root, config.paired.motion_root):
        if root is not None:
            list_items(root)  # only to hear now, not in the middle, that it is absent or holds no motion
    _check_generation(config.generation)
    SensorErrors.preset(config.simulation.errors)
    for key in ("repeats", "mountings"):
        _check_positive(f"simulation.{key}", getattr(config.simulation, key))
    _check_positive("resamples", config.resamples)
    _check_positive("processes", config.processes)
    _check_name(config.device, ("auto", "cpu", "cuda"), "device")
    if not config.sets or not config.classifiers:
        raise ValueError(f"{len(config.sets)} sets and {len(config.classifiers)} classifiers, expected one of each")
    for name, real in config.sets.items():
        _check_set(name, real, config.generation)
    for name, classifier in config.classifiers.items():
        _check_name(name, CLASSIFIERS, "classifier in classifiers")
        for key in ("steps", "batch_size"):
            _check_positive(f"classifiers.{name}.{key}", getattr(classifier, key))


def _check_generation(generation: GenerationConfig) -> None:
    check_sampler(generation.sampler)
    for key in ("motions_per_activity", "seconds"):
        _check_positive(f"generation.{key}", getattr(generation, key))
    for activity, prompts in generation.prompts.items():
        if not prompts or not all(prompt.strip() for prompt in prompts):
            raise ValueError(f"generation.prompts.{activity} is {prompts}, expected at least one prompt, none blank")


def _check_set(name: str, real: SetConfig, generation: GenerationConfig) -> None:
    _check_name(name, tuple(READERS), "data set in sets")
    if len(real.classes) < 2:
        raise ValueError(f"sets.{name}.classes are {real.classes}, expected at least two activities")
    for activity in real.classes:
        _check_name(activity, tuple(generation.prompts), f"activity in sets.{name}.classes without prompts:")
    if not real.placements:
        raise ValueError(f"sets.{name}.placements is empty, expected one or more of {list(PLACEMENT_NAMES)}")
    for placement in real.placements:
        _check_name(placement, PLACEMENT_NAMES, f"placement in sets.{name}.placements")
    _check_name(real.mounting, MOUNTINGS, f"sets.{name}.mounting")
    _check_positive(f"sets.{name}.rate_hz", real.rate_hz)
    _check_positive(f"sets.{name}.window_s", real.window_s)
    if real.window_s > generation.seconds:
        raise ValueError(
            f"sets.{name}.window_s is {real.window_s} s, expected at most generation.seconds, {generation.seconds} s"
        )


def _check_positive(name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"{name} is {value}, expected > 0")


def _check_name(name: str, valid: Sequence[str], what: str) -> None:
    if name not in valid:
        near = difflib.get_close_matches(name, valid, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown {what} {name!r}, expected one of {list(valid)}{hint}")
