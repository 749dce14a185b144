"""MDM's decoders in and out of its own layout, trained and sampled on word-level text; a changed text encoder."""

import json
import logging

import pytest
import torch
from lightning import LightningDataModule, Trainer
from torch.utils.data import DataLoader

from datamodules.batches import MotionBatch
from lightning_modules.callbacks.resume_guard import ResumeGuard
from lightning_modules.checkpoints import load_mdm, load_prior, save_mdm, save_prior
from lightning_modules.motion_diffusion import MotionDiffusion
from lightning_modules.networks.denoiser import ARCHITECTURES
from lightning_modules.weights import read_weights

DIMENSIONS = {"width": 16, "num_layers": 2, "num_heads": 4, "feedforward": 24, "text_dim": 12, "num_steps": 8}
TEXTS = ["a person walks", "someone jumps up", "walks"]


class Clips(LightningDataModule):
    """Three smooth clips in one batch, twice an epoch."""

    def __init__(self):
        super().__init__()
        waves = 0.1 * torch.sin(torch.linspace(0, 6, 16)[None, :, None] + torch.linspace(0, 3, 263)).repeat(3, 1, 1)
        self.batch = MotionBatch(
            waves, torch.tensor([16, 13, 9]), TEXTS, torch.tensor([0, 1, 0]), torch.tensor([5, 6, 7])
        )
        self.activities = ["walking", "jumping"]

    def captions(self):
        return TEXTS

    def feature_statistics(self):
        return torch.full((263,), 0.01), torch.full((263,), 0.1)

    def train_dataloader(self):
        return DataLoader([self.batch, self.batch], batch_size=None)

    def val_dataloader(self):
        return DataLoader([self.batch], batch_size=None)


def make_model(arch="trans_dec", **changes):
    torch.manual_seed(1)
    model = MotionDiffusion(**(DIMENSIONS | {"arch": arch, "warmup_steps": 0, "lr_schedule": "constant"} | changes))
    model.statistics.set(*Clips().feature_statistics())
    for parameter in model.average.parameters():  # as after training
        parameter.data.add_(0.01)
    return model


def make_trainer(folder, **options):
    return Trainer(
        accelerator="cpu", devices=1, logger=False, enable_progress_bar=False, enable_model_summary=False,
        num_sanity_val_steps=0, default_root_dir=folder, **options,
    )  # fmt: skip


def denoise(network, words=True):
    generator = torch.Generator().manual_seed(2)
    x, text = torch.randn(2, 9, 263, generator=generator), torch.randn(2, 5, 12, generator=generator)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    lengths = torch.tensor([9, 6])
    with torch.no_grad():
        if words:
            return network.eval()(x, torch.tensor([3, 7]), text, lengths, text_mask=mask)
        return network.eval()(x, torch.tensor([3, 7]), text[:, 0], lengths)


@pytest.mark.parametrize("arch", ["trans_dec", "trans_dec_emb"])
def test_a_decoder_is_trained_sampled_saved_and_resumed_on_words(arch, distilbert_folder, tmp_path, monkeypatch):
    options = {"text_encoder": f"distilbert:{distilbert_folder}", "cache_dir": str(tmp_path / "cache"), "dropout": 0.1}
    model = make_model(arch, **options, cond_drop_prob=0.5, train_seed=3)
    before = {key: value.clone() for key, value in model.denoiser.state_dict().items()}
    trainer = make_trainer(tmp_path, max_steps=2)
    trainer.fit(model, Clips())
    assert torch.isfinite(trainer.callback_metrics["val/loss"])
    # A dropped condition hides the text's weight but never the key that every text is projected by.
    moved = {key for key, value in model.denoiser.state_dict().items() if not torch.equal(value, before[key])}
    assert {"embed_text.weight", "seqTransDecoder.layers.1.multihead_attn.in_proj_weight"} <= moved
    trainer.save_checkpoint(tmp_path / "two.ckpt")

    loaded = MotionDiffusion.load_from_checkpoint(
        tmp_path / "two.ckpt", weights_only=True, cache_dir=options["cache_dir"]
    )
    assert loaded.arguments["arch"] == arch
    together = loaded.generate(TEXTS, num_frames=[12, 9, 7], seeds=[1, 2, 3])
    torch.testing.assert_close(together, model.generate(TEXTS, num_frames=[12, 9, 7], seeds=[1, 2, 3]))
    # Other texts in the batch pad the words of this one, which must not show.
    alone = loaded.generate(TEXTS[2:], num_frames=7, seeds=[3])
    torch.testing.assert_close(together[2, :7], alone[0], rtol=0, atol=1e-5)
    assert not torch.allclose(alone, loaded.generate(["someone jumps up"], num_frames=7, seeds=[3]), atol=1e-4)

    resumed = make_trainer(tmp_path, max_steps=4, callbacks=[ResumeGuard()])
    resumed.fit(make_model(arch, **options, cond_drop_prob=0.5, train_seed=3), Clips(), ckpt_path=tmp_path / "two.ckpt")
    assert resumed.global_step == 4
    other = {"trans_dec": "trans_dec_emb", "trans_dec_emb": "trans_dec"}[arch]
    with pytest.raises(ValueError, match=rf"arch is '{other}' here, '{arch}' in the checkpoint"):
        make_trainer(tmp_path, max_steps=4, callbacks=[ResumeGuard()]).fit(
            make_model(other, **options, cond_drop_prob=0.5, train_seed=3), Clips(), ckpt_path=tmp_path / "two.ckpt"
        )


