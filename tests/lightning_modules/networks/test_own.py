"""A network of the user's own: named in YAML by class_path, trained, sampled and kept, with no fork of ours.

The truth of what it predicts is its own output, which the tests know in closed form.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import save_prior
from lightning_modules.cli import main
from lightning_modules.diffusion import Schedule
from lightning_modules.networks.own import OwnNetwork
from lightning_modules.networks.parameterisation import Parameterisation
from sim.conventions import NUM_FEATURES

EXPERIMENTS = Path(__file__).resolve().parents[3] / "experiments"


class Scaled(nn.Module):
    """Returns its input times a learned number."""

    def __init__(self, start: float = 0.5) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(start))

    def forward(
        self, x: Tensor, timesteps: Tensor, text_embedding: Tensor, lengths: Tensor, *, text_mask: Tensor | None = None
    ) -> Tensor:
        return self.scale * x


class Wrong(Scaled):
    def forward(self, x: Tensor, timesteps: Tensor) -> Tensor:
        return x


class Narrow(Scaled):
    def forward(
        self, x: Tensor, timesteps: Tensor, text_embedding: Tensor, lengths: Tensor, *, text_mask: Tensor | None = None
    ) -> Tensor:
        return x[..., :1]


def inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(2, 6, NUM_FEATURES, generator=generator),
        torch.tensor([0, 3]),
        torch.zeros(2, 384),
        torch.tensor([6, 4]),
    )


def test_it_stands_in_the_place_of_a_denoiser() -> None:
    model = MotionDiffusion(denoiser=Scaled(0.25), num_steps=5)
    x, timesteps, text, lengths = inputs()
    torch.testing.assert_close(model.denoiser(x, timesteps, text, lengths), 0.25 * x)
    assert model.average.mask_frames
    assert "denoiser" not in model.hparams  # an object is no plain value


def test_noise_that_it_predicts_is_turned_into_the_motion() -> None:
    schedule = Schedule.named("cosine", 5)
    x, timesteps, text, lengths = inputs()
    network = OwnNetwork(Scaled(0.25), Parameterisation("noise", schedule), text_dim=384)
    level = schedule.alphas_cumprod[timesteps].float()[:, None, None]
    expected = (x - (1 - level).sqrt() * 0.25 * x) / level.sqrt()
    torch.testing.assert_close(network(x, timesteps, text, lengths), expected, rtol=1e-4, atol=1e-4)


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match=r"forward of Wrong does not fit .*expected forward\(x, timesteps"):
        MotionDiffusion(denoiser=Wrong())
    x, timesteps, text, lengths = inputs()
    with pytest.raises(ValueError, match=r"Narrow returned shape \(2, 6, 1\), expected that of x, \(2, 6, 263\)"):
        MotionDiffusion(denoiser=Narrow()).denoiser(x, timesteps, text, lengths)
    with pytest.raises(ValueError, match="expected 'all' or 'skip': the layers of a network of your own are unknown"):
        MotionDiffusion(denoiser=Scaled(), trainable="lora")
    with pytest.raises(ValueError, match="network is Scaled, which no file can describe"):
        save_prior(MotionDiffusion(denoiser=Scaled()), "prior.safetensors", {})


def test_a_yaml_trains_samples_and_resumes_it(tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "their_networks.py"
    module.write_text(Path(__file__).read_text(encoding="utf-8").split("class Wrong")[0], encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    layer = tmp_path / "own.yaml"
    layer.write_text(
        "model: {init_args: {init_from: null, denoiser: "
        "{class_path: their_networks.Scaled, init_args: {start: 0.75}}}}",
        encoding="utf-8",
    )
    run = [
        "-c", str(EXPERIMENTS / "finetune_acc.yaml"), "-c", str(layer), "--trainer.accelerator=cpu",
        f"--trainer.default_root_dir={tmp_path / 'run'}", "--trainer.check_val_every_n_epoch=100",
        "--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--data.batch_size=8",
        "--data.samples_per_epoch=8", f"--data.cache_dir={cache_dir / 'motion'}",
        f"--model.cache_dir={cache_dir / 'text'}",
    ]  # fmt: skip
    main(["fit", *run, "--trainer.max_steps=1"])
    main(["fit", *run, "--trainer.max_steps=2", "--ckpt_path=last"])
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    stored = torch.load(last, weights_only=True)
    assert stored["global_step"] == 2
    assert stored["hyper_parameters"]["denoiser"]["init_args"] == {"start": 0.75}
    again = MotionDiffusion.load_from_checkpoint(last)
    assert 0.7 < float(again.denoiser.own.scale) < 0.8
    assert float(again.denoiser.own.scale) != 0.75
    motions = again.generate(["a person walks."], num_frames=8, guidance=1.0, seeds=[0], steps=2)
    assert motions.shape == (1, 8, NUM_FEATURES)
    assert bool(torch.isfinite(motions).all())
    started = MotionDiffusion(denoiser=Scaled(), init_from=str(last))
    torch.testing.assert_close(started.average.own.scale, again.average.own.scale)
