"""Weights of a diverged training, of parallel training, of Git LFS: refused by name, or understood."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lightning_modules.checkpoints import load_mdm, load_prior, save_mdm, save_prior
from lightning_modules.motion_diffusion import MotionDiffusion

SIZES = {"width": 16, "num_layers": 1, "num_heads": 2, "feedforward": 16, "text_dim": 8, "num_steps": 4}


@pytest.fixture
def model() -> MotionDiffusion:
    made = MotionDiffusion(**SIZES, text_encoder="clip")
    made.statistics.set(torch.zeros(263), torch.ones(263))
    return made


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused_in_every_layout(
    tmp_path: Path, model: MotionDiffusion, value: float
) -> None:
    name = "embed_text.bias"
    save_mdm(model, tmp_path / "model.pt")
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    torch.save({**state, name: state[name] * value}, tmp_path / "model.pt")
    with pytest.raises(ValueError, match=rf"model\.pt hold NaN or infinity in {name}.*take an earlier checkpoint"):
        load_mdm(tmp_path / "model.pt")
    with torch.no_grad():
        dict(model.average.named_parameters())[name].fill_(value)
    save_prior(model, tmp_path / "prior.safetensors", {})
    with pytest.raises(ValueError, match=r"prior\.safetensors hold NaN or infinity in embed_text\.bias"):
        load_prior(tmp_path / "prior.safetensors")
    with pytest.raises(ValueError, match="hold NaN or infinity"):
        MotionDiffusion(**SIZES, text_encoder="clip", init_from=str(tmp_path / "prior.safetensors"))


def test_names_of_parallel_training_are_taken_off(tmp_path: Path, model: MotionDiffusion) -> None:
    save_mdm(model, tmp_path / "model.pt")
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    torch.save({f"module.{key}": value for key, value in state.items()}, tmp_path / "model.pt")
    loaded = load_mdm(tmp_path / "model.pt")
    for name, value in model.average.state_dict().items():
        torch.testing.assert_close(loaded.average.state_dict()[name], value)


@pytest.mark.parametrize("lr", [None, -1.0, float("nan"), True])
def test_a_learning_rate_that_is_none_is_named(lr: object) -> None:
    with pytest.raises(ValueError, match=r"lr is .*, expected a number of at least 0"):
        MotionDiffusion(**SIZES, lr=lr)


def test_a_pointer_of_git_lfs_is_named(tmp_path: Path) -> None:
    for name in ("a.safetensors", "a.ckpt", "a.pt"):
        (tmp_path / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
        with pytest.raises(ValueError, match=rf"{name} is a pointer of Git LFS"):
            load_prior(tmp_path / name)
