"""Which clips are for training, validation and test: by recording, never by window, duplicates together."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Split = Literal["train", "val", "test"]

TEST_SHARE: Final[float] = 0.15
VALIDATION_SHARE: Final[float] = 0.10


@dataclass(frozen=True)
class SplitRequest:
    """What the split needs to know of a clip.

    Attributes:
        name: the clip's name.
        activity: its activity.
        seconds: its length [s].
        group: clips of one group go to one side.
        declared: side that its source asks for, or None.
    """

    name: str
    activity: str
    seconds: float
    group: int
    declared: Split | None


def assign_splits(requests: Sequence[SplitRequest]) -> list[Split]:
    """Choose a side for each clip.

    Declared sides hold for a whole group; where they disagree, test wins over validation and validation over training.
    The other groups go by the rarest of the activities that make up a fifth of their time, rare activities first:
    within each they are put in the order of a hash of their names and fill test up to 15% of the activity's time, then
    validation up to 10%, then training. Clips of other activities in a group count for those. An activity of two groups
    has none for validation, one of a single group is for training only (and so cannot be reported, see
    :func:`reported_activities`).

    Returns:
        A side for each request; the same for the same clips, in whatever order.
    """
    members: dict[int, list[SplitRequest]] = defaultdict(list)
    for request in requests:
        members[request.group].append(request)
    totals: dict[str, float] = defaultdict(float)
    for request in requests:
        totals[request.activity] += request.seconds
    sides: dict[int, Split] = {}
    free: dict[str, list[int]] = defaultdict(list)
    spent: dict[tuple[str, str], float] = defaultdict(float)
    for group, clips in members.items():
        declared = {clip.declared for clip in clips}
        side: Split | None = next((side for side in ("test", "val", "train") if side in declared), None)
        if side is None:
            free[_rarest(clips, totals)].append(group)
        else:
            sides[group] = side
            _spend(spent, clips, side)
    for activity in sorted(free, key=lambda name: (totals[name], name)):
        ordered = sorted(free[activity], key=lambda group: _rank(members[group]))
        for position, group in enumerate(ordered):
            side = _choose(activity, totals[activity], spent, len(ordered) - position)
            sides[group] = side
            _spend(spent, members[group], side)
    return [sides[request.group] for request in requests]


def reported_activities(requests: Sequence[SplitRequest], sides: Sequence[Split]) -> list[str]:
    """Return the activities that have clips for training and clips for test, sorted."""
    seen: dict[str, set[str]] = defaultdict(set)
    for request, side in zip(requests, sides, strict=True):
        seen[request.activity].add(side)
    return sorted(activity for activity, both in seen.items() if {"train", "test"} <= both)


def _choose(activity: str, total: float, spent: dict[tuple[str, str], float], left: int) -> Split:
    """Side of the next free group of an activity, of which ``left`` are still without one."""
    missing = [side for side in ("train", "test", "val") if not spent.get((activity, side))]
    if left <= len(missing):  # as many sides are empty as groups are left: fill the most needed one
        return missing[0]  # type: ignore[return-value]
    if spent.get((activity, "test"), 0.0) < TEST_SHARE * total:
        return "test"
    if spent.get((activity, "val"), 0.0) < VALIDATION_SHARE * total:
        return "val"
    return "train"


def _rarest(clips: Sequence[SplitRequest], totals: dict[str, float]) -> str:
    """The activity of a group that is rarest over all groups, of those that make up a fifth of its time."""
    own: dict[str, float] = defaultdict(float)
    for clip in clips:
        own[clip.activity] += clip.seconds
    least = 0.2 * sum(own.values())
    return min((name for name in own if own[name] >= least), key=lambda name: (totals[name], name))


def _spend(spent: dict[tuple[str, str], float], clips: Sequence[SplitRequest], side: Split) -> None:
    for clip in clips:
        spent[clip.activity, side] += clip.seconds


def _rank(clips: Sequence[SplitRequest]) -> str:
    return hashlib.sha256(min(clip.name for clip in clips).encode()).hexdigest()
