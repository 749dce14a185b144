"""Skips: closed at the start, right about Gaussian detail, deaf to padding, carried along with weights."""

import numpy as np
import pytest
import torch

from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import load_mdm, load_prior, save_mdm, save_prior
from lightning_modules.diffusion import Schedule
from lightning_modules.networks.skip import SkipOptions, build_skip
from lightning_modules.training.recipes import list_trainable

SIZES = {"width": 16, "num_layers": 1, "num_heads": 2, "feedforward": 16, "text_dim": 8, "num_steps": 10}
KINDS = ("filter", "detail")


def draw(*shape, seed=3):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def inputs(batch=3, frames=40):
    return draw(batch, frames, 263), torch.tensor([0, 4, 9]), draw(batch, 8, seed=4), torch.tensor([40, 30, 17])


def open_up(model):
    """Give the skip something to do, as training would."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for network in (model.denoiser, model.average):
            for value in network.parameterisation.skip.parameters():
                value.add_(0.05 * torch.randn(value.shape, generator=generator.manual_seed(0)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_skip_leaves_the_network_as_it_is(kind):
    plain, skipping = (_build(skip=name) for name in ("none", kind))
    skipping.average.load_state_dict(plain.average.state_dict(), strict=False)
    with torch.no_grad():
        ours, theirs = (model.average(*inputs()) for model in (plain, skipping))
    assert torch.equal(ours, theirs)
    open_up(skipping)
    with torch.no_grad():
        assert not torch.allclose(skipping.average(*inputs()), ours, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_touches_nothing(kind):
    model = _build(skip=kind)
    open_up(model)
    x, steps, text, lengths = inputs()
    padded = x.clone()
    for row, length in zip(padded, lengths, strict=True):
        row[length:] = 50.0
    with torch.no_grad():
        one, other = (model.average(values, steps, text, lengths) for values in (x, padded))
        alone = model.average(x[1:2, :30], steps[1:2], text[1:2], lengths[1:2])
    for row, length in enumerate(lengths):
        torch.testing.assert_close(one[row, :length], other[row, :length])
    torch.testing.assert_close(one[1:2, :30], alone, rtol=1e-4, atol=1e-5)


def test_detail_of_a_known_variance_is_filtered_as_wiener_says():
    """Gaussian detail around the prediction: the error comes down to that of the best linear estimate."""
    schedule = Schedule.cosine(50)
    skip = build_skip(SkipOptions("detail"), schedule, text_dim=8)
    variance, text = 0.09, torch.zeros(64, 8)
    mask = torch.ones(64, 64, dtype=torch.bool)
    optimiser = torch.optim.Adam(skip.parameters(), lr=0.02)
    for seed in range(150):
        coarse = draw(64, 64, 263, seed=seed)[:16]
        clean = coarse + variance**0.5 * draw(16, 64, 263, seed=1000 + seed)
        steps = torch.randint(50, (16,), generator=torch.Generator().manual_seed(seed))
        optimiser.zero_grad()
        told = skip.tell(coarse, steps, text[:16], mask[:16])
        skip.negative_log_likelihood(coarse, clean, mask[:16], told).mean().backward()
        optimiser.step()
    with torch.no_grad():
        skip.opening.fill_(0.1)
        for step in (3, 12, 25):
            level = float(schedule.alphas_cumprod[step])
            coarse, clean = draw(64, 64, 263), draw(64, 64, 263) + variance**0.5 * draw(64, 64, 263, seed=9)
            steps = torch.full((64,), step)
            noisy = schedule.add_noise(clean, steps, draw(64, 64, 263, seed=10))
            told = skip.tell(coarse, steps, text, mask)
            error = (skip(coarse, noisy, steps, mask, told) - clean).square().mean()
            best = 1 / (1 / variance + level / (1 - level))
            assert best <= float(error) * 1.02
            assert float(error) == pytest.approx(best, rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_skip_travels_with_the_weights(kind, tmp_path):
    model = _build(skip=kind, skip_frames={"filter": 5, "detail": 16}[kind])
    model.statistics.set(torch.zeros(263), torch.ones(263))
    open_up(model)
    save_prior(model, tmp_path / "w.safetensors", {})
    loaded = load_prior(tmp_path / "w.safetensors")
    with torch.no_grad():
        torch.testing.assert_close(loaded.average(*inputs()), model.average(*inputs()), rtol=0.02, atol=0.02)
    assert _build(init_from=str(tmp_path / "w.safetensors")).arguments["skip"] == kind
    other = {"filter": "detail", "detail": "filter"}[kind]
    with pytest.raises(ValueError, match=rf"skip={kind} \(the model has {other}\)"):
        _build(skip=other, init_from=str(tmp_path / "w.safetensors"))
    with pytest.raises(ValueError, match=r"num_steps=10 \(the model has 20\)"):
        _build(num_steps=20, skip=kind, init_from=str(tmp_path / "w.safetensors"))
    with pytest.raises(ValueError, match="without a skip"):
        save_mdm(model, tmp_path / "model.pt")


@pytest.mark.parametrize("kind", KINDS)
def test_an_mdm_checkpoint_takes_a_skip_and_gives_the_same_numbers(kind, tmp_path):
    save_mdm(_build(), tmp_path / "model.pt")
    original = load_mdm(tmp_path / "model.pt")
    skipping = _build(skip=kind, init_from=str(tmp_path / "model.pt"), text_encoder="minilm")
    with torch.no_grad():
        np.testing.assert_allclose(original.average(*inputs()), skipping.average(*inputs()), atol=1e-6)


@pytest.mark.parametrize("recipe", ["skip", "lora", "last:1"])
def test_recipes_train_the_skip(recipe):
    model = _build(skip="detail", trainable=recipe)
    trained = {id(value) for value in list_trainable(model.denoiser)}
    skip = [*model.denoiser.parameterisation.skip.parameters()]
    assert all(id(value) in trained for value in skip)
    assert (len(trained) == len(skip)) == (recipe == "skip")


@pytest.mark.parametrize("kind", KINDS)
def test_it_acts_at_the_clean_end_alone_if_asked(kind):
    model, plain = _build(skip=kind, skip_until=0.5), _build()
    plain.average.load_state_dict(
        {key: value for key, value in model.average.state_dict().items() if "skip" not in key}
    )
    open_up(model)
    with torch.no_grad():
        change = (model.average(*inputs()) - plain.average(*inputs())).abs().amax(dim=(1, 2))
    assert change[0] > 0
    assert change[1] > 0
    assert change[2] == 0


def test_readable_refusals():
    with pytest.raises(ValueError, match="unknown skip 'detial', expected one of"):
        _build(skip="detial")
    with pytest.raises(ValueError, match="skip_frames is 4, expected an odd number"):
        _build(skip="filter", skip_frames=4)
    with pytest.raises(ValueError, match="trainable is 'skip', but the network has none"):
        _build(trainable="skip")
    with pytest.raises(ValueError, match="skip_until is 0"):
        _build(skip="detail", skip_until=0.0)
    with pytest.raises(ValueError, match="skip_lr_factor is 0"):
        _build(skip_lr_factor=0.0)
    with pytest.raises(ValueError, match="unknown level weight 'snr'"):
        _build(level_weights={"reconstruction": "snr"})


def _build(**options):
    torch.manual_seed(0)
    return MotionDiffusion(**(SIZES | options)).eval()
