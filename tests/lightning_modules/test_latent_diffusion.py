"""Both stages of latent diffusion: torch's own divergence, padding without influence, learning, resuming, refusing."""

import pytest
import torch
from lightning import LightningDataModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from datamodules.batches import MotionBatch, PromptBatch
from lightning_modules import LatentMotionDiffusion, MotionDiffusion, MotionVAE
from lightning_modules.networks.latent import LatentDenoiser, MotionAutoencoder, Posterior
from lightning_modules.networks.skip_transformer import SkipDecoder, SkipEncoder

SHARED = {"width": 16, "latent_tokens": 2, "num_heads": 2}
VAE = {**SHARED, "num_layers": 3, "feedforward": 24}
LATENT = {**SHARED, "vae_layers": 3, "vae_feedforward": 24, "num_layers": 3, "feedforward": 24, "text_dim": 8}
CAPTIONS = ["a person walks", "a person jumps up", "someone runs"]


def draw(*shape, seed=3):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class LengthEncoder:
    """A text encoder that needs no weights."""

    name, dim = "length", 8

    def encode(self, texts):
        return torch.stack([torch.linspace(-1, 1, 8) * len(text) / 10 for text in texts])


class Clips(LightningDataModule):
    """Three smooth clips of different lengths, the same batch every time; two batches an epoch."""

    activities = ("walking", "jumping")

    def __init__(self):
        super().__init__()
        time = torch.linspace(0, 2, 16)[None, :, None]
        waves = torch.sin(3 * time + 6 * torch.rand(3, 1, 263, generator=torch.Generator().manual_seed(0))) * 0.1
        lengths = torch.tensor([16, 13, 9])
        self.batch = MotionBatch(waves, lengths, CAPTIONS, torch.tensor([0, 1, 0]), torch.tensor([5, 6, 7]))

    def captions(self):
        return CAPTIONS

    def feature_statistics(self):
        return torch.full((263,), 0.01), torch.full((263,), 0.1)

    def train_dataloader(self):
        return DataLoader([self.batch, self.batch], batch_size=None)

    def val_dataloader(self):
        return DataLoader([self.batch], batch_size=None)

    test_dataloader = val_dataloader


def make_trainer(tmp_path, **options):
    defaults = {
        "accelerator": "cpu", "devices": 1, "logger": False, "enable_progress_bar": False,
        "enable_model_summary": False, "default_root_dir": tmp_path, "enable_checkpointing": False,
        "num_sanity_val_steps": 0, "limit_val_batches": 0,
    }  # fmt: skip
    return Trainer(**(defaults | options))


def make_vae(**changes):
    torch.manual_seed(0)
    return MotionVAE(**(VAE | {"warmup_steps": 0, "lr": 5e-3, "lr_schedule": "constant", "ema_decay": 0.9} | changes))


def make_latent(**changes):
    torch.manual_seed(0)
    options = {"warmup_steps": 0, "lr": 5e-3, "lr_schedule": "constant", "ema_decay": 0.9, "num_steps": 50}
    model = LatentMotionDiffusion(**(LATENT | options | changes))
    model.texts.attach(LengthEncoder())
    return model


@pytest.fixture(autouse=True)
def _quiet(recwarn):
    """Lightning warns about worker processes and evaluation-mode modules, which is as intended here."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A checkpoint of each stage, the second trained on the first."""
    folder = tmp_path_factory.mktemp("stages")
    vae = make_vae(dropout=0.0, kl_weight=1e-5)
    first = make_trainer(folder, max_steps=150)
    first.fit(vae, Clips())
    first.save_checkpoint(folder / "vae.ckpt")
    latent = make_latent(vae_from=str(folder / "vae.ckpt"), dropout=0.0)
    second = make_trainer(folder, max_steps=60)
    second.fit(latent, Clips())
    second.save_checkpoint(folder / "latent.ckpt")
    return folder


def test_the_divergence_is_torchs():
    posterior = Posterior(draw(3, 2, 5), draw(3, 2, 5, seed=4))
    normal = torch.distributions.Normal(posterior.mean, (0.5 * posterior.log_variance).exp())
    expected = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).mean(dim=(1, 2))
    torch.testing.assert_close(posterior.divergence(), expected)


def test_samples_have_the_posteriors_mean_and_deviation():
    posterior = Posterior(torch.tensor([[[1.0, -2.0]]]), torch.tensor([[[0.0, 2.0]]]))
    samples = posterior.sample(draw(20_000, 1, 2))
    torch.testing.assert_close(samples.mean(dim=0), posterior.mean[0], rtol=0, atol=0.05)
    torch.testing.assert_close(samples.std(dim=0), (0.5 * posterior.log_variance[0]).exp(), rtol=0.03, atol=0)


