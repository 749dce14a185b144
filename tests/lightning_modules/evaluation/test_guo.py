"""The published evaluators, in tiny files of exactly their layout, against their equations written out in numpy."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_modules.evaluation.evaluators import load_evaluator
from lightning_modules.evaluation.guo import GuoEvaluator
from lightning_modules.evaluation.guo_vocabulary import Token, Vocabulary, parse_tokens, split_words

MOVEMENT, MOTION, TEXT, SPACE, WORD = 6, 10, 5, 7, 300
WORDS = ["unk", "sos", "eos", "a", "person", "walk", "slowly", "the"]


def draw(generator: np.random.Generator, *shape: int) -> np.ndarray:
    return (0.4 * generator.normal(size=shape)).astype(np.float32)


def sequence_state(generator: np.random.Generator, features: int, hidden: int) -> dict[str, np.ndarray]:
    """Names and shapes of a published co-embedding encoder."""
    state = {"hidden": draw(generator, 2, 1, hidden), "input_emb.weight": draw(generator, hidden, features)}
    state["input_emb.bias"] = draw(generator, hidden)
    for suffix in ("", "_reverse"):
        for kind in ("ih", "hh"):
            state[f"gru.weight_{kind}_l0{suffix}"] = draw(generator, 3 * hidden, hidden)
            state[f"gru.bias_{kind}_l0{suffix}"] = draw(generator, 3 * hidden)
    state |= {"output_net.0.weight": draw(generator, hidden, 2 * hidden), "output_net.0.bias": draw(generator, hidden)}
    state |= {"output_net.1.weight": draw(generator, hidden), "output_net.1.bias": draw(generator, hidden)}
    return state | {"output_net.3.weight": draw(generator, SPACE, hidden), "output_net.3.bias": draw(generator, SPACE)}


def states() -> dict[str, dict[str, np.ndarray]]:
    generator = np.random.default_rng(0)
    movement = {
        "main.0.weight": draw(generator, MOVEMENT, 259, 4) / 10,
        "main.0.bias": draw(generator, MOVEMENT),
        "main.3.weight": draw(generator, MOVEMENT, MOVEMENT, 4),
        "main.3.bias": draw(generator, MOVEMENT),
        "out_net.weight": draw(generator, MOVEMENT, MOVEMENT),
        "out_net.bias": draw(generator, MOVEMENT),
    }
    text = sequence_state(generator, WORD, TEXT)
    text |= {"pos_emb.weight": draw(generator, WORD, 15), "pos_emb.bias": draw(generator, WORD)}
    return {
        "movement_encoder": movement,
        "motion_encoder": sequence_state(generator, MOVEMENT, MOTION),
        "text_encoder": text,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The downloads unpacked: checkpoint, vocabulary and evaluation statistics."""
    generator = np.random.default_rng(1)
    model = tmp_path / "t2m" / "text_mot_match" / "model"
    meta = tmp_path / "t2m" / "Comp_v6_KLD005" / "meta"
    glove = tmp_path / "glove"
    for path in (model, meta, glove):
        path.mkdir(parents=True)
    content: dict[str, object] = {
        part: {name: torch.from_numpy(value) for name, value in state.items()} for part, state in states().items()
    }
    content |= {"opt_text_encoder": {"state": {}, "param_groups": [{"lr": 1e-4}]}, "epoch": 12, "iter": 34567}
    torch.save(content, model / "finest.tar")
    np.save(meta / "mean.npy", generator.normal(size=263).astype(np.float32))
    np.save(meta / "std.npy", generator.uniform(0.5, 2, size=263).astype(np.float32))
    np.save(glove / "our_vab_data.npy", draw(generator, len(WORDS), WORD))
    (glove / "our_vab_words.pkl").write_bytes(pickle.dumps(WORDS))
    (glove / "our_vab_idx.pkl").write_bytes(pickle.dumps({word: row for row, word in enumerate(WORDS)}))
    return tmp_path


class Data:
    """What the evaluator asks of a data module."""

    def caption_tokens(self) -> dict[str, str]:
        return {"A person walks slowly.": "a/DET person/NOUN walk/VERB slowly/ADV", "Moves.": "move/VERB"}


def leaky(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, 0.2 * values)


