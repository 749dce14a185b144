"""What a window of motion is like, in numbers that no generator is conditioned on or trained for.

Of decoded joints: heights, how the trunk lies to gravity, angles of knees and hips, where hands and feet are, how fast
everything moves, over what frequencies, and what has changed from the window's beginning to its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sim.conventions import FEATURE_FPS, JOINT_INDEX
from sim.features import features_to_joints

Array = NDArray[np.float32]

_LIMBS: Final = ("left_wrist", "right_wrist", "left_foot", "right_foot")
_BANDS_HZ: Final = ((0.5, 1.5), (1.5, 3.0), (3.0, 6.0))
_CHUNK: Final = 256


def body_axes(joints: Tensor) -> Tensor:
    """Return the trunk's own axes in the world ``(..., 3, 3)``, one a row: to its left, up along it, out of the chest.

    Args:
        joints: ``(..., 22, 3)`` [m], Y up.
    """
    up = functional.normalize(_at(joints, "neck") - _at(joints, "pelvis"), dim=-1)
    across = _at(joints, "left_hip") - _at(joints, "right_hip")
    across = across + _at(joints, "left_shoulder") - _at(joints, "right_shoulder")
    left = functional.normalize(across - (across * up).sum(dim=-1, keepdim=True) * up, dim=-1)
    return torch.stack([left, up, torch.linalg.cross(left, up)], dim=-2)


def measure_traits(clips: Sequence[Tensor], *, std: Tensor | None = None) -> Array:
    """Return the traits of windows ``(N, D)``.

    Args:
        clips: raw features of each ``(T_i, 263)`` at 20 fps, at least 10 frames.
        std: by which consistent decoding weighs; recorded features are the same by any.
    """
    by_length: dict[int, list[int]] = {}
    for row, clip in enumerate(clips):
        by_length.setdefault(len(clip), []).append(row)
    found: dict[int, Array] = {}
    for rows in by_length.values():
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            joints = features_to_joints(torch.stack([clips[row] for row in part]).float(), "consistent", std=std)
            found |= dict(zip(part, traits_of_joints(joints), strict=True))
    return np.stack([found[row] for row in range(len(clips))])


@torch.no_grad()
def traits_of_joints(joints: Tensor) -> Array:
    """Return the traits ``(N, D)`` of joints ``(N, T, 22, 3)`` [m] at 20 fps."""
    series = {**_postures(joints), **_movements(joints)}
    columns = [column for values in series.values() for column in _summarise(values)]
    columns += [share for name in ("left_foot", "right_wrist", "pelvis") for share in _rhythm(joints, name)]
    path = _at(joints, "pelvis")[..., [0, 2]]
    columns.append((path[:, -1] - path[:, 0]).norm(dim=-1) / joints.shape[1] * FEATURE_FPS)
    return torch.stack(columns, dim=1).float().nan_to_num().numpy()


def _at(joints: Tensor, name: str) -> Tensor:
    return joints[..., JOINT_INDEX[name], :]


def _postures(joints: Tensor) -> Mapping[str, Tensor]:
    axes = body_axes(joints)
    pelvis = _at(joints, "pelvis")
    series = {f"gravity_{index}": axes[..., index, 1] for index in range(3)}
    series |= {f"height_{name}": _at(joints, name)[..., 1] for name in ("pelvis", "head", "left_foot", "right_foot")}
    series["lowest"] = joints[..., 1].amin(dim=-1)
    for name in _LIMBS:
        seen = (axes @ (_at(joints, name) - pelvis)[..., None])[..., 0]
        series |= {f"{name}_{index}": seen[..., index] for index in range(3)}
    for side in ("left", "right"):
        hip, knee, ankle = (_at(joints, f"{side}_{name}") for name in ("hip", "knee", "ankle"))
        series[f"{side}_knee"] = _cosine(hip - knee, ankle - knee)
        series[f"{side}_hip"] = _cosine(axes[..., 1, :], hip - knee)
    series["feet_apart"] = (_at(joints, "left_foot") - _at(joints, "right_foot"))[..., [0, 2]].norm(dim=-1)
    return series


def _movements(joints: Tensor) -> Mapping[str, Tensor]:
    pelvis = _at(joints, "pelvis")
    velocity = pelvis.diff(dim=1) * FEATURE_FPS
    left = (_at(joints, "left_hip") - _at(joints, "right_hip"))[..., [0, 2]]
    left = functional.normalize(left, dim=-1)
    ahead = torch.stack([-left[..., 1], left[..., 0]], dim=-1)
    ground = velocity[..., [0, 2]]
    turn = left[:, :-1, 0] * left[:, 1:, 1] - left[:, :-1, 1] * left[:, 1:, 0]
    series = {
        "speed": ground.norm(dim=-1),
        "ahead": (ground * ahead[:, :-1]).sum(dim=-1),
        "aside": (ground * left[:, :-1]).sum(dim=-1),
        "rise": velocity[..., 1],
        "turn": turn * FEATURE_FPS,
        "turn_size": turn.abs() * FEATURE_FPS,
    }
    for name in (*_LIMBS, "head"):
        series[f"{name}_speed"] = (_at(joints, name) - pelvis).diff(dim=1).norm(dim=-1) * FEATURE_FPS
    for name in (*_LIMBS, "pelvis"):
        series[f"{name}_acceleration"] = _at(joints, name).diff(n=2, dim=1).norm(dim=-1) * FEATURE_FPS**2
    return series


def _cosine(first: Tensor, second: Tensor) -> Tensor:
    return functional.cosine_similarity(first, second, dim=-1)


def _summarise(values: Tensor) -> tuple[Tensor, ...]:
    """Return mean, deviation, both ends of the range, and the change over the window, each ``(N,)``."""
    low, high = torch.quantile(values, torch.tensor([0.05, 0.95]), dim=1)
    quarter = max(1, values.shape[1] // 4)
    change = values[:, -quarter:].mean(dim=1) - values[:, :quarter].mean(dim=1)
    return values.mean(dim=1), values.std(dim=1), low, high, change


def _rhythm(joints: Tensor, name: str) -> list[Tensor]:
    """Return the share of each band in the power of a joint's vertical velocity, and its strongest frequency."""
    rise = _at(joints, name)[..., 1].diff(dim=1)
    rise = rise - rise.mean(dim=1, keepdim=True)
    power = torch.fft.rfft(rise * torch.hann_window(rise.shape[1]), dim=1).abs().square()
    frequency = torch.fft.rfftfreq(rise.shape[1], 1 / FEATURE_FPS)
    total = power.sum(dim=1).clamp(min=1e-12)
    shares = [power[:, (frequency >= low) & (frequency < high)].sum(dim=1) / total for low, high in _BANDS_HZ]
    return [*shares, frequency[power.argmax(dim=1)]]
