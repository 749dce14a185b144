"""Soles on the floor: how a foot is turned in its shoe is seen from where it stands, not from three markers.

Heel, toes and ankle tell where a foot goes, but not which way its sole looks: that hangs on how high above the sole
each marker was put, and shoes differ by 3 cm over a foot of 15 cm. A foot that stands still lies on its sole. So the
foot is turned about the ankle, and its markers stay where they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from datamodules.markers.model import MarkerModel
from datamodules.markers.solver import Pose
from sim.conventions import JOINT_INDEX

STILL_M_S: Final[float] = 0.15
LOW_M: Final[float] = 0.03
"""A foot stands while ankle and toes move slower than this and the ankle is this near to its lowest tenth [m]."""

MIN_SHARE: Final[float] = 0.02
"""Share of the frames in which a foot has to stand to be believed."""

MAX_TILT_DEG: Final[float] = 30.0
"""Beyond this it does not stand on its sole."""


def level_soles(model: MarkerModel, pose: Pose, *, fps: float) -> tuple[MarkerModel, Pose]:
    """Return the model and the poses with feet turned so that their soles lie level where they stand.

    Args:
        model: the markers on the body; those of a foot get other offsets, so that no marker moves in the world.
        pose: the fitted poses, evenly spaced.
        fps: their rate [Hz].
    """
    joints, turns = model.place(pose.rotations, pose.translation)[1:]
    rotations, offsets = pose.rotations.clone(), model.offsets.clone()
    rest, arms = model.rest_joints(), model.arms()
    for side in ("left", "right"):
        ankle, foot = JOINT_INDEX[f"{side}_ankle"], JOINT_INDEX[f"{side}_foot"]
        stands = _find_stance(joints[:, ankle], joints[:, foot], fps)
        carried = torch.isin(model.joints, torch.tensor([ankle, foot]))
        if float(stands.double().mean()) < MIN_SHARE or int(stands.sum()) < 3 or not bool(carried.any()):
            continue
        # What is up, in the foot's own axes.
        up = torch.nn.functional.normalize(turns[stands, ankle, 1].median(dim=0).values, dim=0)
        if float(up[1]) < np.cos(np.deg2rad(MAX_TILT_DEG)):
            continue
        turn = _turn_to(up)
        rotations[:, ankle] = rotations[:, ankle] @ turn
        # A marker's arm from the ankle is turned back; the toes' joint is carried along.
        from_ankle = arms[carried] + rest[model.joints[carried]] - rest[ankle]
        offsets[carried] += from_ankle @ turn - from_ankle
    return replace(model, offsets=offsets), Pose(rotations, pose.translation)


def _find_stance(ankle: Tensor, foot: Tensor, fps: float) -> Tensor:
    if len(ankle) < 3:
        return torch.zeros(len(ankle), dtype=torch.bool)
    speeds = [torch.gradient(part, dim=0)[0].norm(dim=1) * fps for part in (ankle, foot)]
    low = ankle[:, 1] < torch.quantile(ankle[:, 1], 0.1) + LOW_M
    return low & (speeds[0] < STILL_M_S) & (speeds[1] < STILL_M_S)


def _turn_to(up: Tensor) -> Tensor:
    """Return the shortest turn ``(3, 3)`` that takes +Y to ``up`` (Rodrigues)."""
    y = torch.tensor([0.0, 1.0, 0.0], dtype=up.dtype)
    axis = torch.linalg.cross(y, up)
    cross = torch.zeros(3, 3, dtype=up.dtype)
    cross[0, 1], cross[0, 2], cross[1, 2] = -axis[2], axis[1], -axis[0]
    cross = cross - cross.mT
    return torch.eye(3, dtype=up.dtype) + cross + cross @ cross / (1 + up[1])
