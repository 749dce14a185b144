"""Shards: what many processes generated, a file a batch, and how they become arrays that are opened without reading.

A shard is an ``.npz`` of one batch. It says which configuration made it (a hash), which motions it holds (by their
number) and how many there are in all; a set of shards is whole when every number is there.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, TypedDict

import numpy as np
from numpy.typing import NDArray

from sim.files import require_space, whole_file

FORMAT: Final = "imuforge shard 1"
PATTERN: Final = "shard-*.npz"
MERGED: Final = "merged.json"
_HEADER: Final = "header"

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Header:
    """What a shard says of itself.

    Attributes:
        config_hash: of weights, hyper-parameters, prompts, decoder and sensors.
        total: motions in the whole set.
        decoder: how features became joints.
        fps: frames per second of the motions.
        channels: of the windows, in order; empty where nothing was simulated.
        rate_hz: samples per second of the windows [Hz].
    """

    config_hash: str
    total: int
    decoder: str
    fps: float
    channels: tuple[str, ...] = ()
    rate_hz: float = 0.0


@dataclass(frozen=True)
class Shard:
    """A shard that was looked into, but not read.

    Attributes:
        path: the file.
        header: what it says of itself.
        index: numbers of its motions ``(B,)``.
        windows_of: numbers of the motions that its windows are of ``(W,)``.
    """

    path: Path
    header: Header
    index: NDArray[np.int64]
    windows_of: NDArray[np.int64]


class Merged(TypedDict):
    """What ``merged.json`` says.

    Attributes:
        config_hash: of the shards.
        decoder: how features became joints.
        fps: frames per second of the motions.
        channels: of the windows, in order.
        rate_hz: samples per second of the windows [Hz].
        total: motions.
        shards: how many they came in.
        windows: how many there are.
        activities: what the codes of ``activity`` and ``labels`` mean.
        texts: what the codes of ``text`` mean.
    """

    config_hash: str
    decoder: str
    fps: float
    channels: list[str]
    rate_hz: float
    total: int
    shards: int
    windows: int
    activities: list[str]
    texts: list[str]


def write_shard(path: Path, header: Header, arrays: Mapping[str, Array]) -> None:
    """Write a shard, whole or not at all.

    Args:
        path: the file.
        header: what it is of.
        arrays: ``index`` ``(B,)``, ``rotations`` ``(B, T, 22, 3, 3)``, ``translation`` ``(B, T, 3)`` [m], ``lengths``
            ``(B,)`` [frames], ``seed``, ``activity`` and ``text`` ``(B,)``, and where sensors were simulated
            ``windows`` ``(W, T', C)`` and ``windows_of`` ``(W,)``.
    """
    with whole_file(path) as part, part.open("wb") as file:
        np.savez(file, **{_HEADER: np.array(json.dumps({"format": FORMAT, **asdict(header)}))}, **arrays)  # type: ignore[arg-type]  # numpy's stub takes every keyword for allow_pickle


def look_into(path: Path) -> Shard:
    """Read what a shard says of itself, and none of its motions.

    Raises:
        ValueError: it is cut off, or no shard.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            told = json.loads(str(data[_HEADER]))
            if told.pop("format", None) != FORMAT:
                raise KeyError("format")
            told["channels"] = tuple(told["channels"])
            windows_of = data["windows_of"] if "windows_of" in data.files else np.zeros(0, np.int64)
            return Shard(path, Header(**told), data["index"].astype(np.int64), windows_of.astype(np.int64))
    except (KeyError, TypeError, EOFError, zipfile.BadZipFile, ValueError) as error:
        raise ValueError(
            f"{path} is cut off or no shard of this version ({error}), expected what ShardWriter wrote; remove it and "
            "run `lightning predict` again"
        ) from None


def find_done(folder: Path, config_hash: str) -> list[int]:
    """Return the sorted numbers of all motions that shards of a configuration hold; damaged ones count as none."""
    done: set[int] = set()
    for path in folder.glob(PATTERN):
        try:
            shard = look_into(path)
        except ValueError:
            continue
        if shard.header.config_hash == config_hash:
            done.update(shard.index.tolist())
    return sorted(done)


def merge_shards(folder: Path, out: Path) -> Merged:
    """Lay all shards of a folder out as arrays ``.npy`` to be opened with ``mmap_mode="r"``, one shard at a time.

    ``rotations``, ``translation``, ``lengths``, ``seed``, ``activity`` and ``text`` (codes into the lists of
    ``merged.json``) in the order of their numbers, and ``windows``, ``windows_of`` and ``labels`` where sensors were
    simulated. What is in memory is a shard and a few numbers for each motion.

    Args:
        folder: holds the shards.
        out: folder to make; there is none yet.

    Returns:
        What ``merged.json`` says: counts, shapes, channels, names.

    Raises:
        FileNotFoundError: there is no shard.
        ValueError: shards are of different configurations or damaged, motions are missing (by number), or the disk
            has no room.
    """
    if out.exists():
        raise ValueError(f"{out} is there already, expected a folder to make; remove it, or give another with --out")
    shards = [look_into(path) for path in sorted(folder.glob(PATTERN))]
    if not shards:
        raise FileNotFoundError(f"{folder} holds no {PATTERN}, expected the folder that ShardWriter named")
    _check_alike(shards)
    header = shards[0].header
    _check_complete({number for shard in shards for number in shard.index.tolist()}, header.total, folder)
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    require_space(part, sum(shard.path.stat().st_size for shard in shards), "the merged arrays")
    part.mkdir(parents=True)
    told = _fill(part, shards)
    with whole_file(part / MERGED) as file:
        file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    part.replace(out)
    return told


def say_numbers(numbers: Collection[int], *, most: int = 8) -> str:
    """Write numbers as ranges, such as ``3, 17-20 and 2 more``, with at most ``most`` of them."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:most]]
    rest = sum(last - first + 1 for first, last in ranges[most:])
    return ", ".join(words) + (f" and {rest} more" if rest else "")


def _check_alike(shards: Sequence[Shard]) -> None:
    for shard in shards[1:]:
        if shard.header != shards[0].header:
            raise ValueError(
                f"{shard.path} is of configuration {shard.header.config_hash} and {shards[0].path.name} of "
                f"{shards[0].header.config_hash}, expected shards of one; merge each configuration by itself"
            )


def _check_complete(found: Collection[int], total: int, folder: Path) -> None:
    missing = set(range(total)) - set(found)
    if missing:
        raise ValueError(
            f"{folder} lacks {len(missing)} of {total} motions (numbers {say_numbers(missing)}); run the same "
            "`lightning predict` again, which makes these alone"
        )


def _each_once(shards: Sequence[Shard]) -> Iterator[tuple[Shard, NDArray[np.bool_]]]:
    """Each shard with which of its motions no shard before it had."""
    seen: set[int] = set()
    for shard in shards:
        numbers = shard.index.tolist()
        first = [numbers.index(number) == row for row, number in enumerate(numbers)]
        yield shard, np.array([new and number not in seen for new, number in zip(first, numbers, strict=True)])
        seen.update(numbers)


def _fill(folder: Path, shards: Sequence[Shard]) -> Merged:
    header, total = shards[0].header, shards[0].header.total
    counts = np.zeros(total, dtype=np.int64)
    for shard, new in _each_once(shards):
        numbers, found = np.unique(shard.windows_of, return_counts=True)
        fresh = np.isin(numbers, shard.index[new])
        counts[numbers[fresh]] = found[fresh]
    begins = np.concatenate([[0], np.cumsum(counts)])
    frames = max(_shape_of(shard, "rotations")[1] for shard in shards)
    opened: dict[str, NDArray[np.generic]] = {}
    vocabulary: dict[str, dict[str, int]] = {"activity": {}, "text": {}}

    def target(name: str, like: Array, length: int) -> Array:
        if name not in opened:
            shape = (length, *((frames, *like.shape[2:]) if name in ("rotations", "translation") else like.shape[1:]))
            opened[name] = np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=like.dtype, shape=shape)
        return opened[name]

    for shard, new in _each_once(shards):
        with np.load(shard.path, allow_pickle=False) as data:
            rows = shard.index[new]
            for name in ("rotations", "translation"):
                values = data[name][new]
                target(name, values, total)[rows, : values.shape[1]] = values
            for name in ("lengths", "seed"):
                target(name, data[name], total)[rows] = data[name][new]
            for name, codes in vocabulary.items():
                coded = np.array([codes.setdefault(str(word), len(codes)) for word in data[name]], dtype=np.int32)
                target(name, coded, total)[rows] = coded[new]
            if header.channels:
                activity = target("activity", np.zeros(0, np.int32), total)
                for number in rows.tolist():
                    place = slice(begins[number], begins[number + 1])
                    mine = data["windows"][shard.windows_of == number]
                    target("windows", mine, int(begins[-1]))[place] = mine
                    target("windows_of", np.zeros(0, np.int64), int(begins[-1]))[place] = number
                    target("labels", np.zeros(0, np.int32), int(begins[-1]))[place] = activity[number]
    return {
        "config_hash": header.config_hash,
        "decoder": header.decoder,
        "fps": header.fps,
        "channels": list(header.channels),
        "rate_hz": header.rate_hz,
        "total": total,
        "shards": len(shards),
        "windows": int(begins[-1]),
        "activities": list(vocabulary["activity"]),
        "texts": list(vocabulary["text"]),
    }


def _shape_of(shard: Shard, name: str) -> tuple[int, ...]:
    """Return the shape of an array in a shard, from its first bytes."""
    with zipfile.ZipFile(shard.path) as archive, archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return read(file)[0]
