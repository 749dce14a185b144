"""MotionFile: a motion file, read; what a user may say of one; and how a source's skeleton or body becomes ours."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Final, TypeVar

from datamodules.formats.skeleton import FloatArray, SkeletonMotion, Up
from datamodules.markers.fit import MarkerFit
from datamodules.motion_files.terms import Terms, says_nothing
from datamodules.retargeting.rest_pose import align_rest, is_standing, map_joints, turn_up
from datamodules.retargeting.retarget import SkeletonMap, put_on_floor, retarget, scale_of_legs
from sim.body import Body
from sim.motion import Motion

_MOST_FPS: Final = 1e5
_MOST_UNIT_M: Final = 1e4
"""What a rate [Hz] and a unit [m] may be said to be at most, and at least one over it; no recording comes near."""
Dropped = TypeVar("Dropped", Motion, SkeletonMotion)


@dataclass(frozen=True)
class ReadOptions:
    """What a file does not say of itself, or says wrongly.

    Attributes:
        fps: frame rate [Hz].
        unit_m: metres per unit.
        up: the axis that points up, of skeletons, markers and joint positions.
        drop_first: frames to leave out at the beginning.
        skeleton: YAML file that names the joints of a skeleton of one's own.
        asf: the skeleton of an .amc file.
        markers: YAML file that says where markers of one's own sit.
        static: calibration recording (.trc, .c3d) of the person whose markers are read.
        body: the subject's body, for AMASS files.
    """

    fps: float | None = None
    unit_m: float | None = None
    up: Up | None = None
    drop_first: int = 0
    skeleton: Path | None = None
    asf: Path | None = None
    markers: Path | None = None
    static: Path | None = None
    body: Body | None = None

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: a number is out of range.
        """
        for name, value, most in (("fps", self.fps, _MOST_FPS), ("unit_m", self.unit_m, _MOST_UNIT_M)):
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}, expected a positive number (--{name.replace('_', '-')})")
            if value is not None and not 1 / most <= value <= most:
                option = f"--{name.replace('_', '-')}"
                raise ValueError(f"{name} is {value:g}, expected {1 / most:g} to {most:g} ({option}); is it a slip?")
        if self.drop_first < 0:
            raise ValueError(f"drop_first is {self.drop_first}, expected 0 or more frames (--drop-first)")


@dataclass(frozen=True, eq=False)
class MotionFile:
    """A motion file, read.

    Attributes:
        motion: the motion on ``Body.default()`` (on ``options.body`` where one was given), Y up.
        format: name of the format.
        skeleton: what its joints or markers were understood as.
        joints: SMPL's 22 joints where and as large as the source has them ``(T, 22, 3)`` [m], Y up.
        notes: what was assumed, and what the file contradicts, in words.
        fit: the body fitted to markers, if there were any.
        up: the axis of the file that was taken to point up; None where the format leaves no choice.
        body: whose motion it is, in the file's shape; None where no body was given.
    """

    motion: Motion
    format: str
    skeleton: str
    joints: FloatArray
    notes: tuple[str, ...] = ()
    fit: MarkerFit | None = None
    up: Up | None = None
    body: Body | None = None


@dataclass(frozen=True)
class MotionFormat:
    """A format.

    Attributes:
        name: what it is called.
        suffixes: how its files end; text may be compressed (``.xz``) too.
        read: reads a file.
        claims: whether a file with that suffix is of this format; None is always.
        takes: what can be said of such a file besides ``fps`` and ``drop_first`` (:class:`ReadOptions`).
        terms: what is known of the terms that a file comes under (:mod:`datamodules.motion_files.terms`).
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, ReadOptions], MotionFile]
    claims: Callable[[Path], bool] | None = field(default=None)
    takes: frozenset[str] = frozenset()
    terms: Terms = says_nothing

    def refuse_foreign(self, path: Path, options: ReadOptions) -> None:
        """Refuse options that say nothing of a file of this format.

        Raises:
            ValueError: there is one; it and those that apply are named.
        """
        known = {"fps", "drop_first", *self.takes}
        foreign = [one.name for one in fields(options) if getattr(options, one.name) not in (None, 0)]
        foreign = [name for name in foreign if name not in known]
        if foreign:
            named, valid = (
                ", ".join(f"--{name.replace('_', '-')}" for name in names) for names in (foreign, sorted(known))
            )
            raise ValueError(f"{path} is {self.name}, to which {named} does not apply, expected {valid}; leave it out")


def suffix_of(path: Path) -> str:
    """Return how a file ends, ``.xz`` aside, in small letters."""
    return Path(path.name.removesuffix(".xz")).suffix.lower()


def stem_of(name: str, suffixes: Collection[str]) -> str:
    """Return a file's name or path without how it ends, where that is a known ending; other dots are part of the name.

    Args:
        name: ``walk.v2.bvh.xz``, or a path within a folder.
        suffixes: endings that are known, ``.bvh`` among them.
    """
    bare = name.removesuffix(".xz")
    suffix = Path(bare).suffix
    return bare.removesuffix(suffix) if suffix.lower() in suffixes else bare


def move_skeleton(
    source: SkeletonMotion, skeleton: SkeletonMap, options: ReadOptions, *, format_name: str, name: str
) -> MotionFile:
    """Carry a skeleton's motion over to ``Body.default()``.

    Args:
        source: as it was read.
        skeleton: names of its joints.
        options: axis that points up.
        format_name: what the format is called.
        name: what the skeleton is called.

    Raises:
        ValueError: the map names joints that the source lacks.
    """
    source, up = turn_up(source, skeleton, up=options.up)
    notes = [*source.notes, *(["z is up in the file; turned"] if up == "z" else [])]
    if skeleton.declares_frames:
        joints = map_joints(source, skeleton)
        return MotionFile(retarget(source, skeleton), format_name, name, joints, tuple(notes), up=up)
    if not is_standing(source, skeleton):
        notes.append("the rest pose is no pose of a person; joint frames were found from the motion")
    aligned = align_rest(source, skeleton)
    # Where joint frames were found, feet lie along the source's; elsewhere the map knows whether they do.
    fitting = (
        replace(skeleton, aligned_feet=True)
        if aligned is not source and not is_standing(source, skeleton)
        else skeleton
    )
    joints = map_joints(source, skeleton)
    return MotionFile(retarget(aligned, fitting), format_name, name, joints, tuple(notes), up=up)


def carry_over(motion: Motion, source: Body, target: Body) -> Motion:
    """Move another body as one body moves: the path is scaled by the ratio of leg lengths, and stands on y = 0."""
    scale = scale_of_legs(target.rest_joints.double().numpy()) / scale_of_legs(source.rest_joints.double().numpy())
    return put_on_floor(replace(motion, translation=motion.translation * scale), body=target)


def drop_first(motion: Dropped, path: Path, options: ReadOptions) -> Dropped:
    """Leave out the frames at the beginning that are not wanted.

    Raises:
        ValueError: nothing would be left.
    """
    count = motion.num_frames if isinstance(motion, Motion) else len(motion.positions)
    if options.drop_first >= count:
        raise ValueError(
            f"{path} has {count} frames, none left after the first {options.drop_first} were dropped; drop fewer"
        )
    return motion.frames(options.drop_first)


def open_motion(motion: Motion, format_name: str, skeleton: str, *, body: Body | None) -> MotionFile:
    """Return a motion of SMPL's joints as a file that was read, its joints those of a body; None is the default one."""
    joints = (body if body is not None else Body.default()).joints(motion)
    return MotionFile(motion, format_name, skeleton, joints.double().numpy(), body=body)
