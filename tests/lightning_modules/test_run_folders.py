"""The folder of a run: another one in it is refused, checkpoints that are cut off or of another class are one line."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lightning_modules.cli import main
from lightning_modules.config_errors import explain_exception


class LineModel(LightningModule):
    """A line through points."""

    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(width, 1)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
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
    events = EventAccumulator(str(tmp_path / "run"), size_guidance={"scalars": 0})
    events.Reload()
    assert [one.step for one in events.Scalars("train/loss")] == list(range(8))


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
