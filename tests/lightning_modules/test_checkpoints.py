"""Checkpoints in and out of every layout: MDM's own outputs and keys, round trips, and files that are refused."""

import json
import pickle

import numpy as np
import pytest
import torch
from lightning import Trainer

from lightning_modules.checkpoints import load_card, load_mdm, load_prior, save_mdm, save_prior
from lightning_modules.motion_diffusion import MotionDiffusion
from lightning_modules.weights import read_weights

DIMENSIONS = {"width": 16, "num_layers": 2, "num_heads": 4, "feedforward": 24, "text_dim": 8, "num_steps": 12}


def make_model(**changes):
    torch.manual_seed(1)
    model = MotionDiffusion(**(DIMENSIONS | changes)).eval()
    # Averaged weights differ from the trained ones, as they do after training.
    for parameter in model.average.parameters():
        parameter.data.add_(0.01)
    model.statistics.set(torch.linspace(-1, 1, 263), torch.linspace(0.5, 2, 263))
    return model


def denoise(network):
    generator = torch.Generator().manual_seed(2)
    x, text = torch.randn(2, 9, 263, generator=generator), torch.randn(2, 8, generator=generator)
    with torch.no_grad():
        return network(x, torch.tensor([3, 11]), text, torch.tensor([9, 6]))


def write_mdm(folder, content, args):
    folder.mkdir(exist_ok=True)
    torch.save(content, folder / "model000050000.pt")
    (folder / "args.json").write_text(json.dumps(args))
    return folder / "model000050000.pt"


def read_golden_state(golden, case):
    data = golden("mdm")
    prefix = f"{case}/state_dict/"
    return {k.removeprefix(prefix): torch.from_numpy(data[k]) for k in data if k.startswith(prefix)}


@pytest.mark.parametrize("layout", ["flat", "average", "with clip"])
def test_mdm_checkpoints_of_both_layouts_give_mdms_output(golden, tmp_path, layout, caplog):
    state = read_golden_state(golden, "small_trans_enc_maskframes")
    other = {key: torch.zeros_like(value) for key, value in state.items()}
    content = {
        "flat": state,
        "average": {"model": other, "model_avg": state},
        "with clip": state | {"clip_model.positional_embedding": torch.zeros(77, 4)},
    }[layout]
    args = {"latent_dim": 64, "layers": 2, "diffusion_steps": 50, "mask_frames": True, "unknown_thing": 3}
    with caplog.at_level("INFO"):
        model = load_mdm(write_mdm(tmp_path, content, args))
    assert "unknown_thing" in caplog.text
    data = golden("mdm")
    x, timesteps, text, lengths, out = (
        torch.from_numpy(data[f"small_trans_enc_maskframes/{name}"])
        for name in ("x", "timesteps", "text_embed", "lengths", "out")
    )
    with torch.no_grad():
        predicted = model.denoiser(x[:, :, 0].mT, timesteps, text[0], lengths)
    torch.testing.assert_close(predicted, out[:, :, 0].mT, rtol=0, atol=1e-5)
    assert model.schedule.num_steps == 50
    with pytest.raises(ValueError, match="no feature statistics"):
        model.generate(["a person walks"], num_frames=40)


def test_mdm_without_mask_frames_in_its_args_does_not_mask(golden, tmp_path):
    path = write_mdm(tmp_path, read_golden_state(golden, "small_trans_enc"), {"diffusion_steps": 1000})
    model = load_mdm(path)
    assert not model.denoiser.mask_frames
    assert model.schedule.num_steps == 1000
    assert model.arguments["text_encoder"] == "clip"


@pytest.mark.parametrize("layout", ["flat", "average"])
def test_mdm_round_trip(tmp_path, layout):
    model = make_model()
    save_mdm(model, tmp_path / "out" / "model.pt", layout=layout)
    np.save(tmp_path / "Mean.npy", model.statistics.mean.numpy())
    loaded = load_mdm(tmp_path / "out" / "model.pt", mean=tmp_path / "Mean.npy", std=model.statistics.std)
    assert torch.equal(denoise(loaded.denoiser), denoise(model.average))
    assert torch.equal(denoise(loaded.average), denoise(model.average))
    assert torch.equal(loaded.statistics.mean, model.statistics.mean)
    for key in (*DIMENSIONS, "mask_frames", "text_encoder"):
        assert loaded.arguments[key] == model.arguments[key], key


def test_saved_mdm_has_the_published_keys(tmp_path, shared):
    published = json.loads((shared / "golden" / "mdm_humanml_trans_enc_512_keys.json").read_text())
    model = make_model(width=512, num_layers=8, feedforward=1024, text_dim=512)
    save_mdm(model, tmp_path / "model.pt")
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    assert {key: list(value.shape) for key, value in state.items()} == published


