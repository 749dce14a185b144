"""One evaluation for all classifiers: deterministic, without leaks, without side effects."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from datamodules.har.windows.window_set import WindowSet
from lightning_modules import har_evaluation
from lightning_modules.har.budget import KeepBest, TrainingBudget
from lightning_modules.har.forest import FeatureForest
from lightning_modules.har.networks import NETWORKS
from lightning_modules.har_evaluation import CLASSIFIERS, score, train_and_predict

CHANNELS = tuple(f"{group}_{axis}" for group in ("accel", "gyro") for axis in "xyz")
QUICK = {"budget": TrainingBudget(steps=30, batch_size=32)}


def _windows(count=120, seed=0, classes=("still", "moving"), labels=None):
    """Standing still against shaking, with gravity along x."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count) if labels is None else labels
    signals = rng.standard_normal((count, 40, 6)) * np.where(labels == 0, 0.1, 2.0)[:, None, None]
    signals[:, :, 0] += 9.80665
    subjects = np.array([f"s{i % 3}" for i in range(count)])
    return WindowSet(signals.astype(np.float32), labels, subjects, np.arange(count), classes, CHANNELS, 50.0)


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_recognises_what_it_can_and_is_repeatable(classifier):
    train, test = _windows(), _windows(seed=1)
    torch.manual_seed(123)
    before = torch.get_rng_state()
    first = train_and_predict(classifier, train, test, seed=5, **QUICK)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(321)
    np.random.seed(7)  # noqa: NPY002 (the global state must not matter)
    second = train_and_predict(classifier, train, test, seed=5, **QUICK)
    np.testing.assert_array_equal(first.predictions, second.predictions)
    np.testing.assert_array_equal(first.subjects, test.subjects)
    assert score(first).macro_f1 > 0.95


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_test_windows_teach_nothing(classifier):
    """A window is judged the same whatever else is in the test set: nothing is fitted on it."""
    train, test = _windows(), _windows(seed=1)
    strange = WindowSet(
        np.concatenate([test.signals, 100 * test.signals]),
        np.tile(test.labels, 2),
        np.tile(test.subjects, 2),
        np.arange(240),
        test.classes,
        CHANNELS,
        50.0,
    )
    alone = train_and_predict(classifier, train, test, seed=0, **QUICK).predictions
    together = train_and_predict(classifier, train, strange, seed=0, **QUICK).predictions
    np.testing.assert_array_equal(alone, together[:120])


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_class_without_training_windows_stays_in_the_score(classifier):
    classes = ("still", "moving", "flying")
    train = _windows(classes=classes)
    test = _windows(seed=1, classes=classes)
    test.labels[:20] = 2
    scores = score(train_and_predict(classifier, train, test, seed=0, **QUICK))
    assert scores.per_class_f1["flying"] == 0.0
    assert scores.support["flying"] == 20
    assert scores.macro_f1 == pytest.approx(np.mean(list(scores.per_class_f1.values())))


def test_seed_changes_the_outcome():
    train, test = _windows(40), _windows(200, seed=1)
    np.random.default_rng(0).shuffle(train.labels)  # what is learnt by heart of no rule is a matter of the seed
    options = {"budget": TrainingBudget(steps=20, batch_size=8)}
    outcomes = [train_and_predict("cnn", train, test, seed=s, **options).predictions for s in range(3)]
    assert any((outcomes[0] != other).any() for other in outcomes[1:])


@pytest.mark.parametrize("classifier", NETWORKS)
def test_held_out_windows_that_it_does_not_help_end_the_training(classifier, monkeypatch):
    """Their labels say the contrary of the others': the more is learnt, the worse for them."""
    trainers = []

    class Noted(har_evaluation.Trainer):
        def __init__(self, **options):
            super().__init__(**options)
            trainers.append(self)

    monkeypatch.setattr(har_evaluation, "Trainer", Noted)
    train, test = _windows(), _windows(seed=1)
    held_out = train.subjects == "s0"
    train.labels[held_out] = 1 - train.labels[held_out]
    budget = TrainingBudget(steps=500, batch_size=32, check_every=10, patience=3)
    train_and_predict(classifier, train, test, seed=0, budget=budget, held_out=[held_out])
    assert 30 <= trainers[-1].global_step < 500
    train_and_predict(classifier, train, test, seed=0, budget=TrainingBudget(steps=60, batch_size=32))
    assert trainers[-1].global_step == 60


