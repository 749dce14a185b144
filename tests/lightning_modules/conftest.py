"""Tiny CLIP and DistilBERT models, random but of the real kind, as folders that transformers itself wrote."""

import json
import string

import pytest
import torch


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    """A CLIP text tower of width 16 and embeddings of 12 numbers, over letters and two merged pieces."""
    transformers = pytest.importorskip("transformers", reason='needs pip install "imuforge[text]"')
    folder = tmp_path_factory.mktemp("clip")
    pieces = [*string.ascii_lowercase, *(f"{c}</w>" for c in string.ascii_lowercase), "wa", "lk</w>", "walk</w>"]
    vocabulary = {piece: number for number, piece in enumerate([*pieces, "<|startoftext|>", "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\nw a\nl k</w>\nwa lk</w>\n")
    tokenizer = transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.save_pretrained(folder)
    size = len(vocabulary)
    config = transformers.CLIPTextConfig(
        vocab_size=size, hidden_size=16, intermediate_size=24, projection_dim=12, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=77, bos_token_id=size - 2, eos_token_id=size - 1,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.CLIPTextModelWithProjection(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def distilbert_folder(tmp_path_factory):
    """A DistilBERT of width 12 over a few words and all letters."""
    transformers = pytest.importorskip("transformers", reason='needs pip install "imuforge[text]"')
    folder = tmp_path_factory.mktemp("distilbert")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [*special, "a", "person", "walk", "##s", "jumps", "up", "someone", "runs"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    transformers.DistilBertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.DistilBertConfig(
        vocab_size=len(words), dim=12, hidden_dim=24, n_layers=2, n_heads=2, max_position_embeddings=16
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.DistilBertModel(config).save_pretrained(folder)
    return folder
