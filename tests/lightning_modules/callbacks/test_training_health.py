"""What goes wrong in a training is noticed: the truth is a model whose loss is broken at a chosen step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from datamodules.batches import PromptBatch
from lightning_modules.callbacks.training_health import TrainingHealth, _plainly
from sim import files


class Broken(LightningModule):
    """A line through points, whose loss is multiplied by ``factors[step]``."""

    def __init__(self, factors: dict[int, float], gradients: dict[int, float] | None = None) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)
        self.factors, self.bad_gradients = factors, gradients or {}
        self.done = 0

    def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
        loss = (self.layer(batch[0]) - 5).square().mean()
        self.done += 1
        return loss * self.factors.get(self.done - 1, 1.0)

    def on_after_backward(self) -> None:
        if self.done - 1 in self.bad_gradients:
            self.layer.weight.grad.fill_(self.bad_gradients[self.done - 1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 1e-3)


def fit(folder: Path, model: Broken, health: TrainingHealth, steps: int = 6, **options: object) -> Trainer:
    trainer = Trainer(
        accelerator="cpu",
        max_steps=steps,
        default_root_dir=folder,
        callbacks=[health],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        **options,
    )
    data = torch.utils.data.TensorDataset(torch.ones(200, 3))
    trainer.fit(model, torch.utils.data.DataLoader(data, batch_size=2))
    return trainer


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["factors", "gradients"])
def test_numbers_that_are_none_stop_before_the_weights_take_harm(tmp_path: Path, value: float, where: str) -> None:
    model = Broken(**{"factors": {}, where: {3: value}})
    with pytest.raises(ValueError, match=r"at step 3; the batch is in .*step-3-rank-0\.pt") as raised:
        fit(tmp_path, model, TrainingHealth(), logger=False)
    assert "\n" not in str(raised.value)
    assert all(one.isfinite().all() for one in model.parameters())
    saved = torch.load(tmp_path / "bad_batches" / "step-3-rank-0.pt", weights_only=True)
    assert torch.equal(saved["batch"][0], torch.ones(2, 3))


def test_a_few_bad_batches_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, health = Broken({2: float("nan"), 4: float("inf")}), TrainingHealth(skip=2)
    fit(tmp_path, model, health, logger=False, gradient_clip_val=1.0)
    assert health.skipped == 2
    assert "left out, 2 of 2" in capsys.readouterr().err
    assert len(list((tmp_path / "bad_batches").iterdir())) == 2
    # Four of the six steps moved the weights: Adam counted no others.
    whole = Broken({})
    whole.load_state_dict(model.state_dict())
    assert all(one.isfinite().all() for one in model.parameters())
    (state,) = {int(value["step"]) for value in model.optimizers().state.values()}
    assert state == 4
    with pytest.raises(ValueError, match="after 2 batches left out"):
        fit(tmp_path, Broken(dict.fromkeys((0, 1, 2), float("nan"))), TrainingHealth(skip=2), logger=False)


def test_counts_go_on_after_a_resume() -> None:
    health, later = TrainingHealth(skip=3), TrainingHealth(skip=3)
    health.skipped, health.spikes = 2, 5
    later.load_state_dict(health.state_dict())
    assert (later.skipped, later.spikes) == (2, 5)


def test_a_spike_is_told_once_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    health = TrainingHealth(spike=10, window=30)
    fit(tmp_path, Broken({40: 50.0, 41: 50.0}), health, steps=60, logger=False)
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert [line.split(" at ")[1].split(" is ")[0] for line in warnings] == ["step 40"]
    assert "times its median of the last 30 steps" in warnings[0]
    assert health.spikes == 4, "loss and gradient norm, at two steps"
    quiet = TrainingHealth(spike=10, window=30)
    fit(tmp_path, Broken({}), quiet, steps=60, logger=False)
    assert quiet.spikes == 0


def test_throughput_and_waiting_are_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(float(number) for number in range(10_000))
    module = sys.modules[TrainingHealth.__module__]
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(now)))
    trainer = fit(tmp_path, Broken({}), TrainingHealth(), steps=4)
    events = EventAccumulator(str(trainer.log_dir), size_guidance={"scalars": 0})
    events.Reload()
    # By that clock, every look at it takes a second: one waiting and one working, from batch to batch.
    assert [one.value for one in events.Scalars("health/data_wait")] == [0.5] * 4
    assert [one.value for one in events.Scalars("health/steps_per_s")] == [0.5] * 4


def test_a_full_disk_is_noticed_before_the_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.shutil, "disk_usage", lambda place: SimpleNamespace(free=100))
    trainer = Trainer(
        accelerator="cpu", max_steps=1, default_root_dir=tmp_path / "run", logger=False, callbacks=[TrainingHealth()]
    )
    model = Broken({})
    with pytest.raises(ValueError, match=r"run has 0 MB free, expected 0 MB for checkpoints; make room"):
        trainer.fit(model, torch.utils.data.DataLoader(torch.ones(4, 3)))
    assert model.done == 0


def test_a_standstill_ends_the_process_with_its_stacks() -> None:
    program = (
        "import sys, time\n"
        "from lightning_modules.callbacks.training_health import TrainingHealth\n"
        "health = TrainingHealth(stalled_s=0.2)\n"
        "def wait_for_data():\n    time.sleep(60)\n"
        "health.on_train_batch_start(None, None, None, 0)\n"
        "wait_for_data()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "in wait_for_data" in done.stderr


def test_options_that_make_no_sense_are_refused() -> None:
    for options in ({"skip": -1}, {"spike": 1.0}, {"window": 3}, {"stalled_s": 0.0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            TrainingHealth(**options)


def test_a_batch_is_saved_by_its_names() -> None:
    names = PromptBatch._fields
    plain = _plainly(PromptBatch(*[torch.ones(1)] * len(names)))
    assert list(plain) == list(names)
