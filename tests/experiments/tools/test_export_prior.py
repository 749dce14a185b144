"""Packaging a run: the card tells what the run's own files say, and the weights generate what the run's would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from datamodules import MotionDataModule
from datamodules.clips.clip import LYING
from experiments.arms.paired_errors import paired_errors
from experiments.commands.inspect_path import inspect_path
from experiments.commands.synth import synthesise
from experiments.tools.export_prior import main
from experiments.tools.model_card import hours_of, late_improvement
from lightning_modules.checkpoints import load_card, load_prior
from lightning_modules.cli import main as lightning
from lightning_modules.sampling.normalised import SamplingOptions

ROOT = Path(__file__).resolve().parents[3]


def test_late_improvement_compares_with_the_score_a_fifth_before_the_end() -> None:
    curve = [(20, 2.0), (40, 1.5), (80, 1.0), (90, 0.99), (100, 0.98)]
    assert late_improvement(curve) == pytest.approx(0.02)
    assert late_improvement([(50, 1.0), (100, 1.1)]) == pytest.approx(-0.1)


def test_hours_leave_interruptions_out() -> None:
    assert hours_of([0.0, 900.0, 1800.0, 90_000.0, 91_800.0 - 900.0]) == pytest.approx(0.75)
    assert hours_of([5.0]) is None


def test_a_run_becomes_packaged_weights_with_their_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMUFORGE_RUNS", str(tmp_path))
    monkeypatch.delenv("IMUFORGE_MOCAP", raising=False)
    small = {"model.width": 16, "model.num_layers": 1, "model.num_heads": 2, "model.feedforward": 16}
    small |= {"data.samples_per_epoch": 64}
    options = [f"--{key}={value}" for key, value in small.items()]
    trainer = ["--trainer.max_steps=4", "--trainer.precision=auto", "--trainer.check_val_every_n_epoch=1"]
    checkpoint = ["--trainer.callbacks=ModelCheckpoint", "--trainer.callbacks.filename=last"]
    losses = [
        "--model.loss_weights={reconstruction: 1.0, acc_joints: 1e-4}",
        "--model.loss_warmup_steps={acc_joints: 3}",
    ]
    lightning(["fit", "-c", str(ROOT / "experiments/prior.yaml"), *trainer, *checkpoint, *losses, *options])
    main([str(tmp_path / "prior"), "tiny", "--assets", str(tmp_path), "--docs", str(tmp_path / "docs")])
    card = load_card(tmp_path / "tiny.safetensors")
    assert card["training"]["steps"] == 4
    assert "unfinished, of steps" not in card["training"]
    assert card["data"]["sources"]["embedded"] == card["data"]["licences"]
    assert "lying_on_left_side" in card["activities"]
    assert card["started_from"] == {}
    assert card["training"]["precision"] in ("32-true", "bf16-mixed")  # what "auto" came to here
    assert card["training"]["loss_weights"] == {"reconstruction": 1.0, "acc_joints": 1e-4}
    assert card["training"]["loss_warmup_steps"] == {"acc_joints": 3}
    assert "huber_delta" not in card["training"]
    assert "walk" in card["data"]["clips"]
    assert "run" not in card["data"]["clips"]  # a test clip
    assert set(card["data"]["constructed"]) == {"sitting", "standing", *LYING}
    assert "validation curves" in (tmp_path / "docs" / "tiny.md").read_text()
    assert (tmp_path / "docs" / "tiny.png").is_file()
    motion = load_prior(tmp_path / "tiny.safetensors").generate(["a person walks."], num_frames=20, seeds=[0], steps=2)
    assert motion.shape == (1, 20, 263)
    assert torch.isfinite(motion).all()
    main([str(tmp_path / "prior"), "tiny", "--out", str(tmp_path / "hub")])
    written = {path.name for path in (tmp_path / "hub").iterdir()}
    assert written == {"model.safetensors", "config.json", "README.md", "tiny.png"}
    assert json.loads((tmp_path / "hub" / "config.json").read_text())["card"] == card
    assert "](tiny.png)" in (tmp_path / "hub" / "README.md").read_text()
    assert torch.equal(
        load_prior(tmp_path / "hub").statistics.mean, load_prior(tmp_path / "tiny.safetensors").statistics.mean
    )


def test_an_unfinished_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main([str(tmp_path), "tiny"])
    assert exit_info.value.code == 2
    assert "last.ckpt not found; give the folder of a finished" in capsys.readouterr().err


BASELINES = ROOT / "experiments" / "baselines"
TINY = ["--model.width=16", "--model.latent_tokens=2", "--model.num_heads=2", "--model.num_layers=3",
        "--model.feedforward=16"]  # fmt: skip
LITTLE = ["--data.samples_per_epoch=32", "--trainer.max_steps=2", "--trainer.check_val_every_n_epoch=1",
          "--trainer.accelerator=cpu"]  # fmt: skip


def test_both_stages_of_latent_diffusion_become_weights_that_every_tool_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMUFORGE_RUNS", str(tmp_path))
    monkeypatch.delenv("IMUFORGE_MOCAP", raising=False)
    out = ["--assets", str(tmp_path / "weights"), "--docs", str(tmp_path / "weights")]
    lightning(["fit", "-c", str(BASELINES / "motion_vae.yaml"), *TINY, *LITTLE])
    main([str(tmp_path / "motion_vae"), "motion_vae", *out])
    packed = tmp_path / "weights" / "motion_vae.safetensors"
    second = ["--model.vae_layers=3", "--model.vae_feedforward=16", f"--model.vae_from={packed}"]
    lightning(["fit", "-c", str(BASELINES / "latent_diffusion.yaml"), *TINY, *LITTLE, *second])
    main([str(tmp_path / "latent_diffusion"), "latent_diffusion", *out])
    weights = tmp_path / "weights" / "latent_diffusion.safetensors"
    card = load_card(weights)
    start = card["started_from"]["vae_from"]
    assert (start["weights"], start["sources"]) == (str(packed), load_card(packed)["data"]["sources"])
    assert next(iter(card["curves"])) == "val/latent"
    assert card["training"]["model"] == "LatentMotionDiffusion"
    page = weights.with_suffix(".md").read_text()
    assert f"It started from `{packed}`" in page
    assert "| `embedded` |" in page
    assert any("and of its autoencoder" in line for line in inspect_path(weights))

    recording = synthesise(
        prompt="a person walks.", prior=str(weights), placements=["left_wrist"], rate_hz=50.0, seconds=1.0,
        out=tmp_path / "walk.csv", sampling=SamplingOptions(sampler="ddim", steps=3),
    )  # fmt: skip
    assert torch.isfinite(recording.accel).all()
    module = MotionDataModule(["embedded"], batch_size=4, eval_windows_per_activity=1)
    module.prepare_data()
    module.setup()
    batch = next(iter(module.test_dataloader()))
    errors = paired_errors(load_prior(weights), batch)["acc_joints"]
    assert errors.sums.shape == (len(batch.lengths), 5)
    assert torch.isfinite(errors.sums).all()
