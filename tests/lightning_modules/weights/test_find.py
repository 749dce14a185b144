"""One door for weights: names, files, folders and the hub; a file of another class is named, all else is one line."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning import LightningModule, Trainer
from safetensors.torch import load_file, save_file

from lightning_modules import HARClassifier, LatentMotionDiffusion, MotionDiffusion, MotionVAE
from lightning_modules.checkpoints import load_prior, save_mdm, save_prior
from lightning_modules.contrastive_evaluator import ContrastiveEvaluator
from lightning_modules.weights import find_weights
from lightning_modules.weights.read import read_metadata

SMALL = {"width": 16, "num_layers": 1, "num_heads": 2, "feedforward": 16, "num_steps": 5}
LATENT = {"width": 16, "latent_tokens": 2, "num_layers": 3, "num_heads": 2, "feedforward": 16}


def write_checkpoint(model: LightningModule, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(path)
    return path


@pytest.fixture
def prior() -> MotionDiffusion:
    torch.manual_seed(0)
    model = MotionDiffusion(**SMALL)
    model.statistics.set(torch.full((263,), 0.5), torch.full((263,), 2.0))
    return model


def write_door(prior: MotionDiffusion, door: str, folder: Path) -> Path:
    if door == "checkpoint":
        return write_checkpoint(prior, folder / "any.ckpt")
    if door == "folder of a run":
        write_checkpoint(prior, folder / "checkpoints" / "best.ckpt")
        return write_checkpoint(prior, folder / "checkpoints" / "last.ckpt").parent.parent
    if door == "MDM":
        save_mdm(prior, folder / "model1.pt")
        (folder / "opt1.pt").touch()  # MDM keeps its optimiser beside the weights
        np.save(folder / "Mean.npy", prior.statistics.mean.numpy())
        np.save(folder / "Std.npy", prior.statistics.std.numpy())
        return folder
    save_prior(prior, folder / "model.safetensors", {"steps": 3})
    if door == "Hugging Face folder":  # whoever saves tensors anew loses what the file says of itself
        metadata = read_metadata(folder / "model.safetensors")
        config = {key: value if key == "format" else json.loads(value) for key, value in metadata.items()}
        (folder / "config.json").write_text(json.dumps(config))
        save_file(load_file(folder / "model.safetensors"), folder / "model.safetensors")
        return folder
    return folder / "model.safetensors"


@pytest.mark.parametrize("door", ["checkpoint", "folder of a run", "MDM", "safetensors", "Hugging Face folder"])
def test_every_door_leads_to_the_same_prior(prior: MotionDiffusion, door: str, tmp_path: Path) -> None:
    place = write_door(prior, door, tmp_path)
    loaded, started = load_prior(place), MotionDiffusion(**SMALL, init_from=str(place))
    for model in (loaded, started):
        assert torch.equal(model.statistics.std, prior.statistics.std)
        for key, value in prior.average.state_dict().items():
            torch.testing.assert_close(model.average.state_dict()[key], value, rtol=0, atol=5e-3)


@pytest.fixture
def hub(prior: MotionDiffusion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub that cannot be reached, and in its cache the one repository somebody/walks; returns its snapshot."""
    constants = pytest.importorskip("huggingface_hub").constants
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    commit = "0123456789" * 4
    snapshot = tmp_path / "models--somebody--walks" / "snapshots" / commit
    (tmp_path / "models--somebody--walks" / "refs").mkdir(parents=True)
    (tmp_path / "models--somebody--walks" / "refs" / "main").write_text(commit)
    save_prior(prior, snapshot / "model.safetensors", {})
    save_prior(prior, snapshot / "more" / "other.safetensors", {})
    return snapshot


