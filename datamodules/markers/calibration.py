"""The first poses, a body's shape and the places of its markers, from a few frames spread over a recording.

As in MoSh (Loper, Mahmood & Black 2014, doi:10.1145/2661229.2661273), shape and marker offsets are fitted together,
once for a recording: here in turn with the poses, for given poses both are linear.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from datamodules.markers.degrees import Freedom
from datamodules.markers.model import MarkerModel
from datamodules.markers.solver import MARKER_SIGMA_M, Pose, step_alone, weigh
from sim.conventions import JOINT_INDEX

TRUNK: Final[tuple[int, ...]] = tuple(
    JOINT_INDEX[name] for name in ("pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar")
)
SHAPE_SPREADS: Final[float] = 1.0
"""Standard deviations of the population within which a shape is taken as usual."""

ROUNDS: Final[int] = 8
FIRST_STEPS: Final[int] = 25
STEPS_A_ROUND: Final[int] = 3


def start_poses(model: MarkerModel, observed: Tensor, seen: Tensor, freedom: Freedom) -> Pose:
    """Return poses that stand in the middle of the prior where the trunk's markers are.

    Args:
        model: the markers on the body.
        observed: markers ``(T, M, 3)`` [m].
        seen: ``(T, M)`` float.
        freedom: what is fitted.

    Raises:
        ValueError: no frame shows three markers of the trunk.
    """
    frames = len(observed)
    rotations = freedom.neutral(frames)
    still = torch.zeros(frames, 3, dtype=torch.float64)
    markers = model.place(rotations, still)[0]
    trunk = torch.isin(model.joints, torch.tensor(TRUNK))
    weight = seen * trunk
    enough = weight.sum(dim=1) >= 3
    if not bool(enough.any()):
        raise ValueError(
            "no frame shows three markers of pelvis and trunk, expected them: without them the body cannot be placed"
        )
    weight = weight / weight.sum(dim=1, keepdim=True).clamp_min(1.0)
    target = torch.where(seen[..., None] > 0, observed, 0.0)
    middle = (weight[..., None] * target).sum(dim=1, keepdim=True)
    own = (weight[..., None] * markers).sum(dim=1, keepdim=True)
    # Kabsch: the rotation that brings the model's trunk onto the markers'.
    covariance = torch.einsum("tm,tmi,tmj->tij", weight, target - middle, markers - own)
    u, _, vh = torch.linalg.svd(covariance)
    sign = torch.ones(frames, 3, dtype=torch.float64)
    sign[:, 2] = torch.linalg.det(u @ vh).sign()
    turn = u @ torch.diag_embed(sign) @ vh
    rotations[:, 0] = turn @ rotations[:, 0]
    translation = (middle - (turn @ own.mT).mT)[:, 0]
    # A frame without a trunk takes its start from the nearest one that has it.
    places = enough.nonzero().flatten()
    nearest = places[(torch.arange(frames)[:, None] - places).abs().argmin(dim=1)]
    return Pose(rotations[nearest], translation[nearest])


def calibrate(model: MarkerModel, observed: Tensor, seen: Tensor, freedom: Freedom) -> tuple[MarkerModel, Pose]:
    """Fit shape, marker offsets and the poses of some frames in turn.

    Args:
        model: the markers on the mean body.
        observed: markers of frames spread over the recording ``(T, M, 3)`` [m].
        seen: ``(T, M)`` float.
        freedom: what is fitted.

    Returns:
        The model in the fitted shape, and the poses.
    """
    pose = start_poses(model, observed, seen, freedom)
    for number in range(FIRST_STEPS):
        pose = step_alone(model, pose, observed, seen, freedom, damping=0.3 * 0.7**number)
        if number % 5 == 4:
            # The size first: with limbs of a wrong length no pose can be right.
            model = fit_shape(model, pose, observed, seen, looseness=0.3)
    for _ in range(ROUNDS):
        model = fit_shape(model, pose, observed, seen, looseness=1.0)
        for _ in range(STEPS_A_ROUND):
            pose = step_alone(model, pose, observed, seen, freedom, damping=1e-3)
    return model, pose


def fit_shape(model: MarkerModel, pose: Pose, observed: Tensor, seen: Tensor, *, looseness: float) -> MarkerModel:
    """Return the model with the shape and offsets that fit best at given rotations.

    Args:
        model: the markers on the body.
        pose: poses of some frames; their translation is fitted along.
        observed: markers.
        seen: which were seen.
        looseness: factor on how far offsets may stray.
    """
    markers, _, turns = model.place(pose.rotations, pose.translation)
    missing = torch.where(seen[..., None] > 0, observed - markers, 0.0)
    weight = weigh(missing.norm(dim=-1), seen) / MARKER_SIGMA_M**2
    by_shape = model.shape_jacobian(pose.rotations)
    # A frame's translation takes up what moves all markers alike.
    share = weight / weight.sum(dim=1, keepdim=True).clamp_min(1e-9)
    by_shape = by_shape - torch.einsum("tm,tmin->tin", share, by_shape)[:, None]
    missing = missing - torch.einsum("tm,tmi->ti", share, missing)[:, None]
    count, size = len(model.joints), len(model.betas)
    # Unknowns: shape, then three offsets a marker; an offset turns with its bone.
    carry = turns[:, model.joints]
    matrix = torch.zeros(size + 3 * count, size + 3 * count, dtype=torch.float64)
    right = torch.zeros(size + 3 * count, dtype=torch.float64)
    matrix[:size, :size] = torch.einsum("tm,tmin,tmik->nk", weight, by_shape, by_shape)
    right[:size] = torch.einsum("tm,tmin,tmi->n", weight, by_shape, missing)
    cross = torch.einsum("tm,tmij,tmin->mjn", weight, carry, by_shape).reshape(3 * count, size)
    matrix[size:, :size], matrix[:size, size:] = cross, cross.mT
    right[size:] = torch.einsum("tm,tmij,tmi->mj", weight, carry, missing).reshape(-1)
    matrix[size:, size:] = torch.diag(weight.sum(dim=0).repeat_interleave(3))
    frames = max(1.0, float((seen.sum(dim=1) > 0).sum()))
    # Priors weigh as a few frames do, so that a long recording does not outvote what bodies look like.
    spread = SHAPE_SPREADS * model.shape_loose * model.body.model.shape_spread.double()
    prior = torch.cat([spread**-2, ((looseness * model.loose_m) ** -2).repeat_interleave(3)]) * frames
    now = torch.cat([model.betas, model.offsets.reshape(-1)])
    home = torch.cat([model.home_betas, model.home_offsets.reshape(-1)])
    step = torch.linalg.solve(matrix + torch.diag(prior), right - prior * (now - home))
    values = now + step
    return model.shaped(betas=values[:size], offsets=values[size:].reshape(-1, 3))
