"""Options of the rollout objective, as YAML gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lightning_modules.sampling.samplers import STEPS
from lightning_modules.spectra.sensor_spectra import SpectrumLossOptions
from lightning_modules.virtual_sensors import SensorLossOptions
from sim.names import check_name

DISTANCES: Final = ("spectrum", "quantiles")


@dataclass(frozen=True)
class RolloutOptions:
    """What is lowered along the model's own sampling; see :class:`lightning_modules.rollout.rollout.Rollout`.

    Attributes:
        weight: of the whole beside the other losses; 0 is no rollout.
        weights: of the distances ``spectrum`` and ``quantiles``; None is 1 each.
        activities: which to sample; None takes all of which the training data hold recorded motion.
        every: optimiser steps between two of the rollout's.
        at: which calls of the network learn, as fractions of the sampling from its first call (0) to its last (1); None
            is all. The others are walked without a gradient, together with the next that learns.
        sampler: ``ddim`` or ``ddpm``, which remember nothing but where they are.
        steps: network calls of a whole sampling.
        guidance: classifier-free guidance scale; 1 is none, and half the work.
        motions: that are sampled together, four or more of an activity.
        seconds: length of a motion [s].
        warmup_steps: optimiser steps over which the weight rises from 0.
        sensors: which sensors are read; None takes those of the losses.
        spectrum: how spectra are taken; None takes the losses' way.

    Raises:
        ValueError: a name is unknown, or a number is out of range.
    """

    weight: float = 0.0
    weights: dict[str, float] | None = None
    activities: list[str] | None = None
    every: int = 1
    at: list[float] | None = None
    sampler: str = "ddim"
    steps: int = 10
    guidance: float = 2.5
    motions: int = 16
    seconds: float = 4.0
    warmup_steps: int = 0
    sensors: SensorLossOptions | None = None
    spectrum: SpectrumLossOptions | None = None

    def __post_init__(self) -> None:
        check_name(self.sampler, tuple(STEPS), "sampler of the rollout")
        for name in self.weights or {}:
            check_name(name, DISTANCES, "distance of the rollout")
        parts = self.parts
        if self.weight < 0 or any(value < 0 for value in parts.values()) or not any(parts.values()):
            raise ValueError(
                f"rollout has weight {self.weight} and weights {parts}, expected none below 0 and one of the distances "
                "above; weight 0 is no rollout"
            )
        if self.at is not None and (not self.at or not all(0 <= fraction <= 1 for fraction in self.at)):
            raise ValueError(
                f"rollout.at is {self.at}, expected fractions of the sampling from 0 to 1, such as [0.5, 0.75, 1.0]"
            )
        if min(self.every, self.steps, self.motions) < 1 or self.warmup_steps < 0:
            raise ValueError(
                f"rollout has every {self.every}, steps {self.steps}, motions {self.motions} and warmup_steps "
                f"{self.warmup_steps}, expected at least 1, and of warmup_steps 0"
            )

    @property
    def parts(self) -> dict[str, float]:
        """Weight of each distance, 0 where it is left out."""
        given = dict.fromkeys(DISTANCES, 1.0) if self.weights is None else self.weights
        return {name: given.get(name, 0.0) for name in DISTANCES}

    @property
    def learning_calls(self) -> tuple[int, ...]:
        """Numbers of the network calls that learn, rising, 0 the first of a sampling."""
        if self.at is None:
            return tuple(range(self.steps))
        return tuple(sorted({round(fraction * (self.steps - 1)) for fraction in self.at}))
