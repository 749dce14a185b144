"""Constructed static postures: standing, sitting and lying, as formulas, for what the recorded clips lack.

A posture is a set of joint angles with a slow sway and breathing on it. Amplitudes: quiet standing sways by a few
millimetres below 1 Hz (Prieto et al., IEEE Trans. Biomed. Eng. 43(9), 1996, doi 10.1109/10.532130); quiet breathing is
12 to 20 breaths a minute and moves the chest by a few millimetres, here a pitch of the upper trunk of 0.3 degrees.
They are plausible, not measured: every clip is flagged ``constructed``.

People who stand, sit or lie also fidget. Variants for training and validation have the movement of neck, trunk and arms
that was measured on recorded spans (six people standing idle in ReActIdle, two sitting in CMU's trials), by joint and
with its spectrum, times a share that each variant draws. Variants for test keep the sway alone, as in earlier
releases, so that errors on them stay comparable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from datamodules.clips.clip import LYING
from datamodules.retargeting.retarget import put_on_floor
from sim.body import Body
from sim.conventions import JOINT_INDEX, NUM_JOINTS
from sim.motion import Motion

VARIANTS: Final[int] = 20
"""Variants of each activity; which side of the split a variant is on goes by its number."""

SECONDS: Final[float] = 20.0
FPS: Final[float] = 30.0
_SWAY_RMS_DEG: Final[float] = 0.3
_BREATH_DEG: Final[float] = 0.3

_FIDGET_DEG: Final = {
    "spine1": (0.9, 2.1),
    "spine2": (0.7, 1.5),
    "spine3": (0.7, 1.4),
    "neck": (3.2, 5.4),
    "head": (0.9, 5.0),
    "left_shoulder": (3.9, 7.9),
    "right_shoulder": (3.9, 7.9),
    "left_elbow": (6.8, 9.9),
    "right_elbow": (6.8, 9.9),
    "left_wrist": (2.0, 5.3),
    "right_wrist": (2.0, 5.3),
}
"""RMS of a joint's turn about its mean above 0.25 Hz, all three axes together: standing, sitting [deg]."""

_FIDGET_FALL: Final[float] = 3.0
"""Power falls with frequency to this power (recorded: 3.5 standing, 2.7 sitting)."""

_FIDGET_SHARE: Final = {"standing": (0.2, 1.0), "sitting": (0.1, 0.7), "lying": (0.05, 0.4)}
"""A variant's share of the recorded movement; log-uniform. Nobody lies as restless as people sit in a studio."""

Angles = dict[str, tuple[float, float, float]]
"""Rotation vector of each joint [deg]; x pitches forward, y turns left, z leans to the right."""


@dataclass(frozen=True)
class Posture:
    """A constructed clip."""

    name: str
    activity: str
    captions: tuple[str, ...]
    motion: Motion


def build_postures() -> list[Posture]:
    """Construct all variants of standing, sitting and lying; the same numbers in every run."""
    postures = []
    for activity, build in (("standing", _stand), ("sitting", _sit), ("lying", _lie)):
        for number in range(VARIANTS):
            generator = np.random.default_rng([sum(map(ord, activity)), number])
            angles, captions = build(generator, number)
            fidget = None if number % 5 == 4 else np.random.default_rng([sum(map(ord, activity)), number, 1])
            motion = _animate(angles, generator, posture=activity, fidget=fidget)
            name = LYING[number % 4] if activity == "lying" else activity
            postures.append(Posture(f"{activity}/{number}", name, captions, motion))
    return postures


def _arms(generator: np.random.Generator, *, down: float, forward: float, bent: float) -> Angles:
    """Arms hanging ``down`` from the T-pose, swung ``forward``, elbows ``bent`` [deg], a little different each side."""
    angles: Angles = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        lowered = Rotation.from_euler("z", -sign * (down + generator.normal(0, 3)), degrees=True)
        swung = Rotation.from_euler("x", -(forward + generator.normal(0, 4)), degrees=True)
        angles[f"{side}_shoulder"] = _as_angles(swung * lowered)
        angles[f"{side}_elbow"] = (0.0, -sign * max(0.0, bent + generator.normal(0, 5)), 0.0)
        angles[f"{side}_wrist"] = (float(generator.normal(0, 8)), 0.0, 0.0)
    return angles


