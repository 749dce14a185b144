"""The published folder of HumanML3D: split lists, captions with their spans, features and statistics.

Guo et al., "Generating Diverse and Natural 3D Human Motions from Text", CVPR 2022; the layout is that of
https://github.com/EricGuo5513/HumanML3D. Which clips are kept is MDM's rule (Tevet et al. 2022, arXiv:2209.14916,
``data_loaders/humanml/data/dataset.py``), and so is what is made of captions that describe a part of a motion only.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.formats.joints import refuse_normalised
from datamodules.splits import Split
from sim.conventions import FEATURE_FPS, NUM_FEATURES
from sim.files import is_hidden, named_damage, read_text_file, refuse_declared, refuse_pointer_file

MIN_FRAMES: Final = 40
"""Fewest frames of a clip (``min_motion_len``)."""

FRAME_LIMIT: Final = 200
"""Clips of this many frames or more are left out, and with a motion all captions of its parts."""

SPLITS: Final[tuple[Split, ...]] = ("train", "val", "test")

_WHERE: Final = "the set is made as https://github.com/EricGuo5513/HumanML3D describes"


class Caption(NamedTuple):
    """A caption and the frames ``[start, end)`` that it describes, None for the whole motion."""

    text: str
    frames: tuple[int, int] | None


@dataclass(frozen=True)
class ClipSpan:
    """A clip to train on: a motion, or the part of one that a caption of its own describes.

    Attributes:
        name: the motion's name, for a part with ``@start-end/number`` of its frames and its caption.
        start: first frame in the motion.
        length: frames.
        captions: texts, one at least.
    """

    name: str
    start: int
    length: int
    captions: tuple[str, ...]


@dataclass(frozen=True)
class FileStamp:
    """Size [bytes] and time of the last change [ns] of a file, by which a change is noticed."""

    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Listing:
    """What a folder of HumanML3D holds, without having read any motion.

    Attributes:
        root: the folder.
        names: motions of each split, in the order of its list.
        motions: stamps of the files in ``new_joint_vecs``, by motion.
        texts: stamps of the files in ``texts``, by motion.
    """

    root: Path
    names: dict[Split, tuple[str, ...]]
    motions: dict[str, FileStamp]
    texts: dict[str, FileStamp]

    def present(self, split: Split) -> list[str]:
        """Return the motions of a split that have a file."""
        return [name for name in self.names[split] if name in self.motions]

    def motion_path(self, name: str) -> Path:
        """Return the file of a motion's features."""
        return self.root / "new_joint_vecs" / f"{name}.npy"

    def text_path(self, name: str) -> Path:
        """Return the file of a motion's captions."""
        return self.root / "texts" / f"{name}.txt"


def list_files(root: str | Path) -> Listing:
    """Return what the folder holds; motions without a file are allowed, for the published lists name some.

    Raises:
        FileNotFoundError: the folder, one of its parts or a split's list is absent.
        ValueError: a list is empty or names a motion twice, or no motion of a list has a file.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise FileNotFoundError(f"HumanML3D folder {folder} not found; {_WHERE}, then give its path as root")
    parts = ["new_joint_vecs", "texts", *(f"{split}.txt" for split in SPLITS), "Mean.npy", "Std.npy"]
    missing = [part for part in parts if not (folder / part).exists()]
    if missing:
        raise FileNotFoundError(
            f"{folder} has no {', '.join(missing)}, expected {', '.join(parts)} in a HumanML3D folder; {_WHERE}"
        )
    motions, texts = _scan(folder / "new_joint_vecs", ".npy"), _scan(folder / "texts", ".txt")
    listing = Listing(folder, {split: _read_names(folder / f"{split}.txt") for split in SPLITS}, motions, texts)
    for split in SPLITS:
        names = listing.names[split]
        if not listing.present(split):
            raise ValueError(
                f"none of the {len(names)} motions in {folder / f'{split}.txt'} (the first is {names[0]}) has a file "
                f"in {folder / 'new_joint_vecs'}, which holds {len(motions)}; copy them there, or correct the list"
            )
    return listing


def read_captions(path: Path) -> list[Caption]:
    """Read lines ``caption#tokens#start#end``, times in seconds; nan counts as 0, and 0 to 0 is the whole motion.

    Raises:
        FileNotFoundError: the file is absent.
        ValueError: it has no caption, or a line that is not of this form.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"captions {path} not found, but the motion is there; copy the file, or unlist the motion"
        )
    captions = []
    for number, line in enumerate(read_text_file(path).splitlines(), start=1):
        if line.strip():
            captions.append(_parse_caption(line.strip(), f"line {number} of {path}"))
    if not captions:
        raise ValueError(
            f"{path} holds no caption, expected lines caption#tokens#start#end; unlist the motion or add one"
        )
    return captions


