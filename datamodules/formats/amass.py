"""AMASS archives (.npz with SMPL-H poses) -> Motion.

Mahmood et al., "AMASS: Archive of Motion Capture as Surface Shapes" (ICCV 2019, arXiv 1904.03278): rotation vectors of
52 joints, of which the first 22 are SMPL's, the translation of the model, 16 shape parameters, Z up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.formats.arrays import Arrays, read_number
from datamodules.formats.skeleton import Z_UP_TO_Y_UP, Up
from sim.body import Body
from sim.conventions import NUM_JOINTS
from sim.motion import Motion
from sim.rotations import axis_angle_to_matrix

KEYS: Final[tuple[frozenset[str], ...]] = (
    frozenset({"poses", "trans"}),
    frozenset({"root_orient", "pose_body", "trans"}),
)
"""What AMASS's files hold: all rotation vectors in one array, or in parts only, as some of SMPL-X do."""

RATE_KEYS: Final[tuple[str, ...]] = ("mocap_framerate", "mocap_frame_rate")


def read_amass(
    path: str | Path,
    arrays: Arrays,
    *,
    body: Body | None = None,
    fps: float | None = None,
    up: Up = "z",
    unit_m: float = 1.0,
) -> Motion:
    """Turn the arrays of an AMASS file into a motion.

    AMASS's ``trans`` displaces the whole model, so joint 0 is at ``trans`` plus the rest pelvis of the subject's shape.
    With the subject's own body that is exact. Without one it is off by a constant of a few centimetres, and the path is
    the subject's while the bones are another's: feet then slide by the ratio of the leg lengths.

    Args:
        path: the file, for messages.
        arrays: what it holds: ``poses (T, 66 or more)`` [rad], ``trans (T, 3)`` [m], a rate, maybe ``betas``.
        body: the subject's model in its mean shape; the file's ``betas`` are put on it, as many as it has.
        fps: frame rate [Hz] where the file states none or a wrong one.
        up: the axis that points up; AMASS's own files have z, other programs write y under the same names.
        unit_m: metres per unit of ``trans``.

    Returns:
        Motion at the file's rate, Y up, float32.

    Raises:
        ValueError: a shape is another one, there is no rate, or a number is not finite.
    """
    poses, translation = _join_poses(path, arrays), _as_numbers(path, arrays, "trans")
    frames = len(poses)
    if poses.ndim != 2 or poses.shape[1] < 3 * NUM_JOINTS or translation.shape != (frames, 3) or frames < 1:
        raise ValueError(
            f"{path} holds poses {poses.shape} and trans {translation.shape}, expected (T, 156) and (T, 3): an AMASS "
            "file of SMPL-H, or one of its kin with at least 66 numbers a frame"
        )
    rate = fps if fps is not None else read_rate(path, arrays)
    for name, values in (("poses", poses), ("trans", translation)):
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            raise ValueError(f"{path}: {name} of frame {bad[0]} is not finite, expected numbers; fetch the file again")
    vectors = torch.from_numpy(poses[:, : 3 * NUM_JOINTS].reshape(frames, NUM_JOINTS, 3)).double()
    rotations = axis_angle_to_matrix(vectors)
    turn = torch.from_numpy(Z_UP_TO_Y_UP) if up == "z" else torch.eye(3, dtype=torch.float64)
    rotations[:, 0] = turn @ rotations[:, 0]
    pelvis = torch.zeros(3, dtype=torch.float64) if body is None else dress(body, arrays).rest_joints[0].double()
    # The pelvis is displaced before the world is turned, whatever the root's rotation.
    root = (torch.from_numpy(translation).double() * unit_m + pelvis) @ turn.mT
    return Motion(rotations.float(), root.float(), rate)


def _join_poses(path: str | Path, arrays: Arrays) -> NDArray[np.generic]:
    if "poses" in arrays:
        return _as_numbers(path, arrays, "poses")
    parts = [_as_numbers(path, arrays, name) for name in ("root_orient", "pose_body")]
    if parts[0].ndim != 2 or parts[0].shape[1] != 3 or parts[1].shape != (len(parts[0]), 63):
        raise ValueError(
            f"{path} holds root_orient {parts[0].shape} and pose_body {parts[1].shape}, expected (T, 3) and (T, 63)"
        )
    return np.concatenate(parts, axis=1)


def _as_numbers(path: str | Path, arrays: Arrays, name: str) -> NDArray[np.generic]:
    if arrays[name].dtype.kind not in "fiu":
        raise ValueError(f"{path}: {name} holds {arrays[name].dtype}, expected numbers")
    return arrays[name]


def dress(body: Body, arrays: Arrays) -> Body:
    """Return a body with the file's ``betas``, as many as both have."""
    betas = torch.zeros_like(body.betas)
    if "betas" in arrays:
        _as_numbers("the file", arrays, "betas")
        given = torch.from_numpy(arrays["betas"].astype(np.float64).reshape(-1)).to(betas)
        count = min(len(given), len(betas))
        betas[:count] = given[:count]
    return body.with_shape(betas)


def find_gender(arrays: Arrays) -> str | None:
    """Return the gender of the body that a file was fitted with, as it says, or None."""
    value = arrays.get("gender")
    if value is None or value.size != 1 or value.dtype.kind not in "US":
        return None
    word = value.reshape(-1)[0]
    text = word.decode("latin-1") if isinstance(word, bytes) else str(word)
    return text.strip().lower() or None


def read_rate(path: str | Path, arrays: Arrays) -> float:
    """Return the frame rate of an AMASS file [Hz], under its older or its newer name.

    Raises:
        ValueError: there is none, or it is not positive.
    """
    for key in RATE_KEYS:
        if key in arrays:
            return read_number(path, arrays, key, "frame rate [Hz]")
    raise ValueError(
        f"{path} has no {' or '.join(RATE_KEYS)}, expected AMASS's frame rate; pass fps=... (files without poses of "
        "their own, such as shape.npz, are no motions)"
    )
