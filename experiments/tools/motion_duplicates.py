"""List recordings that motion sources hold more than once: ``python -m experiments.tools.motion_duplicates SOURCE``."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from datamodules.clips.cache import CachedClip, convert, load
from datamodules.clips.duplicates import Duplicate, find_duplicates
from datamodules.clips.sources import list_items


def describe_duplicates(clips: Sequence[CachedClip], found: Sequence[Duplicate]) -> str:
    """Return a table: which clip lies in which other one, from when on, how far apart; then pairs of sets."""
    lines = []
    sets: Counter[tuple[str, str]] = Counter()
    for pair in sorted(found, key=lambda pair: (clips[pair.first].name, clips[pair.second].name)):
        first, second = clips[pair.first], clips[pair.second]
        mirrored = " mirrored" if pair.mirrored else ""
        lines.append(
            f"{first.name} = {second.name}{mirrored} from {pair.shift_s:.2f} s on, {1e3 * pair.distance_m:.1f} mm apart"
        )
        one, other = sorted((first.source, second.source))
        sets[one, other] += 1
    lines += [f"{count} pairs of {one} and {other}" for (one, other), count in sorted(sets.items())]
    return "\n".join([*lines, f"{len(found)} pairs among {len(clips)} clips"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Convert what the cache lacks, search, and print the table."""
    parser = argparse.ArgumentParser(description="list the recordings that motion sources hold more than once")
    parser.add_argument("sources", nargs="+", help="folders of motions, or embedded")
    parser.add_argument("--cache", type=Path, default=Path("cache/clips"), help="where converted clips are kept")
    options = parser.parse_args(arguments)
    items = [item for source in options.sources for item in list_items(source)]
    convert(items, options.cache)
    clips = [clip for clip in load(items, options.cache) if not clip.looped and not clip.constructed]
    start = perf_counter()
    found = find_duplicates([clip.joints for clip in clips])
    print(describe_duplicates(clips, found))
    minutes = sum(clip.seconds for clip in clips) / 60
    print(f"{minutes:.0f} minutes compared in {perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
