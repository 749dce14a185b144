"""From a recording of a known set to clips: whole or cut into spans of one activity, with captions and gait loops."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from datamodules.clips.captions import caption_clip
from datamodules.clips.clip import Clip
from datamodules.clips.gait_loops import loop_gait
from datamodules.clips.labels import ClipLabel
from datamodules.clips.spans import cut_spans
from sim.motion import Motion

LOOPED_ACTIVITIES: Final = ("walking", "running")
LOOPED_SECONDS: Final[float] = 8.0
"""Runs and many walks were recorded for 1 to 4 s; a model that never saw a longer one cannot make one."""


def label_clips(
    name: str,
    motion: Motion,
    label: ClipLabel,
    *,
    description: str | None,
    source: str,
    licence: str,
    ships: bool,
) -> list[Clip]:
    """Make the clips of one unbroken recording.

    Args:
        name: name of the recording; a span's has ``@`` and its first second added.
        motion: the recording ``(T, 22, 3, 3)``, standing on y = 0.
        label: what its file shows.
        description: CMU's sentence for the whole trial; not given to spans, which show a part of it.
        source: the set.
        licence: terms in short.
        ships: whether weights trained on it may be shipped.

    Returns:
        The clips, then longer copies of those that walk or run, flagged ``looped``.
    """
    clips = []
    spans = cut_spans(motion, label)
    for span in spans:
        whole = len(spans) == 1 and span.end_s - span.start_s > 0.95 * motion.duration_s
        first, last = round(span.start_s * motion.fps), round(span.end_s * motion.fps) + 1
        captions = caption_clip(
            span.activity, description=description if label.cut is None else None, extra=span.captions
        )
        clips.append(
            Clip(
                name if whole else f"{name}@{span.start_s:.2f}",
                motion if whole else motion.frames(first, min(last, motion.num_frames)),
                span.activity,
                captions,
                source,
                licence=licence,
                ships=ships,
            )
        )
    return clips + [
        replace(clip, name=f"{clip.name}~loop", motion=longer, looped=True)
        for clip in clips
        if clip.activity in LOOPED_ACTIVITIES and (longer := loop_gait(clip.motion, seconds=LOOPED_SECONDS)) is not None
    ]
