"""Who wears the sensors, on which side of the split, by which motions; and how the work is cut into parts.

A person is on one side. A motion is, too: each side has a pool of its own, so that neither a body nor a movement of
the test people has been seen in training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from datamodules.har.dataset_folder import SIDES
from experiments.dataset.config import DatasetConfig
from lightning_modules.training.randomness import derive_seed

PART: Final = 48
"""Recordings of a part, or those of one person where these are more."""


@dataclass(frozen=True)
class Chunk:
    """Motions ``first`` to ``first + count - 1`` of every activity in a side's pool."""

    side: str
    first: int
    count: int

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.side}-{self.first}"


@dataclass(frozen=True)
class Person:
    """A virtual person: a number of their own, and which one of their side they are."""

    number: int
    place: int

    @property
    def name(self) -> str:
        """What they are called."""
        return f"p{self.number:04d}"


@dataclass(frozen=True)
class Part:
    """A few people of one side, and the motions that they need."""

    number: int
    side: str
    people: tuple[Person, ...]
    chunks: tuple[Chunk, ...]

    @property
    def stem(self) -> str:
        """Name of its files."""
        return f"{self.side}-{self.number:05d}"


def plan_parts(config: DatasetConfig) -> list[Part]:
    """Return all parts, in the order of their numbers; the same for the same configuration."""
    parts: list[Part] = []
    each = config.recordings_each
    together = max(1, PART // (each * len(config.activities)))
    for side, numbers in sides_of(config).items():
        people = [Person(number, place) for place, number in enumerate(numbers)]
        pool, size = pool_of(config, len(people)), together * each
        for start in range(0, len(people), together):
            mine = tuple(people[start : start + together])
            used = {motion_number(config, pool, person, turn) // size for person in mine for turn in range(each)}
            chunks = [Chunk(side, row * size, min(size, pool - row * size)) for row in sorted(used)]
            parts.append(Part(len(parts), side, mine, tuple(chunks)))
    return parts


def sides_of(config: DatasetConfig) -> dict[str, list[int]]:
    """Return the people of each side."""
    people = config.people
    order = np.random.default_rng([config.seed, 0]).permutation(people.count).tolist()
    val, test = _share(people.val, people.count), _share(people.test, people.count)
    dealt = {"train": order[val + test :], "val": order[:val], "test": order[val : val + test]}
    return {side: sorted(dealt[side]) for side in SIDES if dealt[side]}


def _share(share: float, count: int) -> int:
    return max(1, round(share * count)) if share > 0 else 0


def pool_of(config: DatasetConfig, people: int) -> int:
    """Return how many motions of each activity the people of one side have between them."""
    if config.motion.of_each is None:
        return people * config.recordings_each
    return max(1, round(config.motion.of_each * people / config.people.count))


def motion_number(config: DatasetConfig, pool: int, person: Person, turn: int) -> int:
    """Return which motion of the pool a person's recording of an activity shows."""
    return (person.place * config.recordings_each + turn) % pool


def slots_of(chunk: Chunk, config: DatasetConfig) -> Iterator[tuple[str, int]]:
    """Yield activity and number of each motion of a chunk."""
    for label in config.activities:
        for number in range(chunk.first, chunk.first + chunk.count):
            yield label, number


def seed_of(config_seed: int, *keys: int | str) -> int:
    """Return a seed for what the keys name, whatever else is drawn."""
    numbers = [int.from_bytes(hashlib.sha256(str(key).encode()).digest()[:8], "big") for key in keys]
    return derive_seed(config_seed, *numbers) % 2**62
