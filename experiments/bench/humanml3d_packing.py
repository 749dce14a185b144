"""How long HumanML3D takes to pack and to open, and how fast batches come from the pack and from single files.

Writes 4 GB, which takes one to three minutes, so it runs by itself: ``python -m experiments.bench.humanml3d_packing``.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import torch
from rich.console import Console
from torch.utils.data import DataLoader, Dataset

from datamodules.humanml3d import HumanML3DDataModule
from datamodules.humanml3d.files import list_files, read_captions
from datamodules.humanml3d.shards import open_pack, pack
from datamodules.humanml3d.windows import FixedCrops, draw_window, fixed_generator
from datamodules.motion_windows import MotionWindow, collate_windows
from experiments.pipeline.tables import BenchTable, median_seconds
from sim.conventions import NUM_FEATURES

NUM_MOTIONS: Final = 14_616
_BATCH_SIZE: Final = 64
_BATCHES: Final = 60


class _SingleFiles(Dataset[MotionWindow]):
    """The same crops, but each item reads its motion and its captions from their files."""

    def __init__(self, root: Path, names: list[str]) -> None:
        self._listing, self._names = list_files(root), names

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, number: int) -> MotionWindow:
        name = self._names[number]
        features = np.load(self._listing.motion_path(name))
        captions = [caption.text for caption in read_captions(self._listing.text_path(name))]
        return draw_window(features, captions, name, fixed_generator(name))


def humanml3d_table(num_motions: int = NUM_MOTIONS) -> BenchTable:
    """Pack made-up motions of 40 to 199 frames and measure; the folder is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        root, cache = Path(folder) / "HumanML3D", Path(folder) / "cache"
        frames = write_made_up_set(root, num_motions)
        start = time.perf_counter()
        pack(list_files(root), cache)
        packing_s = time.perf_counter() - start
        opening_s = median_seconds(lambda: open_pack(list_files(root), cache), repeats=3, warm_up=0)
        data = HumanML3DDataModule(str(root), batch_size=_BATCH_SIZE, cache_dir=str(cache))
        data.setup()
        numbers = np.random.default_rng(0).permutation(data.shards.clips("train"))
        crops = FixedCrops(data.shards, numbers)
        names = [data.shards.names[int(number)] for number in numbers]
        packed = _batches_per_second(lambda: _load(crops))
        single = _batches_per_second(lambda: _load(_SingleFiles(root, names)))
    return BenchTable(
        f"HumanML3D: {num_motions} made-up motions of 40 to 199 frames, {frames * NUM_FEATURES * 4 / 1e9:.1f} GB",
        ("packing, once [s]", "opening [s]", f"batches of {_BATCH_SIZE} per second, packed", "np.load for each item"),
        [(f"{packing_s:.3g}", f"{opening_s:.3g}", f"{packed:.3g}", f"{single:.3g}")],
        "Local disk, one process; opening looks at every file's size and time and reads the index.",
    )


def write_made_up_set(root: Path, num_motions: int) -> int:
    """Write a set in the published layout; returns its frames in all."""
    generator = np.random.default_rng(0)
    noise = generator.uniform(size=(200, NUM_FEATURES)).astype(np.float32)
    lengths = generator.integers(40, 200, size=num_motions)
    names = [f"{number:06}" for number in range(num_motions)]
    for folder in ("new_joint_vecs", "texts"):
        (root / folder).mkdir(parents=True)
    lines = "".join(f"a person does a thing in {way} ways.#a/DET person/NOUN#0.0#0.0\n" for way in range(3))
    for name, length in zip(names, lengths, strict=True):
        np.save(root / "new_joint_vecs" / f"{name}.npy", noise[:length])
        (root / "texts" / f"{name}.txt").write_text(lines, encoding="utf-8")
    first, second = int(0.8 * num_motions), int(0.85 * num_motions)
    for split, part in (("train", names[:first]), ("val", names[first:second]), ("test", names[second:])):
        (root / f"{split}.txt").write_text("\n".join(part), encoding="utf-8")
    np.save(root / "Mean.npy", np.zeros(NUM_FEATURES, np.float32))
    np.save(root / "Std.npy", np.ones(NUM_FEATURES, np.float32))
    return int(lengths.sum())


def _load(crops: Dataset[MotionWindow]) -> DataLoader[MotionWindow]:
    return DataLoader(crops, batch_size=_BATCH_SIZE, collate_fn=collate_windows)


def _batches_per_second(loader: Callable[[], Iterable[object]]) -> float:
    start = time.perf_counter()
    count = sum(1 for _ in islice(loader(), _BATCHES))
    return count / (time.perf_counter() - start)


if __name__ == "__main__":
    torch.set_num_threads(1)
    humanml3d_table().print(Console(width=160))