def test_the_later_of_the_best_weights_come_back():
    model = torch.nn.Linear(1, 1)
    trainer = SimpleNamespace(callback_metrics={}, should_stop=False)
    keep = KeepBest(patience=2)
    for number, macro_f1 in enumerate([0.5, 0.7, 0.6, 0.8, 0.79, 0.3]):
        assert not trainer.should_stop
        torch.nn.init.constant_(model.weight, number)
        trainer.callback_metrics["val/macro_f1"] = torch.tensor(macro_f1)
        keep.on_validation_end(trainer, model)
    assert trainer.should_stop
    keep.on_fit_end(trainer, model)
    assert model.weight.item() == 4


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_where_nothing_can_be_held_out_all_is_trained_on(classifier):
    train, test = _windows(), _windows(seed=1)
    everything = train_and_predict(classifier, train, test, seed=0, **QUICK).predictions
    for held_out in (np.zeros(120, dtype=bool), train.labels == 1):  # nobody; a whole class
        other = train_and_predict(classifier, train, test, seed=0, held_out=[held_out], **QUICK).predictions
        np.testing.assert_array_equal(other, everything)
    with pytest.raises(ValueError, match=r"held_out has shape .3,., expected .120,.: one for each window"):
        train_and_predict("cnn", train, test, seed=0, held_out=[np.zeros(3, dtype=bool)], **QUICK)


def test_a_budget_of_nothing_is_refused():
    for name in ("steps", "batch_size", "check_every", "patience"):
        with pytest.raises(ValueError, match=f"{name} is 0, expected at least 1"):
            TrainingBudget(**{name: 0})


def test_bad_arguments_are_named():
    train, test = _windows(), _windows(seed=1)
    with pytest.raises(ValueError, match="did you mean forest"):
        train_and_predict("forrest", train, test, seed=0)
    with pytest.raises(ValueError, match="no test window"):
        train_and_predict("forest", train, test.select(np.zeros(120, dtype=bool)), seed=0)
    with pytest.raises(ValueError, match="classes of the test windows"):
        train_and_predict("forest", train, _windows(classes=("a", "b")), seed=0)


def test_a_forest_that_is_not_grown_or_has_no_tree_is_refused():
    with pytest.raises(ValueError, match="call fit first"):
        FeatureForest().predict(_windows())
    with pytest.raises(ValueError, match="num_trees is 0"):
        FeatureForest(num_trees=0)


def test_a_second_training_begins_with_the_weights_of_the_first(monkeypatch):
    both, test = _windows(), _windows(seed=1)
    one = both.select(np.flatnonzero(both.subjects == "s0"))
    seen = []
    fit = har_evaluation._fit

    def watch(model, train, *others):
        before = {name: value.clone() for name, value in model.network.state_dict().items()}
        fit(model, train, *others)
        seen.append((len(train), before, {name: value.clone() for name, value in model.network.state_dict().items()}))

    monkeypatch.setattr(har_evaluation, "_fit", watch)
    parts = {"held_out": [one.subjects == ""], "first_held_out": [both.subjects == "s2"]}
    found = train_and_predict("cnn", one, test, seed=0, first=both, **parts, **QUICK)
    assert score(found).macro_f1 > 0.95
    assert [count for count, _, _ in seen] == [int((both.subjects != "s2").sum()), len(one)]
    (_, start, trained), (_, taken, last) = seen
    assert all(torch.equal(trained[name], taken[name]) for name in trained)
    for before, after in ((start, trained), (taken, last)):
        assert any(not torch.equal(before[name], after[name]) for name in before)


def test_what_cannot_be_trained_on_is_refused():
    windows = _windows()
    with pytest.raises(ValueError, match="a forest cannot be trained on after its first training"):
        train_and_predict("forest", windows, windows, seed=0, first=windows)
    with pytest.raises(ValueError, match="no first training window"):
        train_and_predict("cnn", windows, windows, seed=0, first=windows.select(np.zeros(120, dtype=bool)))
    with pytest.raises(ValueError, match=r"classes of the first training windows are \('a', 'b'\)"):
        train_and_predict("cnn", windows, windows, seed=0, first=_windows(classes=("a", "b")))
