"""What a skeleton's file does not say and its content tells: unit, a T-pose put in front, which .asf an .amc is of."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from datamodules.formats.acclaim import INCH_M, read_bones
from datamodules.formats.marker_recording import MarkerRecording
from datamodules.formats.skeleton import FloatArray, SkeletonMotion
from datamodules.markers.marker_sets import MarkerSet
from datamodules.retargeting.rest_pose import rest_positions
from datamodules.retargeting.retarget import LEGS, SIDES, SkeletonMap
from sim.conventions import JOINT_INDEX
from sim.files import is_hidden

LEG_M: Final[tuple[float, float]] = (0.55, 1.1)
"""Lengths of a person's leg, hip to ankle [m]."""

UNITS_M: Final[dict[str, float]] = {
    "centimetres": 0.01,
    "metres": 1.0,
    "millimetres": 0.001,
    "inches": INCH_M,
    "CMU's unit": INCH_M / 0.45,
}
"""Metres per unit of files that do not say theirs; a leg is a leg in one of them only."""

JUMP_M_S: Final[float] = 16.0
"""No joint moves faster relative to the root: what lies between two such frames was put together [m/s]."""

T_POSE_COSINE: Final[float] = 0.93
LEVEL: Final[float] = 0.15
"""Both arms this level and straight out are a T-pose."""

STILL_M: Final[float] = 1e-4
"""What was put in front does not move [m]."""

MOST_FRAMES: Final[int] = 30
"""Among how many first frames one that was put in front is sought."""

_UPRIGHT: Final[float] = 0.8
_FLOOR_M: Final[float] = 0.3
_ALIKE: Final[float] = 0.01


def leg_length(source: SkeletonMotion, skeleton: SkeletonMap) -> float:
    """Return the mean length of a skeleton's legs, hip to ankle along the bones at rest, in its unit."""
    rest = rest_positions(source)
    return float(
        sum(
            np.linalg.norm(
                rest[source.index(skeleton.joints[f"{side}_{low}"])]
                - rest[source.index(skeleton.joints[f"{side}_{high}"])]
            )
            for side in SIDES
            for high, low in LEGS
        )
        / 2
    )


def guess_unit(source: SkeletonMotion, skeleton: SkeletonMap) -> tuple[float, str]:
    """Return the unit in which a skeleton has a person's legs, in metres and by name; centimetres where none does.

    Args:
        source: motion in the file's unit.
        skeleton: names of its joints.
    """
    leg = leg_length(source, skeleton)
    fitting = [(unit, name) for name, unit in UNITS_M.items() if LEG_M[0] < leg * unit < LEG_M[1]]
    return fitting[0] if fitting else (UNITS_M["centimetres"], "centimetres")


def scale_skeleton(source: SkeletonMotion, factor: float) -> SkeletonMotion:
    """Return a motion with all lengths multiplied by a factor."""
    return replace(source, offsets=source.offsets * factor, positions=source.positions * factor)


def count_t_pose(joints: FloatArray) -> int:
    """Return how many frames at the beginning are a T-pose, both arms level and straight out.

    Args:
        joints: SMPL's joints ``(T, 22, 3)``, Y up, in any unit.
    """
    arms = [joints[:, JOINT_INDEX[f"{side}_wrist"]] - joints[:, JOINT_INDEX[f"{side}_shoulder"]] for side in SIDES]
    left, right = (arm / np.maximum(np.linalg.norm(arm, axis=-1, keepdims=True), 1e-9) for arm in arms)
    level = (np.abs(left[:, 1]) < LEVEL) & (np.abs(right[:, 1]) < LEVEL)
    flat = level & ((left * right).sum(axis=-1) < -T_POSE_COSINE)
    return len(flat) if flat.all() else int(flat.argmin())


