"""Prior to recordings to classifier to ONNX: the commands of docs/cookbook/text_to_classifier.md, in order."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from datamodules.clips.embedded import load_embedded
from datamodules.har.streams import resample_stream
from experiments.classifier.model import load_classifier
from experiments.classifier.streams import SourceOptions, read_pieces
from experiments.cli import main
from sim import Body, ImuRecording, Placement, simulate

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "cookbook" / "text_to_classifier.md"
SMALL = (
    "--model.init_from=null --model.width=16 --model.num_layers=1 --model.num_heads=2 --model.feedforward=16 "
    "--model.num_steps=5 --trainer.max_steps=2 --data.batch_size=8 --data.samples_per_epoch=16 "
    "--data.eval_windows_per_activity=1"
)
SMALLER = {
    "finetune_continued.yaml": SMALL,
    "har.yaml": "--trainer.max_epochs=2 --model.network=cnn --data.cache_dir=cache --trainer.accelerator=cpu",
    "--prompt": "--steps 2",
    "dataset mine.yaml": "motion.steps=2 people.count=6 recordings_each=1 --processes 1",
}
"""What is added to commands of the page that hold a word, so that they take seconds."""


def commands() -> list[list[str]]:
    lines = re.findall(r"^    ((?:lightning|imuforge) .*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    found = []
    for line in lines:
        more = " ".join(extra for word, extra in SMALLER.items() if word in line)
        found.append(shlex.split(f"{line} {more}")[1:])
    return found


def write_specification(path: Path) -> None:
    """The page's YAML, without the look at motions: a network of two steps of training makes none that walks."""
    spec = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1])
    spec["activities"] = {label: {"check": "none"} for label in spec["activities"]}
    path.write_text(yaml.safe_dump(spec), encoding="utf-8")


def write_new_file(path: Path) -> ImuRecording:
    """A stranger's file: half a minute of columns in g and deg/s at 100 Hz, in another order, without labels."""
    walk = next(clip.motion for clip in load_embedded() if clip.name == "walk")
    read = simulate(walk, Body.default(), [Placement.preset("waist")], rate_hz=100)
    values = np.concatenate([np.rad2deg(read.gyro[:, 0].numpy()), read.accel[:, 0].numpy() / 9.80665], axis=1)
    table = pd.DataFrame(values, columns=["Gyro_X", "Gyro_Y", "Gyro_Z", "Acc_X", "Acc_Y", "Acc_Z"])
    table.insert(3, "timestamp", 1000 * read.time_s.numpy())
    table.to_csv(path, index=False)
    return read


def test_every_command_of_the_page_takes_what_the_one_before_it_wrote(
    runs: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="pip install 'imuforge[onnx]'")
    monkeypatch.chdir(runs)
    write_new_file(runs / "new.csv")
    write_specification(runs / "mine.yaml")
    steps = commands()
    assert [step[0] for step in steps] == ["fit", "synth", "dataset", "fit", "classify", "export", "export", "classify"]
    caches = [f"--data.cache_dir={cache_dir / 'motion'}", f"--model.cache_dir={cache_dir / 'text'}"]
    for number, step in enumerate(steps):
        quiet = ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]
        main([*step, *(quiet if step[0] == "fit" else []), *(caches if number == 0 else [])])
    assert len(pd.read_parquet("data/index.parquet")) == 6 * 2

    found = pd.read_csv("found.csv")
    assert list(found.columns[:5]) == ["file", "start_s", "end_s", "label", "probability"]
    assert set(found["label"]) <= {"walking", "standing"}
    np.testing.assert_allclose(found["p_walking"] + found["p_standing"], 1.0, atol=1e-5)
    np.testing.assert_allclose(np.diff(found["start_s"]), 1.28, atol=1e-6)
    assert Path("found.png").stat().st_size > 5000

    compare_with_onnxruntime_alone(found, monkeypatch, capsys)


def compare_with_onnxruntime_alone(
    found: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = load_classifier(Path("activities.onnx")).spec
    options = SourceOptions(description=write_description(Path("new.yaml")))
    (piece,) = read_pieces(Path("new.csv"), spec, options)
    values = resample_stream(piece.stream, rate_hz=spec.rate_hz).values
    pd.DataFrame(values, columns=list(spec.channels)).to_csv("at_its_rate.csv", index=False)
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["run_onnx.py", "activities.onnx", "at_its_rate.csv"])
    runpy.run_path(str(ROOT / "examples" / "run_onnx.py"))
    printed = [re.split(r" s: | ", line) for line in capsys.readouterr().out.splitlines()]
    assert [label for _, label, _ in printed] == found["label"].tolist()
    np.testing.assert_allclose([float(start) for start, _, _ in printed], found["start_s"], atol=0.01)
    np.testing.assert_allclose([float(share) for _, _, share in printed], found["probability"], atol=1e-5)


def write_description(path: Path) -> Path:
    path.write_text(
        "files: 'none'\nrate_hz: 100\ntime: {column: timestamp, unit: ms}\nunits: {accel: g, gyro: deg/s}\n"
        "gravity: included\nsensors:\n  waist: {accel: [Acc_X, Acc_Y, Acc_Z], gyro: [Gyro_X, Gyro_Y, Gyro_Z]}\n",
        encoding="utf-8",
    )
    return path
