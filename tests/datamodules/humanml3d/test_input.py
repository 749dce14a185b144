"""A HumanML3D folder with one thing wrong: each mistake is named in one line with its file."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import HumanML3DDataModule
from sim import Body
from sim.features import joints_to_features

LINE = "a person moves.#a/DET person/NOUN move/VERB#0.0#0.0"


def prepare(root: Path) -> HumanML3DDataModule:
    data = HumanML3DDataModule(str(root), cache_dir=str(root.parent / "cache"))
    data.prepare_data()
    data.setup()
    return data


def ramp(frames: int, value: float) -> np.ndarray:
    """Features whose first tells the motion and whose second tells the frame."""
    features = np.full((frames, 263), value, np.float32)
    features[:, 1] = np.arange(frames)
    return features


def nan_features() -> np.ndarray:
    features = ramp(60, 1)
    features[7, 100] = np.nan
    return features


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (nan_features(), r"f\.npy has values that are not finite in 1 of 60 frames"),
        (np.zeros((60, 251), np.float32), r"f\.npy holds float32 of shape \(60, 251\), expected \(frames, 263\)"),
        (np.zeros((60, 22, 3), np.float32), r"shape \(60, 22, 3\).*new_joints"),
        (ramp(20, 1), r"split test .* no clip of 40 to 199 frames"),
    ],
)
def test_bad_features_are_named(made_up: Path, features: np.ndarray, message: str) -> None:
    np.save(made_up / "new_joint_vecs" / "f.npy", features)
    (made_up / "test.txt").write_text("f\n", encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        prepare(made_up)
    assert not list((made_up.parent / "cache").glob("humanml3d-*/index.npz"))


@pytest.mark.parametrize(
    "line", ["no fields", "#x#0.0#0.0", "a#x#0.0", "a#x#zero#0.0", "a#x#-1.0#4.0", "a#x#0.0#inf", "a#b#x#0.0#0.0"]
)
def test_malformed_captions_are_named(made_up: Path, line: str) -> None:
    (made_up / "texts" / "a.txt").write_text(f"{LINE}\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 2 of .*a\.txt is .*expected caption#tokens#start#end"):
        prepare(made_up)


def test_damaged_files_and_absent_captions_are_named(made_up: Path) -> None:
    (made_up / "texts" / "a.txt").write_text("\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.txt holds no caption"):
        prepare(made_up)
    (made_up / "texts" / "a.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"captions .*a\.txt not found"):
        prepare(made_up)
    (made_up / "new_joint_vecs" / "a.npy").write_bytes(b"half a file")
    with pytest.raises(ValueError, match=r"a\.npy is no readable"):
        prepare(made_up)


@pytest.mark.parametrize("part", ["new_joint_vecs", "texts", "val.txt", "Std.npy"])
def test_absent_parts_are_named(made_up: Path, part: str) -> None:
    path = made_up / part
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(FileNotFoundError, match=rf"has no {part}, expected .*EricGuo5513"):
        prepare(made_up)


@pytest.mark.parametrize(
    ("text", "message"), [("", "is empty"), ("a\nb\na\n", "names a twice"), ("x\ny\n", "none of the 2 motions")]
)
def test_useless_lists_are_named(made_up: Path, text: str, message: str) -> None:
    (made_up / "train.txt").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        prepare(made_up)


def test_absent_root_and_bad_parameters_are_named(tmp_path: Path, made_up: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere not found.*EricGuo5513"):
        prepare(tmp_path / "nowhere")
    for options, message in (({"batch_size": 0}, "batch_size 0"), ({"seed": -1}, "seed is -1")):
        with pytest.raises(ValueError, match=message):
            HumanML3DDataModule(str(made_up), **options)
    np.save(made_up / "Std.npy", np.zeros(263))
    with pytest.raises(ValueError, match=r"Std\.npy .*above 0"):
        prepare(made_up).feature_statistics()
    with pytest.raises(RuntimeError, match="prepare_data"):
        HumanML3DDataModule(str(made_up)).clips("train")


def test_a_folder_of_normalised_features_is_told(made_up: Path) -> None:
    """Features of the body of the package, as they are, and with mean 0 and deviation 1."""
    joints = Body.default().rest_joints[:22].expand(60, 22, 3).clone()
    joints[..., 2] += torch.linspace(0, 3, 60)[:, None]
    joints[:, 20, 1] += 0.1 * torch.sin(torch.arange(60.0))
    features = joints_to_features(joints).numpy()
    (made_up / "test.txt").write_text("f\n", encoding="utf-8")
    np.save(made_up / "new_joint_vecs" / "f.npy", features)
    prepare(made_up)
    normal = np.random.default_rng(0).normal(size=features.shape).astype(np.float32)
    np.save(made_up / "new_joint_vecs" / "f.npy", normal)
    with pytest.raises(ValueError, match=r"f\.npy holds features .*normalised ones.*multiply by Std\.npy and add Mean"):
        prepare(made_up)
