"""Which runs the acceleration experiment needs: fine-tuned arms, and what is measured of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from datamodules.splits import Split
from experiments.acceleration.config import AccelerationConfig
from experiments.acceleration.measure import Measure
from experiments.arms.clips import HeldOut
from experiments.arms.fine_tune import FineTune
from lightning_modules.packaged_configs import find_config
from lightning_modules.sampling.normalised import SamplingOptions
from lightning_modules.weights import find_weights

ORIGINAL: Final = "original"
CONTINUED: Final = "continued"
"""Names of the two references: the prior that all start from, and its control that is trained on without a loss. The
other arms are named by their losses, in YAML."""


@dataclass(frozen=True)
class Arm:
    """One arm: the original, the control, or an acceleration loss at a weight.

    Attributes:
        name: :data:`ORIGINAL`, :data:`CONTINUED` or the loss.
        weight: of the loss; None where there is none.
    """

    name: str
    weight: float | None = None

    @property
    def label(self) -> str:
        """What tables and figures call it: its name, and the weight of a loss."""
        return self.name if self.weight is None else f"{self.name} {self.weight:g}"


def plan_measure(config: AccelerationConfig, arm: Arm, *, start: str, seed: int, split: Split) -> Measure:
    """Return the task that measures an arm of a seed on a split; the original is the same for every seed.

    Args:
        config: the experiment.
        arm: which arm.
        start: name of the prior that it starts from.
        seed: of the training.
        split: whose windows are measured.

    Raises:
        FileNotFoundError: the original's weights do not exist.
    """
    origin = find_weights(config.originals[start])
    cache = Path(config.cache)
    root = None if config.motion_root is None else Path(config.motion_root)
    windows = HeldOut(split, config.window_s, root, "--data.ships_only=true" in config.options)
    sampling = SamplingOptions(config.guidance, config.sampler, config.sampling_steps)
    weights = origin if arm.name == ORIGINAL else _fine_tune(config, arm, seed, origin)
    return Measure(arm.name, weights, windows, config.samples, sampling, tuple(config.placements), cache)


def _fine_tune(config: AccelerationConfig, arm: Arm, seed: int, origin: Path) -> FineTune:
    loss_weights = {"reconstruction": 1.0}
    options = list(config.options)
    if arm.weight is not None:
        weighs = config.arms[arm.name].weighs
        if weighs is None:
            loss_weights[arm.name] = arm.weight
        else:
            options.append(f"--{weighs}={arm.weight}")
        options += config.arms[arm.name].options
    root = None if config.motion_root is None else Path(config.motion_root)
    return FineTune(
        arm.label, seed, origin, find_config(config.config), config.steps, root,
        (f"--model.init_args.loss_weights={json.dumps(loss_weights)}", *options),
    )  # fmt: skip
