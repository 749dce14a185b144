"""Skipped padding and joined guidance passes change nothing: against the plain pass, values and gradients."""

import pytest
import torch

from lightning_modules.networks.denoiser import Denoiser
from lightning_modules.networks.packing import Packing, mask_frames_of, pack_worthwhile
from lightning_modules.sampling.samplers import guide

LENGTHS = torch.tensor([20, 12, 5])


def make_denoiser(**changes):
    arguments = {"width": 32, "num_layers": 2, "num_heads": 4, "feedforward": 48, "text_dim": 12, "dropout": 0.1}
    torch.manual_seed(3)
    return Denoiser(**(arguments | changes)).eval()


def make_inputs():
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(3, 20, 263, generator=generator)
    return x, torch.tensor([0, 7, 14]), torch.randn(3, 12, generator=generator), LENGTHS


def test_packing_by_hand():
    packing = Packing.of(torch.tensor([2, 3]), 3)
    assert packing.lengths == (2, 3)
    assert packing.places.tolist() == [0, 1, 3, 4, 5]
    padded = torch.arange(12.0).view(2, 3, 2)
    packed = packing.pack(padded)
    assert packed.tolist() == [[0, 1], [2, 3], [6, 7], [8, 9], [10, 11]]
    padded[0, 2] = 0
    torch.testing.assert_close(packing.unpack(packed, 3), padded, rtol=0, atol=0)


def test_little_padding_is_not_worth_packing():
    assert pack_worthwhile(torch.tensor([20, 20]), 20) is None
    assert pack_worthwhile(torch.tensor([20, 19]), 20) is None
    packing = pack_worthwhile(torch.tensor([20, 16]), 20)
    assert packing is not None
    assert packing.lengths == (20, 16)


@pytest.mark.parametrize("attention_dropout", [0.0, 0.1])
def test_skipped_padding_changes_no_valid_frame_and_no_gradient(attention_dropout):
    denoiser, inputs = make_denoiser(attention_dropout=attention_dropout), make_inputs()
    valid = mask_frames_of(LENGTHS, 20)
    gradients = []
    outs = [denoiser(*inputs), denoiser(*inputs, skip_padding=True)]
    for out in outs:
        (out[valid] ** 2).sum().backward()
        gradients.append([parameter.grad.clone() for parameter in denoiser.parameters()])
        denoiser.zero_grad()
    torch.testing.assert_close(outs[1][valid], outs[0][valid], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-4)
    # What is skipped is the head's bias, whatever lies in the padding.
    bias = denoiser.output_process["poseFinal"].bias
    torch.testing.assert_close(outs[1][~valid], bias.expand(int((~valid).sum()), -1))


def test_padding_that_the_model_was_trained_to_see_is_not_skipped():
    denoiser, inputs = make_denoiser(mask_frames=False), make_inputs()
    torch.testing.assert_close(denoiser(*inputs, skip_padding=True), denoiser(*inputs), rtol=0, atol=0)


@pytest.mark.parametrize("arch", ["trans_enc", "trans_dec", "trans_dec_emb"])
def test_conditions_together_equal_each_alone(arch):
    denoiser = make_denoiser(arch=arch)
    x, timesteps, text, lengths = make_inputs()
    options = {}
    if arch != "trans_enc":
        text = torch.stack([text, text.flip(0), -text], dim=1)
        options = {"text_mask": torch.tensor([[True, True, True], [True, True, False], [True, False, False]])}
    conditions = torch.stack([text, 0.5 * text, torch.zeros_like(text)])
    together = denoiser.predict_conditions(x, timesteps, conditions, lengths, **options)
    valid = mask_frames_of(lengths, 20)
    for row, condition in zip(together, conditions, strict=True):
        alone = denoiser(x, timesteps, condition, lengths, **options)
        torch.testing.assert_close(row[valid], alone[valid], rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="text_embedding has shape"):
        denoiser.predict_conditions(x, timesteps, conditions[:, :2], lengths)


def test_guiding_a_denoiser_equals_its_two_passes():
    denoiser = make_denoiser()
    x, _, text, lengths = make_inputs()
    steps, valid = torch.full((3,), 7), mask_frames_of(lengths, 20)
    conditional, unconditional = denoiser(x, steps, text, lengths), denoiser(x, steps, 0 * text, lengths)
    for guidance in (0.0, 1.0, 2.5):
        guided = guide(denoiser, text, lengths, guidance=guidance)(x, 7)
        expected = unconditional + guidance * (conditional - unconditional)
        torch.testing.assert_close(guided[valid], expected[valid], rtol=1e-4, atol=1e-4)
