"""CLIP and DistilBERT against transformers' own forward pass, on tiny models; and what happens without a model."""

import json
import shutil

import numpy as np
import pytest
import torch

from lightning_modules.text.encoders import CachedTextEncoder, TextEncoder, text_encoder
from lightning_modules.text.lookup import TextLookup, collate_embeddings
from lightning_modules.text.mdm_encoders import ClipEncoder, DistilBertEncoder

TEXTS = ["a person walks", "someone jumps up", "a person runs"]


def test_clip_is_fed_as_mdm_feeds_it(clip_folder):
    ids = ClipEncoder(folder=clip_folder).tokenize(["walk", "hop " * 40])
    start, end, walk = 55, 56, 54
    assert ids.shape == (2, 77)
    assert ids[0].tolist() == [start, walk, end] + [0] * 74
    # 20 pieces survive between start and end: h o p</w>, and so on.
    hop = [7, 14, 26 + 15]
    assert ids[1].tolist() == [start, *(hop * 7)[:20], end] + [0] * 55


def test_clip_equals_transformers_projected_pooled_output(clip_folder):
    transformers = pytest.importorskip("transformers")
    encoder = ClipEncoder(folder=clip_folder, batch_size=2)
    texts = [*TEXTS, "hop " * 40]
    reference = transformers.CLIPTextModelWithProjection.from_pretrained(clip_folder).eval()
    with torch.no_grad():
        expected = reference(input_ids=encoder.tokenize(texts)).text_embeds
    found = encoder.encode(texts)
    assert encoder.dim == found.shape[1] == 12
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    # The same tokens without the zeros behind the end: they cannot be seen from it.
    alone = reference(input_ids=encoder.tokenize(texts[:1])[:, : int(encoder.tokenize(texts[:1]).argmax()) + 1])
    torch.testing.assert_close(found[:1], alone.text_embeds.detach(), rtol=0, atol=1e-6)


def test_a_whole_clip_model_gives_its_text_tower(tmp_path, clip_folder):
    transformers = pytest.importorskip("transformers")
    shutil.copytree(clip_folder, tmp_path / "whole")
    text = transformers.CLIPTextConfig.from_pretrained(clip_folder)
    vision = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32,
        "patch_size": 16,
    }  # fmt: skip
    config = transformers.CLIPConfig(text_config=text.to_dict(), vision_config=vision, projection_dim=12)
    model = transformers.CLIPModel(config).eval()
    model.save_pretrained(tmp_path / "whole")
    encoder = ClipEncoder(folder=tmp_path / "whole")
    ids = encoder.tokenize(TEXTS)
    pooled = model.text_model(input_ids=ids).pooler_output
    torch.testing.assert_close(encoder.encode(TEXTS), model.text_projection(pooled).detach(), rtol=0, atol=1e-6)
    assert encoder.dim == 12


def test_distilbert_equals_transformers_on_each_text_alone(distilbert_folder):
    transformers = pytest.importorskip("transformers")
    encoder = DistilBertEncoder(folder=distilbert_folder, batch_size=2)
    tokenizer = transformers.AutoTokenizer.from_pretrained(distilbert_folder)
    reference = transformers.DistilBertModel.from_pretrained(distilbert_folder).eval()
    texts = ["walks", *TEXTS, "runs " * 40]
    found = encoder.encode(texts)
    assert [len(states) for states in found] == [4, 6, 5, 5, 16]  # [CLS], walk, ##s, [SEP]; the last is cut
    for text, states in zip(texts, found, strict=True):
        tokens = tokenizer([text], return_tensors="pt", truncation=True, max_length=16)
        with torch.no_grad():
            expected = reference(**tokens).last_hidden_state[0]
        torch.testing.assert_close(states, expected, rtol=0, atol=1e-5)


