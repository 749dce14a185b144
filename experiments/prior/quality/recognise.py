"""Can one tell what is generated? A forest that has seen recorded training clips names generated motions.

Extremely randomised trees (Geurts et al. 2006, doi 10.1007/s10994-006-6226-1) through scikit-learn, on
:mod:`experiments.prior.quality.traits`. How well they name recorded test clips stands beside, as the most that can be
asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier

from experiments.prior.quality.traits import Array

NUM_TREES = 300


@dataclass(frozen=True)
class Named:
    """What motions of one activity were called.

    Attributes:
        asked: the activity.
        names: how often each name was given.
    """

    asked: str
    names: Mapping[str, int]

    @property
    def count(self) -> int:
        """Motions."""
        return sum(self.names.values())

    @property
    def right(self) -> float:
        """Share that has its own name; nan without any motion."""
        return self.names.get(self.asked, 0) / self.count if self.count else float("nan")

    @property
    def mistakes(self) -> list[tuple[str, int]]:
        """Other names, the most frequent first."""
        return [(name, count) for name, count in Counter(self.names).most_common() if name != self.asked]


class Recogniser:
    """A forest over traits.

    Args:
        traits: of recorded training windows ``(N, D)``.
        activities: of each.
        seed: decides its splits.

    Raises:
        ValueError: there are fewer than two activities.
    """

    def __init__(self, traits: Array, activities: Sequence[str], *, seed: int = 0) -> None:
        self.activities = sorted(set(activities))
        if len(self.activities) < 2:
            raise ValueError(f"recorded training clips show {self.activities}, expected two activities to tell apart")
        self._forest = ExtraTreesClassifier(
            NUM_TREES, min_samples_leaf=2, class_weight="balanced", random_state=seed, n_jobs=1
        )
        self._forest.fit(traits, list(activities))

    def name(self, traits: Array) -> list[str]:
        """Return the activity that each window ``(N, D)`` looks like."""
        return [str(name) for name in self._forest.predict(traits)]

    def judge(self, traits: Array, asked: Sequence[str]) -> dict[str, Named]:
        """Return what windows are called, by the activity that they were asked for."""
        names = self.name(traits) if len(traits) else []
        return {
            activity: Named(activity, Counter(name for name, own in zip(names, asked, strict=True) if own == activity))
            for activity in sorted(set(asked))
        }


def balanced_accuracy(judged: Mapping[str, Named]) -> float:
    """Return the mean share of right names, each activity counting alike; nan without any."""
    shares = [named.right for named in judged.values() if named.count]
    return float(np.mean(shares)) if shares else float("nan")


def confusion(judged: Mapping[str, Named], columns: Sequence[str]) -> NDArray[np.float64]:
    """Return shares of names, a row for each activity asked for and a column for each name."""
    return np.array(
        [[named.names.get(name, 0) / max(named.count, 1) for name in columns] for named in judged.values()]
    ).reshape(len(judged), len(columns))
