"""Intervals against the bootstrap's closed-form variance, normal percentiles and scikit-learn's scores."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score

from experiments.pipeline.intervals import (
    Resampling,
    difference_interval,
    draw_resampling,
    f1_per_class,
    macro_f1,
    macro_f1_samples,
    mean_samples,
    percentile_interval,
    ratio_interval,
    score_interval,
)


def _pigeonhole_variance(values):
    """Variance of the bootstrap mean in closed form: multinomial covariances of both factors and of their product."""
    seeds, subjects = values.shape
    cov_seeds = np.eye(seeds) - 1 / seeds
    cov_subjects = np.eye(subjects) - 1 / subjects
    flat = values.ravel()
    total = (
        np.kron(cov_seeds, np.ones((subjects, subjects)))
        + np.kron(np.ones((seeds, seeds)), cov_subjects)
        + np.kron(cov_seeds, cov_subjects)
    )
    return flat @ total @ flat / values.size**2


def test_crossed_bootstrap_of_a_mean_has_the_closed_form_variance():
    generator = np.random.default_rng(0)
    values = generator.normal(size=(4, 1)) + 2 * generator.normal(size=(1, 9)) + 0.3 * generator.normal(size=(4, 9))
    samples = mean_samples(values, draw_resampling(4, 9, resamples=60_000, generator=generator))
    assert samples.mean() == pytest.approx(values.mean(), abs=0.01)
    assert samples.var() == pytest.approx(_pigeonhole_variance(values), rel=0.03)


def test_crossed_bootstrap_is_wider_than_resampling_pairs():
    generator = np.random.default_rng(1)
    values = np.repeat(generator.normal(size=(1, 9)), 5, axis=0)
    crossed = mean_samples(values, draw_resampling(5, 9, resamples=20_000, generator=generator)).var()
    pairs = values.ravel()[generator.integers(45, size=(20_000, 45))].mean(axis=1).var()
    assert crossed == pytest.approx(values.var() / 9, rel=0.05)
    assert crossed > 4 * pairs


def test_percentiles_of_a_normal_sample():
    samples = np.random.default_rng(2).normal(3.0, 2.0, size=400_000)
    interval = percentile_interval(3.0, samples)
    assert (interval.low, interval.high) == pytest.approx((3 - 1.96 * 2, 3 + 1.96 * 2), abs=0.03)
    shifted = percentile_interval(30.0, samples + 27)
    assert shifted == pytest.approx([value + 27 for value in interval])


def test_macro_f1_agrees_with_scikit_learn():
    generator = np.random.default_rng(3)
    truth = generator.integers(4, size=500)
    guess = np.where(generator.random(500) < 0.6, truth, generator.integers(3, size=500))
    confusion = confusion_matrix(truth, guess, labels=range(4))
    assert f1_per_class(confusion) == pytest.approx(f1_score(truth, guess, average=None))
    assert float(macro_f1(confusion)) == pytest.approx(f1_score(truth, guess, average="macro"))


def test_a_class_that_is_absent_or_never_recognised_counts_as_zero():
    confusion = np.array([[4, 0, 0], [2, 0, 0], [0, 0, 0]])
    assert f1_per_class(confusion) == pytest.approx([2 * 4 / (4 + 6), 0.0, 0.0])
    assert float(macro_f1(confusion)) == pytest.approx(0.8 / 3)


def _confusions(accuracy, generator, seeds=3, subjects=9, classes=4, windows=60):
    result = np.zeros((seeds, subjects, classes, classes))
    for index in np.ndindex(seeds, subjects):
        truth = generator.integers(classes, size=windows)
        guess = np.where(generator.random(windows) < accuracy, truth, generator.integers(classes, size=windows))
        result[index] = confusion_matrix(truth, guess, labels=range(classes))
    return result


def test_unit_weights_give_the_estimate_itself():
    confusions = _confusions(0.5, np.random.default_rng(4))
    ones = Resampling(np.ones((1, 3)), np.ones((1, 9)))
    assert macro_f1_samples(confusions, ones) == pytest.approx([macro_f1(confusions.sum(1)).mean()])


def test_difference_of_an_arm_with_itself_is_zero_and_a_real_one_is_found():
    generator = np.random.default_rng(5)
    weak, strong = _confusions(0.4, generator), _confusions(0.8, generator)
    resampling = draw_resampling(3, 9, resamples=1000, generator=generator)
    assert difference_interval(weak, weak, resampling) == (0.0, 0.0, 0.0)
    absolute = difference_interval(strong, weak, resampling)
    relative = difference_interval(strong, weak, resampling, relative=True)
    assert absolute.low > 0.15
    assert absolute.mean == pytest.approx(
        score_interval(strong, resampling).mean - score_interval(weak, resampling).mean
    )
    assert relative.mean == pytest.approx(absolute.mean / score_interval(weak, resampling).mean)
    with pytest.raises(ValueError, match="same seeds and subjects"):
        difference_interval(weak, strong[:2], resampling)


def test_ratio_of_errors_is_relative_and_paired():
    generator = np.random.default_rng(6)
    errors = generator.gamma(2.0, size=40)
    interval = ratio_interval(0.81 * errors, errors, resamples=500, generator=generator)
    assert interval == pytest.approx((-0.1, -0.1, -0.1))
    squared = ratio_interval(0.81 * errors, errors, resamples=500, generator=generator, root=False)
    assert squared.mean == pytest.approx(-0.19)
    with pytest.raises(ValueError, match="N > 0"):
        ratio_interval(np.zeros(0), np.zeros(0), resamples=5, generator=generator)


def test_nothing_to_draw_from_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        draw_resampling(3, 0, resamples=10, generator=np.random.default_rng(0))
