"""Batch types: what a data module hands to a LightningModule. The one thing the two packages share."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Final, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

SHORTEST_S: Final = 1.0
LONGEST_S: Final = 60.0
"""Lengths of a motion that may be asked for [s]."""


def check_seconds(seconds: float, name: str = "seconds") -> None:
    """Refuse a length of motion that nobody can be asked to generate.

    Raises:
        ValueError: it is below :data:`SHORTEST_S`, beyond :data:`LONGEST_S`, or no number.
    """
    if not (math.isfinite(seconds) and SHORTEST_S <= seconds <= LONGEST_S):
        raise ValueError(
            f"{name} is {seconds}, expected {SHORTEST_S:g} to {LONGEST_S:g}; ask for several motions instead of a "
            "longer one, or cut a shorter one out"
        )


class MotionBatch(NamedTuple):
    """Clips of HumanML3D features with their captions.

    Attributes:
        features: raw (not normalised) HumanML3D features ``(B, T, 263)`` at 20 fps, zero beyond each length.
        lengths: valid frames of each clip ``(B,)``, int64.
        captions: one caption per clip.
        activity: index into the data module's ``activities`` ``(B,)``, int64.
        sample_id: number that names the clip in every run and split ``(B,)``, int64; noise of paired errors is
            drawn from it.
    """

    features: Tensor
    lengths: Tensor
    captions: list[str]
    activity: Tensor
    sample_id: Tensor


class PromptBatch(NamedTuple):
    """Prompts to generate motions from.

    Attributes:
        texts: one prompt per motion.
        lengths: frames at 20 fps asked for ``(B,)``, int64.
        seeds: one seed per motion.
        index: running number of each motion in the whole set ``(B,)``, int64.
        activities: name of the activity each prompt stands for.
    """

    texts: list[str]
    lengths: Tensor
    seeds: list[int]
    index: Tensor  # type: ignore[assignment]  # a field of this name shadows tuple.index, which nobody calls here
    activities: list[str]


@runtime_checkable
class SkipsPrompts(Protocol):
    """A data module that leaves out what is already there.

    Attributes:
        find_done: returns the running numbers of what is there, to every process the same; None for nothing.
    """

    find_done: Callable[[], Collection[int]] | None


class IMUBatch(NamedTuple):
    """Windows of sensor channels with a class each.

    Attributes:
        signals: channels ``(B, T, C)``: as recorded [m/s^2, rad/s] in a loader, normalised once the Trainer has moved
            the batch to the device of the model.
        labels: class index ``(B,)``, int64.
        sample_id: number of the window in its split ``(B,)``, int64, so that copies padded in by a distributed
            sampler can be told apart.
    """

    signals: Tensor
    labels: Tensor
    sample_id: Tensor
