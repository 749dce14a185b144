"""Cut a recording of several activities into spans of one each, by measured posture and speed.

Which rule cuts which file is declared (``datamodules/assets/clip_labels.yaml``); the rules are here. A rule names the
activity of every frame; what lasts too short goes with what is around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datamodules.clips.clip import LYING
from datamodules.clips.labels import ClipLabel
from datamodules.clips.posture import Posture, measure_posture
from sim.conventions import FEATURE_FPS
from sim.motion import Motion

STILL_M_S: Final[float] = 0.25
"""A person whose pelvis is slower stands, shuffling included [m/s]."""

QUIET_M_S: Final[float] = 0.25
"""A person whose joints move slower than this on average does nothing else meanwhile [m/s]."""

RUN_M_S: Final[float] = 2.2
TURN_RAD_S: Final[float] = 0.7
FLIGHT_M: Final[float] = 0.02
FLIGHT_M_S2: Final[float] = -5.0
"""Both feet higher than this above the floor [m] while the body falls faster than this [m/s^2]: in the air."""

JUMP_MARGIN_S: Final[float] = 0.8
"""What a jump takes before and after its flight [s]."""

MIN_SPAN_S: Final[float] = 1.0
MARGIN_S: Final[float] = 0.5
POSTURE_MARGIN_S: Final[float] = 1.5
"""How far a span that moves reaches into the rest beside it [s]: people start from standing. A change of posture begins
and ends with the postures themselves."""

RULES_VERSION: Final[int] = 2
"""To be raised when a rule cuts otherwise, so that caches of labelled files are made anew."""

_DROP: Final = ""
_BETWEEN: Final = "between"
_UPRIGHT: Final = "upright"
"""On the feet, and no rest of any kind: ends a transition, and is left out."""

_QUIET: Final = frozenset({"standing", "sitting", *LYING})
_TRANSITIONS: Final = frozenset({"sitting_down", "standing_up", "lying_down", "getting_up", "falling"})
_SAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "fast/running": (
        "a person runs across a basketball court.",
        "a basketball player runs.",
        "someone runs at a game.",
    ),
    "slope/up": ("a person walks up a slope.", "someone walks uphill.", "the person climbs a ramp on foot."),
    "slope/down": ("a person walks down a slope.", "someone walks downhill.", "the person comes down a ramp on foot."),
}


@dataclass(frozen=True)
class Span:
    """A stretch of a recording.

    Attributes:
        start_s: where it begins [s].
        end_s: where it ends [s].
        activity: what it shows.
        captions: sentences that hold for it, beside those of its activity.
    """

    start_s: float
    end_s: float
    activity: str
    captions: tuple[str, ...] = ()


def cut_spans(motion: Motion, label: ClipLabel) -> list[Span]:
    """Cut a recording by the rule that its label names.

    Args:
        motion: the recording ``(T, 22, 3, 3)``, standing on y = 0.
        label: what its file shows; its ``cut`` is one of :data:`RULES` or None, which leaves the recording whole.

    Returns:
        Spans of at least a second, in the order of time. Those that move reach half a second into a rest beside them,
        so neighbours may overlap.

    Raises:
        ValueError: there is no such rule, or the label is of a file that is to be left out.
    """
    if label.activity is None:
        raise ValueError(f"the file is to be left out ({label.why}), expected one with an activity")
    if label.cut is None:
        return [Span(0.0, motion.duration_s, label.activity, label.captions)]
    if label.cut not in RULES:
        raise ValueError(f"cut is {label.cut!r}, expected one of {', '.join(RULES)}")
    posture = measure_posture(motion)
    names, shortest_s = RULES[label.cut](posture, label)
    segments = _join_transitions(_merge_short(names, round(shortest_s * FEATURE_FPS)), posture)
    spans = []
    for number, (start, stop, name) in enumerate(segments):
        if name in (_DROP, _BETWEEN, _UPRIGHT):
            continue
        if name not in _QUIET:
            before, after = _margins(segments, number)
            start, stop = start - before, stop + after
        start, stop = max(0, start), min(len(posture), stop)
        if stop - start < MIN_SPAN_S * FEATURE_FPS:
            continue
        end_s = motion.duration_s if stop == len(posture) else stop / FEATURE_FPS
        spans.append(Span(start / FEATURE_FPS, end_s, name, _captions(posture, start, stop, name, label)))
    return spans


def _margins(segments: list[tuple[int, int, str]], number: int) -> tuple[int, int]:
    """Frames that a moving span takes of what is before and after it."""
    margins, changes = [], segments[number][2] in _TRANSITIONS
    for other in (number - 1, number + 1):
        start, stop, name = segments[other] if 0 <= other < len(segments) else (0, 0, _DROP)
        seconds = POSTURE_MARGIN_S if changes and name in _QUIET else MARGIN_S if changes or name in _QUIET else 0.0
        margins.append(min(stop - start, round(seconds * FEATURE_FPS)))
    return margins[0], margins[1]


def _captions(posture: Posture, start: int, stop: int, name: str, label: ClipLabel) -> tuple[str, ...]:
    if label.cut == "slope" and name == "slope_walking":
        return _SAYS["slope/up" if posture.rise[start:stop].mean() > 0 else "slope/down"]
    own = label.captions if name == label.activity else ()
    return (*own, *_SAYS.get(f"{label.cut}/{name}", ()))


Names = NDArray[np.str_]


def _fill(posture: Posture, name: str | None) -> Names:
    return np.full(len(posture), name or _DROP, dtype="<U24")


def _split_steps(posture: Posture, rest: str | None) -> Names:
    """Standing where the person is quiet, else the rest."""
    names = _fill(posture, rest)
    names[(posture.speed < STILL_M_S) & (posture.limb_speed < QUIET_M_S)] = "standing"
    return names


def _cut_stops(posture: Posture, label: ClipLabel) -> tuple[Names, float]:
    names = _fill(posture, label.rest)
    quiet = posture.limb_speed < (np.inf if label.activity == "standing" else QUIET_M_S)
    names[(posture.speed < STILL_M_S) & quiet] = "standing"
    return names, 1.0


def _cut_directions(posture: Posture, label: ClipLabel) -> tuple[Names, float]:
    names = _fill(posture, "walking")
    names[np.abs(posture.course) > np.pi / 4] = "sidestepping"
    names[np.abs(posture.course) > 3 * np.pi / 4] = "walking_backwards"
    slow = posture.speed < STILL_M_S
    names[slow] = "standing"
    names[slow & (np.abs(posture.turn) > TURN_RAD_S)] = "turning"
    return names, 0.8


def _cut_fast(posture: Posture, label: ClipLabel) -> tuple[Names, float]:
    names = _fill(posture, label.rest)
    names[posture.speed > RUN_M_S] = "running"
    return names, 1.0


def _cut_jumps(posture: Posture, label: ClipLabel) -> tuple[Names, float]:
    names = _split_steps(posture, None) if label.rest is None else _fill(posture, label.rest)
    reach = round(JUMP_MARGIN_S * FEATURE_FPS)
    for frame in np.flatnonzero((posture.clearance > FLIGHT_M) & (posture.fall < FLIGHT_M_S2)):
        names[max(0, frame - reach) : frame + reach + 1] = label.activity or _DROP
    return names, 0.8


def _cut_low(posture: Posture, label: ClipLabel) -> tuple[Names, float]:
    names = _fill(posture, label.rest)
    names[posture.height < (0.88 if label.activity == "crouching" else 0.78)] = label.activity or _DROP
    return names, 0.5


def _cut_seat(posture: Posture, label: ClipLabel) -> tuple[Names, float]:
    names = _fill(posture, _BETWEEN)
    upright = (posture.height > 0.95) & (posture.thighs < -0.85)
    rest = label.rest if label.rest not in (None, label.activity) else _UPRIGHT
    names[upright] = _split_steps(posture, rest)[upright]
    seated = (posture.height < 0.94) & (posture.thighs > -0.85) & (posture.speed < 0.3) & (np.abs(posture.rise) < 0.1)
    names[seated] = "sitting"
    return names, 0.4


def _cut_floor(posture: Posture, label: ClipLabel) -> tuple[Names, float]:
    names = _fill(posture, _BETWEEN)
    upright = (posture.height > 0.75) & (posture.upright > 0.7)
    names[upright] = _split_steps(posture, label.rest or _UPRIGHT)[upright]
    low = (posture.height < 0.45) & (posture.upright < 0.6) & (posture.speed < 0.4) & (np.abs(posture.rise) < 0.2)
    for frame in np.flatnonzero(low):
        names[frame] = posture.lying_side(frame, frame + 1)
    return names, 0.5


def _cut_stairs(posture: Posture, label: ClipLabel) -> tuple[Names, float]:
    names = _split_steps(posture, None)
    slow = _mean(posture.rise, 1.0)
    names[slow > 0.1] = "stairs_up"
    names[slow < -0.1] = "stairs_down"
    return names, 0.6


def _cut_slope(posture: Posture, label: ClipLabel) -> tuple[Names, float]:
    names = _cut_directions(posture, label)[0]
    slow = _mean(posture.rise, 2.0)
    names[(np.abs(slow) > 0.05) & (posture.speed > STILL_M_S)] = "slope_walking"
    return names, 1.0


RULES: Final[Mapping[str, Callable[[Posture, ClipLabel], tuple[Names, float]]]] = {
    "stops": _cut_stops,
    "directions": _cut_directions,
    "fast": _cut_fast,
    "jumps": _cut_jumps,
    "low": _cut_low,
    "seat": _cut_seat,
    "floor": _cut_floor,
    "stairs": _cut_stairs,
    "slope": _cut_slope,
}
"""Rules by name: the activity of every frame, and how long one must last [s]."""


def _mean(values: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
    width = round(seconds * FEATURE_FPS)
    padded = np.pad(values, (width // 2, width - 1 - width // 2), mode="edge")
    return np.convolve(padded, np.full(width, 1 / width), mode="valid")


def _segments(names: Names) -> list[tuple[int, int, str]]:
    edges = [0, *(np.flatnonzero(names[1:] != names[:-1]) + 1).tolist(), len(names)]
    return [(a, b, str(names[a])) for a, b in pairwise(edges) if b > a]


def _merge_short(names: Names, shortest: int) -> list[tuple[int, int, str]]:
    """Let stretches shorter than ``shortest`` frames go with the longer neighbour, the shortest ones first."""
    names = names.copy()
    while True:
        segments = _segments(names)
        short = [(b - a, number) for number, (a, b, name) in enumerate(segments) if b - a < shortest]
        if not short or len(segments) == 1:
            return segments
        number = min(short)[1]
        beside = [one for one in (number - 1, number + 1) if 0 <= one < len(segments)]
        longer = max(beside, key=lambda one: segments[one][1] - segments[one][0])
        names[segments[number][0] : segments[number][1]] = segments[longer][2]


def _join_transitions(segments: list[tuple[int, int, str]], posture: Posture) -> list[tuple[int, int, str]]:
    """Name what lies between two postures by them; what is of one kind with its neighbour becomes one with it."""
    found: list[tuple[int, int, str]] = []
    for number, (start, stop, name) in enumerate(segments):
        if name == _BETWEEN:
            before = segments[number - 1][2] if number else _DROP
            after = segments[number + 1][2] if number + 1 < len(segments) else _DROP
            name = _transition(before, after, posture.rise[start:stop])
        if found and found[-1][2] == name:
            start = found.pop()[0]
        found.append((start, stop, name))
    return found


def _transition(before: str, after: str, rise: NDArray[np.float64]) -> str:
    down = (before.startswith("lying"), after.startswith("lying"))
    if "sitting" in (before, after):
        if before == after:
            return "sitting"
        return "sitting_down" if after == "sitting" else "standing_up"
    if down == (True, True):
        return before if before == after else _DROP
    if down == (True, False):
        return "getting_up" if after != _DROP else _DROP
    if down == (False, True):
        if before == _DROP:
            return _DROP
        return "falling" if float(rise.min()) < -0.9 else "lying_down"
    return before if before == after else _DROP
