"""The folder of a run: another one in it is refused, checkpoints that are cut off or of another class are one line."""

from __future__ import annotations

import errno
import os
import signal
import sys
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lightning_modules.callbacks.checkpoint_file import WholeCheckpointIO
from lightning_modules.cli import main
from lightning_modules.config_errors import explain_exception


class LineModel(LightningModule):
    """A line through points."""

    def __init__(self, width: int = 3, told_at: int = -1, told: int = 0) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["told_at", "told"])
        self.layer = torch.nn.Linear(width, 1)
        self.told_at, self.told = told_at, told

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        if self.global_step == self.told_at:
            os.kill(os.getpid(), self.told)
        loss = self.layer(batch).square().mean()
        self.log("train/loss", loss)
        return loss

    def test_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.log("score", self.layer(batch).mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class OtherModel(LineModel):
    """The same by another name."""


class Points(LightningDataModule):
    """Eight batches an epoch."""

    def train_dataloader(self) -> torch.utils.data.DataLoader[torch.Tensor]:
        return torch.utils.data.DataLoader(torch.ones(8, 3), batch_size=2)

    test_dataloader = train_dataloader


def configure(folder: Path, model: str = "LineModel") -> list[str]:
    config = folder / f"{model}.yaml"
    config.write_text(
        f"""
trainer:
  accelerator: cpu
  max_steps: 4
  log_every_n_steps: 1
  enable_progress_bar: false
  enable_model_summary: false
  default_root_dir: {folder / "run"}
  callbacks:
    - class_path: ModelCheckpoint
      init_args: {{filename: last, save_on_train_epoch_end: true}}
model: {{class_path: {__name__}.{model}}}
data: {{class_path: {__name__}.Points}}
""",
        encoding="utf-8",
    )
    sys.modules.setdefault(__name__, sys.modules[LineModel.__module__])
    return ["-c", str(config)]


def fail(capsys: pytest.CaptureFixture[str], args: list[str]) -> str:
    with pytest.raises(SystemExit) as left:
        main(args)
    assert left.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return line


def test_a_new_run_in_the_folder_of_another_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = configure(tmp_path)
    main(["fit", *tiny])
    kept = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    line = fail(capsys, ["fit", *tiny, "--trainer.max_steps", "2"])
    assert "holds a run, whose last.ckpt would be overwritten" in line
    assert "--ckpt_path last" in line
    assert "--trainer.default_root_dir FOLDER" in line
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == kept
    # A trial run writes nothing, and a folder of its own is free.
    main(["fit", *tiny, "--trainer.fast_dev_run", "true"])
    main(["fit", *tiny, "--trainer.default_root_dir", str(tmp_path / "other")])


@pytest.mark.parametrize("command", ["fit", "test"])
@pytest.mark.parametrize("named", ["last", "path"])
def test_a_checkpoint_that_is_cut_off_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, named: str
) -> None:
    tiny = configure(tmp_path)
    main(["fit", *tiny])
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:700])
    line = fail(capsys, [command, *tiny, "--ckpt_path", "last" if named == "last" else str(last)])
    assert "last.ckpt" in line
    assert "copy or download it again" in line


@pytest.mark.parametrize("named", ["last", "path"])
def test_a_checkpoint_of_another_class_is_named_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    main(["fit", *configure(tmp_path)])
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    other = configure(tmp_path, "OtherModel")
    line = fail(capsys, ["test", *other, "--ckpt_path", "last" if named == "last" else str(last)])
    assert "is of LineModel, the configuration is of OtherModel" in line


@pytest.mark.parametrize("first", [3, 4])
def test_logged_steps_go_on_without_a_gap(tmp_path: Path, first: int) -> None:
    tiny = configure(tmp_path)
    main(["fit", *tiny, "--trainer.max_steps", str(first)])
    main(["fit", *tiny, "--trainer.max_steps", "8", "--ckpt_path", "last"])
    assert logged_steps(tmp_path) == list(range(8))


def logged_steps(folder: Path) -> list[int]:
    events = EventAccumulator(str(folder / "run"), size_guidance={"scalars": 0})
    events.Reload()
    # Files of one second are read in the order of their counters' digits.
    return sorted(one.step for one in events.Scalars("train/loss"))


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


