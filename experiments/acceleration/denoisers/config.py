"""Configuration of the comparison of denoisers as typed, frozen dataclasses; denoisers.yaml holds the values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from experiments.pipeline.executor_config import ExecutorConfig, check_executor, spell_out_executor
from experiments.pipeline.typed_config import read_typed
from lightning_modules.metrics.sensor_distributions import DECIDING_PLACEMENTS
from lightning_modules.packaged_configs import find_config
from lightning_modules.sampling.samplers import check_sampler
from lightning_modules.virtual_sensors import VirtualSensors
from lightning_modules.weights import find_weights
from sim.names import check_name


@dataclass(frozen=True)
class DenoiserArm:
    """One denoiser.

    Attributes:
        init_from: the name of packaged weights, or a file, to start from; null starts from scratch.
        trained: whether it is trained here; false measures ``init_from`` as it is.
        options: arguments of ``lightning fit`` that make it what it is.
    """

    init_from: str | None = None
    trained: bool = True
    options: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DenoisersConfig:
    """The whole comparison; see the comments in denoisers.yaml.

    Attributes:
        config: YAML for ``lightning fit``, a file or a packaged one.
        reference: the arm whose ``steps`` are the compute that every arm gets.
        steps: optimiser steps of the reference; each other arm takes as many as cost the same.
        options: further arguments of every fit, before an arm's own.
        motion_root: folder of motion files to train and test on besides the embedded clips.
        ships_only: leave out clips that the packaged prior was not trained on.
        normalised_by: packaged weights, or a file, by whose statistics the scaled input is judged.
        arms: denoisers by name.
        seeds: each repeats training and generation.
        window_s: length of the test windows [s].
        samples: motions generated for each window's caption.
        guidance: classifier-free guidance scale.
        sampler: one of :data:`lightning_modules.sampling.samplers.SAMPLER_NAMES`.
        sampling_steps: network calls per motion; null takes all of the schedule.
        placements: presets at which generated and recorded motion is simulated and compared.
        resamples: bootstrap resamples behind each interval.
        processes: tasks run at the same time.
        executor: what runs them, in place of processes of this machine.
        output: folder of the results.
        cache: folder of stage results.
    """

    config: str = "experiments/prior_mdm.yaml"
    reference: str = ""
    steps: int = 1200
    options: list[str] = field(default_factory=list)
    motion_root: str | None = None
    ships_only: bool = True
    normalised_by: str = "prior"
    arms: dict[str, DenoiserArm] = field(default_factory=dict)
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    window_s: float = 4.0
    samples: int = 2
    guidance: float = 2.5
    sampler: str = "ddpm"
    sampling_steps: int | None = None
    placements: list[str] = field(default_factory=lambda: list(DECIDING_PLACEMENTS))
    resamples: int = 2000
    processes: int = 2
    executor: ExecutorConfig = field(default_factory=ExecutorConfig)
    output: str = "runs/denoisers"
    cache: str = "runs/cache"


def load_denoisers_config(path: Path, overrides: list[str]) -> DenoisersConfig:
    """Read the YAML, apply ``key=value`` overrides, and check it.

    Raises:
        FileNotFoundError: the file, or a folder, weights or YAML that it names, does not exist.
        ValueError: a key is unknown, or a value is of a wrong type or out of range.
    """
    config = read_typed(DenoisersConfig, path, overrides, spell_out=spell_out_executor)
    check_executor(config.executor)
    check_name(config.reference, [name for name, arm in config.arms.items() if arm.trained], "trained arm (reference)")
    check_sampler(config.sampler)
    VirtualSensors(placements=tuple(config.placements))  # refuses names that it does not know
    for name, arm in config.arms.items():
        if not arm.trained and (arm.init_from is None or arm.options):
            raise ValueError(
                f"arms.{name} has trained: false, init_from {arm.init_from} and options {arm.options}, expected "
                "weights and no options; name weights in init_from, or train it"
            )
    if not config.seeds or min(config.seeds) < 0:
        raise ValueError(f"seeds is {config.seeds}, expected at least one, none below 0")
    numbers = {name: getattr(config, name) for name in ("steps", "samples", "resamples", "processes")}
    if min(numbers.values()) < 1:
        raise ValueError(f"got {numbers}, expected at least 1 of each")
    # Only to hear now, not in the middle, that something is absent.
    find_config(config.config)
    for weights in (config.normalised_by, *(arm.init_from for arm in config.arms.values() if arm.init_from)):
        find_weights(weights)
    if config.motion_root is not None and not Path(config.motion_root).exists():
        raise FileNotFoundError(f"{config.motion_root} not found; set motion_root= to what is there")
    return config
