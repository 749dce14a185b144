"""Shards on disk: which are refused, which numbers are missing, and that no more than one is in memory at a time."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from lightning_modules.callbacks.shard_files import Header, find_done, look_into, merge_shards, say_numbers, write_shard
from lightning_modules.callbacks.shard_writer import ShardWriter


def shard(
    folder: Path, numbers: list[int], *, total: int = 6, frames: int = 4, of: str = "abc", width: int = 1
) -> Path:
    """Motions whose every number is their own, with two windows each."""
    count = np.array(numbers, dtype=np.float32)
    owners = np.repeat(np.array(numbers), 2)
    arrays = {
        "index": np.array(numbers),
        "rotations": np.broadcast_to(count[:, None, None, None, None], (len(numbers), frames, 22, 3, 3)),
        "translation": np.broadcast_to(count[:, None, None], (len(numbers), frames, 3)),
        "lengths": np.full(len(numbers), frames),
        "seed": np.array(numbers) + 100,
        "activity": np.array(["even" if number % 2 == 0 else "odd" for number in numbers]),
        "text": np.array([f"a person counts to {number % 3}." for number in numbers]),
        "windows": np.broadcast_to(owners[:, None, None].astype(np.float32), (len(owners), 8, width)),
        "windows_of": owners,
    }
    path = folder / f"shard-{min(numbers):08d}-{len(numbers)}{frames}.npz"
    write_shard(path, Header(of, total, "consistent", 20.0, ("x",) * width, 50.0), arrays)
    return path


def test_merged_they_are_in_order_and_each_once(tmp_path: Path) -> None:
    for numbers, frames in (([4, 1], 3), ([0, 2, 5], 4), ([3, 4], 3)):
        shard(tmp_path, numbers, frames=frames)
    told = merge_shards(tmp_path, tmp_path / "out")
    found = {path.stem: np.load(path, mmap_mode="r") for path in (tmp_path / "out").glob("*.npy")}
    assert (told["total"], told["shards"], told["windows"]) == (6, 3, 12)
    np.testing.assert_array_equal(found["translation"][:, 0, 0], np.arange(6))
    np.testing.assert_array_equal(found["lengths"], [4, 3, 4, 3, 3, 4])
    assert found["rotations"].shape == (6, 4, 22, 3, 3)
    assert not found["rotations"][1, 3].any()
    np.testing.assert_array_equal(found["seed"], np.arange(6) + 100)
    np.testing.assert_array_equal(found["windows"][:, 0, 0], np.repeat(np.arange(6), 2))
    np.testing.assert_array_equal(found["windows_of"], np.repeat(np.arange(6), 2))
    assert [told["activities"][code] for code in found["labels"][::2]] == ["even", "odd"] * 3
    assert [told["texts"][code] for code in found["text"]] == [f"a person counts to {n % 3}." for n in range(6)]


def test_other_configurations_gaps_and_damage_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no shard"):
        merge_shards(tmp_path, tmp_path / "out")
    shard(tmp_path, [0, 1])
    with pytest.raises(ValueError, match=r"lacks 4 of 6 motions \(numbers 2-5\)"):
        merge_shards(tmp_path, tmp_path / "out")
    other = shard(tmp_path, [2, 3, 4, 5], of="xyz")
    with pytest.raises(ValueError, match="is of configuration xyz and shard-00000000-24"):
        merge_shards(tmp_path, tmp_path / "out")
    assert find_done(tmp_path, "abc") == [0, 1]
    other.write_bytes(other.read_bytes()[:-30])
    with pytest.raises(ValueError, match="is cut off"):
        look_into(other)
    assert find_done(tmp_path, "abc") == [0, 1]
    (tmp_path / "there").mkdir()
    with pytest.raises(ValueError, match="is there already"):
        merge_shards(tmp_path, tmp_path / "there")
    assert not list(tmp_path.glob(".*part")), "a refused merge left something"


def test_numbers_are_told_as_ranges() -> None:
    assert say_numbers([3, 17, 18, 19, 25]) == "3, 17-19, 25"
    assert say_numbers(range(0, 40, 2), most=2) == "0, 2 and 18 more"


def test_merging_holds_one_shard_at_a_time(tmp_path: Path) -> None:
    """Forty shards of 3 MB are merged in the memory of a few."""
    for first in range(0, 80, 2):
        shard(tmp_path, [first, first + 1], total=80, width=24000)
    largest = max(path.stat().st_size for path in tmp_path.glob("shard-*.npz"))
    tracemalloc.start()
    merge_shards(tmp_path, tmp_path / "out")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert largest > 3e6
    assert peak < 6 * largest, f"{peak / 1e6:.0f} MB at once for shards of {largest / 1e6:.0f} MB"


def test_windows_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="expected windows of at least one sample"):
        ShardWriter(placements=["chest"], overlap=1.0)
    with pytest.raises(ValueError, match="chst"):
        ShardWriter(placements=["chst"])
