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
from sim.pose_fit.noise import believe, relative_stretch, stretch_variance
from sim.pose_fit.smoothing import gaussian_smooth
from sim.rotations import align_vectors

HALF_WEIGHT_SINE: Final[float] = 0.2
"""Sine of the bend at which a hinge weighs half (12 degrees); well bent, it weighs one."""

NOISE_SIGMAS: Final[float] = 6.0
"""A bend of this many standard deviations of what noise alone could feign weighs a quarter, and less ever less."""

NEIGHBOUR_TIMES_S: Final[tuple[float, ...]] = (0.08, 0.4)
"""Standard deviations of the kernels over which frames lend each other their twist [s]."""

NEIGHBOUR_WEIGHTS: Final[tuple[float, ...]] = (0.2, 0.1)
"""Weight of each kernel against the frame's own observation: more is steadier under noise and lags more without."""

TOE_WEIGHT: Final[float] = 0.2
"""Weight of the toes' direction for a leg's twist: as much as a knee bent by 6 degrees."""

_TINY: Final[float] = 1e-10

REFERENCE_WEIGHT: Final[float] = 5e-3
"""Weight of the reference twist, for limbs that are straight for longer than the kernels reach."""


@dataclass(frozen=True)
class Limb:
    """Two bones with a hinge between them.

    Attributes:
        root: joint at which the limb hangs (shoulder, hip).
        hinge: elbow or knee.
        end: wrist or ankle.
        tip: the foot's joint, whose direction tells the twist of a straight leg; None for arms.
        hinge_axis: axis of flexion in the rest pose, right-handed about it.
        pole: direction of the upper bone in the middle of its range, seen from the trunk. The reference twist cannot be
            continuous everywhere: it jumps opposite to the pole, where no limb gets to.
    """

    root: int
    hinge: int
    end: int
    tip: int | None
    hinge_axis: tuple[float, float, float]
    pole: tuple[float, float, float]

    @property
    def bones(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The upper and the lower bone as pairs of joints."""
        return (self.root, self.hinge), (self.hinge, self.end)


def _arm(side: str, sign: float) -> Limb:
    root, hinge, end = (JOINT_INDEX[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist"))
    # In the T-pose an elbow brings the forearm forward.
    return Limb(root, hinge, end, None, hinge_axis=(0.0, -sign, 0.0), pole=(sign, 0.0, 0.0))


def _leg(side: str, sign: float) -> Limb:
    root, hinge, end, tip = (JOINT_INDEX[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "foot"))
    # Legs are kicked up forward and sideways, up to beside the head.
    return Limb(root, hinge, end, tip, hinge_axis=(1.0, 0.0, 0.0), pole=(0.4 * sign, -0.4, 0.8))


LEFT_ARM: Final = _arm("left", 1.0)
RIGHT_ARM: Final = _arm("right", -1.0)
LEFT_LEG: Final = _leg("left", 1.0)
RIGHT_LEG: Final = _leg("right", -1.0)


def frame_from(primary: Tensor, secondary: Tensor) -> Tensor:
    """Return the frame ``(..., 3, 3)`` whose first column is along ``primary`` and the second towards ``secondary``."""
    primary, secondary = torch.broadcast_tensors(normalize(primary, dim=-1), secondary)
    second = normalize(secondary - (secondary * primary).sum(dim=-1, keepdim=True) * primary, dim=-1)
    return torch.stack([primary, second, torch.linalg.cross(primary, second)], dim=-1)


def swing_onto(reference: Tensor, rest: Tensor, observed: Tensor) -> Tensor:
    """Turn ``reference`` ``(..., 3, 3)`` by the shortest rotation that brings a rest bone onto the observed one."""
    carried = (reference @ rest[..., None])[..., 0]
    return align_vectors(carried, observed) @ reference


def fit_limb(
    limb: Limb,
    *,
    parent: Tensor,
    joints: Tensor,
    rest: Tensor,
    fps: float,
    joint_noise_m: float,
    seen: Tensor,
) -> tuple[Tensor, Tensor]:
    """Fit the rotations of a limb's two bones.

    Args:
        limb: which one.
        parent: rotation to world of the trunk part that the limb hangs on ``(..., T, 3, 3)``.
        joints: world positions ``(..., T, 22, 3)`` [m].
        rest: joints of the T-pose ``(..., 1 or T, 22, 3)`` [m].
        fps: frame rate [Hz].
        joint_noise_m: standard deviation of the noise in ``joints`` [m].
        seen: frames that show something ``(..., T)``, bool; others lend their neighbours no twist.

    Returns:
        Rotations to world of the upper and of the lower bone, each ``(..., T, 3, 3)``.
    """
    (rest_upper, rest_lower), (upper, lower) = (
        tuple(points[..., b, :] - points[..., a, :] for a, b in limb.bones) for points in (rest, joints)
    )
    stretch = stretch_variance(upper, seen=seen, fps=fps) + stretch_variance(lower, seen=seen, fps=fps)
    # Each end of a bone adds its noise to the bone's length, and there are two bones.
    per_noise = _bend_per_noise(rest_upper, rest_lower)
    noise_sine = (joint_noise_m**2 + stretch / 4 + _TINY**2).sqrt() * per_noise
    rest_upper, rest_lower = normalize(rest_upper, dim=-1), normalize(rest_lower, dim=-1)
    upper, lower = (
        believe(normalize(bone, dim=-1), relative_stretch(bone, seen=seen, fps=fps), seen=seen, fps=fps)
        for bone in (upper, lower)
    )
    rest_frame = frame_from(rest_upper, rest.new_tensor(limb.hinge_axis))
    axis = rest_frame[..., 1]
    reference = swing_onto(parent @ align_vectors(rest_upper, rest.new_tensor(limb.pole)), rest_upper, upper)
    zero = (reference @ axis[..., None])[..., 0]
    quarter = torch.linalg.cross(upper, zero)
    out_of_plane = (rest_lower * axis).sum(dim=-1)
    normal = _project(torch.linalg.cross(upper, lower), zero, quarter)
    twist = _hinge_twist(normal, out_of_plane, noise_sine)
    feigned = stretch / 4 * per_noise.square()
    error = _square(twist) * feigned / (_square(normal) + feigned + _TINY)
    if limb.tip is not None:
        foot = joints[..., limb.tip, :] - joints[..., limb.end, :]
        error = error + TOE_WEIGHT**2 * relative_stretch(foot, seen=seen, fps=fps)
        toes, rest_toes = (normalize(p[..., limb.tip, :] - p[..., limb.end, :], dim=-1) for p in (joints, rest))
        shown = _project(torch.linalg.cross(toes, lower), zero, quarter)
        at_rest = _project(torch.linalg.cross(rest_toes, rest_lower), axis, torch.linalg.cross(rest_upper, axis))
        twist = twist + TOE_WEIGHT * shown * torch.polar(torch.ones_like(out_of_plane), -at_rest.angle())
    twist = torch.where(seen, twist, torch.zeros_like(twist))
    shared = torch.view_as_real(_share_in_time(twist, fps=fps))
    # What noise gives the twist's angle; frames count as they are weighed.
    noise = (error * seen).sum(dim=-1, keepdim=True) / _square(twist).sum(dim=-1, keepdim=True).clamp_min(_TINY)
    twist = torch.view_as_complex(believe(normalize(shared, dim=-1), noise, seen=seen, fps=fps))
    normal = twist.real[..., None] * zero + twist.imag[..., None] * quarter
    return (
        frame_from(upper, normal) @ rest_frame.mT,
        frame_from(lower, normal) @ frame_from(rest_lower, axis).mT,
    )


def _bend_per_noise(upper: Tensor, lower: Tensor) -> Tensor:
    """Return the sine of the bend that noise in the three joints of a straight limb feigns, for each metre of noise."""
    a, b = (1.0 / torch.linalg.vector_norm(bone, dim=-1) for bone in (upper, lower))
    return (a.square() + b.square() + (a + b).square()).sqrt()


def _square(value: Tensor) -> Tensor:
    return value.real.square() + value.imag.square()


def _project(vector: Tensor, zero: Tensor, quarter: Tensor) -> Tensor:
    """Return vectors ``(..., 3)`` seen along a bone as complex numbers ``(...)``: angle = twist."""
    return torch.complex((vector * zero).sum(dim=-1), (vector * quarter).sum(dim=-1))


def _hinge_twist(normal: Tensor, out_of_plane: Tensor, noise_sine: Tensor) -> Tensor:
    """Return the twist that a bent hinge shows, complex ``(..., T)``: the angle is the twist, the length its weight.

    Args:
        normal: cross product of upper and lower bone, as long as the sine of the bend, complex ``(..., T)``.
        out_of_plane: component along the hinge axis of the lower bone at rest (carrying angle).
        noise_sine: sine of the bend that noise alone could feign.
    """
    square = _square(normal)
    sine = (square + 1e-12).sqrt()
    # The hinge axis is square to the plane of both bones only where the carrying angle is zero.
    correction = -out_of_plane * sine / (square + 0.01)
    direction = normal / sine * torch.polar(torch.ones_like(correction), correction)
    weight = square / (square + HALF_WEIGHT_SINE**2) * (square / (square + (NOISE_SIGMAS * noise_sine) ** 2)).square()
    # A little bend against the hinge's sense is an over-extended joint, not a limb twisted by half a turn.
    along = 0.5 * (1.0 + direction.real)
    bent = ((square - 0.1) / 0.3).clamp(0.0, 1.0)
    return direction * (weight * (along + (1.0 - along) * bent))


def _share_in_time(twist: Tensor, *, fps: float) -> Tensor:
    total = twist + REFERENCE_WEIGHT
    pairs = torch.view_as_real(twist)
    for time_s, weight in zip(NEIGHBOUR_TIMES_S, NEIGHBOUR_WEIGHTS, strict=True):
        near = gaussian_smooth(pairs, sigma_frames=time_s * fps, ends="zero")
        total = total + weight * torch.complex(near[..., 0], near[..., 1])
    return total
