"""How the learning rate moves over a run."""

import pytest

from lightning_modules.training.optimisation import make_lr_factor


def test_learning_rate_rises_then_falls_or_stays():
    cosine = make_lr_factor("cosine", warmup_steps=10, total_steps=110)
    assert [round(cosine(step), 6) for step in (0, 9, 60, 110, 200)] == [0.1, 1.0, 0.5, 0.0, 0.0]
    constant = make_lr_factor("constant", warmup_steps=0, total_steps=float("inf"))
    assert [constant(step) for step in (0, 10_000)] == [1.0, 1.0]
    short, long = (make_lr_factor("wsd", warmup_steps=10, total_steps=steps) for steps in (100, 200))
    assert [short(step) for step in (0, 9, 79, 90, 100, 200)] == pytest.approx([0.1, 1.0, 1.0, 0.5, 0.0, 0.0])
    assert [long(step) for step in range(80)] == [short(step) for step in range(80)]
    with pytest.raises(ValueError, match="'wsd' needs an end"):
        make_lr_factor("wsd", warmup_steps=0, total_steps=float("inf"))
