"""Build motion_pack.npz from a collection of motion capture: python build_motion_pack.py FOLDER.

Kept so that the asset can be made again; nothing runs it at install time. What goes in: recordings whose terms let them
be redistributed (CMU's, and the Apache-2.0 and BSD-3 sets of Seoul National University), of every activity on every
side of the split as far as there are any, in pieces of at most eight seconds. Origin and terms: NOTICE.md.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from datamodules.clips.cache import CachedClip
from datamodules.clips.captions import paraphrase
from datamodules.clips.motion_pack import PackedClip, write_pack
from datamodules.motion import MotionDataModule
from datamodules.splits import Split
from sim.motion import Motion
from sim.trajectory import resample_motion

PIECE_S: Final[float] = 8.0
FPS: Final[float] = 30.0

SIDES: Final[dict[Split, float]] = {"train": 0.7, "val": 0.12, "test": 0.18}
"""Share of an activity's time on each side."""

SECONDS: Final[dict[str, float]] = {
    **dict.fromkeys(("walking", "running", "jumping", "standing", "sitting"), 80.0),
    **dict.fromkeys(("sitting_down", "standing_up", "lying_down", "getting_up", "falling", "stairs_up"), 40.0),
    **dict.fromkeys(("lying_on_back", "lying_on_left_side", "lying_on_right_side", "lying_face_down"), 40.0),
}
"""Most time of an activity [s]."""

OTHER_S: Final[float] = 28.0

SETS: Final = ("cmu_", "snu_")


def choose_pieces(clips: Sequence[CachedClip], seconds: float) -> list[tuple[CachedClip, float, float]]:
    """Choose pieces up to a length in all, people and recordings in turn; the same in every run.

    Returns:
        Clip, first second and last second of each piece.
    """
    people: dict[str, list[CachedClip]] = defaultdict(list)
    for clip in sorted(clips, key=lambda one: hashlib.sha256(one.name.encode()).hexdigest()):
        people[clip.item.person or clip.item.group].append(clip)
    queues, chosen, spent = [people[name] for name in sorted(people)], [], 0.0
    while queues and spent < seconds:
        for queue in queues:
            clip = queue.pop(0)
            length = min(PIECE_S, clip.seconds)
            # The middle of a long recording: its ends are often people getting ready.
            first = (clip.seconds - length) / 2
            chosen.append((clip, first, first + length))
            spent += length
            if spent >= seconds:
                break
        queues = [queue for queue in queues if queue]
    return chosen


def build(collection: Path, output: Path, cache_dir: Path) -> None:
    """Choose, code and write.

    Args:
        collection: folder of a motion collection, with ``clips.tsv``.
        output: the ``.npz`` to write.
        cache_dir: where converted clips are kept.
    """
    module = MotionDataModule([str(collection)], cache_dir=str(cache_dir), ships_only=True)
    module.prepare_data()
    module.setup()
    twins = {pair.first for pair in module.library.duplicates}
    packed: list[tuple[PackedClip, Motion]] = []
    for activity in module.activities:
        for side, share in SIDES.items():
            own = [
                clip
                for number, (clip, where) in enumerate(zip(module.library.clips, module.library.sides, strict=True))
                if where == side and clip.activity == activity and number not in twins
                if clip.source.startswith(SETS) and not clip.looped
            ]
            for clip, first, last in choose_pieces(own, SECONDS.get(activity, OTHER_S) * share):
                packed.append(_pack(clip, side, first, last))
    write_pack(output, packed)


def _pack(clip: CachedClip, side: Split, first: float, last: float) -> tuple[PackedClip, Motion]:
    motion = clip.load_clip().motion
    piece = motion.frames(round(first * motion.fps), round(last * motion.fps) + 1)
    piece = resample_motion(piece, fps=min(FPS, piece.fps))
    known = set(paraphrase(clip.activity))
    about = PackedClip(
        name=clip.name if first == 0 else f"{clip.name}+{first:.1f}s",
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