def test_word_states_come_padded_with_a_mask(distilbert_folder, tmp_path):
    lookup = TextLookup(f"distilbert:{distilbert_folder}", dim=12, cache_dir=str(tmp_path))
    batch = lookup(["walks", "a person walks", "walks"])
    states = DistilBertEncoder(folder=distilbert_folder).encode(["walks", "a person walks"])
    assert batch.mask.sum(dim=1).tolist() == [4, 6, 4]
    torch.testing.assert_close(batch.embedding[0, :4], states[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(batch.embedding[1], states[1], rtol=0, atol=1e-5)
    assert not batch.embedding[0, 4:].any()
    assert torch.equal(batch.embedding[0], batch.embedding[2])
    dropped = batch.drop(torch.tensor([True, False, False]))
    assert not dropped.embedding[0].any()
    assert torch.equal(dropped.embedding[1:], batch.embedding[1:])
    assert torch.equal(dropped.mask, batch.mask)
    assert collate_embeddings([torch.ones(3), torch.zeros(3)]).mask is None


@pytest.mark.parametrize("kind", ["clip", "distilbert"])
def test_a_filled_cache_needs_no_model_and_other_weights_have_another(kind, request, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(request.getfixturevalue(f"{kind}_folder"), folder)
    encoder = text_encoder(f"{kind}:{folder}", tmp_path / "cache")
    assert isinstance(encoder, TextEncoder)
    expected = encoder.encode(TEXTS)
    (weights,) = folder.glob("*.safetensors")
    inner = type(encoder._encoder)(folder=folder)
    inner.encode = None  # an encoder that cannot encode
    again = CachedTextEncoder(inner, tmp_path / "cache").encode(TEXTS)
    assert all(torch.equal(one, other) for one, other in zip(again, expected, strict=True))
    weights.write_bytes(weights.read_bytes()[:-4] + b"\x00\x00\x00\x40")  # the last number is 2
    changed = text_encoder(f"{kind}:{folder}", tmp_path / "cache")
    assert changed.name != encoder.name
    assert any(not torch.equal(one, other) for one, other in zip(changed.encode(TEXTS), expected, strict=True))


def test_damaged_cache_files_are_named(distilbert_folder, tmp_path):
    encoder = text_encoder(f"distilbert:{distilbert_folder}", tmp_path)
    encoder.encode(["walks"])
    (path,) = (tmp_path / encoder.name).iterdir()
    for content, message in ((path.read_bytes()[:90], "cannot be read"), (b"", "cannot be read")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            text_encoder(f"distilbert:{distilbert_folder}", tmp_path).encode(["walks"])
    np.save(path, np.zeros((4, 5), np.float32))
    with pytest.raises(ValueError, match=r"shape \(4, 5\), expected .*\(L, 12\); delete"):
        text_encoder(f"distilbert:{distilbert_folder}", tmp_path).encode(["walks"])


@pytest.mark.parametrize("kind", ["clip", "distilbert"])
def test_without_a_network_the_hub_names_say_what_to_do(kind, tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub").constants
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    encoder = text_encoder(kind, tmp_path)
    assert encoder.dim == {"clip": 512, "distilbert": 768}[kind]
    with pytest.raises(FileNotFoundError, match=rf"neither in the Hugging Face cache.*hf download.*'{kind}:FOLDER'"):
        encoder.encode(["walk"])


def test_folders_that_will_not_do(clip_folder, distilbert_folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        text_encoder(f"clip:{tmp_path / 'absent'}", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"holds no config\.json"):
        text_encoder(f"clip:{tmp_path}", tmp_path)
    with pytest.raises(ValueError, match=r"type 'distilbert', but text encoder 'clip' needs one of"):
        text_encoder(f"clip:{distilbert_folder}", tmp_path)
    with pytest.raises(ValueError, match=r"type 'clip_text_model', but text encoder 'distilbert' needs"):
        text_encoder(f"distilbert:{clip_folder}", tmp_path)
    with pytest.raises(ValueError, match="use 'minilm' alone"):
        text_encoder("minilm:somewhere", tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="is no JSON"):
        text_encoder(f"clip:{tmp_path}", tmp_path)


@pytest.mark.parametrize("kind", ["clip", "distilbert"])
def test_cut_and_foreign_weights_are_refused(kind, request, tmp_path):
    source = request.getfixturevalue(f"{kind}_folder")
    shutil.copytree(source, tmp_path / "cut")
    whole = (source / "model.safetensors").read_bytes()
    (tmp_path / "cut" / "model.safetensors").write_bytes(whole[:3000])
    with pytest.raises(ValueError, match="cannot be loaded"):
        text_encoder(f"{kind}:{tmp_path / 'cut'}", tmp_path).encode(["walks"])
    (tmp_path / "cut" / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="cannot be loaded"):
        text_encoder(f"{kind}:{tmp_path / 'cut'}", tmp_path).encode(["walks"])
    # transformers would fill parameters that the file lacks with random numbers.
    config = json.loads((source / "config.json").read_text())
    more = {"num_hidden_layers": 3} if kind == "clip" else {"n_layers": 3}
    shutil.copytree(source, tmp_path / "lacking")
    (tmp_path / "lacking" / "config.json").write_text(json.dumps(config | more))
    with pytest.raises(ValueError, match="lack 16 parameters"):
        text_encoder(f"{kind}:{tmp_path / 'lacking'}", tmp_path).encode(["walks"])


@pytest.mark.parametrize(("texts", "message"), [([], "empty"), (["walk", " \n"], "prompt 1 of 2 is blank")])
def test_bad_prompts_are_named(clip_folder, distilbert_folder, texts, message):
    for encoder in (ClipEncoder(folder=clip_folder), DistilBertEncoder(folder=distilbert_folder)):
        with pytest.raises(ValueError, match=message):
            encoder.encode(texts)
