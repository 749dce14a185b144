"""Which runs the comparison of denoisers needs: trained arms, what is measured of them, and of the scaled input."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.acceleration.denoisers.compute import Cost, equal_steps, measure_cost
from experiments.acceleration.denoisers.config import DenoisersConfig
from experiments.acceleration.measure import Measure
from experiments.arms.clips import HeldOut
from experiments.arms.fine_tune import FineTune, load_arm, start_from
from experiments.arms.paired_errors import SPACES, paired_errors_in_all_spaces, scale_input
from experiments.pipeline.files import save_arrays
from experiments.pipeline.tasks import Inputs, Task
from lightning_modules.packaged_configs import find_config
from lightning_modules.sampling.normalised import SamplingOptions
from lightning_modules.weights import find_weights

_ERRORS: Final = "errors.npz"


@dataclass(frozen=True)
class MeasureInput(Task):
    """One-step errors of who returns the scaled input: ``errors.npz``, squares and counts as :class:`Measure` has them.

    Attributes:
        weights: whose schedule and statistics count.
        windows: which.
        cache_dir: folder of stage results.
    """

    stage: ClassVar[str] = "measure_input"
    stage_title: ClassVar[str] = "measuring the scaled input"
    weights: Path
    windows: HeldOut
    cache_dir: Path = field(metadata={"key": False})

    @property
    def title(self) -> str:
        """The split."""
        return self.windows.split

    def run(self, inputs: Inputs, output: Path) -> None:
        """Go through all windows, with the noise that every arm is given."""
        model = load_arm(self.weights, inputs, cache_dir=self.cache_dir)
        parts: dict[str, list[torch.Tensor]] = {}
        for batch, *_ in self.windows.batches(self.cache_dir):
            for name, (sums, counts) in paired_errors_in_all_spaces(model, batch, scale_input).items():
                parts.setdefault(name, []).append(sums)
                parts.setdefault(f"{name}_count", []).append(counts)
        save_arrays(output / _ERRORS, {name: torch.cat(values).numpy() for name, values in parts.items()})


@dataclass(frozen=True)
class InputErrors:
    """What :class:`MeasureInput` wrote."""

    squares: dict[str, NDArray[np.float64]]
    counts: dict[str, NDArray[np.float64]]


def read_input_errors(folder: Path) -> InputErrors:
    """Read what :class:`MeasureInput` wrote."""
    with np.load(folder / _ERRORS, allow_pickle=False) as data:
        return InputErrors({name: data[name] for name in SPACES}, {name: data[f"{name}_count"] for name in SPACES})


@dataclass(frozen=True)
class Budget:
    """What an arm is given: the cost of a step, and how many."""

    cost: Cost
    steps: int


def plan_budgets(config: DenoisersConfig) -> dict[str, Budget]:
    """Return what each trained arm is given, such that all cost the same.

    Raises:
        SystemExit: an arm has an option that ``lightning fit`` does not know.
    """
    costs = {
        name: measure_cost(
            find_config(config.config),
            [*([] if arm.init_from is None else start_from(find_weights(arm.init_from))), *fit_options(config, name)],
        )
        for name, arm in config.arms.items()
        if arm.trained
    }
    return {
        name: Budget(cost, equal_steps(cost, costs[config.reference], config.steps)) for name, cost in costs.items()
    }


def plan_training(config: DenoisersConfig, name: str, *, seed: int, steps: int) -> FineTune:
    """Return the task that trains an arm."""
    arm = config.arms[name]
    origin = None if arm.init_from is None else find_weights(arm.init_from)
    root = None if config.motion_root is None else Path(config.motion_root)
    return FineTune(name, seed, origin, find_config(config.config), steps, root, tuple(fit_options(config, name)))


def plan_measure(config: DenoisersConfig, name: str, weights: Path | FineTune) -> Measure:
    """Return the task that measures an arm's weights on the test windows."""
    sampling = SamplingOptions(config.guidance, config.sampler, config.sampling_steps)
    return Measure(
        name, weights, held_out(config), config.samples, sampling, tuple(config.placements), Path(config.cache)
    )


def plan_input(config: DenoisersConfig) -> MeasureInput:
    """Return the task that measures the scaled input on the test windows."""
    return MeasureInput(find_weights(config.normalised_by), held_out(config), Path(config.cache))


def held_out(config: DenoisersConfig) -> HeldOut:
    """Return the test windows."""
    root = None if config.motion_root is None else Path(config.motion_root)
    return HeldOut("test", config.window_s, root, config.ships_only)


def fit_options(config: DenoisersConfig, name: str) -> list[str]:
    """Return the arguments of ``lightning fit`` that an arm is trained with, beside those of its seed."""
    ships = f"--data.init_args.ships_only={str(config.ships_only).lower()}"
    return [ships, *config.options, *config.arms[name].options]
