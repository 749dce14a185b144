"""Does one arm beat another for most people? Wilcoxon's signed-rank test over people, with Holm's correction.

Wilcoxon 1945, doi 10.2307/3001968, two-sided and exact, ties included; Demsar 2006, JMLR 7, section 3.1.3, on why ranks
where there are few people. Holm 1979, Scand. J. Stat. 6(2), for the comparisons that are made of the same people.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from experiments.pipeline.intervals import macro_f1


def people_differ(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Two-sided p that nobody gains or loses, from macro-F1 of each person, mean over seeds (and classifiers).

    Args:
        first: confusion matrices of one arm ``(..., S, U, K, K)``.
        second: those of the other, same people in the same order.
    """
    differences = (macro_f1(first) - macro_f1(second)).reshape(-1, first.shape[-3]).mean(axis=0)
    return signed_rank_p(np.round(differences, 12))  # so that equal ones are, whatever they were summed of


def signed_rank_p(differences: NDArray[np.float64]) -> float:
    """Exact two-sided p of Wilcoxon's signed-rank test; differences of zero are left out, 1 where nothing else is."""
    there = differences[differences != 0]
    ranks = np.rint(2 * stats.rankdata(np.abs(there))).astype(np.int64)  # doubled, so that shared ones are whole
    ways = np.ones(1)
    for rank in ranks:  # either sign is as likely: how many ways lead to each sum of positive ranks
        grown = np.zeros(len(ways) + rank)
        grown[: len(ways)] += ways
        grown[rank:] += ways
        ways = grown / 2
    found = int(ranks[there > 0].sum())
    return float(min(1.0, 2 * min(ways[: found + 1].sum(), ways[found:].sum())))


def correct_by_holm(values: Sequence[float]) -> list[float]:
    """Holm's adjusted p of each of several tests: at most their number times as large, never out of order."""
    order = np.argsort(values, kind="stable")
    scaled = np.array(values)[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(value) for value in adjusted]
