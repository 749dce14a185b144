"""Generating around given features: they come back exactly, the rest fits them, and nothing given changes nothing."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.checkpoints import save_prior
from lightning_modules.diffusion import Schedule
from lightning_modules.sampling.inpainting import KnownFeatures
from lightning_modules.sampling.samplers import sample

SAMPLERS = ("ddpm", "ddim", "dpm++", "sde-dpm++")
TEXTS = ["a person walks", "a person jumps up", "someone runs"]
LENGTHS = [20, 14, 9]


def give_features(seed=5):
    return torch.randn(3, 20, 263, generator=torch.Generator().manual_seed(seed))


def mask_ends(frames=3):
    """The first frames of each motion, and the last ones of the longest."""
    mask = torch.zeros(3, 20, dtype=torch.bool)
    mask[:, :frames] = mask[:, -frames:] = True
    return mask


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("mask_frames", [True, False])
def test_what_is_known_comes_back_and_the_rest_depends_on_it(make_prior, sampler, mask_frames):
    model = make_prior(mask_frames=mask_frames)
    known, mask = give_features(), mask_ends()
    options = {"num_frames": LENGTHS, "seeds": [1, 2, 3], "sampler": sampler, "steps": 6}
    out = model.generate(TEXTS, known=known, known_mask=mask, **options)
    inside = torch.arange(20) < torch.tensor(LENGTHS)[:, None]
    assert torch.equal(out[mask & inside], known[mask & inside])
    assert not out[~inside].any()
    free = inside & ~mask
    other = model.generate(TEXTS, known=known + 0.3, known_mask=mask, **options)
    assert float((out - other)[free].abs().max()) > 1e-3
    # What the mask leaves out says nothing, whatever it holds.
    spoilt = torch.where((mask & inside)[..., None], known, torch.nan)
    assert torch.equal(out, model.generate(TEXTS, known=spoilt, known_mask=mask, **options))


def test_single_features_are_held(make_prior):
    known, mask = give_features(), torch.zeros(3, 20, 263, dtype=torch.bool)
    mask[..., :4] = True
    out = make_prior().generate(TEXTS, num_frames=20, seeds=[1, 2, 3], known=known, known_mask=mask)
    assert torch.equal(out[..., :4], known[..., :4])
    assert not torch.isclose(out[..., 4:], known[..., 4:]).all()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_nothing_known_changes_nothing(make_prior, sampler):
    model = make_prior()
    options = {"num_frames": LENGTHS, "seeds": [1, 2, 3], "sampler": sampler}
    for shape in ((3, 20), (3, 20, 263)):
        nothing = {"known": give_features(), "known_mask": torch.zeros(shape, dtype=torch.bool)}
        assert torch.equal(model.generate(TEXTS, **nothing, **options), model.generate(TEXTS, **options))


def test_same_seed_same_motion_whatever_the_batch(make_prior):
    known, mask = give_features(), mask_ends()
    model = make_prior()
    together = model.generate(TEXTS, num_frames=LENGTHS, seeds=[1, 2, 3], known=known, known_mask=mask)
    part = {"known": known[1:2, :14], "known_mask": mask[1:2, :14]}
    alone = model.generate(TEXTS[1:2], num_frames=14, seeds=[2], **part)
    torch.testing.assert_close(together[1, :14], alone[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_prediction_is_held_at_every_step_and_the_chain_ends_there(sampler):
    """With a denoiser that copies the known half to the other one, the other half has to end at the known values."""
    mask = torch.zeros(1, 4, 2, dtype=torch.bool)
    mask[:, :2] = True
    known = KnownFeatures(torch.where(mask, 3.0, 0.0), mask)
    seen = []

    def predict(x, timestep):
        seen.append(x[mask])
        return torch.cat([x[:, :2], x[:, :2]], dim=1)

    start, schedule = torch.randn(1, 4, 2, generator=torch.Generator().manual_seed(0)), Schedule.cosine(50)
    out = sample(sampler, known.hold(predict), start, schedule, lambda step: torch.zeros(1, 4, 2))
    assert torch.equal(out[mask], known.values[mask])
    torch.testing.assert_close(out[~mask], known.values[mask], rtol=0, atol=0.2)
    assert float((seen[-1] - 3).abs().max()) < 0.2 < float((seen[0] - 3).abs().min())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"known_mask": None}, "known is given without known_mask"),
        ({"known": None}, "known_mask is given without known"),
        ({"known": torch.zeros(3, 19, 263)}, r"known has shape \(3, 19, 263\), expected \(3, 20, 263\)"),
        ({"known": torch.zeros(2, 20, 263)}, r"known has shape \(2, 20, 263\)"),
        ({"known_mask": torch.zeros(3, 20, 4, dtype=torch.bool)}, r"expected \(3, 20\) or \(3, 20, 263\)"),
        ({"known_mask": torch.ones(3, 20)}, "expected torch.bool"),
        ({"known": torch.full((3, 20, 263), torch.inf)}, "not finite where known_mask is True"),
    ],
)
def test_what_does_not_fit_is_refused(make_prior, changes, message):
    arguments = {"known": give_features(), "known_mask": mask_ends()} | changes
    with pytest.raises(ValueError, match=message):
        make_prior().generate(TEXTS, num_frames=LENGTHS, **arguments)


def test_weights_that_never_dropped_the_condition_give_no_guidance(make_prior, tmp_path):
    """They are refused also where the module that takes them over has another setting, as `lightning predict` has."""
    save_prior(make_prior(cond_drop_prob=0.0), tmp_path / "prior.safetensors", {})
    model = make_prior(init_from=str(tmp_path / "prior.safetensors"))
    with pytest.raises(ValueError, match="cond_drop_prob=0"):
        model.generate(TEXTS, num_frames=4, guidance=2.5)
    assert model.generate(TEXTS, num_frames=4).shape == (3, 4, 263)
