"""The skips that a denoiser can have, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from lightning_modules.diffusion import Schedule
from lightning_modules.networks.skip.detail_skip import DetailSkip
from lightning_modules.networks.skip.filter_skip import FilterSkip
from sim.conventions import NUM_FEATURES
from sim.names import check_name

Skip: TypeAlias = FilterSkip | DetailSkip

SKIPS: Final = ("none", "filter", "detail")
_FRAMES: Final = {"filter": 7, "detail": 32}


@dataclass(frozen=True)
class SkipOptions:
    """A road from x_t to the output.

    Attributes:
        kind: ``none``, ``filter`` (a temporal filter per time step and feature) or ``detail`` (a Wiener filter of what
            the network leaves out).
        frames: taps of the filter or frames of a window; None takes 7 and 32.
        until: share of the schedule, from its clean end, in which it acts.

    Raises:
        ValueError: the kind is unknown, or ``until`` is no fraction above 0.
    """

    kind: str = "none"
    frames: int | None = None
    until: float = 1.0

    def __post_init__(self) -> None:
        check_name(self.kind, SKIPS, "skip")
        if not 0 < self.until <= 1:
            raise ValueError(f"skip_until is {self.until}, expected a share of the schedule above 0 and up to 1")


def build_skip(options: SkipOptions, schedule: Schedule, *, text_dim: int) -> Skip | None:
    """Return the skip that is asked for, or None.

    Args:
        options: which, and how long.
        schedule: the process that the network is trained on.
        text_dim: width of a caption's embedding.

    Raises:
        ValueError: the number of frames does not fit the kind.
    """
    if options.kind == "none":
        return None
    frames = _FRAMES[options.kind] if options.frames is None else options.frames
    if options.kind == "filter":
        return FilterSkip(schedule, taps=frames, num_features=NUM_FEATURES, until=options.until)
    return DetailSkip(schedule, window=frames, text_dim=text_dim, until=options.until)
