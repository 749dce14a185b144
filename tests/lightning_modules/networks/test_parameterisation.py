"""Predicting noise or the clean signal is one thing written in two ways; schedules end as the papers publish."""

import pytest
import torch

from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import load_prior, save_mdm, save_prior
from lightning_modules.diffusion import Schedule
from lightning_modules.losses import LOSSES, Prediction, reduce_residual
from lightning_modules.networks.parameterisation import Parameterisation


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("schedule", [Schedule.cosine(50), Schedule.linear(1000), Schedule.scaled_linear(1000)])
def test_the_true_noise_gives_the_clean_signal(schedule):
    clean, noise = draw(2, 4, 7, 5)
    steps = torch.tensor([0, 5, 20, schedule.num_steps - 1])
    noisy = schedule.add_noise(clean, steps, noise)
    recovered = Parameterisation("noise", schedule)(noise, noisy, steps)
    tolerance = 1e-5 * schedule.alphas_cumprod[steps].rsqrt().float()[:, None, None]
    assert ((recovered - clean).abs() <= 2 * tolerance + 1e-5).all()
    assert torch.equal(Parameterisation()(clean, noisy, steps), clean)


def test_the_noise_loss_is_the_squared_error_of_the_noise():
    schedule = Schedule.linear(1000)
    clean, noise, guess = draw(3, 2, 6, 263)
    steps = torch.tensor([10, 700])
    noisy = schedule.add_noise(clean, steps, noise)
    predicted = Parameterisation("noise", schedule)(guess, noisy, steps)
    mask = torch.arange(6) < torch.tensor([[6], [4]])
    zeros, ones = torch.zeros(263), torch.ones(263)
    pair = Prediction(predicted, clean, mask, zeros, ones, signal_to_noise=schedule.signal_to_noise[steps])
    error = (guess - noise).square().mean(dim=-1)
    expected = torch.stack([error[0].mean(), error[1, :4].mean()])
    torch.testing.assert_close(reduce_residual(LOSSES["noise"](pair)), expected, rtol=1e-3, atol=1e-5)
    with pytest.raises(ValueError, match="needs the prediction's signal_to_noise"):
        LOSSES["noise"](Prediction(predicted, clean, mask, zeros, ones))


def test_known_schedules():
    ddpm = Schedule.linear(1000)
    torch.testing.assert_close(ddpm.betas[[0, 999]], torch.tensor([1e-4, 0.02], dtype=torch.float64))
    # sqrt(alpha-bar) at the last step, as published for Ho et al.'s and Rombach et al.'s schedules.
    assert float(ddpm.alphas_cumprod[-1].sqrt()) == pytest.approx(0.00635, abs=2e-5)
    assert float(Schedule.scaled_linear(1000).alphas_cumprod[-1].sqrt()) == pytest.approx(0.0683, abs=2e-4)
    assert float(Schedule.linear(50).alphas_cumprod[-1].sqrt()) < 0.01
    with pytest.raises(ValueError, match="'quadratic' is unknown, must be one of"):
        Schedule.named("quadratic", 10)
    with pytest.raises(ValueError, match="expected at least 1"):
        Schedule.linear(0)


SIZES = {"width": 16, "num_layers": 1, "num_heads": 2, "feedforward": 16, "text_dim": 8, "num_steps": 10}


def test_a_prior_that_predicts_noise_is_saved_as_such(tmp_path):
    torch.manual_seed(0)
    model = MotionDiffusion(**SIZES, predicts="noise", noise_schedule="linear", loss_weights={"noise": 1.0}).eval()
    model.statistics.set(torch.zeros(263), torch.ones(263))
    save_prior(model, tmp_path / "noise.safetensors", {})
    loaded = load_prior(tmp_path / "noise.safetensors")
    x, steps, text, lengths = draw(2, 6, 263), torch.tensor([1, 9]), draw(2, 8), torch.tensor([6, 4])
    with torch.no_grad():
        ours, theirs = (item.average(x, steps, text, lengths) for item in (model, loaded))
    torch.testing.assert_close(theirs, ours, rtol=0.02, atol=0.02 * float(ours.abs().max()))
    with pytest.raises(ValueError, match=r"predicts=noise \(the model has v\)"):
        MotionDiffusion(**SIZES, predicts="v", init_from=str(tmp_path / "noise.safetensors"))
    with pytest.raises(ValueError, match="MDM's layout holds its own architectures"):
        save_mdm(model, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="'epsilon', expected one of"):
        MotionDiffusion(**SIZES, predicts="epsilon")