def test_skips_join_each_early_layer_to_its_late_partner():
    """With layers that do nothing, the merges alone decide; each sees what its partner put out."""
    torch.manual_seed(0)
    encoder = SkipEncoder(4, 5, 2, 8, 0.0)
    for index, layer in enumerate(encoder.layers):
        layer.forward = lambda sequence, attend, shift=10.0**index: sequence + shift
    for merge in encoder.skips.merges:
        merge.forward = lambda both: both[..., :4] + 1000.0 * both[..., 4:]
    encoder.norm = torch.nn.Identity()
    # Layers 0, 1 and 2 give 1, 11, 111; then 3 gets 111 + 1000 * 11, and 4 that + 1000 + 1000 * 1.
    expected = 111.0 + 1000 * 11 + 1000 + 1000 * 1 + 10_000
    assert torch.equal(encoder(torch.zeros(1, 3, 4), None), torch.full((1, 3, 4), expected))
    with pytest.raises(ValueError, match="expected an odd number"):
        SkipDecoder(4, 4, 2, 8, 0.0)


def test_padding_changes_neither_latent_nor_motion():
    torch.manual_seed(0)
    network = MotionAutoencoder(**VAE, dropout=0.0).eval()
    motion, lengths = draw(2, 9, 263), torch.tensor([9, 5])
    with torch.no_grad():
        before = network.encode(motion, lengths)
        motion[1, 5:] = 1000.0
        after, alone = network.encode(motion, lengths), network.encode(motion[1:, :5], lengths[1:])
        decoded = network.decode(after.mean, lengths, 9)
        short = network.decode(alone.mean, lengths[1:], 5)
    torch.testing.assert_close(after.mean, before.mean)
    torch.testing.assert_close(alone.log_variance[0], before.log_variance[1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(short[0], decoded[1, :5], rtol=1e-4, atol=1e-5)


def test_words_that_are_padding_have_no_influence_on_the_latent():
    torch.manual_seed(0)
    denoiser = LatentDenoiser(width=16, num_layers=3, num_heads=2, feedforward=24, text_dim=8, dropout=0.0).eval()
    words, mask = draw(1, 4, 8), torch.tensor([[True, True, False, False]])
    x, steps, lengths = draw(1, 2, 16), torch.tensor([7]), torch.tensor([2])
    with torch.no_grad():
        padded = denoiser(x, steps, words, lengths, text_mask=mask)
        torch.testing.assert_close(denoiser(x, steps, words[:, :2], lengths), padded, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(denoiser(x, steps, words[:, :1], lengths), padded, atol=1e-3)


def test_both_stages_learn(trained, tmp_path):
    vae = MotionVAE.load_from_checkpoint(trained / "vae.ckpt", weights_only=True)
    scores = make_trainer(tmp_path).test(vae, Clips(), verbose=False)[0]
    assert scores["test/reconstruction"] < 0.15  # the clips' own variance is about 0.5
    assert {"test/kl", "test/paired_acc/rmse", "test/paired_acc/rmse/t00", "test/acc_sensors"} <= set(scores)
    latent = LatentMotionDiffusion.load_from_checkpoint(trained / "latent.ckpt", weights_only=True)
    latent.texts.attach(LengthEncoder())
    scores = make_trainer(tmp_path).test(latent, Clips(), verbose=False)[0]
    untrained = make_latent(vae_from=str(trained / "vae.ckpt"))
    before = make_trainer(tmp_path).test(untrained, Clips(), verbose=False)[0]
    assert scores["test/latent"] < 0.7 * before["test/latent"]
    assert {"test/paired_acc/rmse/t50", "test/reconstruction"} <= set(scores)


def test_latents_are_scaled_to_a_deviation_of_one(trained):
    latent = make_latent(vae_from=str(trained / "vae.ckpt"))
    encoded = latent._encode(Clips().batch)[2]
    assert float(encoded.std()) == pytest.approx(1.0, rel=0.25)


def test_a_clean_parameterisation_and_losses_on_decoded_motion_train_too(trained, tmp_path):
    refined = make_latent(
        vae_from=str(trained / "vae.ckpt"),
        predicts="clean",
        loss_weights={"acc_joints": 1e-4, "acc_sensors": 1e-5},
        snr_weighted=["acc_joints"],
    )
    before = {name: value.clone() for name, value in refined.vae.state_dict().items()}
    trainer = make_trainer(tmp_path, max_steps=2)
    trainer.fit(refined, Clips())
    assert {"train/latent", "train/acc_joints", "train/acc_sensors"} <= set(trainer.callback_metrics)
    assert all(torch.equal(value, before[name]) for name, value in refined.vae.state_dict().items())


@pytest.mark.parametrize("stage", ["vae", "latent"])
def test_resuming_is_the_same_as_never_stopping(stage, trained, tmp_path):
    def make():
        return make_vae() if stage == "vae" else make_latent(vae_from=str(trained / "vae.ckpt"))

    whole = make()
    make_trainer(tmp_path, max_steps=6).fit(whole, Clips())
    half = make()
    save = ModelCheckpoint(dirpath=tmp_path, filename="half")
    make_trainer(tmp_path, max_steps=4, callbacks=[save], enable_checkpointing=True).fit(half, Clips())
    resumed = make_vae() if stage == "vae" else make_latent()
    make_trainer(tmp_path, max_steps=6).fit(resumed, Clips(), ckpt_path=str(tmp_path / "half.ckpt"), weights_only=True)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpm++"])
def test_a_seed_gives_the_same_motion_whatever_the_batch(trained, sampler):
    model = LatentMotionDiffusion.load_from_checkpoint(trained / "latent.ckpt", weights_only=True).eval()
    model.texts.attach(LengthEncoder())
    arguments = {"sampler": sampler, "steps": 10, "guidance": 2.0}
    together = model.generate(["walk", "run fast"], num_frames=[12, 7], seeds=[1, 2], **arguments)
    assert together.shape == (2, 12, 263)
    assert together.isfinite().all()
    assert not together[1, 7:].any()
    alone = model.generate(["run fast"], num_frames=7, seeds=[2], **arguments)
    torch.testing.assert_close(alone[0], together[1, :7], rtol=1e-3, atol=1e-4)
    assert not torch.allclose(model.generate(["run fast"], num_frames=7, seeds=[3], **arguments), alone, atol=1e-3)
    batch = PromptBatch(["run fast"], torch.tensor([7]), [2], torch.tensor([0]), ["running"])
    assert model.predict_step(batch, 0).features.shape == (1, 7, 263)


def test_generated_motions_are_of_the_data(trained):
    """Three clips are all there is to learn: what is generated lies as far from 0 as they do."""
    model = LatentMotionDiffusion.load_from_checkpoint(trained / "latent.ckpt", weights_only=True).eval()
    model.texts.attach(LengthEncoder())
    motion = model.generate(CAPTIONS, num_frames=9, seeds=[0, 1, 2], guidance=1.0, steps=25)
    assert 0.02 < float(motion.std()) < 0.15  # 0.07 the clips'


def test_the_second_stage_starts_again_from_its_own_checkpoint(trained):
    stored = torch.load(trained / "latent.ckpt", weights_only=True)["state_dict"]
    again = make_latent(init_from=str(trained / "latent.ckpt"))
    assert torch.equal(again.latent_std, stored["latent_std"])
    for name, value in again.average.state_dict().items():
        assert torch.equal(value, stored[f"average.{name}"])


def test_what_does_not_fit_is_refused_in_a_line(trained, tmp_path):
    vae, latent = str(trained / "vae.ckpt"), str(trained / "latent.ckpt")
    with pytest.raises(ValueError, match="is no checkpoint of MotionVAE"):
        make_latent(vae_from=latent)
    with pytest.raises(ValueError, match="is no checkpoint of LatentMotionDiffusion"):
        make_latent(init_from=vae)
    with pytest.raises(ValueError, match="is no checkpoint of MotionVAE"):
        make_vae(init_from=latent)
    with pytest.raises(ValueError, match="is no Lightning checkpoint of MotionDiffusion, but of a MotionVAE"):
        MotionDiffusion(width=16, num_layers=1, num_heads=2, feedforward=16, text_dim=8, init_from=vae)
    with pytest.raises(FileNotFoundError, match=r"nothing.ckpt of MotionVAE not found"):
        make_latent(vae_from=str(tmp_path / "nothing.ckpt"))
    with pytest.raises(ValueError, match=r"vae.ckpt have feedforward=24 \(the model has vae_feedforward=32\)"):
        make_latent(vae_from=vae, vae_feedforward=32)
    with pytest.raises(ValueError, match="there is no autoencoder"):
        make_trainer(tmp_path, max_steps=1).fit(make_latent(), Clips())
    with pytest.raises(ValueError, match="predicts no noise"):
        make_vae(loss_weights={"noise": 1.0})
    with pytest.raises(ValueError, match="expected at least 0"):
        make_vae(kl_weight=-1.0)
    model = LatentMotionDiffusion.load_from_checkpoint(latent, weights_only=True).eval()
    model.texts.attach(LengthEncoder())
    known, mask = torch.zeros(1, 6, 263), torch.ones(1, 6, dtype=torch.bool)
    with pytest.raises(ValueError, match="latents cannot be in-painted"):
        model.generate(["walk"], num_frames=6, seeds=[0], known=known, known_mask=mask)


def test_a_damaged_checkpoint_is_named(trained, tmp_path):
    cut = tmp_path / "cut.ckpt"
    cut.write_bytes((trained / "vae.ckpt").read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"cut\.ckpt"):
        make_latent(vae_from=str(cut))
