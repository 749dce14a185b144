"""MotionDiffuse against a second implementation in numpy: values, gradients, and motions from a network that learnt."""

import math

import numpy as np
import pytest
import torch

from lightning_modules import MotionDiffusion
from lightning_modules.diffusion import Schedule
from lightning_modules.networks.motiondiffuse import MotionDiffuse
from lightning_modules.networks.parameterisation import Parameterisation
from lightning_modules.sampling.samplers import SampleNoise, guide, sample
from lightning_modules.training import recipes

SIZES = {"width": 8, "num_layers": 2, "num_heads": 2, "feedforward": 6, "text_dim": 3}
FEATURES = 5


def make_network(**changes):
    torch.manual_seed(2)
    network = MotionDiffuse(**(SIZES | {"num_features": FEATURES} | changes)).eval()
    for parameter in network.parameters():  # what starts at 0 or 1 would hide a mix-up
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    return network


def make_inputs():
    generator = np.random.default_rng(4)
    x, text = generator.normal(size=(2, 6, FEATURES)), generator.normal(size=(2, 3, 3))
    mask = np.array([[True, True, True], [True, True, False]])
    return x, np.array([3, 700]), text, np.array([6, 4]), mask


class Reference:
    """One clip at a time, each place and head by itself, from the papers' equations; float64."""

    def __init__(self, state):
        self.state = state

    def linear(self, name, values):
        return values @ self.state[f"{name}.weight"].T + self.state[f"{name}.bias"]

    def norm(self, name, values):
        centred = values - values.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
        return scaled * self.state[f"{name}.weight"] + self.state[f"{name}.bias"]

    def project(self, name, sequence, memory):
        weights, biases = (np.split(self.state[f"{name}.in_proj_{kind}"], 3) for kind in ("weight", "bias"))
        return [given @ w.T + b for given, w, b in zip((sequence, memory, memory), weights, biases, strict=True)]

    def attend(self, name, sequence):
        """Dot-product attention (Vaswani et al., eq. 1)."""
        query, key, value = self.project(name, sequence, sequence)
        out = np.zeros_like(query)
        for part in np.split(np.arange(query.shape[1]), 2):
            for place in range(len(query)):
                weight = softmax(key[:, part] @ query[place, part] / math.sqrt(len(part)))
                out[place, part] = weight @ value[:, part]
        return self.linear(f"{name}.out_proj", out)

    def attend_linearly(self, name, sequence, memory):
        """Efficient attention (Shen et al., section 3.2), by its weights of places on places, which it never makes."""
        query, key, value = self.project(name, sequence, memory)
        out = np.zeros_like(query)
        for part in np.split(np.arange(query.shape[1]), 2):
            keys = np.stack([softmax(key[:, feature]) for feature in part], axis=1)
            for place in range(len(query)):
                out[place, part] = (keys @ softmax(query[place, part])) @ value[:, part]
        return out

    def stylise(self, name, values, style):
        scale, shift = np.split(self.linear(f"{name}.style", silu(style)), 2)
        return self.linear(f"{name}.out", silu(self.norm(f"{name}.norm", values) * (1 + scale) + shift))

    def __call__(self, x, timestep, words):
        text = self.linear("embed_text", words)
        for layer in range(4):
            name = f"textTransEncoder.layers.{layer}"
            text = self.norm(f"{name}.norm1", text + self.attend(f"{name}.self_attn", text))
            hidden = self.linear(f"{name}.linear2", gelu(self.linear(f"{name}.linear1", text)))
            text = self.norm(f"{name}.norm2", text + hidden)
        text = self.norm("text_norm", text)
        hidden = silu(self.linear("embed_timestep.0", sinusoids(timestep, SIZES["width"])))
        style = self.linear("embed_timestep.2", hidden) + self.linear("embed_style", text.mean(axis=0))
        memory = self.linear("embed_memory", text)
        frames = self.linear("input_process.poseEmbedding", x)
        frames = frames + np.stack([sinusoids(place, SIZES["width"]) for place in range(len(x))])
        for layer in range(2):
            name = f"motionDecoder.layers.{layer}"
            normed = self.norm(f"{name}.norm1", frames)
            mixed = self.attend_linearly(f"{name}.self_attn", normed, normed)
            frames = frames + self.stylise(f"{name}.styles.0", mixed, style)
            told = self.norm(f"{name}.norm_memory", memory)
            mixed = self.attend_linearly(f"{name}.multihead_attn", self.norm(f"{name}.norm2", frames), told)
            frames = frames + self.stylise(f"{name}.styles.1", mixed, style)
            hidden = self.linear(f"{name}.linear2", gelu(self.linear(f"{name}.linear1", frames)))
            frames = frames + self.stylise(f"{name}.styles.2", hidden, style)
        return self.linear("output_process.poseFinal", frames)