@pytest.mark.parametrize("harm", ["cut off", "missing"])
def test_a_run_goes_on_from_the_checkpoint_before_one_that_is_cut_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    tiny = configure(tmp_path)
    main(["fit", *tiny, "--trainer.max_steps", "16", "--trainer.default_root_dir", str(tmp_path / "whole")])
    main(["fit", *tiny, "--trainer.max_steps", "12"])
    last, previous = (tmp_path / "run" / "checkpoints" / f"{name}.ckpt" for name in ("last", "previous"))
    assert torch.load(previous, weights_only=True)["global_step"] == 8
    if harm == "cut off":
        last.write_bytes(last.read_bytes()[:-200])
    else:
        last.unlink()
    capsys.readouterr()
    main(["fit", *tiny, "--trainer.max_steps", "16", "--ckpt_path", "last"])
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    if harm == "cut off":
        (line,) = said
        assert f"{last} cannot be read" in line
        assert f"going on from {previous}, step 8" in line
    assert torch.load(last, weights_only=True)["global_step"] == 16
    assert 8 < torch.load(previous, weights_only=True)["global_step"] < 16
    for name, value in weights_of(tmp_path / "whole" / "checkpoints" / "last.ckpt").items():
        assert torch.equal(value, weights_of(last)[name])


def test_a_damaged_checkpoint_never_replaces_the_one_before(tmp_path: Path) -> None:
    target, before = tmp_path / "last.ckpt", tmp_path / "previous.ckpt"
    writer = WholeCheckpointIO()
    for step in range(3):
        writer.save_checkpoint({"global_step": step}, target)
    assert torch.load(before)["global_step"] == 1
    target.write_bytes(target.read_bytes()[:100])
    (tmp_path / ".last.ckpt.1-0.part").write_bytes(b"left by a killed writer")
    writer.save_checkpoint({"global_step": 3}, target)
    assert torch.load(before)["global_step"] == 1
    assert torch.load(target)["global_step"] == 3
    assert {path.name for path in tmp_path.iterdir()} == {"last.ckpt", "previous.ckpt"}


def test_a_queued_job_passes_over_a_checkpoint_that_is_cut_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = configure(tmp_path)
    main(["fit", *tiny])
    run = tmp_path / "run"
    (run / "hpc_ckpt_1.ckpt").write_bytes((run / "checkpoints" / "last.ckpt").read_bytes())
    (run / "hpc_ckpt_2.ckpt").write_bytes(b"PK")
    assert "holds a run" in fail(capsys, ["fit", *tiny]), "no SLURM, no queue: the run is not overwritten"
    monkeypatch.setattr("lightning_modules.cli.SLURMEnvironment.detect", lambda: True)
    main(["fit", *tiny, "--trainer.max_steps", "8"])
    assert f"going on from {run / 'hpc_ckpt_1.ckpt'}, step 4" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_a_signal_saves_and_leaves(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    tiny, number = configure(tmp_path), getattr(signal, name)
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as left:
        main(["fit", *tiny, "--trainer.max_steps", "8", "--model.told_at", "5", "--model.told", str(int(number))])
    assert left.value.code == 128 + number
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert f"stopped by {name} at step 6: {last} is written" in capsys.readouterr().err
    assert torch.load(last, weights_only=True)["global_step"] == 6
    assert signal.getsignal(number) == before
    main(["fit", *tiny, "--trainer.max_steps", "8", "--ckpt_path", "last", "--model.told", str(int(number))])
    assert logged_steps(tmp_path) == list(range(8))


def test_a_full_disk_is_one_line() -> None:
    for error in (
        OSError(errno.ENOSPC, "No space left on device", "a.ckpt"),
        OSError(errno.EROFS, "Read-only file system", "a.ckpt"),
        RuntimeError("[enforce fail at inline_container.cc:815] . PytorchStreamWriter failed writing file data.pkl"),
        RuntimeError("Parent directory runs/x does not exist."),
    ):
        line = explain_exception(error)
        assert line is not None
        assert "\n" not in line
    assert explain_exception(RuntimeError("a bug")) is None
