"""MDM's transformer decoder against torch's own, assembled here from the same state dict with the published facts."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lightning_modules.networks.denoiser import ARCHITECTURES, WORD_ARCHITECTURES, Denoiser, read_dimensions
from lightning_modules.networks.positions import compute_sinusoids

DECODERS = ARCHITECTURES[1:]


def make_denoiser(arch, **changes):
    torch.manual_seed(3)
    arguments = {"width": 32, "num_layers": 2, "num_heads": 4, "feedforward": 48, "text_dim": 12, "dropout": 0.1}
    denoiser = Denoiser(arch=arch, **(arguments | changes)).eval()
    for parameter in denoiser.parameters():  # biases and norms start at 0 and 1, which would hide a mix-up
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return denoiser


def make_inputs(words=True):
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(3, 20, 263, generator=generator)
    mask = torch.arange(7) < torch.tensor([7, 4, 2])[:, None]
    text = torch.randn(3, 7, 12, generator=generator) * mask[..., None]
    steps, lengths = torch.tensor([0, 7, 40]), torch.tensor([20, 12, 5])
    return (x, steps, text if words else text[:, 0], lengths), {"text_mask": mask} if words else {}


def run_reference(state, arch, mask_frames, x, steps, text, lengths, text_mask=None):
    """Sequence-first, as MDM's own code: masks are True where there is nothing to see."""
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(32, 4, 48, activation="gelu"), 2).eval()
    prefix = "seqTransDecoder."
    decoder.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})

    def linear(name, values):
        return F.linear(values, state[f"{name}.weight"], state[f"{name}.bias"])

    table = compute_sinusoids(100, 32)
    hidden = linear("embed_timestep.time_embed.0", table[steps])
    time = linear("embed_timestep.time_embed.2", hidden * torch.sigmoid(hidden))[None]
    text = text[None] if text.ndim == 2 else text.transpose(0, 1)
    memory = linear("embed_text", text) + time
    frames = linear("input_process.poseEmbedding", x.transpose(0, 1))
    hidden_frames = ~(torch.arange(x.shape[1]) < lengths[:, None])
    token = {"trans_dec": frames[:0], "trans_dec_emb": time, "trans_dec_emb_text": memory}[arch]
    sequence = torch.cat([token, frames])
    sequence = sequence + table[: len(sequence), None]
    hidden_sequence = torch.cat([torch.zeros(len(x), len(token), dtype=torch.bool), hidden_frames], dim=1)
    out = decoder(
        sequence,
        memory,
        tgt_key_padding_mask=hidden_sequence if mask_frames else None,
        memory_key_padding_mask=None if text_mask is None else ~text_mask,
    )
    return linear("output_process.poseFinal", out[len(token) :]).transpose(0, 1)


@pytest.mark.parametrize("mask_frames", [True, False])
@pytest.mark.parametrize(
    ("arch", "words"),
    [*((arch, True) for arch in WORD_ARCHITECTURES), *((arch, False) for arch in DECODERS)],
)
def test_decoder_equals_torchs_own(arch, words, mask_frames):
    denoiser = make_denoiser(arch, mask_frames=mask_frames)
    (x, steps, text, lengths), options = make_inputs(words)
    for condition in (text, torch.zeros_like(text)):
        with torch.no_grad():
            ours = denoiser(x, steps, condition, lengths, **options)
            theirs = run_reference(
                denoiser.state_dict(), arch, mask_frames, x, steps, condition, lengths, options.get("text_mask")
            )
        for row, length in enumerate(lengths):
            torch.testing.assert_close(ours[row, :length], theirs[row, :length], rtol=0, atol=1e-4)


@pytest.mark.parametrize("arch", ["trans_dec", "trans_dec_emb"])
def test_padded_words_and_frames_reach_nothing(arch):
    denoiser = make_denoiser(arch)
    (x, steps, text, lengths), options = make_inputs()
    with torch.no_grad():
        out = denoiser(x, steps, text, lengths, **options)
        noisy_text, noisy_x = text.clone(), x.clone()
        noisy_text[~options["text_mask"]] = 50.0
        noisy_x[2, 5:] = 50.0
        changed = denoiser(noisy_x, steps, noisy_text, lengths, **options)
        alone = denoiser(x[2:, :5], steps[2:], text[2:, :2], lengths[2:])
        seen = denoiser(x, steps, noisy_text, lengths)
    torch.testing.assert_close(changed[2, :5], out[2, :5])
    torch.testing.assert_close(changed[:2], out[:2])
    torch.testing.assert_close(alone[0], out[2, :5], rtol=0, atol=1e-5)
    assert (seen - out)[2, :5].abs().max() > 1e-2


@pytest.mark.parametrize("arch", DECODERS)
def test_names_are_those_of_torchs_decoder(arch):
    state = make_denoiser(arch).state_dict()
    torchs = nn.TransformerDecoder(nn.TransformerDecoderLayer(32, 4, 48), 2).state_dict()
    decoder = {
        k.removeprefix("seqTransDecoder."): v.shape for k, v in state.items() if k.startswith("seqTransDecoder.")
    }
    assert decoder == {key: value.shape for key, value in torchs.items()}
    assert read_dimensions(state) == {
        "width": 32, "num_layers": 2, "feedforward": 48, "text_dim": 12, "num_features": 263,
    }  # fmt: skip


def test_all_parameters_of_a_decoder_learn():
    denoiser = make_denoiser("trans_dec_emb").train()
    inputs, options = make_inputs()
    denoiser(*inputs, **options).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in denoiser.parameters())


def test_inputs_that_do_not_fit_are_refused():
    (x, steps, text, lengths), options = make_inputs()
    for arch in ("trans_enc", "trans_dec_emb_text"):
        with pytest.raises(ValueError, match=rf"arch='{arch}' takes one per text, \(B, 12\).*need a decoder"):
            make_denoiser(arch)(x, steps, text, lengths, **options)
    denoiser = make_denoiser("trans_dec")
    with pytest.raises(ValueError, match=r"expected \(3, 12\) or \(3, L, 12\)"):
        denoiser(x, steps, text[..., :5], lengths, **options)
    with pytest.raises(ValueError, match=r"text_mask is torch.bool of shape \(3, 6\), expected bool of shape \(3, 7\)"):
        denoiser(x, steps, text, lengths, text_mask=options["text_mask"][:, :6])
    with pytest.raises(ValueError, match=r"text_mask is torch.float32"):
        denoiser(x, steps, text, lengths, text_mask=options["text_mask"].float())
    with pytest.raises(ValueError, match=r"arch is 'gru', must be one of"):
        make_denoiser("gru")
