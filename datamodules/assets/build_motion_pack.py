"""Build motion_pack.npz from a collection of motion capture: python build_motion_pack.py FOLDER.

Kept so that the asset can be made again; nothing runs it at install time. What goes in: recordings whose terms let them
be redistributed (CMU's, and the Apache-2.0 and BSD-3 sets of Seoul National University), of every activity on every
side of the split as far as there are any, in pieces of at most eight seconds. Origin and terms: NOTICE.md.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from datamodules.clips.cache import CachedClip, convert, load
from datamodules.clips.captions import paraphrase
from datamodules.clips.clip import LYING
from datamodules.clips.duplicates import find_duplicates
from datamodules.clips.labels import label_of
from datamodules.clips.motion_pack import PackedClip, write_pack
from datamodules.clips.sources import SourceItem, list_items
from datamodules.splits import Split
from sim.body import Body
from sim.motion import Motion
from sim.trajectory import resample_motion

PIECE_S: Final[float] = 8.0
FPS: Final[float] = 30.0

SIDES: Final[dict[Split, float]] = {"train": 0.7, "val": 0.12, "test": 0.18}
"""Share of an activity's time on each side."""

_CHANGES: Final = ("sitting_down", "standing_up", "lying_down", "getting_up", "falling")
SECONDS: Final[dict[str, float]] = {
    **dict.fromkeys(("walking", "running", "jumping", "standing", "sitting"), 90.0),
    **dict.fromkeys((*_CHANGES, *LYING, "stairs_up", "stairs_down"), 40.0),
}
"""Most time of an activity [s]."""

OTHER_S: Final[float] = 28.0

SETS: Final = ("cmu_", "snu_")

FLOOR_M: Final = (-0.16, 0.12)
"""The lowest joint of a piece is between these [m], or higher where what a person stands on is not in the recording."""

RAISED: Final = frozenset({"stairs_up", "stairs_down", "climbing", "slope_walking", "sitting"})

GIVES: Final[dict[str | None, tuple[str, ...]]] = {
    None: (),
    "stops": ("standing",),
    "directions": ("standing", "sidestepping", "walking_backwards", "turning"),
    "fast": ("running",),
    "seat": ("standing", "sitting", "sitting_down", "standing_up"),
    "floor": ("falling", "lying_down", "getting_up", *LYING),
    "stairs": ("stairs_up", "stairs_down"),
}
"""What files of a cut are opened for beside their own activity."""


class Budget:
    """Seconds that each activity still has on each side."""

    def __init__(self) -> None:
        self._left = defaultdict[tuple[str, Split], float](float)
        self._known: set[str] = set()

    def left(self, activity: str, side: Split) -> float:
        """Seconds left of an activity on a side."""
        if activity not in self._known:
            self._known.add(activity)
            for one, share in SIDES.items():
                self._left[activity, one] = share * SECONDS.get(activity, OTHER_S)
        return self._left[activity, side]

    def spend(self, clip: CachedClip, side: Split) -> float:
        """Take a piece of a clip; returns its length, 0 where nothing is left of its activity."""
        left = self.left(clip.activity, side)
        if left <= 0:
            return 0.0
        length = min(PIECE_S, clip.seconds)
        self._left[clip.activity, side] = left - length
        return length


def in_turn(items: Sequence[SourceItem]) -> Iterator[SourceItem]:
    """Items in an order that is the same in every run: people in turn, each one's recordings by a hash."""
    people: dict[str, list[SourceItem]] = defaultdict(list)
    for item in sorted(items, key=lambda one: hashlib.sha256(one.name.encode()).hexdigest()):
        people[item.person or item.group].append(item)
    while people:
        for name in sorted(people):
            yield people[name].pop(0)
        people = {name: left for name, left in people.items() if left}


def choose(items: Sequence[SourceItem], cache_dir: Path) -> list[tuple[CachedClip, Split, float]]:
    """Open recordings until no activity lacks time on a side; returns clips, sides and lengths of pieces [s]."""
    budget, chosen = Budget(), []
    for item in in_turn(items):
        label, side = label_of(*item.name.split("/", 1)), item.split or "train"
        gives = (label.activity or "", *GIVES.get(label.cut, ()), *([label.rest] if label.cut and label.rest else []))
        if not any(budget.left(activity, side) > 0 for activity in gives):
            continue
        convert([item], cache_dir)
        for clip in load([item], cache_dir):
            length = 0.0 if clip.looped else budget.spend(clip, side)
            if length:
                chosen.append((clip, side, length))
    return chosen


def build(collection: Path, output: Path, cache_dir: Path) -> None:
    """Choose, code and write.

    Args:
        collection: folder of a motion collection, with ``clips.tsv``.
        output: the ``.npz`` to write.
        cache_dir: where converted clips are kept.
    """
    items = [item for item in list_items(str(collection)) if item.name.startswith(SETS)]
    chosen = choose(items, cache_dir)
    twins = {pair.first for pair in find_duplicates([clip.joints for clip, _, _ in chosen])}
    pieces = [_pack(*entry) for number, entry in enumerate(chosen) if number not in twins]
    packed = [(about, motion) for about, motion in pieces if _stands(about.activity, motion)]
    write_pack(output, packed)
    seconds: dict[str, float] = defaultdict(float)
    for about, motion in packed:
        seconds[f"{about.activity} {about.split}"] += motion.duration_s
    print(f"{len(packed)} clips, {sum(seconds.values()) / 60:.1f} minutes, {output.stat().st_size / 1e6:.2f} MB")
    print("\n".join(f"{name:<28}{value:7.1f} s" for name, value in sorted(seconds.items())))


def _stands(activity: str, motion: Motion) -> bool:
    lowest = float(Body.default().joints(motion)[..., 1].min())
    return FLOOR_M[0] < lowest and (activity in RAISED or lowest < FLOOR_M[1])


def _pack(clip: CachedClip, side: Split, length: float) -> tuple[PackedClip, Motion]:
    motion = clip.load_clip().motion
    # The middle of a long recording: its ends are often people getting ready.
    first = max(0.0, (motion.duration_s - length) / 2)
    piece = motion.frames(round(first * motion.fps), round((first + length) * motion.fps) + 1)
    piece = resample_motion(piece, fps=min(FPS, piece.fps))
    known = set(paraphrase(clip.activity))
    about = PackedClip(
        name=f"{clip.name}+{first:.1f}s" if first > 0.05 else clip.name,
        origin=clip.item.name,
        activity=clip.activity,
        said=tuple(text for text in clip.captions if text not in known),
        split=side,
        group=clip.item.group,
        person=clip.item.person,
        licence=clip.licence,
        fps=piece.fps,
        first=0,
        frames=piece.num_frames,
    )
    return about, piece


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "motion_pack.npz")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache/motion"))
    options = parser.parse_args()
    build(options.collection, options.output, options.cache)
