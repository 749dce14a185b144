"""Motions longer than a training window: all frames, samplers and seeds, what is known; what is too long is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lightning_modules import LatentMotionDiffusion, MotionVAE
from lightning_modules.checkpoints import load_prior, save_prior
from lightning_modules.diffusion import Schedule
from lightning_modules.sampling.samplers import SAMPLER_NAMES, SampleNoise, sample
from lightning_modules.sampling.windows import LONGEST_FRAMES, Windows

TEXTS = ["a person walks", "a person jumps up", "someone runs"]
LENGTHS = [50, 12, 33]


@pytest.mark.parametrize("length", [81, 82, 100, 121, 140, 600, 1201])
def test_windows_cover_a_motion_and_share_a_second(length):
    found = Windows.spread([length], 80)
    ends = [start + size for start, size in zip(found.starts, found.sizes, strict=True)]
    assert (found.starts[0], ends[-1]) == (0, length)
    assert all(size == 80 for size in found.sizes) or length == 81
    assert all(before - after >= 20 for before, after in zip(ends, found.starts[1:], strict=False))
    assert found.seams == [found.starts[1:]]


def test_predictions_are_joined_without_loss():
    windows = Windows.spread(LENGTHS, 20, overlap=6)
    x = torch.randn(3, 50, 263, generator=torch.Generator().manual_seed(0))
    inside = torch.arange(50) < torch.tensor(LENGTHS)[:, None]
    joined = windows.apply(lambda part, timestep: 0.5 * part + 1, x.device)(x, 3)
    torch.testing.assert_close(joined[inside], (0.5 * x + 1)[inside])
    assert not joined[~inside].any()


def test_neighbours_are_cross_faded():
    windows = Windows.spread([34], 20, overlap=6)
    names = torch.arange(2.0)[:, None, None].expand(-1, 20, 1)  # each window predicts its own number
    joined = windows.apply(lambda part, timestep: names, torch.device("cpu"))(torch.zeros(1, 34, 1), 0)[0, :, 0]
    assert joined[:14].eq(0).all()
    assert joined[20:].eq(1).all()
    torch.testing.assert_close(joined[14:20], torch.arange(1, 7) / 7)


@pytest.mark.parametrize("sampler", SAMPLER_NAMES)
def test_a_network_that_stands_still_beyond_its_window_moves_all_the_way(sampler):
    def predict(x, timestep):
        return (torch.arange(x.shape[1]) < 20).float()[None, :, None].expand_as(x)

    noise = SampleNoise([0], [90], 3)
    whole = sample(sampler, predict, noise(12), Schedule.cosine(12), noise, steps=4)
    windows = Windows.spread([90], 20).apply(predict, torch.device("cpu"))
    joined = sample(sampler, windows, noise(12), Schedule.cosine(12), noise, steps=4)
    assert whole[:, 20:].abs().max() < 1e-5
    torch.testing.assert_close(joined, torch.ones_like(joined), rtol=0, atol=1e-5)


KINDS = [{}, {"mask_frames": False}, {"predicts": "noise"}, {"skip": "detail"}]


@pytest.mark.parametrize("sampler", SAMPLER_NAMES)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_motion_does_not_depend_on_its_batch(make_prior, sampler, kind):
    model = make_prior(**kind)
    model.window_frames = 20
    options = {"sampler": sampler, "steps": 5}
    together = model.generate(TEXTS, num_frames=LENGTHS, seeds=[1, 2, 3], **options)
    assert torch.equal(together, model.generate(TEXTS, num_frames=LENGTHS, seeds=[1, 2, 3], **options))
    for row, length in enumerate(LENGTHS):
        alone = model.generate(TEXTS[row : row + 1], num_frames=length, seeds=[row + 1], **options)
        torch.testing.assert_close(together[row, :length], alone[0], rtol=1e-3, atol=1e-3)
        assert not together[row, length:].any()


def test_what_fits_a_window_stays_as_it_was(make_prior):
    model = make_prior()
    options = {"num_frames": [21, 9, 20], "seeds": [1, 2, 3]}
    before = model.generate(TEXTS, **options)
    model.window_frames = 20  # a motion of n intervals has n + 1 frames
    assert torch.equal(before, model.generate(TEXTS, **options))
    model.window_frames = 19
    assert not torch.equal(before[0], model.generate(TEXTS, **options)[0])


def test_what_is_known_comes_back_in_windows_too(make_prior):
    model = make_prior()
    model.window_frames = 16
    known = torch.randn(1, 50, 263, generator=torch.Generator().manual_seed(5))
    mask = torch.zeros(1, 50, dtype=torch.bool)
    mask[:, 22:27] = True
    out = model.generate(TEXTS[:1], num_frames=50, seeds=[1], known=known, known_mask=mask)
    assert torch.equal(out[mask], known[mask])
    other = model.generate(TEXTS[:1], num_frames=50, seeds=[1], known=known + 0.3, known_mask=mask)
    assert not torch.isclose(out[~mask], other[~mask], atol=1e-3).all()


def test_more_than_a_minute_is_refused(make_prior):
    with pytest.raises(ValueError, match="num_frames is 1202 for prompt 1, expected at most 1201, 60 s"):
        make_prior().generate(TEXTS[:2], num_frames=[20, LONGEST_FRAMES + 1], seeds=[1, 2])


def test_the_window_travels_with_the_weights(make_prior, make_clips, make_trainer, tmp_path: Path):
    model, data = make_prior(), make_clips()
    assert model.window_frames is None
    data.window_s = 1.5
    data.save_hyperparameters({"window_s": 1.5})
    trainer = make_trainer(max_steps=1)
    trainer.fit(model, data)
    assert model.window_frames == 30
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    save_prior(model, tmp_path / "known.safetensors", {"note": "tiny"})
    save_prior(model, tmp_path / "card.safetensors", {"training": {"window_s": 2.0}})
    for name, frames in (("last.ckpt", 30), ("known.safetensors", 30), ("card.safetensors", 40)):
        assert load_prior(tmp_path / name).window_frames == frames
    assert type(model).load_from_checkpoint(tmp_path / "last.ckpt").window_frames == 30
    assert load_prior("prior").window_frames == 80


def test_latents_refuse_what_they_were_not_trained_for(make_prior, make_clips):
    sizes = {"width": 16, "latent_tokens": 2, "num_heads": 2, "num_layers": 3, "feedforward": 24}
    model = LatentMotionDiffusion(**sizes, vae_layers=3, vae_feedforward=24, text_dim=8).eval()
    assert isinstance(MotionVAE(**sizes), MotionVAE)
    model.texts = make_prior().texts
    model.statistics.set(*make_clips().feature_statistics())
    model.latent_std.fill_(1.0)
    model.window_frames = 20
    assert model.generate(TEXTS[:1], num_frames=21, seeds=[0], steps=2, sampler="ddim").shape == (1, 21, 263)
    with pytest.raises(ValueError, match=r"num_frames is 22, but LatentMotionDiffusion makes whole motions .* 1 s"):
        model.generate(TEXTS[:1], num_frames=22, seeds=[0], steps=2, sampler="ddim")
