"""Which side does a lying person lie on? By the trunk's orientation to gravity, not by a classifier."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from experiments.prior.quality.traits import body_axes

UPRIGHT: Final = 0.7
"""Cosine of trunk and vertical from which on (45 degrees) nobody lies."""

LYING_M: Final = 0.45
"""Height of the pelvis over the floor above which nobody lies [m]."""

_SIDES: Final = ("lying_on_right_side", "lying_on_left_side", "lying_on_back", "lying_face_down")


@torch.no_grad()
def name_sides(joints: Tensor) -> list[str]:
    """Return which side each motion lies on over its second half, or ``upright``.

    Of the directions to the body's left, right, front and back the one that points up most decides.

    Args:
        joints: ``(N, T, 22, 3)`` [m], Y up, the floor at y = 0.
    """
    later = joints[:, joints.shape[1] // 2 :]
    up = body_axes(later)[..., 1].mean(dim=1)  # of each axis, how far it points up
    height = later[:, :, 0, 1].mean(dim=1)
    sides = torch.stack([up[:, 0], -up[:, 0], up[:, 2], -up[:, 2]], dim=1).argmax(dim=1)
    upright = (up[:, 1].abs() > UPRIGHT) | (height > LYING_M)
    return [
        "upright" if stands else _SIDES[side] for side, stands in zip(sides.tolist(), upright.tolist(), strict=True)
    ]
