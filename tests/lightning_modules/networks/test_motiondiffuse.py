"""MotionDiffuse: attention against its definition, and samples of a noise predictor known in closed form."""

import math

import numpy as np
import pytest
import torch

from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import load_prior, save_mdm, save_prior
from lightning_modules.diffusion import Schedule
from lightning_modules.networks.motiondiffuse import LinearAttention, MotionDiffuse
from lightning_modules.networks.parameterisation import Parameterisation
from lightning_modules.sampling.samplers import SampleNoise, sample
from lightning_modules.text.lookup import TextBatch

SIZES = {"width": 16, "num_layers": 2, "num_heads": 2, "feedforward": 24, "text_dim": 8}
NOISY = {"arch": "motiondiffuse", "predicts": "noise", "noise_schedule": "linear", "loss_weights": {"noise": 1.0}}


def draw(*shape, seed=3):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def make_network(**changes):
    torch.manual_seed(0)
    network = MotionDiffuse(**(SIZES | changes)).eval()
    for parameter in network.parameters():  # what starts at zero would hide mistakes
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return network


class ConstantEncoder:
    """A text encoder that needs no weights."""

    name, dim = "constant", 8

    def encode(self, texts):
        return torch.stack([torch.full((8,), len(text) / 10) for text in texts])


def make_prior(**changes):
    torch.manual_seed(0)
    model = MotionDiffusion(**SIZES, **(NOISY | {"num_steps": 20} | changes)).eval()
    model.statistics.set(torch.zeros(263), torch.ones(263))
    model.texts.attach(ConstantEncoder())
    return model


def test_linear_attention_equals_its_definition_place_by_place():
    torch.manual_seed(0)
    attention = LinearAttention(6, 2)
    sequence, memory = draw(1, 4, 6), draw(1, 5, 6, seed=4)
    attend = torch.tensor([[True, True, False, True, False]])
    result = attention(sequence, attend, memory)[0].detach().numpy()
    weight, bias = attention.in_proj_weight.detach().numpy(), attention.in_proj_bias.detach().numpy()
    query = sequence[0].numpy() @ weight[:6].T + bias[:6]
    key, value = (memory[0].numpy() @ weight[s : s + 6].T + bias[s : s + 6] for s in (6, 12))
    for head in range(2):
        part = slice(3 * head, 3 * head + 3)
        seen = [0, 1, 3]
        keys = np.exp(key[seen, part]) / np.exp(key[seen, part]).sum(axis=0)
        for place in range(4):
            queries = np.exp(query[place, part]) / np.exp(query[place, part]).sum()
            # The weight of a key is the product with the query, summed over features: no softmax over places pairs.
            expected = sum(float(queries @ keys[i]) * value[seen[i], part] for i in range(3))
            np.testing.assert_allclose(result[place, part], expected, rtol=1e-4, atol=1e-6)


