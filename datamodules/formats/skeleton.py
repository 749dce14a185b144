"""SkeletonMotion: what every reader of a motion format returns, before it is retargeted to SMPL-22."""

from __future__ import annotations

import lzma
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sim.files import decode_text, refuse_pointer

FloatArray = NDArray[np.float64]

Up = Literal["y", "z"]

Z_UP_TO_Y_UP: Final[FloatArray] = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""A world (x, y, z up) to ours (x, z, -y)."""

_MOST_PACKED: Final[int] = 200
"""Bytes of text that one byte of xz may unpack to; tables of numbers come to about ten."""
_SMALL_BYTES: Final[int] = 1 << 24
_MOST_MEMORY: Final[int] = 1 << 29  # of the decompressor: a file asks for it in its header
_SMALL_EXTENT: Final[int] = 100_000


@dataclass(frozen=True)
class SkeletonMotion:
    """A moving skeleton in its source's own joints, in metres, Y up.

    Each joint sits at the head of its bone, as in BVH. In the rest pose every rotation is the identity.

    Attributes:
        names: the J joints; an end site is a joint called ``<parent>_end``.
        parents: index of each joint's parent, -1 at the root; a parent comes before its children.
        offsets: rest position of each joint relative to its parent ``(J, 3)`` [m].
        rotations: global rotation of each joint, rest to world ``(T, J, 3, 3)``.
        positions: world position of each joint ``(T, J, 3)`` [m].
        fps: frames per second [Hz].
        notes: what the file says of itself that its data contradict, in words.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: FloatArray
    rotations: FloatArray
    positions: FloatArray
    fps: float
    notes: tuple[str, ...] = ()

    def frames(self, start: int) -> SkeletonMotion:
        """Return the motion from frame ``start`` on (T-pose frames put in by a conversion are dropped so)."""
        return replace(self, rotations=self.rotations[start:], positions=self.positions[start:])

    def index(self, name: str) -> int:
        """Return the index of a joint.

        Raises:
            ValueError: the skeleton has no such joint.
        """
        if name not in self.names:
            raise ValueError(
                f"the skeleton has no joint {name!r}, it has {list(self.names)}; choose the skeleton map that fits"
            )
        return self.names.index(name)


def run_forward_kinematics(
    parents: tuple[int, ...], offsets: FloatArray, local: FloatArray, root: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Compute global rotations and positions of all joints.

    Args:
        parents: parent of each joint, -1 at the root; parents come first.
        offsets: position relative to the parent, in the parent's frame: ``(J, 3)``, or ``(T, J, 3)`` where a format
            lets bones change their length.
        local: rotation of each joint relative to its parent ``(T, J, 3, 3)``.
        root: world position of the root ``(T, 3)``.

    Returns:
        Global rotations ``(T, J, 3, 3)`` and positions ``(T, J, 3)``, the latter in the unit of ``offsets``.
    """
    rotations = np.empty_like(local)
    positions = np.empty(local.shape[:-1])
    for joint, parent in enumerate(parents):
        if parent < 0:
            rotations[:, joint], positions[:, joint] = local[:, joint], root
            continue
        rotations[:, joint] = rotations[:, parent] @ local[:, joint]
        step = rotations[:, parent] @ offsets[..., joint, :, None]
        positions[:, joint] = positions[:, parent] + step[..., 0]
    return rotations, positions


def measure_offsets(parents: tuple[int, ...], rotations: FloatArray, positions: FloatArray) -> FloatArray:
    """Return the rest position of each joint relative to its parent ``(J, 3)``, the median over frames; 0 of the root.

    Args:
        parents: parent of each joint, -1 at the root.
        rotations: global rotation of each joint, rest to world ``(T, J, 3, 3)``.
        positions: world position of each joint ``(T, J, 3)``.
    """
    offsets = np.zeros((len(parents), 3))
    for joint, parent in enumerate(parents):
        if parent >= 0:
            step = positions[:, joint] - positions[:, parent]
            offsets[joint] = np.median((step[:, None] @ rotations[:, parent])[:, 0], axis=0)
    return offsets


def read_text(path: str | Path) -> str:
    """Read a text file, decompressing ``.xz``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is cut off, or is no UTF-8; says what it is.
    """
    data = Path(path).read_bytes()
    if Path(path).suffix == ".xz":
        refuse_pointer(data, path)
        try:
            data = _unpack(data, path)
        except (EOFError, lzma.LZMAError) as error:
            raise ValueError(
                f"{path} could not be read ({error}), expected a whole .xz file; fetch it again"
            ) from error
    return decode_text(data, path)


def _unpack(data: bytes, path: str | Path) -> bytes:
    """Decompress, as long as it stays within what text can come to."""
    limit = max(_SMALL_BYTES, _MOST_PACKED * len(data))
    unpacked = bytearray()
    while data:
        stream = lzma.LZMADecompressor(memlimit=_MOST_MEMORY)
        while not stream.eof:
            unpacked += stream.decompress(data, max_length=limit + 1 - len(unpacked))
            if len(unpacked) > limit:
                raise ValueError(
                    f"{path} unpacks to more than {limit} bytes, expected text, which packs to no less than 1 in "
                    f"{_MOST_PACKED}; unpack it yourself if you trust it"
                )
            data = b""
            if stream.needs_input and not stream.eof:
                raise EOFError("compressed file ended before the end-of-stream marker was reached")
        data = stream.unused_data.lstrip(b"\0")
    return bytes(unpacked)


def check_extent(frames: int, joints: int, characters: int, path: str | Path) -> None:
    """Refuse a text whose joints times frames are out of all proportion to its length, before room is made for them.

    Args:
        frames: frames that it has.
        joints: joints that each of them moves.
        characters: length of the text.
        path: the file, for messages.

    Raises:
        ValueError: there are more than four joints in a frame to a character.
    """
    if frames * joints > 4 * characters + _SMALL_EXTENT:
        raise ValueError(
            f"{path} has {joints} joints in {frames} frames, but only {characters} characters, expected a number or "
            "more for most of them; take out the joints that do not move"
        )


def parse_table(
    lines: list[str], width: int, path: str | Path, *, separator: str | None = None, numbers: list[int] | None = None
) -> FloatArray:
    """Turn lines of numbers into an array ``(len(lines), width)``.

    Args:
        lines: the rows.
        width: numbers in each.
        path: the file, for messages.
        separator: what stands between numbers; None takes white space.
        numbers: the row's line in the file, for messages.

    Raises:
        ValueError: a line holds another count of numbers or something that is not a finite number.
    """
    rows = np.empty((len(lines), width))
    for row, line in enumerate(lines):
        place = f"{path}, line {numbers[row]} (data row {row + 1})" if numbers else f"{path}, data row {row + 1}"
        values = line.split(separator)
        if len(values) != width:
            raise ValueError(
                f"{place} has {len(values)} values, expected {width}; the file is cut off or of another layout"
            )
        rows[row] = parse_numbers(values, place)
    return rows


def parse_numbers(values: Sequence[str], place: str) -> FloatArray:
    """Turn words into finite numbers.

    Args:
        values: the words.
        place: file and line, for messages.

    Raises:
        ValueError: a word is not a finite number.
    """
    try:
        numbers = np.array(values, dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{place}: {error}, expected numbers only; fetch the file again") from error
    if not np.isfinite(numbers).all():
        raise ValueError(f"{place} holds NaN or infinity, expected finite numbers; cut or fill those frames first")
    return numbers