def convolve(frames: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Kernel 4, stride 2, one zero on either side: ``(T, F)`` to ``(T / 2, K)``."""
    padded = np.pad(frames, ((1, 1), (0, 0)))
    return np.stack([np.einsum("kft,tf->k", weight, padded[2 * t : 2 * t + 4]) + bias for t in range(len(frames) // 2)])


def encode(state: dict[str, np.ndarray], steps: np.ndarray) -> np.ndarray:
    """Cho et al.'s gated recurrent unit over ``(L, F)`` in both directions, and the projection of the last states."""

    def sigmoid(values: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-values))

    inputs = steps @ state["input_emb.weight"].T + state["input_emb.bias"]
    ends = []
    for direction, suffix in enumerate(("", "_reverse")):
        hidden = state["hidden"][direction, 0]
        for step in inputs[:: -1 if direction else 1]:
            from_input = state[f"gru.weight_ih_l0{suffix}"] @ step + state[f"gru.bias_ih_l0{suffix}"]
            from_hidden = state[f"gru.weight_hh_l0{suffix}"] @ hidden + state[f"gru.bias_hh_l0{suffix}"]
            (ir, iz, inew), (hr, hz, hnew) = np.split(from_input, 3), np.split(from_hidden, 3)
            reset, update = sigmoid(ir + hr), sigmoid(iz + hz)
            hidden = (1 - update) * np.tanh(inew + reset * hnew) + update * hidden
        ends.append(hidden)
    joined = np.concatenate(ends) @ state["output_net.0.weight"].T + state["output_net.0.bias"]
    normal = (joined - joined.mean()) / np.sqrt(joined.var() + 1e-5)
    normal = normal * state["output_net.1.weight"] + state["output_net.1.bias"]
    return leaky(normal) @ state["output_net.3.weight"].T + state["output_net.3.bias"]