def test_prior_round_trip_in_half_precision(tmp_path):
    model = make_model(mask_frames=False, dropout=0.05)
    card = {"steps": 12, "minutes": {"walking": 2.5}, "curve": [1.0, 0.5]}
    save_prior(model, tmp_path / "prior.safetensors", card)
    loaded = load_prior(tmp_path / "prior.safetensors")
    torch.testing.assert_close(denoise(loaded.average), denoise(model.average), rtol=0, atol=5e-3)
    assert torch.equal(denoise(loaded.average), denoise(loaded.denoiser))
    assert torch.equal(loaded.statistics.std, model.statistics.std)
    assert loaded.arguments["dropout"] == 0.05
    assert load_card(tmp_path / "prior.safetensors") == card


def test_default_prior_fits_in_five_megabytes(tmp_path):
    model = MotionDiffusion()
    model.statistics.set(torch.zeros(263), torch.ones(263))
    save_prior(model, tmp_path / "prior.safetensors", {})
    assert (tmp_path / "prior.safetensors").stat().st_size < 5e6


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt", ".pt"])
def test_init_from_takes_averaged_weights_of_each_format(tmp_path, suffix):
    model = make_model()
    path = tmp_path / f"model{suffix}"
    if suffix == ".safetensors":
        save_prior(model, path, {})
    elif suffix == ".pt":
        save_mdm(model, path)
    else:
        trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
        trainer.strategy.connect(model)
        trainer.save_checkpoint(path)
    started = MotionDiffusion(**DIMENSIONS, init_from=str(path)).eval()
    torch.testing.assert_close(denoise(started.denoiser), denoise(model.average), rtol=0, atol=5e-3)
    assert bool(started.statistics.known) == (suffix != ".pt")


def test_another_width_names_both(tmp_path):
    save_prior(make_model(), tmp_path / "prior.safetensors", {})
    with pytest.raises(ValueError, match=r"width=16 \(the model has 32\), feedforward=24 \(the model has 64\)"):
        MotionDiffusion(
            **(DIMENSIONS | {"width": 32, "feedforward": 64}), init_from=str(tmp_path / "prior.safetensors")
        )
    with pytest.raises(ValueError, match=r"num_steps=12 \(the model has 40\)"):
        MotionDiffusion(**(DIMENSIONS | {"num_steps": 40}), init_from=str(tmp_path / "prior.safetensors"))


class Payload:
    """Writes a file when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_checkpoint_that_would_execute_code_is_refused(tmp_path):
    path = write_mdm(tmp_path, {"model": Payload(tmp_path / "executed")}, {})
    with pytest.raises(ValueError, match="more than tensors"):
        load_mdm(path)
    (tmp_path / "prior.ckpt").write_bytes(pickle.dumps(Payload(tmp_path / "executed"), protocol=2))
    with pytest.raises(ValueError, match=r"more than tensors|cannot be read"):
        read_weights(tmp_path / "prior.ckpt")
    assert not (tmp_path / "executed").exists()


def test_damaged_and_foreign_files_are_refused(tmp_path):
    model = make_model()
    save_prior(model, tmp_path / "whole.safetensors", {})
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "whole.safetensors").read_bytes()[:2000])
    with pytest.raises(ValueError, match="not a readable safetensors"):
        load_prior(tmp_path / "cut.safetensors")
    save_mdm(model, tmp_path / "whole.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:2000])
    with pytest.raises(ValueError, match="cannot be read"):
        load_mdm(tmp_path / "cut.pt")
    with pytest.raises(ValueError, match="state dict lacks"):
        load_mdm(write_mdm(tmp_path, {"weight": torch.zeros(3)}, {}))
    with pytest.raises(ValueError, match="expected a dictionary"):
        load_mdm(write_mdm(tmp_path, torch.zeros(3), {}))
    torch.save({"state_dict": {}, "hyper_parameters": {}}, tmp_path / "foreign.ckpt")
    with pytest.raises(ValueError, match="no Lightning checkpoint of MotionDiffusion"):
        read_weights(tmp_path / "foreign.ckpt")
    (tmp_path / "prior.bin").touch()
    with pytest.raises(ValueError, match="expected one of"):
        read_weights(tmp_path / "prior.bin")


def test_missing_files_say_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="train a prior"):
        load_prior(tmp_path / "no.safetensors")
    with pytest.raises(FileNotFoundError, match="neither packaged"):
        read_weights(tmp_path / "no.safetensors")
    save_mdm(make_model(), tmp_path / "model.pt")
    (tmp_path / "args.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"args\.json not found"):
        load_mdm(tmp_path / "model.pt")


def test_half_given_statistics_and_unknown_layouts_are_refused(tmp_path):
    model = make_model()
    save_mdm(model, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="only one of mean and std"):
        load_mdm(tmp_path / "model.pt", mean=torch.zeros(263))
    with pytest.raises(ValueError, match="layout 'both'"):
        save_mdm(model, tmp_path / "model.pt", layout="both")
    with pytest.raises(ValueError, match="no feature statistics"):
        save_prior(MotionDiffusion(**DIMENSIONS), tmp_path / "prior.safetensors", {})
