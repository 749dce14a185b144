"""What looks wrong with a motion: units, axes, rates, jumps, repeated frames, mirrored bodies, a root that drifts.

One pass for every door: ``imuforge motions inspect`` prints it, whatever else opens a motion file warns of it.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.frame_clock import SUSPICIOUS
from datamodules.motion_files.floor import find_sinking
from datamodules.motion_files.guesses import LEG_M, count_put_in_front, count_t_pose
from datamodules.motion_files.motion_file import MotionFile
from datamodules.retargeting.retarget import LEGS, SIDES
from sim.conventions import JOINT_INDEX, JOINT_NAMES

logger = logging.getLogger(__name__)

Joints = NDArray[np.float64]

RATES_HZ: Final[tuple[float, float]] = (5.0, 1000.0)
"""Rates that motion is recorded at [Hz]."""

JUMP_M_S2: Final[float] = 1000.0
"""No joint of a person accelerates faster [m/s^2]: a foot that lands comes to 880 (datamodules.clips.breaks)."""

PELVIS_M_S: Final[float] = 12.5
PELVIS_M_S2: Final[float] = 600.0
"""A sprinter's speed [m/s], and what no pelvis comes to, landings recorded at 120 Hz included [m/s^2]."""

SHOWN: Final[int] = 8
POSED_FRAMES: Final[int] = 5
STANDING_SHARE: Final[float] = 0.05

DRIFT_M_S: Final[float] = 0.7
DRIFT_S: Final[float] = 0.45
FALL_M_S2: Final[float] = -6.0
DRIFT_RATE_HZ: Final[float] = 30.0
"""A body none of whose joints rests below this speed for this long, without the acceleration of a fall: the honest
recordings of the collection reach 0.3 s (landings, rolls)."""

STILL_M: Final[float] = 2e-6
MOVING_M_S: Final[float] = 0.05
HELD_SHARE: Final[float] = 0.03
HELD_S: Final[float] = 0.5
LEAST_HELD: Final[int] = 3
"""A pose repeated to this [m] between steps that move this fast is held, for half a second at most; that many of them,
and that share of all frames, are a rate that is not the motion's own."""

FLOORED: Final = ("Motion.save", "HumanML3D features")
"""Formats whose floor is at y = 0; others are put on it."""

BENT_M: Final[float] = 0.03
BACKWARDS_SHARE: Final[float] = 0.7
LEAST_BENT: Final[int] = 10
"""How far before or behind the line of hip and ankle a knee is bent [m], how often it may bend backwards, and how many
bent knees it takes to tell."""


def check_rate(fps: float, path: Path) -> None:
    """Refuse a rate that no recording has, by which milliseconds or rates in place of periods show.

    Args:
        fps: as the file says it [Hz].
        path: the file, for messages.

    Raises:
        ValueError: it is not 5 to 1000 Hz; the message says what may be meant.
    """
    if RATES_HZ[0] <= fps <= RATES_HZ[1]:
        return
    period = 1.0 / fps
    meant = [
        f"{value:.4g} if the number is {what}"
        for value, what in ((1000.0 / period, "milliseconds"), (period, "the rate itself"))
        if RATES_HZ[0] <= value <= RATES_HZ[1]
    ]
    raise ValueError(
        f"{path} says {fps:.4g} fps ({period:.6g} s a frame), expected {RATES_HZ[0]:g} to {RATES_HZ[1]:g}; "
        f"pass the true rate, --fps{' ' if meant else ''}{' or '.join(meant)}"
    )


def judge_motion(read: MotionFile) -> list[str]:
    """Say what looks wrong with a motion, a line each that begins with ``suspicious``; nothing where all is well.

    Args:
        read: a motion file, read; its joints are judged where and as large as the source has them.
    """
    joints, fps = read.joints.reshape(-1, *read.joints.shape[-3:])[0], read.motion.fps
    found = [note for note in read.notes if note.startswith(SUSPICIOUS)]
    if not RATES_HZ[0] <= fps <= RATES_HZ[1]:
        found.append(f"{SUSPICIOUS}{fps:.4g} fps, expected {RATES_HZ[0]:g} to {RATES_HZ[1]:g}; pass --fps")
    found += [*_judge_size(joints, read), *_judge_knees(joints), *_judge_front(joints, fps)]
    if read.format in FLOORED:
        found += find_sinking(joints)
    if len(joints) > 2:
        found += [
            *find_held(joints, fps),
            *_judge_pelvis(joints, fps),
            *(line for line in find_jumps(joints, fps) if line.startswith("suspicious")),
            *find_drift(joints, fps),
        ]
    return found


