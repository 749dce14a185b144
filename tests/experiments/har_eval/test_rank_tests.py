"""The signed-rank test is exact, with ties too, and Holm's correction is the textbook's."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from experiments.har_eval.rank_tests import correct_by_holm, people_differ, signed_rank_p


@pytest.mark.parametrize("count", [1, 2, 5, 8, 30])
def test_without_ties_it_is_scipys_exact_test(count):
    for seed in range(5):
        differences = np.random.default_rng(seed).normal(0.3, 1, count)
        expected = stats.wilcoxon(differences, method="exact").pvalue
        assert signed_rank_p(differences) == pytest.approx(expected)


def test_with_ties_it_counts_every_choice_of_signs():
    differences = np.array([0.1, 0.1, -0.1, 0.3, 0.3, 0.7, -0.2])
    ranks = stats.rankdata(np.abs(differences))
    found = ranks[differences > 0].sum()
    sums = np.array([ranks[np.array(signs)].sum() for signs in product([True, False], repeat=7)])
    expected = 2 * min((sums >= found).mean(), (sums <= found).mean())
    assert signed_rank_p(differences) == pytest.approx(expected)


def test_no_difference_says_nothing_and_zeros_are_left_out():
    assert signed_rank_p(np.zeros(8)) == 1.0
    some = np.array([0.2, -0.1, 0.4, 0.5])
    assert signed_rank_p(np.concatenate([some, np.zeros(3)])) == signed_rank_p(some)


def test_eight_people_who_all_gain_have_the_least_p_there_is():
    right, wrong = np.diag([9, 9]), np.array([[5, 4], [4, 5]])
    better = np.broadcast_to(right, (3, 8, 2, 2)).copy()
    worse = np.broadcast_to(wrong, (3, 8, 2, 2)).copy()
    assert people_differ(better, worse) == people_differ(worse, better) == pytest.approx(2 / 256)
    assert people_differ(better, better) == 1.0
    assert people_differ(np.stack([better, better]), np.stack([worse, worse])) == pytest.approx(2 / 256)


def test_seeds_are_averaged_and_do_not_count_as_people():
    right, wrong = np.diag([9, 9]), np.array([[5, 4], [4, 5]])
    one = np.stack([right, right])[None].repeat(50, axis=0)
    other = np.stack([wrong, wrong])[None].repeat(50, axis=0)
    assert people_differ(one, other) == pytest.approx(0.5)


def test_holm_multiplies_by_what_is_left_and_keeps_the_order():
    assert correct_by_holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert correct_by_holm([0.5, 0.9]) == [1.0, 1.0]
    assert correct_by_holm([0.2]) == [0.2]
    assert correct_by_holm([]) == []
