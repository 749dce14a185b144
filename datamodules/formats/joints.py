"""Joint positions (T, 22, 3) and HumanML3D features (T, 263) in .npy and .npz files -> Motion.

Positions go through :func:`sim.pose_fit.fit_pose`, features through :func:`sim.features.features_to_motion`: both
tell which turns cannot be seen in them and follow a stated prior.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.formats.arrays import SINGLE, Arrays, read_number
from datamodules.formats.skeleton import Z_UP_TO_Y_UP, Up
from sim.body import Body
from sim.conventions import FEATURE_FPS, NUM_FEATURES, NUM_JOINTS
from sim.features import features_to_motion
from sim.features.layout import FEATURE_SLICES
from sim.motion import Motion
from sim.pose_fit import fit_pose

_OFTEN: Final[float] = 0.2
_LOW_CONTACT: Final[float] = -0.3
"""Share of frames with the pelvis below the floor, or of contacts below this number, that no features have."""

SIX_OFF: Final[float] = 0.25
"""Mean error of the length of the six numbers of a rotation, as a share of it, beyond which they are none."""

HUMANML3D_FOLDERS: Final[tuple[str, ...]] = ("new_joint_vecs", "new_joints")
"""Folders of HumanML3D: features, and joints at 20 fps."""


def find_joints(arrays: Arrays) -> str | None:
    """Return the key of the array of joints ``(T, 22, 3)``, or None."""
    found = [key for key, value in arrays.items() if value.ndim == 3 and value.shape[1:] == (NUM_JOINTS, 3)]
    return "joints" if "joints" in found else found[0] if len(found) == 1 else None


def read_joints(
    path: str | Path,
    arrays: Arrays,
    *,
    fps: float | None = None,
    up: Up = "y",
    body: Body | None = None,
    unit_m: float = 1.0,
) -> Motion:
    """Fit a motion to joint positions.

    Args:
        path: the file, for messages; in a folder called ``new_joints`` the rate is HumanML3D's 20 Hz.
        arrays: ``(T, 22, 3)`` [m], Y up, in SMPL's order; and, in an .npz, ``fps``.
        fps: frame rate [Hz] where the file states none.
        up: the axis of the file that points up.
        body: whose bones to fit; None takes ``Body.default()``.
        unit_m: metres per unit of the positions.

    Raises:
        ValueError: there is no rate, or a coordinate is not finite.
    """
    key = find_joints(arrays)
    if key is None:
        shapes = ", ".join(f"{name or 'array'} {value.shape}" for name, value in arrays.items())
        raise ValueError(
            f"{path} holds {shapes}, expected joints (T, {NUM_JOINTS}, 3), or features (T, {NUM_FEATURES})"
        )
    if fps is None:
        if "fps" in arrays:
            fps = read_number(path, arrays, "fps", "frames per second [Hz]")
        elif Path(path).parent.name in HUMANML3D_FOLDERS:
            fps = FEATURE_FPS
        else:
            raise ValueError(f"{path} holds joints {arrays[key].shape} but no frame rate; pass fps=... (--fps 20)")
    joints = read_positions(path, arrays, up=up, unit_m=unit_m)
    try:
        return fit_pose(joints, fps=fps, body=body)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_positions(path: str | Path, arrays: Arrays, *, up: Up = "y", unit_m: float = 1.0) -> torch.Tensor:
    """Return joints as the file has them, in metres and Y up ``(T, 22, 3)``.

    Args:
        path: the file, for messages.
        arrays: of which :func:`find_joints` knows one.
        up: the axis that points up in the file.
        unit_m: metres per unit of the positions.

    Raises:
        ValueError: they are no numbers, or the joints of most frames lie at one point.
    """
    key = find_joints(arrays)
    joints = _as_numbers(path, arrays, SINGLE if key is None else key) * unit_m
    if len(joints) and float((joints - joints[:, :1]).abs().amax(dim=(1, 2)).median()) == 0:
        raise ValueError(
            f"{path}: all joints lie at one point in most frames, expected a body; look how it was written"
        )
    return joints @ torch.from_numpy(Z_UP_TO_Y_UP).to(joints).mT if up == "z" else joints


def read_features(path: str | Path, arrays: Arrays, *, fps: float | None = None) -> Motion:
    """Turn HumanML3D features into a motion, decoded consistently: what a network wrote moves as its steps say.

    Recorded features give the same motion by positions, to 1e-5 m.

    Args:
        path: the file, for messages.
        arrays: features ``(T, 263)``, not normalised.
        fps: frame rate [Hz]; None takes HumanML3D's 20.

    Raises:
        ValueError: a feature is not finite.
    """
    features = _as_numbers(path, arrays, SINGLE).reshape(-1, NUM_FEATURES)
    bad = int((~features.isfinite()).any(dim=1).sum())
    if bad or len(features) < 1:
        raise ValueError(f"{path}: {bad} of {len(features)} frames are not finite, expected at least one and no NaN")
    refuse_normalised(features.numpy(), path)
    return features_to_motion(features, fps=FEATURE_FPS if fps is None else fps)


def refuse_normalised(features: NDArray[np.floating], path: object) -> None:
    """Refuse features that have had their mean taken off and been divided by their deviation.

    Of recorded ones the pelvis is above the floor, contacts are 0 or 1, and the six numbers of each rotation have
    length 1.4; normalised they are otherwise.

    Args:
        features: ``(T, 263)``.
        path: the file, for messages.

    Raises:
        ValueError: they are normalised.
    """
    height = features[:, FEATURE_SLICES.root_height][:, 0]
    contacts = features[:, FEATURE_SLICES.foot_contacts]
    below, odd = (height < 0).mean(), (contacts < _LOW_CONTACT).mean()
    six = features[:, FEATURE_SLICES.rotations].reshape(len(features), -1, 6)
    if max(below, odd) > _OFTEN and length_error(six) > SIX_OFF:
        what = (
            f"pelvis is below the floor in {below:.0%} of frames" if below > _OFTEN else "feet's contacts are below 0"
        )
        raise ValueError(
            f"{path} holds features whose {what} and whose rotations are none: normalised ones, expected "
            "metres; multiply by Std.npy and add Mean.npy first"
        )


def length_error(six: NDArray[np.floating]) -> float:
    """Return how far six numbers of rotations ``(..., 6)`` are on the average from their length, as a share."""
    return float(np.abs(np.linalg.norm(six, axis=-1) / np.sqrt(2) - 1).mean())


def _as_numbers(path: str | Path, arrays: Arrays, key: str) -> torch.Tensor:
    values = arrays[key]
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{path}: {key or 'the array'} holds {values.dtype}, expected numbers")
    return torch.from_numpy(values.astype(np.float32))
