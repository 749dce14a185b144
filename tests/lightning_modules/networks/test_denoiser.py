"""The denoiser against MDM's own numbers and published keys, and against torch's transformer layers."""

import json

import pytest
import torch
from torch import nn

from lightning_modules.networks.denoiser import Denoiser, read_dimensions
from lightning_modules.networks.dropout import Dropout
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.networks.positions import compute_sinusoids


def make_denoiser(**changes):
    arguments = {"width": 32, "num_layers": 2, "num_heads": 4, "feedforward": 48, "text_dim": 12, "dropout": 0.1}
    torch.manual_seed(3)
    return Denoiser(**(arguments | changes)).eval()


def make_inputs(lengths=(20, 12), num_frames=20):
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(len(lengths), num_frames, 263, generator=generator)
    text = torch.randn(len(lengths), 12, generator=generator)
    return x, torch.arange(len(lengths)) * 7, text, torch.tensor(lengths)


@pytest.mark.parametrize("case", ["small_trans_enc", "small_trans_enc_maskframes"])
def test_output_equals_mdm(golden, case):
    data = golden("mdm")

    def read(name):
        return torch.from_numpy(data[f"{case}/{name}"])

    denoiser = Denoiser(
        width=64, num_layers=2, num_heads=4, feedforward=128, text_dim=512, mask_frames="mask" in case
    ).eval()
    prefix = f"{case}/state_dict/"
    denoiser.load_state_dict({k.removeprefix(prefix): torch.from_numpy(data[k]) for k in data if k.startswith(prefix)})
    x, text = read("x")[:, :, 0].mT, read("text_embed")[0]
    for text_embedding, expected in ((text, "out"), (torch.zeros_like(text), "out_uncond")):
        with torch.no_grad():
            out = denoiser(x, read("timesteps"), text_embedding, read("lengths"))
        torch.testing.assert_close(out, read(expected)[:, :, 0].mT, rtol=0, atol=1e-5)


def test_parameter_names_and_shapes_are_those_of_the_published_model(shared):
    published = json.loads((shared / "golden" / "mdm_humanml_trans_enc_512_keys.json").read_text())
    denoiser = Denoiser(width=512, num_layers=8, num_heads=4, feedforward=1024, text_dim=512)
    ours = {key: list(value.shape) for key, value in denoiser.state_dict().items()}
    assert ours == {key: shape for key, shape in published.items() if not key.endswith(".pe")}
    assert read_dimensions(denoiser.state_dict()) == {
        "width": 512, "num_layers": 8, "feedforward": 1024, "text_dim": 512, "num_features": 263,
    }  # fmt: skip


def test_layers_equal_torchs_transformer():
    denoiser = make_denoiser()
    layer = nn.TransformerEncoderLayer(32, 4, 48, activation="gelu", batch_first=True)
    reference = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    reference.load_state_dict(denoiser.seqTransEncoder.state_dict())
    reference.eval()
    sequence, valid = torch.randn(2, 9, 32), mask_frames_of(torch.tensor([9, 6]), 9)
    ours = denoiser.seqTransEncoder(sequence, valid[:, None, None])
    theirs = reference(sequence, src_key_padding_mask=~valid)
    torch.testing.assert_close(ours[valid], theirs[valid], rtol=0, atol=1e-5)


def test_padding_does_not_reach_valid_frames():
    denoiser = make_denoiser(mask_frames=True)
    x, timesteps, text, lengths = make_inputs()
    out = denoiser(x, timesteps, text, lengths)
    changed = x.clone()
    changed[1, 12:] = 100.0
    torch.testing.assert_close(denoiser(changed, timesteps, text, lengths)[1, :12], out[1, :12])
    alone = denoiser(x[1:, :12], timesteps[1:], text[1:], lengths[1:])
    torch.testing.assert_close(alone[0], out[1, :12], rtol=0, atol=1e-5)


def test_without_masking_padding_matters_as_in_mdm():
    denoiser = make_denoiser(mask_frames=False)
    x, timesteps, text, lengths = make_inputs()
    changed = x.clone()
    changed[1, 12:] = 100.0
    difference = denoiser(changed, timesteps, text, lengths) - denoiser(x, timesteps, text, lengths)
    assert difference[1, :12].abs().max() > 1e-3


def test_bfloat16_autocast_stays_close():
    denoiser, inputs = make_denoiser(), make_inputs()
    with torch.autocast("cpu", torch.bfloat16):
        low = denoiser(*inputs)
    torch.testing.assert_close(low.float(), denoiser(*inputs), rtol=0.05, atol=0.05)


def test_sinusoids_by_hand():
    table = compute_sinusoids(4, 6)
    angle = torch.tensor(3.0 / 10000 ** (2 / 6))
    torch.testing.assert_close(table[3, 2:4], torch.stack([angle.sin(), angle.cos()]))


def test_inputs_that_do_not_fit_are_refused():
    denoiser = make_denoiser()
    x, timesteps, text, lengths = make_inputs()
    with pytest.raises(ValueError, match=r"expected \(B, T, 263\)"):
        denoiser(x.mT, timesteps, text, lengths)
    with pytest.raises(ValueError, match="need a decoder"):
        denoiser(x, timesteps, text[:, None], lengths)
    with pytest.raises(ValueError, match=r"expected \(2, 12\)"):
        denoiser(x, timesteps, text[:, :5], lengths)
    with pytest.raises(ValueError, match="multiple of num_heads"):
        make_denoiser(width=30)
    with pytest.raises(ValueError, match="state dict lacks"):
        read_dimensions({"weight": torch.zeros(3)})


def test_dropout_keeps_the_expectation_and_drops_its_share():
    dropout = Dropout(0.1)
    torch.manual_seed(0)
    out = dropout(torch.ones(400, 1001))
    assert out.unique().numel() == 2
    assert abs(float((out == 0).float().mean()) - 26 / 256) < 2e-3
    assert abs(float(out.mean()) - 1) < 2e-3
    assert float(out.std(dim=0).mean()) == pytest.approx((26 / 230) ** 0.5, rel=0.02)
    dropout.eval()
    x = torch.randn(3)
    assert dropout(x) is x


def test_dropout_gradient_is_its_own_mask():
    dropout = Dropout(0.5)
    x = torch.randn(1000, requires_grad=True)
    out = dropout(x)
    out.sum().backward()
    torch.testing.assert_close(x.grad * x.detach(), out.detach())
    with pytest.raises(ValueError, match="below 1"):
        Dropout(1.0)
