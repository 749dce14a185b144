"""The published text-motion evaluators of HumanML3D (Guo et al., CVPR 2022), loaded from the files their authors give.

A motion is two strided convolutions (one number of movements for four frames) and a bidirectional GRU; a text is a
bidirectional GRU over its words; both end in one space. Parameters carry the published names, so that ``finest.tar``
loads as it is; its widths are read off the tensors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from lightning_modules.evaluation.guo_vocabulary import Token, Vocabulary, parse_tokens, split_words
from lightning_modules.training.feature_statistics import FeatureStatistics
from lightning_modules.weights import load_plainly
from sim.features import FEATURE_SLICES

MOVEMENT_FRAMES: Final = 4
"""Frames that make one movement."""

PADDED_FRAMES: Final = 196
"""Motions are padded with zeros to so many frames, as the evaluators were trained."""

_PARTS: Final = ("movement_encoder", "motion_encoder", "text_encoder")
_LEAK: Final = 0.2


@runtime_checkable
class TokenisedCaptions(Protocol):
    """A data module that knows the published tokens of its captions."""

    def caption_tokens(self) -> Mapping[str, str]:
        """Return tokens, written ``a/DET person/NOUN walk/VERB``, by caption."""
        ...


@runtime_checkable
class EvaluationStatistics(Protocol):
    """A data module that knows the statistics that the published evaluators normalise with."""

    def evaluation_statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, each ``(263,)``."""
        ...


class MovementEncoder(nn.Module):
    """Two strided convolutions: features ``(B, T, F)`` to movements ``(B, T / 4, D)``."""

    def __init__(self, features: int, hidden: int, width: int) -> None:
        super().__init__()
        # Dropout and activations have no parameters, but their places number those that have.
        self.main = nn.Sequential(
            nn.Conv1d(features, hidden, 4, stride=2, padding=1),
            nn.Dropout(0.2),
            nn.LeakyReLU(_LEAK),
            nn.Conv1d(hidden, width, 4, stride=2, padding=1),
            nn.Dropout(0.2),
            nn.LeakyReLU(_LEAK),
        )
        self.out_net = nn.Linear(width, width)

    def forward(self, features: Tensor) -> Tensor:
        """Return movements."""
        movements: Tensor = self.out_net(self.main(features.mT).mT)
        return movements


class SequenceEncoder(nn.Module):
    """A bidirectional GRU and its last states, projected: ``(B, L, F)`` to ``(B, D)``; ``pos`` adds word classes."""

    def __init__(self, features: int, hidden: int, width: int, pos: int | None = None) -> None:
        super().__init__()
        if pos is not None:
            self.pos_emb = nn.Linear(pos, features)
        self.input_emb = nn.Linear(features, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True, bidirectional=True)
        self.output_net = nn.Sequential(
            nn.Linear(2 * hidden, hidden), nn.LayerNorm(hidden), nn.LeakyReLU(_LEAK), nn.Linear(hidden, width)
        )
        self.hidden = nn.Parameter(torch.zeros(2, 1, hidden))

    def forward(self, sequence: Tensor, lengths: Tensor, classes: Tensor | None = None) -> Tensor:
        """Return one embedding for each sequence; what lies beyond ``lengths (B,)`` is not read."""
        if classes is not None:
            sequence = sequence + self.pos_emb(classes)
        packed = pack_padded_sequence(self.input_emb(sequence), lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed, self.hidden.expand(-1, len(sequence), -1).contiguous())
        embedding: Tensor = self.output_net(torch.cat([last[0], last[1]], dim=-1))
        return embedding


