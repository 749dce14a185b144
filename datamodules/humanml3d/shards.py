"""HumanML3D packed once: features of all motions in a few memory-mapped files, everything else in one index.

A pack is a folder named by a hash of what it was made from, see :mod:`datamodules.packs`.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datamodules.humanml3d.files import (
    FRAME_LIMIT,
    MIN_FRAMES,
    SPLITS,
    Listing,
    read_captions,
    read_features,
    select_clips,
)
from datamodules.packs import INDEX, ShardWriter, check_shards, map_shard, read_index, write_index, write_once
from datamodules.splits import Split
from sim.conventions import NUM_FEATURES

log = logging.getLogger(__name__)

READER_VERSION: Final = 2
"""Part of a pack's name: raise it with every change of what a pack holds."""

SHARD_FRAMES: Final = 1 << 17
"""A file is closed at the first motion that ends beyond this many frames (138 MB)."""

_COLUMNS: Final = ("split", "shard", "start", "length", "first_text", "num_texts")
_ARRAYS: Final = ("about", *_COLUMNS, "names/data", "names/ends", "texts/data", "texts/ends")


class PackedTexts:
    """Texts in one array of bytes, decoded when asked for; opening a hundred thousand costs nothing.

    Args:
        data: UTF-8 of all texts in a row ``(bytes,)``, uint8.
        ends: where each ends ``(N,)``, int64.
    """

    def __init__(self, data: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self._data, self._ends = data, ends

    @classmethod
    def pack(cls, texts: list[str]) -> PackedTexts:
        """Pack texts."""
        encoded = [text.encode() for text in texts]
        return cls(
            np.frombuffer(b"".join(encoded), np.uint8), np.cumsum([len(text) for text in encoded], dtype=np.int64)
        )

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[np.generic]], name: str) -> PackedTexts:
        """The inverse of :meth:`arrays`."""
        data, ends = arrays[f"{name}/data"], arrays[f"{name}/ends"]
        return cls(data.astype(np.uint8, copy=False), ends.astype(np.int64, copy=False))

    def arrays(self, name: str) -> dict[str, NDArray[np.generic]]:
        """Return the two arrays under the names that an index keeps them by."""
        return {f"{name}/data": self._data, f"{name}/ends": self._ends}

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> str:
        start = int(self._ends[number - 1]) if number else 0
        return self._data[start : int(self._ends[number])].tobytes().decode()


@dataclass
class Shards:
    """An open pack. What is sent to a worker process is the file names; each process maps the files for itself.

    Attributes:
        folder: where it lies.
        names: name of each clip, see :class:`datamodules.humanml3d.files.ClipSpan`.
        texts: captions of all clips in a row.
        split: index into ``SPLITS`` of each clip ``(C,)``.
        shard: number of the file that holds it ``(C,)``.
        start: its first frame in that file ``(C,)``.
        length: its frames ``(C,)``.
        first_text: its first caption in ``texts`` ``(C,)``.
        num_texts: number of its captions ``(C,)``.
        frames: frames in each file.
        missing: motions in each split's list that have no file.
        skipped: motions of each split of which no clip is left, for their length.
    """

    folder: Path
    names: PackedTexts
    texts: PackedTexts
    split: NDArray[np.int64]
    shard: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    first_text: NDArray[np.int64]
    num_texts: NDArray[np.int64]
    frames: list[int]
    missing: dict[str, int]
    skipped: dict[str, int]
    _maps: dict[int, NDArray[np.float32]] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, object]:
        """Leave the maps out: pickle would write all that they map."""
        return {**self.__dict__, "_maps": {}}

    def features(self, clip: int) -> NDArray[np.float32]:
        """Return the features of a clip ``(T, 263)``, a view of the mapped file that cannot be written to."""
        number = int(self.shard[clip])
        if number not in self._maps:
            self._maps[number] = map_shard(self.folder, number, self.frames[number], width=NUM_FEATURES)
        start = int(self.start[clip])
        return self._maps[number][start : start + int(self.length[clip])]

    def captions(self, clip: int) -> list[str]:
        """Return the captions of a clip."""
        first = int(self.first_text[clip])
        return [self.texts[number] for number in range(first, first + int(self.num_texts[clip]))]

    def clips(self, split: Split) -> NDArray[np.int64]:
        """Return the numbers of a split's clips."""
        return np.flatnonzero(self.split == SPLITS.index(split))


