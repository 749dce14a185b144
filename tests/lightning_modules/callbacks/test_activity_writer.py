"""`lightning predict` of a classifier: a row for each test window, whose numbers are those of the weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from datamodules.har.streams.manifest import add_to_manifest
from datamodules.har.windows import windows_from_imu
from experiments.classifier.model import load_classifier
from lightning_modules.callbacks.activity_writer import ActivityWriter, tabulate
from lightning_modules.cli import main
from sim import ImuRecording

CLASSES = ["upright", "on_back"]
HAR = str(Path(__file__).resolve().parents[3] / "experiments" / "har.yaml")


def write_recording(path: Path, label: str, split: str, seed: int) -> ImuRecording:
    noise = torch.randn(200, 1, 3, generator=torch.Generator().manual_seed(seed))
    accel = noise.clone()
    accel[..., CLASSES.index(label)] += 9.80665
    recording = ImuRecording(accel, noise, noise, torch.eye(3).expand(200, 1, 3, 3), noise, 50.0, ("waist",))
    recording.save(path)
    add_to_manifest(path, label=label, subject=f"s{seed}", split=split)
    return recording


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_predict_writes_each_window_with_its_person_and_time(suffix: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    tests = [
        write_recording(data / f"{label}-{split}.parquet", label, split, seed=2 * row + column)
        for row, split in enumerate(("train", "test"))
        for column, label in enumerate(CLASSES)
    ][2:]
    options = ["-c", HAR, "--data", "VirtualIMUDataModule", f"--data.root={data}", "--data.classes=[upright, on_back]"]
    options += ["--data.window_s=1.0", f"--data.cache_dir={tmp_path / 'cache'}", "--model.network=cnn"]
    options += [f"--trainer.default_root_dir={tmp_path / 'run'}", "--trainer.accelerator=cpu", "--data.batch_size=4"]
    options += ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]
    main(["fit", *options, "--trainer.max_epochs=2", "--data.val_fraction=0.0", "--trainer.callbacks=ModelCheckpoint",
          "--trainer.callbacks.filename=last"])  # fmt: skip
    writer = ["--trainer.callbacks=ActivityWriter", f"--trainer.callbacks.file=found{suffix}"]
    (last,) = (tmp_path / "run").rglob("last.ckpt")
    main(["predict", *options, "--data.val_fraction=0.0", f"--ckpt_path={last}", *writer])
    path = tmp_path / "run" / f"found{suffix}"
    found = pd.read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
    assert found["window"].tolist() == list(range(14))
    assert found["subject"].tolist() == ["s2"] * 7 + ["s3"] * 7
    assert found["true"].tolist() == ["upright"] * 7 + ["on_back"] * 7
    np.testing.assert_allclose(found["start_s"], [*np.arange(7) * 0.5] * 2)
    windows = [windows_from_imu(one, "upright", classes=CLASSES, window_s=1.0)[0].signals for one in tests]
    expected = load_classifier(last).predict(np.concatenate(windows))
    np.testing.assert_allclose(found[["p_upright", "p_on_back"]], expected, rtol=0, atol=1e-5)
    assert found["label"].tolist() == [CLASSES[row.argmax()] for row in expected]


def test_windows_that_were_padded_in_twice_count_once() -> None:
    recording = ImuRecording(
        torch.zeros(200, 1, 3), torch.zeros(200, 1, 3), torch.zeros(200, 1, 3), torch.eye(3).expand(200, 1, 3, 3),
        torch.zeros(200, 1, 3), 50.0, ("waist",),
    )  # fmt: skip
    windows, _ = windows_from_imu(recording, "on_back", classes=CLASSES, window_s=1.0)
    table = tabulate(windows, np.array([2, 0, 2]), np.array([[0.1, 0.9], [0.8, 0.2], [0.1, 0.9]], dtype=np.float32))
    assert table["window"].tolist() == [0, 2]
    assert table["label"].tolist() == ["upright", "on_back"]
    assert "start_s" not in table.columns


def test_another_suffix_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected one of \.csv, \.parquet"):
        ActivityWriter("found.txt")
