"""Configuration of the acceleration experiment as typed, frozen dataclasses; acceleration.yaml holds the values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from experiments.pipeline.executor_config import ExecutorConfig, check_executor, spell_out_executor
from experiments.pipeline.typed_config import read_typed
from lightning_modules.metrics.sensor_distributions import DECIDING_PLACEMENTS
from lightning_modules.objective import check_loss_names
from lightning_modules.packaged_configs import find_config
from lightning_modules.sampling.samplers import check_sampler
from lightning_modules.virtual_sensors import VirtualSensors
from sim.names import check_name


@dataclass(frozen=True)
class ArmConfig:
    """One loss, or another objective that has a weight.

    Attributes:
        weights: those that the sweep tries, in units of the loss; one alone is taken without a sweep.
        options: further arguments of ``lightning fit`` for this arm.
        weighs: the argument that takes the weight, such as ``model.init_args.rollout.weight``; null where the arm's
            name is that of a loss.
        starts: names in ``originals`` that it is trained from; null is all.
    """

    weights: list[float] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    weighs: str | None = None
    starts: list[str] | None = None


@dataclass(frozen=True)
class AccelerationConfig:
    """The whole experiment; see the comments in acceleration.yaml.

    Attributes:
        originals: the priors that arms start from, by a name of one's own: the name of packaged weights, or a file.
            Each has a control of its own.
        config: YAML for ``lightning fit``, a file or a packaged one.
        steps: optimiser steps of each arm, the control's too.
        options: further arguments of every fit.
        motion_root: folder of motion files to train, choose and test on besides the embedded clips.
        arms: acceleration losses by name.
        sweep_seeds: seeds of the runs that a weight is chosen by; none of ``seeds``.
        seeds: each repeats fine-tuning and generation with the chosen weights.
        peak_tolerance: by how much the chosen weight's peak ratio may be further from 1 than the original's.
        window_s: length of the windows [s].
        still_m_s2: windows whose peak acceleration is below this are still [m/s^2].
        high_m_s2: windows whose peak acceleration is at least this are of high dynamics [m/s^2].
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

    originals: dict[str, str] = field(default_factory=dict)
    config: str = "experiments/finetune_acc.yaml"
    steps: int = 400
    options: list[str] = field(default_factory=list)
    motion_root: str | None = None
    arms: dict[str, ArmConfig] = field(default_factory=dict)
    sweep_seeds: list[int] = field(default_factory=lambda: [100])
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2, 3, 4])
    peak_tolerance: float = 0.05
    window_s: float = 4.0
    still_m_s2: float = 1.0
    high_m_s2: float = 12.0
    samples: int = 2
    guidance: float = 2.5
    sampler: str = "ddpm"
    sampling_steps: int | None = None
    placements: list[str] = field(default_factory=lambda: list(DECIDING_PLACEMENTS))
    resamples: int = 2000
    processes: int = 2
    executor: ExecutorConfig = field(default_factory=ExecutorConfig)
    output: str = "runs/acceleration"
    cache: str = "runs/cache"


def load_acceleration_config(path: Path, overrides: list[str]) -> AccelerationConfig:
    """Read the YAML, apply ``key=value`` overrides, and check it.

    Raises:
        FileNotFoundError: the file, or a folder or YAML that it names, does not exist.
        ValueError: a key is unknown, or a value is of a wrong type or out of range.
    """
    config = read_typed(AccelerationConfig, path, overrides, spell_out=spell_out_executor)
    check_executor(config.executor)
    check_loss_names(name for name, arm in config.arms.items() if arm.weighs is None)
    if not config.originals:
        raise ValueError("originals is empty, expected weights by name, such as {prior: prior}")
    check_sampler(config.sampler)
    VirtualSensors(placements=tuple(config.placements))  # refuses names that it does not know
    for name, arm in config.arms.items():
        if not arm.weights or min(arm.weights) <= 0 or len(set(arm.weights)) < len(arm.weights):
            raise ValueError(f"arms.{name}.weights is {arm.weights}, expected weights above 0, none twice")
        for start in arm.starts or ():
            check_name(start, config.originals, f"name in arms.{name}.starts")
    if not config.arms or not config.seeds or not config.sweep_seeds or min(*config.seeds, *config.sweep_seeds) < 0:
        raise ValueError("arms, seeds and sweep_seeds need at least one entry each, seeds none below 0")
    if set(config.seeds) & set(config.sweep_seeds):
        raise ValueError(
            f"seeds {config.seeds} and sweep_seeds {config.sweep_seeds} overlap, expected different ones: a weight "
            "must not be reported on the runs that it was chosen by"
        )
    if not 0 < config.still_m_s2 < config.high_m_s2:
        raise ValueError(
            f"still_m_s2 is {config.still_m_s2} and high_m_s2 {config.high_m_s2}, expected 0 < still_m_s2 < high_m_s2"
        )
    numbers = {name: getattr(config, name) for name in ("steps", "samples", "resamples", "processes")}
    if min(numbers.values()) < 1:
        raise ValueError(f"got {numbers}, expected at least 1 of each")
    find_config(config.config)  # only to hear now, not in the middle, that it is absent
    if config.motion_root is not None and not Path(config.motion_root).exists():
        raise FileNotFoundError(f"{config.motion_root} not found; set motion_root= to what is there")
    return config
