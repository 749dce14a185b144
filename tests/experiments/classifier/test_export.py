"""Exported classifiers against the module: raw windows in, the same numbers out, and all that is needed inside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.classifier import export
from experiments.classifier.export import export_classifier
from experiments.classifier.model import load_classifier, load_portable
from experiments.cli import main
from lightning_modules import HARClassifier, MotionDiffusion
from lightning_modules.weights.classifier import ClassifierSpec, read_classifier


@pytest.fixture
def need_onnx() -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="pip install 'imuforge[onnx]'")


def draw_windows(count: int) -> np.ndarray:
    generator = np.random.default_rng(3)
    return generator.normal(scale=[5, 5, 5, 1, 1, 1], size=(count, 50, 6)).astype(np.float32)


def ask_by_hand(checkpoint: Path, windows: np.ndarray) -> np.ndarray:
    """What Lightning itself makes of windows: the class, loaded by Lightning, and the data module's normalisation."""
    content = torch.load(checkpoint, weights_only=True)
    model = HARClassifier.load_from_checkpoint(checkpoint, map_location="cpu").eval()
    mean, std = (content["WindowDataModule"][name].numpy() for name in ("mean", "std"))
    with torch.no_grad():
        return model(torch.from_numpy((windows - mean) / std)).softmax(dim=1).numpy()


def open_exported(path: Path) -> tuple[ClassifierSpec, Callable[[np.ndarray], np.ndarray]]:
    """What another program does with the file."""
    if path.suffix == ".onnx":
        classifier = load_classifier(path)
        return classifier.spec, classifier.predict
    extra = {"imuforge.json": ""}
    module = torch.export.load(path, extra_files=extra).module()
    spec = ClassifierSpec.from_json(extra["imuforge.json"], where=path)
    return spec, lambda windows: module(torch.from_numpy(windows))[0].detach().numpy()


@pytest.mark.usefixtures("need_onnx")
@pytest.mark.parametrize("network", ["cnn", "deepconvlstm"])
@pytest.mark.parametrize("file_format", ["onnx", "torch"])
def test_the_file_says_what_the_module_says_of_raw_windows(
    file_format: str, network: str, train_classifier: Callable[[str], Path], tmp_path: Path
) -> None:
    checkpoint = train_classifier(network)
    suffix = export.FORMATS[file_format]
    path, largest = export_classifier(checkpoint, file_format, tmp_path / f"deep/model{suffix}")
    assert largest <= 1e-5
    spec, predict = open_exported(path)
    assert spec == read_classifier(checkpoint).spec
    for count in (1, 4, 1030):
        windows = draw_windows(count)
        np.testing.assert_allclose(predict(windows), ask_by_hand(checkpoint, windows), rtol=0, atol=1e-5)


def test_no_window_gives_no_row(checkpoint: Path) -> None:
    assert load_classifier(checkpoint).predict(draw_windows(1)[:0]).shape == (0, 3)


@pytest.mark.usefixtures("need_onnx")
def test_an_onnx_file_tells_what_it_takes_and_gives(checkpoint: Path, tmp_path: Path) -> None:
    import onnxruntime

    assert main(["export", str(checkpoint), "--out", str(tmp_path / "m.onnx")]) == 0
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    said = session.get_modelmeta().custom_metadata_map
    assert json.loads(said["classes"]) == ["upright", "on_back", "on_side"]
    assert json.loads(said["channels"]) == [f"{group}_{axis}" for group in ("accel", "gyro") for axis in "xyz"]
    assert (said["rate_hz"], said["samples"]) == ("50", "50")
    assert json.loads(said["imuforge"])["units"] == ["m/s^2"] * 3 + ["rad/s"] * 3
    (windows,) = session.get_inputs()
    assert (windows.name, windows.shape[1:]) == ("windows", [50, 6])
    assert [output.name for output in session.get_outputs()] == ["probabilities", "logits"]


