"""Longer gait clips by repeating whole strides, with the seam closed."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from sim.body import Body
from sim.motion import Motion

MAX_SEAM_M: Final[float] = 0.06
"""Joints may differ by this much on average between the ends of a loop [m], their steps to the next frame included."""

MIN_LOOP_S: Final[float] = 0.6


def loop_gait(motion: Motion, *, seconds: float) -> Motion | None:
    """Find the longest stretch of whole strides in a clip and repeat it.

    Args:
        motion: a clip ``(T, 22, 3, 3)`` of walking or running.
        seconds: least length of the result [s].

    Returns:
        A looped Motion at the clip's rate; None where the clip is that long already, or where no stretch returns to
        the pose and the speed it began with.
    """
    if motion.duration_s >= seconds:
        return None
    joints = Body.default().joints(motion).double().numpy()
    root = motion.rotations[:, 0].double().numpy()
    heading = np.arctan2(root[:, 0, 2], root[:, 2, 2])
    turn = Rotation.from_rotvec(np.stack([0 * heading, -heading, 0 * heading], axis=-1)).as_matrix()
    local = np.einsum("tij,tkj->tki", turn, joints - joints[:, :1])
    velocity = np.einsum("tij,tkj->tki", turn, np.gradient(joints, axis=0) * motion.fps)
    # A tenth of a second of movement weighs like a displacement.
    state = np.concatenate([local, 0.1 * velocity], axis=1)
    least = round(MIN_LOOP_S * motion.fps)
    best: tuple[float, int, int] | None = None
    for start in range(0, motion.num_frames - least, max(1, round(motion.fps / 60))):
        gaps = np.linalg.norm(state[start + least :] - state[start], axis=-1).mean(axis=-1)
        # Longer loops repeat less often: a stretch may close a little worse if it is longer.
        scores = gaps / np.sqrt(np.arange(least, least + len(gaps)))
        position = int(np.where(gaps <= MAX_SEAM_M, scores, np.inf).argmin())
        if gaps[position] <= MAX_SEAM_M and (best is None or scores[position] < best[0]):
            best = (float(scores[position]), start, start + least + position)
    if best is None:
        return None
    return loop_cycle(motion.frames(best[1], best[2] + 1), seconds=seconds)


def loop_cycle(motion: Motion, *, seconds: float) -> Motion:
    """Repeat a cyclic clip, each cycle carried on from the pose and place where the last one ended.

    The clip's last frame stands for its first one a cycle later. What differs between the two (a few degrees, a few
    millimetres of height) is spread evenly over the cycle, which closes the seam; turn and path go on.

    Args:
        motion: one cycle ``(T, 22, 3, 3)``, first and last frame alike but for heading and place.
        seconds: least length of the result [s].

    Returns:
        A Motion of whole cycles at the same rate.
    """
    cycle = motion.num_frames - 1
    rotations = motion.rotations.double().numpy()
    path = motion.translation.double().numpy().copy()
    # Heading: of the root's turn over a cycle only the part about the vertical goes on.
    change = rotations[-1, 0] @ rotations[0, 0].T
    yaw = Rotation.from_rotvec([0.0, np.arctan2(change[0, 2] - change[2, 0], change[0, 0] + change[2, 2]), 0.0])
    goal = rotations[0].copy()
    goal[0] = yaw.as_matrix() @ goal[0]
    gap = Rotation.from_matrix(rotations[-1].transpose(0, 2, 1) @ goal).as_rotvec()
    share = np.arange(cycle + 1)[:, None, None] / cycle
    closing = Rotation.from_rotvec((share * gap).reshape(-1, 3)).as_matrix().reshape(rotations.shape)
    rotations = rotations @ closing
    path[:, 1] += share[:, 0, 0] * (path[0, 1] - path[-1, 1])
    pieces, places, turn, place = [], [], np.eye(3), path[0]
    for _ in range(max(1, int(np.ceil(seconds * motion.fps / cycle)))):
        turned = rotations[:-1].copy()
        turned[:, 0] = turn @ turned[:, 0]
        pieces.append(turned)
        places.append(place + (path[:-1] - path[0]) @ turn.T)
        place = place + turn @ (path[-1] - path[0])
        turn = yaw.as_matrix() @ turn
    return Motion(
        torch.from_numpy(np.concatenate(pieces)).to(motion.rotations),
        torch.from_numpy(np.concatenate(places)).to(motion.translation),
        motion.fps,
        motion.text,
    )
