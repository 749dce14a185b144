"""Gauss-Newton steps of a body's pose under markers, for all frames at once, alone or tied together in time.

A step solves the normal equations of the markers' distances (weighted by Huber, 1964, doi:10.1214/aoms/1177703732) and
of the prior. Tied in time, second differences of all freedoms are held small too: the smoother of Whittaker (1923,
doi:10.1017/S0013091500077853) on the pose, whose equations are banded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from scipy.linalg import solveh_banded
from torch import Tensor

from datamodules.markers.degrees import Freedom
from datamodules.markers.model import MarkerModel, turn_joints
from sim.rotations import matrix_to_axis_angle

MARKER_SIGMA_M: Final[float] = 0.008
"""Standard deviation of a marker about its bone: skin moves, clusters wobble [m]."""

HUBER_M: Final[float] = 0.025
"""Distance beyond which a marker weighs less [m]."""

CHUNK: Final[int] = 256
"""Frames whose Jacobians are held at once."""


@dataclass(frozen=True, eq=False)
class Pose:
    """Local rotations ``(T, 22, 3, 3)`` and translation ``(T, 3)`` [m], float64."""

    rotations: Tensor
    translation: Tensor


@dataclass(frozen=True, eq=False)
class _Normal:
    """Normal equations of all frames: matrices ``(T, P, P)`` and right sides ``(T, P)``."""

    matrix: Tensor
    right: Tensor


def weigh(distance: Tensor, seen: Tensor) -> Tensor:
    """Return Huber's weight of each marker ``(T, M)``, zero where it was not seen."""
    return seen * (HUBER_M / distance.clamp_min(HUBER_M))


def step_alone(
    model: MarkerModel, pose: Pose, observed: Tensor, seen: Tensor, freedom: Freedom, *, damping: float
) -> Pose:
    """Return the pose after one step of each frame by itself (Levenberg's damping, added to unit curvature).

    Args:
        model: the markers on the body.
        pose: where to step from.
        observed: markers ``(T, M, 3)`` [m]; anything where not seen.
        seen: ``(T, M)`` float, 1 where a marker was seen.
        freedom: what is fitted.
        damping: share of each diagonal entry that is added to it.
    """
    normal = _assemble(model, pose, observed, seen, freedom)
    diagonal = normal.matrix.diagonal(dim1=1, dim2=2)
    matrix = normal.matrix + torch.diag_embed(damping * diagonal + 1e-6)
    delta = torch.cholesky_solve(normal.right[..., None], torch.linalg.cholesky(matrix))[..., 0]
    return _move(pose, _limit(delta), freedom)


def step_together(
    model: MarkerModel,
    pose: Pose,
    observed: Tensor,
    seen: Tensor,
    freedom: Freedom,
    *,
    fps: float,
    cutoff_hz: float,
) -> Pose:
    """Return the pose after one step of all frames tied by small second differences.

    Args:
        model: as :func:`step_alone`, for all arguments up to ``freedom``.
        pose: consecutive frames.
        observed: markers.
        seen: which were seen.
        freedom: what is fitted.
        fps: frame rate [Hz].
        cutoff_hz: frequency at which half of the amplitude of a movement is left where markers see it as well as they
            do on the average [Hz].
    """
    frames, count = len(pose.rotations), freedom.count
    normal = _assemble(model, pose, observed, seen, freedom)
    curvature = normal.matrix.diagonal(dim1=1, dim2=2).mean(dim=0)
    stiffness = curvature / (2 * np.sin(np.pi * min(cutoff_hz, 0.25 * fps) / fps)) ** 4
    bend = _second_differences(pose, freedom)
    right = normal.right.clone()
    for shift, share in ((0, 1.0), (1, -2.0), (2, 1.0)):
        right[shift : frames - 2 + shift] -= share * stiffness * bend
    banded = _band(normal.matrix, stiffness)
    solution = solveh_banded(banded, right.reshape(-1).numpy(), lower=True, overwrite_ab=True, check_finite=False)
    return _move(pose, _limit(torch.from_numpy(solution).reshape(frames, count)), freedom)


def _assemble(model: MarkerModel, pose: Pose, observed: Tensor, seen: Tensor, freedom: Freedom) -> _Normal:
    away, prior = freedom.deviations(pose.rotations)
    matrix, right = torch.diag_embed(prior), -prior * away
    for start in range(0, len(observed), CHUNK):
        part = slice(start, start + CHUNK)
        markers, joints, turns = model.place(pose.rotations[part], pose.translation[part])
        missing = torch.where(seen[part, :, None] > 0, observed[part] - markers, 0.0)
        weight = weigh(missing.norm(dim=-1), seen[part]) / MARKER_SIGMA_M**2
        jacobian = model.jacobian(markers, joints, turns, freedom)
        weighted = (jacobian * weight.repeat_interleave(3, dim=1)[..., None]).mT
        matrix[part] += weighted @ jacobian
        right[part] += (weighted @ missing.flatten(1)[..., None])[..., 0]
    return _Normal(matrix, right)


def _second_differences(pose: Pose, freedom: Freedom) -> Tensor:
    """Return second differences of translation and, as rotation vectors, of each group ``(T - 2, P)``."""
    parts = [pose.translation.diff(n=2, dim=0)]
    for group in freedom.groups:
        turns = pose.rotations[:, group.joints[0]]
        rate = matrix_to_axis_angle(turns[:-1].mT @ turns[1:]) / group.share
        parts.append(rate.diff(dim=0))
    return torch.cat(parts, dim=1)


def _band(matrix: Tensor, stiffness: Tensor) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Lay out the equations of all frames as the lower band that LAPACK takes ``(2 P + 1 or P, T P)``."""
    frames, count = matrix.shape[:2]
    band = np.zeros((2 * count + 1, frames * count))
    blocks = matrix.numpy()
    for offset in range(count):
        rows = np.arange(count - offset)
        columns = (np.arange(frames)[:, None] * count + rows).ravel()
        band[offset, columns] = blocks[:, rows + offset, rows].ravel()
    # D'D of second differences is [1 -4 6 -4 1] but for its ends.
    differences = np.zeros((3, frames))
    for shift, share in ((0, 1.0), (1, -2.0), (2, 1.0)):
        differences[0, shift : frames - 2 + shift] += share * share
    differences[1, : frames - 2] -= 2.0
    differences[1, 1 : frames - 1] -= 2.0
    differences[2, : frames - 2] += 1.0
    for distance in range(3):
        band[distance * count] += (differences[distance][:, None] * stiffness.numpy()).ravel()
    return band


def _limit(delta: Tensor) -> Tensor:
    """Shorten steps of turns beyond half a radian, for which a linear model is no good."""
    turns = delta[:, 3:].unflatten(1, (-1, 3))
    length = turns.norm(dim=-1, keepdim=True)
    return torch.cat([delta[:, :3], (turns * (0.5 / length.clamp_min(0.5))).flatten(1)], dim=1)


def _move(pose: Pose, delta: Tensor, freedom: Freedom) -> Pose:
    return Pose(turn_joints(pose.rotations, delta, freedom), pose.translation + delta[:, :3])
