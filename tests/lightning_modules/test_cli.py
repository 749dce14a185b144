"""The command ``lightning`` as a user meets it: one readable line for bad input, and resuming that never mixes runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer, strategies
from lightning.pytorch import callbacks as lightning_callbacks

from datamodules.motion_files import read_motion
from lightning_modules import cli
from lightning_modules.callbacks.resume_guard import describe_changes
from lightning_modules.cli import main
from lightning_modules.config_errors import explain_exception, suggest_nearest

ROOT = Path(__file__).resolve().parents[2]
FINETUNE = str(ROOT / "experiments" / "finetune_acc.yaml")
HAR = str(ROOT / "experiments" / "har.yaml")


def run_and_fail(capsys: pytest.CaptureFixture[str], args: list[str]) -> str:
    """Run the command line, see it leave with code 2, and return its one line of complaint."""
    with pytest.raises(SystemExit) as exit_info:
        main(args)
    assert exit_info.value.code == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    return errors[0]


@pytest.mark.parametrize(
    ("option", "offending", "nearest"),
    [
        (["--model.loss_weigths.acc_joints", "1"], "'model.loss_weigths.acc_joints'", "'model.losses.weights'"),
        (["--model.init_args.widht", "8"], "'model.widht' of MotionDiffusion", "'model.network.width'"),
        (["--data.batchsize", "8"], "'data.batchsize' of MotionDataModule", "'data.batch_size'"),
        (["--trainer.max_stepz", "5"], "'trainer.max_stepz'", "'trainer.max_steps'"),
        (["--ckpt_pth", "last"], "'ckpt_pth'", "'ckpt_path'"),
        (["--model", "MotionDifusion"], "class 'MotionDifusion'", "'MotionDiffusion'"),
        (["--trainer.callbacks+", "MotionWritter"], "class 'MotionWritter'", "'MotionWriter'"),
    ],
)
def test_typo_on_the_command_line(
    capsys: pytest.CaptureFixture[str], option: list[str], offending: str, nearest: str
) -> None:
    line = run_and_fail(capsys, ["fit", "-c", FINETUNE, *option])
    assert f"unknown {offending}" in line or f"unknown key {offending}" in line
    assert line.endswith(f"the nearest valid one is {nearest}")


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("trianer: {max_steps: 5}", "unknown key 'trianer.max_steps'; the nearest valid one is 'trainer.max_steps'"),
        (
            "data: {class_path: MotionDataModule, init_args: {windows_s: 4}}",
            "unknown key 'data.windows_s' of MotionDataModule; the nearest valid one is 'data.window_s'",
        ),
        (
            "trainer: {callbacks: [{class_path: ModelCheckpoint, init_args: {moniter: x}}]}",
            "unknown key 'moniter' of ModelCheckpoint; the nearest valid one is 'monitor'",
        ),
        (
            "model: {class_path: MotionDiffusion, width: 8}",
            "a key stands beside class_path; arguments of a class belong under its init_args",
        ),
        ("model: {init_args: {width: wide}}", "model.network.width: Expected a <class 'int'>. Got value: wide"),
        ("trainer: {max_steps: [}", "Problems parsing config: "),
        ("trainer: {default_root_dir: '${oc.env:IMUFORGE_NO_SUCH}'}", "Environment variable 'IMUFORGE_NO_SUCH'"),
    ],
)
def test_typo_in_a_yaml(capsys: pytest.CaptureFixture[str], tmp_path: Path, yaml: str, expected: str) -> None:
    path = tmp_path / "layer.yaml"
    path.write_text(yaml, encoding="utf-8")
    assert expected in run_and_fail(capsys, ["fit", "-c", FINETUNE, "-c", str(path)])


@pytest.mark.parametrize(
    ("config", "option", "offending", "nearest"),
    [
        ("har", ["--data.augment.jiter", "0.1"], "'data.augment.jiter' of Augmentation", "'data.augment.jitter'"),
        ("har", ["--data.augment", "{jiter: 0.1}"], "'data.augment.jiter' of Augmentation", "'data.augment.jitter'"),
        ("har_mixed", ["--data.real.spilt", "loso"], "'data.real.spilt' of RealIMUDataModule", "'data.real.split'"),
        ("har_mixed", ["--data.real.augment.jiter", "1"], "'data.real.augment.jiter'", "'data.real.augment.jitter'"),
        ("har_mixed", ["--data.virtual.init_args.rot", "x"], "'data.virtual.rot'", "'data.virtual.root'"),
    ],
)
def test_typo_below_a_key_is_named_with_all_that_is_above_it(
    capsys: pytest.CaptureFixture[str], config: str, option: list[str], offending: str, nearest: str
) -> None:
    line = run_and_fail(capsys, ["fit", "-c", str(Path(FINETUNE).with_name(f"{config}.yaml")), *option])
    assert f"unknown key {offending}" in line
    assert line.endswith(f"the nearest valid one is {nearest}")


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (["--model.loss_weights.acc_joins", "1"], "loss 'acc_joins' is unknown, must be one of"),
        (["--model.sampler", "ddmp"], "'ddmp'"),
        (["--model.init_from", "nowhere.ckpt"], "weights nowhere.ckpt not found"),
        (["--model.init_from", "null", "--data.sources", "[nowhere]"], "nowhere"),
        (["--model.init_from", "null", "--ckpt_path", "nowhere.ckpt"], "nowhere.ckpt"),
        (["-c", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_bad_values_are_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, cache_dir: Path, option: list[str], expected: str
) -> None:
    folders = [f"--trainer.default_root_dir={tmp_path}", f"--data.cache_dir={cache_dir}", "--trainer.accelerator=cpu"]
    assert expected in run_and_fail(capsys, ["fit", "-c", FINETUNE, *folders, *option])


def test_unknown_real_set_and_class_are_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = f"--trainer.default_root_dir={tmp_path}"
    assert "'hapd'" in run_and_fail(capsys, ["fit", "-c", HAR, folder, "--data.name", "hapd"])
    line = run_and_fail(capsys, ["fit", "-c", HAR, folder, "--data.classes", "[walking,flying]"])
    assert "flying" in line


class TinyModel(LightningModule):
    """A line through points: enough of a module to be trained, saved and resumed."""

    def __init__(self, width: int = 3, rates: dict[str, float] | None = None) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(width, 1)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        return self.layer(batch).square().mean()

    def test_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.log("score", self.layer(batch).mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class TinyData(LightningDataModule):
    def __init__(self, count: int = 8, fault: str | None = None) -> None:
        super().__init__()
        self.save_hyperparameters()
        if fault == "bug":
            np.zeros(3).reshape(2, 2)

    def train_dataloader(self) -> torch.utils.data.DataLoader[torch.Tensor]:
        return torch.utils.data.DataLoader(torch.ones(self.hparams.count, 3), batch_size=4)

    test_dataloader = train_dataloader


@pytest.fixture
def tiny(tmp_path: Path) -> list[str]:
    config = tmp_path / "tiny.yaml"
    config.write_text(
        f"""