def test_guidance_on_words_is_one_pass_and_equals_two(distilbert_folder, tmp_path):
    model = make_model(text_encoder=f"distilbert:{distilbert_folder}", cache_dir=str(tmp_path), num_steps=1).eval()
    calls = []
    stack = model.average.seqTransDecoder
    stack.register_forward_pre_hook(lambda _, arguments: calls.append(len(arguments[0])))
    options = {"num_frames": [9, 7, 5], "seeds": [1, 2, 3]}
    guided = model.generate(TEXTS, guidance=2.5, **options)
    assert calls == [6]
    with_text, without = (model.generate(TEXTS, guidance=scale, **options) for scale in (1.0, 0.0))
    torch.testing.assert_close(guided, without + 2.5 * (with_text - without), rtol=0, atol=1e-5)


def test_words_for_an_encoder_model_are_refused(distilbert_folder, tmp_path):
    model = make_model("trans_enc", text_encoder=f"distilbert:{distilbert_folder}", cache_dir=str(tmp_path)).eval()
    with pytest.raises(ValueError, match="need a decoder"):
        model.generate(TEXTS, num_frames=5)


@pytest.mark.parametrize("layout", ["flat", "average"])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_mdm_round_trip(arch, layout, tmp_path):
    words = arch in ("trans_dec", "trans_dec_emb")
    encoder = "distilbert:/some/folder" if words else "clip"
    model = make_model(arch, text_encoder=encoder)
    save_mdm(model, tmp_path / "model.pt", layout=layout)
    args = json.loads((tmp_path / "args.json").read_text())
    assert (args["arch"], args["emb_trans_dec"]) == (arch[:9], arch[9:] != "" and arch != "trans_enc")
    assert args.get("text_encoder_type") == {"trans_enc": "clip", "trans_dec_emb_text": None}.get(arch, "bert")
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    state = state["model_avg"] if layout == "average" else state
    assert {"sequence_pos_encoder.pe", "embed_timestep.sequence_pos_encoder.pe"} <= state.keys()
    loaded = load_mdm(tmp_path / "model.pt")
    assert loaded.arguments["arch"] == arch
    assert loaded.arguments["text_encoder"] == encoder.partition(":")[0]
    assert torch.equal(denoise(loaded.denoiser, words), denoise(model.average, words))


def test_a_packaged_decoder_keeps_its_architecture(tmp_path):
    model = make_model("trans_dec_emb", text_encoder="distilbert")
    save_prior(model, tmp_path / "prior.safetensors", {})
    loaded = load_prior(tmp_path / "prior.safetensors")
    torch.testing.assert_close(denoise(loaded.average), denoise(model.average), rtol=0, atol=5e-3)
    with pytest.raises(ValueError, match=r"arch=trans_dec_emb \(the model has trans_dec\)"):
        make_model("trans_dec", text_encoder="distilbert", init_from=str(tmp_path / "prior.safetensors"))


@pytest.mark.parametrize("text_dim", [12, 20])
def test_another_text_encoder_starts_embed_text_anew_and_nothing_else(text_dim, tmp_path, caplog):
    prior = make_model(text_encoder="distilbert")
    save_prior(prior, tmp_path / "prior.safetensors", {})
    source = str(tmp_path / "prior.safetensors")
    with caplog.at_level(logging.INFO):
        same = make_model(text_encoder="distilbert:/a/folder", init_from=source)
    assert "embed_text" not in caplog.text
    torch.testing.assert_close(same.denoiser.embed_text.weight, prior.average.embed_text.weight, rtol=0, atol=1e-3)
    with caplog.at_level(logging.INFO):
        torch.manual_seed(5)
        changed = MotionDiffusion(
            **(DIMENSIONS | {"arch": "trans_dec", "text_encoder": "clip", "text_dim": text_dim}), init_from=source
        )
    (line,) = [record.message for record in caplog.records if "embed_text" in record.message]
    assert "distilbert" in line
    assert "clip" in line
    for key, value in changed.denoiser.state_dict().items():
        assert torch.equal(value, changed.average.state_dict()[key])
        if key.startswith("embed_text"):
            theirs = prior.average.state_dict()[key]
            assert value.shape != theirs.shape or (value - theirs).abs().max() > 0.05
        else:
            torch.testing.assert_close(value, prior.average.state_dict()[key], rtol=0, atol=1e-3)
    with pytest.raises(ValueError, match=r"text_dim=12 \(the model has 20\)"):
        make_model(text_encoder="distilbert", text_dim=20, init_from=source)


