"""Motion that experiments take directly: all clips, or the held-out windows of a split with what they were cut from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from datamodules.batches import MotionBatch
from datamodules.clips import Clip
from datamodules.clips.sources import list_items
from datamodules.motion import MotionDataModule
from datamodules.motion_windows import hash_sample
from datamodules.splits import Split
from sim.conventions import FEATURE_FPS


def list_sources(motion_root: Path | None = None) -> list[str]:
    """Return sources of motion as :class:`datamodules.MotionDataModule` takes them: embedded clips, and a folder."""
    return ["embedded", *([] if motion_root is None else [str(motion_root)])]


def load_clips(motion_root: Path | None = None, *, embedded: bool = True) -> list[Clip]:
    """Return all embedded clips, unless they are not wanted, and those of a folder of motion files where one is given.

    Raises:
        FileNotFoundError: there is no such folder, or it holds no motion.
    """
    sources = list_sources(motion_root)[0 if embedded else 1 :]
    return [clip for source in sources for item in list_items(source) for clip in item.load()]


class NamedBatch(NamedTuple):
    """Windows ``(B, ...)``, and for each the activity and the recording that it was cut from.

    Windows of one recording are not independent.
    """

    batch: MotionBatch
    activity: list[str]
    recording: list[str]


@dataclass(frozen=True)
class HeldOut:
    """Which windows are looked at.

    Attributes:
        split: ``val`` or ``test``.
        window_s: length [s].
        motion_root: folder of motion files besides the embedded clips.
        ships_only: leave out clips that the packaged prior was not trained on.
    """

    split: Split
    window_s: float
    motion_root: Path | None
    ships_only: bool = False

    def batches(self, cache_dir: Path) -> Iterator[NamedBatch]:
        """Yield all windows in order; converted clips are kept in ``cache_dir``."""
        data = MotionDataModule(
            list_sources(self.motion_root),
            window_s=self.window_s,
            mirror=False,
            ships_only=self.ships_only,
            cache_dir=str(cache_dir / "motion"),
        )
        data.prepare_data()
        data.setup("test")
        recordings = self._name_recordings(data)
        for batch in data.val_dataloader() if self.split == "val" else data.test_dataloader():
            yield NamedBatch(
                batch,
                [data.activities[index] for index in batch.activity.tolist()],
                [recordings[number] for number in batch.sample_id.tolist()],
            )

    def _name_recordings(self, data: MotionDataModule) -> dict[int, str]:
        """Return the recording behind the number of each window."""
        step = round(self.window_s * FEATURE_FPS)
        return {
            hash_sample(clip.name, start, False): clip.item.group
            for clip in data.library.side(self.split, looped=False)
            for start in range(0, len(clip.features), step)
        }