@pytest.mark.usefixtures("need_onnx")
@pytest.mark.parametrize("file_format", ["torch", "onnx"])
def test_a_file_that_differs_from_the_module_is_not_kept(
    file_format: str, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = export._run_file
    monkeypatch.setattr(export, "_run_file", lambda *given: [each + 2e-5 for each in run(*given)])
    out = tmp_path / f"m{export.FORMATS[file_format]}"
    with pytest.raises(ValueError, match=r"differ from the module's by 2e-05, expected at most 1e-05"):
        export_classifier(checkpoint, file_format, out)
    assert list(tmp_path.iterdir()) == []


def write_checkpoint(content: dict[str, object], path: Path) -> Path:
    torch.save(content, path)
    return path


def test_checkpoints_that_are_none_or_say_too_little_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    bare = {key: value for key, value in content.items() if key != "WindowDataModule"}
    with pytest.raises(ValueError, match="keeps no normalisation"):
        load_portable(write_checkpoint(bare, tmp_path / "bare.ckpt"))
    other = {"state_dict": MotionDiffusion(width=16, num_layers=1, num_heads=2, feedforward=16).state_dict()}
    with pytest.raises(ValueError, match="no checkpoint of HARClassifier, but of a MotionDiffusion"):
        load_portable(write_checkpoint(other | {"hyper_parameters": {}}, tmp_path / "prior.ckpt"))
    key = next(key for key, value in content["state_dict"].items() if value.is_floating_point())
    broken = content | {"state_dict": content["state_dict"] | {key: content["state_dict"][key] * torch.nan}}
    with pytest.raises(ValueError, match="holds NaN or infinity"):
        load_portable(write_checkpoint(broken, tmp_path / "nan.ckpt"))
    (tmp_path / "cut.ckpt").write_bytes(checkpoint.read_bytes()[:4000])
    with pytest.raises(ValueError, match="cannot be read"):
        load_portable(tmp_path / "cut.ckpt")
    with pytest.raises(FileNotFoundError, match=r"gone\.ckpt not found"):
        load_portable(tmp_path / "gone.ckpt")
    with pytest.raises(ValueError, match=r"ends in '\.pt', expected \.pt2"):
        export_classifier(checkpoint, "torch", tmp_path / "m.pt")


def test_an_older_checkpoint_takes_rate_and_length_from_its_data_modules_options(
    checkpoint: Path, tmp_path: Path
) -> None:
    content = torch.load(checkpoint, weights_only=True)
    state = content["WindowDataModule"]
    old = content | {"WindowDataModule": {name: state[name] for name in ("mean", "std", "channels")}}
    with pytest.raises(ValueError, match="does not say the rate and length"):
        read_classifier(write_checkpoint(old, tmp_path / "older.ckpt"))
    old |= {"datamodule_hyper_parameters": {"cut": {"rate_hz": 50.0, "window_s": 1.0}}}
    assert read_classifier(write_checkpoint(old, tmp_path / "old.ckpt")).spec == read_classifier(checkpoint).spec


@pytest.mark.usefixtures("need_onnx")
def test_foreign_and_damaged_files_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="export it anew") as error:
        load_classifier(tmp_path / "m.onnx")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "says"), [("m.txt", r"expected one of \.ckpt, \.onnx$"), ("m.pt2", "may execute")])
def test_what_is_no_classifier_is_not_opened(name: str, says: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=says):
        load_classifier(tmp_path / name)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "imuforge-classifier-1"}', '{"format": "another"}'])
def test_metadata_of_another_origin_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"m\.onnx was not written by imuforge export"):
        ClassifierSpec.from_json(text, where="m.onnx")


def test_inspect_says_what_a_classifier_takes(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(checkpoint)]) == 0
    said = capsys.readouterr().out
    spec = read_classifier(checkpoint).spec
    assert f"classifier of {', '.join(spec.classes)}" in said
    assert f"{spec.window_s:g} s at {spec.rate_hz:g} Hz" in said
