"""MotionLibrary: converted clips with their split, and the duplicates that were found on the way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from datamodules.clips.cache import CachedClip
from datamodules.clips.clip import includes
from datamodules.clips.duplicates import Duplicate, find_duplicates, group_duplicates
from datamodules.motion_windows import swap_sides
from datamodules.splits import Split, SplitRequest, assign_splits, reported_activities
from sim.files import whole_file

SIDES: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class MotionLibrary:
    """Clips, their sides and the duplicates among them.

    Attributes:
        clips: all clips that were kept.
        sides: the side of each clip.
        duplicates: pairs of indices into ``clips`` that show the same recording.
        activities: activities of the clips, sorted.
        reported: activities with clips on the training and on the test side.
    """

    clips: tuple[CachedClip, ...]
    sides: tuple[Split, ...]
    duplicates: tuple[Duplicate, ...]
    activities: list[str]
    reported: list[str]

    def side(self, split: Split, *, looped: bool = True) -> list[CachedClip]:
        """Return the clips of one side.

        Args:
            split: ``"train"``, ``"val"`` or ``"test"``.
            looped: with copies that were made longer by repeating a gait cycle.

        Raises:
            ValueError: there is no such side, or nothing is on it.
        """
        if split not in SIDES:
            raise ValueError(f"split is {split!r}, expected one of {', '.join(SIDES)}")
        found = [
            clip
            for clip, side in zip(self.clips, self.sides, strict=True)
            if side == split and (looped or not clip.looped)
        ]
        if not found:
            raise ValueError(f"no clip is on the {split} side of {len(self.clips)}; give more sources or activities")
        return found

    def captions(self, *, mirror: bool) -> list[str]:
        """Return all captions, those of mirror images too if ``mirror``, sorted."""
        texts = {caption for clip in self.clips for caption in clip.captions}
        return sorted(texts | ({swap_sides(text) for text in texts} if mirror else set()))

    def minutes(self, split: Split) -> dict[str, float]:
        """Return minutes of each activity on one side, looped copies not counted."""
        minutes = dict.fromkeys(self.activities, 0.0)
        for clip, side in zip(self.clips, self.sides, strict=True):
            if side == split and not clip.looped:
                minutes[clip.activity] += clip.seconds / 60
        return minutes

    def describe(self) -> str:
        """Return a table of minutes by activity and side, and what is not to be reported."""
        columns = [self.minutes(split) for split in SIDES]
        lines = [f"{'minutes':<20}" + "".join(f"{split:>8}" for split in SIDES)]
        lines += [f"{name:<20}" + "".join(f"{column[name]:8.2f}" for column in columns) for name in self.activities]
        hidden = [name for name in self.activities if name not in self.reported]
        lines.append(f"{len(self.clips)} clips, {len(self.duplicates)} pairs of duplicates; not reported: {hidden}")
        return "\n".join(lines)


def build_library(
    clips: Sequence[CachedClip], *, cache_dir: Path, activities: Sequence[str] | None = None, ships_only: bool = False
) -> MotionLibrary:
    """Find duplicates, split, and keep the activities asked for.

    The split is made over all clips before any is left out, so that a clip's side does not depend on the activities.

    Args:
        clips: converted clips.
        cache_dir: where the duplicates found are kept.
        activities: which to keep, ``lying`` for all four ways of lying; None keeps all.
        ships_only: leave out clips from which no shipped weights may be trained.

    Raises:
        ValueError: an activity is not among the clips'.
    """
    if ships_only:
        clips = [clip for clip in clips if clip.ships]
    duplicates = _find_or_load(clips, cache_dir)
    groups = group_duplicates(len(clips), [*duplicates, *_declared_links(clips)])
    requests = [
        SplitRequest(clip.name, clip.activity, clip.seconds, group, clip.declared_split)
        for clip, group in zip(clips, groups, strict=True)
    ]
    sides = assign_splits(requests)
    known = sorted({clip.activity for clip in clips})
    words = known if activities is None else list(activities)
    wanted = [name for name in known if any(includes(word, name) for word in words)]
    unknown = sorted(word for word in words if not any(includes(word, name) for name in known))
    if unknown:
        raise ValueError(f"unknown activities {unknown}, the sources hold {', '.join(known)}")
    twice = _embedded_twins(clips, duplicates)
    kept = [index for index, clip in enumerate(clips) if clip.activity in wanted and index not in twice]
    place = {index: position for position, index in enumerate(kept)}
    return MotionLibrary(
        clips=tuple(clips[index] for index in kept),
        sides=tuple(sides[index] for index in kept),
        duplicates=tuple(
            Duplicate(place[pair.first], place[pair.second], pair.shift_s, pair.distance_m, pair.mirrored)
            for pair in duplicates
            if pair.first in place and pair.second in place
        ),
        activities=wanted,
        reported=[name for name in reported_activities(requests, sides) if name in wanted],
    )


def _embedded_twins(clips: Sequence[CachedClip], duplicates: Sequence[Duplicate]) -> set[int]:
    """Clips of the embedded pack that a folder brings, too: counted once, and there."""
    twins = set()
    for pair in duplicates:
        for one, other in ((pair.first, pair.second), (pair.second, pair.first)):
            if clips[one].item.origin is not None and clips[other].source != "embedded":
                twins.add(one)
    return twins


def _declared_links(clips: Sequence[CachedClip]) -> list[Duplicate]:
    """Tie together clips of one recording session, and pieces and loops of one file."""
    first: dict[str, int] = {}
    links = []
    for index, clip in enumerate(clips):
        other = first.setdefault(clip.item.group, index)
        if other != index:
            links.append(Duplicate(other, index, 0.0, 0.0, False))
    return links


def _find_or_load(clips: Sequence[CachedClip], cache_dir: Path) -> list[Duplicate]:
    names = json.dumps([[clip.item.key, clip.name] for clip in clips])
    path = cache_dir / f"duplicates-{hashlib.sha256(names.encode()).hexdigest()[:16]}.json"
    if path.is_file():
        return [Duplicate(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
    # Loops repeat their own clip, and constructed postures are alike by construction.
    found = find_duplicates([clip.joints for clip in clips], skip=[clip.looped or clip.constructed for clip in clips])
    with whole_file(path) as part:
        part.write_text(json.dumps([asdict(pair) for pair in found]), encoding="utf-8")
    return found