def warn_of(read: MotionFile, path: Path) -> None:
    """Write what looks wrong with a motion to the log, a warning each."""
    for line in judge_motion(read):
        logger.warning("%s: %s (imuforge motions inspect says more)", path, line)


def leg_length(joints: Joints) -> float:
    """Return the median length of the legs of joints ``(T, 22, 3)``, hip to ankle, in their unit."""
    lengths = [
        np.linalg.norm(joints[:, JOINT_INDEX[f"{side}_{low}"]] - joints[:, JOINT_INDEX[f"{side}_{high}"]], axis=-1)
        for side in SIDES
        for high, low in LEGS
    ]
    return float(np.median(np.sum(lengths, axis=0))) / 2


def _judge_size(joints: Joints, read: MotionFile) -> list[str]:
    found, leg = [], leg_length(joints)
    if not LEG_M[0] < leg < LEG_M[1]:
        found.append(f"{SUSPICIOUS}legs of {leg:.3g} m; the unit is probably another one, pass --unit-m")
    up = joints[:, JOINT_INDEX["neck"]] - joints[:, 0]
    mean = up.mean(axis=0) / max(float(np.linalg.norm(up, axis=1).mean()), 1e-9)
    # Who stands for a moment has y up, and lies or crawls for the rest.
    stands = (up[:, 1] > 0.8 * np.linalg.norm(up, axis=1)).mean() > STANDING_SHARE
    if abs(mean[1]) < 0.5 and np.abs(mean).max() > 0.8 and not stands:
        # A turn about x exchanges y and z; a trunk along x is no matter of which axis is up.
        other = {"y": "z", "z": "y"}.get(read.up or "")
        advice = f"lying, or pass --up {other}" if other and abs(mean[2]) > 0.8 else "lying, or the axes are others"
        found.append(f"{SUSPICIOUS}the trunk does not point along y on the average; {advice}")
    elif mean[1] < -0.5:
        found.append(f"{SUSPICIOUS}the head is below the pelvis on the average; upside down?")
    return found


def _judge_knees(joints: Joints) -> list[str]:
    """Say whether knees bend backwards, seen from the pelvis: its left, and up to the neck."""
    left = joints[:, JOINT_INDEX["left_hip"]] - joints[:, JOINT_INDEX["right_hip"]]
    forward = np.cross(left, joints[:, JOINT_INDEX["neck"]] - joints[:, 0])
    forward /= np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-9)
    before = []
    for side in SIDES:
        hip, knee, ankle = (joints[:, JOINT_INDEX[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
        line = ankle - hip
        line /= np.maximum(np.linalg.norm(line, axis=-1, keepdims=True), 1e-9)
        out = (knee - hip) - ((knee - hip) * line).sum(-1, keepdims=True) * line
        depth = (out * forward).sum(-1)
        before.append(depth[np.abs(depth) > BENT_M])
    depths = np.concatenate(before)
    behind = (depths < 0).mean() if len(depths) >= LEAST_BENT else 0.0
    if behind < BACKWARDS_SHARE:
        return []
    return [
        f"{SUSPICIOUS}knees bend backwards in {behind:.0%} of the frames in which they are bent (by "
        f"{-float(np.median(depths)):.2f} m); the file is probably mirrored (left-handed axes), or left and right are "
        "exchanged"
    ]


def _judge_pelvis(joints: Joints, fps: float) -> list[str]:
    steps = np.diff(joints[:, 0], axis=0) * fps
    speed, bend = np.linalg.norm(steps, axis=-1), np.linalg.norm(np.diff(steps, axis=0), axis=-1) * fps
    found = []
    if speed.max() > PELVIS_M_S:
        found.append(
            f"{SUSPICIOUS}the pelvis moves at {speed.max():.1f} m/s at frame {int(speed.argmax())}, faster than a "
            "sprinter; the root jumps, or the rate or the unit is another one"
        )
    if bend.max() > PELVIS_M_S2:
        found.append(
            f"{SUSPICIOUS}the pelvis accelerates by {bend.max():.0f} m/s^2 at frame {int(bend.argmax()) + 1}; the root "
            "jumps, or the rate or the unit is another one"
        )
    ground = np.linalg.norm(steps[:, [0, 2]], axis=-1)
    if float(np.ptp(joints[:, 0, 1])) < 1e-4 and float(ground.max()) > 0.3:
        found.append(f"{SUSPICIOUS}the pelvis's height never changes while it travels; vertical motion was taken out")
    return found


def find_held(joints: Joints, fps: float) -> list[str]:
    """Say whether frames repeat the one before while the body moves, and which rate the motion has without them.

    Args:
        joints: world positions ``(T, 22, 3)`` [m], T > 2.
        fps: frame rate [Hz].
    """
    steps = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(axis=-1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], steps < STILL_M, [False]]).astype(int)))
    runs = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        sides = [steps[one] for one in (start - 1, stop) if 0 <= one < len(steps)]
        # The step that leaves a held pose makes up for all of it.
        moves = bool(sides) and min(sides) * fps / (stop - start + 1) > MOVING_M_S
        if moves and (stop - start) / fps <= HELD_S:
            runs.append(stop - start)
    held = sum(runs)
    if held < LEAST_HELD or held < HELD_SHARE * len(steps):
        return []
    rate = fps * (1 - held / len(steps))
    usual = int(np.median(runs))
    every = (
        f"most frames come {usual + 1} times" if held > 0.4 * len(steps) else f"{held} of {len(joints)} frames repeat"
    )
    whole = fps / (usual + 1) if abs(rate * (usual + 1) / fps - 1) < 0.05 else rate
    return [
        f"{SUSPICIOUS}{every}, the one before repeated while the body moves; the motion is of about {whole:.4g} Hz, "
        f"not {fps:g}: take the repeated frames out"
    ]


