"""The embedded motion pack: recorded clips of every activity in one compact file, opened clip by clip.

Rotations are 16-bit rotation vectors, the path is in tenths of a millimetre; both are kept as differences from frame to
frame, which compress well and add up again without error.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from datamodules.byte_planes import gather_bytes, spread_bytes
from datamodules.clips.captions import caption_clip
from datamodules.clips.clip import Clip
from datamodules.splits import Split
from sim.files import whole_file
from sim.motion import Motion

STEP_RAD: Final[float] = np.pi / 32767
STEP_M: Final[float] = 1e-4
"""Steps of rotation vectors [rad] and of the path [m]. They move joints by 0.06 mm RMS and leave less than 0.2 m/s^2
RMS in the second difference of any joint at 30 fps (tests measure it)."""

PACK: Final[str] = "assets/motion_pack.npz"


@dataclass(frozen=True)
class PackedClip:
    """What the pack says of one clip.

    Attributes:
        name: the recording and where the clip begins in it.
        origin: the recording, as a collection of sets names it (``cmu_amc/16/16_35``).
        activity: canonical activity.
        said: sentences of this very clip, beside those of its activity.
        split: side of the split.
        group: clips of one group were recorded together.
        person: who moves, or None.
        licence: terms in short.
        fps: frame rate [Hz].
        first: where its frames begin in the pack.
        frames: how many they are.
    """

    name: str
    origin: str
    activity: str
    said: tuple[str, ...]
    split: Split
    group: str
    person: str | None
    licence: str
    fps: float
    first: int
    frames: int

    @property
    def key(self) -> str:
        """Hash of what determines the clip: the pack, and which clip of it."""
        return hashlib.sha256(f"{_digest()} {self.name}".encode()).hexdigest()

    def load(self) -> Clip:
        """Decode the clip."""
        vectors, path = _open_arrays()
        part = slice(self.first, self.first + self.frames)
        motion = decode_motion(vectors[part], path[part], self.fps)
        captions = caption_clip(self.activity, extra=self.said)
        return Clip(self.name, motion, self.activity, captions, "embedded", licence=self.licence)


def list_packed() -> tuple[PackedClip, ...]:
    """Return what the packaged file holds, without decoding it; nothing where there is no such file."""
    return _read_about()


def encode_motion(motion: Motion) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Return the differences that a motion is kept as: rotation vectors ``(T, 66)`` and path ``(T, 3)``, int16.

    The path begins at the origin of the floor, at its own height.

    Raises:
        ValueError: the pelvis moves more than 3.2 m from one frame to the next.
    """
    vectors = Rotation.from_matrix(motion.rotations.double().numpy().reshape(-1, 3, 3)).as_rotvec()
    steps = np.rint(vectors.reshape(motion.num_frames, -1) / STEP_RAD).astype(np.int64)
    path = motion.translation.double().numpy() - motion.translation[:1].double().numpy() * np.array([1.0, 0.0, 1.0])
    places = np.rint(path / STEP_M).astype(np.int64)
    moves = np.diff(places, axis=0, prepend=0)
    if np.abs(moves).max() > 32767:
        raise ValueError(f"the pelvis moves {np.abs(moves).max() * STEP_M:.1f} m in a frame, expected at most 3.2 m")
    # Rotation vectors add up again modulo 2^16: a turn past half a circle wraps round.
    return np.diff(steps, axis=0, prepend=0).astype(np.uint16).view(np.int16), moves.astype(np.int16)


def decode_motion(vectors: NDArray[np.int16], path: NDArray[np.int16], fps: float) -> Motion:
    """Put a motion together again from its differences."""
    steps = np.cumsum(vectors.astype(np.int64), axis=0).astype(np.uint16).view(np.int16)
    turns = Rotation.from_rotvec(steps.reshape(-1, 3) * STEP_RAD).as_matrix().reshape(len(steps), -1, 3, 3)
    places = np.cumsum(path.astype(np.int64), axis=0) * STEP_M
    return Motion(torch.from_numpy(turns).float(), torch.from_numpy(places).float(), fps)


def write_pack(path: str | Path, clips: Sequence[tuple[PackedClip, Motion]]) -> None:
    """Write a pack; ``first``, ``frames`` and ``fps`` of the clips are those of the motions in their order."""
    about: list[dict[str, object]] = []
    parts: list[tuple[NDArray[np.int16], NDArray[np.int16]]] = []
    first = 0
    for clip, motion in clips:
        entry = asdict(clip) | {"first": first, "frames": motion.num_frames, "fps": motion.fps}
        about.append(entry)
        parts.append(encode_motion(motion))
        first += motion.num_frames
    vectors, moves = (np.concatenate([part[number] for part in parts]) for number in (0, 1))
    with whole_file(Path(path)) as part_file, part_file.open("wb") as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            about=np.array(json.dumps(about)),
            # Channel by channel and byte by byte: what is alike lies together.
            vectors=spread_bytes(vectors),
            moves=spread_bytes(moves),
        )


@cache
def _content() -> bytes | None:
    file = resources.files("datamodules").joinpath(PACK)
    return file.read_bytes() if file.is_file() else None


@cache
def _digest() -> str:
    return hashlib.sha256(_content() or b"").hexdigest()


@cache
def _read_about() -> tuple[PackedClip, ...]:
    file = resources.files("datamodules").joinpath(PACK)
    if not file.is_file():
        return ()
    with resources.as_file(file) as path, np.load(path, allow_pickle=False) as data:
        entries = json.loads(str(data["about"]))
    return tuple(PackedClip(**{**entry, "said": tuple(entry["said"])}) for entry in entries)


@cache
def _open_arrays() -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    file = resources.files("datamodules").joinpath(PACK)
    with resources.as_file(file) as path, np.load(path, allow_pickle=False) as data:
        return gather_bytes(data["vectors"]), gather_bytes(data["moves"])
