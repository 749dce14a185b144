"""Sampling latents where the best denoiser is known in closed form, and what training by weight adds to a step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from lightning import LightningDataModule, Trainer
from torch import Tensor, nn

from lightning_modules import LatentMotionDiffusion, MotionDiffusion, MotionVAE
from lightning_modules.diffusion import Schedule
from lightning_modules.networks.latent import MotionAutoencoder
from lightning_modules.networks.parameterisation import Parameterisation

WIDTH = 264  # of one token, which stands for a frame of 263 features
MEAN, TEXT_SHIFT, DEVIATION = 0.5, 0.75, 0.4


class GaussianDenoiser(nn.Module):
    """The best prediction of the noise in latents of N(0.5 + 0.75 [there is a text], 0.4^2), by Bayes' rule."""

    mask_frames = True
    num_features = WIDTH

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self.level = schedule.alphas_cumprod.float()
        self.parameterisation = Parameterisation("noise", schedule)

    def forward(
        self, x: Tensor, timesteps: Tensor, text: Tensor, lengths: Tensor, *, text_mask: Tensor | None = None
    ) -> Tensor:
        level = self.level[timesteps][:, None, None]
        mean = MEAN + TEXT_SHIFT * (text.abs().sum(dim=1) > 0)[:, None, None]
        gain = level.sqrt() * DEVIATION**2 / (level * DEVIATION**2 + 1 - level)
        clean = mean + gain * (x - level.sqrt() * mean)
        return self.parameterisation((x - level.sqrt() * clean) / (1 - level).sqrt(), x, timesteps)


class Copier(MotionAutoencoder):
    """Gives back the latent as every frame."""

    def decode(self, latent: Tensor, lengths: Tensor, num_frames: int) -> Tensor:
        return latent[..., :263].expand(-1, num_frames, -1)


@pytest.mark.parametrize(
    ("sampler", "steps", "guidance"),
    [("ddpm", None, 1.0), ("ddim", 50, 0.0), ("ddim", 50, 2.5), ("dpm++", 200, 1.0), ("dpm++", 200, 2.5)],
)
def test_sampled_latents_have_the_distribution_that_was_learnt(
    sampler: str, steps: int | None, guidance: float, make_prior: Callable[..., MotionDiffusion]
) -> None:
    sizes = {"width": WIDTH, "latent_tokens": 1, "num_heads": 2, "num_layers": 1, "feedforward": 4, "vae_layers": 1}
    model = LatentMotionDiffusion(**sizes, vae_feedforward=4, text_dim=8).eval()
    model.vae = Copier(width=WIDTH, latent_tokens=1, num_layers=1, num_heads=2, feedforward=4, dropout=0.0)
    model.average = GaussianDenoiser(model.schedule)
    model.texts = make_prior().texts
    model.latent_std.fill_(3.0)
    model.statistics.set(torch.full((263,), 10.0), torch.full((263,), 2.0))
    motion = model.generate(
        ["someone runs"] * 16, num_frames=2, seeds=range(16), guidance=guidance, sampler=sampler, steps=steps
    )
    values = (motion[:, 0] - 10.0) / 2.0 / 3.0
    # Guided means move with the scale, deviations do not: the best prediction is linear in the mean.
    mean = MEAN + guidance * TEXT_SHIFT
    if steps is not None:
        # Without noise (x - sqrt(a) mean) / deviation of x_t stays as it is on the way, so what the start, N(0, 1) and
        # not quite x_T, lacks of the mean is still lacking at the end.
        first = float(model.schedule.respaced(steps).alphas_cumprod[-1])
        mean -= DEVIATION * first**0.5 * mean / (first * DEVIATION**2 + 1 - first) ** 0.5
    assert float(values.mean()) == pytest.approx(mean, abs=0.03)
    # Fifty steps without noise fall short of the deviation by some percent.
    assert float(values.std()) == pytest.approx(DEVIATION, rel=0.08)


def test_a_motion_longer_than_the_positions_is_refused() -> None:
    network = MotionAutoencoder(width=4, latent_tokens=1, num_layers=1, num_heads=2, feedforward=4, dropout=0.0)
    with torch.no_grad():
        assert network.decode(torch.zeros(1, 1, 4), torch.tensor([3]), 3).shape == (1, 3, 263)
    with pytest.raises(ValueError, match="takes 5001 positions of the autoencoder, expected at most 5000"):
        network.decode(torch.zeros(1, 1, 4), torch.tensor([5001]), 5001)
    with pytest.raises(ValueError, match="takes 5001 positions"):
        network.encode(torch.zeros(1, 4999, 263), torch.tensor([4999]))


SHARED = {"width": 16, "latent_tokens": 2, "num_heads": 2, "num_layers": 3, "feedforward": 24, "dropout": 0.0}


def test_looking_at_gradients_and_compiling_train_the_same(
    make_prior: Callable[..., MotionDiffusion],
    make_trainer: Callable[..., Trainer],
    make_clips: Callable[..., LightningDataModule],
    tmp_path: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lightning_modules.training.recipes.COMPILE_BACKEND", "eager")  # compiling takes half a minute
    path = f"{tmp_path}/vae.ckpt"
    first: dict[int, dict[str, Tensor]] = {}
    for every in (0, 1):
        torch.manual_seed(0)
        vae = MotionVAE(**SHARED, log_gradient_norms_every=every)
        trainer = make_trainer()
        trainer.fit(vae, make_clips())
        trainer.save_checkpoint(path)
        norms = {name for name in trainer.callback_metrics if name.startswith("grad_norm/")}
        assert norms == ({"grad_norm/reconstruction", "grad_norm/kl"} if every else set())
        first[every] = vae.state_dict()
    assert all(torch.equal(value, first[1][name]) for name, value in first[0].items())

    second: dict[int, dict[str, Tensor]] = {}
    for every in (0, 1):
        torch.manual_seed(0)
        model = LatentMotionDiffusion(
            **SHARED, vae_from=path, vae_layers=3, vae_feedforward=24, text_dim=8, log_gradient_norms_every=every,
            compile_denoiser=every == 1, loss_weights={"acc_joints": 1e-4},
        )  # fmt: skip
        model.texts = make_prior().texts
        trainer = make_trainer()
        trainer.fit(model, make_clips())
        norms = {name for name in trainer.callback_metrics if name.startswith("grad_norm/")}
        assert norms == ({"grad_norm/latent", "grad_norm/acc_joints"} if every else set())
        second[every] = model.state_dict()
    for name, value in second[0].items():
        torch.testing.assert_close(second[1][name], value, msg=name)
