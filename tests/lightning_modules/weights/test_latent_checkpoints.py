"""Files of both stages of latent diffusion: what goes in and out, and which files are refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning import LightningDataModule, Trainer

from lightning_modules import LatentMotionDiffusion, MotionDiffusion, MotionVAE
from lightning_modules.checkpoints import (
    load_card,
    load_motion_diffusion,
    load_prior,
    load_vae,
    read_stored,
    save_prior,
    save_vae,
)
from lightning_modules.text.lookup import TextLookup

SHARED = {"width": 16, "latent_tokens": 2, "num_heads": 2}
VAE = {**SHARED, "num_layers": 3, "feedforward": 24}
LATENT = {**SHARED, "vae_layers": 3, "vae_feedforward": 24, "num_layers": 3, "feedforward": 24, "text_dim": 8}
LATENT |= {"num_steps": 20, "sampling_steps": None}


@pytest.fixture
def texts(make_prior: Callable[..., MotionDiffusion]) -> TextLookup:
    """Embeddings of 8 numbers, of an encoder that needs no weights."""
    return make_prior().texts


@pytest.fixture
def make_latent(texts: TextLookup) -> Callable[..., LatentMotionDiffusion]:
    def build(**changes: object) -> LatentMotionDiffusion:
        torch.manual_seed(0)
        model = LatentMotionDiffusion(**(LATENT | changes)).eval()
        model.texts = texts
        return model

    return build


@pytest.fixture
def vae(tmp_path: Path, make_trainer: Callable[..., Trainer], make_clips: Callable[..., LightningDataModule]) -> Path:
    trainer = make_trainer(max_steps=1)
    trainer.fit(MotionVAE(**VAE), make_clips())
    trainer.save_checkpoint(tmp_path / "vae.ckpt")
    return tmp_path / "vae.ckpt"


@pytest.fixture
def latent(
    vae: Path,
    make_latent: Callable[..., LatentMotionDiffusion],
    make_trainer: Callable[..., Trainer],
    make_clips: Callable[..., LightningDataModule],
) -> Callable[..., str]:
    """Train a second stage for one step, and return the path of its checkpoint."""

    def train(**changes: object) -> str:
        trainer = make_trainer(max_steps=1)
        trainer.fit(make_latent(vae_from=str(vae), **changes), make_clips())
        path = vae.with_name("latent.ckpt")
        trainer.save_checkpoint(path)
        return str(path)

    return train


def test_a_packed_autoencoder_is_the_one_that_was_saved(
    vae: Path, make_latent: Callable[..., LatentMotionDiffusion], make_clips: Callable[..., LightningDataModule]
) -> None:
    model, packed = load_vae(vae), vae.with_name("vae.safetensors")
    save_vae(model, packed, {"data": "waves"})
    assert packed.stat().st_size < vae.stat().st_size / 4  # half precision, no optimiser, one network
    loaded = load_vae(packed)
    for key, value in model.average.state_dict().items():
        torch.testing.assert_close(loaded.average.state_dict()[key], value, rtol=1e-3, atol=1e-5)
    assert torch.equal(loaded.statistics.mean, model.statistics.mean)
    assert torch.equal(loaded.latent_std, model.latent_std)
    batch = make_clips().batches[0]
    one, other = (make_latent(vae_from=str(path))._encode(batch)[2] for path in (packed, vae))
    torch.testing.assert_close(one, other, rtol=0.02, atol=0.02)


def test_an_autoencoder_that_never_saw_data_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no feature statistics"):
        save_vae(MotionVAE(**VAE), tmp_path / "vae.safetensors", {})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_heads": 4}, r"num_heads=2 \(the model has num_heads=4\)"),
        ({"vae_feedforward": 32}, r"feedforward=24 \(the model has vae_feedforward=32\)"),
        ({"latent_tokens": 3, "vae_layers": 5}, r"latent_tokens=2 .*, num_layers=3 \(the model has vae_layers=5\)"),
    ],
)
def test_an_autoencoder_made_otherwise_is_refused(
    changes: dict[str, object], message: str, vae: Path, make_latent: Callable[..., LatentMotionDiffusion]
) -> None:
    """Heads leave no trace in shapes: without looking at the arguments such a model would load and compute nonsense."""
    packed = vae.with_name("vae.safetensors")
    save_vae(load_vae(vae), packed, {})
    for path in (vae, packed):
        with pytest.raises(ValueError, match=rf"{path.name} have .*{message}"):
            make_latent(vae_from=str(path), **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"predicts": "clean"}, "predicts=noise"),
        ({"noise_schedule": "linear"}, "noise_schedule=scaled_linear"),
        ({"num_steps": 10}, "num_steps=20"),
        ({"text_encoder": "clip"}, "text_encoder=minilm"),
        ({"num_heads": 8}, "num_heads=2"),
    ],
)
def test_a_second_stage_made_otherwise_is_refused(
    changes: dict[str, object],
    message: str,
    latent: Callable[..., str],
    make_latent: Callable[..., LatentMotionDiffusion],
) -> None:
    path = latent()
    make_latent(init_from=path, lr=1.0, cond_drop_prob=0.5)
    with pytest.raises(ValueError, match=rf"latent\.ckpt have {message} .*the model has"):
        make_latent(init_from=path, **changes)


def test_guidance_needs_weights_that_were_trained_without_captions_too(
    latent: Callable[..., str], make_latent: Callable[..., LatentMotionDiffusion]
) -> None:
    model = make_latent(init_from=latent(cond_drop_prob=0.0))
    with pytest.raises(ValueError, match="cond_drop_prob=0"):
        model.generate(["someone runs"], num_frames=5, seeds=[0], guidance=2.0)
    assert model.generate(["someone runs"], num_frames=5, seeds=[0], guidance=1.0).shape == (1, 5, 263)


def test_files_of_other_models_are_named(
    vae: Path,
    latent: Callable[..., str],
    make_latent: Callable[..., LatentMotionDiffusion],
    make_prior: Callable[..., MotionDiffusion],
) -> None:
    second = latent()
    prior, packed = vae.with_name("prior.safetensors"), vae.with_name("vae.safetensors")
    save_prior(make_prior(), prior, {})
    save_vae(load_vae(vae), packed, {})
    for path, kind in ((vae, "MotionVAE"), (second, "LatentMotionDiffusion")):
        with pytest.raises(ValueError, match=rf"{Path(path).name} is no .*of MotionDiffusion, but of a {kind};"):
            make_prior(init_from=str(path))
    with pytest.raises(ValueError, match=r"vae\.safetensors has format 'imuforge-vae-1'"):
        make_prior(init_from=str(packed))
    with pytest.raises(ValueError, match=r"'imuforge-prior-1', .*as save_vae writes; it is of a MotionDiffusion"):
        make_latent(vae_from=str(prior))
    with pytest.raises(ValueError, match=r"both given, expected one: .*set vae_from to null"):
        make_latent(vae_from=str(vae), init_from=second)
    packed.write_bytes(packed.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"vae\.safetensors is not a readable safetensors file"):
        make_latent(vae_from=str(packed))


def test_a_packed_second_stage_brings_all_that_generating_takes(vae: Path, texts: TextLookup, tmp_path: Path) -> None:
    names = ["walking", "jumping"]
    model = LatentMotionDiffusion(**LATENT, vae_from=str(vae), activities=names).eval()
    model.window_frames = 12
    encoder = texts._encoder
    model.texts.attach(encoder)
    packed = tmp_path / "latent.safetensors"
    save_prior(model, packed, {"data": "waves"})
    vae.unlink()
    loaded = load_prior(packed, text_encoder=encoder)
    assert isinstance(loaded, LatentMotionDiffusion)
    assert (loaded.texts.activities, loaded.window_frames) == (tuple(names), 12)
    assert load_card(packed) == {"data": "waves", "window_s": 0.6}
    options = {"num_frames": 12, "seeds": [3], "sampler": "ddim", "steps": 5}
    first, again = (one.generate(["someone runs"], activities=["walking"], **options) for one in (model, loaded))
    torch.testing.assert_close(first, again, rtol=0.05, atol=0.02)
    other = loaded.generate(["someone runs"], activities=["jumping"], **options)
    assert not torch.equal(other, again)
    # What the file says need not be said again.
    assert LatentMotionDiffusion(init_from=str(packed), text_dim=8).arguments == loaded.arguments


def test_a_second_stage_without_autoencoder_is_not_saved(tmp_path: Path) -> None:
    model = LatentMotionDiffusion(**LATENT)
    with pytest.raises(ValueError, match="there is no autoencoder for the latents"):
        save_prior(model, tmp_path / "latent.safetensors", {})


def test_a_motion_prior_says_whose_weights_latent_ones_are(latent: Callable[..., str], tmp_path: Path) -> None:
    packed = tmp_path / "latent.safetensors"
    save_prior(load_prior(latent()), packed, {})
    with pytest.raises(ValueError, match="it is of a LatentMotionDiffusion, give it to one"):
        MotionDiffusion(init_from=str(packed))
    with pytest.raises(ValueError, match="of a LatentMotionDiffusion, expected a prior over motion itself"):
        load_motion_diffusion(packed)
    assert read_stored(packed).hyper_parameters["vae_layers"] == 3


class Trap:
    """Runs code when it is unpickled without care."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("argument", ["vae_from", "init_from"])
def test_code_in_a_checkpoint_is_not_run(
    argument: str, tmp_path: Path, make_latent: Callable[..., LatentMotionDiffusion]
) -> None:
    torch.save({"state_dict": {}, "hyper_parameters": Trap(tmp_path / "ran")}, tmp_path / "trap.ckpt")
    with pytest.raises(ValueError, match=r"trap\.ckpt is damaged or holds more than tensors"):
        make_latent(**{argument: str(tmp_path / "trap.ckpt")})
    assert not (tmp_path / "ran").exists()