def test_the_hub_is_asked_only_by_name_and_read_from_its_cache(hub: Path) -> None:
    assert find_weights("hf:somebody/walks") == hub / "model.safetensors"
    assert find_weights(f"hf:somebody/walks@{hub.name}") == hub / "model.safetensors"
    assert find_weights("hf:somebody/walks/more/other.safetensors") == hub / "more" / "other.safetensors"
    assert bool(load_prior("hf:somebody/walks").statistics.known)
    with pytest.raises(FileNotFoundError, match="write hf:owner/name"):
        find_weights("somebody/walks")
    with pytest.raises(FileNotFoundError, match=r"has no gone\.safetensors"):
        find_weights("hf:somebody/walks/gone.safetensors")
    with pytest.raises(FileNotFoundError, match=r"hf:nobody/none could not be had .*HF_HUB_OFFLINE is set") as error:
        find_weights("hf:nobody/none")
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="'hf:walks' names no repository"):
        find_weights("hf:walks")


def test_without_the_hubs_library_a_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(FileNotFoundError, match="needs huggingface_hub"):
        find_weights("hf:somebody/walks")


def test_a_folder_of_none_or_several_is_refused(prior: MotionDiffusion, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no file of weights"):
        load_prior(tmp_path)
    for name in ("a", "b"):
        save_prior(prior, tmp_path / f"{name}.safetensors", {})
    with pytest.raises(ValueError, match=r"holds 2 files of weights, .* such as .*a\.safetensors"):
        load_prior(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes())
    assert find_weights(tmp_path).name == "model.safetensors"


def make_other(kind: str, folder: Path) -> LightningModule:
    if kind == "HARClassifier":
        return HARClassifier(["walking", "standing"])
    if kind == "ContrastiveEvaluator":
        return ContrastiveEvaluator(width=16, num_layers=1, num_heads=2)
    coder = MotionVAE(**LATENT)
    coder.statistics.set(torch.zeros(263), torch.ones(263))
    if kind == "MotionVAE":
        return coder
    path = write_checkpoint(coder, folder / "vae.ckpt")
    return LatentMotionDiffusion(vae_from=str(path), vae_layers=3, vae_feedforward=16, **LATENT)


@pytest.mark.parametrize("kind", ["HARClassifier", "ContrastiveEvaluator", "MotionVAE", "LatentMotionDiffusion"])
def test_a_checkpoint_of_another_class_is_named(kind: str, tmp_path: Path) -> None:
    path = write_checkpoint(make_other(kind, tmp_path), tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match=f"no Lightning checkpoint of MotionDiffusion, but of a {kind}"):
        MotionDiffusion(**SMALL, init_from=str(path))
    if kind != "LatentMotionDiffusion":  # which is a prior, too
        with pytest.raises(ValueError, match=f"but of a {kind}"):
            load_prior(path)


@pytest.mark.parametrize("name", ["any.ckpt", "model.safetensors"])
def test_damaged_weights_are_one_line(prior: MotionDiffusion, name: str, tmp_path: Path) -> None:
    door = "checkpoint" if name.endswith("ckpt") else "safetensors"
    whole = write_door(prior, door, tmp_path / "whole").read_bytes()
    parameter = next(iter(prior.average.parameters()))
    parameter.data[0] = torch.nan
    shutil.copy(write_door(prior, door, tmp_path / "nan"), tmp_path / f"nan-{name}")
    (tmp_path / f"half-{name}").write_bytes(whole[: len(whole) // 2])
    (tmp_path / f"empty-{name}").touch()
    for how, says in (("nan", "NaN or infinity"), ("half", "again"), ("empty", "again")):
        with pytest.raises(ValueError, match=says) as error:
            load_prior(tmp_path / f"{how}-{name}")
        assert "\n" not in str(error.value)


def test_a_config_that_is_no_object_is_refused(prior: MotionDiffusion, tmp_path: Path) -> None:
    place = write_door(prior, "Hugging Face folder", tmp_path)
    for content, says in (("[1]", "holds a list"), ("{", "is no JSON")):
        (place / "config.json").write_text(content)
        with pytest.raises(ValueError, match=says):
            load_prior(place)
