"""Posture and speed of each frame, as far as they tell activities apart: on the default body, at 20 fps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from datamodules.clips.clip import LYING
from sim.body import Body
from sim.conventions import FEATURE_FPS, JOINT_INDEX
from sim.motion import Motion
from sim.trajectory import resample_motion

FloatArray = NDArray[np.float64]

SMOOTH_S: Final[float] = 0.5
"""Speeds are means over this time [s]."""


@dataclass(frozen=True)
class Posture:
    """What is measured of each frame at 20 fps.

    Attributes:
        height: pelvis above the floor, as a share of its height in standing ``(T,)``.
        speed: horizontal speed of the pelvis ``(T,)`` [m/s].
        rise: vertical speed of the pelvis ``(T,)`` [m/s].
        limb_speed: mean speed of all joints ``(T,)`` [m/s].
        turn: turn of the hips about the vertical ``(T,)`` [rad/s], to the left positive.
        course: where the pelvis goes, seen from where it faces ``(T,)`` [rad]: 0 ahead, pi/2 to the left.
        upright: cosine of the trunk's tilt from the vertical ``(T,)``.
        thighs: vertical part of the thighs' mean direction ``(T,)``: -1 hanging, 0 level.
        clearance: height of the lower foot above the lowest fifth of where it is in the motion ``(T,)`` [m].
        fall: vertical acceleration of the mean of all joints ``(T,)`` [m/s^2]; -9.8 in flight.
        up_in_trunk: the vertical in the trunk's axes, left, up and front ``(T, 3)``.
    """

    height: FloatArray
    speed: FloatArray
    rise: FloatArray
    limb_speed: FloatArray
    turn: FloatArray
    course: FloatArray
    upright: FloatArray
    thighs: FloatArray
    clearance: FloatArray
    fall: FloatArray
    up_in_trunk: FloatArray

    def __len__(self) -> int:
        return len(self.height)

    def lying_side(self, start: int, stop: int) -> str:
        """Return which of the four ways of lying frames ``start`` to ``stop`` show, by gravity in the trunk's axes."""
        left, _, front = self.up_in_trunk[start:stop].mean(axis=0)
        return LYING[int(np.argmax([front, -left, left, -front]))]


def measure_posture(motion: Motion) -> Posture:
    """Measure a motion ``(T, 22, 3, 3)`` that stands on y = 0."""
    motion = resample_motion(motion, fps=FEATURE_FPS)
    where, axes = Body.default().forward_kinematics(motion)
    joints, turns = where.double().numpy(), axes.double().numpy()
    pelvis = joints[:, 0]
    velocity = _smooth(_rate(pelvis))
    across = joints[:, JOINT_INDEX["left_hip"]] - joints[:, JOINT_INDEX["right_hip"]]
    heading = np.unwrap(np.arctan2(-across[:, 2], across[:, 0]))
    course = np.arctan2(velocity[:, 0], velocity[:, 2]) - heading
    trunk = joints[:, JOINT_INDEX["neck"]] - pelvis
    thighs = sum(
        _unit(joints[:, JOINT_INDEX[f"{side}_knee"]] - joints[:, JOINT_INDEX[f"{side}_hip"]])[:, 1] / 2
        for side in ("left", "right")
    )
    standing, soles = _standing()
    feet = np.stack([joints[:, JOINT_INDEX[name], 1] - height for name, height in soles.items()], axis=1)
    chest = (turns[:, JOINT_INDEX["pelvis"], 1] + turns[:, JOINT_INDEX["spine3"], 1]) / 2
    return Posture(
        height=pelvis[:, 1] / standing,
        speed=np.linalg.norm(velocity[:, [0, 2]], axis=-1),
        rise=velocity[:, 1],
        limb_speed=_smooth(np.linalg.norm(_rate(joints), axis=-1).mean(axis=1)),
        turn=_smooth(_rate(heading)),
        course=np.angle(np.exp(1j * course)),
        upright=_unit(trunk)[:, 1],
        thighs=np.asarray(thighs),
        clearance=feet.min(axis=1) - np.quantile(feet.min(axis=1), 0.2),
        fall=_rate(_rate(joints.mean(axis=1)[:, 1])),
        up_in_trunk=chest,
    )


def _rate(values: FloatArray) -> FloatArray:
    if len(values) < 2:
        return np.zeros_like(values)
    return np.asarray(np.gradient(values, axis=0) * FEATURE_FPS)


def _smooth(values: FloatArray) -> FloatArray:
    return np.asarray(uniform_filter1d(values, round(SMOOTH_S * FEATURE_FPS), axis=0, mode="nearest"))


def _unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))


@cache
def _standing() -> tuple[float, dict[str, float]]:
    """Height of the pelvis in standing, and of the joints of the feet on the floor [m]."""
    body = Body.default()
    rest, sole = body.rest_joints, float(body.rest_vertices[..., 1].min())
    heights = {name: float(rest[..., JOINT_INDEX[name], 1]) - sole for name in ("left_foot", "right_foot")}
    heights |= {name: float(rest[..., JOINT_INDEX[name], 1]) - sole for name in ("left_ankle", "right_ankle")}
    return float(torch.as_tensor(rest[..., JOINT_INDEX["pelvis"], 1])) - sole, heights