def write(folder, **args):
    """Write a decoder in MDM's layout with these arguments changed, or without those that are None."""
    save_mdm(make_model("trans_dec", text_encoder="distilbert"), folder / "model.pt")
    whole = json.loads((folder / "args.json").read_text()) | args
    (folder / "args.json").write_text(json.dumps({k: v for k, v in whole.items() if v is not None}))
    return folder / "model.pt"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"arch": "gru"}, "says arch='gru', expected"),
        ({"arch": "trans_enc"}, "arch='trans_enc', but the weights are of a transformer decoder"),
        ({"arch": 3}, "says arch=3, expected a value of type str"),
        ({"noise_schedule": "linear"}, "noise_schedule='linear', expected 'cosine'"),
        ({"emb_policy": "concat"}, "emb_policy='concat', expected 'add'"),
        ({"context_len": 20}, "context_len=20, expected 0: a model that continues"),
        ({"unconstrained": True}, "unconstrained=True, expected False"),
        ({"latent_dim": 512}, "latent_dim=512, but the weights beside it have 16"),
        ({"layers": 8}, "layers=8, but the weights beside it have 2"),
        ({"diffusion_steps": "50"}, "diffusion_steps='50', expected a value of type int"),
        ({"diffusion_steps": 0}, "diffusion_steps=0, expected at least 1"),
        ({"mask_frames": "yes"}, "mask_frames='yes', expected a value of type bool"),
    ],
)
def test_args_that_do_not_describe_the_weights_are_refused(args, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        load_mdm(write(tmp_path, **args))


def test_malformed_args_are_refused(tmp_path):
    path = write(tmp_path)
    for content, message in ((b"{", "is no JSON"), (b"[]", "holds a list"), (b"\0\xff", "save it as UTF-8")):
        (tmp_path / "args.json").write_bytes(content)
        with pytest.raises(ValueError, match=message):
            load_mdm(path)


def test_unknown_args_are_named_in_one_line_and_missing_ones_are_mdms_defaults(tmp_path, caplog):
    path = write(tmp_path, zeta=1, alpha=[2], emb_trans_dec=True, text_encoder_type=None, diffusion_steps=None)
    with caplog.at_level(logging.INFO):
        model = load_mdm(path)
    (line,) = [record.message for record in caplog.records if "ignored keys" in record.message]
    assert line.endswith("alpha, zeta")
    # Files from before DistilBERT do not name an encoder; their token held the text as well.
    assert (model.arguments["arch"], model.arguments["text_encoder"]) == ("trans_dec_emb_text", "clip")
    assert model.schedule.num_steps == 1000


def test_files_of_other_models_are_refused(tmp_path):
    path = write(tmp_path)
    state = torch.load(path, weights_only=True)
    short = {k: v for k, v in state.items() if k != "seqTransDecoder.layers.1.norm3.bias"}
    kit = {k: v[..., :251] if k == "input_process.poseEmbedding.weight" else v for k, v in state.items()}
    cases = {
        "are cut or|is cut or": short,
        "a model for 251 features a frame, expected HumanML3D's 263": kit,
        "embed_action.weight has shape .*of another model": state | {"embed_action.weight": torch.zeros(3, 4)},
        "of another model: the state dict's": state | {"embed_text.weight": torch.zeros(3)},
        "of another model: the state dict lacks": {"encoder.weight": torch.zeros(3)},
        "holds no state dict": {"model": 3},
    }
    for message, content in cases.items():
        torch.save(content, path)
        with pytest.raises(ValueError, match=message):
            load_mdm(path)


def test_damaged_files_end_in_one_named_error(tmp_path):
    path = write(tmp_path)
    whole = path.read_bytes()
    generator = torch.Generator().manual_seed(0)
    for size in (0, 1, 100, len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"model\.pt .*(damaged|cannot be read)"):
            read_weights(path)
    for _ in range(60):  # bytes of the pickle inside, which lies at the front
        damaged = bytearray(whole)
        for place in torch.randint(60, 3000, (20,), generator=generator).tolist():
            damaged[place] ^= 0x55
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"model\.pt"):
            read_weights(path)
