"""Does a motion show its activity? By posture and speed, and by what no body does; not by a classifier.

Thresholds are those by which recorded clips are cut (:mod:`datamodules.clips.spans`) where they say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from datamodules.clips.clip import LYING
from datamodules.clips.posture import Posture, measure_posture
from datamodules.clips.spans import FLIGHT_M, FLIGHT_M_S2, STILL_M_S
from sim.body import Body
from sim.motion import Motion

FASTEST_M_S: Final = 12.5
"""Nobody's pelvis is faster over ground [m/s]."""

TWIN_M: Final = 0.002
"""Two motions of an activity are one if their joints, seen from where they begin, are apart by less (RMS) [m]."""


@dataclass(frozen=True)
class Rule:
    """What a motion of an activity keeps within; None leaves a quantity free.

    Attributes:
        height: median height of the pelvis, as a share of its height in standing.
        speed: mean horizontal speed of the pelvis [m/s].
        upright: median cosine of the trunk's tilt.
        rise: mean vertical speed of the pelvis [m/s].
        change: height of the pelvis at the end less that at the beginning, as a share of its height in standing.
        flight: whether both feet leave the floor.
        backwards: whether the person goes backwards.
        side: the way of lying, one of :data:`datamodules.clips.clip.LYING`.
    """

    height: tuple[float, float] | None = None
    speed: tuple[float, float] | None = None
    upright: tuple[float, float] | None = None
    rise: tuple[float, float] | None = None
    change: tuple[float, float] | None = None
    flight: bool = False
    backwards: bool = False
    side: str | None = None


_ANY: Final = float("inf")
_WALKING: Final = Rule(height=(0.8, 1.15), speed=(STILL_M_S, 2.4), upright=(0.75, 1.0))
_RUNNING: Final = Rule(height=(0.75, 1.15), speed=(1.2, FASTEST_M_S), upright=(0.7, 1.0))
_UP: Final = Rule(speed=(0.05, 2.4), upright=(0.75, 1.0), rise=(0.05, 1.5))
_DOWN: Final = Rule(speed=(0.05, 2.4), upright=(0.75, 1.0), rise=(-1.5, -0.05))
_LYING: Final = Rule(height=(-0.1, 0.4), speed=(0.0, STILL_M_S), upright=(-0.7, 0.7))
_JUMPING: Final = Rule(height=(0.7, 1.3), upright=(0.6, 1.0), flight=True)

RULES: Final[dict[str, Rule]] = {
    "walking": _WALKING,
    "walking_backwards": Rule(_WALKING.height, (0.15, 2.4), _WALKING.upright, backwards=True),
    "styled_walking": Rule(height=(0.6, 1.2), speed=(0.15, 2.6)),
    "sidestepping": Rule(height=(0.75, 1.15), speed=(0.15, 2.6), upright=(0.7, 1.0)),
    "running": _RUNNING,
    "jogging": _RUNNING,
    "jumping": _JUMPING,
    "hopping": _JUMPING,
    "standing": Rule(height=(0.85, 1.15), speed=(0.0, STILL_M_S), upright=(0.85, 1.0)),
    "sitting": Rule(height=(0.15, 0.75), speed=(0.0, STILL_M_S), upright=(0.5, 1.0)),
    "lying": _LYING,
    **{name: Rule(_LYING.height, _LYING.speed, _LYING.upright, side=name) for name in LYING},
    "sitting_down": Rule(change=(-_ANY, -0.2)),
    "lying_down": Rule(change=(-_ANY, -0.3)),
    "standing_up": Rule(change=(0.2, _ANY)),
    "getting_up": Rule(change=(0.3, _ANY)),
    "stairs_up": _UP,
    "walking_upstairs": _UP,
    "stairs_down": _DOWN,
    "walking_downstairs": _DOWN,
    "crawling": Rule(height=(0.1, 0.75), upright=(-0.9, 0.75)),
}
"""What is checked for an activity; others keep to what every body does."""


def check_motion(motion: Motion, rule: Rule | None) -> list[str]:
    """Return what speaks against a motion, in words that are counted; nothing if it may stay.

    Args:
        motion: rotations ``(T, 22, 3, 3)``, Y up, the floor at y = 0.
        rule: what its activity keeps within; None for no rule.
    """
    if not (bool(motion.rotations.isfinite().all()) and bool(motion.translation.isfinite().all())):
        return ["not finite"]
    posture = measure_posture(motion)
    if float(posture.speed.max()) > FASTEST_M_S:
        return ["faster than anybody"]
    return [] if rule is None else _against(posture, rule)


def _against(posture: Posture, rule: Rule) -> list[str]:
    height, edge = posture.height, max(1, len(posture) // 10)
    values = {
        "height of the pelvis": (float(np.median(height)), rule.height),
        "speed": (float(posture.speed.mean()), rule.speed),
        "tilt of the trunk": (float(np.median(posture.upright)), rule.upright),
        "climb": (float(posture.rise.mean()), rule.rise),
        "change of posture": (float(height[-edge:].mean() - height[:edge].mean()), rule.change),
    }
    reasons = [name for name, (value, limits) in values.items() if limits and not limits[0] <= value <= limits[1]]
    airborne = (posture.clearance > FLIGHT_M) & (posture.fall < FLIGHT_M_S2)
    if rule.flight and not airborne.any():
        reasons.append("never in the air")
    if rule.backwards and float(np.cos(posture.course[posture.speed > 0.1]).sum()) >= 0:
        reasons.append("not backwards")
    if rule.side is not None and not reasons and posture.lying_side(0, len(posture)) != rule.side:
        reasons.append("another side")
    return reasons


def print_of(motion: Motion) -> Tensor:
    """Return what motions are compared by: joints seen from where the pelvis begins and faces ``(T, 22, 3)`` [m]."""
    joints = Body.default().joints(motion)
    across = joints[0, 1] - joints[0, 2]  # left hip less right hip
    angle = torch.atan2(across[2], across[0])
    cos, sin = torch.cos(angle), torch.sin(angle)
    moved = joints - joints[0, 0] * joints.new_tensor([1.0, 0.0, 1.0])
    x, z = moved[..., 0], moved[..., 2]
    return torch.stack([cos * x + sin * z, moved[..., 1], cos * z - sin * x], dim=-1)


def is_twin(mine: Tensor, others: Sequence[Tensor]) -> bool:
    """Whether a motion is one of the others over again, by what :func:`print_of` returns."""
    same = [one for one in others if one.shape == mine.shape]
    if not same:
        return False
    apart = (torch.stack(same) - mine).square().sum(dim=-1).mean(dim=(1, 2)).sqrt()
    return bool((apart < TWIN_M).any())
