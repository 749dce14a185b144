"""Longer training clips from short ones: clip A carried on by clip B of the same activity and person, blended.

Beside :mod:`datamodules.clips.gait_loops`, which repeats whole strides of one clip.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from datamodules.clips.cache import CachedClip
from datamodules.clips.clip import LYING, Clip
from datamodules.clips.sources import SourceItem
from sim.body import Body
from sim.motion import Motion
from sim.trajectory import resample_motion

JOINED_FPS: Final[float] = 60.0
MAX_GAP_M: Final[float] = 0.09
"""Joints may differ by this much on average where clips meet, a tenth of a second of their movement included [m]."""

BLEND_S: Final[float] = 0.3
CANDIDATES: Final[int] = 6

JOINED_ACTIVITIES: Final = frozenset(
    {"walking", "running", "walking_backwards", "sidestepping", "styled_walking", "slope_walking", "stairs_up"}
    | {"stairs_down", "hopping", "jumping", "crouching", "crawling", "standing", "sitting", *LYING}
)
"""What goes on when it goes on; sitting down twice in a row is not one of them."""


def join_motions(first: Motion, second: Motion) -> Motion | None:
    """Carry a motion on by another where they fit best: late in the first, early in the second.

    The second is turned about the vertical and moved so that it goes on from where the first is; over 0.3 s the first's
    last movement goes over into the second's.

    Returns:
        One motion at the first's rate, or None where joints would differ by more than :data:`MAX_GAP_M` at the seam.
    """
    second = resample_motion(second, fps=first.fps)
    blend = max(2, round(BLEND_S * first.fps))
    states = [_states(motion) for motion in (first, second)]
    early = range(max(1, second.num_frames - blend - 2))[: max(1, second.num_frames // 2)]
    late = range(first.num_frames // 2, first.num_frames - blend)
    if len(late) == 0 or second.num_frames <= blend + 2:
        return None
    step = max(1, round(first.fps / 20))
    gaps = np.linalg.norm(states[0][late[::step], None] - states[1][None, early[::step]], axis=-1).mean(axis=-1)
    row, column = np.unravel_index(int(gaps.argmin()), gaps.shape)
    if gaps[row, column] > MAX_GAP_M:
        return None
    return _blend(first, second, late[::step][int(row)], early[::step][int(column)], blend)


def join_items(clips: Sequence[CachedClip], *, seconds: float) -> list[SourceItem]:
    """Name joined clips that can be made of short training clips; converting an item makes it.

    Args:
        clips: training clips, all of one side.
        seconds: clips of this length are long enough [s].

    Returns:
        An item for each short clip that has a partner: of the same activity, and the same person or, where the person
        is not known, the same recording session. An item makes no clip where no partner fits.
    """
    looped = {clip.name.removesuffix("~loop") for clip in clips if clip.looped}
    pools: dict[tuple[str, str], list[CachedClip]] = defaultdict(list)
    for clip in clips:
        if clip.activity in JOINED_ACTIVITIES and not clip.looped and not clip.constructed:
            pools[clip.activity, clip.item.person or clip.item.group].append(clip)
    items = []
    for pool in pools.values():
        for clip in pool:
            if clip.seconds >= seconds or clip.name in looped:
                continue
            ranked = sorted((other for other in pool if other is not clip), key=lambda one: _rank(clip, one))
            partners = ranked[:CANDIDATES]
            if partners:
                keys = "".join(f"{one.item.key}/{one.number}" for one in (clip, *partners))
                digest = hashlib.sha256(f"join 1 {seconds} {keys}".encode()).hexdigest()[:24]
                items.append(_make_item(clip, partners, digest, seconds))
    return items


def _make_item(clip: CachedClip, partners: list[CachedClip], key: str, seconds: float) -> SourceItem:
    def load() -> list[Clip]:
        start = clip.load_clip()
        motion, used = resample_motion(start.motion, fps=min(JOINED_FPS, start.motion.fps)), 0
        for partner in partners:
            longer = join_motions(motion, partner.load_clip().motion)
            if longer is not None and longer.duration_s > motion.duration_s:
                motion, used = longer, used + 1
            if motion.duration_s >= seconds:
                break
        return [replace(start, name=f"{clip.name}~joined", motion=motion, looped=True)] if used else []

    return SourceItem(f"{clip.item.name}~joined{clip.number}", key, clip.item.group, "train", load, clip.item.person)


def _rank(clip: CachedClip, other: CachedClip) -> str:
    return hashlib.sha256(f"{clip.name}|{other.name}".encode()).hexdigest()


def _states(motion: Motion) -> NDArray[np.float64]:
    """Pose and movement of each frame ``(T, 44, 3)`` [m], relative to the pelvis on the floor and to the heading."""
    joints = Body.default().joints(motion).double().numpy()
    turn = Rotation.from_rotvec(_yaw(motion)[:, None] * np.array([0.0, -1.0, 0.0])).as_matrix()
    origin = joints[:, :1] * np.array([1.0, 0.0, 1.0])
    local = np.einsum("tij,tkj->tki", turn, joints - origin)
    velocity = np.einsum("tij,tkj->tki", turn, np.gradient(joints, axis=0) * motion.fps)
    return np.concatenate([local, 0.1 * velocity], axis=1)


def _yaw(motion: Motion) -> NDArray[np.float64]:
    root = motion.rotations[:, 0].double().numpy()
    return np.arctan2(root[:, 0, 2], root[:, 2, 2])


def _blend(first: Motion, second: Motion, leave: int, enter: int, blend: int) -> Motion:
    """The first up to ``leave``, then the second from ``enter`` on, crossed over ``blend`` frames."""
    yaw = _yaw(first)[leave] - _yaw(second)[enter]
    turn = Rotation.from_rotvec([0.0, yaw, 0.0]).as_matrix()
    rotations = second.rotations[enter:].double().numpy().copy()
    rotations[:, 0] = turn @ rotations[:, 0]
    path = second.translation[enter:].double().numpy()
    ahead = first.translation[leave].double().numpy() - path[0]
    path = (path - path[0]) @ turn.T + path[0] + ahead * np.array([1.0, 0.0, 1.0])
    # What the first would do next goes over into what the second does, without a step in pose or speed.
    weight = np.linspace(0.0, 1.0, blend)
    weight = weight**2 * (3 - 2 * weight)
    old = first.rotations[leave : leave + blend].double().numpy()
    gap = Rotation.from_matrix((old.transpose(0, 1, 3, 2) @ rotations[:blend]).reshape(-1, 3, 3)).as_rotvec()
    share = np.repeat(weight, old.shape[1])[:, None]
    rotations[:blend] = old @ Rotation.from_rotvec(share * gap).as_matrix().reshape(old.shape)
    before = first.translation[leave : leave + blend].double().numpy()
    path[:blend] = before + weight[:, None] * (path[:blend] - before)
    return Motion(
        torch.cat([first.rotations[:leave], torch.from_numpy(rotations).to(first.rotations)]),
        torch.cat([first.translation[:leave], torch.from_numpy(path).to(first.translation)]),
        first.fps,
        first.text,
    )