class GuoEvaluator(nn.Module):
    """Embeddings of texts and motions by the published evaluators.

    Args:
        folder: under which ``finest.tar``, the three files ``our_vab_*`` and, unless ``data`` has them, the evaluation
            statistics (``mean.npy`` and ``std.npy``) lie, at any depth, as the downloads unpack.
        data: the data module at hand: it may give the statistics and the captions' published tokens.

    Attributes:
        name: what numbers that rest on it are called.
        notes: what a reader of its numbers has to know.

    Raises:
        FileNotFoundError: a file is absent.
        ValueError: a file is damaged, would execute code, or is of another model.
    """

    name: Final = "guo2022"

    def __init__(self, folder: str | Path, *, data: object = None) -> None:
        super().__init__()
        root = Path(folder)
        path = find_one(root, "finest.tar", under="text_mot_match")
        states = _read_states(path)
        self.movement_encoder, self.motion_encoder, self.text_encoder = _build(states, path)
        self.vocabulary = Vocabulary.read(find_one(root, "our_vab_data.npy", under="glove").parent)
        self.statistics = FeatureStatistics()
        self.statistics.set(*_find_statistics(root, data))
        self.tokens = dict(data.caption_tokens()) if isinstance(data, TokenisedCaptions) else {}
        self._untold: set[str] = set()
        self.requires_grad_(False).eval()

    @property
    def notes(self) -> list[str]:
        """What a reader of its numbers has to know."""
        if not self._untold:
            return []
        return [
            f"{len(self._untold)} captions came without published tokens and were read as plain words: R-precision and "
            "matching score do not compare with published ones"
        ]

    @torch.no_grad()
    def embed_motions(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Return embeddings ``(B, D)`` of motions.

        Args:
            features: de-normalised HumanML3D features ``(B, T, 263)`` at 20 fps; foot contacts are not read.
            lengths: valid frames of each ``(B,)``, at least 4; what goes beyond a multiple of four is not read.

        Raises:
            ValueError: a motion is shorter.
        """
        if int(lengths.min()) < MOVEMENT_FRAMES:
            raise ValueError(f"a motion has {int(lengths.min())} frames, expected at least {MOVEMENT_FRAMES}")
        mask = torch.arange(features.shape[1], device=features.device) < lengths.to(features.device)[:, None]
        normal = self.statistics.normalise(features.float(), mask)[..., : FEATURE_SLICES.foot_contacts.start]
        normal = nn.functional.pad(normal, (0, 0, 0, max(0, PADDED_FRAMES - normal.shape[1])))
        embedding: Tensor = self.motion_encoder(self.movement_encoder(normal), lengths // MOVEMENT_FRAMES)
        return embedding

    @torch.no_grad()
    def embed_texts(self, captions: Sequence[str]) -> Tensor:
        """Return embeddings ``(B, D)`` of captions, by their published tokens where they are known."""
        self._untold |= {caption for caption in captions if caption not in self.tokens}
        words = self.vocabulary.encode([self._tokenise(caption) for caption in captions])
        device = self.statistics.mean.device
        embedding: Tensor = self.text_encoder(words.vectors.to(device), words.lengths, words.classes.to(device))
        return embedding

    def _tokenise(self, caption: str) -> list[Token]:
        tokens = self.tokens.get(caption)
        return split_words(caption) if tokens is None else parse_tokens(tokens)


def find_one(root: Path, name: str, *, under: str) -> Path:
    """Return the file of that name below a folder; of several the one that lies in a folder named ``under``.

    Raises:
        FileNotFoundError: there is none.
        ValueError: there are several, and not one of them is in such a folder.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"evaluator {root} is no folder; give the one that the evaluators were unpacked in")
    found = sorted(root.rglob(name))
    if not found:
        raise FileNotFoundError(
            f"{name} not found below {root}; unpack HumanML3D's evaluators there "
            "(github.com/EricGuo5513/text-to-motion), or train one with `lightning fit -c experiments/evaluator.yaml`"
        )
    chosen = found if len(found) == 1 else [path for path in found if under in path.parts]
    if len(chosen) != 1:
        raise ValueError(f"{root} holds {len(found)} files {name}, expected one; give the folder of the one you mean")
    return chosen[0]


def _read_states(path: Path) -> dict[str, dict[str, Tensor]]:
    content = load_plainly(path)
    states: dict[str, dict[str, Tensor]] = {}
    for part in _PARTS:
        state = content.get(part)
        if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
            raise ValueError(f"{path} has no state dict {part!r}, expected {', '.join(_PARTS)} as text_mot_match has")
        states[part] = dict(state)
    return states


def _build(
    states: Mapping[str, Mapping[str, Tensor]], path: Path
) -> tuple[MovementEncoder, SequenceEncoder, SequenceEncoder]:
    movement, motion, text = (states[part] for part in _PARTS)
    try:
        first, second = movement["main.0.weight"].shape, movement["main.3.weight"].shape
        encoders = (
            MovementEncoder(first[1], first[0], second[0]),
            SequenceEncoder(*_read_widths(motion)),
            SequenceEncoder(*_read_widths(text), pos=text["pos_emb.weight"].shape[1]),
        )
        for encoder, state in zip(encoders, (movement, motion, text), strict=True):
            encoder.load_state_dict(state)
    except (KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ValueError(f"{path} is of another model ({reason}); use finest.tar of text_mot_match") from None
    if first[1] != FEATURE_SLICES.foot_contacts.start:
        raise ValueError(
            f"{path} reads {first[1]} features a frame, expected {FEATURE_SLICES.foot_contacts.start}; use HumanML3D's"
        )
    return encoders


def _read_widths(state: Mapping[str, Tensor]) -> tuple[int, int, int]:
    """Return input, hidden and output width of a sequence encoder."""
    hidden, features = state["input_emb.weight"].shape
    return features, hidden, state["output_net.3.weight"].shape[0]


def _find_statistics(root: Path, data: object) -> tuple[Tensor, Tensor]:
    if list(root.rglob("mean.npy")):
        mean = find_one(root, "mean.npy", under="Comp_v6_KLD005")
        try:
            arrays = [np.load(path, allow_pickle=False) for path in (mean, mean.with_name("std.npy"))]
        except (ValueError, EOFError, OSError) as error:
            raise ValueError(f"statistics in {mean.parent} cannot be read ({error}); copy both files again") from None
        return torch.from_numpy(arrays[0]).float(), torch.from_numpy(arrays[1]).float()
    if isinstance(data, EvaluationStatistics):
        return data.evaluation_statistics()
    raise FileNotFoundError(
        f"no mean.npy below {root}, and the data have no evaluation statistics; copy Comp_v6_KLD005/meta there"
    )