def _as_angles(rotation: Rotation) -> tuple[float, float, float]:
    x, y, z = rotation.as_rotvec(degrees=True)
    return float(x), float(y), float(z)


def _legs(generator: np.random.Generator, *, hip: float, knee: float, ankle: float, apart: float) -> Angles:
    """Hips and knees flexed, ankles pitched [deg], feet ``apart``, a little different each side."""
    angles: Angles = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        spread = sign * (apart + generator.normal(0, 1.5))
        angles[f"{side}_hip"] = (
            -hip + float(generator.normal(0, 2)),
            sign * float(abs(generator.normal(0, 4))),
            spread,
        )
        angles[f"{side}_knee"] = (knee, 0.0, 0.0)
        angles[f"{side}_ankle"] = (ankle, 0.0, -spread)
    return angles


def _stand(generator: np.random.Generator, number: int) -> tuple[Angles, tuple[str, ...]]:
    flexed = float(generator.uniform(1, 6))
    pose = _legs(generator, hip=flexed, knee=2 * flexed, ankle=-flexed, apart=float(generator.uniform(1, 7)))
    bent, forward, caption = (
        (float(generator.uniform(5, 20)), 0.0, "a person stands with hanging arms."),
        (float(generator.uniform(60, 95)), 15.0, "a person stands with the forearms held in front."),
        (float(generator.uniform(20, 40)), -5.0, "a person stands relaxed."),
    )[number % 3]
    pose |= _arms(generator, down=float(generator.uniform(72, 80)), forward=forward, bent=bent)
    return pose | {"head": (float(generator.normal(5, 6)), float(generator.normal(0, 12)), 0.0)}, (caption,)


def _sit(generator: np.random.Generator, number: int) -> tuple[Angles, tuple[str, ...]]:
    hip = float(generator.uniform(78, 95))
    knee = hip + float(generator.uniform(-10, 15))
    pose = _legs(generator, hip=hip, knee=knee, ankle=0.0, apart=float(generator.uniform(2, 12)))
    lean, caption = (
        (float(generator.uniform(-4, 4)), "a person sits upright on a chair."),
        (float(generator.uniform(8, 20)), "a person sits leaning forward."),
        (float(generator.uniform(-25, -12)), "a person sits leaning back in a chair."),
    )[number % 3]
    pose |= _arms(generator, down=float(generator.uniform(65, 75)), forward=float(generator.uniform(15, 35)), bent=60.0)
    turn = Rotation.from_euler("y", float(generator.uniform(-180, 180)), degrees=True)
    pose["pelvis"] = _as_angles(turn * Rotation.from_euler("x", lean, degrees=True))
    pose["head"] = (float(generator.normal(8, 8)), 0.0, 0.0)
    # Thighs stay where they are and feet flat while the pelvis leans.
    for side in ("left", "right"):
        x, y, z = pose[f"{side}_hip"]
        pose[f"{side}_hip"] = (x - lean, y, z)
        pose[f"{side}_ankle"] = (-x - knee, 0.0, -z)
    return pose, (caption,)


def _lie(generator: np.random.Generator, number: int) -> tuple[Angles, tuple[str, ...]]:
    pitch, roll, caption = (
        (-90.0, 0.0, "a person is lying on the back."),
        (-90.0, 90.0, "a person is lying on the left side."),
        (-90.0, -90.0, "a person is lying on the right side."),
        (90.0, 0.0, "a person is lying face down."),
    )[number % 4]
    # On the side, hips and knees are drawn up and the arms lie in front.
    hip = float(generator.uniform(20, 60)) if roll else float(generator.uniform(0, 10)) if pitch < 0 else 0.0
    forward = float(generator.uniform(60, 90)) if roll else 0.0
    pose = _legs(generator, hip=hip, knee=1.2 * hip, ankle=25.0, apart=0.0 if roll else float(generator.uniform(2, 10)))
    down = float(generator.uniform(86, 94)) if roll else float(generator.uniform(62, 78))
    pose |= _arms(generator, down=down, forward=forward, bent=10.0 + hip)
    turn = Rotation.from_euler("y", float(generator.uniform(-180, 180)), degrees=True)
    lying = turn * Rotation.from_euler("x", pitch + generator.normal(0, 4), degrees=True)
    # Rolling on is about the body's own long axis.
    pose["pelvis"] = _as_angles(lying * Rotation.from_euler("y", roll, degrees=True))
    return pose, (caption,)


