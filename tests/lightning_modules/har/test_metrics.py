"""Scores against scikit-learn, and predictions without double counting."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score

from lightning_modules.har.metrics import MacroF1, PredictionCollector, Predictions, score


def _predictions(labels, predictions, classes):
    return Predictions(np.asarray(labels), np.asarray(predictions), np.full(len(labels), "s"), classes)


@pytest.mark.parametrize("present", [(0, 1, 2, 3), (0, 2), (1,)])
def test_scores_agree_with_scikit_learn_whatever_classes_occur(present):
    rng = np.random.default_rng(len(present))
    labels, predicted = rng.choice(present, 200), rng.choice(present, 200)
    scores = score(_predictions(labels, predicted, ("a", "b", "c", "d")))
    everything = range(4)
    expected = f1_score(labels, predicted, labels=everything, average=None, zero_division=0)
    np.testing.assert_allclose(list(scores.per_class_f1.values()), expected, atol=1e-6)
    assert scores.macro_f1 == pytest.approx(
        f1_score(labels, predicted, labels=everything, average="macro", zero_division=0), abs=1e-6
    )
    assert scores.accuracy == pytest.approx(accuracy_score(labels, predicted), abs=1e-6)
    assert scores.balanced_accuracy == pytest.approx(balanced_accuracy_score(labels, predicted), abs=1e-6)
    np.testing.assert_array_equal(scores.confusion, confusion_matrix(labels, predicted, labels=everything))
    assert list(scores.support.values()) == np.bincount(labels, minlength=4).tolist()


def test_class_that_never_occurs_counts_as_zero():
    scores = score(_predictions([0, 1], [0, 1], ("a", "b", "c", "d")))
    assert scores.macro_f1 == pytest.approx(0.5)


def test_macro_f1_metric_adds_up_over_batches():
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 2, 90), rng.integers(0, 3, 90)
    metric = MacroF1(4)
    for part in np.split(np.arange(90), 3):
        metric.update(torch.from_numpy(predicted[part]), torch.from_numpy(labels[part]))
    expected = f1_score(labels, predicted, labels=range(4), average="macro", zero_division=0)
    assert float(metric.compute()) == pytest.approx(expected, abs=1e-6)


def test_padded_copies_are_counted_once():
    collector = PredictionCollector()
    collector.update(torch.tensor([4, 0]), torch.tensor([1, 0]), torch.tensor([1, 1]))
    collector.update(torch.tensor([2, 0]), torch.tensor([1, 0]), torch.tensor([0, 1]))
    ids, labels, predictions = collector.compute()
    assert ids.tolist() == [0, 2, 4]
    assert labels.tolist() == [0, 1, 1]
    assert predictions.tolist() == [1, 0, 1]


@pytest.mark.parametrize(("labels", "predicted"), [([], []), ([0, 2], [0, 0]), ([0, 0], [0, -1])])
def test_bad_predictions_are_refused(labels, predicted):
    labels, predicted = np.array(labels, dtype=np.int64), np.array(predicted, dtype=np.int64)
    with pytest.raises(ValueError, match="indices into"):
        score(_predictions(labels, predicted, ("a", "b")))