def softmax(values):
    return np.exp(values) / np.exp(values).sum()


def silu(values):
    return values / (1 + np.exp(-values))


def gelu(values):
    return values * 0.5 * (1 + np.vectorize(math.erf)(values / math.sqrt(2)))


def sinusoids(place, width):
    angles = [place / 10000 ** (2 * (column // 2) / width) for column in range(width)]
    return np.array([math.sin(a) if column % 2 == 0 else math.cos(a) for column, a in enumerate(angles)])


def test_network_equals_a_second_implementation():
    network = make_network().double()
    x, steps, text, lengths, mask = make_inputs()
    with torch.no_grad():
        out = network(*(torch.from_numpy(part) for part in (x, steps, text, lengths)), text_mask=torch.from_numpy(mask))
        pooled = network(*(torch.from_numpy(part) for part in (x, steps, text[:, 0], lengths)))
    reference = Reference({key: value.numpy() for key, value in network.state_dict().items()})
    for row, length in enumerate(lengths):
        expected = reference(x[row, :length], steps[row], text[row, mask[row]])
        np.testing.assert_allclose(out[row, :length], expected, rtol=0, atol=1e-4)
        expected = reference(x[row, :length], steps[row], text[row, :1])
        np.testing.assert_allclose(pooled[row, :length], expected, rtol=0, atol=1e-4)


def test_gradients_equal_the_slopes_of_the_second_implementation():
    network = make_network().double()
    x, steps, text, lengths, mask = make_inputs()
    out = network(*(torch.from_numpy(part) for part in (x, steps, text, lengths)), text_mask=torch.from_numpy(mask))
    out[1, :4].square().sum().backward()
    state = {key: value.numpy() for key, value in network.state_dict().items()}
    generator, size = np.random.default_rng(6), 1e-5
    for name, parameter in network.named_parameters():
        direction = generator.normal(size=parameter.shape)

        def measure(shift, name=name, direction=direction):
            moved = Reference(state | {name: state[name] + shift * direction})
            return (moved(x[1, :4], steps[1], text[1, :2]) ** 2).sum()

        slope = (measure(size) - measure(-size)) / (2 * size)
        assert float((parameter.grad.numpy() * direction).sum()) == pytest.approx(slope, rel=1e-3, abs=1e-3), name


def test_what_was_learnt_comes_out_of_every_sampler():
    """One clip again and again: whatever the noise, each sampler has to end at that clip."""
    schedule, features = Schedule.linear(50), 4
    parameterisation = Parameterisation("noise", schedule)
    torch.manual_seed(0)
    network = MotionDiffuse(
        width=16, num_layers=1, num_heads=2, feedforward=16, text_dim=3, dropout=0.0, num_features=features,
        parameterisation=parameterisation,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    clip = torch.randn(1, 4, features, generator=generator)
    rows, count = 32, 400
    clean, text, lengths = clip.expand(rows, -1, -1), torch.ones(rows, 3), torch.full((rows,), 4)
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, count)
    for _ in range(count):
        steps = torch.randint(50, (rows,), generator=generator)
        noisy = schedule.add_noise(clean, steps, torch.randn(clean.shape, generator=generator))
        snr = schedule.signal_to_noise[steps].float()[:, None, None]
        loss = (snr * (network(noisy, steps, text, lengths) - clean).square()).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        decay.step()
    network.eval()
    for sampler in ("ddpm", "ddim", "dpm++"):
        noise = SampleNoise(list(range(8)), [4] * 8, features)
        predict = guide(network, text[:8], lengths[:8], guidance=1.0)
        with torch.no_grad():
            drawn = sample(sampler, predict, noise(50), schedule, noise)
        assert float((drawn - clip).square().mean().sqrt()) < 0.4, sampler


def test_a_width_below_the_features_leaves_noise_that_sampling_multiplies(caplog):
    """The output head reaches ``width`` directions; in all others the noise comes out whole, divided by alpha-bar."""
    sizes = {"width": 16, "num_layers": 1, "num_heads": 2, "feedforward": 16, "text_dim": 8, "num_steps": 50}
    noisy = {"arch": "motiondiffuse", "predicts": "noise", "noise_schedule": "linear"}
    model = MotionDiffusion(**sizes, **noisy).eval()
    assert "width is 16, but noise of 263 features" in caplog.text
    assert "at least 247 directions" in caplog.text
    head = model.average.output_process["poseFinal"]
    torch.nn.init.normal_(head.weight)
    beyond = torch.linalg.svd(head.weight.detach().double()).U[:, 16:]
    noise = SampleNoise([0], [6], 263)
    start = noise(50)
    predict = guide(model.average, torch.ones(1, 8), torch.tensor([6]), guidance=1.0)
    with torch.no_grad():
        drawn = sample("ddim", predict, start, model.schedule, noise)
    expected = start.double() @ beyond / model.schedule.alphas_cumprod[-1].sqrt()
    torch.testing.assert_close(drawn.double() @ beyond, expected, rtol=1e-2, atol=0.05 * float(expected.abs().max()))

    caplog.clear()
    MotionDiffusion(**sizes, arch="motiondiffuse")
    MotionDiffusion(**(sizes | {"width": 264}), **noisy)
    assert "width is" not in caplog.text


def test_the_last_layers_are_those_of_the_motion():
    sizes = {"width": 16, "num_layers": 2, "num_heads": 2, "feedforward": 16, "text_dim": 8, "num_steps": 20}
    model = MotionDiffusion(**sizes, arch="motiondiffuse", trainable="last:2")
    trained = {name.split(".")[0] for name, p in model.denoiser.named_parameters() if p.requires_grad}
    assert trained == {"motionDecoder", "output_process"}
    with pytest.raises(ValueError, match="'last:3', expected last:1 to last:2, as many as it has layers"):
        MotionDiffusion(**sizes, arch="motiondiffuse", trainable="last:3")


def test_compiling_changes_neither_names_nor_output(monkeypatch):
    monkeypatch.setattr(recipes, "COMPILE_BACKEND", "aot_eager")
    sizes = {"width": 16, "num_layers": 1, "num_heads": 2, "feedforward": 16, "text_dim": 8, "num_steps": 20}
    arguments = (torch.ones(2, 5, 263), torch.tensor([1, 19]), torch.ones(2, 8), torch.tensor([5, 3]))
    outputs, names = [], []
    for compiled in (False, True):
        torch.manual_seed(0)
        model = MotionDiffusion(
            **sizes, arch="motiondiffuse", predicts="noise", noise_schedule="linear", compile_denoiser=compiled
        ).eval()
        torch.nn.init.normal_(
            model.denoiser.output_process["poseFinal"].weight, generator=torch.Generator().manual_seed(1)
        )
        names.append(model.state_dict().keys())
        with torch.no_grad():
            outputs.append(model.denoiser(*arguments))
    assert names[0] == names[1]
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-4, atol=1e-3)