def test_valid_frames_depend_on_valid_frames_and_words_alone():
    network = make_network()
    x, steps, words = draw(2, 9, 263), torch.tensor([3, 7]), draw(2, 4, 8)
    lengths, mask = torch.tensor([9, 5]), torch.tensor([[True] * 4, [True, True, False, False]])
    with torch.no_grad():
        before = network(x, steps, words, lengths, text_mask=mask)
        x[1, 5:], words[1, 2:] = 100.0, -50.0
        after = network(x, steps, words, lengths, text_mask=mask)
        alone = network(x[1:, :5], steps[1:], words[1:, :2], lengths[1:])
    torch.testing.assert_close(after[1, :5], before[1, :5], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(alone[0], before[1, :5], rtol=1e-4, atol=1e-4)


def test_time_text_and_frames_all_matter():
    network = make_network()
    arguments = {"x": draw(1, 6, 263), "timesteps": torch.tensor([3]), "text_embedding": draw(1, 8)}
    lengths = torch.tensor([6])
    with torch.no_grad():
        base = network(**arguments, lengths=lengths)
        changed = {"x": draw(1, 6, 263, seed=9), "timesteps": torch.tensor([500]), "text_embedding": torch.zeros(1, 8)}
        for name, value in changed.items():
            assert not torch.allclose(network(**(arguments | {name: value}), lengths=lengths), base, atol=1e-3), name


def test_every_parameter_gets_a_gradient_and_the_untrained_network_predicts_no_noise():
    schedule = Schedule.linear(1000)
    torch.manual_seed(0)
    untrained = MotionDiffuse(**SIZES, parameterisation=Parameterisation("noise", schedule)).eval()
    x, steps = draw(2, 6, 263), torch.tensor([0, 400])
    predicted = untrained(x, steps, draw(2, 8), torch.tensor([6, 6]))
    scale = schedule.alphas_cumprod[steps].rsqrt().float()[:, None, None]
    torch.testing.assert_close(predicted, scale * x)
    network = make_network()
    network(x, steps, draw(2, 8), torch.tensor([6, 4])).square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_half_precision_and_double_agree():
    network, double = make_network(), make_network().double()
    arguments = (torch.tensor([3, 7]), draw(2, 8), torch.tensor([6, 4]))
    x = draw(2, 6, 263)
    with torch.no_grad():
        exact = double(x.double(), arguments[0], arguments[1].double(), arguments[2])
        torch.testing.assert_close(network(x, *arguments).double(), exact, rtol=1e-3, atol=1e-3)


def test_a_small_batch_is_learnt():
    schedule = Schedule.linear(20)
    torch.manual_seed(0)
    parameterisation = Parameterisation("noise", schedule)
    network = MotionDiffuse(**(SIZES | {"width": 32}), dropout=0.0, num_features=5, parameterisation=parameterisation)
    clean, text, lengths, steps = draw(4, 8, 5), draw(4, 8), torch.full((4,), 8), torch.tensor([2, 6, 10, 15])
    snr = schedule.signal_to_noise[steps].float()[:, None, None]
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    losses = []
    for step in range(200):
        noisy = schedule.add_noise(clean, steps, draw(4, 8, 5, seed=step))
        loss = (snr * (network(noisy, steps, text, lengths) - clean).square()).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(1.0, abs=0.2)  # no noise is predicted yet
    assert sum(losses[-10:]) / 10 < 0.15


@pytest.mark.parametrize(("sampler", "steps"), [("ddpm", None), ("ddim", 250), ("dpm++", 200)])
def test_samplers_give_the_distribution_that_the_best_noise_predictor_stands_for(sampler, steps):
    """Data of one normal distribution: the best prediction of the noise is linear in x_t and known."""
    mean, deviation = 1.5, 0.4
    schedule = Schedule.linear(1000)
    parameterisation = Parameterisation("noise", schedule)
    level = schedule.alphas_cumprod.float()

    def predict(x, timestep):
        a = float(level[timestep])
        noise = math.sqrt(1 - a) * (x - math.sqrt(a) * mean) / (a * deviation**2 + 1 - a)
        return parameterisation(noise, x, torch.full((len(x),), timestep))

    source = SampleNoise(list(range(40)), [50] * 40, 4)
    drawn = sample(sampler, predict, source(1000), schedule, source, steps=steps)
    assert float(drawn.mean()) == pytest.approx(mean, abs=0.02)
    assert float(drawn.std()) == pytest.approx(deviation, rel=0.03)


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpm++"])
def test_a_seed_gives_the_same_motion_whatever_the_batch(sampler):
    model = make_prior()
    torch.nn.init.normal_(model.average.output_process["poseFinal"].weight, std=0.05)
    together = model.generate(["walk", "run fast"], num_frames=[7, 5], seeds=[1, 2], sampler=sampler, steps=10)
    alone = model.generate(["run fast"], num_frames=5, seeds=[2], sampler=sampler, steps=10)
    assert together.isfinite().all()
    assert not together[1, 5:].any()
    torch.testing.assert_close(alone[0], together[1, :5], rtol=1e-3, atol=1e-3)


def test_weights_round_trip_and_other_models_are_refused(tmp_path):
    model = make_prior()
    torch.nn.init.normal_(model.average.output_process["poseFinal"].weight, std=0.05)
    save_prior(model, tmp_path / "md.safetensors", {})
    loaded = load_prior(tmp_path / "md.safetensors", text_encoder=ConstantEncoder())
    arguments = {"num_frames": 6, "seeds": [4], "steps": 5}
    ours, theirs = (item.generate(["walk"], **arguments) for item in (model, loaded))
    torch.testing.assert_close(theirs, ours, rtol=0.05, atol=0.05 * float(ours.abs().max()))
    with pytest.raises(ValueError, match="arch=motiondiffuse"):
        MotionDiffusion(**SIZES, arch="conformer", num_steps=20, init_from=str(tmp_path / "md.safetensors"))
    with pytest.raises(ValueError, match="use save_prior"):
        save_mdm(model, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="did you mean 'motiondiffuse'"):
        MotionDiffusion(**SIZES, arch="motiondifuse")
    with pytest.raises(ValueError, match="multiple of 4 and of twice num_heads"):
        MotionDiffuse(**(SIZES | {"width": 18}))
    with pytest.raises(ValueError, match="expected \\(B, T, 263\\)"):
        make_network()(draw(1, 5, 262), torch.tensor([1]), draw(1, 8), torch.tensor([5]))


@pytest.mark.parametrize("trainable", ["lora", "last:1"])
def test_recipes_train_a_part_and_start_from_the_same_output(trainable):
    whole, part = make_prior(), make_prior(trainable=trainable, lora_rank=2)
    count = sum(p.numel() for p in part.denoiser.parameters() if p.requires_grad)
    assert 0 < count < sum(p.numel() for p in whole.denoiser.parameters())
    text = TextBatch(draw(1, 8))
    arguments = (draw(1, 5, 263), torch.tensor([3]), text.embedding, torch.tensor([5]))
    with torch.no_grad():
        torch.testing.assert_close(part.denoiser.eval()(*arguments), whole.denoiser.eval()(*arguments))
