"""Words as the published text-motion evaluators read them: GloVe vectors and parts of speech.

Guo et al., CVPR 2022: each token is a 300-number GloVe vector (Pennington et al. 2014, doi:10.3115/v1/D14-1162) and
one of fifteen word classes, five of which are lists of words that matter for motion. The vocabulary is published as
``our_vab_data.npy``, ``our_vab_words.pkl`` (a list) and ``our_vab_idx.pkl`` (word to row).
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MAX_TOKENS: Final = 20
"""Tokens of a caption that are read; a start and an end token come on top."""

_CLASSES: Final = (
    "VERB", "NOUN", "DET", "ADP", "NUM", "AUX", "PRON", "ADJ", "ADV",
    "Loc_VIP", "Body_VIP", "Obj_VIP", "Act_VIP", "Desc_VIP", "OTHER",
)  # fmt: skip

NUM_CLASSES: Final = len(_CLASSES)

_LISTS: Final[Mapping[str, str]] = {
    "Loc_VIP": "left right clockwise counterclockwise anticlockwise forward back backward up down straight curve",
    "Body_VIP": "arm chin foot feet face hand mouth leg waist eye knee shoulder thigh",
    "Obj_VIP": "stair dumbbell chair window floor car ball handrail baseball basketball",
    "Act_VIP": "walk run swing pick bring kick put squat throw hop dance jump turn stumble stop sit lift lower raise "
    "wash stand kneel stroll rub bend balance flap jog shuffle lean rotate spin spread climb",
    "Desc_VIP": "slowly carefully fast careful slow quickly happy angry sad happily angrily sadly",
}
"""Words of a class of their own, whatever their part of speech."""

_CLASS_OF: Final = {word: name for name, words in _LISTS.items() for word in words.split()}


class Token(NamedTuple):
    """A word and its part of speech, as HumanML3D's texts write them: ``walk/VERB``."""

    word: str
    part: str


class WordBatch(NamedTuple):
    """Tokens of B captions as numbers.

    Attributes:
        vectors: word vectors ``(B, L, 300)``, zero beyond each caption.
        classes: one-hot word classes ``(B, L, 15)``.
        lengths: tokens of each caption ``(B,)``, start and end included.
    """

    vectors: Tensor
    classes: Tensor
    lengths: Tensor


@dataclass(frozen=True)
class Vocabulary:
    """Word vectors by word.

    Attributes:
        vectors: ``(V, 300)``.
        rows: row of each word; ``unk``, ``sos`` and ``eos`` are among them.
    """

    vectors: NDArray[np.float32]
    rows: Mapping[str, int]

    @classmethod
    def read(cls, folder: Path) -> Vocabulary:
        """Read ``our_vab_data.npy``, ``our_vab_words.pkl`` and ``our_vab_idx.pkl``; no code in them is executed.

        Raises:
            FileNotFoundError: a file is absent.
            ValueError: a file is damaged, holds anything but words and numbers, or the three do not fit together.
        """
        paths = [folder / f"our_vab_{name}" for name in ("data.npy", "words.pkl", "idx.pkl")]
        for path in paths:
            if not path.is_file():
                raise FileNotFoundError(f"{path} not found; the evaluators' download holds it in its folder glove")
        try:
            vectors = np.load(paths[0], allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise ValueError(f"{paths[0]} cannot be read ({error}); copy or download it again") from None
        words, rows = (_read_plain_pickle(path) for path in paths[1:])
        if not isinstance(words, list) or not isinstance(rows, dict) or vectors.ndim != 2:
            raise ValueError(f"{folder} holds no vocabulary, expected a list of words and a dictionary of their rows")
        known = {str(word): int(rows.get(word, -1)) for word in words}
        if any(not 0 <= row < len(vectors) for row in known.values()) or not {"unk", "sos", "eos"} <= known.keys():
            raise ValueError(
                f"words of {paths[1].name} have no row in {paths[0].name}, or unk, sos or eos is missing; "
                "take all three files from one download"
            )
        return cls(vectors.astype(np.float32), known)

    def encode(self, captions: Sequence[Sequence[Token]]) -> WordBatch:
        """Return the tokens of captions, the first twenty of each between a start and an end token, as numbers."""
        framed = [[Token("sos", "OTHER"), *tokens[:MAX_TOKENS], Token("eos", "OTHER")] for tokens in captions]
        lengths = torch.tensor([len(tokens) for tokens in framed])
        vectors = torch.zeros(len(framed), int(lengths.max()), self.vectors.shape[1])
        classes = torch.zeros(*vectors.shape[:2], NUM_CLASSES)
        for row, tokens in enumerate(framed):
            for place, token in enumerate(tokens):
                word = token.word if token.word in self.rows else "unk"
                name = _CLASS_OF.get(token.word, token.part) if word == token.word else "OTHER"
                vectors[row, place] = torch.from_numpy(self.vectors[self.rows[word]])
                classes[row, place, _CLASSES.index(name if name in _CLASSES else "OTHER")] = 1.0
        return WordBatch(vectors, classes, lengths)


def split_words(caption: str) -> list[Token]:
    """Return the words of a caption without parts of speech: a makeshift for captions that come without tokens."""
    return [Token(word, "OTHER") for word in re.findall(r"[a-z]+", caption.lower())]


def parse_tokens(text: str) -> list[Token]:
    """Return the tokens of ``a/DET person/NOUN walk/VERB``."""
    pairs = (token.rpartition("/") for token in text.split())
    return [Token(word, part) for word, _, part in pairs if word]


class _PlainUnpickler(pickle.Unpickler):
    """Reads lists, dictionaries, words and numbers; a pickle that names any function to call is refused."""

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        raise ValueError(f"asks for {module}.{name}, expected nothing but words and numbers")


def _read_plain_pickle(path: Path) -> object:
    try:
        content: object = _PlainUnpickler(io.BytesIO(path.read_bytes())).load()
    except Exception as error:  # a damaged pickle raises anything, from KeyError to UnicodeDecodeError
        raise ValueError(f"{path} is not read: {error}; take it from a source you trust") from None
    return content