def find_jumps(joints: Joints, fps: float) -> list[str]:
    """Say which frames no person can have moved through.

    Args:
        joints: world positions ``(T, 22, 3)`` [m], T > 2.
        fps: frame rate [Hz].
    """
    bend = np.linalg.norm(np.diff(joints, n=2, axis=0), axis=-1) * fps**2
    frames = np.flatnonzero(bend.max(axis=1) > JUMP_M_S2) + 1
    if not len(frames):
        return [f"no jumps: no joint accelerates beyond {JUMP_M_S2:g} m/s^2 (largest {bend.max():.0f})"]
    groups = np.split(frames, np.flatnonzero(np.diff(frames) > 2) + 1)
    told = []
    for group in groups[:SHOWN]:
        part = bend[group - 1].max(axis=0)
        where = f"frame {group[0]}" if len(group) == 1 else f"frames {group[0]} to {group[-1]}"
        told.append(f"{where} ({JOINT_NAMES[int(part.argmax())]}, {part.max():.0f} m/s^2)")
    more = f" and {len(groups) - SHOWN} more" if len(groups) > SHOWN else ""
    return [f"suspicious jumps: {', '.join(told)}{more}"]


def find_drift(joints: Joints, fps: float) -> list[str]:
    """Say when a whole body moves although nothing of it rests and it does not fall: its root's path is wrong.

    Args:
        joints: world positions ``(T, 22, 3)`` [m], T > 2.
        fps: frame rate [Hz].
    """
    every = max(1, round(fps / DRIFT_RATE_HZ))
    rate = fps / every
    moved = joints[::every]
    slowest = np.linalg.norm(np.diff(moved, axis=0), axis=-1).min(axis=1) * rate
    rising = np.diff(moved.mean(axis=1)[:, 1]) * rate
    edges = np.flatnonzero(np.diff(np.concatenate([[False], slowest > DRIFT_M_S, [False]]).astype(int)))
    told = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if (stop - start) / rate >= DRIFT_S and stop - start > 2:
            times = np.arange(stop - start) / rate
            if np.polyfit(times, rising[start:stop], 1)[0] > FALL_M_S2:
                told.append(f"{(stop - start) / rate:.1f} s from {start / rate:.1f} s on")
    if not told:
        return []
    more = f" and {len(told) - SHOWN} times more" if len(told) > SHOWN else ""
    return [
        f"suspicious: for {', '.join(told[:SHOWN])}{more} nothing rests (every joint is faster than {DRIFT_M_S:g} m/s) "
        "and the body does not fall; the root's path is wrong, or feet slide"
    ]


def say_no_jumps(joints: Joints, fps: float) -> list[str]:
    """Say that nothing jumps, and how near it comes; nothing where :func:`find_jumps` has something to say."""
    return [line for line in find_jumps(joints, fps) if not line.startswith("suspicious")]


def say_t_pose(joints: Joints) -> list[str]:
    """Say that a motion begins in a T-pose that lasts, which may have been recorded."""
    # A T-pose that was recorded is left slowly.
    if count_t_pose(joints[:POSED_FRAMES]) < min(POSED_FRAMES, len(joints)):
        return []
    return ["begins in a T-pose that lasts; recorded, or put in by a conversion: look before using it"]


def _judge_front(joints: Joints, fps: float) -> list[str]:
    front = count_put_in_front(joints, fps)
    if not front:
        return []
    words = "frame 0 is a T-pose" if front == 1 else f"frames 0 to {front - 1} are a T-pose"
    return [f"{SUSPICIOUS}{words}, put in by a conversion; pass --drop-first {front}"]