def test_motions_equal_the_equations(folder: Path) -> None:
    evaluator = GuoEvaluator(folder, data=Data())
    assert evaluator.name == "guo2022"
    features = torch.randn(3, 60, 263, generator=torch.Generator().manual_seed(2))
    lengths = [41, 60, 20]
    found = evaluator.embed_motions(features, torch.tensor(lengths)).numpy()
    mean, std = (np.load(folder / "t2m" / "Comp_v6_KLD005" / "meta" / f"{name}.npy") for name in ("mean", "std"))
    layers = states()
    movement = layers["movement_encoder"]
    for row, length in enumerate(lengths):
        padded = np.zeros((196, 259))
        padded[:length] = ((features[row, :length].numpy() - mean) / std)[:, :259]
        hidden = leaky(convolve(padded, movement["main.0.weight"], movement["main.0.bias"]))
        hidden = leaky(convolve(hidden, movement["main.3.weight"], movement["main.3.bias"]))
        hidden = hidden @ movement["out_net.weight"].T + movement["out_net.bias"]
        expected = encode(layers["motion_encoder"], hidden[: length // 4])
        np.testing.assert_allclose(found[row], expected, rtol=1e-3, atol=1e-4)


def test_an_embedding_depends_on_neither_padding_nor_contacts(folder: Path) -> None:
    evaluator = GuoEvaluator(folder)
    features = torch.randn(2, 80, 263, generator=torch.Generator().manual_seed(3))
    whole = evaluator.embed_motions(features, torch.tensor([80, 44]))
    other = features[1:, :44].clone()
    other[..., 259:] = 9.0
    torch.testing.assert_close(whole[1:], evaluator.embed_motions(other, torch.tensor([44])))


def test_texts_equal_the_equations(folder: Path) -> None:
    evaluator = GuoEvaluator(folder, data=Data())
    found = evaluator.embed_texts(["A person walks slowly.", "Moves."]).numpy()
    vectors = np.load(folder / "glove" / "our_vab_data.npy")
    classes = ["VERB", "NOUN", "DET", "ADP", "NUM", "AUX", "PRON", "ADJ", "ADV"]
    classes += ["Loc_VIP", "Body_VIP", "Obj_VIP", "Act_VIP", "Desc_VIP", "OTHER"]
    state = states()["text_encoder"]
    sentences = [
        # walk and slowly are of their lists' classes, whatever their part of speech
        [("sos", "OTHER"), ("a", "DET"), ("person", "NOUN"), ("walk", "Act_VIP"), ("slowly", "Desc_VIP"),
         ("eos", "OTHER")],
        [("sos", "OTHER"), ("unk", "OTHER"), ("eos", "OTHER")],  # a word that the vocabulary lacks
    ]  # fmt: skip
    for row, sentence in enumerate(sentences):
        one_hot = np.stack([np.eye(15)[classes.index(name)] for _, name in sentence])
        words = np.stack([vectors[WORDS.index(word)] for word, _ in sentence])
        steps = words + one_hot @ state["pos_emb.weight"].T + state["pos_emb.bias"]
        np.testing.assert_allclose(found[row], encode(state, steps), rtol=1e-3, atol=1e-4)
    assert evaluator.notes == []


def test_captions_without_tokens_are_read_as_words_and_noted(folder: Path) -> None:
    evaluator = load_evaluator(folder, data=Data(), cache_dir="unused")
    assert split_words("The person walks!") == [
        Token("the", "OTHER"),
        Token("person", "OTHER"),
        Token("walks", "OTHER"),
    ]
    evaluator.embed_texts(["A person walks slowly.", "the person", "the person"])
    (note,) = evaluator.notes
    assert note.startswith("1 captions came without published tokens")


def test_long_captions_are_cut_after_twenty_tokens(folder: Path) -> None:
    vocabulary = Vocabulary.read(folder / "glove")
    batch = vocabulary.encode([parse_tokens("walk/VERB " * 30), parse_tokens("a/DET")])
    assert batch.lengths.tolist() == [22, 3]
    assert batch.vectors.shape == (2, 22, WORD)
    np.testing.assert_array_equal(batch.vectors[0, 21], vocabulary.vectors[WORDS.index("eos")])
    assert not batch.classes[1, 3:].any()


def write_hostile(path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (path.parent / "touched",))

    path.write_bytes(pickle.dumps(Hostile()))


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda root: shutil.rmtree(root / "glove"), "our_vab_data.npy not found below"),
        (lambda root: (root / "t2m/text_mot_match/model/finest.tar").unlink(), "finest.tar not found below"),
        (lambda root: (root / "t2m/text_mot_match/model/finest.tar").write_bytes(b"no"), "cannot be read|is damaged"),
        (lambda root: torch.save({"epoch": 1}, root / "t2m/text_mot_match/model/finest.tar"), "has no state dict"),
        (lambda root: np.save(root / "t2m/Comp_v6_KLD005/meta/std.npy", np.zeros(263)), "std is 0"),
        (lambda root: shutil.rmtree(root / "t2m/Comp_v6_KLD005"), "have no evaluation statistics"),
        (lambda root: (root / "glove/our_vab_idx.pkl").write_bytes(pickle.dumps({"unk": 99})), "have no row"),
        (lambda root: (root / "glove/our_vab_words.pkl").unlink(), "our_vab_words.pkl not found"),
        (lambda root: write_hostile(root / "glove/our_vab_words.pkl"), "expected nothing but words and numbers"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_files_is_named(folder: Path, break_it: object, message: str) -> None:
    break_it(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
        GuoEvaluator(folder)
    assert "\n" not in str(error.value)
    assert not (folder / "glove" / "touched").exists()


def test_a_checkpoint_of_other_features_is_refused(folder: Path) -> None:
    path = folder / "t2m/text_mot_match/model/finest.tar"
    content = torch.load(path, weights_only=True)
    content["movement_encoder"]["main.0.weight"] = torch.zeros(MOVEMENT, 247, 4)  # KIT-ML's
    torch.save(content, path)
    with pytest.raises(ValueError, match="reads 247 features a frame, expected 259"):
        GuoEvaluator(folder)
    del content["motion_encoder"]["hidden"]
    torch.save(content, path)
    with pytest.raises(ValueError, match="is of another model"):
        GuoEvaluator(folder)


def test_a_motion_shorter_than_a_movement_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="a motion has 3 frames, expected at least 4"):
        GuoEvaluator(folder).embed_motions(torch.zeros(1, 8, 263), torch.tensor([3]))
