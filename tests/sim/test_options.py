"""Groups of options and their flat names: a hand-written class with both forms is the truth."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import pytest

from sim.options import flat_names_of, flatten, groups_of, nest, plain, takes_flat_names

NAMES = {"lr": "optimiser.rate", "decay": "optimiser.decay", "weights": "losses.weights"}


@dataclass(frozen=True)
class Optimiser:
    rate: float = 1.0
    decay: float = 0.5


@dataclass(frozen=True)
class Losses:
    weights: dict[str, float] | None = None


class Model:
    @takes_flat_names(NAMES)
    def __init__(
        self,
        name: str,
        *,
        optimiser: Optimiser = Optimiser(decay=0.25),
        losses: Losses = Losses(),
        seed: int = 0,
    ) -> None:
        self.given = (name, optimiser, losses, seed)


@pytest.mark.parametrize(
    "given",
    [
        {"lr": 3.0, "weights": {"a": 1.0}},
        {"optimiser": {"rate": 3.0}, "losses": {"weights": {"a": 1.0}}},
        {"optimiser": Optimiser(3.0, 0.25), "losses": Losses({"a": 1.0})},
        {"optimiser": {"rate": 9.0}, "lr": 3.0, "losses": Losses({"b": 2.0}), "weights": {"a": 1.0}},  # flat wins
    ],
)
def test_flat_names_mappings_and_dataclasses_say_the_same(given: dict[str, object]) -> None:
    model = Model("x", **given, seed=4)
    # A field that nobody names keeps the default of the class that takes the group, not the dataclass's own.
    assert model.given == ("x", Optimiser(3.0, 0.25), Losses({"a": 1.0}), 4)


def test_the_signature_has_the_groups_alone() -> None:
    assert list(inspect.signature(Model).parameters) == ["name", "optimiser", "losses", "seed"]
    assert flat_names_of(Model) == NAMES
    assert flat_names_of(Optimiser) == {}
    assert groups_of(NAMES) == {"optimiser", "losses"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"optimiser": {"rat": 1.0}}, "unknown field of optimiser 'rat', expected one of .*did you mean rate"),
        ({"optimiser": None}, "optimiser is None, expected a mapping of Optimiser's fields"),
        ({"optimiser": 3.0}, "optimiser is 3.0, expected a mapping"),
        ({"optimiser": None, "lr": 3.0}, "optimiser is None, expected a mapping of its fields, or none beside lr"),
    ],
)
def test_what_is_no_option_is_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Model("x", **given)


def test_an_unknown_argument_is_refused_as_by_any_class() -> None:
    with pytest.raises(TypeError, match="lrr"):
        Model("x", lrr=1.0)


def test_nesting_and_flattening_undo_each_other() -> None:
    flat = {"lr": 3.0, "decay": 0.1, "weights": None, "seed": 1}
    nested = nest(flat, NAMES)
    assert nested == {"optimiser": {"rate": 3.0, "decay": 0.1}, "losses": {"weights": None}, "seed": 1}
    assert flatten(nested, NAMES) == flat
    assert flatten(flat, NAMES) == flat  # what is flat stays so
    assert nest(nested, NAMES) == nested
    assert plain(Optimiser()) == {"rate": 1.0, "decay": 0.5}
    with pytest.raises(ValueError, match="expected a dataclass"):
        plain({"rate": 1.0})
