"""Layers of losses on a fine-tuning run, through the very command: they train, resume, and say what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from lightning_modules.cli import main

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
SMALL_MODEL = [
    "--model.width=16", "--model.num_layers=1", "--model.num_heads=2", "--model.feedforward=16", "--model.num_steps=5"
]  # fmt: skip
QUICK = ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]
SMALL_DATA = ["--data.batch_size=8", "--data.samples_per_epoch=16", "--data.eval_windows_per_activity=1"]


def config(name: str) -> str:
    return str(EXPERIMENTS / f"{name}.yaml")


LOSS_RECIPES = ("acc_spectrum", "frequency", "rollout")


@pytest.mark.parametrize("recipe", LOSS_RECIPES)
def test_recipes_of_losses_layer_on_a_fine_tuning_run(
    recipe: str, runs: Path, caches: list[str], tiny_prior: Path
) -> None:
    layers = ["-c", config("finetune_continued"), "-c", config(f"recipes/{recipe}")]
    small = [*SMALL_MODEL, f"--model.init_from={tiny_prior}", *QUICK, *SMALL_DATA, *caches]
    small += ["--trainer.check_val_every_n_epoch=100", "--trainer.callbacks.every_n_epochs=100"]
    small += ["--model.log_gradient_norms_every=1"]
    if recipe == "rollout":
        small += ["--model.rollout.motions=2", "--model.rollout.steps=4"]
    main(["fit", *layers, *small, "--trainer.max_steps=2"])
    (last,) = runs.rglob("last.ckpt")
    main(["fit", *layers, *small, "--trainer.max_steps=3", "--ckpt_path=last"])
    stored = torch.load(last, weights_only=True)
    assert stored["global_step"] == 3
    assert ("rollout" in stored) == (recipe == "rollout")


@pytest.mark.parametrize("recipe", LOSS_RECIPES)
def test_recipes_of_losses_say_all_that_the_loss_needs(
    recipe: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["fit", "-c", config("finetune_continued"), "-c", config(f"recipes/{recipe}"), "--print_config"])
    model = yaml.safe_load(capsys.readouterr().out)["model"]["init_args"]
    weights = dict(model["losses"]["weights"])
    assert weights.pop("reconstruction") == 1.0
    assert set(weights) == {"acc_spectrum": {"acc_spectrum"}, "frequency": {"reconstruction_frequency"}}.get(
        recipe, set()
    )
    assert (model["rollout"]["weight"] > 0) == (recipe == "rollout")


def test_a_rollout_without_recorded_motion_is_one_line(
    runs: Path, caches: list[str], tiny_prior: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = ["-c", config("finetune_continued"), "-c", config("recipes/rollout")]
    small = [*SMALL_MODEL, f"--model.init_from={tiny_prior}", *QUICK, *SMALL_DATA, *caches]
    small += ["--model.rollout.steps=4", "--trainer.max_steps=1"]
    for option, message in (
        ("--model.rollout.activities=[standing]", "rollout found no recorded motion of standing"),
        ("--model.rollout.activities=[walkin]", "unknown activity of the rollout 'walkin'"),
        ("--data.window_s=2", "rollout found no recorded motion of walking"),
    ):
        with pytest.raises(SystemExit) as exit_info:
            main(["fit", *layers, *small, option])
        assert exit_info.value.code == 2
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
        assert message in line


def test_a_spectrum_of_clips_too_short_for_its_window_is_one_line(
    runs: Path, caches: list[str], tiny_prior: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = ["-c", config("finetune_continued"), "-c", config("recipes/acc_spectrum")]
    small = [*SMALL_MODEL, f"--model.init_from={tiny_prior}", *QUICK, *SMALL_DATA, *caches]
    with pytest.raises(SystemExit) as exit_info:
        main(["fit", *layers, *small, "--data.window_s=2", "--trainer.max_steps=1"])
    assert exit_info.value.code == 2
    assert "training clips have 40 frames, expected at least 46" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["latent_diffusion", "motion_vae"])
def test_a_rollout_of_latents_is_refused_in_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["fit", "-c", config(f"baselines/{name}"), "-c", config("recipes/rollout")])
    assert exit_info.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert "rollout" in line
