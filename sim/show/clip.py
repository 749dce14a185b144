"""Read the clip that a page shows: a Motion, HumanML3D features or joint positions, one member of a batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from sim.body import Body
from sim.conventions import FEATURE_FPS, NUM_FEATURES, NUM_JOINTS, Decoder
from sim.features import features_to_motion
from sim.files import named_damage, refuse_declared
from sim.motion import Motion
from sim.pose_fit import fit_pose
from sim.show.options import KINDS


def read_clip(path: Path, *, fps: float | None = None, decoder: Decoder = "consistent") -> Motion:
    """Read a clip.

    Args:
        path: ``.npz`` of :meth:`sim.motion.Motion.save`; or ``.npy`` with HumanML3D features ``(..., T, 263)``, of
            which frames of zeros at the end are padding, or with world joints ``(..., T, 22, 3)`` [m], Y up.
        fps: frame rate of joints [Hz], and of features if it is not 20; a Motion carries its own.
        decoder: how features become joints, see :func:`sim.features.features_to_joints`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is none of these or damaged, or ``fps`` is missing or out of place.
    """
    if not path.is_file():
        raise FileNotFoundError(f"clip {path} not found, expected {KINDS}; check the path")
    if path.suffix == ".npz":
        if fps is not None:
            raise ValueError(f"fps is {fps:g}, but {path} is a Motion and carries its own rate; leave --fps out")
        return _read_motion(path)
    if path.suffix == ".npy":
        return _read_array(path, fps, decoder)
    raise ValueError(f"{path} ends in {path.suffix!r}, expected {KINDS}")


def choose_member(motion: Motion, body: Body, member: int) -> tuple[Motion, Body]:
    """Return one clip and one body out of a batch, whose leading dims broadcast.

    Args:
        motion: rotations ``(..., T, 22, 3, 3)``.
        body: shapes ``(..., num_betas)``.
        member: counted through the leading dims laid end to end.

    Raises:
        ValueError: there are fewer members.
    """
    lead = torch.broadcast_shapes(motion.rotations.shape[:-4], body.betas.shape[:-1])
    count = int(np.prod(lead, dtype=np.int64))
    if not 0 <= member < count:
        raise ValueError(f"clip {member} of a batch of {count} asked for, expected 0 to {count - 1}; choose another")

    def pick(value: Tensor, trailing: int) -> Tensor:
        own = value.shape[value.ndim - trailing :]
        return value.expand(*lead, *own).reshape(-1, *own)[member]

    text = motion.text
    if text is not None and not isinstance(text, str):
        text = text[member] if len(text) == count else None
    chosen = replace(motion, rotations=pick(motion.rotations, 4), translation=pick(motion.translation, 2), text=text)
    return chosen, body.with_shape(pick(body.betas, 1))


def _read_motion(path: Path) -> Motion:
    try:
        return Motion.load(path)
    except (BadZipFile, EOFError, OSError, ValueError) as error:
        # numpy takes anything that is no archive for a pickle, and says so.
        message = str(error) if "expected" in str(error) else f"{path} is no .npz archive, expected {KINDS}"
        raise ValueError(message) from None


def _read_array(path: Path, fps: float | None, decoder: Decoder) -> Motion:
    refuse_declared(path)
    with named_damage(path, f"expected {KINDS}; write it with numpy.save"):
        array = np.load(path, allow_pickle=False)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{path} holds {array.dtype}, expected numbers: {KINDS}")
    values = torch.from_numpy(array.astype(np.float32 if array.dtype.itemsize <= 4 else np.float64))
    if values.ndim >= 2 and values.shape[-1] == NUM_FEATURES:
        lengths = _measure_lengths(values, path)
        longest = values[..., : int(lengths.max()), :]
        rate = FEATURE_FPS if fps is None else fps
        with named_damage(path):
            return features_to_motion(longest, fps=rate, decoder=decoder, lengths=lengths)
    if values.ndim >= 3 and values.shape[-2:] == (NUM_JOINTS, 3):
        if fps is None:
            raise ValueError(f"{path} holds joints {tuple(values.shape)} but no frame rate; give it with --fps 20")
        with named_damage(path):
            return fit_pose(values, fps=fps)
    raise ValueError(f"{path} holds an array {tuple(values.shape)}, expected {KINDS}")


def _measure_lengths(features: Tensor, path: Path) -> Tensor:
    """Return the frames ``(...)`` of each member without those of zeros at its end, with which batches are padded."""
    filled = features.abs().amax(dim=-1) > 0
    lengths = (filled * torch.arange(1, filled.shape[-1] + 1)).amax(dim=-1)
    if not bool(lengths.any()):
        raise ValueError(f"{path} holds features {tuple(features.shape)} that are all zero, expected a movement")
    return lengths