def count_put_in_front(joints: FloatArray, fps: float) -> int:
    """Return how many frames at the beginning a conversion put there: a T-pose from which the recording jumps.

    A person who is recorded in a T-pose leaves it no faster than arms move.

    Args:
        joints: SMPL's joints ``(T, 22, 3)`` [m], Y up.
        fps: frame rate [Hz].
    """
    relative = joints[: MOST_FRAMES + 1] - joints[: MOST_FRAMES + 1, :1]
    steps = np.linalg.norm(np.diff(relative, axis=0), axis=-1).max(axis=-1)
    jumps = steps * fps > JUMP_M_S
    # Frames that repeat the first, and the step that leaves them.
    posed = 1 + int(np.argmin([*(steps < STILL_M), False]))
    if count_t_pose(joints[:1]) == 0 or posed > len(jumps) or not jumps[posed - 1]:
        return 0
    # Some conversions blend from the pose to the recording over a few frames.
    return posed + int(np.argmin([*jumps[posed:], False]))


def stands_along_z(recording: MarkerRecording, marker_set: MarkerSet) -> bool:
    """Say whether markers are those of a person who stands along the z axis, head up, on a floor near z = 0.

    Args:
        recording: markers whose file does not say which axis is up.
        marker_set: where they sit.
    """
    columns: dict[str, list[int]] = {"high": [], "low": []}
    for index, name in enumerate(recording.names):
        bone = marker_set.sites[name].point.bone if name in marker_set.sites else ""
        if bone in ("head", "neck", "spine3"):
            columns["high"].append(index)
        elif bone.endswith(("ankle", "foot")):
            columns["low"].append(index)
    if not all(columns.values()):
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # frames in which no marker of a group is seen
        high, low = (np.nanmedian(recording.positions[:, chosen], axis=1) for chosen in columns.values())
    trunk = (high - low)[np.isfinite(high - low).all(axis=-1)]
    if len(trunk) == 0:
        return False
    upright = trunk[:, 2] > _UPRIGHT * np.linalg.norm(trunk, axis=-1)
    floor = float(np.nanquantile(recording.positions[:, columns["low"], 2], 0.02))
    return bool(upright.mean() > _UPRIGHT) and abs(floor) < _FLOOR_M


def find_asf(path: Path) -> Path:
    """Return the skeleton of an .amc.

    It is ``16.asf`` for ``16_15.amc``, or the only one in the folder, or the one whose name is a word of the file's
    (``wd2.asf`` for ``itonic3_wd2_slip.amc``); in the folder, else in the two above, but never another subject's. Of
    several that agree in every bone the first is taken.

    Raises:
        FileNotFoundError: none is found, or several that differ.
    """
    stem = path.name.split(".")[0]
    words = {stem, stem.split("_")[0]}, set(stem.split("_"))
    for folder in (path.parent, *path.resolve().parents[1:3]):
        found = sorted(one for one in (*folder.glob("*.asf"), *folder.glob("*.asf.xz")) if not is_hidden(one.name))
        if folder != path.parent:
            # Numbers name subjects; those of other folders are other people.
            found = [one for one in found if one.name.split(".")[0] in words[0] or not one.name[0].isdigit()]
        for wanted in words:
            named = [one for one in found if one.name.split(".")[0] in wanted]
            if len(named) == 1:
                return named[0]
        if len(found) == 1 or (len(found) > 1 and _are_alike(found)):
            return found[0]
        if found:
            break
    names = ", ".join(one.name for one in found) or "none"
    raise FileNotFoundError(
        f"{path} needs its skeleton {stem.split('_')[0]}.asf beside it, found {names}; pass --asf FILE"
    )


def _are_alike(paths: list[Path]) -> bool:
    """Say whether skeletons have the same bones, of the same lengths wherever both have one."""
    first, *others = (read_bones(path) for path in paths)
    for bones in others:
        if set(bones) != set(first):
            return False
        for name, (freedom, tail) in bones.items():
            size = np.linalg.norm(tail), np.linalg.norm(first[name][1])
            # Whether a last bone has a length moves no joint.
            if freedom != first[name][0] or (
                min(size) > 0 and np.linalg.norm(tail - first[name][1]) > _ALIKE * max(size)
            ):
                return False
    return True


def find_skeleton_json(path: Path) -> Path | None:
    """Return the skeleton of a table of exponential maps: in its folder or one of the three above."""
    return next(
        (one / "skeleton.json" for one in list(path.resolve().parents)[:4] if (one / "skeleton.json").is_file()), None
    )
