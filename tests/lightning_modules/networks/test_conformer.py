"""The conformer: what it may see, that only distances in time count, and its way through files."""

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import load_prior, save_prior
from lightning_modules.networks.conformer import Conformer, RotaryAttention

SIZES = {"width": 16, "num_layers": 2, "num_heads": 2, "feedforward": 24, "text_dim": 8}
ACTIVITIES = ["walking", "running", "lying_face_down"]


def draw(*shape, seed=3):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def make_network(**changes):
    torch.manual_seed(0)
    network = Conformer(**(SIZES | changes)).eval()
    for parameter in network.parameters():  # what starts at zero would hide mistakes
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return network


class LengthEncoder:
    """A text encoder that needs no weights: unit vectors, the same for texts of one length."""

    name, dim = "length", 8

    def encode(self, texts):
        return torch.nn.functional.one_hot(torch.tensor([len(text) % 8 for text in texts]), 8).float()


def make_prior(**changes):
    torch.manual_seed(0)
    model = MotionDiffusion(**(SIZES | {"arch": "conformer", "predicts": "v", "num_steps": 20} | changes)).eval()
    for parameter in model.average.parameters() if "init_from" not in changes else ():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.1)
    model.statistics.set(torch.zeros(263), torch.ones(263))
    model.texts.attach(LengthEncoder())
    return model


def test_attention_is_that_of_turned_queries_and_keys():
    torch.manual_seed(0)
    attention = RotaryAttention(8, 1, 0.0)
    sequence = draw(1, 5, 8)
    with torch.no_grad():
        result = attention(sequence, None)[0]
        query, key, value = torch.nn.functional.linear(sequence[0], attention.in_proj_weight).chunk(3, dim=1)
        # Pairs of numbers as complex ones: turning is a product with exp(i angle).
        pace = 1000.0 ** -(torch.arange(4) / 4)
        turned = [
            torch.complex(one[:, :4], one[:, 4:]) * torch.exp(1j * torch.arange(5)[:, None] * pace)
            for one in (query, key)
        ]
        weights = ((turned[0] @ turned[1].conj().T).real / 8**0.5).softmax(dim=1)
        torch.testing.assert_close(result, attention.out_proj(weights @ value), rtol=1e-4, atol=1e-5)


