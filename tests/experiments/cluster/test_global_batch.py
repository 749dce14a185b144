"""The same global batch gives the same loss curve: two processes with DDP, and one that accumulates two batches."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.processes import clean_environment, run_whole

EXPERIMENTS = Path(__file__).resolve().parents[3] / "experiments"
TINY = [
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--trainer.max_steps=6",
    "--trainer.check_val_every_n_epoch=1",
    "--trainer.precision=32-true",
    "--data.batch_size=4",
    "--data.samples_per_epoch=16",
    "--data.eval_windows_per_activity=1",
    "--model.width=16",
    "--model.num_layers=1",
    "--model.num_heads=2",
    "--model.feedforward=16",
    "--model.num_steps=5",
]
TINY_CACHES = ("--data.cache_dir={}/motion", "--model.cache_dir={}/text")


def start(command: list[str], runs: Path, **more: str) -> str:
    """Run a command of several processes to its end."""
    return run_whole(command, clean_environment(runs, **more))


def read_curve(folder: Path, name: str) -> dict[int, float]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return {scalar.step: scalar.value for scalar in events.Scalars(name)}


def test_two_processes_train_as_one_that_accumulates_two_batches(tmp_path: Path, cache_dir: Path) -> None:
    """Sixteen samples an epoch in steps of eight: samples, noise, dropout and dropped captions are the same."""
    fit = [sys.executable, "-m", "lightning_modules", "fit", "-c", str(EXPERIMENTS / "prior.yaml")]
    options = [*TINY, *(cache.format(cache_dir) for cache in TINY_CACHES)]
    ddp = ["-c", str(EXPERIMENTS / "cluster" / "ddp.yaml"), "--trainer.devices=2"]
    assert "MEMBER: 2/2" in start([*fit, *ddp, *options], tmp_path / "two")
    start([*fit, "--trainer.devices=1", "--trainer.accumulate_grad_batches=2", *options], tmp_path / "one")

    one, two = (read_curve(tmp_path / name / "prior", "val/reconstruction") for name in ("one", "two"))
    assert len(one) == 3
    assert one == pytest.approx(two, rel=1e-4)
    weights = [
        torch.load(tmp_path / name / "prior" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for name in ("one", "two")
    ]
    # Adam's first steps are as long as the learning rate whatever the gradient: another sample or another draw moves
    # weights by 1e-3, rounding where a gradient is all but zero by a part of it.
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], rtol=1e-4, atol=1e-5, msg=name)
