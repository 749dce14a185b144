"""Denoisers compared on little work: costs and errors against closed forms, every row in place, and a rerun."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from rich.console import Console

from datamodules.motion import MotionDataModule
from experiments.acceleration.denoisers.command import main, run_comparison
from experiments.acceleration.denoisers.compute import Cost, equal_steps, measure_cost
from experiments.acceleration.denoisers.config import load_denoisers_config
from experiments.acceleration.denoisers.page import ALL, DYNAMIC, NUMBERS, PICTURE, SCALED, SHOWN
from experiments.acceleration.denoisers.plan import InputErrors
from experiments.acceleration.levels import level_rmse
from experiments.arms.paired_errors import SPACES, paired_errors_in_all_spaces, scale_input
from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import save_prior
from lightning_modules.metrics.denoising_scores import PAIRED_FRACTIONS

EXPERIMENTS = Path(__file__).parents[4] / "experiments"
SMALL = {"width": 16, "num_layers": 1, "num_heads": 2, "feedforward": 16, "num_steps": 10}
SMALL_MODEL = [f"--model.{name}={value}" for name, value in SMALL.items()]


def make_prior(cache_dir: Path) -> tuple[MotionDiffusion, MotionDataModule]:
    """An untrained prior with the statistics of the embedded clips, and the clips."""
    data = MotionDataModule(["embedded"], cache_dir=str(cache_dir / "motion"))
    data.prepare_data()
    data.setup()
    torch.manual_seed(0)
    model = MotionDiffusion(**SMALL)
    model.statistics.set(*data.feature_statistics())
    return model, data


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Path:
    """The shipped configuration, but with tiny networks, few steps and one arm of each kind."""
    folder = tmp_path_factory.mktemp("denoisers")
    save_prior(make_prior(cache_dir)[0], folder / "tiny.safetensors", {})
    content = yaml.safe_load((EXPERIMENTS / "denoisers.yaml").read_text(encoding="utf-8"))
    shipped = content["arms"]
    content |= {
        "config": str(EXPERIMENTS / "prior_mdm.yaml"),
        "reference": "v",
        "steps": 2,
        "options": [
            *content["options"], "--data.samples_per_epoch=32", f"--data.cache_dir={cache_dir / 'motion'}",
            f"--model.cache_dir={cache_dir / 'text'}",
        ],
        "motion_root": None,
        "normalised_by": str(folder / "tiny.safetensors"),
        "arms": {
            "v": {"options": [*SMALL_MODEL, "--model.predicts=v"]},
            "tiny": {"init_from": str(folder / "tiny.safetensors"), "trained": False},
            "tiny_detail": shipped["prior_detail"] | {"init_from": str(folder / "tiny.safetensors")},
        },
        "seeds": [0, 1],
        "samples": 1,
        "sampling_steps": 2,
        "resamples": 50,
        "processes": 1,
        "output": str(folder / "results"),
        "cache": str(cache_dir),
    }  # fmt: skip
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def page(config: Path) -> Path:
    return run_comparison(load_denoisers_config(config, []), console=Console(quiet=True))


def test_every_table_has_every_arm_and_the_scaled_input(page: Path) -> None:
    numbers = json.loads((page.parent / NUMBERS).read_text(encoding="utf-8"))
    assert set(numbers["errors"]) == {DYNAMIC, ALL}
    for spaces in numbers["errors"].values():
        assert set(spaces) == set(SPACES)
        for errors in spaces.values():
            assert {name: len(seeds) for name, seeds in errors.items()} == {
                SCALED: 1, "v": 2, "tiny": 1, "tiny_detail": 2
            }  # fmt: skip
    assert set(numbers["budgets"]) == {"v", "tiny_detail"}
    assert numbers["budgets"]["v"]["steps"] == 2
    assert {name: len(seeds) for name, seeds in numbers["mean_abs_log_ratio"].items()} == {
        "v": 2, "tiny": 1, "tiny_detail": 2
    }  # fmt: skip
    text = page.read_text(encoding="utf-8")
    assert text.count(f"| {SCALED} |") == 2 * len(SHOWN)
    assert f"({PICTURE})" in text
    assert (page.parent / PICTURE).stat().st_size > 10_000


def test_a_second_run_trains_nothing_and_says_the_same(
    page: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = page.read_text(encoding="utf-8")
    monkeypatch.setattr("experiments.arms.fine_tune.lightning", lambda *_: pytest.fail("trained again"))
    assert main(["-c", str(config)]) == 0
    assert page.read_text(encoding="utf-8") == before


def test_the_scaled_input_errs_as_the_schedule_says(cache_dir: Path) -> None:
    """a x_t - x_0 has mean square (1 - a^2)^2 E x_0^2 + a^2 (1 - a^2), whoever the network is."""
    model, data = make_prior(cache_dir)
    (sums, counts), power = (0.0, 0.0), 0.0
    for batch in data.test_dataloader():
        found = paired_errors_in_all_spaces(model, batch, scale_input)["reconstruction"]
        sums, counts = sums + found.sums.sum(dim=0), counts + float(found.counts.sum())
        inside = torch.arange(batch.features.shape[1]) < batch.lengths[:, None]
        clean = model.statistics.normalise(batch.features, inside)
        power += float(clean[inside].double().square().sum())
    steps = [round(fraction * 9) for fraction in PAIRED_FRACTIONS]
    level = model.schedule.alphas_cumprod[steps]
    expected = (1 - level) ** 2 * power / counts + level * (1 - level)
    assert torch.allclose(sums / counts, expected.to(sums), rtol=0.03)


def test_errors_of_some_windows() -> None:
    two = InputErrors({"acc_joints": np.array([[4.0, 16.0], [100.0, 0.0]])}, {"acc_joints": np.array([1.0, 3.0])})
    assert level_rmse(two, "acc_joints") == pytest.approx([26**0.5, 2.0])
    assert level_rmse(two, "acc_joints", np.array([True, False])) == pytest.approx([2.0, 4.0])


def test_cost_of_a_step_is_that_of_its_products() -> None:
    """Twice and four times the layers differ by one and two costs of a layer; a frozen network needs no gradients."""
    prior = EXPERIMENTS / "prior_mdm.yaml"
    one, two, four = (measure_cost(prior, [*SMALL_MODEL, f"--model.num_layers={number}"]) for number in (1, 2, 4))
    assert four.flops - two.flops == 2 * (two.flops - one.flops) > 0
    # forwards and two gradients of q, k, v, output, and the two of the feed-forward part, for 32 x 81 tokens, and
    # attention's two products.
    tokens = 32 * 81
    layer = 3 * 2 * tokens * (4 * 16 * 16 + 2 * 16 * 16) + 3 * 2 * 2 * tokens * 81 * 16
    assert two.flops - one.flops == layer
    assert one.trained == one.parameters

    skip = measure_cost(prior, [*SMALL_MODEL, "--model.skip=filter"])
    taps, numbers = 7, 32 * 80 * 263
    # Forwards and the gradient of the filters; x_t needs none.
    assert skip.flops - one.flops == 2 * 2 * taps * numbers
    alone = measure_cost(prior, [*SMALL_MODEL, "--model.skip=filter", "--model.trainable=skip"])
    assert alone.trained == skip.parameters - one.parameters == SMALL["num_steps"] * 263 * taps
    assert alone.flops < skip.flops / 2


def test_equal_steps() -> None:
    assert equal_steps(Cost(400, 1, 1), Cost(100, 1, 1), 1000) == 250
    assert equal_steps(Cost(400, 1, 1), Cost(100, 1, 1), 1) == 1


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("reference=w", "trained arm (reference)"),
        ("reference=tiny", "trained arm (reference)"),
        ("arms.tiny.init_from=null", "name weights in init_from, or train it"),
        ("arms.tiny.init_from=nowhere", "weights nowhere not found"),
        ("arms.v.options=[--model.widht=3]", "widht"),
        ("seeds=[]", "expected at least one, none below 0"),
        ("steps=0", "expected at least 1 of each"),
        ("motion_root=/nowhere", "/nowhere not found"),
        ("armz.v=3", "nearest valid one is 'arms'"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    config: Path, override: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["-c", str(config), override])
    assert leaving.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
