"""Arms and legs for sim.pose_fit: the twist of a limb from the plane in which its hinge (elbow, knee) bends.

A straight limb does not show its twist. Each frame therefore gives its twist a weight (how far the hinge is bent), and
frames without weight take theirs from frames near in time, and in the end from a reference: the shortest rotation
from the T-pose. Twists are averaged as complex numbers, so that the average is smooth and differentiable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from sim.conventions import JOINT_INDEX
from sim.rotations import align_vectors
from sim.smoothing import gaussian_smooth

NEIGHBOUR_TIMES_S: Final[tuple[float, ...]] = (0.15, 0.6)
"""Standard deviations of the kernels over which frames lend each other their twist [s]."""

NEIGHBOUR_WEIGHTS: Final[tuple[float, ...]] = (0.05, 0.05)
"""Weight of each kernel against the frame's own observation."""

REFERENCE_WEIGHT: Final[float] = 1e-3
"""Weight of the reference twist; a hinge bent by 2 degrees weighs as much."""

FOOT_WEIGHT: Final[float] = 0.02
"""Weight of the toes' direction for a leg's twist; a knee bent by 8 degrees weighs as much."""


@dataclass(frozen=True)
class Limb:
    """Two bones with a hinge between them.

    Attributes:
        root: joint at which the limb hangs (shoulder, hip).
        hinge: elbow or knee.
        end: wrist or ankle.
        tip: the foot's joint, whose direction tells the twist of a straight leg; None for arms.
        hinge_axis: axis of flexion in the rest pose, right-handed about it.
    """

    root: int
    hinge: int
    end: int
    tip: int | None
    hinge_axis: tuple[float, float, float]

    @property
    def bones(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The upper and the lower bone as pairs of joints."""
        return (self.root, self.hinge), (self.hinge, self.end)


def _limb(side: str, root: str, hinge: str, end: str, tip: str | None, axis: tuple[float, float, float]) -> Limb:
    index = [JOINT_INDEX[f"{side}_{name}"] for name in (root, hinge, end)]
    return Limb(index[0], index[1], index[2], None if tip is None else JOINT_INDEX[f"{side}_{tip}"], axis)


# In the T-pose an elbow brings the forearm forward and a knee brings the shank backward.
LEFT_ARM: Final = _limb("left", "shoulder", "elbow", "wrist", None, (0.0, -1.0, 0.0))
RIGHT_ARM: Final = _limb("right", "shoulder", "elbow", "wrist", None, (0.0, 1.0, 0.0))
LEFT_LEG: Final = _limb("left", "hip", "knee", "ankle", "foot", (1.0, 0.0, 0.0))
RIGHT_LEG: Final = _limb("right", "hip", "knee", "ankle", "foot", (1.0, 0.0, 0.0))


def frame_from(primary: Tensor, secondary: Tensor) -> Tensor:
    """Return the frame ``(..., 3, 3)`` whose first column is along ``primary`` and the second towards ``secondary``."""
    primary, secondary = torch.broadcast_tensors(normalize(primary, dim=-1), secondary)
    second = normalize(secondary - (secondary * primary).sum(dim=-1, keepdim=True) * primary, dim=-1)
    return torch.stack([primary, second, torch.linalg.cross(primary, second)], dim=-1)


def swing_onto(reference: Tensor, rest: Tensor, observed: Tensor) -> Tensor:
    """Turn ``reference`` ``(..., 3, 3)`` by the shortest rotation that brings a rest bone onto the observed one."""
    carried = (reference @ rest[..., None])[..., 0]
    return align_vectors(carried, observed) @ reference


def fit_limb(limb: Limb, *, parent: Tensor, joints: Tensor, rest: Tensor, fps: float) -> tuple[Tensor, Tensor]:
    """Fit the rotations of a limb's two bones.

    Args:
        limb: which one.
        parent: rotation to world of the trunk part that the limb hangs on ``(..., T, 3, 3)``.
        joints: world positions ``(..., T, 22, 3)`` [m].
        rest: joints of the T-pose ``(..., 1 or T, 22, 3)`` [m].
        fps: frame rate [Hz].

    Returns:
        Rotations to world of the upper and of the lower bone, each ``(..., T, 3, 3)``.
    """
    (rest_upper, rest_lower), (upper, lower) = (
        tuple(normalize(points[..., b, :] - points[..., a, :], dim=-1) for a, b in limb.bones)
        for points in (rest, joints)
    )
    rest_frame = frame_from(rest_upper, rest.new_tensor(limb.hinge_axis))
    axis = rest_frame[..., 1]
    reference = swing_onto(parent, rest_upper, upper)
    first = (reference @ axis[..., None])[..., 0]
    second = torch.linalg.cross(upper, first)
    out_of_plane = (rest_lower * axis).sum(dim=-1, keepdim=True)
    twist = _hinge_twist(torch.linalg.cross(upper, lower), first, second, out_of_plane)
    if limb.tip is not None:
        toes, rest_toes = (p[..., limb.tip, :] - p[..., limb.end, :] for p in (joints, rest))
        seen = _toe_twist(toes, lower, first, second)
        at_rest = _toe_twist(rest_toes, rest_lower, axis, torch.linalg.cross(rest_upper, axis))
        twist = twist + FOOT_WEIGHT * _divide_phase(seen, at_rest)
    twist = normalize(_share_in_time(twist, fps=fps), dim=-1)
    normal = twist[..., :1] * first + twist[..., 1:] * second
    return (
        frame_from(upper, normal) @ rest_frame.mT,
        frame_from(lower, normal) @ frame_from(rest_lower, axis).mT,
    )


def _hinge_twist(normal: Tensor, first: Tensor, second: Tensor, out_of_plane: Tensor) -> Tensor:
    """Return the twist that the bent hinge shows as a complex number ``(..., 2)``: weight times (cosine, sine).

    Args:
        normal: cross product of upper and lower bone, as long as the sine of the bend.
        first: direction of the hinge axis at zero twist.
        second: at a quarter turn of twist.
        out_of_plane: component along the hinge axis of the lower bone at rest (carrying angle).
    """
    seen = torch.stack([(normal * first).sum(dim=-1), (normal * second).sum(dim=-1)], dim=-1)
    square = seen.square().sum(dim=-1, keepdim=True)
    sine = (square + 1e-12).sqrt()
    # The hinge axis is square to the plane of the bones only where the carrying angle is zero.
    correction = -out_of_plane * sine / (square + 0.01)
    real, imaginary = seen.split(1, dim=-1)
    cosine_c, sine_c = torch.cos(correction), torch.sin(correction)
    turned = torch.cat([real * cosine_c - imaginary * sine_c, imaginary * cosine_c + real * sine_c], dim=-1)
    # A little bend against the hinge's sense is an over-extended joint, not a limb twisted by half a turn.
    forward = 0.5 * (1.0 + turned[..., :1] / sine)
    bent = torch.clamp((square - 0.1) / 0.3, 0.0, 1.0)
    return turned * sine * (forward + (1.0 - forward) * bent)


def _toe_twist(toes: Tensor, lower: Tensor, first: Tensor, second: Tensor) -> Tensor:
    normal = torch.linalg.cross(normalize(toes, dim=-1), lower)
    return torch.stack([(normal * first).sum(dim=-1), (normal * second).sum(dim=-1)], dim=-1)


def _divide_phase(number: Tensor, by: Tensor) -> Tensor:
    """Divide complex numbers ``(..., 2)`` by the phases of others."""
    real, imaginary = number.unbind(-1)
    cosine, sine = normalize(by, dim=-1).unbind(-1)
    return torch.stack([real * cosine + imaginary * sine, imaginary * cosine - real * sine], dim=-1)


def _share_in_time(twist: Tensor, *, fps: float) -> Tensor:
    total = twist + twist.new_tensor([REFERENCE_WEIGHT, 0.0])
    for time_s, weight in zip(NEIGHBOUR_TIMES_S, NEIGHBOUR_WEIGHTS, strict=True):
        total = total + weight * gaussian_smooth(twist, sigma_frames=time_s * fps, ends="zero")
    return total
