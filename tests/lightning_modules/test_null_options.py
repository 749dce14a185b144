"""``null`` for every option of models, data and callbacks that may not be: one line that names it."""

from __future__ import annotations

import contextlib
import inspect
import io
import typing

import pytest
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint

from lightning_modules import cli
from lightning_modules.callbacks.acceleration_figure import AccelerationFigure
from lightning_modules.callbacks.training_health import TrainingHealth
from lightning_modules.training.option_ranges import refuse_beyond
from sim.options import refuse_nulls

OWNERS = [owner for owner in cli.SHORT_NAMES if owner.__name__ not in ("GeneratedMotionEvaluator", "FirstLook")]
"""All that a YAML names shortly and that takes options; the evaluator's are those of another class, handed through."""


def admits_none(hint: object) -> bool:
    return hint in (None, type(None), object) or (
        typing.get_origin(hint) not in (dict, list, tuple) and any(map(admits_none, typing.get_args(hint)))
    )


def options_of(owner: type) -> list[str]:
    """Parameters whose type is none that admits None."""
    init = inspect.unwrap(owner.__init__)
    hints = typing.get_type_hints(init)
    return [name for name in inspect.signature(init).parameters if name in hints and not admits_none(hints[name])]


@pytest.mark.parametrize("owner", OWNERS, ids=lambda owner: owner.__name__)
def test_null_is_refused_for_every_option_that_may_not_be(owner: type) -> None:
    names = options_of(owner)
    assert names
    for name in names:
        with pytest.raises(ValueError, match=rf"^data\.{name} is null, expected .*give a value"):
            refuse_nulls(owner, {name: None}, "data.")
    optional = inspect.unwrap(owner.__init__)
    refuse_nulls(owner, dict.fromkeys(set(inspect.signature(optional).parameters) - set(names)), "data.")


def test_the_defaults_of_others_pass() -> None:
    for owner in (ModelCheckpoint, cli.Trainer):
        defaults = {name: each.default for name, each in inspect.signature(owner.__init__).parameters.items()}
        nulls = {name: value for name, value in defaults.items() if value is None}
        assert nulls
        refuse_nulls(owner, nulls, "")


def parsed(*arguments: str) -> str:
    """What a command line says before anything is made; empty where it would go on."""
    told = io.StringIO()

    class StoppedError(Exception):
        pass

    class ParsedAlone(cli.ImuforgeCLI):
        def before_instantiate_classes(self) -> None:
            super().before_instantiate_classes()
            raise StoppedError

    cli.install(cli.SHORT_NAMES)
    with contextlib.redirect_stderr(told), contextlib.suppress(StoppedError):
        try:
            ParsedAlone(
                LightningModule,
                LightningDataModule,
                trainer_class=cli.AutoTrainer,
                subclass_mode_model=True,
                subclass_mode_data=True,
                parser_class=cli.OneLineParser,
                parser_kwargs={"parser_mode": cli.PARSER_MODE},
                args=["fit", *arguments],
            )
        except ValueError as error:
            return str(error)
        except SystemExit as stopped:
            return told.getvalue().strip() if stopped.code == 2 else f"left with {stopped.code}"
    return told.getvalue().strip()


MODEL = ("--model", "MotionDiffusion")
DATA = ("--data", "MotionDataModule")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([*MODEL, *DATA, "--data.batch_size=null"], "data.batch_size is null, expected int"),
        ([*MODEL, *DATA, "--data.window_s=null"], "data.window_s is null, expected float"),
        ([*DATA, *MODEL, "--model.width=null"], "width: Expected"),
        ([*DATA, *MODEL, "--model.optimiser.lr=null"], "model.optimiser.lr"),
        ([*DATA, *MODEL, "--model.lr=null"], "optimiser.lr"),
        ([*MODEL, *DATA, "--data.window_s=1e9"], "data.window_s is 1e+09, expected 0.02 to 600"),
        ([*MODEL, *DATA, "--data.window_s=.inf"], "data.window_s is inf, expected"),
        ([*DATA, *MODEL, "--model.num_layers=-1"], "model.network.num_layers is -1, expected"),
        ([*DATA, *MODEL, "--model.optimiser=null"], "model.optimiser"),
        ([*DATA, *MODEL, "--model.ema_decay=null"], "model.ema_decay"),
        ([*DATA, *MODEL, "--trainer.log_every_n_steps=null"], ""),
        ([*DATA, *MODEL, "--trainer.accumulate_grad_batches=null"], "trainer.accumulate_grad_batches: Expected a"),
        (
            [*DATA, *MODEL, "--trainer.callbacks=AccelerationFigure", "--trainer.callbacks.num_clips=null"],
            "trainer.callbacks[0].num_clips is null",
        ),
    ],
)
def test_a_command_line_says_it_in_one_line(arguments: list[str], said: str) -> None:
    found = parsed(*arguments)
    assert said in found
    assert "\n" not in found
    assert bool(found) == bool(said)


def numbers_of(owner: type) -> list[str]:
    hints = typing.get_type_hints(inspect.unwrap(owner.__init__))
    return [name for name, hint in hints.items() if {hint, *typing.get_args(hint)} & {float, int} and name != "return"]


@pytest.mark.parametrize("owner", OWNERS, ids=lambda owner: owner.__name__)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_no_number_is_infinite_or_none(owner: type, value: float) -> None:
    for name in numbers_of(owner):
        with pytest.raises(ValueError, match=rf"^data\.{name} is -?(nan|inf), expected "):
            refuse_beyond({name: value}, "data.")


def test_a_number_far_off_is_told_with_its_group() -> None:
    with pytest.raises(ValueError, match=r"^model\.network\.num_layers is -1, expected 1 to 65536"):
        refuse_beyond({"network": {"num_layers": -1}}, "model.")
    refuse_beyond({"network": {"num_layers": 8}, "mirror": True, "seed": 0, "text": "1e9"}, "model.")


def test_callbacks_of_ours_are_among_them() -> None:
    assert {AccelerationFigure, TrainingHealth} <= set(OWNERS)
