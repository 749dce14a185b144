"""Packaging a run: the card tells what the run's own files say, and the weights generate what the run's would."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datamodules.clips.clip import LYING
from experiments.tools.export_prior import late_improvement, main
from lightning_modules.checkpoints import load_card, load_prior
from lightning_modules.cli import main as lightning

ROOT = Path(__file__).resolve().parents[3]


def test_late_improvement_compares_with_the_score_a_fifth_before_the_end() -> None:
    curve = [(20, 2.0), (40, 1.5), (80, 1.0), (90, 0.99), (100, 0.98)]
    assert late_improvement(curve) == pytest.approx(0.02)
    assert late_improvement([(50, 1.0), (100, 1.1)]) == pytest.approx(-0.1)


def test_a_run_becomes_packaged_weights_with_their_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMUFORGE_RUNS", str(tmp_path))
    monkeypatch.delenv("IMUFORGE_MOCAP", raising=False)
    small = {"model.width": 16, "model.num_layers": 1, "model.feedforward": 16, "data.samples_per_epoch": 64}
    options = [f"--{key}={value}" for key, value in small.items()]
    trainer = ["--trainer.max_steps=4", "--trainer.precision=auto"]
    checkpoint = ["--trainer.callbacks=ModelCheckpoint", "--trainer.callbacks.filename=last"]
    losses = [
        "--model.loss_weights={reconstruction: 1.0, acc_joints: 1e-4}",
        "--model.loss_warmup_steps={acc_joints: 3}",
    ]
    lightning(["fit", "-c", str(ROOT / "experiments/prior.yaml"), *trainer, *checkpoint, *losses, *options])
    main([str(tmp_path / "prior"), "tiny", "--assets", str(tmp_path), "--docs", str(tmp_path / "docs")])
    card = load_card(tmp_path / "tiny.safetensors")
    assert card["training"]["steps"] == 4
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


def test_an_unfinished_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main([str(tmp_path), "tiny"])
    assert exit_info.value.code == 2
    assert "last.ckpt not found; give the folder of a finished" in capsys.readouterr().err