def test_valid_frames_depend_on_valid_frames_alone():
    network = make_network()
    x, steps, text, lengths = draw(2, 24, 263), torch.tensor([3, 7]), draw(2, 8), torch.tensor([24, 11])
    with torch.no_grad():
        before = network(x, steps, text, lengths)
        x[1, 11:] = 100.0
        after = network(x, steps, text, lengths)
        alone = network(x[1:, :11], steps[1:], text[1:], lengths[1:])
    torch.testing.assert_close(after[1, :11], before[1, :11], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(alone[0], before[1, :11], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(before[0, 12:], torch.zeros(()))


def test_a_motion_has_no_beginning_but_its_ends():
    # Constant frames: away from the ends every frame sees the same, wherever it stands.
    network = make_network(num_layers=1)
    x = draw(1, 1, 263).expand(1, 60, 263)
    with torch.no_grad():
        out = network(x, torch.tensor([3]), draw(1, 8), torch.tensor([60]))[0]
    torch.testing.assert_close(out[10:50], out[10:11].expand(40, -1), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(out[0], out[30], atol=1e-2)


def test_noise_level_and_text_count():
    network = make_network()
    x, lengths = draw(1, 12, 263), torch.tensor([12])
    with torch.no_grad():
        first = network(x, torch.tensor([3]), draw(1, 8), lengths)
        assert not torch.allclose(first, network(x, torch.tensor([9]), draw(1, 8), lengths), atol=1e-3)
        assert not torch.allclose(first, network(x, torch.tensor([3]), draw(1, 8, seed=9), lengths), atol=1e-3)


def test_the_condition_says_a_posture_that_all_frames_share():
    network = make_network()
    x, step, text, lengths = draw(1, 12, 263), torch.tensor([3]), draw(1, 8), torch.tensor([12])
    with torch.no_grad():
        before = network(x, step, text, lengths)
        network.posture.weight.zero_()
        added = before - network(x, step, text, lengths)
        torch.testing.assert_close(added, added[:, :1].expand_as(added), rtol=1e-3, atol=1e-4)
        assert added.abs().max() > 0.1
        network.posture.weight.normal_()
        nothing = network(x, step, torch.zeros(1, 8), lengths)
        network.posture.weight.zero_()
        torch.testing.assert_close(network(x, step, torch.zeros(1, 8), lengths), nothing)


def test_weights_from_before_the_posture_compute_what_they_did(tmp_path):
    model = make_prior(activities=ACTIVITIES)
    with torch.no_grad():
        for name in ("posture.weight", "posture_share.weight", "posture_share.bias"):
            model.average.get_parameter(name).zero_()
    save_prior(model, tmp_path / "new.safetensors", {})
    with safe_open(tmp_path / "new.safetensors", "pt") as stored:
        tensors = {key: stored.get_tensor(key) for key in stored.keys() if "posture" not in key}  # noqa: SIM118
        save_file(tensors, tmp_path / "old.safetensors", stored.metadata())
    new, old = (
        load_prior(tmp_path / f"{name}.safetensors", text_encoder=LengthEncoder()).average.state_dict()
        for name in ("new", "old")
    )
    assert new.keys() == old.keys()
    for key, value in new.items():
        torch.testing.assert_close(old[key], value)


def test_guidance_that_nobody_asks_for_is_the_weights_own(tmp_path):
    save_prior(make_prior(activities=ACTIVITIES, usual_guidance=3.0), tmp_path / "own.safetensors", {})
    loaded = load_prior(tmp_path / "own.safetensors", text_encoder=LengthEncoder())
    further = make_prior(activities=ACTIVITIES, init_from=str(tmp_path / "own.safetensors"))
    assert loaded.usual_guidance == further.usual_guidance == 3.0
    options = {"num_frames": 12, "steps": 4, "sampler": "ddim", "seeds": [1], "activities": ["running"]}
    asked, unasked, other = (
        loaded.generate(["someone moves"], **options, **guidance)
        for guidance in ({"guidance": 3.0}, {}, {"guidance": 1.0})
    )
    torch.testing.assert_close(unasked, asked)
    assert not torch.allclose(unasked, other, atol=1e-3)


def test_a_width_that_heads_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="width is 18, expected a multiple of twice num_heads=2"):
        Conformer(**(SIZES | {"width": 18}))


def test_weights_that_are_told_activities_come_back_from_a_file(tmp_path):
    model = make_prior(activities=ACTIVITIES)
    save_prior(model, tmp_path / "told.safetensors", {})
    loaded = load_prior(tmp_path / "told.safetensors", text_encoder=LengthEncoder())
    assert loaded.texts.activities == tuple(ACTIVITIES)
    options = {"num_frames": 12, "steps": 4, "sampler": "ddim", "seeds": [1]}
    first, again, other = (
        one.generate(["someone moves"], activities=[name], **options)
        for one, name in ((loaded, "walking"), (loaded, "walking"), (loaded, "running"))
    )
    torch.testing.assert_close(first, again)
    assert not torch.allclose(first, other, atol=1e-3)
    # float16 on the way
    torch.testing.assert_close(
        model.generate(["someone moves"], activities=["walking"], **options), first, rtol=0.05, atol=0.05
    )


def test_activities_are_taken_over_by_name_and_a_new_one_changes_nothing(tmp_path):
    save_prior(make_prior(activities=ACTIVITIES), tmp_path / "told.safetensors", {})
    model = make_prior(
        activities=["lying_face_down", "swimming", "walking"], init_from=str(tmp_path / "told.safetensors")
    )
    old = load_prior(tmp_path / "told.safetensors", text_encoder=LengthEncoder())
    options = {"num_frames": 12, "steps": 4, "sampler": "ddim", "seeds": [1]}
    for name in ("walking", "lying_face_down"):
        torch.testing.assert_close(
            model.generate(["someone moves"], activities=[name], **options),
            old.generate(["someone moves"], activities=[name], **options),
        )
    with torch.no_grad():
        for layer in (model.average.embed_text, model.average.posture):
            assert not layer.weight[:, 9].any()
