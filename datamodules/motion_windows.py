"""Windows of motion features: random ones for training, fixed ones for validation and test."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler

from datamodules.batches import MotionBatch
from datamodules.motion_tempo import change_rate, draw_rate, is_airborne
from sim.conventions import FEATURE_FPS, NUM_FEATURES


class FeatureClip(Protocol):
    """What windows are cut from: a clip's features and what is known of it."""

    @property
    def name(self) -> str:
        """Unique, the same in every run."""
        ...

    @property
    def activity(self) -> str:
        """Its activity."""
        ...

    @property
    def captions(self) -> tuple[str, ...]:
        """Sentences that describe it, at least one."""
        ...

    @property
    def features(self) -> NDArray[np.float32]:
        """HumanML3D features ``(N, 263)`` at 20 fps."""
        ...

    @property
    def mirrored(self) -> NDArray[np.float32]:
        """Features of the mirror image ``(N, 263)``."""
        ...

    @property
    def seconds(self) -> float:
        """Length [s]."""
        ...


class MotionWindow(NamedTuple):
    """One window: features ``(W, 263)`` with zeros beyond ``length``, and what :class:`MotionBatch` says of it."""

    features: Tensor
    length: int
    caption: str
    activity: int
    sample_id: int


def collate_windows(windows: Sequence[MotionWindow]) -> MotionBatch:
    """Stack windows to a batch."""
    return MotionBatch(
        features=torch.stack([window.features for window in windows]),
        lengths=torch.tensor([window.length for window in windows]),
        captions=[window.caption for window in windows],
        activity=torch.tensor([window.activity for window in windows]),
        sample_id=torch.tensor([window.sample_id for window in windows]),
    )


def swap_sides(text: str) -> str:
    """Exchange the words left and right, for the caption or the activity of a mirrored clip."""
    swap = {"left": "right", "right": "left"}
    return re.sub(r"(?<![A-Za-z])(left|right)(?![A-Za-z])", lambda word: swap[word[0]], text)


def hash_sample(*parts: object) -> int:
    """Return a number in 0..2^63-1 that names a sample in every run and on every machine."""
    digest = hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _cut(features: NDArray[np.float32], start: int, width: int) -> tuple[Tensor, int]:
    piece = features[start : start + width]
    padded = torch.zeros(width, NUM_FEATURES)
    padded[: len(piece)] = torch.from_numpy(piece)
    return padded, len(piece)


@dataclass(frozen=True)
class SamplingPlan:
    """How training draws clips.

    Attributes:
        clip_weights: probability of each clip ``(C,)``.
        seed: all draws follow from it and the sample's number.
        mirror: whether half of the samples are mirror images.
        tempo: most that a sample is played faster or slower, as a share; not where a flight is.
        body_scale: most that legs are longer or shorter, as a share; see :mod:`datamodules.motion_tempo`.
    """

    clip_weights: NDArray[np.float64]
    seed: int
    mirror: bool
    tempo: float = 0.0
    body_scale: float = 0.0


def balance_clips(
    clips: Sequence[FeatureClip], *, temperature: float, favour: Mapping[str, float] | None = None
) -> NDArray[np.float64]:
    """Return the probability of each clip to be drawn.

    An activity is drawn in proportion to its minutes to the power of ``temperature`` (1: as recorded, 0: all
    activities alike), a clip within it in proportion to its length. Those that ``favour`` names are drawn so many times
    as often as that beside the others.
    """
    favour = favour or {}
    seconds = np.array([clip.seconds for clip in clips])
    activities = np.array([clip.activity for clip in clips])
    weights = np.zeros(len(clips))
    for activity in np.unique(activities):
        own = activities == activity
        weights[own] = (
            seconds[own] / seconds[own].sum() * seconds[own].sum() ** temperature * favour.get(str(activity), 1.0)
        )
    return weights / weights.sum()


