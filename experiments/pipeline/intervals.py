"""Intervals for scores that vary with seeds and with people: the crossed ("pigeonhole") bootstrap.

A score is measured for every pair of a seed and a subject. Resampling the pairs would call them independent, which
they are not: one hard subject is hard under every seed. The pigeonhole bootstrap draws seeds and subjects separately,
each with replacement (Owen 2007, "The pigeonhole bootstrap", Ann. Appl. Stat. 1(2), doi:10.1214/07-AOAS122).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Interval(NamedTuple):
    """An estimate with the ends of its 95% interval."""

    mean: float
    low: float
    high: float


class Resampling(NamedTuple):
    """How often each seed ``(B, S)`` and each subject ``(B, U)`` was drawn in each of B resamples."""

    seeds: Array
    subjects: Array


def draw_resampling(num_seeds: int, num_subjects: int, *, resamples: int, generator: np.random.Generator) -> Resampling:
    """Draw seeds and subjects, separately and with replacement.

    Raises:
        ValueError: there is nothing to draw from.
    """
    if num_seeds < 1 or num_subjects < 1 or resamples < 1:
        raise ValueError(
            f"got {num_seeds} seeds, {num_subjects} subjects and {resamples} resamples, expected at least one of each"
        )
    return Resampling(
        generator.multinomial(num_seeds, np.full(num_seeds, 1 / num_seeds), size=resamples).astype(np.float64),
        generator.multinomial(num_subjects, np.full(num_subjects, 1 / num_subjects), size=resamples).astype(np.float64),
    )


def f1_per_class(confusion: NDArray[np.number]) -> Array:
    """F1 of each class ``(..., K)`` from confusion matrices ``(..., K, K)`` with the true class along the rows.

    A class that is neither present nor predicted has 0, as everywhere in this project
    (:mod:`lightning_modules.har.metrics`): the mean is always over all classes of the experiment.
    """
    counts = np.asarray(confusion, dtype=np.float64)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    either = counts.sum(axis=-1) + counts.sum(axis=-2)
    return np.divide(2 * hits, either, out=np.zeros_like(either), where=either > 0)


def macro_f1(confusion: NDArray[np.number]) -> Array:
    """Unweighted mean of F1 over all classes, ``(...)`` from ``(..., K, K)``."""
    return f1_per_class(confusion).mean(axis=-1)


def macro_f1_samples(confusions: NDArray[np.number], resampling: Resampling) -> Array:
    """Resampled macro-F1 ``(B,)`` of confusion matrices per seed and subject ``(..., S, U, K, K)``.

    In each resample the windows of the drawn subjects are pooled before F1 is taken, then seeds are averaged, and
    whatever stands before them (classifiers).
    """
    pooled = np.einsum("bu,...suij->b...sij", resampling.subjects, np.asarray(confusions, dtype=np.float64))
    by_seed = macro_f1(pooled)
    weights = resampling.seeds / resampling.seeds.sum(axis=1, keepdims=True)
    return np.einsum("b...s,bs->b...", by_seed, weights).reshape(len(weights), -1).mean(axis=1)


def mean_samples(values: Array, resampling: Resampling) -> Array:
    """Resampled mean ``(B,)`` of ``values`` per seed and subject ``(S, U)``."""
    seeds, subjects = resampling
    return np.einsum("bs,su,bu->b", seeds, values, subjects) / (seeds.sum(1) * subjects.sum(1))


def percentile_interval(estimate: float, samples: Array, *, level: float = 0.95) -> Interval:
    """The estimate with the central ``level`` of its resamples."""
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(samples, [tail, 100.0 - tail])
    return Interval(float(estimate), float(low), float(high))


def score_interval(confusions: NDArray[np.number], resampling: Resampling) -> Interval:
    """Macro-F1 of ``(..., S, U, K, K)``, mean over seeds (and classifiers), with its crossed 95% interval."""
    estimate = macro_f1(confusions.sum(axis=-3)).mean()
    return percentile_interval(float(estimate), macro_f1_samples(confusions, resampling))


def difference_interval(
    first: NDArray[np.number], second: NDArray[np.number], resampling: Resampling, *, relative: bool = False
) -> Interval:
    """Macro-F1 of ``first`` minus ``second``, both ``(..., S, U, K, K)``, paired by seed and subject.

    Args:
        first: confusion matrices of one arm.
        second: those of the arm it is compared with, same seeds and subjects in the same order.
        resampling: draws, used for both alike.
        relative: divide by the score of ``second``: a relative gain instead of an absolute one. Where that score is
            zero in a resample, an end of the interval may be infinite or NaN.

    Raises:
        ValueError: the two do not hold the same number of seeds, subjects and classes.
    """
    if first.shape != second.shape:
        raise ValueError(f"compared shapes are {first.shape} and {second.shape}, expected the same seeds and subjects")
    estimates = [float(macro_f1(item.sum(axis=-3)).mean()) for item in (first, second)]
    samples = [macro_f1_samples(item, resampling) for item in (first, second)]
    if not relative:
        return percentile_interval(estimates[0] - estimates[1], samples[0] - samples[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = samples[0] / samples[1] - 1.0
        estimate = float(np.float64(estimates[0]) / estimates[1] - 1.0)
        return percentile_interval(estimate, ratios)


def ratio_interval(
    numerator: Array, denominator: Array, *, resamples: int, generator: np.random.Generator, root: bool = True
) -> Interval:
    """Relative change ``numerator / denominator - 1`` of (root) mean squared errors, resampling clips.

    Args:
        numerator: mean squared error of each clip ``(N,)``.
        denominator: the same of the arm compared with, same clips in the same order.
        resamples: number of bootstrap resamples.
        generator: source of randomness.
        root: compare root mean squared errors instead of mean squared errors.

    Raises:
        ValueError: shapes differ or there is no clip.
    """
    if numerator.shape != denominator.shape or numerator.ndim != 1 or numerator.size == 0:
        raise ValueError(f"errors have shapes {numerator.shape} and {denominator.shape}, expected the same (N,), N > 0")
    drawn = generator.integers(numerator.size, size=(resamples, numerator.size))
    power = 0.5 if root else 1.0
    samples = (numerator[drawn].mean(axis=1) / denominator[drawn].mean(axis=1)) ** power - 1.0
    estimate = (numerator.mean() / denominator.mean()) ** power - 1.0
    return percentile_interval(float(estimate), samples)


def crossed_ratio_interval(numerator: Array, denominator: Array, resampling: Resampling) -> Interval:
    """Relative change of root mean squared errors ``sqrt(numerator / denominator) - 1``, seeds and recordings crossed.

    Args:
        numerator: sum of squared errors of each seed and recording ``(S, U)``.
        denominator: the same of the arm compared with, same seeds and recordings in the same order.
        resampling: draws, used for both alike. Draws of recordings that hold no error at all are passed over.

    Raises:
        ValueError: the shapes differ.
    """
    if numerator.shape != denominator.shape or numerator.ndim != 2:
        raise ValueError(f"errors have shapes {numerator.shape} and {denominator.shape}, expected the same (S, U)")
    samples = [mean_samples(errors, resampling) for errors in (numerator, denominator)]
    drawn = samples[1] > 0
    ratios = np.sqrt(samples[0][drawn] / samples[1][drawn]) - 1.0
    return percentile_interval(float(np.sqrt(numerator.sum() / denominator.sum()) - 1.0), ratios)