def pack(listing: Listing, cache_dir: str | Path, *, progress: Callable[[int, int], None] | None = None) -> Path:
    """Pack a set unless it is packed already; safe to be called by several processes at once.

    Args:
        listing: what to pack.
        cache_dir: where packs are kept.
        progress: called with motions done and motions in all.

    Returns:
        The pack's folder.

    Raises:
        FileNotFoundError: a motion has no captions.
        ValueError: a motion or its captions are damaged, or a split has no clip of 40 to 199 frames.
    """
    report = progress or (lambda done, total: None)
    return write_once(Path(cache_dir), make_key(listing), lambda folder: _write(listing, folder, report))


def open_pack(listing: Listing, cache_dir: str | Path) -> Shards:
    """Open the pack of a set: one index is read, the features stay on disk.

    Raises:
        FileNotFoundError: the set, as it is now, was not packed.
        ValueError: a file of the pack is damaged.
    """
    folder = Path(cache_dir) / make_key(listing)
    if not (folder / INDEX).is_file():
        raise FileNotFoundError(f"{listing.root} is not packed in {cache_dir}; call prepare_data() first")
    data = read_index(folder, _ARRAYS)
    about = json.loads(str(data["about"]))
    names, texts = (PackedTexts.of_arrays(data, name) for name in ("names", "texts"))
    check_shards(folder, about["frames"], width=NUM_FEATURES)
    split, shard, start, length, first_text, num_texts = (data[name].astype(np.int64, copy=False) for name in _COLUMNS)
    return Shards(folder, names, texts, split, shard, start, length, first_text, num_texts, **about)


def make_key(listing: Listing) -> str:
    """Return a name for what a pack of this folder holds: reader, rules, lists, and size and time of each file."""
    digest = hashlib.sha256(f"{READER_VERSION}|{MIN_FRAMES}|{FRAME_LIMIT}|{SHARD_FRAMES}".encode())
    for split in SPLITS:
        for name in listing.names[split]:
            stamps = (listing.motions.get(name), listing.texts.get(name))
            digest.update(f"{split}|{name}|{[(s.size, s.mtime_ns) if s else None for s in stamps]}\n".encode())
    return f"humanml3d-{digest.hexdigest()[:20]}"


def _write(listing: Listing, folder: Path, progress: Callable[[int, int], None]) -> None:
    names: list[str] = []
    texts: list[str] = []
    rows: list[tuple[int, ...]] = []
    skipped = dict.fromkeys(SPLITS, 0)
    writer = ShardWriter(folder, width=NUM_FEATURES, max_rows=SHARD_FRAMES)
    try:
        for split, name in _iterate(listing, progress):
            features = read_features(listing.motion_path(name))
            clips = select_clips(name, len(features), read_captions(listing.text_path(name)))
            if not clips:
                skipped[split] += 1
                continue
            shard, first = writer.add(features)
            for clip in clips:
                rows.append(
                    (SPLITS.index(split), shard, first + clip.start, clip.length, len(texts), len(clip.captions))
                )
                names.append(clip.name)
                texts += clip.captions
    finally:
        writer.close()
    table = np.array(rows, np.int64).reshape(-1, 6)
    for number, split in enumerate(SPLITS):
        if not (table[:, 0] == number).any():
            raise ValueError(
                f"split {split} of {listing.root} has no clip of {MIN_FRAMES} to {FRAME_LIMIT - 1} frames among "
                f"{len(listing.present(split))} motions; check that they are features at 20 fps"
            )
    missing = {split: len(listing.names[split]) - len(listing.present(split)) for split in SPLITS}
    about = {"frames": writer.rows, "missing": missing, "skipped": skipped}
    columns = dict(zip(_COLUMNS, table.T.copy(), strict=True))
    write_index(
        folder,
        {
            "about": np.array(json.dumps(about)),
            **columns,
            **PackedTexts.pack(names).arrays("names"),
            **PackedTexts.pack(texts).arrays("texts"),
        },
    )


def _iterate(listing: Listing, progress: Callable[[int, int], None]) -> Iterator[tuple[Split, str]]:
    todo = [(split, name) for split in SPLITS for name in listing.present(split)]
    for done, item in enumerate(todo):
        if done % 64 == 0:
            progress(done, len(todo))
        yield item