def read_tokens(path: Path) -> dict[str, str]:
    """Read the tokens of each caption of a file, written ``a/DET person/NOUN walk/VERB``.

    Raises:
        FileNotFoundError: the file is absent.
        ValueError: it has no caption, or a line that is not ``caption#tokens#start#end``.
    """
    captions = read_captions(path)
    lines = [line for line in read_text_file(path).splitlines() if line.strip()]
    return {caption.text: line.split("#")[1].strip() for caption, line in zip(captions, lines, strict=True)}


def read_features(path: Path) -> NDArray[np.float32]:
    """Read features ``(T, 263)`` of a motion at 20 fps.

    Raises:
        ValueError: the file is damaged, of another shape, or holds values that are not finite or normalised ones.
    """
    refuse_pointer_file(path)
    refuse_declared(path)
    try:
        features = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise
    except Exception as error:  # numpy raises anything over a damaged header
        raise ValueError(f"{path} is no readable .npy array ({error}); copy it again, or unlist the motion") from None
    if features.ndim != 2 or features.shape[1] != NUM_FEATURES or features.dtype.kind not in "fiu":
        raise ValueError(
            f"{path} holds {features.dtype} of shape {features.shape}, expected (frames, {NUM_FEATURES}) numbers; "
            "new_joint_vecs holds features, new_joints positions: give the former"
        )
    bad = int((~np.isfinite(features).all(axis=1)).sum())
    if bad:
        raise ValueError(
            f"{path} has values that are not finite in {bad} of {len(features)} frames, expected none; "
            "make the features again, or take the motion's name out of the split lists"
        )
    refuse_normalised(features, path)
    return features.astype(np.float32, copy=False)


def select_clips(name: str, num_frames: int, captions: Sequence[Caption]) -> list[ClipSpan]:
    """Return the clips that MDM makes of a motion: itself with the captions of the whole, and a clip for each part.

    Anything shorter than 40 frames or of 200 and more is left out; a motion that is, with all its parts.
    """
    if not MIN_FRAMES <= num_frames < FRAME_LIMIT:
        return []
    whole = tuple(caption.text for caption in captions if caption.frames is None)
    clips = [ClipSpan(name, 0, num_frames, whole)] if whole else []
    for number, caption in enumerate(captions):
        start, end = caption.frames or (0, 0)
        length = min(end, num_frames) - start
        if MIN_FRAMES <= length < FRAME_LIMIT:
            clips.append(ClipSpan(f"{name}@{start}-{end}/{number}", start, length, (caption.text,)))
    return clips


def read_statistics(mean: Path, std: Path) -> tuple[Tensor, Tensor]:
    """Read mean ``(263,)`` and standard deviation ``(263,)``, float32.

    Raises:
        FileNotFoundError: a file is absent.
        ValueError: a shape is another one, a value is not finite, or a deviation is not above 0.
    """
    arrays = []
    for path in (mean, std):
        if not path.is_file():
            raise FileNotFoundError(f"statistics {path} not found; copy the file that was published with the set")
        refuse_pointer_file(path)
        refuse_declared(path)
        with named_damage(path):
            array = np.load(path, allow_pickle=False)
        if array.shape != (NUM_FEATURES,) or not np.isfinite(array).all() or (path == std and not (array > 0).all()):
            raise ValueError(
                f"{path} has shape {array.shape}, expected {NUM_FEATURES} finite numbers"
                f"{' above 0' if path == std else ''}; copy the file that was published with the set"
            )
        arrays.append(torch.from_numpy(array).float())
    return arrays[0], arrays[1]


def _parse_caption(line: str, place: str) -> Caption:
    fields = line.split("#")
    try:
        text, seconds = fields[0].strip(), [float(field) for field in fields[2:4]]
    except ValueError:
        text, seconds = "", []
    seconds = [0.0 if math.isnan(value) else value for value in seconds]
    if not text or len(seconds) != 2 or not all(0 <= value < math.inf for value in seconds):
        raise ValueError(
            f"{place} is {line!r}, expected caption#tokens#start#end with a text and times in seconds; "
            "correct the line or remove it"
        )
    start, end = (int(value * FEATURE_FPS) for value in seconds)
    return Caption(text, (start, end) if any(seconds) else None)


def _read_names(path: Path) -> tuple[str, ...]:
    names = read_text_file(path).split()
    if not names:
        raise ValueError(f"{path} is empty, expected the name of one motion in each line; copy the published list")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{path} names {twice} twice, expected each motion once; remove the second")
    return tuple(names)


def _scan(folder: Path, suffix: str) -> dict[str, FileStamp]:
    with os.scandir(folder) as entries:
        found = {
            entry.name.removesuffix(suffix): entry.stat()
            for entry in entries
            if entry.name.endswith(suffix) and not is_hidden(entry.name)
        }
    return {name: FileStamp(stat.st_size, stat.st_mtime_ns) for name, stat in sorted(found.items())}