trainer:
  accelerator: cpu
  max_epochs: 1
  enable_progress_bar: false
  enable_model_summary: false
  default_root_dir: {tmp_path / "run"}
  callbacks:
    - class_path: ModelCheckpoint
      init_args: {{filename: last, save_on_train_epoch_end: true}}
model: {{class_path: {__name__}.TinyModel, init_args: {{rates: {{a: 1.0, b: 2}}}}}}
data: {{class_path: {__name__}.TinyData}}
""",
        encoding="utf-8",
    )
    sys.modules.setdefault(__name__, sys.modules[TinyModel.__module__])
    return ["-c", str(config)]


def test_one_folder_holds_a_run_and_last_is_found_there(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["fit", *tiny])
    run = tmp_path / "run"
    assert (run / "checkpoints" / "last.ckpt").is_file()
    assert list(run.glob("events.out.tfevents*"))
    saved = (run / "config.yaml").read_text(encoding="utf-8")
    main(["fit", *tiny, "--ckpt_path", "last", "--trainer.max_epochs", "3"])
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 6
    main(["test", *tiny, "--ckpt_path", "last", "--trainer.max_epochs", "7"])
    assert "score" in capsys.readouterr().out
    assert (run / "config.yaml").read_text(encoding="utf-8") == saved.replace("max_epochs: 1", "max_epochs: 3").replace(
        "ckpt_path: null", "ckpt_path: last"
    )
    assert "max_epochs: 7" in (run / "config-test.yaml").read_text(encoding="utf-8")


def test_a_finished_run_is_left_as_it_is_by_the_command_that_resumes_one(tiny: list[str], tmp_path: Path) -> None:
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    main(["fit", *tiny, "--ckpt_path", "last"])  # there is none yet: it starts
    before = last.read_bytes()
    main(["fit", *tiny, "--ckpt_path", "last"])
    assert last.read_bytes() == before


def test_resuming_with_other_hyper_parameters_is_refused(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["fit", *tiny])
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    for ckpt_path in ("last", str(last)):
        options = ["--ckpt_path", ckpt_path, "--trainer.max_epochs", "2"]
        line = run_and_fail(capsys, ["fit", *tiny, *options, "--model.rates.b", "3"])
        assert "rates is {'a': 1.0, 'b': 3.0} here, {'a': 1.0, 'b': 2.0} in the checkpoint" in line
        assert "--model.init_from" in line
    assert last.read_bytes() == before
    line = run_and_fail(capsys, ["fit", *tiny, "--ckpt_path", "last", "--model.width", "4"])
    assert "size mismatch" in line or "width is 4 here, 3 in the checkpoint" in line


def test_evaluating_says_which_hyper_parameters_come_from_the_checkpoint(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["fit", *tiny])
    last = str(tmp_path / "run" / "checkpoints" / "last.ckpt")
    capsys.readouterr()
    main(["test", *tiny, "--ckpt_path", last, "--model.width", "5"])
    assert "note: hyper-parameters come from the checkpoint: width is 5 here, 3" in capsys.readouterr().err


def test_evaluating_the_last_checkpoint_needs_one(tiny: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    line = run_and_fail(capsys, ["test", *tiny, "--ckpt_path", "last"])
    assert "no last.ckpt in" in line
    assert "run `lightning fit`" in line


def test_other_data_on_resume_are_warned_of(tiny: list[str]) -> None:
    main(["fit", *tiny])
    with pytest.warns(UserWarning, match="count is 12 here, 8 in the checkpoint"):
        main(["fit", *tiny, "--ckpt_path", "last", "--data.count", "12", "--trainer.max_epochs", "2"])


def test_a_bug_keeps_its_traceback(tiny: list[str]) -> None:
    with pytest.raises(ValueError, match="reshape"):
        main(["fit", *tiny, "--data.fault", "bug"])


def test_debug_shows_the_traceback_too(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMUFORGE_DEBUG", "1")
    with pytest.raises(SystemExit):
        main(["fit", *tiny, "--ckpt_path", "nowhere.ckpt"])
    assert "Traceback" in capsys.readouterr().err


def test_errors_of_libraries_are_not_taken_for_the_users() -> None:
    def error_of(call: object) -> BaseException:
        with pytest.raises(Exception) as caught:
            call()
        return caught.value

    assert explain_exception(error_of(lambda: np.zeros(3).reshape(2, 2))) is None
    assert explain_exception(KeyError("x")) is None
    assert "nowhere" in str(explain_exception(error_of(lambda: Path("nowhere.npz").read_bytes())))
    assert explain_exception(error_of(lambda: Trainer(accelerator="abacus", logger=False)))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", None, "a.npy holds objects, which could run code"),
        ("a.mvnx", "no XML", "a.mvnx is no whole XML file"),
        ("a.txt", '{"Frames": [', "a.txt: Expecting value: line 1 column 13"),
        (
            "a.bvh",
            "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n}\nMOTION\nFrames: 1\nFrame Time: 1\nx\n",
            "line 10",
        ),
    ],
)
def test_what_this_project_says_of_a_librarys_error_is_what_the_user_reads(
    tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    path = tmp_path / name
    if content is None:
        np.save(path, np.array([{}], dtype=object))
    else:
        path.write_text(content)
    with pytest.raises(ValueError, match="expected") as caught:
        read_motion(path)
    assert caught.value.__cause__ is not None
    line = explain_exception(caught.value)
    assert line is not None
    assert message in line
    assert str(path) in line


def test_nearest_name_and_differences() -> None:
    assert suggest_nearest("acc_joins", ["velocity", "acc_joints"]) == "acc_joints"
    assert suggest_nearest("zzz", ["velocity"]) is None
    assert describe_changes(asked={"lr": 1, "layers": [1, 2]}, stored={"lr": 1.0, "layers": (1, 2)}) == []
    assert describe_changes(asked={"cache_dir": "a", "new": 1}, stored={"cache_dir": "b", "_class_path": "X"}) == []


def test_short_names_cover_every_class_of_the_experiments() -> None:
    names = {item.__name__ for item in cli.SHORT_NAMES}
    used = {
        line.split("class_path:")[1].split("#")[0].strip()
        for path in (ROOT / "experiments").rglob("*.yaml")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "class_path:" in line
    }
    assert {
        name for name in used if not any(hasattr(known, name) for known in (lightning_callbacks, strategies))
    } <= names


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_a_checkpoint_that_resumes(tmp_path: Path, cache_dir: Path, number: int) -> None:
    command = [sys.executable, "-m", "lightning_modules", "fit", "-c", HAR, "--trainer.accelerator=cpu"]
    command += [f"--trainer.default_root_dir={tmp_path}", "--data.name=basic_motions", "--data.rate_hz=10"]
    command += ["--data.classes=[walking,running,standing]", "--data.channels=[linear_accel,gyro]", "--data.window_s=4"]
    last = tmp_path / "checkpoints" / "last.ckpt"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*command, "--trainer.max_epochs=100000"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=environment,
        # A shell that starts the tests in the background ignores SIGINT, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        deadline = time.monotonic() + 120
        while not last.is_file() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        try:
            assert process.wait(timeout=60) != 0
        finally:
            process.kill()
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()
    epoch = torch.load(last, weights_only=True)["epoch"]
    main([*command[3:], "--ckpt_path=last", f"--trainer.max_epochs={epoch + 2}", "--trainer.enable_progress_bar=false"])
    assert torch.load(last, weights_only=True)["epoch"] == epoch + 1
