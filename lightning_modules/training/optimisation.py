"""Optimiser and learning-rate schedule of a fine-tuning run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

LR_SCHEDULES = ("constant", "cosine", "wsd")
_COOLDOWN = 0.2  # last share of a run over which "wsd" falls


@dataclass(frozen=True)
class OptimiserOptions:
    """How weights are moved: AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) and its learning rate.

    Attributes:
        lr: learning rate after the warm-up.
        weight_decay: of AdamW.
        warmup_steps: optimiser steps until ``lr`` is reached.
        lr_schedule: ``cosine`` (to 0 at the end of the run), ``constant``, or ``wsd`` (constant, then falling to 0 over
            the last fifth): until it falls, a run does not depend on where it ends, and can be made longer.
        skip_lr_factor: times ``lr`` for the parameters of a skip, which starts closed.

    Raises:
        ValueError: the schedule is unknown, or the learning rate or the factor is not above 0.
    """

    lr: float = 2e-4
    weight_decay: float = 0.0
    warmup_steps: int = 100
    lr_schedule: str = "cosine"
    skip_lr_factor: float = 10.0

    def __post_init__(self) -> None:
        check_lr_schedule(self.lr_schedule)
        check_lr(self.lr)
        if not self.skip_lr_factor > 0:
            raise ValueError(f"skip_lr_factor is {self.skip_lr_factor}, expected above 0; 1 is the rate of all others")


def check_lr(lr: object) -> None:
    """Refuse a learning rate that is none.

    Raises:
        ValueError: it is not a finite number of at least 0.
    """
    if isinstance(lr, bool) or not isinstance(lr, int | float) or not 0 <= lr < math.inf:
        raise ValueError(f"lr is {lr!r}, expected a number of at least 0, such as 2e-4")


def check_lr_schedule(name: str) -> None:
    """Refuse a schedule that does not exist.

    Raises:
        ValueError: it names the valid ones.
    """
    if name not in LR_SCHEDULES:
        raise ValueError(f"lr_schedule {name!r} is unknown, must be one of {list(LR_SCHEDULES)}")


def check_fractions(**values: float) -> None:
    """Refuse what is no fraction.

    Raises:
        ValueError: it names the value that is not between 0 and 1.
    """
    for name, value in values.items():
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} is {value}, expected a number between 0 and 1")


def make_lr_factor(name: str, *, warmup_steps: int, total_steps: float) -> Callable[[int], float]:
    """Return the factor on the learning rate as a function of the optimiser step.

    It rises linearly over ``warmup_steps``, then stays (``constant``), falls to 0 at ``total_steps`` along half a
    cosine (Loshchilov and Hutter 2017, arXiv:1608.03983), or stays and falls linearly to 0 over the last fifth
    (``wsd``, warm-up, stable, decay: Hu et al. 2024, arXiv:2404.06395; Hägele et al. 2024, arXiv:2405.18392).

    Raises:
        ValueError: the schedule is unknown, or has no end and needs one.
    """
    check_lr_schedule(name)
    if name != "constant" and not math.isfinite(total_steps):
        raise ValueError(f"lr_schedule {name!r} needs an end; set trainer.max_steps or max_epochs, or use 'constant'")

    def factor(step: int) -> float:
        rise = min(1.0, (step + 1) / max(1, warmup_steps))
        if name == "constant":
            return rise
        if name == "wsd":
            return rise * min(1.0, max(0.0, (total_steps - step) / max(1.0, _COOLDOWN * total_steps)))
        progress = (step - warmup_steps) / max(1.0, total_steps - warmup_steps)
        return rise * 0.5 * (1.0 + math.cos(math.pi * min(1.0, max(0.0, progress))))

    return factor


def make_optimiser(
    parameters: Iterable[nn.Parameter] | list[dict[str, Any]],
    *,
    lr: float,
    weight_decay: float,
    lr_factor: Callable[[int], float],
) -> tuple[Optimizer, LambdaLR]:
    """Return AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) and its schedule."""
    optimiser = AdamW(parameters, lr=lr, weight_decay=weight_decay, fused=True)
    # torch marks fused optimisers as able to undo a gradient scaler's scaling themselves, and Lightning then refuses to
    # clip under mixed precision. Without the mark the scaler undoes it as for any other optimiser, before the clipping.
    optimiser._step_supports_amp_scaling = False
    return optimiser, LambdaLR(optimiser, lr_factor)


def make_optimisers(
    parameters: Iterable[nn.Parameter],
    options: OptimiserOptions,
    *,
    total_steps: float,
    skip: Iterable[nn.Parameter] = (),
) -> OptimizerLRSchedulerConfig:
    """Return what ``configure_optimizers`` has to: AdamW with warm-up and the chosen schedule, moved every step.

    Args:
        parameters: to optimise.
        options: rate, decay, warm-up and schedule.
        total_steps: of the run.
        skip: those of ``parameters`` that ``skip_lr_factor`` is for.
    """
    faster = list(skip)
    chosen = {id(parameter) for parameter in faster}
    groups: list[dict[str, Any]] = [{"params": [value for value in parameters if id(value) not in chosen]}]
    if faster:
        groups.append({"params": faster, "lr": options.lr * options.skip_lr_factor})
    factor = make_lr_factor(options.lr_schedule, warmup_steps=options.warmup_steps, total_steps=total_steps)
    optimiser, scheduler = make_optimiser(
        [group for group in groups if group["params"]],
        lr=options.lr,
        weight_decay=options.weight_decay,
        lr_factor=factor,
    )
    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
