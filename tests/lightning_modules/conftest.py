"""Tiny CLIP and DistilBERT folders, and a tiny prior with clips and a quiet trainer, for tests of how it is trained."""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from lightning import LightningDataModule, Trainer
from torch.utils.data import DataLoader

from datamodules.batches import MotionBatch
from lightning_modules import MotionDiffusion

TEXTS = ["a person walks", "a person jumps up", "someone runs", "a person sits"]


class HashEncoder:
    """A text encoder that needs no weights: the bytes of a hash as numbers."""

    name, dim = "hash", 8

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        digests = [hashlib.sha256(text.encode()).digest()[: self.dim] for text in texts]
        return torch.tensor([[byte / 128 - 1 for byte in digest] for digest in digests])


class WaveClips(LightningDataModule):
    """Four clips of sine waves in batches of ``batch_size``, twice an epoch."""

    activities = ("walking", "jumping")

    def __init__(self, batch_size: int = 4) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        time = torch.linspace(0, 2, 12)[None, :, None]
        waves = torch.sin(3 * time + 6 * torch.rand(4, 1, 263, generator=generator)) * 0.1
        columns = (torch.full((4,), 12), torch.tensor([0, 1, 0, 1]), torch.arange(4))
        self.batches = [
            MotionBatch(waves[part], columns[0][part], TEXTS[part], columns[1][part], columns[2][part])
            for part in (slice(start, start + batch_size) for start in range(0, 4, batch_size))
        ]

    def captions(self) -> list[str]:
        return TEXTS

    def feature_statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.full((263,), 0.01), torch.full((263,), 0.1)

    def train_dataloader(self) -> DataLoader[MotionBatch]:
        return DataLoader([*self.batches, *self.batches], batch_size=None)


@pytest.fixture
def make_clips() -> Callable[..., WaveClips]:
    return WaveClips


@pytest.fixture
def make_prior() -> Callable[..., MotionDiffusion]:
    """Build a tiny prior; the same arguments give the same weights."""

    def build(**changes: object) -> MotionDiffusion:
        torch.manual_seed(1)
        dimensions = {"width": 16, "num_layers": 3, "num_heads": 2, "feedforward": 24, "text_dim": 8, "num_steps": 12}
        training = {"warmup_steps": 0, "lr": 1e-2, "lr_schedule": "constant"}
        model = MotionDiffusion(**(dimensions | training | changes))
        model.texts.attach(HashEncoder())
        if not model.statistics.known:
            model.statistics.set(*WaveClips().feature_statistics())
        return model.eval()

    return build


@pytest.fixture
def make_trainer(tmp_path: Path) -> Callable[..., Trainer]:
    def build(**options: object) -> Trainer:
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        places = {"accelerator": "cpu", "devices": 1, "default_root_dir": tmp_path, "enable_checkpointing": False}
        return Trainer(**(quiet | places | {"max_steps": 2} | options))

    return build


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
