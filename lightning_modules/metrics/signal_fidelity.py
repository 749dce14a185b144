"""Do virtual signals look like real ones? One sensor and one activity, five ways, each with an interval over people.

All but the first are of the classical features of windows (:mod:`lightning_modules.har.features`), in standard
deviations of the real ones. Windows of one wearer are not independent: wherever pairs or neighbours are taken, those of
one wearer are left out, and classifiers are tested on wearers that they were not trained on.

Autocorrelation: of magnitudes, its difference and the cadence, the place of its first high peak.
Sliced Wasserstein: Bonneel et al. 2015, doi 10.1007/s10851-014-0506-3.
MMD: Gretton et al. 2012, JMLR 13, lemma 6, Gaussian kernel as wide as the median distance of real windows.
Classifier two-sample test: Lopez-Paz and Oquab 2017, arXiv 1610.06545, with a linear discriminant.
Nearest neighbours: how far a virtual window is from a real one, over how far a person's is from another person's.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from datamodules.har.windows.window_set import WindowSet
from lightning_modules.har.features import extract_features

MEASURES: Final = ("autocorrelation", "cadence_ratio", "sliced_wasserstein", "mmd", "two_sample", "nearest_ratio")
"""What :func:`compare_signals` gives; best are 0, 1, 0, 0, 0.5 and 1."""

RESAMPLES: Final = 100
_SLICES: Final = 32
_FOLDS: Final = 5
_FASTEST_S: Final = 0.2
_PERIODIC: Final = 0.2
"""Least height of a peak of the autocorrelation for its place to be called a cadence."""
_FIRST: Final = 0.8

Array = NDArray[np.float64]


class Estimate(NamedTuple):
    """A value and the ends of its 95% interval, None where fewer than two people stand behind it.

    The ends lie as far from the value as Student's quantile times the standard deviation over resampled people: of a
    distance, resamples are biased upwards, so that their percentiles would not hold it.
    """

    value: float
    low: float | None
    high: float | None


class _Wearers(NamedTuple):
    """Which wearer each window is of ``(N,)``, how many there are, and how often each is drawn ``(B, U)``."""

    of: NDArray[np.int64]
    number: int
    drawn: NDArray[np.int64]


def compare_signals(virtual: WindowSet, real: WindowSet, *, seed: int = 0) -> dict[str, Estimate | None]:
    """Compare windows of one activity and one sensor.

    Args:
        virtual: windows of three channels x, y, z, with the virtual wearer of each.
        real: the same of people.
        seed: of slices and resamples.

    Returns:
        For each of :data:`MEASURES` an estimate, or None: of a cadence where either side has none, of what needs two
        wearers on either side (and two windows to be told by) where there are fewer, and of all that is of features
        where no feature of real windows varies.

    Raises:
        ValueError: a side has no window, or the two do not fit together.
    """
    if len(virtual) == 0 or len(real) == 0:
        raise ValueError(f"{len(virtual)} virtual and {len(real)} real windows, expected some of both")
    real.check_compatible(virtual, "virtual")
    generator = np.random.default_rng(seed)
    names, of = np.unique(real.subjects, return_inverse=True)
    count = len(names)
    people = _Wearers(of, count, generator.multinomial(count, np.full(count, 1 / count), size=RESAMPLES))
    movers = np.unique(virtual.subjects, return_inverse=True)[1]
    features = [extract_features(side)[0] for side in (virtual, real)]
    spread = features[1].std(axis=0)
    varies = spread > 1e-9
    ours, theirs = ((side[:, varies] - features[1][:, varies].mean(axis=0)) / spread[varies] for side in features)
    found = dict.fromkeys(MEASURES) | _compare_rhythm(virtual, real, people)
    if not varies.any():
        return found
    found["sliced_wasserstein"] = _sliced_wasserstein(ours, theirs, people, generator)
    if count > 1 and movers.max() > 0:
        found["mmd"] = _mmd(ours, movers, theirs, people)
        found["two_sample"] = _two_sample(ours, movers, theirs, people)
        found["nearest_ratio"] = _nearest_ratio(ours, theirs, people)
    return found


def _estimate(value: float, samples: Array, people: _Wearers) -> Estimate | None:
    if not np.isfinite(value):
        return None
    kept = samples[np.isfinite(samples)]
    if people.number < 2 or len(kept) < 2:
        return Estimate(value, None, None)
    half = float(stats.t.ppf(0.975, people.number - 1) * kept.std(ddof=1))
    return Estimate(value, value - half, value + half)


def autocorrelations(windows: WindowSet) -> Array:
    """Autocorrelation of the magnitude of each window, lags 0 to half of it: ``(N, L)``; 0 where nothing moves."""
    magnitude = np.linalg.norm(windows.signals.astype(np.float64), axis=-1)
    centred = magnitude - magnitude.mean(axis=1, keepdims=True)
    samples = centred.shape[1]
    spectrum = np.abs(np.fft.rfft(centred, n=2 * samples, axis=1)) ** 2
    lags = np.arange(samples // 2 + 1)
    products = np.fft.irfft(spectrum, axis=1)[:, : len(lags)] / (samples - lags)
    return products / np.maximum(products[:, :1], 1e-12)


def find_cadence_hz(correlation: Array, rate_hz: float) -> float:
    """Place of the first peak of an autocorrelation ``(L,)`` beyond 0.2 s [Hz]; NaN where none is 0.2 high.

    The first that is four fifths as high as the highest: at twice the period stands another, hardly lower or higher.
    """
    first = max(1, round(_FASTEST_S * rate_hz))
    inner = np.arange(first, len(correlation) - 1)
    before, here, after = (correlation[inner + step] for step in (-1, 0, 1))
    peaks = (here >= before) & (here > after) & (here >= _PERIODIC)
    if not peaks.any():
        return float("nan")
    best = int(np.flatnonzero(peaks & (here >= _FIRST * here[peaks].max()))[0])
    bend = before[best] - 2 * here[best] + after[best]
    shift = 0.5 * (before[best] - after[best]) / bend if bend < 0 else 0.0
    return float(rate_hz / (inner[best] + shift))


def _compare_rhythm(virtual: WindowSet, real: WindowSet, people: _Wearers) -> dict[str, Estimate | None]:
    ours, each = autocorrelations(virtual).mean(axis=0), autocorrelations(real)
    sums = np.stack([each[people.of == who].sum(axis=0) for who in range(people.number)])
    sizes = np.bincount(people.of, minlength=people.number)
    resampled = (people.drawn @ sums) / (people.drawn @ sizes)[:, None]
    cadence = find_cadence_hz(ours, real.rate_hz)
    theirs = each.mean(axis=0)
    ratios = np.array([cadence / find_cadence_hz(sample, real.rate_hz) for sample in resampled])
    return {
        "autocorrelation": _estimate(
            float(np.abs(ours - theirs).mean()), np.abs(ours - resampled).mean(axis=1), people
        ),
        "cadence_ratio": _estimate(cadence / find_cadence_hz(theirs, real.rate_hz), ratios, people),
    }


def _sliced_wasserstein(
    ours: Array, theirs: Array, people: _Wearers, generator: np.random.Generator
) -> Estimate | None:
    """Mean Wasserstein-1 distance of random projections; the first column of weights is everybody once."""
    slices = generator.standard_normal((ours.shape[1], _SLICES))
    slices /= np.linalg.norm(slices, axis=0)
    weights = np.vstack([np.ones(people.number, dtype=np.int64), people.drawn]).T
    total = np.bincount(people.of, minlength=people.number) @ weights
    member = np.zeros((len(ours) + len(theirs), people.number))
    member[len(ours) + np.arange(len(theirs)), people.of] = 1
    distances = np.zeros(weights.shape[1])
    for values in np.vstack([ours @ slices, theirs @ slices]).T:
        order = np.argsort(values, kind="stable")
        gaps = np.diff(values[order])
        reached = np.cumsum(order < len(ours))[:-1] / len(ours)
        of_people = (np.cumsum(member[order], axis=0)[:-1] @ weights) / total
        distances += gaps @ np.abs(reached[:, None] - of_people)
    distances /= _SLICES
    return _estimate(float(distances[0]), distances[1:], people)


def _mmd(ours: Array, movers: NDArray[np.int64], theirs: Array, people: _Wearers) -> Estimate | None:
    """Squared maximum mean discrepancy; pairs of one wearer left out, so that it may come out below 0."""
    between = cdist(theirs, theirs, "sqeuclidean")
    apart = people.of[:, None] != people.of[None]
    width = max(float(np.median(between[apart])), 1e-12)
    other = movers[:, None] != movers[None]
    own = np.exp(-cdist(ours, ours, "sqeuclidean") / width)[other].mean()
    member = np.eye(people.number)[people.of]
    sizes = member.sum(axis=0)
    pairs = member.T @ (np.exp(-between / width) * apart) @ member
    cross = np.exp(-cdist(ours, theirs, "sqeuclidean") / width).mean(axis=0) @ member
    counts = np.outer(sizes, sizes) * (1 - np.eye(people.number))

    def value(weights: Array) -> Array:
        among = np.einsum("bu,uv,bv->b", weights, pairs, weights)
        number = np.einsum("bu,uv,bv->b", weights, counts, weights)
        with np.errstate(invalid="ignore", divide="ignore"):  # one person drawn alone has no pair
            return np.asarray(own + among / number - 2 * (weights @ cross) / (weights @ sizes))

    everybody = value(np.ones((1, people.number)))
    return _estimate(float(everybody[0]), value(people.drawn.astype(np.float64)), people)


def _two_sample(ours: Array, movers: NDArray[np.int64], theirs: Array, people: _Wearers) -> Estimate | None:
    """Balanced accuracy of telling virtual from real in wearers that were not trained on; 0.5 is chance."""
    folds = min(_FOLDS, people.number, int(movers.max()) + 1)
    fold = np.concatenate([movers % folds, people.of % folds])
    features, truth = np.vstack([ours, theirs]), np.repeat([0, 1], [len(ours), len(theirs)])
    right = np.zeros(len(truth))
    for number in range(folds):
        away = fold == number
        if np.bincount(truth[~away], minlength=2).min() < 2:
            return None
        tell = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[0.5, 0.5])
        right[away] = tell.fit(features[~away], truth[~away]).predict(features[away]) == truth[away]
    hits = np.bincount(people.of, weights=right[len(ours) :], minlength=people.number)
    sizes = np.bincount(people.of, minlength=people.number)
    virtual = right[: len(ours)].mean()
    samples = (virtual + (people.drawn @ hits) / (people.drawn @ sizes)) / 2
    return _estimate(float((virtual + hits.sum() / sizes.sum()) / 2), samples, people)


def _nearest_ratio(ours: Array, theirs: Array, people: _Wearers) -> Estimate | None:
    """Median distance of virtual windows from the nearest real one, over that of real ones from another person's."""
    groups = [theirs[people.of == who] for who in range(people.number)]
    virtual = np.stack([cdist(ours, group).min(axis=1) for group in groups], axis=1)
    real = np.stack([cdist(theirs, group).min(axis=1) for group in groups], axis=1)
    real[np.arange(len(theirs)), people.of] = np.inf

    def value(weights: NDArray[np.int64]) -> float:
        there = weights > 0
        if there.sum() < 2:
            return float("nan")
        rows = np.repeat(np.arange(len(theirs)), weights[people.of])
        reference = float(np.median(real[rows][:, there].min(axis=1)))
        return float(np.median(virtual[:, there].min(axis=1))) / max(reference, 1e-12)

    samples = np.array([value(weights) for weights in people.drawn])
    return _estimate(value(np.ones(people.number, dtype=np.int64)), samples, people)