class TrainingWindows(Dataset[MotionWindow]):
    """Random windows; sample number n is the same in every run, whatever was drawn before it.

    Item numbers go on from epoch to epoch (see :class:`EpochSampler`), so that every epoch draws anew and a resumed run
    draws what an uninterrupted one would have.

    Args:
        clips: clips to draw from.
        activities: names that activity indices stand for.
        width: frames of a window.
        plan: probabilities, seed and mirroring.
    """

    def __init__(
        self, clips: Sequence[FeatureClip], *, activities: Sequence[str], width: int, plan: SamplingPlan
    ) -> None:
        self._clips = list(clips)
        self._index = {activity: number for number, activity in enumerate(activities)}
        self._width = width
        self._plan = plan
        self._cumulative = np.cumsum(plan.clip_weights)

    def __getitem__(self, number: int) -> MotionWindow:
        generator = np.random.default_rng([self._plan.seed, number])
        choice = int(np.searchsorted(self._cumulative, generator.random(), side="right"))
        clip = self._clips[min(choice, len(self._clips) - 1)]
        start = int(generator.integers(max(1, len(clip.features) - self._width + 1)))
        # A clip whose mirror image is of an activity that was not asked for is not mirrored.
        other = self._index.get(swap_sides(clip.activity))
        mirrored = bool(generator.random() < 0.5) and self._plan.mirror and other is not None
        caption = clip.captions[int(generator.integers(len(clip.captions)))]
        features, length, rate = self._cut_at_rate(clip.mirrored if mirrored else clip.features, start, number)
        return MotionWindow(
            features,
            length,
            swap_sides(caption) if mirrored else caption,
            other if mirrored and other is not None else self._index[clip.activity],
            hash_sample(clip.name, start, mirrored, *([] if rate == 1.0 else [rate])),
        )

    def _cut_at_rate(self, features: NDArray[np.float32], start: int, number: int) -> tuple[Tensor, int, float]:
        """Cut a window, played at a rate of its own where the plan says so and nobody is in the air."""
        if self._plan.tempo or self._plan.body_scale:
            # A stream of its own: what else is drawn does not change with these two.
            generator = np.random.default_rng([self._plan.seed, number, 1])
            rate = draw_rate(generator, tempo=self._plan.tempo, body_scale=self._plan.body_scale)
            needed = int(np.ceil((self._width - 1) * rate)) + 2
            first = max(0, min(start, len(features) - needed))
            piece = features[first : first + needed]
            if len(piece) >= 4 and not is_airborne(piece):
                return *_cut(change_rate(piece, rate), 0, self._width), rate
        return *_cut(features, start, self._width), 1.0


class FixedWindows(Dataset[MotionWindow]):
    """Windows that follow one another through each clip, always the same and with the same caption.

    A rest of at least a second is a shorter window. Of each activity at most ``limit`` windows are kept, evenly spread,
    so that hours of standing do not outweigh the rest.

    Args:
        clips: clips to cut.
        activities: names that activity indices stand for.
        width: frames of a window.
        limit: most windows of an activity; None keeps all.
    """

    def __init__(
        self, clips: Sequence[FeatureClip], *, activities: Sequence[str], width: int, limit: int | None
    ) -> None:
        self._width = width
        self._index = {activity: number for number, activity in enumerate(activities)}
        by_activity: dict[str, list[tuple[FeatureClip, int]]] = {}
        for clip in clips:
            last = max(0, len(clip.features) - int(FEATURE_FPS))
            starts = range(0, last + 1, width)
            by_activity.setdefault(clip.activity, []).extend((clip, start) for start in starts)
        self._windows: list[tuple[FeatureClip, int]] = []
        for activity in activities:
            found = by_activity.get(activity, [])
            keep = len(found) if limit is None else min(limit, len(found))
            self._windows += [found[i * len(found) // keep] for i in range(keep)]

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, number: int) -> MotionWindow:
        clip, start = self._windows[number]
        features, length = _cut(clip.features, start, self._width)
        sample_id = hash_sample(clip.name, start, False)
        caption = clip.captions[sample_id % len(clip.captions)]
        return MotionWindow(features, length, caption, self._index[clip.activity], sample_id)


class EpochSampler(DistributedSampler[int]):
    """Numbers of training samples: ``epoch * size`` to ``(epoch + 1) * size - 1``, dealt out to the ranks by batches.

    A run that is resumed goes on where it was, also within an epoch. With ``block`` the size of a batch, a step of W
    ranks takes the samples that W steps of one would, batch for batch.

    Args:
        dataset: where the numbers lead to.
        size: samples of an epoch, over all ranks.
        num_replicas: number of ranks.
        rank: this one.
        position: tells the epoch and how many samples of it this rank has had; where it returns None, ``set_epoch``
            decides and the epoch starts from its beginning.
        block: samples that a rank takes at a time before it is the next one's turn.
    """

    def __init__(
        self,
        dataset: Dataset[MotionWindow],
        *,
        size: int,
        num_replicas: int,
        rank: int,
        position: Callable[[], tuple[int, int] | None] = lambda: None,
        block: int = 1,
    ) -> None:
        self._share, self._block = size // num_replicas, block
        if self._share < 1:
            raise ValueError(f"samples_per_epoch is {size}, expected at least one for each of {num_replicas} processes")
        super().__init__(_Sized(size), num_replicas=num_replicas, rank=rank, shuffle=False)
        self._position = position

    def __iter__(self) -> Iterator[int]:
        epoch, done = self._position() or (self.epoch, 0)
        first = epoch * self._share * self.num_replicas
        for number in range(done, self._share):
            start = number - number % self._block
            width = min(self._block, self._share - start)  # the last batch of an epoch may be a short one
            yield first + start * self.num_replicas + self.rank * width + number - start

    def __len__(self) -> int:
        return self._share


class _Sized(Dataset[int]):
    """A length, which is all that ``DistributedSampler`` asks of a data set."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> int:
        return index