def _animate(
    angles: Angles, generator: np.random.Generator, *, posture: str, fidget: np.random.Generator | None
) -> Motion:
    """Turn joint angles into a clip with sway and breathing, on the floor, and with fidgeting where it is asked for."""
    upright = posture == "standing"
    times = np.arange(round(SECONDS * FPS)) / FPS
    vectors = np.zeros((len(times), NUM_JOINTS, 3))
    for name, values in angles.items():
        vectors[:, JOINT_INDEX[name]] = values
    local = Rotation.from_rotvec(vectors.reshape(-1, 3), degrees=True).as_matrix().reshape(*vectors.shape, 3)
    swaying = {"pelvis": 1.0} if upright else {"spine1": 0.3}
    for name in ("neck", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow"):
        swaying[name] = 0.7
    for name, amount in swaying.items():
        sway = np.stack([_drift(times, generator) for _ in range(3)], axis=-1) * amount * _SWAY_RMS_DEG
        joint = JOINT_INDEX[name]
        local[:, joint] = Rotation.from_rotvec(sway, degrees=True).as_matrix() @ local[:, joint]
    breath = _BREATH_DEG * np.sin(2 * np.pi * (generator.uniform(0.2, 0.33) * times + generator.uniform()))
    chest = JOINT_INDEX["spine3"]
    local[:, chest] = local[:, chest] @ Rotation.from_rotvec(np.outer(-breath, [1, 0, 0]), degrees=True).as_matrix()
    if fidget is not None:
        _add_fidget(local, times, fidget, posture)
    rotations = torch.from_numpy(local).float()
    still = Motion(rotations, torch.zeros(len(times), 3), FPS)
    if upright:
        # The body sways about its ankles, which stay where they are.
        joints, _ = Body.default().forward_kinematics(still)
        ankles = joints[:, [JOINT_INDEX["left_ankle"], JOINT_INDEX["right_ankle"]]].mean(dim=1)
        still = Motion(rotations, ankles[:1] - ankles, FPS)
    return put_on_floor(still)


def _add_fidget(
    local: NDArray[np.float64], times: NDArray[np.float64], generator: np.random.Generator, posture: str
) -> None:
    """Turn neck, trunk and arms as recorded people do, by a share drawn for the variant, in place."""
    low, high = _FIDGET_SHARE[posture]
    share = float(np.exp(generator.uniform(np.log(low), np.log(high))))
    for name, (standing, seated) in _FIDGET_DEG.items():
        rms = share * (standing if posture == "standing" else seated) / np.sqrt(3)
        turn = np.stack([_fidget(times, generator) for _ in range(3)], axis=-1) * rms
        joint = JOINT_INDEX[name]
        local[:, joint] = local[:, joint] @ Rotation.from_rotvec(turn, degrees=True).as_matrix()


def _fidget(times: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Random movement of RMS 1 above 0.25 Hz with the recorded spectrum: sines, evenly spread over log frequency."""
    frequencies = np.geomspace(0.08, 8.0, 40) * np.exp(generator.uniform(-0.05, 0.05, 40))
    # Power in a band of constant width on the log scale is density times frequency.
    power = frequencies ** (1 - _FIDGET_FALL) / (1 + (0.15 / frequencies) ** _FIDGET_FALL)
    amplitudes = np.sqrt(2 * power / power[frequencies > 0.25].sum())
    phases = generator.uniform(0, 2 * np.pi, 40)
    return np.asarray(np.sin(2 * np.pi * np.outer(times, frequencies) + phases) @ amplitudes)


def _drift(times: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Slow random movement of RMS 1: eight sines between 0.05 and 1 Hz, weaker the faster they are."""
    frequencies = generator.uniform(0.05, 1.0, 8)
    weights = 1.0 / (0.2 + frequencies)
    phases = generator.uniform(0, 2 * np.pi, 8)
    waves = np.sin(2 * np.pi * np.outer(times, frequencies) + phases) @ weights
    return np.asarray(waves / np.sqrt((weights**2).sum() / 2))
