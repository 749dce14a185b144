"""Where a recording breaks, and where it only shows a T-pose; the pieces that are left, on one floor."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.retargeting.retarget import put_on_floor
from sim.body import Body
from sim.conventions import JOINT_INDEX
from sim.motion import Motion

MIN_SECONDS: Final[float] = 1.0

MAX_JOINT_SPEED_M_S: Final[float] = 16.0
MAX_JOINT_ACCELERATION_M_S2: Final[float] = 1000.0
MAX_TRUNK_RATE_RAD_S: Final[float] = 20.0
"""Beyond these no person moves: a marker swap or a broken Euler angle. The fastest honest values in the collection are
14 m/s (a football kick), 880 m/s^2 (a foot that lands) and 15 rad/s (a pirouette)."""

SUNK_M: Final[float] = 0.1
"""A body whose lowest joint stays this far under the floor is not where it was [m]."""

_STANDING_M: Final = 0.75  # height of the pelvis
_STRAIGHT: Final = 0.95  # distance of wrist and shoulder over the length of the arm
_SIDEWAYS: Final = 0.93  # cosine of the arm and the line of the shoulders
_LEVEL: Final = 0.35  # sine of the arm's elevation
_HELD_M_S: Final = 0.4
_HELD_S: Final = 0.2
_AROUND_S: Final = 0.33


def find_t_pose(motion: Motion) -> NDArray[np.bool_]:
    """Say which frames ``(T,)`` belong to a T-pose that is held, as actors do before and after a take.

    Standing, both arms straight out to the sides and hardly moving for a fifth of a second; a third of a second around
    it, in which the arms rise and fall, belongs to it. Who lifts the arms so while doing something moves them on.

    Args:
        motion: one motion ``(T, 22, 3, 3)``.
    """
    joints = Body.default().joints(motion).double().numpy()
    across = _unit(joints[:, JOINT_INDEX["left_shoulder"]] - joints[:, JOINT_INDEX["right_shoulder"]])
    posed = joints[:, 0, 1] > _STANDING_M
    for side, sign in (("left", 1.0), ("right", -1.0)):
        shoulder, elbow, wrist = (joints[:, JOINT_INDEX[f"{side}_{name}"]] for name in ("shoulder", "elbow", "wrist"))
        reach = wrist - shoulder
        length = np.linalg.norm(elbow - shoulder, axis=1) + np.linalg.norm(wrist - elbow, axis=1)
        slow = np.linalg.norm(np.gradient(wrist - joints[:, 0], axis=0), axis=1) * motion.fps < _HELD_M_S
        posed &= (np.linalg.norm(reach, axis=1) > _STRAIGHT * length) & slow
        posed &= ((_unit(reach) * across).sum(axis=1) * sign > _SIDEWAYS) & (np.abs(_unit(reach)[:, 1]) < _LEVEL)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], posed, [False]]).astype(int)))
    found = np.zeros(motion.num_frames, dtype=bool)
    margin = round(_AROUND_S * motion.fps)
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start >= _HELD_S * motion.fps:
            found[max(0, start - margin) : stop + margin] = True
    return found


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def cut_at_breaks(motion: Motion, *, leave_out: NDArray[np.bool_] | None = None) -> list[Motion]:
    """Cut a recording where it breaks and keep the pieces of at least a second.

    A frame is broken if a joint is faster than 16 m/s, accelerates by more than 1000 m/s^2, or the trunk turns by more
    than 20 rad/s; a tenth of a second around it is left out.

    Args:
        motion: one motion ``(T, 22, 3, 3)``.
        leave_out: frames that are left out, too ``(T,)``.

    Returns:
        The pieces in order; the whole motion where nothing breaks.
    """
    if motion.num_frames < 3:
        return []
    fps = motion.fps
    joints = Body.default().joints(motion).double().numpy()
    step = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(axis=-1) * fps
    bend = np.linalg.norm(np.diff(joints, n=2, axis=0), axis=-1).max(axis=-1) * fps**2
    root = motion.rotations[:, 0].double()
    cosine = ((root[:-1].mT @ root[1:]).diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    rate = torch.acos(cosine.clamp(-1, 1)).numpy() * fps
    broken = np.zeros(motion.num_frames, dtype=bool) if leave_out is None else leave_out.copy()
    margin = int(np.ceil(0.05 * fps))
    steps = np.flatnonzero((step > MAX_JOINT_SPEED_M_S) | (rate > MAX_TRUNK_RATE_RAD_S))
    bends = np.flatnonzero(bend > MAX_JOINT_ACCELERATION_M_S2) + 1
    for frame in np.concatenate([steps, steps + 1, bends]):
        broken[max(0, frame - margin) : frame + margin + 1] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[True], broken, [True]]).astype(int)))
    pieces = [(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
    return [motion.frames(int(a), int(b)) for a, b in pieces if (b - a - 1) / fps >= MIN_SECONDS]


def settle_pieces(pieces: list[Motion], motion: Motion) -> list[Motion]:
    """Put the pieces of a recording on one floor again, which a broken root may have laid elsewhere.

    Args:
        pieces: what :func:`cut_at_breaks` left of it.
        motion: the whole recording.

    Returns:
        The pieces, less those that lie wholly under that floor: the root was lost between two jumps.
    """
    if not pieces or sum(piece.num_frames for piece in pieces) == motion.num_frames:
        return pieces
    rotations, translation = (
        torch.cat([getattr(piece, name) for piece in pieces]) for name in ("rotations", "translation")
    )
    settled = [
        put_on_floor(piece, by=replace(motion, rotations=rotations, translation=translation)) for piece in pieces
    ]
    return [piece for piece in settled if float(Body.default().joints(piece)[..., 1].amin(dim=-1).max()) > -SUNK_M]
